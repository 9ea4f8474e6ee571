/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_scan.h"

#include <stddef.h>

const char *json_scan_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p;
}

const char *json_scan_string(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			p++;
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
