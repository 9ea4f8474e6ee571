/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pods come, change and go; and with them who owns an address. */
#include <stdlib.h>
#include <string.h>

#include "claims.h"
#include "internal.h"
#include "nodes.h"

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

/* A CNI result is one pod's of a name, not the next one's. */
static bool same_uid(const struct pod *a, const struct pod *b)
{
	return a->uid && b->uid ? strcmp(a->uid, b->uid) == 0 : a->uid == b->uid;
}

static bool same_device(const struct pod *a, const struct pod *b)
{
	return a->interface == b->interface && a->bridged == b->bridged && a->bridge == b->bridge &&
	       a->observed == b->observed && a->ifindex == b->ifindex &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}

/* In all that policy sees: most of a pod's updates are about other things. */
static bool same_pod(const struct pod *a, const struct pod *b)
{
	return a->node == b->node && same_uid(a, b) && same_device(a, b) &&
	       a->created == b->created && a->phase == b->phase &&
	       a->host_network == b->host_network && a->terminating == b->terminating &&
	       same_labels(&a->labels, &b->labels) && same_ports(a, b) &&
	       same_addrs(a->addrs, a->n_addrs, b->addrs, b->n_addrs) &&
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
			note_count(g, g->counts.pods - 1, g->counts.pods);
			note_count(g, HASH_COUNT(ns->pods) - 1, HASH_COUNT(ns->pods));
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

int put_pod(struct graph *g, struct pod *object)
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
	note_count(g, g->counts.pods + 1, g->counts.pods);
	note_count(g, HASH_COUNT(ns->pods) + 1, HASH_COUNT(ns->pods));
	drop_namespace_if_empty(g, ns);
}

int remove_pod(struct graph *g, const char *ns, const char *name)
{
	struct graph_pod *pod = graph_find_pod(g, ns, name);
	int rc;

	if (!pod)
		return 0;
	rc = profiles_settle(g, withdraw_pod(g, pod));
	free_pod_entry(g, pod);
	return rc;
}
