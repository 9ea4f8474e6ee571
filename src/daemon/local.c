/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This node's pods: what a source says of them, and what the node has seen of them. The node is
 * first and right about addresses and devices: a CNI plugin has answered before a pod's first
 * container starts, and an API server publishes the address after it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/intern.h"
#include "base/log.h"
#include "base/table.h"
#include "base/task.h"
#include "local.h"

bool local_is_here(const struct daemon *d, const struct pod *pod)
{
	return !d->node || (pod->node && strcmp(pod->node, d->node) == 0);
}

bool local_may_have(const struct daemon *d, const struct pod *pod)
{
	return !pod->node || local_is_here(d, pod);
}

struct local_pod *local_find(const struct daemon *d, const char *ns, const char *name)
{
	char key[OBJECT_NAME_MAX];
	struct local_pod *local;

	(void)snprintf(key, sizeof(key), "%s/%s", ns, name);
	HASH_FIND_STR(d->local, key, local);
	return local;
}

static void local_free(struct daemon *d, struct local_pod *local)
{
	pod_free(d->strings, local->pod);
	free(local->key);
	free(local);
}

static void forget(struct daemon *d, const char *ns, const char *name)
{
	struct local_pod *local = local_find(d, ns, name);

	if (!local)
		return;
	HASH_DEL(d->local, local);
	if (local->is_stale)
		DL_DELETE2(d->stale, local, prev_stale, next_stale);
	local_free(d, local);
}

/* Takes the pod over in any case. */
static int keep(struct daemon *d, struct pod *pod)
{
	struct local_pod *local = local_find(d, pod->ns, pod->name);

	if (local) {
		pod_free(d->strings, local->pod);
		local->pod = pod;
		return 0;
	}
	local = calloc(1, sizeof(*local));
	if (local)
		local->pod = pod;
	if (local && asprintf(&local->key, "%s/%s", pod->ns, pod->name) < 0)
		local->key = NULL;
	if (local && local->key) {
		HASH_ADD_KEYPTR(hh, d->local, local->key, strlen(local->key), local);
		if (table_added(local))
			return 0;
	}
	if (local)
		local_free(d, local);
	else
		pod_free(d->strings, pod);
	return -ENOMEM;
}

static bool is_pods(const struct attachment *attachment, const struct pod *pod)
{
	const char *uid = attachment->uid;

	return strcmp(attachment->ns, pod->ns) == 0 && strcmp(attachment->name, pod->name) == 0 &&
	       (!uid[0] || !pod->uid || strcmp(uid, pod->uid) == 0);
}

/* A device that a CNI result says is a pod's. */
static const struct attachment *find_device(const struct daemon *d, const char *ifname)
{
	size_t n = 0;
	const struct attachment *all = attach_all(d->attach, &n);

	for (size_t i = 0; i < n && all[i].name[0]; i++) {
		if (ifname[0] && strcmp(all[i].ifname, ifname) == 0)
			return &all[i];
	}
	return NULL;
}

static const struct attachment *find_attachment(const struct daemon *d, const struct pod *pod)
{
	const struct attachment *found =
		attach_by_pod(d->attach, pod->ns, pod->name, pod->uid ? pod->uid : "");

	for (size_t i = 0; i < pod->n_addrs && !found; i++)
		found = attach_by_addr(d->attach, &pod->addrs[i]);
	/* Another pod's: the address was given on, and this one's end has not been told yet; or it
	 * never was this one's. */
	if (found && found->name[0])
		return is_pods(found, pod) ? found : NULL;
	return found && find_device(d, found->ifname) ? NULL : found;
}

static bool has_addr(const struct attachment *attachment, const struct addr *addr)
{
	for (size_t i = 0; i < attachment->n_addrs; i++) {
		if (addr_compare(&attachment->addrs[i], addr) == 0)
			return true;
	}
	return false;
}

/* Which addresses of the object does the node have at a device of a pod? Where it has results, it
 * has an address that is at none nowhere; but for a node whose name is not known, to which pods of
 * other nodes are local as well. */
static void look_for_addrs(const struct daemon *d, const struct attachment *attachment,
			   const struct pod *pod, uint8_t *ret_seen, uint8_t *ret_unseen)
{
	*ret_seen = *ret_unseen = 0;
	for (size_t i = 0; i < pod->n_addrs; i++) {
		const struct addr *addr = &pod->addrs[i];
		bool own = attachment && attachment->name[0] && has_addr(attachment, addr);

		if (own || attach_leads_to_pods(d->attach, addr))
			*ret_seen |= (uint8_t)(1u << addr->family);
		else if (d->node && attach_has_results(d->attach))
			*ret_unseen |= (uint8_t)(1u << addr->family);
	}
}

/* An address that is nowhere on this node is anybody's but a pod's of this node: an outside host's,
 * another node's pod's. Dispatched, it would cut all pods from it, or open them to it. */
static void drop_unseen(struct pod *pod, uint8_t unseen)
{
	uint8_t kept = 0;

	for (uint8_t i = 0; i < pod->n_addrs; i++) {
		if (!(unseen & (1u << pod->addrs[i].family)))
			pod->addrs[kept++] = pod->addrs[i];
	}
	pod->n_addrs = kept;
}

/* A pod has one address of each family, as Kubernetes has it: the first. */
static void take_addresses(struct pod *pod, const struct attachment *attachment)
{
	pod->n_addrs = 0;
	for (size_t i = 0; i < attachment->n_addrs; i++) {
		if (!pod_addr(pod, (enum family)attachment->addrs[i].family))
			pod->addrs[pod->n_addrs++] = attachment->addrs[i];
	}
}

/* What was seen goes before what an annotation says: dispatch by a device that is not the pod's
 * would leave the pod open, and the other pod whose it is. */
static int apply_device(struct daemon *d, struct pod *pod, const struct attachment *attachment)
{
	const struct attachment *others = pod->interface ? find_device(d, pod->interface) : NULL;

	if (others && others != attachment) {
		intern_put(d->strings, pod->interface);
		pod->interface = NULL;
	}
	if (!attachment ||
	    (attachment->kind != ATTACH_ROUTED && attachment->kind != ATTACH_BRIDGED))
		return 0;
	pod->observed |= OBSERVED_DEVICE;
	intern_put(d->strings, pod->interface);
	pod->interface = intern_get(d->strings, attachment->ifname);
	pod->bridged = attachment->kind == ATTACH_BRIDGED;
	pod->ifindex = attachment->index;
	intern_put(d->strings, pod->bridge);
	pod->bridge = pod->bridged ? intern_get(d->strings, attachment->master) : NULL;
	if (pod->bridged && !pod->bridge)
		return -ENOMEM;
	if (attachment->has_mac)
		memcpy(pod->mac, attachment->mac, sizeof(pod->mac));
	return pod->interface ? 0 : -ENOMEM;
}

/* To the pod of an object, what the node has seen of it. 0 or -ENOMEM. */
static int apply_observed(struct daemon *d, struct local_pod *local, struct pod *pod)
{
	const struct attachment *attachment = find_attachment(d, pod);

	look_for_addrs(d, attachment, pod, &local->seen, &local->unseen);
	pod->observed = local->seen;
	/* One that is known by its address alone has only that one. */
	if (attachment && attachment->name[0] && attachment->n_addrs > 0) {
		take_addresses(pod, attachment);
		pod->observed = (1u << FAMILY_COUNT) - 1;
	} else {
		drop_unseen(pod, local->unseen);
	}
	return apply_device(d, pod, attachment);
}

/* The pod as policy sees it, into the graph. */
static int publish(struct daemon *d, struct local_pod *local)
{
	struct pod *pod = pod_copy(d->strings, local->pod);
	int rc = 0;

	if (!pod)
		return -ENOMEM;
	if (d->attach && graph_pod_is_peer(pod))
		rc = apply_observed(d, local, pod);
	if (rc == 0)
		return graph_put(d->graph, (struct object){.kind = KIND_POD, .pod = pod});
	pod_free(d->strings, pod);
	return rc;
}

/* Whose the address is, by what the node has seen. What only a neighbour entry says a pod can have
 * made up: it is no word against what objects say. As graph_observe(). */
static int observe(struct daemon *d, const struct addr *addr)
{
	const struct attachment *attachment = attach_by_addr(d->attach, addr);
	struct observed_pod pod = {0};

	if (!attachment || (!attachment->name[0] && !attachment->routed_to))
		return graph_observe(d->graph, addr, NULL);
	if (attachment->name[0])
		pod = (struct observed_pod){attachment->ns, attachment->name, attachment->uid};
	return graph_observe(d->graph, addr, &pod);
}

static int observe_all(struct daemon *d)
{
	size_t n = 0;
	const struct attachment *all = attach_all(d->attach, &n);
	int rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++) {
		for (size_t k = 0; k < all[i].n_addrs && rc >= 0; k++)
			rc = observe(d, &all[i].addrs[k]);
	}
	return rc < 0 ? rc : 0;
}

int local_put(struct daemon *d, struct object object)
{
	const char *ns, *name;
	int rc;

	d->nodes_changed |= object.kind == KIND_NODE;
	if (object.kind != KIND_POD)
		return graph_put(d->graph, object);
	if (!local_is_here(d, object.pod)) {
		forget(d, object.pod->ns, object.pod->name); /* it was, before it had a node */
		return graph_put(d->graph, object);
	}
	ns = object.pod->ns;
	name = object.pod->name;
	rc = keep(d, object.pod);
	return rc == 0 ? publish(d, local_find(d, ns, name)) : rc;
}

int local_remove(struct daemon *d, struct object object)
{
	const char *ns = object_ns(&object), *name = object_own_name(&object);
	int rc;

	d->nodes_changed |= object.kind == KIND_NODE;
	if (object.kind == KIND_POD)
		forget(d, ns, name);
	rc = graph_remove(d->graph, object.kind, ns, name);
	object_free(d->strings, object);
	return rc;
}

size_t local_with_device(const struct daemon *d)
{
	size_t n = 0;

	for (const struct local_pod *local = d->local; local; local = local->hh.next) {
		const struct graph_pod *pod =
			graph_find_pod(d->graph, local->pod->ns, local->pod->name);

		n += pod && pod->is_endpoint && graph_pod_device(pod);
	}
	return n;
}

static int publish_stale(struct daemon *d)
{
	int rc = 0;

	while (d->stale && rc == 0) {
		struct local_pod *local = d->stale;

		DL_DELETE2(d->stale, local, prev_stale, next_stale);
		local->is_stale = false;
		change_begin(d);
		rc = publish(d, local);
		change_end(d);
		task_yield();
	}
	return rc;
}

static int observe_stale(struct daemon *d)
{
	int rc = 0;

	while (d->stale_addrs.n > 0 && rc >= 0) {
		struct addr addr = d->stale_addrs.v[d->stale_addrs.n - 1];

		d->stale_addrs.n--;
		change_begin(d);
		rc = observe(d, &addr);
		change_end(d);
		task_yield();
	}
	return rc < 0 ? rc : 0;
}

static void publish_all_stale(struct daemon *d)
{
	bool pods = d->stale != NULL;

	if (observe_stale(d) < 0 || publish_stale(d) < 0)
		daemon_give_up(d);
	d->arrived_us = d->stale_us;
	reconcile_urgent(d);
	if (pods)
		look_soon(d); /* the first pod on a bridge makes that bridge matter */
}

/* All that one reading of the node's sockets brings is published together. */
static void mark_stale(struct daemon *d, struct local_pod *local)
{
	if (local->is_stale)
		return;
	if (!d->stale && d->stale_addrs.n == 0)
		d->stale_us = d->arrived_us;
	local->is_stale = true;
	DL_APPEND2(d->stale, local, prev_stale, next_stale);
}

/* What the node has seen of a pod has changed. */
static void on_pod(void *ctx, const char *ns, const char *name)
{
	struct daemon *d = ctx;
	struct local_pod *local = local_find(d, ns, name);

	if (local)
		mark_stale(d, local);
	else if (d->settings->drop_unknown_pods || d->broken_here > 0)
		reconcile_urgent(d);
}

static void on_addr(void *ctx, const struct addr *addr)
{
	struct daemon *d = ctx;

	if (!d->stale && d->stale_addrs.n == 0)
		d->stale_us = d->arrived_us;
	if (vec_push(&d->stale_addrs, *addr) < 0)
		daemon_give_up(d);
	for (struct local_pod *local = d->local; local; local = local->hh.next) {
		const struct addr *own = pod_addr(local->pod, (enum family)addr->family);

		if (own && addr_compare(own, addr) == 0)
			mark_stale(d, local);
	}
}

/* What the node has seen of addresses that no attachment has: routes and subnets of bridges, and
 * whether there are results at all. */
static void look_again_for_addrs(struct daemon *d)
{
	for (struct local_pod *local = d->local; local; local = local->hh.next) {
		uint8_t seen, unseen;

		if (!graph_pod_is_peer(local->pod))
			continue;
		look_for_addrs(d, find_attachment(d, local->pod), local->pod, &seen, &unseen);
		if (seen != local->seen || unseen != local->unseen)
			mark_stale(d, local);
	}
}

static void run_attach(struct daemon *d, struct job *job)
{
	uint64_t before = attach_generation(d->attach);
	int rc, wait_ms;

	(void)job;
	d->arrived_us = d->attach_us;
	rc = attach_read(d->attach);
	if (rc < 0)
		log_warning("node",
			    "cannot follow this host's interfaces: %s: keeping what is known",
			    strerror(-rc));
	if (attach_generation(d->attach) != before) {
		if (host_update(d) < 0)
			daemon_give_up(d);
		look_again_for_addrs(d);
		interfaces_check(d); /* a further network of a pod is no news of its own */
		look_soon(d);        /* nor is a bridge that netfilter no longer sees */
	}
	if (d->stale || d->stale_addrs.n > 0)
		publish_all_stale(d);
	wait_ms = attach_wait_ms(d->attach);
	if (wait_ms >= 0)
		arm(d->attach_due, wait_ms);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)fd;
	(void)what;
	if (!d->attach_job.waiting)
		d->attach_us = clock_monotonic_us();
	work_add(d, &d->attach_job);
}

int local_start(struct daemon *d)
{
	struct attach_listener listener = {.ctx = d, .pod = on_pod, .addr = on_addr};
	struct err err = {0};
	int fds[ATTACH_FDS];
	int rc = attach_open(d->settings->cni_results, d->settings->cni_plugin_results, &listener,
			     &d->attach, &err);

	if (rc < 0) {
		log_err("node", "%s", rc == -ENOMEM ? "out of memory" : err.text);
		return rc;
	}
	d->attach_job.run = run_attach;
	attach_fds(d->attach, fds);
	for (size_t i = 0; i < ATTACH_FDS; i++) {
		d->attach_readable[i] =
			event_new(d->base, fds[i], EV_READ | EV_PERSIST, on_readable, d);
		if (!d->attach_readable[i] || event_add(d->attach_readable[i], NULL) < 0)
			return -ENOMEM;
	}
	rc = observe_all(d);
	if (rc == 0)
		rc = host_update(d);
	if (rc < 0)
		return rc;
	d->attach_due = evtimer_new(d->base, on_readable, d);
	return d->attach_due ? look_start(d) : -ENOMEM;
}

void local_stop(struct daemon *d)
{
	struct local_pod *local, *next;

	for (size_t i = 0; i < ATTACH_FDS; i++) {
		if (d->attach_readable[i])
			event_free(d->attach_readable[i]);
	}
	if (d->attach_due)
		event_free(d->attach_due);
	look_stop(d);
	attach_close(d->attach);
	vec_free(&d->stale_addrs);
	HASH_ITER (hh, d->local, local, next) {
		HASH_DEL(d->local, local);
		local_free(d, local);
	}
}
