/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/vec.h"
#include "source/json_scan.h"
#include "source/json_split.h"

#define EVERY_BYTE(b) (0x0101010101010101u * (b))

/* The high bit of each byte that is zero (and maybe of one behind it, which does no harm here). */
static uint64_t zero_bytes(uint64_t word)
{
	return (word - EVERY_BYTE(0x01)) & ~word & EVERY_BYTE(0x80);
}

/* Eight characters that a string may have as they are: no quote, backslash, control, or UTF-8. */
static bool plain_word(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return ((word | zero_bytes(word ^ EVERY_BYTE('"')) | zero_bytes(word ^ EVERY_BYTE('\\')) |
		 ((word - EVERY_BYTE(0x20)) & ~word)) &
		EVERY_BYTE(0x80)) == 0;
}

/* Length of the UTF-8 sequence at p, longer than one byte; 0 when it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
	static const struct {
		unsigned char mask, lead, second_min, second_max;
		size_t len;
	} forms[] = {
		{0xff, 0xe0, 0xa0, 0xbf, 3}, {0xff, 0xed, 0x80, 0x9f, 3},
		{0xf0, 0xe0, 0x80, 0xbf, 3}, {0xff, 0xf0, 0x90, 0xbf, 4},
		{0xff, 0xf4, 0x80, 0x8f, 4}, {0xfc, 0xf0, 0x80, 0xbf, 4},
	};

	if (*p >= 0xc2 && *p <= 0xdf)
		return end - p >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if ((*p & forms[i].mask) != forms[i].lead)
			continue;
		if ((size_t)(end - p) < forms[i].len || p[1] < forms[i].second_min ||
		    p[1] > forms[i].second_max || (p[2] & 0xc0) != 0x80 ||
		    (forms[i].len == 4 && (p[3] & 0xc0) != 0x80))
			return 0;
		return forms[i].len;
	}
	return 0;
}

/* Length of the escape at p, a backslash; 0 when it is none. */
static size_t escape_length(const char *p, const char *end)
{
	if (end - p < 2 || !strchr("\"\\/bfnrtu", p[1]) || p[1] == '\0')
		return 0;
	if (p[1] != 'u')
		return 2;
	if (end - p < 6)
		return 0;
	for (const char *c = p + 2; c < p + 6; c++) {
		if (!strchr("0123456789abcdefABCDEF", *c) || *c == '\0')
			return 0;
	}
	return 6;
}

const char *json_check_string(const char *p, const char *end)
{
	for (p++; p < end;) {
		unsigned char c = (unsigned char)*p;
		size_t len = 1;

		if (end - p >= 8 && plain_word(p)) {
			p += 8;
			continue;
		}
		if (c == '"')
			return p + 1;
		if (c < 0x20)
			return NULL;
		if (c == '\\')
			len = escape_length(p, end);
		else if (c >= 0x80)
			len = utf8_length((const unsigned char *)p, (const unsigned char *)end);
		if (len == 0)
			return NULL;
		p += len;
	}
	return NULL;
}

static const char *check_digits(const char *p, const char *end)
{
	const char *from = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p > from ? p : NULL;
}

static const char *check_number(const char *p, const char *end)
{
	p += *p == '-';
	p = p < end && *p == '0' ? p + 1 : check_digits(p, end);
	if (p && p < end && *p == '.')
		p = check_digits(p + 1, end);
	if (p && p < end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		p = check_digits(p, end);
	}
	return p;
}

static const char *check_word(const char *p, const char *end, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(end - p) >= len && memcmp(p, word, len) == 0 ? p + len : NULL;
}

static const char *check(const char *p, const char *end, unsigned depth);

/* From behind the opening bracket. */
static const char *check_elements(const char *p, const char *end, bool object, unsigned depth)
{
	char closing = object ? '}' : ']';

	p = json_scan_space(p, end);
	if (p < end && *p == closing)
		return p + 1;
	for (;;) {
		if (object) {
			p = p < end && *p == '"' ? json_check_string(p, end) : NULL;
			p = p ? json_scan_space(p, end) : NULL;
			if (!p || p >= end || *p != ':')
				return NULL;
			p = json_scan_space(p + 1, end);
		}
		p = check(p, end, depth);
		p = p ? json_scan_space(p, end) : NULL;
		if (!p || p >= end || (*p != ',' && *p != closing))
			return NULL;
		if (*p == closing)
			return p + 1;
		p = json_scan_space(p + 1, end);
	}
}

static const char *check(const char *p, const char *end, unsigned depth)
{
	if (p >= end)
		return NULL;
	switch (*p) {
	case '"':
		return json_check_string(p, end);
	case '{':
	case '[':
		return depth > 0 ? check_elements(p + 1, end, *p == '{', depth - 1) : NULL;
	case 't':
		return check_word(p, end, "true");
	case 'f':
		return check_word(p, end, "false");
	case 'n':
		return check_word(p, end, "null");
	default:
		return check_number(p, end);
	}
}

const char *json_check_value(const char *p, const char *end)
{
	return check(p, end, JSON_DEPTH_MAX);
}
