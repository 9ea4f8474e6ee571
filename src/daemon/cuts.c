/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cuts.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/task.h"

/* At least: an end that has sent something in vain gives up later (tcp_retries2 of Linux means 924
 * seconds at least; Documentation/networking/ip-sysctl.rst), and conntrack remembers a connection
 * with something unacknowledged for 300 only. */
#define LIFETIME_MIN_S 3600
/* Where it is not known: nf_conntrack_tcp_timeout_established of Linux. */
#define LIFETIME_S 432000

struct cut {
	struct cut_member
		member; /* of its namespace's share; the first, so it is the cut's address */
	struct render_cut what;
	int64_t until_us;  /* CLOCK_MONOTONIC */
	UT_hash_handle hh; /* by what */
};

void cuts_init(struct cuts *cuts, struct render *render, struct graph *graph)
{
	*cuts = (struct cuts){.render = render, .graph = graph};
}

/* In a job: no other walks through them. */
static void forget_through(struct cuts *cuts)
{
	size_t next = cuts->next;

	for (size_t i = 0; i < next; i++)
		conntrack_entry_done(&cuts->pending.v[i]);
	if (next > 0)
		memmove(cuts->pending.v, cuts->pending.v + next,
			(cuts->pending.n - next) * sizeof(cuts->pending.v[0]));
	cuts->pending.n -= next;
	cuts->n_committed -= next;
	cuts->n_rendered -= next;
	cuts->next = 0;
}

/* The ruleset keeps it. */
static void forget_cut(struct cuts *cuts, struct cut *cut)
{
	cut_shares_remove(&cuts->shares, &cut->member);
	HASH_DEL(cuts->all, cut);
	free(cut);
}

void cuts_done(struct cuts *cuts)
{
	struct cut *cut, *next;

	cuts->next = cuts->n_committed = cuts->n_rendered = cuts->pending.n;
	forget_through(cuts);
	vec_free(&cuts->pending);
	HASH_ITER (hh, cuts->all, cut, next)
		forget_cut(cuts, cut);
	cut_shares_done(&cuts->shares);
}

bool cuts_concern(const struct conntrack_entry *entry)
{
	return entry->proto == IPPROTO_TCP || entry->proto == IPPROTO_SCTP;
}

int cuts_add(struct cuts *cuts, const struct conntrack_entry *entry)
{
	struct conntrack_entry copy;
	int rc = conntrack_entry_copy(entry, &copy);

	if (rc < 0)
		return rc;
	rc = vec_push(&cuts->pending, copy);
	if (rc < 0)
		conntrack_entry_done(&copy);
	return rc;
}

size_t cuts_count(const struct cuts *cuts)
{
	return HASH_COUNT(cuts->all);
}

bool cuts_full(const struct cuts *cuts)
{
	return cuts->pending.n - cuts->next >= CUTS_PENDING_MAX;
}

bool cuts_pending(const struct cuts *cuts)
{
	return cuts->next < cuts->pending.n;
}

bool cuts_unrendered(const struct cuts *cuts)
{
	return cuts->n_rendered < cuts->pending.n;
}

static void remove_cut(struct cuts *cuts, struct cut *cut)
{
	render_uncut(cuts->render, &cut->what);
	forget_cut(cuts, cut);
}

/* The host's own addresses are those of nodes as far as the graph knows: what it takes for another
 * node's costs a chain in vain. */
static bool is_node(const struct cuts *cuts, const struct addr *addr)
{
	const char *const *nodes;

	return graph_addr_nodes(cuts->graph, addr, &nodes) > 0;
}

static const struct graph_pod *pod_at(const struct cuts *cuts, const struct addr *addr)
{
	const struct graph_pod *pod = graph_addr_owner(cuts->graph, addr);

	return pod ? pod : graph_link_local_owner(cuts->graph, addr);
}

/* The client's: only whoever opens connections can have many cut. Where that is no pod it is the
 * server's. */
static const char *namespace_of(const struct cuts *cuts, const struct render_cut *what)
{
	const struct graph_pod *pod = pod_at(cuts, &what->from);

	if (!pod)
		pod = pod_at(cuts, &what->to);
	return pod ? pod->object->ns : "";
}

/* NULL: no memory. */
static struct cut *new_cut(struct cuts *cuts, const struct render_cut *what)
{
	struct cut *cut = calloc(1, sizeof(*cut));

	if (!cut)
		return NULL;
	cut->what = *what;
	if (cut_shares_add(&cuts->shares, &cut->member, namespace_of(cuts, what), CUTS_MAX + 1) ==
	    0) {
		HASH_ADD(hh, cuts->all, what, sizeof(cut->what), cut);
		if (table_added(cut))
			return cut;
		cut_shares_remove(&cuts->shares, &cut->member);
	}
	free(cut);
	return NULL;
}

/* One that is there already becomes the newest, and its owner may be another. */
static int put_cut(struct cuts *cuts, const struct render_cut *what, int64_t lifetime_s)
{
	struct cut *cut;

	HASH_FIND(hh, cuts->all, what, sizeof(*what), cut);
	if (cut)
		forget_cut(cuts, cut);
	cut = new_cut(cuts, what);
	if (!cut)
		return -ENOMEM;
	cut->until_us = clock_monotonic_us() + lifetime_s * 1000000;
	if (HASH_COUNT(cuts->all) > CUTS_MAX)
		remove_cut(cuts, (struct cut *)cut_shares_victim(&cuts->shares));
	return render_cut(cuts->render, what);
}

/* All bytes of it are a key. */
static struct render_cut cut_of(const struct cuts *cuts, const struct conntrack_entry *entry)
{
	struct render_cut cut;

	memset(&cut, 0, sizeof(cut));
	cut.from = entry->from;
	cut.to = entry->to;
	cut.from_port = entry->from_port;
	cut.to_port = entry->to_port;
	cut.proto = entry->proto;
	cut.local = is_node(cuts, &entry->to);
	return cut;
}

int cuts_render(struct cuts *cuts)
{
	bool changed = cuts_unrendered(cuts);

	while (cuts_unrendered(cuts)) { /* there may be more, each time that it has given way */
		const struct conntrack_entry *entry = &cuts->pending.v[cuts->n_rendered];
		struct render_cut cut = cut_of(cuts, entry);
		int rc = put_cut(cuts, &cut,
				 entry->timeout_s > LIFETIME_MIN_S ? entry->timeout_s
								   : LIFETIME_MIN_S);

		if (rc < 0)
			return rc;
		cuts->n_rendered++;
		task_step();
	}
	return changed;
}

void cuts_committed(struct cuts *cuts)
{
	cuts->n_committed = cuts->n_rendered;
	forget_through(cuts);
}

const struct conntrack_entry *cuts_next(const struct cuts *cuts)
{
	return cuts->next < cuts->n_committed ? &cuts->pending.v[cuts->next] : NULL;
}

void cuts_drop_next(struct cuts *cuts)
{
	cuts->next++;
}

/* As a connection that one can ask about. */
static struct conntrack_entry entry_of(const struct render_cut *cut)
{
	return (struct conntrack_entry){
		.from = cut->from,
		.to = cut->to,
		.from_port = cut->from_port,
		.to_port = cut->to_port,
		.proto = cut->proto,
	};
}

int cuts_sweep(struct cuts *cuts, cuts_denied_fn denied, void *ctx)
{
	int64_t now_us = clock_monotonic_us();
	struct cut *cut, *next;
	int changed = 0;

	HASH_ITER (hh, cuts->all, cut, next) {
		struct conntrack_entry entry = entry_of(&cut->what);
		int rc = cut->until_us <= now_us ? 0 : denied ? denied(ctx, &entry) : 1;

		if (rc < 0)
			return rc;
		if (rc == 0) {
			remove_cut(cuts, cut);
			changed = 1;
		}
		task_step();
	}
	return changed;
}

static int adopt(void *ctx, const struct render_cut *cut)
{
	struct cuts *cuts = ctx;
	struct conntrack_entry entry = entry_of(cut);
	struct render_cut what = cut_of(cuts, &entry);

	return put_cut(cuts, &what, LIFETIME_S);
}

int cuts_adopt(struct cuts *cuts, const struct ruleset *kernel)
{
	return render_each_cut(kernel, adopt, cuts);
}
