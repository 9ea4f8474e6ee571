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

/* Documents that were read before, for who puts the same ones into many clusters: reading YAML
 * takes ten times as long as what the graph does with it. Zero is empty. */
struct cluster_documents {
	struct cluster_document *by_text;
};

struct cluster {
	struct intern *strings;
	struct render *render; /* NULL: nobody listens */
	struct graph *graph;
	void (*prepare)(struct pod *pod);    /* what no document can say; NULL: nothing */
	struct cluster_documents *documents; /* NULL: each is read anew */
};

/* `listens`: a ruleset is rendered. false: no memory, and nothing to stop. */
bool cluster_start(struct cluster *c, const char *node, bool listens);

void cluster_stop(struct cluster *c);

/* Puts what can be read of every document; 0 or what yaml_parse() returned. */
int cluster_put_yaml(struct cluster *c, const char *yaml, size_t len, struct faults *faults,
		     struct err *err, unsigned *ret_line);

/* Forgets them; also when there are more than CLUSTER_DOCUMENTS_MAX. */
#define CLUSTER_DOCUMENTS_MAX 20000
void cluster_documents_done(struct cluster_documents *documents);

/* Do ruleset and evaluator agree on the flow? NULL in *ret_detail: no memory to say so. */
bool cluster_agrees(struct cluster *c, const struct flow *flow, char **ret_detail);

#endif
