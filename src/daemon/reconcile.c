/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the kernel is brought up to date: the first change at once, then not more often than the
 * interval, as every commit restarts other people's listings; after a failure later and later. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/notify.h"
#include "internal.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS   30000

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

	d->ready = true;
	log_notice(
		"netpold",
		"the kernel is up to date: pods here %zu, isolated for ingress %zu, for egress %zu",
		counts.endpoints, counts.isolated[DIR_INGRESS], counts.isolated[DIR_EGRESS]);
	notify_send("READY=1\nSTATUS=Enforcing");
}

static void follow_up_failure(struct daemon *d, int rc, const struct err *err)
{
	int64_t ms = retry_ms(++d->failures_in_row);

	log_err("nft",
		"%s: what was enforced before stays; trying again in %" PRId64 ".%" PRId64 " s",
		rc == -ENOMEM ? "out of memory" : err->text, ms / 1000, ms % 1000 / 100);
	arm(d->commit, ms);
}

int reconcile_now(struct daemon *d)
{
	struct err err = {0};
	bool changed = false;
	int rc;

	if (render_settle(d->render) < 0) {
		daemon_give_up(d);
		return -ENOMEM;
	}
	rc = apply_commit(&d->apply, &changed, &err);
	d->last_commit_ms = monotonic_ms();
	if (rc < 0) {
		follow_up_failure(d, rc, &err);
		return rc;
	}
	if (d->failures_in_row > 0)
		log_notice("nft", "the kernel is up to date again");
	d->failures_in_row = 0;
	d->dirty = false;
	if (changed)
		log_commit(d);
	if (!d->ready)
		become_ready(d);
	return 0;
}

static void on_commit(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)fd;
	(void)what;
	if (d->dirty)
		(void)reconcile_now(d); /* it arms itself again */
}

void reconcile_soon(struct daemon *d)
{
	int64_t due_ms;

	d->dirty = true;
	if (!d->synced || !d->can_apply || evtimer_pending(d->commit, NULL))
		return;
	due_ms = d->last_commit_ms + (int64_t)d->settings->commit_interval_ms - monotonic_ms();
	arm(d->commit, d->ready && due_ms > 0 ? due_ms : 0);
}

int reconcile_start(struct daemon *d)
{
	d->commit = evtimer_new(d->base, on_commit, d);
	return d->commit ? 0 : -ENOMEM;
}

void reconcile_stop(struct daemon *d)
{
	if (d->commit)
		event_free(d->commit);
}
