/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "yaml_documents.h"

#include <string.h>

/* The bytes of the line break there, by YAML 1.1 as libyaml has it (IS_BREAK_AT in its
 * yaml_private.h); 0: none. */
static size_t break_bytes(const char *data, size_t len, size_t at)
{
	const char *p = data + at;
	size_t left = len - at;

	if (left == 0)
		return 0;
	if (*p == '\n')
		return 1;
	if (*p == '\r')
		return left > 1 && p[1] == '\n' ? 2 : 1;
	if (left > 1 && memcmp(p, "\xc2\x85", 2) == 0)
		return 2;
	if (left > 2 && (memcmp(p, "\xe2\x80\xa8", 3) == 0 || memcmp(p, "\xe2\x80\xa9", 3) == 0))
		return 3;
	return 0;
}

static bool go_to_next_line(const char *data, size_t len, struct yaml_place *place)
{
	size_t n = 0;

	while (place->at < len && (n = break_bytes(data, len, place->at)) == 0)
		place->at++;
	place->at += n;
	place->line++;
	return n > 0;
}

void yaml_go_to_line(const char *data, size_t len, struct yaml_place *place, unsigned line)
{
	while (place->line < line && go_to_next_line(data, len, place)) {
	}
}

static bool is_separator(const char *data, size_t len, size_t at)
{
	if (len - at < 3 || memcmp(data + at, "---", 3) != 0)
		return false;
	at += 3;
	return at == len || data[at] == ' ' || data[at] == '\t' || data[at] == '\0' ||
	       break_bytes(data, len, at) > 0;
}

/* Blank, or a comment alone: says nothing of what is around it. */
static bool is_empty_line(const char *data, size_t len, size_t at)
{
	while (at < len && (data[at] == ' ' || data[at] == '\t'))
		at++;
	return at == len || data[at] == '#' || break_bytes(data, len, at) > 0;
}

bool yaml_go_to_document(const char *data, size_t len, struct yaml_place *place)
{
	bool directive = false;

	do {
		if (!is_empty_line(data, len, place->at))
			directive = place->at < len && data[place->at] == '%';
		if (!go_to_next_line(data, len, place))
			return false;
	} while (!is_separator(data, len, place->at) || (directive && !(directive = false)));
	return true;
}
