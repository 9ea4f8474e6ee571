/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the members and elements of a document stand, and how they were written where the JSON tree
 * does not tell: 0x50 is 80 there, `on` is true. */
#ifndef SOURCE_YAML_LINES_H
#define SOURCE_YAML_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

/* Where a member or an element stands: its container, and its key's hash or its index. */
struct line {
	const json_t *parent;
	uint32_t slot, line;
};

/* What a scalar was written as. */
struct written {
	const json_t *parent;
	uint32_t slot;
	bool key; /* the member's key, else the value */
	char *text;
};

struct yaml_lines {
	VEC(struct line) all;
	VEC(struct written) written;
	const json_t *root;
	unsigned first; /* of the document */
	bool sorted;
};

uint32_t yaml_key_slot(const char *key);

/* 0 or -ENOMEM. */
int yaml_lines_add(struct yaml_lines *lines, const json_t *parent, uint32_t slot, unsigned line);
/* Copies the text. */
int yaml_lines_add_written(struct yaml_lines *lines, const json_t *parent, uint32_t slot, bool key,
			   const char *text);

/* The last that was added; NULL: as the tree has it. */
const char *yaml_lines_written(const struct yaml_lines *lines, const json_t *parent, uint32_t slot,
			       bool key);

/* The last line that was added for it; 0: none. Before yaml_line_of() has sorted them. */
unsigned yaml_lines_find(const struct yaml_lines *lines, const json_t *parent, uint32_t slot);

void yaml_lines_done(struct yaml_lines *lines);

#endif
