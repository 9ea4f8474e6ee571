/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A watch is set before the next name is looked up: what appears in between is either found or
 * announced. It hears of everything then, and is narrowed when the next step is watched itself. */
#include "base/ways.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SELF_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define NEXT_EVENTS (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | SELF_EVENTS)

int ways_add(struct ways *ways, const char *path)
{
	char *copy = strdup(path);
	const char *p;
	size_t end;

	if (!copy || vec_push(&ways->paths, copy) < 0) {
		free(copy);
		return -ENOMEM;
	}
	p = copy + strspn(copy, "/");
	end = (size_t)(p - copy);
	for (;;) {
		struct way_step step = {
			.path = copy, .end = end, .next = p, .next_len = strcspn(p, "/"), .wd = -1};

		if (step.next_len == 0)
			step.next = NULL;
		if (vec_push(&ways->steps, step) < 0)
			return -ENOMEM;
		if (!step.next)
			return 0;
		end = (size_t)(p - copy) + step.next_len;
		p += step.next_len;
		p += strspn(p, "/");
	}
}

static const char *step_path(const struct way_step *step, char path[static PATH_MAX])
{
	if (step->end == 0)
		return ".";
	(void)snprintf(path, PATH_MAX, "%.*s", (int)step->end, step->path);
	return path;
}

/* All that may happen to the next name; of a file at the end of a way also that it was written.
 * IN_MASK_ADD, for ways cross. */
static int watch_all(const struct ways *ways, const struct way_step *step)
{
	char path[PATH_MAX];
	uint32_t events = step->next ? NEXT_EVENTS : SELF_EVENTS;

	if (step->next && !step->next[step->next_len + strspn(step->next + step->next_len, "/")])
		events |= IN_CLOSE_WRITE;
	return inotify_add_watch(ways->fd, step_path(step, path), events | IN_MASK_ADD);
}

static bool is_directory(const struct way_step *step)
{
	char path[PATH_MAX];
	struct stat st;

	return lstat(step_path(step, path), &st) == 0 && S_ISDIR(st.st_mode);
}

/* Only what is of no other step's concern. */
static void narrow(struct ways *ways, struct way_step *step)
{
	char path[PATH_MAX];
	int wd;

	for (size_t i = 0; i < ways->steps.n; i++) {
		const struct way_step *other = &ways->steps.v[i];

		if (other->wd == step->wd && other->next && !other->passed)
			return;
	}
	wd = inotify_add_watch(ways->fd, step_path(step, path), SELF_EVENTS);
	if (wd >= 0 && wd != step->wd) { /* replaced by now, and that has been told */
		(void)inotify_rm_watch(ways->fd, step->wd);
		step->wd = wd;
	}
}

/* A directory that one may pass and not read is left out. */
static int watch_way(struct ways *ways, size_t first, size_t *ret_next)
{
	size_t i = first;
	int rc = 0;
	bool ends = false;

	for (bool last = false; !last; i++) {
		struct way_step *step = &ways->steps.v[i];

		last = !step->next;
		if (ends)
			continue;
		step->wd = watch_all(ways, step);
		ends = step->wd < 0 && (errno == ENOENT || errno == ENOTDIR);
		if (!ends)
			rc = step->wd < 0 ? -errno : 0;
		if (step->wd >= 0 && i > first)
			step[-1].passed = is_directory(step);
	}
	*ret_next = i;
	return rc;
}

int ways_watch(struct ways *ways)
{
	int rc = 0;

	ways_unwatch(ways);
	for (size_t i = 0; i < ways->steps.n;) {
		int code = watch_way(ways, i, &i);

		rc = code < 0 ? code : rc;
	}
	for (size_t i = 0; i < ways->steps.n; i++) {
		if (ways->steps.v[i].wd >= 0 && ways->steps.v[i].passed)
			narrow(ways, &ways->steps.v[i]);
	}
	return rc;
}

void ways_unwatch(struct ways *ways)
{
	for (size_t i = 0; i < ways->steps.n; i++) {
		struct way_step *step = &ways->steps.v[i];

		if (step->wd >= 0)
			(void)inotify_rm_watch(ways->fd, step->wd); /* gone is gone */
		step->wd = -1;
		step->passed = false;
	}
}

bool ways_concern(const struct ways *ways, const struct inotify_event *event)
{
	if (event->mask & IN_IGNORED)
		return false;
	for (size_t i = 0; i < ways->steps.n; i++) {
		const struct way_step *step = &ways->steps.v[i];

		if (step->wd != event->wd)
			continue;
		if (event->len == 0 || (step->next && strlen(event->name) == step->next_len &&
					memcmp(event->name, step->next, step->next_len) == 0))
			return true;
	}
	return false;
}

void ways_done(struct ways *ways)
{
	for (size_t i = 0; i < ways->paths.n; i++)
		free(ways->paths.v[i]);
	vec_free(&ways->paths);
	vec_free(&ways->steps);
}
