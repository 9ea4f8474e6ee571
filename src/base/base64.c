/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/base64.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

static bool is_space(char c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

ssize_t base64_decode(const char *text, unsigned char *out)
{
	size_t n = 0, digits = 0, padding = 0;
	uint32_t bits = 0;

	for (; *text; text++) {
		int digit = digit_of(*text);

		if (is_space(*text))
			continue;
		if (*text == '=')
			padding++;
		else if (digit < 0 || padding > 0)
			return -1;
		bits = bits << 6 | (uint32_t)(digit < 0 ? 0 : digit);
		if (++digits % 4 != 0)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8)
			out[n++] = (unsigned char)(bits >> shift & 0xff);
		bits = 0;
	}
	return digits % 4 == 0 && padding <= 2 ? (ssize_t)(n - padding) : -1;
}

char base64_digit(unsigned value)
{
	return alphabet[value & 63];
}
