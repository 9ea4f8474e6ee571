/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events in. Every change to a pod is: unpublish, change, publish; and the same for the pods whose
 * ownership of an address it moves. */
#include "policy/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/task.h"
#include "claims.h"
#include "internal.h"
#include "nodes.h"

struct graph *graph_new(struct intern *strings, const char *node,
			const struct graph_listener *listener)
{
	struct graph *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->strings = strings;
	g->generation = 1;
	g->ns_name_key = intern_get(strings, LABEL_NAMESPACE_NAME);
	g->node = node ? intern_get(strings, node) : NULL;
	if (!g->ns_name_key || (node && !g->node)) {
		graph_free(g);
		return NULL;
	}
	if (listener) {
		g->listener = *listener;
		g->listening = true;
	}
	return g;
}

void graph_allow_local_node(struct graph *g, bool allow)
{
	g->local_node_allow = allow;
}

const struct graph_namespace *graph_find_namespace(const struct graph *g, const char *name)
{
	struct graph_namespace *ns;

	HASH_FIND_STR(g->namespaces, name, ns);
	return ns;
}

struct graph_pod *graph_find_pod(const struct graph *g, const char *ns_name, const char *name)
{
	const struct graph_namespace *ns = graph_find_namespace(g, ns_name);
	struct graph_pod *pod = NULL;

	if (ns)
		HASH_FIND_STR(ns->pods, name, pod);
	return pod;
}

struct graph_namespace *graph_next_namespace(const struct graph *g,
					     const struct graph_namespace *ns)
{
	return ns ? ns->hh.next : g->namespaces;
}

struct graph_counts graph_counts(const struct graph *g)
{
	return g->counts;
}

/* Policies. */

static size_t policy_place(const struct graph_namespace *ns, const char *name, bool *ret_found)
{
	size_t low = 0, high = ns->policies.n;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, ns->policies.v[middle]->name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool selects(const struct network_policy *policy, const struct graph_pod *pod)
{
	return policy && label_selector_matches(&policy->subject, &pod->object->labels);
}

/* The endpoints that either version selects get what decides them anew. */
static int refresh_selected(struct graph *g, struct graph_namespace *ns,
			    const struct network_policy *old, const struct network_policy *new)
{
	int rc = 0;

	for (struct graph_pod *pod = ns->pods; pod && rc == 0; pod = pod->hh.next) {
		if (!pod->is_endpoint || (!selects(old, pod) && !selects(new, pod)))
			continue;
		unpublish_endpoint(g, pod);
		rc = publish_endpoint(g, pod);
		task_yield();
	}
	return rc;
}

static bool hold(struct graph *g, struct graph_namespace *ns, struct network_policy *old,
		 const struct network_policy *new)
{
	struct held_policy held = {.ns = ns, .old = old, .new = new};

	if (!g->holds_policies || !g->synced || vec_push(&g->held, held) < 0)
		return false; /* without memory it is not put off */
	ns->n_held++;
	return true;
}

/* Takes the old version over. */
static int policy_changed(struct graph *g, struct graph_namespace *ns, struct network_policy *old,
			  const struct network_policy *new)
{
	int rc;

	if (hold(g, ns, old, new))
		return 0;
	rc = profiles_settle(
		g, refresh_selected(g, ns, old, new)); /* profiles point into the old one */
	network_policy_free(g->strings, old);
	return rc;
}

static int by_namespace(const void *x, const void *y)
{
	const struct held_policy *a = x, *b = y;

	task_step();
	return strcmp(a->ns->name, b->ns->name);
}

static bool any_selects(const struct held_policy held[], size_t n, const struct graph_pod *pod)
{
	for (size_t i = 0; i < n; i++) {
		task_step();
		if (selects(held[i].new, pod) || selects(held[i].old, pod))
			return true;
	}
	return false;
}

/* As refresh_selected(), for all that is held of one namespace. */
static int refresh_held(struct graph *g, const struct held_policy held[], size_t n)
{
	int rc = 0;

	for (struct graph_pod *pod = held->ns->pods; pod && rc == 0; pod = pod->hh.next) {
		task_step();
		if (!pod->is_endpoint || !any_selects(held, n, pod))
			continue;
		unpublish_endpoint(g, pod);
		rc = publish_endpoint(g, pod);
		task_yield();
	}
	return rc;
}

static void free_held(struct graph *g)
{
	for (size_t i = 0; i < g->held.n; i++) {
		struct graph_namespace *ns = g->held.v[i].ns;

		network_policy_free(g->strings, g->held.v[i].old);
		if (--ns->n_held == 0)
			drop_namespace_if_empty(g, ns);
		task_step();
	}
	vec_free(&g->held);
}

void graph_hold_policies(struct graph *g)
{
	g->holds_policies = true;
}

bool graph_is_held(const struct graph *g)
{
	return g->held.n > 0;
}

int graph_flush(struct graph *g)
{
	int rc = 0;

	if (!graph_is_held(g))
		return 0;
	g->generation++;
	qsort(g->held.v, g->held.n, sizeof(g->held.v[0]), by_namespace);
	for (size_t i = 0, n; i < g->held.n && rc == 0; i += n) {
		for (n = 1; i + n < g->held.n && g->held.v[i + n].ns == g->held.v[i].ns;)
			n++;
		rc = refresh_held(g, &g->held.v[i], n);
	}
	rc = profiles_settle(g, rc);
	free_held(g);
	return rc;
}

static int put_policy(struct graph *g, struct network_policy *policy)
{
	struct graph_namespace *ns = get_namespace(g, policy->ns);
	struct network_policy *old = NULL;
	bool found;

	if (!ns) {
		network_policy_free(g->strings, policy);
		return -ENOMEM;
	}
	size_t at = policy_place(ns, policy->name, &found);
	if (found) {
		old = ns->policies.v[at];
		ns->policies.v[at] = policy;
	} else {
		if (vec_push(&ns->policies, policy) < 0) {
			network_policy_free(g->strings, policy);
			return -ENOMEM;
		}
		memmove(ns->policies.v + at + 1, ns->policies.v + at,
			(ns->policies.n - 1 - at) * sizeof(ns->policies.v[0]));
		ns->policies.v[at] = policy;
		g->counts.policies++;
	}
	return policy_changed(g, ns, old, policy);
}

static int remove_policy(struct graph *g, const char *ns_name, const char *name)
{
	struct graph_namespace *ns;
	bool found = false;
	size_t at = 0;

	HASH_FIND_STR(g->namespaces, ns_name, ns);
	if (ns)
		at = policy_place(ns, name, &found);
	if (!found)
		return 0;
	struct network_policy *old = ns->policies.v[at];
	memmove(ns->policies.v + at, ns->policies.v + at + 1,
		(ns->policies.n - 1 - at) * sizeof(ns->policies.v[0]));
	ns->policies.n--;
	g->counts.policies--;
	int rc = policy_changed(g, ns, old, NULL);
	drop_namespace_if_empty(g, ns);
	return rc;
}

/* The API. */

static int put(struct graph *g, struct object object)
{
	switch (object.kind) {
	case KIND_NAMESPACE:
		return put_namespace(g, object.namespace_);
	case KIND_NODE:
		return nodes_put(g, object.node);
	case KIND_POD:
		return profiles_settle(g, put_pod(g, object.pod));
	case KIND_NETWORK_POLICY:
		return put_policy(g, object.policy);
	case KIND_UNENFORCED:
	case KIND_COUNT:
		break;
	}
	return 0;
}

int graph_put(struct graph *g, struct object object)
{
	int rc;

	g->generation++;
	rc = put(g, object);
	return rc == 0 ? budget_settle(g) : rc;
}

static int remove_object(struct graph *g, enum kind kind, const char *ns, const char *name)
{
	switch (kind) {
	case KIND_NAMESPACE:
		return remove_namespace(g, name);
	case KIND_NODE:
		nodes_remove(g, name);
		return 0;
	case KIND_POD:
		return remove_pod(g, ns, name);
	case KIND_NETWORK_POLICY:
		return remove_policy(g, ns, name);
	case KIND_UNENFORCED:
	case KIND_COUNT:
		break;
	}
	return 0;
}

int graph_remove(struct graph *g, enum kind kind, const char *ns, const char *name)
{
	int rc;

	g->generation++;
	rc = remove_object(g, kind, ns, name);
	return rc == 0 ? budget_settle(g) : rc;
}

int graph_sync(struct graph *g)
{
	int rc = 0;

	if (g->synced)
		return 0;
	g->synced = true;
	g->generation++;
	/* All as peers before the first set is filled: each is then filled once. */
	for (struct graph_namespace *ns = g->namespaces; ns; ns = ns->hh.next) {
		for (struct graph_pod *pod = ns->pods; pod; pod = pod->hh.next) {
			if (pod->indexed)
				publish_peer(g, pod, true);
			task_step();
		}
	}
	for (struct graph_namespace *ns = g->namespaces; ns && rc == 0; ns = ns->hh.next) {
		for (struct graph_pod *pod = ns->pods; pod && rc == 0; pod = pod->hh.next) {
			rc = pod->indexed ? publish_endpoint(g, pod) : 0;
			task_yield();
		}
	}
	nodes_tell(g);
	return profiles_settle(g, rc);
}

int graph_profile(struct graph *g, struct graph_pod *pod, enum direction dir,
		  struct profile **ret_profile)
{
	if (pod->is_endpoint) {
		*ret_profile = pod->profiles[dir];
		return 0;
	}
	if (pod->evaluated_at != g->generation) {
		for (int i = 0; i < DIR_COUNT; i++) {
			int rc = profile_get(g, pod, (enum direction)i, &pod->evaluated[i]);
			if (rc < 0)
				return rc;
		}
		pod->evaluated_at = g->generation;
	}
	*ret_profile = pod->evaluated[dir];
	return 0;
}

void graph_forget(struct graph *g)
{
	g->generation++;
	profiles_sweep(g);
}

/* A listener hears nothing of the end: what it made of the graph is its own by now. */
static void hear_nothing_set(void *ctx, struct peer_set *set, bool exists)
{
	(void)ctx;
	(void)set;
	(void)exists;
}

static void hear_nothing_peer(void *ctx, struct peer_set *set, const struct addr *addr,
			      bool present)
{
	(void)ctx;
	(void)set;
	(void)addr;
	(void)present;
}

static void hear_nothing_profile(void *ctx, struct profile *profile, bool exists)
{
	(void)ctx;
	(void)profile;
	(void)exists;
}

static void hear_nothing_profile_open(void *ctx, struct profile *profile, bool open)
{
	(void)ctx;
	(void)profile;
	(void)open;
}

static void hear_nothing_named(void *ctx, struct profile *profile, const struct endpoint_port *port,
			       bool present)
{
	(void)ctx;
	(void)profile;
	(void)port;
	(void)present;
}

static void hear_nothing_endpoint(void *ctx, struct graph_pod *pod, bool exists)
{
	(void)ctx;
	(void)pod;
	(void)exists;
}

static void hear_nothing_node_addr(void *ctx, const struct addr *addr, bool exists)
{
	(void)ctx;
	(void)addr;
	(void)exists;
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	g->listener = (struct graph_listener){
		.peer_set = hear_nothing_set,
		.peer = hear_nothing_peer,
		.profile = hear_nothing_profile,
		.profile_open = hear_nothing_profile_open,
		.named = hear_nothing_named,
		.endpoint = hear_nothing_endpoint,
		.node_addr = hear_nothing_node_addr,
	};
	for (struct graph_namespace *ns = g->namespaces; ns; ns = ns->hh.next) {
		for (struct graph_pod *pod = ns->pods; pod; pod = pod->hh.next)
			unpublish_endpoint(g, pod);
	}
	profiles_sweep(g);
	free_held(g);
	for (struct graph_namespace *ns = g->namespaces, *next; ns; ns = next) {
		next = ns->hh.next;
		for (size_t i = 0; i < ns->policies.n; i++)
			network_policy_free(g->strings, ns->policies.v[i]);
		ns->policies.n = 0;
		namespace_free(g->strings, ns->declared);
		ns->declared = NULL;
		ns->labels.n = 0;
		for (struct graph_pod *pod = ns->pods, *after; pod; pod = after) {
			after = pod->hh.next;
			claims_remove(g, pod);
			unindex_pod(g, pod);
			nodes_remove_pod(g, pod->object);
			HASH_DEL(ns->pods, pod);
			pod_free(g->strings, pod->object);
			free(pod);
		}
		drop_namespace_if_empty(g, ns);
	}
	nodes_free(g);
	observed_free(g);
	intern_put(g->strings, g->ns_name_key);
	intern_put(g->strings, g->node);
	free(g);
}
