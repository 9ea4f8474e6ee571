/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This node's pods: what a source says of them, and what the node has seen of them. The node is
 * first and right about addresses and devices: a CNI plugin has answered before a pod's first
 * container starts, and an API server publishes the address after it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/log.h"
#include "base/table.h"
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

static const struct attachment *find_attachment(const struct daemon *d, const struct pod *pod)
{
	const struct attachment *found =
		attach_by_pod(d->attach, pod->ns, pod->name, pod->uid ? pod->uid : "");

	for (size_t i = 0; i < pod->n_addrs && !found; i++)
		found = attach_by_addr(d->attach, &pod->addrs[i]);
	/* Another pod's: the address was given on, and this one's end has not been told yet. */
	if (found && found->name[0] &&
	    (strcmp(found->ns, pod->ns) != 0 || strcmp(found->name, pod->name) != 0))
		return NULL;
	return found;
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
 * would leave the pod open. */
static int take_device(struct daemon *d, struct pod *pod, const struct attachment *attachment)
{
	if (attachment->kind != ATTACH_ROUTED && attachment->kind != ATTACH_BRIDGED)
		return 0;
	intern_put(d->strings, pod->interface);
	pod->interface = intern_get(d->strings, attachment->ifname);
	pod->bridged = attachment->kind == ATTACH_BRIDGED;
	if (attachment->has_mac)
		memcpy(pod->mac, attachment->mac, sizeof(pod->mac));
	return pod->interface ? 0 : -ENOMEM;
}

/* The pod as policy sees it, into the graph. */
static int publish(struct daemon *d, const struct pod *as_told)
{
	struct pod *pod = pod_copy(d->strings, as_told);
	const struct attachment *attachment = NULL;
	int rc = 0;

	if (!pod)
		return -ENOMEM;
	if (d->attach && !pod->host_network && !pod_finished(pod))
		attachment = find_attachment(d, pod);
	/* One that is known by its address alone has only that one. */
	if (attachment && attachment->name[0] && attachment->n_addrs > 0)
		take_addresses(pod, attachment);
	if (attachment)
		rc = take_device(d, pod, attachment);
	if (rc == 0)
		return graph_put(d->graph, (struct object){.kind = KIND_POD, .pod = pod});
	pod_free(d->strings, pod);
	return rc;
}

int local_put(struct daemon *d, struct object object)
{
	int rc;

	d->nodes_changed |= object.kind == KIND_NODE;
	if (object.kind != KIND_POD)
		return graph_put(d->graph, object);
	if (!local_is_here(d, object.pod)) {
		forget(d, object.pod->ns, object.pod->name); /* it was, before it had a node */
		return graph_put(d->graph, object);
	}
	rc = keep(d, object.pod);
	return rc == 0 ? publish(d, object.pod) : rc;
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

static void publish_again(struct daemon *d, const struct local_pod *local)
{
	if (publish(d, local->pod) < 0)
		daemon_give_up(d);
	reconcile_urgent(d);
	look_soon(d); /* the first pod on a bridge makes that bridge matter */
}

/* What the node has seen of a pod has changed. */
static void on_pod(void *ctx, const char *ns, const char *name)
{
	struct daemon *d = ctx;
	const struct local_pod *local = local_find(d, ns, name);

	if (local)
		publish_again(d, local);
	else if (d->settings->drop_unknown_pods || d->broken_here > 0)
		reconcile_urgent(d);
}

static void on_addr(void *ctx, const struct addr *addr)
{
	struct daemon *d = ctx;

	for (struct local_pod *local = d->local; local; local = local->hh.next) {
		const struct addr *own = pod_addr(local->pod, (enum family)addr->family);

		if (own && addr_compare(own, addr) == 0)
			publish_again(d, local);
	}
	if (d->settings->drop_unknown_pods || d->broken_here > 0)
		reconcile_urgent(d);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	int rc, wait_ms;

	(void)fd;
	(void)what;
	d->arrived_us = monotonic_us();
	rc = attach_read(d->attach);
	if (rc < 0)
		log_warning("node",
			    "cannot follow this host's interfaces: %s: keeping what is known",
			    strerror(-rc));
	wait_ms = attach_wait_ms(d->attach);
	if (wait_ms >= 0)
		arm(d->attach_due, wait_ms);
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
	attach_fds(d->attach, fds);
	for (size_t i = 0; i < ATTACH_FDS; i++) {
		d->attach_readable[i] =
			event_new(d->base, fds[i], EV_READ | EV_PERSIST, on_readable, d);
		if (!d->attach_readable[i] || event_add(d->attach_readable[i], NULL) < 0)
			return -ENOMEM;
	}
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
	HASH_ITER (hh, d->local, local, next) {
		HASH_DEL(d->local, local);
		local_free(d, local);
	}
}
