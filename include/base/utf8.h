/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Characters and their bytes (RFC 3629: the shortest form, no surrogates). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX 4 /* bytes of a character */

/* The length in bytes of the first character of a text that is not empty; 0: it is not UTF-8. */
size_t utf8_decode(const char *text, uint32_t *ret_c);

/* Writes a character that is no surrogate, without a '\0'; returns its length. */
size_t utf8_encode(uint32_t c, char to[static UTF8_MAX]);

#endif
