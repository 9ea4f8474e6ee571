/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node/cni_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/table.h"
#include "base/task.h"
#include "base/ways.h"

/* Beyond CNI_RESULTS_MAX files the rest is left out, until there is room for so many. */
#define ROOM (CNI_RESULTS_MAX / 16)

/* More files than this that cannot be read are not named. */
#define COMPLAINTS_MAX 20

#define DIR_EVENTS                                                                               \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | \
	 IN_MOVE_SELF | IN_ONLYDIR)

/* A file: its result, or what was wrong with it, said. */
struct entry {
	char *file;
	struct cni_result *result; /* NULL: not read */
	bool seen;                 /* by the scan that is going on */
	UT_hash_handle hh;
};

struct cni_dir {
	char *path;
	struct ways ways; /* to the directory */
	int wd;           /* its own; -1: it is not there */
	struct entry *entries;
	unsigned complaints;
	bool optional, said_missing, said_full;
	bool left_out; /* a file, for want of room */
	bool rescan;   /* watches and files, all anew */
	bool changed;
};

static void drop_entry(struct cni_dir *dir, struct entry *entry)
{
	if (entry->result)
		dir->changed = true;
	HASH_DEL(dir->entries, entry);
	cni_result_put(entry->result);
	free(entry->file);
	free(entry);
}

static struct entry *find_entry(const struct cni_dir *dir, const char *file)
{
	struct entry *entry;

	HASH_FIND_STR(dir->entries, file, entry);
	return entry;
}

static void forget_file(struct cni_dir *dir, const char *file)
{
	struct entry *entry = find_entry(dir, file);

	if (entry)
		drop_entry(dir, entry);
}

static struct entry *add_entry(struct cni_dir *dir, const char *file)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->file = strdup(file);
	if (entry->file)
		HASH_ADD_KEYPTR(hh, dir->entries, entry->file, strlen(entry->file), entry);
	if (entry->file && table_added(entry))
		return entry;
	free(entry->file);
	free(entry);
	return NULL;
}

/* Container runtimes make the directory and the files root's alone. */
static const char *needed(int code)
{
	return code == EACCES ? ": CAP_DAC_READ_SEARCH is needed" : "";
}

static void complain(struct cni_dir *dir, const char *file, const char *text)
{
	if (dir->complaints == COMPLAINTS_MAX)
		log_warning("node", "%s: further files that cannot be read are not named",
			    dir->path);
	else if (dir->complaints < COMPLAINTS_MAX)
		log_warning("node", "%s/%s: %s; ignoring it until it changes", dir->path, file,
			    text);
	dir->complaints += dir->complaints <= COMPLAINTS_MAX;
}

/* 0 with an open file; -ENOENT: gone; -EINVAL with err. */
static int open_file(const struct cni_dir *dir, const char *file, int *ret_fd, struct stat *ret_st,
		     struct err *err)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir->path, file);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 && errno != ELOOP)
		return err_set(err, -EINVAL, "%s%s", strerror(errno), needed(errno));
	if (fd < 0 || fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode))
		return err_set(err, -EINVAL, "no regular file");
	if (ret_st->st_size > CNI_FILE_MAX)
		return err_set(err, -EINVAL, "larger than %d bytes", CNI_FILE_MAX);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Names that end in "-lo" are loopbacks, of which there may be thousands; they are not even opened.
 */
static bool may_be_result(const char *file)
{
	size_t len = strlen(file);

	return file[0] != '.' && !(len > 3 && strcmp(file + len - 3, "-lo") == 0);
}

/* 0 with *ret_result, or as cni_parse(). */
static int read_result(const struct cni_dir *dir, const char *file, struct cni_result **ret_result,
		       struct err *err)
{
	size_t len = 0;
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = NULL;
	struct stat st;
	ssize_t n = 1;
	int rc = open_file(dir, file, &fd, &st, err);

	if (rc < 0)
		return rc;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	for (; n > 0 && len<(size_t)st.st_size; len += n> 0 ? (size_t)n : 0)
		n = read(fd, text + len, (size_t)st.st_size - len);
	if (n < 0)
		return err_set(err, -EINVAL, "%s", strerror(errno));
	return cni_parse(file, text, len, &st.st_mtim, ret_result, err);
}

static bool is_full(struct cni_dir *dir)
{
	if (HASH_COUNT(dir->entries) < CNI_RESULTS_MAX)
		return false;
	if (!dir->said_full)
		log_warning("node",
			    "%s: more than %d files, ignoring the rest; remove those of pods that "
			    "are gone",
			    dir->path, CNI_RESULTS_MAX);
	dir->said_full = dir->left_out = true;
	return true;
}

static void set_result(struct cni_dir *dir, struct entry *entry, struct cni_result *result)
{
	entry->seen = true;
	if (entry->result && result && cni_result_equal(entry->result, result)) {
		cni_result_put(result); /* who compares pointers sees no change */
		return;
	}
	dir->changed |= entry->result || result;
	cni_result_put(entry->result);
	entry->result = result;
}

/* 0 or -ENOMEM, with everything as it was. */
static int take_file(struct cni_dir *dir, const char *file)
{
	struct entry *entry = find_entry(dir, file);
	struct cni_result *result = NULL;
	struct err err = {0};
	bool known_bad = entry && !entry->result;
	int rc;

	if (!may_be_result(file) || (!entry && is_full(dir)))
		return 0;
	rc = read_result(dir, file, &result, &err);
	if (rc == -ENOMEM)
		return rc;
	if (rc == -ENOENT) {
		forget_file(dir, file);
		return 0;
	}
	if (!entry)
		entry = add_entry(dir, file);
	if (!entry) {
		cni_result_put(result);
		return -ENOMEM;
	}
	if (rc < 0 && !known_bad)
		complain(dir, file, err.text);
	set_result(dir, entry, result);
	return 0;
}

static void say_missing(struct cni_dir *dir, int code)
{
	if (dir->said_missing || (dir->optional && code == ENOENT))
		return;
	dir->said_missing = true;
	if (code == ENOENT)
		log_notice("node", "%s: not there yet; pods are found by routes until it is",
			   dir->path);
	else
		log_warning("node", "%s: %s%s; ignoring it, pods are found by routes only",
			    dir->path, strerror(code), needed(code));
}

/* What was there and is no more. */
static void drop_unseen(struct cni_dir *dir)
{
	struct entry *entry, *next;

	HASH_ITER (hh, dir->entries, entry, next) {
		if (!entry->seen)
			drop_entry(dir, entry);
	}
}

static int scan(struct cni_dir *dir)
{
	struct entry *entry, *next;
	DIR *stream = opendir(dir->path);
	int code = errno, rc = 0;

	HASH_ITER (hh, dir->entries, entry, next)
		entry->seen = false;
	if (stream) {
		const struct dirent *item;

		dir->said_missing = false;
		while (rc == 0 && (item = readdir(stream))) {
			rc = item->d_name[0] == '.' ? 0 : take_file(dir, item->d_name);
			task_yield();
		}
		(void)closedir(stream); /* it was only read */
	} else {
		say_missing(dir, code);
	}
	if (rc == 0)
		drop_unseen(dir);
	return rc;
}

static void watch(struct cni_dir *dir)
{
	int rc = ways_watch(&dir->ways);

	dir->wd = inotify_add_watch(dir->ways.fd, dir->path, DIR_EVENTS | IN_MASK_ADD);
	if (rc == -ENOSPC || (dir->wd < 0 && errno == ENOSPC))
		log_warning("node",
			    "%s: cannot be followed, the system's inotify watches are used up: "
			    "raise fs.inotify.max_user_watches",
			    dir->path);
}

static int rescan(struct cni_dir *dir)
{
	int rc;

	watch(dir);
	dir->left_out = false;
	rc = scan(dir);
	dir->said_full = dir->left_out;
	dir->rescan = rc < 0;
	return rc;
}

static int take_dir_event(struct cni_dir *dir, const struct inotify_event *event)
{
	if (event->len == 0) { /* the directory itself */
		dir->rescan = true;
		return 0;
	}
	if (event->mask & (IN_DELETE | IN_MOVED_FROM)) {
		forget_file(dir, event->name);
		return 0;
	}
	return take_file(dir, event->name);
}

static int take_event(struct cni_dir *dir, const struct inotify_event *event)
{
	if ((event->mask & IN_Q_OVERFLOW) || ways_concern(&dir->ways, event))
		dir->rescan = true;
	if (dir->rescan || event->wd != dir->wd || (event->mask & IN_IGNORED))
		return 0;
	return take_dir_event(dir, event);
}

int cni_dir_read(struct cni_dir *dir, bool *ret_changed)
{
	_Alignas(struct inotify_event) char buffer[16384];
	ssize_t n;
	int rc = 0;

	while ((n = read(dir->ways.fd, buffer, sizeof(buffer))) > 0) {
		for (const char *p = buffer; p < buffer + n;) {
			const struct inotify_event *event = (const struct inotify_event *)p;

			if (take_event(dir, event) < 0)
				dir->rescan =
					true; /* of what was read, nothing can be read again */
			p += sizeof(*event) + event->len;
			task_yield();
		}
	}
	if (dir->left_out && HASH_COUNT(dir->entries) <= CNI_RESULTS_MAX - ROOM)
		dir->rescan = true;
	if (dir->rescan)
		rc = rescan(dir);
	if (dir->changed)
		*ret_changed = true;
	dir->changed = false;
	return rc;
}

struct cni_result *cni_dir_next(const struct cni_dir *dir, const struct cni_result *previous)
{
	const struct entry *entry =
		previous ? find_entry(dir, previous->file)->hh.next : dir->entries;

	while (entry && !entry->result)
		entry = entry->hh.next;
	return entry ? entry->result : NULL;
}

int cni_dir_fd(const struct cni_dir *dir)
{
	return dir->ways.fd;
}

void cni_dir_close(struct cni_dir *dir)
{
	struct entry *entry, *next;

	if (!dir)
		return;
	HASH_ITER (hh, dir->entries, entry, next)
		drop_entry(dir, entry);
	if (dir->ways.fd >= 0)
		(void)close(dir->ways.fd); /* nothing to lose */
	ways_done(&dir->ways);
	free(dir->path);
	free(dir);
}

static int open_inotify(struct cni_dir *dir, struct err *err)
{
	dir->ways.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (dir->ways.fd >= 0)
		return 0;
	if (errno == EMFILE)
		return err_set(err, -EMFILE,
			       "no inotify instance is left for this user: raise "
			       "fs.inotify.max_user_instances");
	return err_set(err, -errno, "cannot open inotify: %s", strerror(errno));
}

int cni_dir_open(const char *path, bool optional, struct cni_dir **ret_dir, struct err *err)
{
	struct cni_dir *dir;
	int rc;

	if (strlen(path) + NAME_MAX + 2 > PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%.64s...: too long for a path", path);
	dir = calloc(1, sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	dir->ways.fd = dir->wd = -1;
	dir->optional = optional;
	dir->path = strdup(path);
	rc = dir->path ? ways_add(&dir->ways, path) : -ENOMEM;
	if (rc == 0)
		rc = open_inotify(dir, err);
	if (rc == 0)
		rc = rescan(dir);
	if (rc < 0) {
		cni_dir_close(dir);
		return rc;
	}
	dir->changed = false;
	*ret_dir = dir;
	return 0;
}
