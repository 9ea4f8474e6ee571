/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps over JSON in memory that json_split has balanced: what pruning and line numbers share. */
#ifndef SOURCE_JSON_SCAN_H
#define SOURCE_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

/* On the way through a container: only strings and the number of open brackets are tracked, eight
 * bytes at a time. */
struct json_skim {
	uint64_t depth; /* brackets that are open */
	uint64_t limit; /* of them */
	bool in_string, escaped;
	bool too_deep; /* the limit was met */
};

/* To just behind the bracket that closes the last one that is open (depth is 0 then), or to `end`,
 * or to where it became too deep. */
const char *json_skim(struct json_skim *skim, const char *p, const char *end);

/* These take [p, end) and return where the thing ends, or NULL where it does not. */
const char *json_scan_space(const char *p, const char *end); /* never NULL */
const char *json_scan_value(const char *p, const char *end);

/* From an opening brace or a comma to the next member's key: its text is [*ret_key, *ret_key_end),
 * as written between the quotes. Returns the beginning of its value, NULL at the end or on bad
 * JSON. */
const char *json_scan_member(const char *p, const char *end, const char **ret_key,
			     const char **ret_key_end);

#endif
