/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clusters for tests that are not cmocka's: the fuzz targets use them too. */
#ifndef TESTS_CLUSTER_H
#define TESTS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/intern.h"
#include "policy/eval.h"
#include "policy/graph.h"
#include "render/render.h"

struct cluster {
	struct intern *strings;
	struct render *render; /* NULL: nobody listens */
	struct graph *graph;
	void (*prepare)(struct pod *pod); /* what no document can say; NULL: nothing */
};

/* `listens`: a ruleset is rendered. false: no memory, and nothing to stop. */
bool cluster_start(struct cluster *c, const char *node, bool listens);

void cluster_stop(struct cluster *c);

/* Puts what can be read of every document; 0 or what yaml_parse() returned. */
int cluster_put_yaml(struct cluster *c, const char *yaml, size_t len, struct faults *faults,
		     struct err *err, unsigned *ret_line);

/* Do ruleset and evaluator agree on the flow? NULL in *ret_detail: no memory to say so. */
bool cluster_agrees(struct cluster *c, const struct flow *flow, char **ret_detail);

#endif
