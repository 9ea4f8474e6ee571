/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manifests, read again whenever they may have changed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "internal.h"

/* An editor's save is several changes: the reading waits until it is over. */
#define QUIET_MS 50
/* What changes all the time is read all the same. */
#define QUIET_MAX_MS 1000

static int handle_event(struct daemon *d, const struct event *event)
{
	switch (event->type) {
	case EVENT_UPSERT:
	case EVENT_BROKEN: /* files tell what is wrong as faults */
		return local_put(d, event->object);
	case EVENT_DELETE:
		return local_remove(d, event->object);
	case EVENT_SYNCED:
		d->synced = true;
		return graph_sync(d->graph);
	}
	return 0;
}

static int take_event(void *ctx, const struct event *event)
{
	struct daemon *d = ctx;
	int rc;

	change_begin(d);
	rc = handle_event(d, event);
	change_end(d);
	task_yield();
	return rc;
}

static void report(struct daemon *d, struct faults *faults)
{
	size_t n = 0;

	for (int kind = 0; kind < KIND_COUNT; kind++)
		n += d->report.objects[kind];
	faults->colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
	faults_print(faults, stderr);
	for (size_t i = 0; i < d->report.unenforced.n; i++)
		log_warning("files",
			    "%s %s (%s:%u): not enforced: only NetworkPolicy of "
			    "networking.k8s.io/v1 is",
			    d->report.unenforced.v[i].kind, d->report.unenforced.v[i].name,
			    d->report.unenforced.v[i].file, d->report.unenforced.v[i].line);
	if (d->kept > 0)
		log_warning("files",
			    "what cannot be read is enforced as it was before: objects kept %zu",
			    d->kept);
	if (follow_blind(d->follow))
		log_warning("files", "changes are not noticed, SIGHUP reads again: %s",
			    follow_blind(d->follow));
	log_notice("files", "read: files %zu, objects %zu, errors %zu, warnings %zu",
		   d->report.files, n, d->errors, d->warnings);
}

/* Reads them now. 0; -EAGAIN: one is being written; -ENOMEM. */
static int files_read(struct daemon *d)
{
	struct faults faults = {0};
	struct files_report read = {.strict = d->settings->strict, .rereads = d->work != NULL};
	int rc = follow_load(d->follow, take_event, d, &faults, &read, &d->kept);

	if (rc == 0) {
		files_report_done(d->strings, &d->report);
		d->report = read;
		d->errors = faults.errors;
		d->warnings = faults.warnings;
		d->read_ms = clock_realtime_ms();
		report(d, &faults);
		d->arrived_us = d->reading_us;
		reconcile_soon(d);
	} else {
		files_report_done(d->strings, &read);
	}
	faults_done(&faults);
	return rc;
}

static void run_read(struct daemon *d, struct job *job)
{
	int64_t unread_us = d->unread_us;
	int rc;

	(void)job;
	d->reading_us = unread_us ? unread_us : clock_monotonic_us();
	d->changed_since_ms = d->unread_us = 0; /* what changes from here on is read again */
	rc = files_read(d);
	if (rc == -EAGAIN) {
		d->unread_us = unread_us;
		arm(d->read_files, FOLLOW_SETTLE_MS);
	} else if (rc < 0) {
		daemon_give_up(d);
	}
}

static void on_read(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)fd;
	(void)what;
	work_add(d, &d->files_job);
}

static void on_changed(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	int64_t now = clock_monotonic_ms();

	(void)fd;
	(void)what;
	if (!follow_drain(d->follow))
		return;
	if (d->changed_since_ms == 0)
		d->changed_since_ms = now;
	if (d->unread_us == 0)
		d->unread_us = clock_monotonic_us();
	if (now - d->changed_since_ms < QUIET_MAX_MS || !evtimer_pending(d->read_files, NULL))
		arm(d->read_files, QUIET_MS);
}

int files_start(struct daemon *d)
{
	struct err err = {0};
	int rc = follow_new((const char *const *)d->settings->manifests.v, d->settings->manifests.n,
			    d->strings, &d->follow, &err);

	if (rc < 0) {
		log_err("files", "%s", rc == -ENOMEM ? "out of memory" : err.text);
		return rc;
	}
	d->read_files = evtimer_new(d->base, on_read, d);
	d->files_changed =
		event_new(d->base, follow_fd(d->follow), EV_READ | EV_PERSIST, on_changed, d);
	if (!d->read_files || !d->files_changed || event_add(d->files_changed, NULL) < 0)
		return -ENOMEM;
	d->files_job.run = run_read;
	if (!d->work) {
		d->reading_us = clock_monotonic_us();
		return files_read(d);
	}
	arm(d->read_files, 0);
	return 0;
}

void files_stop(struct daemon *d)
{
	if (d->files_changed)
		event_free(d->files_changed);
	if (d->read_files)
		event_free(d->read_files);
	follow_free(d->follow);
	files_report_done(d->strings, &d->report);
}
