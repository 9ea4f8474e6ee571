/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces exist while they are declared, or anything is in them. */
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/task.h"
#include "internal.h"

static int name_label(struct graph *g, struct graph_namespace *ns)
{
	ns->labels.v = calloc(1, sizeof(ns->labels.v[0]));
	if (!ns->labels.v)
		return -ENOMEM;
	ns->labels.v[0] = (struct label){g->ns_name_key, ns->name};
	ns->labels.n = 1;
	return 0;
}

struct graph_namespace *get_namespace(struct graph *g, const char *name)
{
	struct graph_namespace *ns;

	HASH_FIND_STR(g->namespaces, name, ns);
	if (ns)
		return ns;
	ns = calloc(1, sizeof(*ns));
	if (!ns)
		return NULL;
	ns->name = intern_ref(name);
	if (name_label(g, ns) == 0) {
		HASH_ADD_KEYPTR(hh, g->namespaces, ns->name, strlen(ns->name), ns);
		if (table_added(ns)) {
			g->counts.namespaces++;
			return ns;
		}
		free(ns->labels.v);
	}
	intern_put(g->strings, ns->name);
	free(ns);
	return NULL;
}

void drop_namespace_if_empty(struct graph *g, struct graph_namespace *ns)
{
	if (ns->declared || ns->pods || ns->policies.n > 0 || ns->n_held > 0)
		return;
	budget_drop_namespace(g, ns);
	HASH_DEL(g->namespaces, ns);
	free(ns->labels.v);
	vec_free(&ns->policies);
	intern_put(g->strings, ns->name);
	free(ns);
	g->counts.namespaces--;
}

bool same_labels(const struct labels *a, const struct labels *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(a->v[0])) == 0);
}

/* Moves the namespace's pods to new labels (whose array it takes; the strings are the object's). */
static int relabel_namespace(struct graph *g, struct graph_namespace *ns, struct labels labels)
{
	struct graph_pod *pod;
	int rc = 0;

	if (same_labels(&ns->labels, &labels)) {
		free(ns->labels.v);
		ns->labels = labels;
		return 0;
	}
	for (pod = ns->pods; pod; pod = pod->hh.next) {
		unpublish(g, pod);
		task_yield();
	}
	for (pod = ns->pods; pod; pod = pod->hh.next) {
		/* Who is no peer stays out of the index. */
		pod->was_indexed = pod->indexed;
		unindex_pod(g, pod);
		task_yield();
	}
	free(ns->labels.v);
	ns->labels = labels;
	for (pod = ns->pods; pod && rc == 0; pod = pod->hh.next) {
		rc = pod->was_indexed ? index_pod(g, pod) : 0;
		task_yield();
	}
	for (pod = ns->pods; pod && rc == 0; pod = pod->hh.next) {
		rc = publish(g, pod);
		task_yield();
	}
	return rc;
}

int put_namespace(struct graph *g, struct namespace_ *object)
{
	struct graph_namespace *ns = get_namespace(g, object->name);
	struct labels labels = {.n = object->labels.n};
	int rc = -ENOMEM;

	if (ns)
		labels.v = malloc((labels.n + 1) * sizeof(labels.v[0]));
	if (labels.v) {
		memcpy(labels.v, object->labels.v, labels.n * sizeof(labels.v[0]));
		rc = profiles_settle(g, relabel_namespace(g, ns, labels));
	}
	if (!labels.v) {
		namespace_free(g->strings, object);
		return rc;
	}
	namespace_free(g->strings, ns->declared); /* nobody points into it any more */
	ns->declared = object;
	return rc;
}

int remove_namespace(struct graph *g, const char *name)
{
	struct graph_namespace *ns;
	struct labels labels = {.n = 1};

	HASH_FIND_STR(g->namespaces, name, ns);
	if (!ns || !ns->declared)
		return 0;
	labels.v = calloc(1, sizeof(labels.v[0]));
	if (!labels.v)
		return -ENOMEM;
	labels.v[0] = (struct label){g->ns_name_key, ns->name};
	int rc = profiles_settle(g, relabel_namespace(g, ns, labels));
	namespace_free(g->strings, ns->declared);
	ns->declared = NULL;
	drop_namespace_if_empty(g, ns);
	return rc;
}
