/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 4648, section 4. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

/* So much room may be needed for what `len` characters say. */
#define BASE64_DECODED_MAX(len) ((len) / 4 * 3 + 4)

/* Blanks between the characters are skipped. How many bytes came out; -1 for text that is no
 * base64. */
ssize_t base64_decode(const char *text, unsigned char *out);

/* The digit's character. */
char base64_digit(unsigned value);

#endif
