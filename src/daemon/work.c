/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work that may take long, one job after the other on a task: what sources tell, reading manifests,
 * commits. A job that gives way goes on in the next iteration of the loop, and no other begins
 * before it is through. So nobody else sees a change by halves: the graph changes in jobs alone,
 * and while a commit is on its way to the kernel in parts nothing is changed of what it sends.
 * What comes meanwhile waits its turn. */
#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/task.h"
#include "internal.h"

/* In one iteration; what cannot be divided (a transaction, a document's scalar) comes on top. */
#define SLICE_US 8000

/* Beyond so many jobs an API server is not listened to, until there are fewer. */
#define JOBS_MAX    256
#define JOBS_RESUME 64

struct work {
	struct daemon *d;
	struct task *task;
	struct event *more;
	struct job *jobs;
	size_t n;
	bool running; /* now, further up the stack */
	bool halfway; /* through a job */
	bool ending, api_waits;
};

static void run_jobs(void *ctx)
{
	struct work *w = ctx;

	while (!w->ending) {
		struct job *job = w->jobs;

		if (!job) {
			task_pause();
			continue;
		}
		DL_DELETE(w->jobs, job);
		w->n--;
		job->waiting = false;
		w->halfway = true;
		job->run(w->d, job);
		w->halfway = false;
		task_yield();
	}
}

static void hold_api(struct work *w)
{
	bool waits = w->n > (w->api_waits ? JOBS_RESUME : JOBS_MAX);

	if (!w->d->api || waits == w->api_waits)
		return;
	w->api_waits = waits;
	api_source_pause(w->d->api, waits);
}

static void run_slice(struct work *w, int64_t slice_us)
{
	w->running = true;
	task_run(w->task, slice_us);
	w->running = false;
	if (w->halfway || w->jobs)
		arm(w->more, 0);
}

static void on_more(evutil_socket_t fd, short what, void *ctx)
{
	struct work *w = ctx;

	(void)fd;
	(void)what;
	run_slice(w, SLICE_US);
	hold_api(w);
}

int work_start(struct daemon *d)
{
	struct work *w = calloc(1, sizeof(*w));

	d->work = w;
	if (!w || task_new(run_jobs, w, &w->task) < 0)
		return -ENOMEM;
	w->d = d;
	w->more = evtimer_new(d->base, on_more, w);
	return w->more ? 0 : -ENOMEM;
}

void work_stop(struct daemon *d)
{
	struct work *w = d->work;
	struct job *job, *next;

	if (!w)
		return;
	w->ending = true;
	if (w->halfway)
		task_run(w->task, TASK_NO_LIMIT);
	DL_FOREACH_SAFE (w->jobs, job, next) {
		if (job->drop)
			job->drop(d, job);
	}
	if (w->more)
		event_free(w->more);
	task_free(w->task);
	free(w);
	d->work = NULL;
}

bool work_waits(const struct daemon *d)
{
	return d->work && (d->work->running || d->work->halfway || d->work->jobs);
}

void work_add(struct daemon *d, struct job *job)
{
	struct work *w = d->work;

	if (!w) { /* --once */
		job->run(d, job);
		return;
	}
	if (job->waiting)
		return;
	job->waiting = true;
	DL_APPEND(w->jobs, job);
	w->n++;
	if (!w->running && !w->halfway && w->n == 1)
		run_slice(w, SLICE_US);
	else
		hold_api(w);
}
