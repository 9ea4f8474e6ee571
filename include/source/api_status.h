/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an API server says instead of what it was asked for: a Status object, or the plain text of
 * whatever stands before it. */
#ifndef SOURCE_API_STATUS_H
#define SOURCE_API_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define API_STATUS_TEXT_MAX 256

struct api_status {
	int code;               /* as in HTTP; 0: none was given */
	bool version_too_large; /* it has not seen the version yet that it was asked about */
	unsigned retry_after_s; /* 0: none */
	char text[API_STATUS_TEXT_MAX]; /* one line, printable; "" when nothing was said */
};

/* From a Status object; anything else leaves *ret empty. */
void api_status_read(const json_t *json, struct api_status *ret);

/* From the body of an answer. */
void api_status_parse(const char *body, size_t len, struct api_status *ret);

#endif
