/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A strict recognizer of JSON (RFC 8259), for what is stepped over and never parsed: a file that is
 * no JSON is refused, wherever in it that is. */
#ifndef SOURCE_JSON_CHECK_H
#define SOURCE_JSON_CHECK_H

/* Where the value that begins at p ends, or NULL: it is no JSON, it is deeper than JSON_DEPTH_MAX,
 * or it does not end before `end`. */
const char *json_check_value(const char *p, const char *end);

/* The same for a string, p at the opening quote. */
const char *json_check_string(const char *p, const char *end);

#endif
