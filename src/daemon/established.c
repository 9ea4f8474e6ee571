/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "established.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addr_owners.h"
#include "affected.h"
#include "base/clock.h"
#include "base/log.h"
#include "cuts.h"
#include "internal.h"
#include "node/conntrack.h"
#include "policy/eval.h"

/* The loop turns again after this long. */
#define TURN_US 5000
/* A pass takes a twentieth of the time at most: the next waits nineteen times as long as it took.
 */
#define SPACING 19
/* Up to so many addresses the kernel chooses the entries, as long as it has no more than these: it
 * looks at all of them in one call, 0.3 us each. */
#define FILTERED_MAX   2
#define FILTERED_COUNT 100000
/* Of what is dropped of connections that have ended: is it still denied? */
#define SWEEP_MS 5000
/* After a failure. */
#define FAILURE_US 1000000

struct established {
	struct graph_listener inner;
	struct addr_owners owners;
	bool started; /* what was there at the start is committed: a new owner is a change */
	/* What has changed; of it, what the kernel has by now; of that, what is looked at now. */
	struct affected changed, committed, running;

	struct conntrack *conntrack; /* NULL: there is none */
	struct graph *graph;
	struct event_base *base;
	struct event *turn, *sweep;
	struct established_options options;
	struct cuts cuts;
	bool sweep_due;
	bool eased; /* since the last sweep: something may be allowed that was not */
	bool busy;
	bool paused; /* the graph stands halfway through a change */
	struct conntrack_filter filters[2 * FILTERED_MAX]; /* the dumps that the pass is made of */
	struct addr filter_addrs[FILTERED_MAX];
	size_t n_filters, next_filter;
	bool dumping;              /* the filter before the next one */
	int64_t used_us, ready_us; /* of this pass; when the next may begin */
	int64_t retry_us;          /* something has failed: not before */
	bool failed;
	struct established_counts counts;
};

/* The listener. */

static void note(struct established *c, const struct addr *addr, bool reassigned)
{
	if (!affected_add(&c->changed, addr, reassigned))
		c->failed = true;
}

static void on_peer_set(void *ctx, struct peer_set *set, bool exists)
{
	struct established *c = ctx;

	c->inner.peer_set(c->inner.ctx, set, exists);
}

static void on_peer(void *ctx, struct peer_set *set, const struct addr *addr, bool present)
{
	struct established *c = ctx;

	c->eased |= present;
	if (!present)
		note(c, addr, false);
	c->inner.peer(c->inner.ctx, set, addr, present);
}

static void on_profile(void *ctx, struct profile *profile, bool exists)
{
	struct established *c = ctx;

	c->inner.profile(c->inner.ctx, profile, exists);
}

/* What a pod is seen by: pods on one bridge reach each other by their link-local addresses, and a
 * pod its node. */
struct pod_addrs {
	struct addr v[FAMILY_COUNT + 1];
	size_t n;
};

static struct pod_addrs addrs_of(const struct graph_pod *pod)
{
	struct pod_addrs ret = {.n = 0};

	for (int family = 0; family < FAMILY_COUNT; family++) {
		const struct addr *addr = pod_addr(pod->object, (enum family)family);

		if (addr && graph_pod_owns(pod, (enum family)family))
			ret.v[ret.n++] = *addr;
	}
	ret.n += pod_link_local(pod->object, &ret.v[ret.n]);
	return ret;
}

/* One that closes has no room in its namespace's budget any more: whatever it let pass is denied.
 */
static void on_profile_open(void *ctx, struct profile *profile, bool open)
{
	struct established *c = ctx;

	c->eased |= open;
	for (const struct graph_pod *pod = profile->ns->pods; pod && !open; pod = pod->hh.next) {
		struct pod_addrs addrs = addrs_of(pod);

		for (size_t i = 0; i < addrs.n && pod->profiles[profile->dir] == profile; i++)
			note(c, &addrs.v[i], false);
	}
	c->inner.profile_open(c->inner.ctx, profile, open);
}

static void on_named(void *ctx, struct profile *profile, const struct endpoint_port *port,
		     bool present)
{
	struct established *c = ctx;

	c->eased |= present;
	if (!present)
		note(c, &port->addr, false);
	c->inner.named(c->inner.ctx, profile, port, present);
}

/* Its profiles, hence its rules, are others than before; or it is the first time. */
static void on_endpoint(void *ctx, struct graph_pod *pod, bool exists)
{
	struct established *c = ctx;
	struct pod_addrs addrs = addrs_of(pod);

	c->eased = true;
	for (size_t i = 0; i < addrs.n; i++) {
		const struct addr *addr = &addrs.v[i];

		if (exists)
			note(c, addr, addr_owners_set(&c->owners, addr, pod->object) && c->started);
		else
			addr_owners_leave(&c->owners, addr);
	}
	c->inner.endpoint(c->inner.ctx, pod, exists);
}

static void on_node_addr(void *ctx, const struct addr *addr, bool exists)
{
	struct established *c = ctx;

	c->eased = true;
	c->inner.node_addr(c->inner.ctx, addr, exists);
}

struct graph_listener established_listener(struct established *c)
{
	return (struct graph_listener){
		.ctx = c,
		.peer_set = on_peer_set,
		.peer = on_peer,
		.profile = on_profile,
		.profile_open = on_profile_open,
		.named = on_named,
		.endpoint = on_endpoint,
		.node_addr = on_node_addr,
	};
}

/* Evaluation. */

static bool is_endpoint(const struct established *c, const struct addr *addr)
{
	const struct graph_pod *pod = graph_addr_owner(c->graph, addr);

	return (pod && pod->is_endpoint) || graph_link_local_owner(c->graph, addr);
}

static bool is_reassigned(const struct established *c, const struct conntrack_entry *entry)
{
	const struct affected_addr *from = affected_find(&c->running, &entry->from);
	const struct affected_addr *to = affected_find(&c->running, &entry->to);

	return (from && from->reassigned) || (to && to->reassigned);
}

static bool is_affected(const struct established *c, const struct conntrack_entry *entry)
{
	return (c->running.all || affected_find(&c->running, &entry->from) ||
		affected_find(&c->running, &entry->to)) &&
	       (is_endpoint(c, &entry->from) || is_endpoint(c, &entry->to));
}

/* The entry as a flow that one can ask about. */
static void to_flow(const struct conntrack_entry *entry, struct flow *flow)
{
	char text[ADDR_TEXT_MAX];

	*flow = (struct flow){.proto = FLOW_ICMP}; /* and whatever else has no ports */
	(void)snprintf(flow->from, sizeof(flow->from), "%s", addr_format(&entry->from, text));
	(void)snprintf(flow->to, sizeof(flow->to), "%s", addr_format(&entry->to, text));
	if (entry->proto == IPPROTO_TCP)
		flow->proto = FLOW_TCP;
	else if (entry->proto == IPPROTO_UDP)
		flow->proto = FLOW_UDP;
	else if (entry->proto == IPPROTO_SCTP)
		flow->proto = FLOW_SCTP;
	else
		return;
	flow->has_port = true;
	flow->port = entry->to_port;
}

/* 1: denied; 0: not; or -ENOMEM. */
static int is_denied(void *ctx, const struct conntrack_entry *entry)
{
	struct established *c = ctx;
	struct flow_result result = {0};
	struct flow flow;
	int rc;

	to_flow(entry, &flow);
	rc = eval_flow(c->graph, &flow, &result);
	if (rc == 0)
		rc = result.verdict == VERDICT_DENY;
	flow_result_done(&result);
	c->counts.evaluated++;
	return rc;
}

static int delete_entry(struct established *c, const struct conntrack_entry *entry)
{
	int rc = conntrack_delete(c->conntrack, entry);

	c->counts.deleted += rc == 0;
	return rc;
}

static int on_entry(void *ctx, const struct conntrack_entry *entry)
{
	struct established *c = ctx;
	bool reassigned = is_reassigned(c, entry);
	int rc = reassigned;

	if (!reassigned && is_affected(c, entry) && (!c->options.keep || c->running.forced))
		rc = is_denied(c, entry);
	if (rc <= 0)
		return rc;
	if (!reassigned && cuts_concern(entry))
		return cuts_add(&c->cuts, entry);
	rc = delete_entry(c, entry);
	c->counts.reassigned += rc == 0 && reassigned;
	return rc;
}

/* The kernel drops what could bring it back. It may be allowed by now. */
static int delete_cut(struct established *c, const struct conntrack_entry *entry)
{
	int rc = is_denied(c, entry);

	if (rc > 0)
		rc = delete_entry(c, entry);
	if (rc == 0)
		cuts_drop_next(&c->cuts);
	return rc;
}

/* Passes. */

/* Which dumps have all the entries that matter. */
static void plan_dumps(struct established *c)
{
	const struct affected_addr *entry;
	size_t n = 0;

	c->next_filter = 0;
	c->n_filters = 1;
	c->filters[0] = (struct conntrack_filter){0};
	if (c->running.all || HASH_COUNT(c->running.addrs) > FILTERED_MAX ||
	    conntrack_count() > FILTERED_COUNT)
		return;
	c->n_filters = 0;
	for (entry = c->running.addrs; entry; entry = entry->hh.next, n++) {
		c->filter_addrs[n] = entry->addr;
		for (int end = CONNTRACK_FROM; end <= CONNTRACK_TO; end++)
			c->filters[c->n_filters++] = (struct conntrack_filter){
				&c->filter_addrs[n], (enum conntrack_end)end};
	}
}

static void begin(struct established *c)
{
	if (!affected_move(&c->running, &c->committed))
		c->failed = true;
	plan_dumps(c);
	c->dumping = false;
	c->busy = true;
	c->used_us = 0;
}

static void say_failure(struct established *c, int rc)
{
	c->counts.failures++;
	c->retry_us = clock_monotonic_us() + FAILURE_US;
	log_warning("conntrack", "established connections cannot be evaluated: %s: trying again",
		    strerror(-rc));
}

/* What it was about is due again, later. */
static void fail_pass(struct established *c, int rc)
{
	say_failure(c, rc);
	if (!affected_move(&c->committed, &c->running))
		c->failed = true;
}

static void end(struct established *c, int rc)
{
	c->busy = false;
	c->counts.passes++;
	if (rc < 0)
		fail_pass(c, rc);
	affected_done(&c->running);
	c->ready_us = clock_monotonic_us() + c->used_us * SPACING;
}

/* The next dump, or the next portion of this one. 1: there is no more; 0; or a negative errno. */
static int step(struct established *c)
{
	int rc;

	if (!c->dumping) {
		if (c->next_filter == c->n_filters)
			return 1;
		c->dumping = true;
		return conntrack_dump(c->conntrack, &c->filters[c->next_filter++]);
	}
	rc = conntrack_read(c->conntrack, on_entry, c);
	c->dumping = rc == 0;
	return rc < 0 ? rc : 0;
}

/* Until the turn is over; else as above. */
static int read_entries(struct established *c, int64_t until_us)
{
	int rc = 0;

	while (rc == 0 && clock_thread_us() < until_us && !cuts_full(&c->cuts))
		rc = step(c);
	return rc;
}

/* Those that the kernel lets nobody bring back any more. */
static int delete_cuts(struct established *c, int64_t until_us)
{
	const struct conntrack_entry *entry;
	int rc = 0;

	while (rc == 0 && clock_thread_us() < until_us && (entry = cuts_next(&c->cuts)))
		rc = delete_cut(c, entry);
	return rc;
}

static bool can_read(const struct established *c)
{
	return (c->busy || !affected_empty(&c->committed)) && !cuts_full(&c->cuts);
}

static bool has_work(const struct established *c)
{
	return can_read(c) || cuts_next(&c->cuts);
}

static void take_turn(struct established *c, int64_t limit_us)
{
	int64_t since_us = clock_thread_us();
	int rc = delete_cuts(c, since_us + limit_us);

	if (rc < 0) {
		say_failure(c, rc);
		return;
	}
	if (can_read(c) && !c->busy)
		begin(c);
	rc = c->busy ? read_entries(c, since_us + limit_us) : 0;
	graph_forget(c->graph);
	c->used_us += clock_thread_us() - since_us;
	if (rc != 0)
		end(c, rc);
	if (cuts_unrendered(&c->cuts))
		c->options.want_render(c->options.ctx);
}

static void arm_turn(struct established *c)
{
	int64_t due_us = c->retry_us;

	if (!c->busy && !cuts_next(&c->cuts) && c->ready_us > due_us)
		due_us = c->ready_us;
	due_us -= clock_monotonic_us();
	if (has_work(c))
		arm(c->turn, due_us > 0 ? due_us / 1000 + 1 : 0);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	struct established *c = ctx;

	(void)fd;
	(void)what;
	if (!c->paused && has_work(c))
		take_turn(c, TURN_US);
	if (!c->paused)
		arm_turn(c);
}

void established_pause(struct established *c, bool paused)
{
	if (!c || c->paused == paused)
		return;
	c->paused = paused;
	if (!paused && c->turn)
		arm_turn(c);
}

/* At the first time an earlier run may have changed it and not have looked at connections any more.
 */
void established_committed(struct established *c, enum established_since since)
{
	if (!c)
		return;
	if (since == ESTABLISHED_ABSENT)
		c->changed.all = c->changed.forced = true;
	else if (since == ESTABLISHED_SAME && c->started)
		affected_keep_reassigned(&c->changed);
	if (!affected_move(&c->committed, &c->changed))
		c->failed = true;
	c->started = true;
	if (!c->conntrack)
		affected_done(&c->committed);
	cuts_committed(&c->cuts);
	if (c->turn && c->conntrack)
		arm_turn(c);
}

static void on_sweep(evutil_socket_t fd, short what, void *ctx)
{
	struct established *c = ctx;

	(void)fd;
	(void)what;
	c->sweep_due = true;
	c->options.want_render(c->options.ctx);
}

static int sweep(struct established *c)
{
	int rc;

	c->sweep_due = false;
	rc = cuts_sweep(&c->cuts, c->eased ? is_denied : NULL, c);
	c->eased = false;
	graph_forget(c->graph);
	return rc;
}

int established_render(struct established *c)
{
	int rc = cuts_render(&c->cuts), swept = 0;

	if (rc >= 0 && c->sweep_due)
		swept = sweep(c);
	if (c->cuts.all && !evtimer_pending(c->sweep, NULL))
		arm(c->sweep, SWEEP_MS);
	return rc < 0 || swept < 0 ? -ENOMEM : rc || swept;
}

int established_adopt(struct established *c, const struct ruleset *kernel)
{
	int rc = cuts_adopt(&c->cuts, kernel);

	if (c->sweep && c->cuts.all && !evtimer_pending(c->sweep, NULL))
		arm(c->sweep, SWEEP_MS);
	return rc;
}

bool established_finish(struct established *c)
{
	while (c && c->conntrack && has_work(c)) {
		uint64_t failures = c->counts.failures;

		take_turn(c, INT64_MAX / 2);
		if (c->counts.failures != failures)
			return false; /* said */
	}
	return c && c->conntrack && cuts_pending(&c->cuts);
}

int established_error(const struct established *c)
{
	return c && c->failed ? -ENOMEM : 0;
}

struct established_counts established_counts(const struct established *c)
{
	struct established_counts counts = c->counts;

	counts.busy = c->busy || !affected_empty(&c->committed) || !affected_empty(&c->changed) ||
		      cuts_pending(&c->cuts);
	counts.cut = cuts_count(&c->cuts);
	return counts;
}

struct established *established_new(const struct graph_listener *inner)
{
	struct established *c = calloc(1, sizeof(*c));

	if (c)
		c->inner = *inner;
	return c;
}

static int say_missing(struct findings *findings, const char *why)
{
	return findings_setf(findings,
			     &(struct finding){
				     .part = "conntrack",
				     .id = "conntrack-netlink-missing",
				     .level = FINDING_WARNING,
				     .todo = "Load the module nf_conntrack_netlink, and start "
					     "netpold again.",
			     },
			     "Connections that stand when policy changes are not looked at again: "
			     "%s.",
			     why);
}

int established_start(struct established *c, struct event_base *base,
		      const struct established_options *options)
{
	struct err err = {0};
	int rc = conntrack_open(&c->conntrack, &err);

	c->options = *options;
	c->graph = options->graph;
	c->base = base;
	cuts_init(&c->cuts, options->render, options->graph);
	if (rc == -ENOMEM)
		return rc;
	c->sweep = evtimer_new(base, on_sweep, c);
	if (!c->sweep)
		return -ENOMEM;
	c->counts.available = rc == 0;
	if (rc < 0)
		return say_missing(options->findings, err.text);
	c->turn = evtimer_new(base, on_turn, c);
	return c->turn ? 0 : -ENOMEM;
}

void established_free(struct established *c)
{
	if (!c)
		return;
	if (c->turn)
		event_free(c->turn);
	if (c->sweep)
		event_free(c->sweep);
	cuts_done(&c->cuts);
	conntrack_close(c->conntrack);
	affected_done(&c->changed);
	affected_done(&c->committed);
	affected_done(&c->running);
	addr_owners_done(&c->owners);
	free(c);
}
