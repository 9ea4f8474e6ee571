/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_scan.h"

#include <string.h>

const char *json_scan_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p;
}

const char *json_scan_string(const char *p, const char *end)
{
	/* Most strings are short and plain: nothing beats looking at them. */
	const char *near = end - p > 24 ? p + 24 : end, *quote;

	for (p++; p < near && *p != '\\'; p++) {
		if (*p == '"')
			return p + 1;
	}
	for (; p < end; p = quote + 1) {
		const char *escape;

		quote = memchr(p, '"', (size_t)(end - p));
		if (!quote)
			return NULL;
		escape = memchr(p, '\\', (size_t)(quote - p));
		if (!escape)
			return quote + 1;
		quote = escape + 1; /* what is escaped ends nothing */
	}
	return NULL;
}

static const char *scan_container(const char *p, const char *end)
{
	unsigned depth = 0;

	while (p < end) {
		switch (*p) {
		case '"':
			p = json_scan_string(p, end);
			if (!p)
				return NULL;
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return p + 1;
			break;
		default:
			break;
		}
		p++;
	}
	return NULL;
}

const char *json_scan_value(const char *p, const char *end)
{
	const char *from = p;

	if (p >= end)
		return NULL;
	if (*p == '"')
		return json_scan_string(p, end);
	if (*p == '{' || *p == '[')
		return scan_container(p, end);
	while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' && *p != '\t' &&
	       *p != '\r' && *p != '\n')
		p++;
	return p > from ? p : NULL;
}

const char *json_scan_member(const char *p, const char *end, const char **ret_key,
			     const char **ret_key_end)
{
	p = json_scan_space(p + 1, end);
	if (p >= end || *p != '"')
		return NULL;
	*ret_key = p + 1;
	p = json_scan_string(p, end);
	if (!p)
		return NULL;
	*ret_key_end = p - 1;
	p = json_scan_space(p, end);
	if (p >= end || *p != ':')
		return NULL;
	p = json_scan_space(p + 1, end);
	return p < end ? p : NULL;
}
