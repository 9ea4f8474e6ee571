/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows as text, one a line: FROM [->] TO PROTO[/PORT] [allow|deny], # begins a comment. */
#ifndef ANSWER_FLOWS_H
#define ANSWER_FLOWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "policy/eval.h"

/* Bytes of a line of a file, its comment included. */
#define FLOW_LINE_MAX 4096

struct flow_line {
	struct flow flow;
	enum verdict expected; /* where the line needs an expectation */
	const char *file;      /* NULL: none */
	unsigned line;
};

/* Without its comment; and is there anything in the line? */
bool flow_line_strip(char *text);

/* Reads what flow_line_strip() has left, which is cut into words; `ret` knows its place. 0; or
 * -EINVAL, and a fault says what was expected. */
int flow_line_parse(char *text, bool need_expectation, struct faults *faults,
		    struct flow_line *ret);

/* 0, or what ends the run. */
typedef int (*flow_line_fn)(void *ctx, const struct flow_line *line);

/* Calls `fn` for each flow of a file ("-": standard input). Lines that are none are told in
 * `faults` and counted in *unusable. 0, or what fn returned. */
int flows_read(const char *path, bool need_expectation, struct faults *faults, flow_line_fn fn,
	       void *ctx, size_t *unusable);

#endif
