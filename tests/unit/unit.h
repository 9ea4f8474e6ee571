/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the unit tests share: rows that are tests of their own, objects from short YAML, whole
 * clusters. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

/* cmocka.h wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/intern.h"
#include "base/vec.h"
#include "cluster.h"
#include "model/decode.h"
#include "policy/eval.h"
#include "policy/graph.h"
#include "render/render.h"

/* Rows as tests: the first member of a row is its name, a sentence. `fn` finds the row in *state.
 * Returns how many failed. */
int unit_run_rows(const char *group, const void *rows, size_t n, size_t row_bytes,
		  CMUnitTestFunction fn);
#define RUN_ROWS(group, rows, fn) unit_run_rows(group, rows, ARRAY_LEN(rows), sizeof((rows)[0]), fn)

/* Random numbers that a seed repeats. */
struct unit_random {
	uint64_t state;
};

/* NETPOLD_SEED, or a new one; printed, for the next run. */
struct unit_random unit_random_start(const char *what);
uint32_t unit_random(struct unit_random *random, uint32_t below);

/* One document of YAML as a tree; the test fails when it is none. Free it. */
json_t *unit_tree(const char *yaml);

/* A file that holds the text, for what reads files; unlink and free its name. */
char *unit_file(const char *suffix, const char *text, size_t len);

/* One object decoded. */
struct unit_decoded {
	struct intern *strings;
	struct faults faults;
	struct decoder decoder;
	struct decoded decoded;
	int rc;
};

/* `yaml` may hold %s for `arg`. `file` NULL: as an API server's. */
void unit_decode(struct unit_decoded *u, const char *file, const char *yaml, const char *arg);
void unit_decoded_done(struct unit_decoded *u);

/* `listens`: a ruleset is rendered. Not synced yet. */
void unit_cluster_start(struct cluster *c, const char *node, bool listens);
void unit_cluster_stop(struct cluster *c);

/* Decodes (as a trusted file) and puts every document; the test fails when one is refused. */
void unit_put(struct cluster *c, const char *yaml);
/* The same with printf's format. */
void unit_putf(struct cluster *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The ruleset and the graph as text, settled. Free it. */
char *unit_text(struct cluster *c);

/* What the evaluator says: allow, deny, mixed, none. The test fails where the ruleset, interpreted,
 * says something else. */
const char *unit_verdict(struct cluster *c, const char *from, const char *to, const char *proto);

#endif
