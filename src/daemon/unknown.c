/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pods that the node has and nobody knows, or understands: closed, where that is asked for, or
 * where what is not understood might close them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "local.h"

struct unknown_pods {
	struct render_unknown *v;
	size_t n, cap;
};

/* A pod here that the API server has and we cannot understand, by what can be read of it. */
static bool is_closed(const struct daemon *d, const struct broken *broken)
{
	return broken->pod && local_is_here(d, broken->pod) && !broken->pod->host_network &&
	       !pod_finished(broken->pod);
}

static bool has_addr(const struct attachment *attachment, const struct addr *addr)
{
	for (size_t i = 0; i < attachment->n_addrs; i++) {
		if (addr_compare(&attachment->addrs[i], addr) == 0)
			return true;
	}
	return false;
}

/* Is it such a pod's? By name, else by address. */
static bool is_broken(const struct daemon *d, const struct attachment *attachment)
{
	char key[OBJECT_NAME_MAX + 8];
	const struct broken *broken;

	(void)snprintf(key, sizeof(key), "Pod %s/%s", attachment->ns, attachment->name);
	HASH_FIND_STR(d->broken, key, broken);
	if (broken || attachment->name[0])
		return broken;
	for (broken = d->broken; broken; broken = broken->hh.next) {
		for (size_t i = 0; is_closed(d, broken) && i < broken->pod->n_addrs; i++) {
			if (has_addr(attachment, &broken->pod->addrs[i]))
				return true;
		}
	}
	return false;
}

/* A pod's attachment that no source knows. One that is known by its address alone may be anyone's:
 * a pod here that has the address knows it. */
static bool is_unknown(const struct daemon *d, const struct attachment *attachment)
{
	if (attachment->name[0])
		return !local_find(d, attachment->ns, attachment->name);
	for (size_t i = 0; i < attachment->n_addrs; i++) {
		const struct graph_pod *owner = graph_addr_owner(d->graph, &attachment->addrs[i]);

		if (owner && owner->is_endpoint)
			return false;
	}
	return true;
}

/* A neighbour entry alone says nothing: a pod could make one up for an outside host, and cut all
 * pods from it. */
static bool may_close(const struct daemon *d, const struct attachment *attachment,
		      const struct addr *addr)
{
	return attachment->name[0] || attach_leads_to_pods(d->attach, addr);
}

static int add_unknown(const struct daemon *d, struct unknown_pods *list,
		       const struct attachment *attachment)
{
	struct render_unknown one = {0};
	int rc = 0;

	(void)snprintf(one.comment, sizeof(one.comment), "%.*s%s%.*s", (int)sizeof(one.comment) / 3,
		       attachment->ns, attachment->name[0] ? "/" : "", (int)sizeof(one.comment) / 3,
		       attachment->name);
	if (attachment->kind == ATTACH_ROUTED) {
		memcpy(one.interface, attachment->ifname, sizeof(one.interface));
		return vec_push(list, one);
	}
	if (attachment->kind == ATTACH_BRIDGED)
		one.port = attachment->index;
	for (size_t i = 0; i < attachment->n_addrs && rc == 0; i++) {
		one.addr = attachment->addrs[i];
		if (may_close(d, attachment, &one.addr))
			rc = vec_push(list, one);
	}
	return rc;
}

/* Such pods' addresses that no attachment has. One that is nowhere on this node is no pod's of it,
 * where there are results: see local.c. */
static bool is_unseen(const struct daemon *d, const struct addr *addr)
{
	return !attach_by_addr(d->attach, addr) &&
	       (attach_leads_to_pods(d->attach, addr) || !attach_has_results(d->attach));
}

static int add_unseen(const struct daemon *d, struct unknown_pods *list)
{
	int rc = 0;

	for (const struct broken *broken = d->broken; broken; broken = broken->hh.next) {
		for (size_t i = 0; is_closed(d, broken) && i < broken->pod->n_addrs; i++) {
			struct render_unknown one = {.addr = broken->pod->addrs[i]};

			(void)snprintf(one.comment, sizeof(one.comment), "%.*s/%.*s",
				       (int)sizeof(one.comment) / 3, broken->pod->ns,
				       (int)sizeof(one.comment) / 3, broken->pod->name);
			if (is_unseen(d, &one.addr))
				rc = vec_push(list, one);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int unknown_close(struct daemon *d)
{
	struct unknown_pods list = {0};
	const struct attachment *all;
	size_t n = 0;
	int rc = 0;

	if (!d->settings->drop_unknown_pods && d->broken_here == 0 && d->unknown == 0)
		return 0;
	all = attach_all(d->attach, &n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		bool closed = d->settings->drop_unknown_pods ? is_unknown(d, &all[i])
							     : is_broken(d, &all[i]);

		if (closed)
			rc = add_unknown(d, &list, &all[i]);
	}
	if (rc == 0)
		rc = add_unseen(d, &list);
	if (rc == 0)
		rc = render_unknown(d->render, list.v, list.n);
	d->unknown = list.n;
	vec_free(&list);
	return rc;
}
