/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/task.h"
#include "source/files.h"

static void fault(struct faults *faults, const char *path, const char *what)
{
	faults_add(faults, FAULT_ERROR, &(struct fault_place){.file = path}, "%s", what);
}

static bool is_manifest_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot &&
	       (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

static int add(struct manifest_paths *ret, const char *path, const struct stat *st)
{
	struct manifest_path entry = {.path = strdup(path), .dev = st->st_dev, .ino = st->st_ino};
	int64_t changed_ms =
		(int64_t)st->st_mtim.tv_sec * 1000 + (int64_t)st->st_mtim.tv_nsec / 1000000;

	task_step();
	if (changed_ms > ret->newest_ms)
		ret->newest_ms = changed_ms;
	if (entry.path && vec_push(&ret->all, entry) == 0)
		return 0;
	free(entry.path);
	return -ENOMEM;
}

static int walk(const char *dir, unsigned depth, struct faults *faults, struct manifest_paths *ret);

static int walk_entry(const char *dir, const char *name, unsigned depth, struct faults *faults,
		      struct manifest_paths *ret)
{
	AUTO_FREE char *path = NULL;
	struct stat st;
	size_t len = strlen(dir);

	if (asprintf(&path, "%s%s%s", dir, len > 0 && dir[len - 1] == '/' ? "" : "/", name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (lstat(path, &st) < 0)
		return 0; /* gone since it was listed */
	if (S_ISDIR(st.st_mode))
		return walk(path, depth + 1, faults, ret);
	if (!is_manifest_name(name))
		return 0;
	if (stat(path, &st) < 0) {
		fault(faults, path, strerror(errno));
		return 0;
	}
	return S_ISREG(st.st_mode) ? add(ret, path, &st) : 0;
}

static int walk(const char *dir, unsigned depth, struct faults *faults, struct manifest_paths *ret)
{
	if (depth > FILES_DEPTH_MAX) {
		fault(faults, dir, "directories nested too deeply");
		return 0;
	}
	char *copy = strdup(dir);
	if (!copy || vec_push(&ret->dirs, copy) < 0) {
		free(copy);
		return -ENOMEM;
	}
	DIR *stream = opendir(dir);
	if (!stream) {
		fault(faults, dir, strerror(errno));
		return 0;
	}

	const struct dirent *entry;
	int rc = 0;
	while (rc == 0 && (entry = readdir(stream))) {
		if (entry->d_name[0] != '.')
			rc = walk_entry(dir, entry->d_name, depth, faults, ret);
	}
	closedir(stream);
	return rc;
}

static int expand_one(const char *path, struct faults *faults, struct manifest_paths *ret)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		return fstat(STDIN_FILENO, &st) == 0 ? add(ret, path, &st)
						     : add(ret, path, &(struct stat){0});
	if (stat(path, &st) < 0) {
		fault(faults, path, strerror(errno));
		return 0;
	}
	if (!S_ISDIR(st.st_mode))
		return add(ret, path, &st);
	size_t before = ret->all.n;
	int rc = walk(path, 0, faults, ret);
	if (rc == 0 && ret->all.n == before)
		faults_add(faults, FAULT_WARNING, &(struct fault_place){.file = path},
			   "no manifests in here: expected *.yaml, *.yml or *.json");
	return rc;
}

static int compare_path(const void *a, const void *b)
{
	task_step();
	return strcmp(((const struct manifest_path *)a)->path,
		      ((const struct manifest_path *)b)->path);
}

/* The first of its name among those of one file. */
static int compare_file(const void *left, const void *right)
{
	const struct manifest_path *a = left, *b = right;

	task_step();
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	return strcmp(a->path, b->path);
}

int manifest_paths_expand(const char *const paths[], size_t n_paths, struct faults *faults,
			  struct manifest_paths *ret)
{
	int rc = 0;
	size_t kept = 0;

	for (size_t i = 0; i < n_paths && rc == 0; i++)
		rc = expand_one(paths[i], faults, ret);
	if (rc < 0 || ret->all.n == 0)
		return rc;

	qsort(ret->all.v, ret->all.n, sizeof(ret->all.v[0]), compare_file);
	for (size_t i = 0; i < ret->all.n; i++) {
		struct manifest_path *entry = &ret->all.v[i];

		if (kept > 0 && ret->all.v[kept - 1].dev == entry->dev &&
		    ret->all.v[kept - 1].ino == entry->ino)
			free(entry->path);
		else
			ret->all.v[kept++] = *entry;
	}
	ret->all.n = kept;
	qsort(ret->all.v, ret->all.n, sizeof(ret->all.v[0]), compare_path);
	return 0;
}

void manifest_paths_done(struct manifest_paths *paths)
{
	for (size_t i = 0; i < paths->all.n; i++)
		free(paths->all.v[i].path);
	vec_free(&paths->all);
	for (size_t i = 0; i < paths->dirs.n; i++)
		free(paths->dirs.v[i]);
	vec_free(&paths->dirs);
}
