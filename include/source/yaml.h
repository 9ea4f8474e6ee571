/* SPDX-License-Identifier: GPL-2.0-or-later */
/* YAML as kubectl reads it (go-yaml v2 semantics: YAML 1.1 scalars, merge keys, timestamps as
 * text), as JSON trees that know their lines. */
#ifndef SOURCE_YAML_H
#define SOURCE_YAML_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"
#include "model/decode.h"

/* Limits on one document: what a legitimate export stays far below. */
#define YAML_DEPTH_MAX 100
#define YAML_NODES_MAX 4000000 /* aliases count with all that they stand for */

struct yaml_lines;

/* One document. `lines` is for yaml_line_of() and lives as long as the call. Returns 0 or a
 * negative errno, which ends the parse. */
typedef int (*yaml_document_fn)(void *ctx, const json_t *root, struct yaml_lines *lines);

/* Calls `fn` for each document that is not empty. A document that is no YAML ends the parse: what
 * follows cannot be trusted to be what was meant.
 * 0; -EINVAL with err and *ret_line; -ENOMEM; or what fn returned. */
int yaml_parse(const char *data, size_t len, yaml_document_fn fn, void *ctx, struct err *err,
	       unsigned *ret_line);

/* A line_of_fn over the document, for a path from its root. */
unsigned yaml_line_of(struct yaml_lines *lines, const struct path_seg *path, size_t n);

#endif
