/* SPDX-License-Identifier: GPL-2.0-or-later */
/* YAML as kubectl reads it (go-yaml v2 semantics: YAML 1.1 scalars, merge keys, timestamps as
 * text), as JSON trees that know their lines. */
#ifndef SOURCE_YAML_H
#define SOURCE_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/decode.h"

/* Limits on one document: what a legitimate export stays far below. */
#define YAML_DEPTH_MAX 100
#define YAML_NODES_MAX 4000000 /* aliases count with all that they stand for */

/* So many documents of one file may be no YAML. */
#define YAML_BROKEN_MAX 100

struct yaml_lines;

/* One document. `lines` is for yaml_line_of() and lives as long as the call. Returns 0 or a
 * negative errno, which ends the parse. */
typedef int (*yaml_document_fn)(void *ctx, const json_t *root, struct yaml_lines *lines);

#define YAML_FIELD_MAX 512
#define YAML_VALUE_MAX 128

/* What is wrong with a document; texts may be "". */
struct yaml_failure {
	unsigned line;              /* 0: unknown */
	bool again;                 /* it is no YAML, and has failed before */
	unsigned context_line;      /* where that began which is no YAML; 0: unknown */
	char field[YAML_FIELD_MAX]; /* "spec.ingress[0]", keys as they were written */
	char value[YAML_VALUE_MAX]; /* as it was written */
	char text[256];             /* what was expected */
};

struct yaml_reader {
	yaml_document_fn document;
	/* A document that is no YAML, or nothing that JSON can hold, or nested too deeply, or holds
	 * a key twice; it is left out. NULL: that ends the parse. 0, or a negative errno which ends
	 * the parse. */
	int (*invalid)(void *ctx, const struct yaml_failure *failure);
	void *ctx;
};

/* Calls `document` for each document that is not empty, and `invalid` for the others. Behind one
 * that is no YAML it goes on at the next line that separates documents; behind YAML_BROKEN_MAX of
 * them it ends. 0; -EINVAL with *failure; -ENOMEM; or what the reader's functions returned. */
int yaml_read(const char *data, size_t len, const struct yaml_reader *reader,
	      struct yaml_failure *failure);

/* The same where no document may be invalid; err has field and value, too. -EINVAL of `fn` itself
 * leaves err as it is. */
int yaml_parse(const char *data, size_t len, yaml_document_fn fn, void *ctx, struct err *err,
	       unsigned *ret_line);

/* A line_of_fn over the document, for a path from its root. */
unsigned yaml_line_of(struct yaml_lines *lines, const struct path_seg *path, size_t n);

/* How the value that the path leads to was written, or with NULL the last key of the path, where
 * the tree shows it otherwise (0x50 is 80 there, on is true). False: it does not, or the value is
 * another. */
bool yaml_written(const struct yaml_lines *lines, const struct path_seg *path, size_t n,
		  const json_t *value, char *to, size_t len);

#endif
