/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of a JSON object's members, found only when somebody asks. */
#ifndef SOURCE_JSON_LINES_H
#define SOURCE_JSON_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/decode.h"

struct json_line {
	uint64_t path; /* hash */
	unsigned line;
	size_t at; /* where its value begins in the bytes */
};

struct json_lines {
	const char *bytes; /* of the object; borrowed */
	size_t len;
	unsigned first; /* the line it begins on */
	bool built;
	VEC(struct json_line) all;
};

/* A line_of_fn: the deepest part of the path that exists. ctx is a struct json_lines. */
unsigned json_line_of(void *ctx, const struct path_seg *path, size_t n);

/* A written_fn: numbers, such as 1e3 and 1.50. */
bool json_written(void *ctx, const struct path_seg *path, size_t n, const json_t *value, char *to,
		  size_t len);

void json_lines_done(struct json_lines *lines);

#endif
