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
struct established {
	struct graph_listener inner;
	struct addr_owners owners;
	bool started; /* what was there at the start is committed: a new owner is a change */
	/* What has changed; of it, what the kernel has by now; of that, what is looked at now. */
	struct affected changed, committed, running;

	struct conntrack *conntrack; /* NULL: there is none */
	struct graph *graph;
	struct event_base *base;
	struct event *turn;
	bool keep, busy;
	bool paused; /* the graph stands halfway through a change */
	struct conntrack_filter filters[2 * FILTERED_MAX]; /* the dumps that the pass is made of */
	struct addr filter_addrs[FILTERED_MAX];
	size_t n_filters, next_filter;
	bool dumping;              /* the filter before the next one */
	int64_t used_us, ready_us; /* of this pass; when the next may begin */
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

	if (!present)
		note(c, addr, false);
	c->inner.peer(c->inner.ctx, set, addr, present);
}

static void on_profile(void *ctx, struct profile *profile, bool exists)
{
	struct established *c = ctx;

	c->inner.profile(c->inner.ctx, profile, exists);
}

/* One that closes has no room in its namespace's budget any more: whatever it let pass is denied.
 */
static void on_profile_open(void *ctx, struct profile *profile, bool open)
{
	struct established *c = ctx;

	for (const struct graph_pod *pod = profile->ns->pods; pod && !open; pod = pod->hh.next) {
		for (int family = 0; family < FAMILY_COUNT; family++) {
			if (pod->profiles[profile->dir] == profile &&
			    graph_pod_owns(pod, (enum family)family))
				note(c, pod_addr(pod->object, (enum family)family), false);
		}
	}
	c->inner.profile_open(c->inner.ctx, profile, open);
}

static void on_named(void *ctx, struct profile *profile, const struct endpoint_port *port,
		     bool present)
{
	struct established *c = ctx;

	if (!present)
		note(c, &port->addr, false);
	c->inner.named(c->inner.ctx, profile, port, present);
}

/* Its profiles, hence its rules, are others than before; or it is the first time. */
static void on_endpoint(void *ctx, struct graph_pod *pod, bool exists)
{
	struct established *c = ctx;

	for (int family = 0; family < FAMILY_COUNT; family++) {
		const struct addr *addr = pod_addr(pod->object, (enum family)family);

		if (!addr || !graph_pod_owns(pod, (enum family)family))
			continue;
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

	return pod && pod->is_endpoint;
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
static int is_denied(struct established *c, const struct conntrack_entry *entry)
{
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

static int on_entry(void *ctx, const struct conntrack_entry *entry)
{
	struct established *c = ctx;
	bool reassigned = is_reassigned(c, entry);
	int rc = reassigned;

	if (!reassigned && is_affected(c, entry) && (!c->keep || c->running.forced))
		rc = is_denied(c, entry);
	if (rc <= 0)
		return rc;
	rc = conntrack_delete(c->conntrack, entry);
	if (rc < 0)
		return rc;
	c->counts.deleted++;
	c->counts.reassigned += reassigned;
	return 0;
}

/* Passes. */

/* How many entries there are; unknown: many. */
static unsigned long count_entries(void)
{
	FILE *in = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");
	unsigned long n = FILTERED_COUNT + 1;

	if (!in)
		return n;
	if (fscanf(in, "%lu", &n) != 1)
		n = FILTERED_COUNT + 1;
	(void)fclose(in); /* only read */
	return n;
}

/* Which dumps have all the entries that matter. */
static void plan_dumps(struct established *c)
{
	const struct affected_addr *entry;
	size_t n = 0;

	c->next_filter = 0;
	c->n_filters = 1;
	c->filters[0] = (struct conntrack_filter){0};
	if (c->running.all || HASH_COUNT(c->running.addrs) > FILTERED_MAX ||
	    count_entries() > FILTERED_COUNT)
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

/* What it was about is due again, later. */
static void fail_pass(struct established *c, int rc)
{
	c->counts.failures++;
	log_warning("conntrack", "established connections cannot be evaluated: %s: trying again",
		    strerror(-rc));
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
	c->ready_us = clock_monotonic_us() + c->used_us * SPACING + (rc < 0 ? 1000000 : 0);
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
static int work(struct established *c, int64_t until_us)
{
	int rc = 0;

	while (rc == 0 && clock_thread_us() < until_us)
		rc = step(c);
	return rc;
}

static void take_turn(struct established *c, int64_t limit_us)
{
	int64_t since_us = clock_thread_us();
	int rc;

	if (!c->busy)
		begin(c);
	rc = work(c, since_us + limit_us);
	graph_forget(c->graph);
	c->used_us += clock_thread_us() - since_us;
	if (rc != 0)
		end(c, rc);
}

static void arm_turn(struct established *c)
{
	int64_t wait_us = c->busy ? 0 : c->ready_us - clock_monotonic_us();

	if (c->busy || !affected_empty(&c->committed))
		arm(c->turn, wait_us > 0 ? wait_us / 1000 + 1 : 0);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	struct established *c = ctx;

	(void)fd;
	(void)what;
	if (!c->paused && (c->busy || !affected_empty(&c->committed)))
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

void established_committed(struct established *c, bool rules_were_absent)
{
	if (!c)
		return;
	if (rules_were_absent)
		c->changed.all = c->changed.forced = true;
	if (!affected_move(&c->committed, &c->changed))
		c->failed = true;
	c->started = true;
	if (!c->conntrack)
		affected_done(&c->committed);
	else if (c->turn && !c->busy)
		arm_turn(c);
}

void established_finish(struct established *c)
{
	while (c && c->conntrack && (c->busy || !affected_empty(&c->committed))) {
		uint64_t failures = c->counts.failures;

		take_turn(c, INT64_MAX / 2);
		if (c->counts.failures != failures)
			return; /* said */
	}
}

int established_error(const struct established *c)
{
	return c && c->failed ? -ENOMEM : 0;
}

struct established_counts established_counts(const struct established *c)
{
	struct established_counts counts = c->counts;

	counts.busy = c->busy || !affected_empty(&c->committed) || !affected_empty(&c->changed);
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

int established_start(struct established *c, struct event_base *base, struct graph *graph,
		      struct findings *findings, bool keep)
{
	struct err err = {0};
	int rc = conntrack_open(&c->conntrack, &err);

	c->graph = graph;
	c->base = base;
	c->keep = keep;
	if (rc == -ENOMEM)
		return rc;
	c->counts.available = rc == 0;
	if (rc < 0)
		return say_missing(findings, err.text);
	c->turn = evtimer_new(base, on_turn, c);
	return c->turn ? 0 : -ENOMEM;
}

void established_free(struct established *c)
{
	if (!c)
		return;
	if (c->turn)
		event_free(c->turn);
	conntrack_close(c->conntrack);
	affected_done(&c->changed);
	affected_done(&c->committed);
	affected_done(&c->running);
	addr_owners_done(&c->owners);
	free(c);
}
