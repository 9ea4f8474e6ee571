/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that others wrote, as JSON. */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* A string of any bytes: each that is not UTF-8 becomes U+FFFD. null for NULL. NULL: no memory. */
json_t *json_text(const char *text);

/* On one line, fit for a terminal: what is unprintable is escaped (base/escape.h). 0 or -ENOMEM. */
int json_print(const json_t *json, FILE *out);

/* The same as text, with the end of its line. Free it. NULL: no memory. */
char *json_line(const json_t *json);

#endif
