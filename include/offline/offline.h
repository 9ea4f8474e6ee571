/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manifests read into a graph, for whoever works without a cluster: the dry run, the check,
 * netpolctl. */
#ifndef OFFLINE_OFFLINE_H
#define OFFLINE_OFFLINE_H

#include "base/err.h"
#include "base/fault.h"
#include "policy/graph.h"
#include "source/files.h"

struct offline {
	struct intern *strings;
	struct graph *graph;
	struct faults faults;
	struct files_report report;
};

/* `ret` is zero but for report.strict. Reads the PATHs (see files_load()) into a new graph, which
 * has seen EVENT_SYNCED when this returns. Faults in the input are not errors: they are in
 * ret->faults. 0 or -ENOMEM; offline_done() either way. */
int offline_load(struct offline *ret, const char *const paths[], size_t n_paths, const char *node,
		 const struct graph_listener *listener);

/* The same of what an API server has now: api_config_find() with these two, either may be NULL. 0;
 * -ENOMEM; -EINVAL: faults say why; another negative errno with err: the server cannot be asked. */
int offline_load_api(struct offline *ret, const char *kubeconfig, const char *context,
		     const char *node, const struct graph_listener *listener, struct err *err);

void offline_done(struct offline *offline);

/* Warns of all that the operator should know and that is no fault of one object: policies of kinds
 * that we do not enforce, policies that close their pods for being too complicated, a node (NULL:
 * none was named) that nobody speaks of. 0 or -ENOMEM. */
int offline_warn(struct offline *offline, const char *node);

#endif
