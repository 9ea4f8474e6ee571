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
#include "internal.h"

/* After a pod's device has been found: how long until the host is looked at again. Who asks for
 * numbers gets none older: anybody may ask, all the time. */
#define LOOK_MS 1000

/* A pod as its source has it. */
struct local_pod {
	char *key; /* namespace/name */
	struct pod *pod;
	bool told_closed[DIR_COUNT]; /* that its policies are too complicated */
	UT_hash_handle hh;
};

struct unknown_pods {
	struct render_unknown *v;
	size_t n, cap;
};

static bool is_local(const struct daemon *d, const struct pod *pod)
{
	return !d->node || (pod->node && strcmp(pod->node, d->node) == 0);
}

bool local_may_have(const struct daemon *d, const struct pod *pod)
{
	return !pod->node || is_local(d, pod);
}

static struct local_pod *find(const struct daemon *d, const char *ns, const char *name)
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
	struct local_pod *local = find(d, ns, name);

	if (!local)
		return;
	HASH_DEL(d->local, local);
	local_free(d, local);
}

/* Takes the pod over in any case. */
static int keep(struct daemon *d, struct pod *pod)
{
	struct local_pod *local = find(d, pod->ns, pod->name);

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

	if (object.kind != KIND_POD)
		return graph_put(d->graph, object);
	if (!is_local(d, object.pod)) {
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

	if (object.kind == KIND_POD)
		forget(d, ns, name);
	rc = graph_remove(d->graph, object.kind, ns, name);
	object_free(d->strings, object);
	return rc;
}

/* A pod here that the API server has and we cannot understand, by what can be read of it. */
static bool is_closed(const struct daemon *d, const struct broken *broken)
{
	return broken->pod && is_local(d, broken->pod) && !broken->pod->host_network &&
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
		return !find(d, attachment->ns, attachment->name);
	for (size_t i = 0; i < attachment->n_addrs; i++) {
		const struct graph_pod *owner = graph_addr_owner(d->graph, &attachment->addrs[i]);

		if (owner && owner->is_endpoint)
			return false;
	}
	return true;
}

static int add_unknown(struct unknown_pods *list, const struct attachment *attachment)
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
	for (size_t i = 0; i < attachment->n_addrs && rc == 0; i++) {
		one.addr = attachment->addrs[i];
		rc = vec_push(list, one);
	}
	return rc;
}

/* Such pods' addresses of which the node knows nothing. */
static int add_unseen(const struct daemon *d, struct unknown_pods *list)
{
	int rc = 0;

	for (const struct broken *broken = d->broken; broken; broken = broken->hh.next) {
		for (size_t i = 0; is_closed(d, broken) && i < broken->pod->n_addrs; i++) {
			struct render_unknown one = {.addr = broken->pod->addrs[i]};

			(void)snprintf(one.comment, sizeof(one.comment), "%.*s/%.*s",
				       (int)sizeof(one.comment) / 3, broken->pod->ns,
				       (int)sizeof(one.comment) / 3, broken->pod->name);
			if (!attach_by_addr(d->attach, &one.addr))
				rc = vec_push(list, one);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int local_close_unknown(struct daemon *d)
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
			rc = add_unknown(&list, &all[i]);
	}
	if (rc == 0)
		rc = add_unseen(d, &list);
	if (rc == 0)
		rc = render_unknown(d->render, list.v, list.n);
	d->unknown = list.n;
	vec_free(&list);
	return rc;
}

static bool has_bridge(const char *const *bridges, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(bridges[i], name) == 0)
			return true;
	}
	return false;
}

static bool was_found(const struct preflight *before, const struct preflight_finding *finding)
{
	for (size_t i = 0; i < before->findings.n; i++) {
		const struct preflight_finding *one = &before->findings.v[i];

		if (strcmp(one->id, finding->id) == 0 && strcmp(one->what, finding->what) == 0)
			return true;
	}
	return false;
}

/* Pods that run here, and how many of them the node can know before the API server tells. */
static void count_results(const struct daemon *d, struct preflight_host *host)
{
	for (const struct local_pod *local = d->local; local; local = local->hh.next) {
		const struct pod *pod = local->pod;

		if (pod->n_addrs == 0 || pod->host_network || pod->terminating || pod_finished(pod))
			continue;
		host->pods++;
		if (attach_by_pod(d->attach, pod->ns, pod->name, pod->uid ? pod->uid : ""))
			host->with_result++;
	}
}

void local_look(struct daemon *d, bool say)
{
	const char *bridges[PREFLIGHT_MAX];
	struct preflight_host host = {.proc = "/proc",
				      .sys = "/sys",
				      .table = NFT_TABLE_NAME,
				      .cni_results = d->settings->cni_results};
	struct preflight found = {0};
	size_t n = 0;
	const struct attachment *all = attach_all(d->attach, &n);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < all[i].n_addrs; j++) {
			host.v4 |= all[i].addrs[j].family == FAMILY_V4;
			host.v6 |= all[i].addrs[j].family == FAMILY_V6;
		}
		if (all[i].kind == ATTACH_BRIDGED && host.n_bridges < PREFLIGHT_MAX &&
		    !has_bridge(bridges, host.n_bridges, all[i].master))
			bridges[host.n_bridges++] = all[i].master;
	}
	host.bridges = bridges;
	d->looked_ms = monotonic_ms();
	if (d->api)
		count_results(d, &host);
	if (preflight_run(&host, &found) < 0) {
		preflight_done(&found);
		return; /* what was found before stays */
	}
	for (size_t i = 0; i < found.findings.n; i++) {
		const struct preflight_finding *one = &found.findings.v[i];

		if (!say && was_found(&d->preflight, one))
			continue;
		if (one->level == PREFLIGHT_ERROR)
			log_err("node", "%s %s", one->what, one->todo);
		else
			log_warning("node", "%s %s", one->what, one->todo);
	}
	preflight_done(&d->preflight);
	d->preflight = found;
}

void local_look_again(struct daemon *d)
{
	if (d->ready && monotonic_ms() - d->looked_ms >= LOOK_MS)
		local_look(d, false);
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

static const struct profile *closed_by(const struct daemon *d, const struct local_pod *local,
				       int dir)
{
	const struct graph_pod *pod = graph_find_pod(d->graph, local->pod->ns, local->pod->name);

	return pod && pod->is_endpoint && pod->profiles[dir] && pod->profiles[dir]->overflow
		       ? pod->profiles[dir]
		       : NULL;
}

void local_closed(const struct daemon *d, closed_fn fn, void *ctx)
{
	if (graph_counts(d->graph).too_complicated == 0)
		return;
	for (const struct local_pod *local = d->local; local; local = local->hh.next) {
		for (int dir = 0; dir < DIR_COUNT; dir++) {
			const struct profile *profile = closed_by(d, local, dir);

			if (profile)
				fn(ctx, local->key, profile);
		}
	}
}

static void tell_closed(struct local_pod *local, enum direction dir, const struct profile *profile)
{
	char policies[200] = "";
	size_t used = 0;

	if (!profile) {
		log_notice("netpold", "pod %s is closed for %s no more", local->key,
			   direction_name(dir));
		return;
	}
	for (size_t i = 0; i < profile->n_policies && used < sizeof(policies); i++)
		used += (size_t)snprintf(policies + used, sizeof(policies) - used, "%s%s/%s",
					 i > 0 ? ", " : "", profile->policies[i]->ns,
					 profile->policies[i]->name);
	log_err("netpold",
		"pod %s is closed for %s: more than %d combinations of rules and port ranges in "
		"%s; all else is enforced",
		local->key, direction_name(dir), PROFILE_WORK_MAX, policies);
}

void local_tell_closed(struct daemon *d)
{
	size_t closed = graph_counts(d->graph).too_complicated;

	for (struct local_pod *local = d->local; local && (closed > 0 || d->told_closed);
	     local = local->hh.next) {
		for (int dir = 0; dir < DIR_COUNT; dir++) {
			const struct profile *profile = closed_by(d, local, dir);

			if (local->told_closed[dir] == (profile != NULL))
				continue;
			local->told_closed[dir] = profile;
			tell_closed(local, (enum direction)dir, profile);
		}
	}
	d->told_closed = closed > 0;
}

static void publish_again(struct daemon *d, const struct local_pod *local)
{
	if (publish(d, local->pod) < 0)
		daemon_give_up(d);
	reconcile_urgent(d);
	/* The first pod on a bridge makes that bridge matter. */
	if (!evtimer_pending(d->look, NULL))
		arm(d->look, LOOK_MS);
}

/* What the node has seen of a pod has changed. */
static void on_pod(void *ctx, const char *ns, const char *name)
{
	struct daemon *d = ctx;
	const struct local_pod *local = find(d, ns, name);

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

static void on_look(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	local_look(ctx, false);
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
	int rc = attach_open(d->settings->cni_results, &listener, &d->attach, &err);

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
	d->look = evtimer_new(d->base, on_look, d);
	return d->attach_due && d->look ? 0 : -ENOMEM;
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
	if (d->look)
		event_free(d->look);
	attach_close(d->attach);
	preflight_done(&d->preflight);
	HASH_ITER (hh, d->local, local, next) {
		HASH_DEL(d->local, local);
		local_free(d, local);
	}
}
