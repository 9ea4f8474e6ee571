/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/vec.h"

#define LINE_ESCAPED_MAX 12 /* bytes of "\U0010ffff" and its end */
#define ESCAPED_MAX      16 /* of one character, escaped for any language */
#define LINE_MAX_STACK   1024

/* Cc, Zl, Zp, Default_Ignorable_Code_Point of Unicode 15 (DerivedCoreProperties.txt), interlinear
 * annotation, and noncharacters in the first plane; those of the others end in fffe and ffff. */
static const struct {
	uint32_t first, last;
} unprintable[] = {
	{0x0000, 0x001f},   {0x007f, 0x009f}, {0x00ad, 0x00ad},   {0x034f, 0x034f},
	{0x061c, 0x061c},   {0x115f, 0x1160}, {0x17b4, 0x17b5},   {0x180b, 0x180f},
	{0x200b, 0x200f},   {0x2028, 0x202e}, {0x2060, 0x206f},   {0x3164, 0x3164},
	{0xfdd0, 0xfdef},   {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
	{0xfff0, 0xfffb},   {0xfffe, 0xffff}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	{0xe0000, 0xe0fff},
};

static bool is_unprintable(uint32_t c)
{
	for (size_t i = 0; i < ARRAY_LEN(unprintable) && c >= unprintable[i].first; i++) {
		if (c <= unprintable[i].last)
			return true;
	}
	return (c & 0xfffe) == 0xfffe;
}

/* \x1b, \u202e, \U000e0041; \n and its like. */
static size_t line_escape(uint32_t c, char to[static LINE_ESCAPED_MAX])
{
	static const char letters[] = "tnr", meant[] = "\t\n\r";
	const char *known = c && c < ' ' ? strchr(meant, (int)c) : NULL;

	if (known)
		return (size_t)snprintf(to, LINE_ESCAPED_MAX, "\\%c", letters[known - meant]);
	return (size_t)snprintf(to, LINE_ESCAPED_MAX,
				c < 0x80      ? "\\x%02x"
				: c < 0x10000 ? "\\u%04x"
					      : "\\U%08x",
				c);
}

static size_t json_escape(uint32_t c, char to[static ESCAPED_MAX])
{
	if (c < 0x10000)
		return (size_t)snprintf(to, ESCAPED_MAX, "\\u%04x", c);
	c -= 0x10000;
	return (size_t)snprintf(to, ESCAPED_MAX, "\\u%04x\\u%04x", 0xd800 | c >> 10,
				0xdc00 | (c & 0x3ff));
}

/* The backslash that begins a line's escape is a character of the label's. */
static size_t label_escape(uint32_t c, char to[static ESCAPED_MAX])
{
	if (c == '\n')
		return (size_t)snprintf(to, ESCAPED_MAX, "\\n");
	to[0] = '\\';
	return 1 + line_escape(c, to + 1);
}

static size_t escape_unprintable(enum escape language, uint32_t c, char to[static ESCAPED_MAX])
{
	switch (language) {
	case ESCAPE_LINE:
	case ESCAPE_NFT:
		return line_escape(c, to);
	case ESCAPE_JSON:
		return json_escape(c, to);
	case ESCAPE_LABEL:
		return label_escape(c, to);
	}
	return 0;
}

static size_t escape_byte(enum escape language, unsigned char byte, char to[static ESCAPED_MAX])
{
	if (language == ESCAPE_JSON) /* as Go's encoding/json; there is no other form */
		return (size_t)snprintf(to, ESCAPED_MAX, "\\ufffd");
	return (size_t)snprintf(to, ESCAPED_MAX, "%s\\x%02x", language == ESCAPE_LABEL ? "\\" : "",
				byte);
}

/* Does a printable character mean something in the language? */
static bool is_special(enum escape language, char c)
{
	return language != ESCAPE_JSON && (c == '\\' || (c == '"' && language != ESCAPE_LINE));
}

/* One character as it is printed; *text moves behind it. */
static size_t escape_one(enum escape language, const char **text, char to[static ESCAPED_MAX])
{
	const char *at = *text;
	uint32_t c = 0;
	size_t len = utf8_decode(at, &c);

	*text += len > 0 ? len : 1;
	if (len == 0)
		return escape_byte(language, (unsigned char)*at, to);
	if (is_unprintable(c))
		return escape_unprintable(language, c, to);
	if (len == 1 && is_special(language, *at))
		return (size_t)snprintf(to, ESCAPED_MAX,
					*at == '"' && language == ESCAPE_NFT ? "\\x%02x" : "\\%c",
					*at);
	memcpy(to, at, len);
	return len;
}

/* How much of it is printed as it is, as far as a look at single bytes tells. */
static size_t plain(enum escape language, const char *text)
{
	size_t n = 0;

	while (text[n] >= ' ' && text[n] <= '~' && !is_special(language, text[n]))
		n++;
	return n;
}

void escape_print(FILE *out, enum escape language, const char *text)
{
	char escaped[ESCAPED_MAX];

	while (*text) {
		size_t n = plain(language, text);

		if (n > 0)
			(void)fwrite(text, 1, n, out); /* whoever opened it asks ferror() */
		text += n;
		if (*text)
			(void)fwrite(escaped, 1, escape_one(language, &text, escaped), out);
	}
}

size_t escape_copy(char *to, size_t len, enum escape language, const char *text)
{
	char escaped[ESCAPED_MAX];
	size_t used = 0, cut = 0; /* cut: where "..." has room behind it */

	while (*text) {
		size_t n = escape_one(language, &text, escaped);

		if (used + n >= len) {
			memcpy(to + cut, "...", 4);
			return cut + 3;
		}
		memcpy(to + used, escaped, n);
		used += n;
		if (used + 3 < len)
			cut = used;
	}
	to[used] = '\0';
	return used;
}

void print_word(FILE *out, const char *text)
{
	escape_print(out, ESCAPE_LINE, text);
}

void vprint_line(FILE *out, const char *fmt, va_list ap)
{
	char text[LINE_MAX_STACK], *longer = NULL;
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	if (len >= (int)sizeof(text) && vasprintf(&longer, fmt, again) < 0)
		longer = NULL;
	va_end(again);
	if (len >= 0)
		print_word(out, longer ? longer : text);
	fputc('\n', out);
	free(longer);
}

void print_line(FILE *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint_line(out, fmt, ap);
	va_end(ap);
}
