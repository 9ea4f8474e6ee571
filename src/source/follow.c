/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/follow.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/intern.h"
#include "base/table.h"
#include "base/task.h"
#include "base/ways.h"
#include "source/paths.h"

#define DIR_EVENTS                                                                          \
	(IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB | \
	 IN_DELETE_SELF | IN_MOVE_SELF)

/* An object that has been told. */
struct told {
	enum kind kind;
	const char *ns, *file; /* interned; NULL: none */
	char *name;
	char *key;
	uint64_t load;     /* the last that had it */
	UT_hash_handle hh; /* by key */
};

struct follow {
	const char *const *paths;
	size_t n_paths;
	struct intern *strings;
	struct ways ways; /* to the paths, and where they lead */
	VEC(int) dirs;    /* watches of the directories in which all matters */
	char blind[256];  /* empty: all changes are seen */
	struct told *told;
	uint64_t loads;
	int64_t waiting_since_ms; /* for a file to settle; 0: not waiting */
};

/* What one load needs. */
struct load {
	struct follow *follow;
	event_fn fn;
	void *ctx;
};

int follow_new(const char *const paths[], size_t n_paths, struct intern *strings,
	       struct follow **ret_follow, struct err *err)
{
	struct follow *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->ways.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->ways.fd < 0) {
		int code = -errno;

		free(f);
		return err_set(err, code, "inotify: %s: manifests cannot be followed",
			       strerror(-code));
	}
	f->paths = paths;
	f->n_paths = n_paths;
	f->strings = strings;
	*ret_follow = f;
	return 0;
}

static void told_free(struct follow *f, struct told *told)
{
	HASH_DEL(f->told, told);
	intern_put(f->strings, told->ns);
	intern_put(f->strings, told->file);
	free(told->name);
	free(told->key);
	free(told);
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	while (f->told)
		told_free(f, f->told);
	(void)close(f->ways.fd);
	ways_done(&f->ways);
	vec_free(&f->dirs);
	free(f);
}

int follow_fd(const struct follow *f)
{
	return f->ways.fd;
}

const char *follow_blind(const struct follow *f)
{
	return f->blind[0] ? f->blind : NULL;
}

/* IN_IGNORED says that a watch has ended, which was told before. */
static bool concerns(const struct follow *f, const struct inotify_event *event)
{
	if ((event->mask & IN_Q_OVERFLOW) || ways_concern(&f->ways, event))
		return true;
	for (size_t i = 0; i < f->dirs.n; i++) {
		if (f->dirs.v[i] == event->wd)
			return !(event->mask & IN_IGNORED);
	}
	return false;
}

bool follow_drain(struct follow *f)
{
	_Alignas(struct inotify_event) char buf[16384];
	bool changed = false;
	ssize_t n;

	while ((n = read(f->ways.fd, buf, sizeof(buf))) > 0) {
		for (const char *p = buf; p < buf + n;) {
			const struct inotify_event *event = (const void *)p;

			changed = changed || concerns(f, event);
			p += sizeof(*event) + event->len;
		}
	}
	return changed;
}

static bool is_missing(int code)
{
	return code == ENOENT || code == ENOTDIR;
}

static void note_blind(struct follow *f, const char *path, int code)
{
	if (!is_missing(code))
		(void)snprintf(f->blind, sizeof(f->blind), "%.200s: %s", path, strerror(code));
}

/* All that happens in a directory matters. */
static int watch_dir(struct follow *f, const char *dir)
{
	int wd = inotify_add_watch(f->ways.fd, dir, DIR_EVENTS | IN_MASK_ADD);

	if (wd < 0)
		note_blind(f, dir, errno);
	return wd < 0 || vec_push(&f->dirs, wd) == 0 ? 0 : -ENOMEM;
}

/* Where a link leads, and the directory that it is in: what is behind it may be another link there,
 * as a mounted ConfigMap is swapped. */
static int add_link(struct follow *f, const char *path, struct manifest_paths *found)
{
	char real[PATH_MAX], *dir;
	const char *slash;
	struct stat st;
	int rc = 0;

	if (realpath(path, real) && strcmp(real, path) != 0)
		rc = ways_add(&f->ways, real);
	if (rc < 0 || lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
		return rc;
	slash = strrchr(path, '/');
	dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	if (dir && vec_push(&found->dirs, dir) == 0)
		return 0;
	free(dir);
	return -ENOMEM;
}

static void unwatch_all(struct follow *f)
{
	for (size_t i = 0; i < f->dirs.n; i++)
		(void)inotify_rm_watch(f->ways.fd, f->dirs.v[i]); /* gone is gone */
	f->dirs.n = 0;
	ways_unwatch(&f->ways);
	ways_done(&f->ways);
}

/* Every directory that was walked, and the way to each PATH. */
static int watch_all(struct follow *f, struct manifest_paths *found)
{
	int rc = 0;

	unwatch_all(f);
	f->blind[0] = '\0';
	for (size_t i = 0; i < f->n_paths && rc == 0; i++) {
		if (strcmp(f->paths[i], "-") == 0)
			continue;
		rc = ways_add(&f->ways, f->paths[i]);
		if (rc == 0)
			rc = add_link(f, f->paths[i], found);
	}
	if (rc < 0)
		return rc;
	rc = ways_watch(&f->ways);
	if (rc < 0)
		note_blind(f, f->paths[0], -rc);
	rc = 0;
	for (size_t i = 0; i < found->dirs.n && rc == 0; i++)
		rc = watch_dir(f, found->dirs.v[i]);
	return rc;
}

static struct told *find_told(struct follow *f, const struct object *object, char **ret_key)
{
	char name[OBJECT_NAME_MAX];
	struct told *told = NULL;

	if (asprintf(ret_key, "%d %s", (int)object->kind, object_name(object, name)) < 0) {
		*ret_key = NULL;
		return NULL;
	}
	HASH_FIND_STR(f->told, *ret_key, told);
	return told;
}

/* Takes the key. */
static struct told *add_told(struct follow *f, const struct object *object, char *key)
{
	struct told *told = calloc(1, sizeof(*told));

	if (told)
		told->name = strdup(object_own_name(object));
	if (told && told->name) {
		told->kind = object->kind;
		told->key = key;
		told->ns = intern_ref(object_ns(object));
		HASH_ADD_KEYPTR(hh, f->told, told->key, strlen(told->key), told);
		if (table_added(told))
			return told;
		intern_put(f->strings, told->ns);
	}
	if (told)
		free(told->name);
	free(told);
	free(key);
	return NULL;
}

static int note(struct follow *f, const struct object *object)
{
	const char *file = object_origin(object)->file;
	char *key;
	struct told *told = find_told(f, object, &key);

	if (!key)
		return -ENOMEM;
	if (told)
		free(key);
	else
		told = add_told(f, object, key);
	if (!told)
		return -ENOMEM;
	told->load = f->loads;
	if (told->file != file) {
		intern_put(f->strings, told->file);
		told->file = intern_ref(file);
	}
	return 0;
}

static int take_event(void *ctx, const struct event *event)
{
	struct load *load = ctx;

	if (event->type != EVENT_UPSERT)
		return 0; /* the end is told once what is gone has been */
	if (note(load->follow, &event->object) < 0) {
		object_free(load->follow->strings, event->object);
		return -ENOMEM;
	}
	return load->fn(load->ctx, event);
}

/* Is the file, or a directory that it stands in, one that could not be read? */
static bool is_unread(const struct faults *faults, const struct files_report *report,
		      const char *file)
{
	for (size_t i = 0; i < report->unrendered_files.n; i++) {
		if (strcmp(report->unrendered_files.v[i], file) == 0)
			return true;
	}
	for (size_t i = 0; i < faults->n; i++) {
		const char *bad = faults->v[i].file;
		size_t len = bad ? strlen(bad) : 0;

		task_step();
		if (faults->v[i].level == FAULT_ERROR && len > 0 && strncmp(file, bad, len) == 0 &&
		    (file[len] == '\0' || file[len] == '/' || bad[len - 1] == '/'))
			return true;
	}
	return faults->errors > faults->n; /* not all are listed */
}

static int tell_gone(struct load *load, struct told *told)
{
	struct follow *f = load->follow;
	struct event event = {.type = EVENT_DELETE};
	int rc = object_of_name(f->strings, told->kind, told->ns, told->name, &event.object);

	told_free(f, told);
	return rc == 0 ? load->fn(load->ctx, &event) : rc;
}

static int tell_all_gone(struct load *load, const struct faults *faults,
			 const struct files_report *report, size_t *ret_kept)
{
	struct follow *f = load->follow;
	struct told *told, *next;
	int rc = 0;

	*ret_kept = 0;
	for (told = f->told; told && rc == 0; told = next) {
		next = told->hh.next;
		task_step();
		if (told->load == f->loads)
			continue;
		if (told->file && is_unread(faults, report, told->file))
			++*ret_kept;
		else
			rc = tell_gone(load, told);
	}
	return rc;
}

/* Is a file in the middle of being written, as far as its age tells? */
static bool is_settling(struct follow *f, const struct manifest_paths *found)
{
	int64_t age_ms = clock_realtime_ms() - found->newest_ms;
	int64_t now = clock_monotonic_ms();

	if (f->loads == 0 || age_ms < 0 || age_ms >= FOLLOW_SETTLE_MS) {
		f->waiting_since_ms = 0;
		return false;
	}
	if (f->waiting_since_ms == 0)
		f->waiting_since_ms = now;
	if (now - f->waiting_since_ms < FOLLOW_PATIENCE_MS)
		return true;
	f->waiting_since_ms = 0;
	return false;
}

/* Watches are set before anything is read: what changes after that is noticed. */
static int look(struct follow *f)
{
	struct manifest_paths found = {0};
	struct faults unused = {0}; /* files_load() tells them again */
	int rc = manifest_paths_expand(f->paths, f->n_paths, &unused, &found);

	if (rc == 0) {
		rc = watch_all(f, &found);
		if (rc == 0 && is_settling(f, &found))
			rc = -EAGAIN;
	}
	manifest_paths_done(&found);
	faults_done(&unused);
	return rc;
}

int follow_load(struct follow *f, event_fn fn, void *ctx, struct faults *faults,
		struct files_report *report, size_t *ret_kept)
{
	struct load load = {.follow = f, .fn = fn, .ctx = ctx};
	int rc = look(f);

	if (rc < 0)
		return rc;
	f->loads++;
	rc = files_load(f->paths, f->n_paths, f->strings, take_event, &load, faults, report);
	if (rc == 0)
		rc = tell_all_gone(&load, faults, report, ret_kept);
	if (rc == 0 && f->loads == 1)
		rc = fn(ctx, &(struct event){.type = EVENT_SYNCED});
	return rc;
}
