/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All is joined anew when anything has changed, and compared with what it was: some hundred pods
 * take less than a millisecond, and no order of events can leave a trace. */
#include "node/attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/task.h"
#include "join.h"
#include "node/cni_dir.h"
#include "node/rtnl.h"

/* After an error that is not a lack of news. */
#define RETRY_MS 1000

/* libcni's cache, netpold-cni's, and that of Multus, which only says what the others do not. */
#define RESULT_DIRS 3
#define MULTUS_DIR  2
/* More ways out than these are not named. */
#define UPLINKS_MAX 8
/* Beside libcni's cache. */
#define MULTUS_RESULTS "multus/results"

struct attach {
	struct attach_listener listener;
	struct rtnl *links, *neigh;
	struct cni_dir *dirs[RESULT_DIRS];
	struct join join;
	uint64_t generation; /* of the join */
	bool dirty;          /* the join is older than what it is made of */
	bool retry;          /* something could not be read */
};

static bool is_noted(const struct join *join, const struct join_note *note)
{
	return join->notes.n > 0 &&
	       bsearch(note, join->notes.v, join->notes.n, sizeof(*note), join_note_compare);
}

static void say_note(const struct join_note *note)
{
	const struct cni_result *result = note->result, *other = note->other;

	switch (note->kind) {
	case JOIN_NOTE_ADDR:
	case JOIN_NOTE_LINK:
		log_warning("node",
			    "CNI result %s of pod %s/%s claims %s, which the newer %s of pod %s/%s "
			    "claims too; ignoring the older claim",
			    result->file, result->ns, result->name, note->what, other->file,
			    other->ns, other->name);
		break;
	case JOIN_NOTE_UNCOVERED:
		log_warning("node",
			    "pod %s/%s: interface %s in network \"%s\" is not covered, only %s is",
			    result->ns, result->name, note->what, result->network, other->ifname);
		break;
	}
}

static void say_notes(const struct join *before, const struct join *now)
{
	for (size_t i = 0; i < now->notes.n; i++) {
		task_yield();
		if (!is_noted(before, &now->notes.v[i]))
			say_note(&now->notes.v[i]);
	}
}

static bool is_equal(const struct attachment *a, const struct attachment *b)
{
	return strcmp(a->ns, b->ns) == 0 && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->uid, b->uid) == 0 && a->kind == b->kind && a->index == b->index &&
	       strcmp(a->ifname, b->ifname) == 0 && strcmp(a->master, b->master) == 0 &&
	       a->has_mac == b->has_mac && a->routed_to == b->routed_to &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 && a->n_addrs == b->n_addrs &&
	       memcmp(a->addrs, b->addrs, a->n_addrs * sizeof(a->addrs[0])) == 0;
}

static int compare_pods(const struct attachment *a, const struct attachment *b)
{
	int order = strcmp(a->ns, b->ns);

	if (order == 0)
		order = strcmp(a->name, b->name);
	return order != 0 ? order : strcmp(a->uid, b->uid);
}

/* How many of them have a name; they come first. */
static size_t count_named(const struct join *join)
{
	size_t n = 0;

	while (n < join->attachments.n && *join->attachments.v[n].name != '\0')
		n++;
	return n;
}

static void tell_pods(const struct attach *attach, const struct join *before,
		      const struct join *now)
{
	size_t n_before = count_named(before), n_now = count_named(now);

	for (size_t i = 0, k = 0; i < n_before || k < n_now;) {
		const struct attachment *old = i < n_before ? &before->attachments.v[i] : NULL;
		const struct attachment *new = k < n_now ? &now->attachments.v[k] : NULL;
		int order = !old ? 1 : !new ? -1 : compare_pods(old, new);

		task_step();
		if (order != 0 || !is_equal(old, new)) {
			const struct attachment *one = order < 0 ? old : new;

			attach->listener.pod(attach->listener.ctx, one->ns, one->name);
		}
		i += order <= 0;
		k += order >= 0;
	}
}

static void tell_addrs(const struct attach *attach, const struct join *before,
		       const struct join *now)
{
	for (size_t i = 0, k = 0; i < before->addrs.n || k < now->addrs.n;) {
		const struct join_addr *old = i < before->addrs.n ? &before->addrs.v[i] : NULL;
		const struct join_addr *new = k < now->addrs.n ? &now->addrs.v[k] : NULL;
		int order = !old ? 1 : !new ? -1 : addr_compare(&old->addr, &new->addr);

		task_step();
		if (order != 0 ||
		    !is_equal(&before->attachments.v[old->at], &now->attachments.v[new->at]))
			attach->listener.addr(attach->listener.ctx,
					      order < 0 ? &old->addr : &new->addr);
		i += order <= 0;
		k += order >= 0;
	}
}

struct results {
	VEC(struct cni_result *) all;
	size_t n_own; /* those of the container runtime, by container */
};

static int by_container(const void *x, const void *y)
{
	const struct cni_result *a = *(struct cni_result *const *)x;
	const struct cni_result *b = *(struct cni_result *const *)y;

	task_step();
	return strcmp(a->container, b->container);
}

/* Multus caches the pod network as well, and leaves files of pods that are gone: only what it says
 * of a container that the runtime knows counts, and only beside what the runtime says. */
static bool is_further(const struct results *results, struct cni_result *result)
{
	struct cni_result *const *own = results->n_own > 0
						? bsearch(&result, results->all.v, results->n_own,
							  sizeof(result), by_container)
						: NULL;
	struct cni_result *const *end = results->all.v + results->n_own;

	while (own && own > results->all.v && by_container(own - 1, &result) == 0)
		own--;
	for (; own && own < end && by_container(own, &result) == 0; own++) {
		if (strcmp((*own)->ifname, result->ifname) == 0)
			return false;
		if (own + 1 == end || by_container(own + 1, &result) != 0)
			return true;
	}
	return false;
}

static int gather(const struct attach *attach, struct results *results)
{
	struct cni_result *result = NULL;
	int rc = 0;

	for (size_t i = 0; i < MULTUS_DIR; i++) {
		while (rc == 0 && (result = cni_dir_next(attach->dirs[i], result))) {
			rc = vec_push(&results->all, result);
			task_step();
		}
	}
	results->n_own = results->all.n;
	if (results->n_own > 0)
		qsort(results->all.v, results->n_own, sizeof(result), by_container);
	while (rc == 0 && (result = cni_dir_next(attach->dirs[MULTUS_DIR], result))) {
		if (is_further(results, result))
			rc = vec_push(&results->all, result);
		task_step();
	}
	return rc;
}

static int build(const struct attach *attach, struct join *ret_join)
{
	struct results results = {0};
	int rc = gather(attach, &results);

	if (rc == 0)
		rc = join_build(results.all.v, results.all.n, rtnl_state(attach->links),
				rtnl_state(attach->neigh), ret_join);
	vec_free(&results.all);
	return rc;
}

/* What was there stays readable until everybody has heard. */
static int rejoin(struct attach *attach)
{
	struct join before = attach->join;
	int rc = build(attach, &attach->join);

	if (rc < 0)
		return rc;
	attach->dirty = false;
	attach->generation++;
	say_notes(&before, &attach->join);
	tell_pods(attach, &before, &attach->join);
	tell_addrs(attach, &before, &attach->join);
	join_done(&before);
	return 0;
}

static int read_dirs(struct attach *attach)
{
	int first = 0;

	for (size_t i = 0; i < RESULT_DIRS; i++) {
		int rc = cni_dir_read(attach->dirs[i], &attach->dirty);

		if (first == 0)
			first = rc;
	}
	return first;
}

/* Results first: the interface that one names was there before, so its news are in the other socket
 * by now. */
int attach_read(struct attach *attach)
{
	int dir = read_dirs(attach);
	int links = rtnl_read(attach->links, &attach->dirty);
	int neigh = rtnl_read(attach->neigh, &attach->dirty);
	int rc = attach->dirty ? rejoin(attach) : 0;

	attach->retry = dir < 0 || rc < 0;
	if (rc == 0)
		rc = dir < 0 ? dir : links < 0 ? links : neigh;
	return rc;
}

static int sooner(int a_ms, int b_ms)
{
	return a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms;
}

int attach_wait_ms(const struct attach *attach)
{
	int wait_ms = sooner(rtnl_wait_ms(attach->links), rtnl_wait_ms(attach->neigh));

	return attach->retry ? sooner(wait_ms, RETRY_MS) : wait_ms;
}

void attach_fds(const struct attach *attach, int fds[ATTACH_FDS])
{
	size_t n = 0;

	for (size_t i = 0; i < RESULT_DIRS; i++)
		fds[n++] = cni_dir_fd(attach->dirs[i]);
	fds[n++] = rtnl_fd(attach->links);
	fds[n++] = rtnl_fd(attach->neigh);
}

const struct attachment *attach_by_pod(const struct attach *attach, const char *ns,
				       const char *name, const char *uid)
{
	return join_by_pod(&attach->join, ns, name, uid);
}

const struct attachment *attach_by_addr(const struct attach *attach, const struct addr *addr)
{
	return join_by_addr(&attach->join, addr);
}

const struct attachment *attach_all(const struct attach *attach, size_t *ret_n)
{
	*ret_n = attach->join.attachments.n;
	return attach->join.attachments.v;
}

bool attach_leads_to_pods(const struct attach *attach, const struct addr *addr)
{
	return links_leads_to_pods(rtnl_state(attach->links), addr);
}

bool attach_has_results(const struct attach *attach)
{
	/* Named ones come first. */
	return attach->join.attachments.n > 0 && *attach->join.attachments.v[0].name != '\0';
}

uint64_t attach_generation(const struct attach *attach)
{
	return attach->generation;
}

const struct attach_unseen *attach_unseen(const struct attach *attach, size_t *ret_n)
{
	*ret_n = attach->join.unseen.n;
	return attach->join.unseen.v;
}

size_t attach_uplinks(const struct attach *attach, const char **names, size_t max)
{
	const struct links *links = rtnl_state(attach->links);
	unsigned indexes[UPLINKS_MAX];
	size_t n = links_uplinks(links, indexes, max < UPLINKS_MAX ? max : UPLINKS_MAX), found = 0;

	for (size_t i = 0; i < n; i++) {
		const struct link *link = links_by_index(links, indexes[i]);

		if (link)
			names[found++] = link->name;
	}
	return found;
}

const char *attach_tunnel(const struct attach *attach, struct addr *ret_addr)
{
	const struct link *link = links_tunnel(rtnl_state(attach->links), ret_addr);

	return link ? link->name : NULL;
}

const struct links *attach_links(const struct attach *attach)
{
	return rtnl_state(attach->links);
}

uint64_t attach_resyncs(const struct attach *attach)
{
	return rtnl_resyncs(attach->links) + rtnl_resyncs(attach->neigh);
}

void attach_close(struct attach *attach)
{
	if (!attach)
		return;
	join_done(&attach->join);
	for (size_t i = 0; i < RESULT_DIRS; i++)
		cni_dir_close(attach->dirs[i]);
	rtnl_close(attach->neigh);
	rtnl_close(attach->links);
	free(attach);
}

/* Multus calls plugins by a libcni of its own, whose cache is in its "cniDir": /var/lib/cni/multus
 * unless it is configured (its pkg/types/conf.go). */
static int open_multus(struct attach *attach, const char *cni_dir, struct err *err)
{
	size_t len = strlen(cni_dir);
	AUTO_FREE char *path = NULL;

	while (len > 1 && cni_dir[len - 1] == '/')
		len--;
	while (len > 0 && cni_dir[len - 1] != '/')
		len--;
	if (asprintf(&path, "%.*s" MULTUS_RESULTS, (int)len, cni_dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return cni_dir_open(path, true, &attach->dirs[MULTUS_DIR], err);
}

int attach_open(const char *cni_dir, const char *plugin_dir, const struct attach_listener *listener,
		struct attach **ret_attach, struct err *err)
{
	static const struct join nothing;
	struct attach *attach = calloc(1, sizeof(*attach));
	int rc;

	if (!attach)
		return -ENOMEM;
	attach->listener = *listener;
	rc = cni_dir_open(cni_dir, false, &attach->dirs[0], err);
	if (rc == 0)
		rc = cni_dir_open(plugin_dir, true, &attach->dirs[1], err);
	if (rc == 0)
		rc = open_multus(attach, cni_dir, err);
	if (rc == 0)
		rc = rtnl_open(&links_kind, &attach->links, err);
	if (rc == 0)
		rc = rtnl_open(&neigh_kind, &attach->neigh, err);
	if (rc == 0)
		rc = build(attach, &attach->join);
	if (rc < 0) {
		attach_close(attach);
		return rc;
	}
	say_notes(&nothing, &attach->join);
	*ret_attach = attach;
	return 0;
}
