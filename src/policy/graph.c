/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events in. Every change to a pod is: unpublish, change, publish; and the same for the pods whose
 * ownership of an address it moves. */
#include "policy/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
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

/* Endpoints: what of a pod is in the kernel. */

static bool should_be_endpoint(const struct graph *g, const struct graph_pod *pod)
{
	if (!g->listening || !g->synced || !graph_pod_is_peer(pod->object) ||
	    !is_local(g, pod->object))
		return false;
	return graph_pod_interface(pod) || graph_pod_owns(pod, FAMILY_V4) ||
	       graph_pod_owns(pod, FAMILY_V6);
}

static void unpublish_endpoint(struct graph *g, struct graph_pod *pod)
{
	if (!pod->is_endpoint)
		return;
	g->listener.endpoint(g->listener.ctx, pod, false);
	g->counts.endpoints--;
	pod->is_endpoint = false;
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		if (!pod->profiles[dir])
			continue;
		profile_deactivate(g, pod->profiles[dir]);
		pod->profiles[dir] = NULL;
		g->counts.isolated[dir]--;
	}
}

static int publish_endpoint(struct graph *g, struct graph_pod *pod)
{
	if (!should_be_endpoint(g, pod))
		return 0;
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		struct profile *profile;
		int rc = profile_get(g, pod, (enum direction)dir, &profile);

		if (rc == 0 && profile)
			rc = profile_activate(g, profile);
		if (rc < 0)
			return rc;
		pod->profiles[dir] = profile;
		g->counts.isolated[dir] += profile != NULL;
	}
	pod->is_endpoint = true;
	g->counts.endpoints++;
	g->listener.endpoint(g->listener.ctx, pod, true);
	return 0;
}

static void unpublish(struct graph *g, struct graph_pod *pod)
{
	if (!g->synced || !pod->indexed)
		return;
	unpublish_endpoint(g, pod);
	publish_peer(g, pod, false);
}

/* As a peer first: a set that the endpoint brings to life then finds the pod published. */
static int publish(struct graph *g, struct graph_pod *pod)
{
	if (!g->synced || !pod->indexed)
		return 0;
	publish_peer(g, pod, true);
	return publish_endpoint(g, pod);
}

/* Namespaces exist while they are declared, or anything is in them. */

static int name_label(struct graph *g, struct graph_namespace *ns)
{
	ns->labels.v = calloc(1, sizeof(ns->labels.v[0]));
	if (!ns->labels.v)
		return -ENOMEM;
	ns->labels.v[0] = (struct label){g->ns_name_key, ns->name};
	ns->labels.n = 1;
	return 0;
}

static struct graph_namespace *get_namespace(struct graph *g, const char *name)
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

static void drop_namespace_if_empty(struct graph *g, struct graph_namespace *ns)
{
	if (ns->declared || ns->pods || ns->policies.n > 0)
		return;
	HASH_DEL(g->namespaces, ns);
	free(ns->labels.v);
	vec_free(&ns->policies);
	intern_put(g->strings, ns->name);
	free(ns);
	g->counts.namespaces--;
}

static bool same_labels(const struct labels *a, const struct labels *b)
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
	for (pod = ns->pods; pod; pod = pod->hh.next)
		unpublish(g, pod);
	for (pod = ns->pods; pod; pod = pod->hh.next) {
		/* Who is no peer stays out of the index. */
		pod->was_indexed = pod->indexed;
		unindex_pod(g, pod);
	}
	free(ns->labels.v);
	ns->labels = labels;
	for (pod = ns->pods; pod && rc == 0; pod = pod->hh.next)
		rc = pod->was_indexed ? index_pod(g, pod) : 0;
	for (pod = ns->pods; pod && rc == 0; pod = pod->hh.next)
		rc = publish(g, pod);
	return rc;
}

static int put_namespace(struct graph *g, struct namespace_ *object)
{
	struct graph_namespace *ns = get_namespace(g, object->name);
	struct labels labels = {.n = object->labels.n};
	int rc = -ENOMEM;

	if (ns)
		labels.v = malloc((labels.n + 1) * sizeof(labels.v[0]));
	if (labels.v) {
		memcpy(labels.v, object->labels.v, labels.n * sizeof(labels.v[0]));
		rc = relabel_namespace(g, ns, labels);
		profiles_sweep(g);
	}
	if (!labels.v) {
		namespace_free(g->strings, object);
		return rc;
	}
	namespace_free(g->strings, ns->declared); /* nobody points into it any more */
	ns->declared = object;
	return rc;
}

static int remove_namespace(struct graph *g, const char *name)
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
	int rc = relabel_namespace(g, ns, labels);
	profiles_sweep(g);
	namespace_free(g->strings, ns->declared);
	ns->declared = NULL;
	drop_namespace_if_empty(g, ns);
	return rc;
}

/* Pods. */

/* Rivals step back while ownership moves, and come again as what they are then. */
static int with_rivals(struct graph *g, struct graph_pod *pod,
		       int (*change)(struct graph *, struct graph_pod *))
{
	struct graph_pod *rivals[CLAIMS_MAX];
	size_t n = claims_rivals(g, pod, rivals);
	int rc;

	for (size_t i = 0; i < n; i++)
		unpublish(g, rivals[i]);
	rc = change(g, pod);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = publish(g, rivals[i]);
	return rc;
}

static int drop_claims(struct graph *g, struct graph_pod *pod)
{
	claims_remove(g, pod);
	return 0;
}

/* Takes the pod's object out of everything but its namespace's table. */
static int withdraw_pod(struct graph *g, struct graph_pod *pod)
{
	int rc;

	unpublish(g, pod);
	rc = with_rivals(g, pod, drop_claims);
	unindex_pod(g, pod);
	nodes_remove_pod(g, pod->object);
	return rc;
}

static int enter_pod(struct graph *g, struct graph_pod *pod)
{
	int rc = nodes_add_pod(g, pod->object);

	if (rc < 0 || !graph_pod_is_peer(pod->object))
		return rc;
	rc = index_pod(g, pod);
	if (rc == 0)
		rc = with_rivals(g, pod, claims_add);
	return rc == 0 ? publish(g, pod) : rc;
}

static bool same_addrs(const struct addr *a, size_t n_a, const struct addr *b, size_t n_b)
{
	return n_a == n_b && memcmp(a, b, n_a * sizeof(a[0])) == 0;
}

static bool same_ports(const struct pod *a, const struct pod *b)
{
	if (a->n_ports != b->n_ports)
		return false;
	for (size_t i = 0; i < a->n_ports; i++) {
		if (a->ports[i].name != b->ports[i].name ||
		    a->ports[i].number != b->ports[i].number ||
		    a->ports[i].proto != b->ports[i].proto)
			return false;
	}
	return true;
}

/* In all that policy sees: most of a pod's updates are about other things. */
static bool same_pod(const struct pod *a, const struct pod *b)
{
	return a->node == b->node && a->interface == b->interface && a->created == b->created &&
	       a->phase == b->phase && a->host_network == b->host_network &&
	       a->terminating == b->terminating && same_labels(&a->labels, &b->labels) &&
	       same_ports(a, b) && same_addrs(a->addrs, a->n_addrs, b->addrs, b->n_addrs) &&
	       same_addrs(a->host_addrs, a->n_host_addrs, b->host_addrs, b->n_host_addrs);
}

static struct graph_pod *add_pod_entry(struct graph *g, struct pod *object)
{
	struct graph_namespace *ns = get_namespace(g, object->ns);
	struct graph_pod *pod = ns ? calloc(1, sizeof(*pod)) : NULL;

	if (pod) {
		pod->ns = ns;
		pod->object = object;
		HASH_ADD_KEYPTR(hh, ns->pods, object->name, strlen(object->name), pod);
		if (table_added(pod)) {
			g->counts.pods++;
			return pod;
		}
		free(pod);
	}
	if (ns)
		drop_namespace_if_empty(g, ns);
	pod_free(g->strings, object);
	return NULL;
}

/* The table's key is the object's name: it must be moved with the object. */
static int exchange_object(struct graph *g, struct graph_pod *pod, struct pod *object)
{
	HASH_DEL(pod->ns->pods, pod);
	pod_free(g->strings, pod->object);
	pod->object = object;
	HASH_ADD_KEYPTR(hh, pod->ns->pods, object->name, strlen(object->name), pod);
	return table_added(pod) ? 0 : -ENOMEM;
}

static int put_pod(struct graph *g, struct pod *object)
{
	struct graph_pod *pod = graph_find_pod(g, object->ns, object->name);
	int rc;

	if (!pod) {
		pod = add_pod_entry(g, object);
		return pod ? enter_pod(g, pod) : -ENOMEM;
	}
	if (same_pod(pod->object, object)) {
		/* Labels and ports are interned the same: what points to the old strings still
		 * holds, as the new object has its own references to them. */
		return exchange_object(g, pod, object);
	}
	rc = withdraw_pod(g, pod);
	if (rc < 0) {
		pod_free(g->strings, object);
		return rc;
	}
	rc = exchange_object(g, pod, object);
	return rc == 0 ? enter_pod(g, pod) : rc;
}

static void free_pod_entry(struct graph *g, struct graph_pod *pod)
{
	struct graph_namespace *ns = pod->ns;

	HASH_DEL(ns->pods, pod);
	pod_free(g->strings, pod->object);
	vec_free(&pod->memberships);
	free(pod);
	g->counts.pods--;
	drop_namespace_if_empty(g, ns);
}

static int remove_pod(struct graph *g, const char *ns, const char *name)
{
	struct graph_pod *pod = graph_find_pod(g, ns, name);
	int rc;

	if (!pod)
		return 0;
	rc = withdraw_pod(g, pod);
	profiles_sweep(g);
	free_pod_entry(g, pod);
	return rc;
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
	}
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
	int rc = refresh_selected(g, ns, old, policy);
	profiles_sweep(g); /* profiles point into the old one */
	network_policy_free(g->strings, old);
	return rc;
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
	int rc = refresh_selected(g, ns, old, NULL);
	profiles_sweep(g);
	network_policy_free(g->strings, old);
	drop_namespace_if_empty(g, ns);
	return rc;
}

/* The API. */

int graph_put(struct graph *g, struct object object)
{
	int rc = 0;

	g->generation++;
	switch (object.kind) {
	case KIND_NAMESPACE:
		return put_namespace(g, object.namespace_);
	case KIND_NODE:
		return nodes_put(g, object.node);
	case KIND_POD:
		rc = put_pod(g, object.pod);
		profiles_sweep(g);
		return rc;
	case KIND_NETWORK_POLICY:
		return put_policy(g, object.policy);
	case KIND_COUNT:
		break;
	}
	return rc;
}

int graph_remove(struct graph *g, enum kind kind, const char *ns, const char *name)
{
	g->generation++;
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
	case KIND_COUNT:
		break;
	}
	return 0;
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
		}
	}
	for (struct graph_namespace *ns = g->namespaces; ns && rc == 0; ns = ns->hh.next) {
		for (struct graph_pod *pod = ns->pods; pod && rc == 0; pod = pod->hh.next)
			rc = pod->indexed ? publish_endpoint(g, pod) : 0;
	}
	profiles_sweep(g);
	return rc;
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

void graph_free(struct graph *g)
{
	if (!g)
		return;
	g->listener = (struct graph_listener){
		.peer_set = hear_nothing_set,
		.peer = hear_nothing_peer,
		.profile = hear_nothing_profile,
		.named = hear_nothing_named,
		.endpoint = hear_nothing_endpoint,
	};
	for (struct graph_namespace *ns = g->namespaces; ns; ns = ns->hh.next) {
		for (struct graph_pod *pod = ns->pods; pod; pod = pod->hh.next)
			unpublish_endpoint(g, pod);
	}
	profiles_sweep(g);
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
	intern_put(g->strings, g->ns_name_key);
	intern_put(g->strings, g->node);
	free(g);
}
