/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the kernel is brought up to date: the first change at once, then not more often than the
 * interval, as every commit restarts other people's listings; after a failure later and later. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "daemon/notify.h"
#include "established.h"
#include "internal.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS   30000

/* Somebody who changes our tables all the time is not answered each time. */
#define REPAIR_SPACING_MS 20

static int64_t retry_ms(unsigned failures)
{
	int64_t ms = RETRY_FIRST_MS;

	while (--failures > 0 && ms < RETRY_MAX_MS)
		ms *= 2;
	return ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

static void log_commit(const struct daemon *d)
{
	struct graph_counts counts = graph_counts(d->graph);

	log_debug("nft", "committed in %" PRIu64 " us: pods %zu", d->apply.last_us,
		  counts.endpoints);
}

static void become_ready(struct daemon *d)
{
	struct graph_counts counts = graph_counts(d->graph);

	log_notice(
		"netpold",
		"the kernel is up to date: pods here %zu, isolated for ingress %zu, for egress %zu",
		counts.endpoints, counts.isolated[DIR_INGRESS], counts.isolated[DIR_EGRESS]);
	look_at_host(d); /* first: nobody is told that all is well before */
	d->ready = true;
	state_committed(d);
	notify_send("READY=1\nSTATUS=Enforcing");
}

static void follow_up_failure(struct daemon *d, int rc, const struct err *err)
{
	int64_t ms = retry_ms(++d->failures_in_row);

	(void)state_commit_failed(d, rc == -ENOMEM ? "out of memory" : err->text); /* logged here */
	log_err("nft",
		"%s: what was enforced before stays; trying again in %" PRId64 ".%" PRId64 " s",
		rc == -ENOMEM ? "out of memory" : err->text, ms / 1000, ms % 1000 / 100);
	arm(d->commit, ms);
}

/* Somebody else has written to our tables: that is put right before the interval is over. */
static void on_touched(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	struct nft_touch touch = {0};
	int rc = nft_watch_read(&d->apply.watch, &touch);

	(void)fd;
	(void)what;
	if (rc < 0)
		log_warning("nft", "cannot hear of changes to our tables: %s", strerror(-rc));
	if (rc == 0 && !touch.touched)
		return;
	apply_doubt(&d->apply);
	d->dirty = d->dirty_since = true;
	d->touched = d->touched_since = true;
	if (rc == 0 && d->ready)
		log_warning("nft", "%s%s%s: putting it right",
			    touch.what[0] ? touch.what : "a change to our tables",
			    touch.name[0] ? ", by " : "", touch.name);
	if (d->synced)
		arm(d->commit, clock_monotonic_ms() - d->repaired_ms < REPAIR_SPACING_MS
				       ? REPAIR_SPACING_MS
				       : 0);
}

/* Does anything speak of this node? */
static bool knows_node(const struct daemon *d)
{
	return !d->node || d->local || graph_find_node(d->graph, d->node);
}

/* The input has faults, or knows nothing of this node, and the kernel still has what an earlier run
 * understood: that stays, as it may be more than what can be understood now. */
static int hold(struct daemon *d, bool *ret_hold)
{
	struct err err = {0};
	bool found = false, known = knows_node(d);
	int rc = 0;

	*ret_hold = false;
	if (d->ready || (d->errors == 0 && known))
		return 0;
	rc = apply_finds_tables(&d->apply, &found, &err);
	if (rc < 0) {
		follow_up_failure(d, rc, &err);
		return rc;
	}
	if (!known && !d->held)
		log_err("netpold",
			"node %s: no such node, and no pod of it, is known: nothing is enforced "
			"for it; "
			"expected --node to be a name of `kubectl get nodes`",
			d->node);
	if (found && !d->held)
		log_err("netpold", "the rules of an earlier run stay as they are until %s",
			known ? "the faults in the manifests are mended" : "this node is known");
	*ret_hold = d->held = found;
	return 0;
}

/* The kernel has everything that there was when the commit began. What came before it had
 * everything once waited for all the sources. */
static void note_latency(struct daemon *d, bool changed)
{
	if (changed && d->ready && d->waiting_us > 0)
		histogram_observe(&d->latency, (uint64_t)(clock_monotonic_us() - d->waiting_us));
	d->waiting_us = d->dirty_since ? d->arrived_us : 0;
}

int flush_policies(struct daemon *d)
{
	int rc;

	if (!graph_is_held(d->graph))
		return 0;
	change_begin(d);
	rc = graph_flush(d->graph);
	change_end(d);
	return rc;
}

int reconcile_now(struct daemon *d)
{
	bool held;
	struct err err = {0};
	bool changed = false;
	int rc;

	if (flush_policies(d) < 0 || unknown_close(d) < 0 ||
	    established_error(d->established) < 0 || render_error(d->render) < 0) {
		daemon_give_up(d);
		return -ENOMEM;
	}
	rc = hold(d, &held);
	if (rc < 0 || held)
		return rc < 0 ? rc : -EBUSY;
	/* What is sent stays as it is, also when an answer lets go of what it has built. */
	graph_forget(d->graph);
	d->dirty_since = d->touched_since = false;
	rc = apply_commit(&d->apply, &changed, &err);
	d->rules_changed |= changed || rc < 0;
	d->last_commit_ms = clock_monotonic_ms();
	kernel_features_tell(d, rc);
	if (rc < 0) {
		follow_up_failure(d, rc, &err);
		return rc;
	}
	if (d->failures_in_row > 0)
		log_notice("nft", "the kernel is up to date again");
	if (d->ready)
		state_committed(d);
	d->failures_in_row = 0;
	note_latency(d, changed);
	table_owner_check(d);
	closed_tell(d);
	task_yield();
	conditions_check(d);
	task_yield();
	interfaces_check(d);
	contested_check(d);
	d->dirty =
		d->dirty_since; /* whoever hears that all is up to date finds this said as well */
	if (changed)
		log_commit(d);
	if (d->touched && changed) {
		d->apply.repairs++;
		d->repaired_ms = d->last_commit_ms;
		log_notice("nft", "our tables are as they should be again");
	}
	d->rules_absent |= d->touched && changed;
	d->touched = d->touched_since;
	if (!d->ready)
		become_ready(d);
	if (!d->dirty) {
		established_committed(d->established, d->rules_absent    ? ESTABLISHED_ABSENT
						      : d->rules_changed ? ESTABLISHED_CHANGED
									 : ESTABLISHED_SAME);
		d->rules_absent = d->rules_changed = false;
	}
	enforced_check(d);
	pod_networks_save(d);
	if (d->apply.missed) {
		d->arrived_us = clock_monotonic_us();
		reconcile_soon(d);
	}
	return 0;
}

static void run_commit(struct daemon *d, struct job *job)
{
	(void)job;
	if (d->dirty)
		(void)reconcile_now(d); /* it arms itself again */
}

static void run_established(struct daemon *d, struct job *job)
{
	int rc = established_render(d->established);

	(void)job;
	if (rc < 0)
		daemon_give_up(d);
	else if (rc > 0)
		reconcile_soon(d);
}

void reconcile_established(void *daemon)
{
	struct daemon *d = daemon;

	d->established_job.run = run_established;
	work_add(d, &d->established_job);
}

static void on_commit(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)fd;
	(void)what;
	work_add(d, &d->commit_job);
}

void change_begin(struct daemon *d)
{
	d->changing = true;
	established_pause(d->established, true);
	d->dirty = d->dirty_since = true;
}

void change_end(struct daemon *d)
{
	d->changing = false;
	established_pause(d->established, false);
}

static void note_change(struct daemon *d)
{
	d->dirty = d->dirty_since = true;
	if (d->waiting_us == 0)
		d->waiting_us = d->arrived_us;
}

void reconcile_soon(struct daemon *d)
{
	int64_t due_ms;

	note_change(d);
	if (!d->synced || !d->can_apply || evtimer_pending(d->commit, NULL))
		return;
	due_ms =
		d->last_commit_ms + (int64_t)d->settings->commit_interval_ms - clock_monotonic_ms();
	arm(d->commit, d->ready && due_ms > 0 ? due_ms : 0);
}

void reconcile_urgent(struct daemon *d)
{
	note_change(d);
	if (d->synced && d->can_apply && d->failures_in_row == 0)
		arm(d->commit, 0);
}

int reconcile_start(struct daemon *d)
{
	d->commit_job.run = run_commit;
	d->commit = evtimer_new(d->base, on_commit, d);
	d->touches = event_new(d->base, nft_watch_fd(&d->apply.watch), EV_READ | EV_PERSIST,
			       on_touched, d);
	return d->commit && d->touches && event_add(d->touches, NULL) == 0 ? 0 : -ENOMEM;
}

void reconcile_stop(struct daemon *d)
{
	if (d->commit)
		event_free(d->commit);
	if (d->touches)
		event_free(d->touches);
}
