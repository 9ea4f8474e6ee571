/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the documents of a file begin, without a parser: a line that begins with "---" and goes on
 * with white space separates documents whatever is around it, also within quotes, brackets and
 * block scalars (YAML 1.2, 9.1.2, c-forbidden; libyaml's yaml_parser_fetch_next_token()). kubectl
 * separates by such lines before it parses anything (k8s.io/apimachinery, util/yaml/decoder.go). */
#ifndef SOURCE_YAML_DOCUMENTS_H
#define SOURCE_YAML_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>

/* The beginning of a line. */
struct yaml_place {
	size_t at;     /* in bytes */
	unsigned line; /* from 0 */
};

/* Goes on to that line, or to the end. */
void yaml_go_to_line(const char *data, size_t len, struct yaml_place *place, unsigned line);

/* Goes on to the next such line behind the one that `place` is at. One behind directives ("%YAML
 * 1.1") does not count: it belongs to them. False: there is none, and `place` is the end. */
bool yaml_go_to_document(const char *data, size_t len, struct yaml_place *place);

#endif
