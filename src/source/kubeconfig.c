/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files, and which entries of them: the first file that has a name has it for all. */
#include "kubeconfig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

struct kube_file {
	char *path;
	struct secret text;
};

struct kube_files {
	VEC(struct kube_file) all;
	struct faults *faults;
	bool explicit; /* the user named it: it must be there */
};

/* What an entry is read into; which it is depends on the list. */
typedef void (*entry_fn)(struct kube_reader *r, const json_t *entry, void *to);

/* One look through all files. */
struct search {
	struct kube_reader r;
	const char *list, *member, *name; /* clusters, cluster, "prod" */
	entry_fn fn;
	void *to;
	size_t documents;
	bool found;
};

static void files_done(struct kube_files *files)
{
	for (size_t i = 0; i < files->all.n; i++) {
		free(files->all.v[i].path);
		secret_done(&files->all.v[i].text);
	}
	vec_free(&files->all);
}

static int add_file(struct kube_files *files, const char *path)
{
	struct kube_file file = {.path = strdup(path)};
	struct err err = {0};
	int rc = file.path ? secret_read_file(&file.text, path, &err) : -ENOMEM;

	if (rc == -ENOENT && !files->explicit) {
		free(file.path);
		return 0;
	}
	if (rc == 0)
		rc = vec_push(&files->all, file);
	if (rc == 0)
		return 0;
	free(file.path);
	secret_done(&file.text);
	if (rc == -ENOMEM)
		return rc;
	faults_add(files->faults, FAULT_ERROR, &(struct fault_place){0}, "%s", err.text);
	return rc == -ENOENT ? rc : -EINVAL;
}

/* A list as $PATH is one. */
static int add_files(struct kube_files *files, const char *list)
{
	AUTO_FREE char *copy = strdup(list);
	char *rest = copy, *path;
	int rc = copy ? 0 : -ENOMEM;

	while (rc == 0 && (path = strsep(&rest, ":"))) {
		if (path[0])
			rc = add_file(files, path);
	}
	return rc;
}

static int find_files(struct kube_files *files, const char *path)
{
	const char *variable = getenv("KUBECONFIG"), *home = getenv("HOME");
	AUTO_FREE char *standard = NULL;

	files->explicit = path != NULL;
	if (path)
		return add_file(files, path);
	if (variable && variable[0])
		return add_files(files, variable);
	if (!home || !home[0])
		return 0;
	if (asprintf(&standard, "%s/.kube/config", home) < 0) {
		standard = NULL;
		return -ENOMEM;
	}
	return add_file(files, standard);
}

static void search_list(struct search *s, const json_t *root)
{
	const json_t *list = kube_list(&s->r, root, s->list);

	kube_push_key(&s->r, s->list);
	for (size_t i = 0; i < json_array_size(list) && !s->found; i++) {
		const json_t *entry = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(entry, "name"));
		const json_t *body = json_object_get(entry, s->member);

		if (!name || strcmp(name, s->name) != 0)
			continue;
		s->found = true;
		kube_push_index(&s->r, i);
		kube_push_key(&s->r, s->member);
		if (body && !json_is_null(body) && !json_is_object(body))
			kube_refuse(&s->r, NULL, "expected an object");
		else
			s->fn(&s->r, body, s->to);
		kube_pop(&s->r);
		kube_pop(&s->r);
	}
	kube_pop(&s->r);
}

static int take_document(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	struct search *s = ctx;

	s->r.lines = lines;
	if (!json_is_object(root) || s->documents++ > 0)
		kube_refuse(&s->r, NULL, "expected one document, a kubeconfig");
	else if (!s->list)
		s->fn(&s->r, root, s->to);
	else
		search_list(s, root);
	s->r.lines = NULL;
	return s->r.no_memory ? -ENOMEM : 0;
}

/* 0 also when nothing was found; -EINVAL with faults; -ENOMEM. */
static int search_files(const struct kube_files *files, struct search *s)
{
	int rc = 0;

	s->r.faults = files->faults;
	for (size_t i = 0; i < files->all.n && rc == 0 && !s->found; i++) {
		const struct kube_file *file = &files->all.v[i];
		struct err err = {0};
		unsigned line = 0;

		s->r.file = file->path;
		s->documents = 0;
		rc = yaml_parse(file->text.v, file->text.n, take_document, s, &err, &line);
		if (rc == -EINVAL && err.code)
			faults_add(files->faults, FAULT_ERROR,
				   &(struct fault_place){.file = file->path, .line = line}, "%s",
				   err.text);
	}
	return rc == 0 && s->r.errors > 0 ? -EINVAL : rc;
}

/* current-context, of the first file that has one; all files are read. */
static void take_current(struct kube_reader *r, const json_t *root, void *to)
{
	char **current = to;

	if (!*current)
		kube_take_text(r, root, "current-context", current);
}

struct context {
	char *cluster, *user;
};

static void take_context(struct kube_reader *r, const json_t *entry, void *to)
{
	struct context *context = to;

	kube_take_text(r, entry, "cluster", &context->cluster);
	kube_take_text(r, entry, "user", &context->user);
	if (!context->cluster)
		kube_refuse(r, "cluster", "expected the name of a cluster");
}

static void take_cluster(struct kube_reader *r, const json_t *entry, void *to)
{
	kube_read_cluster(r, entry, to);
}

static void take_user(struct kube_reader *r, const json_t *entry, void *to)
{
	kube_read_user(r, entry, to);
}

/* An entry that has to be there. */
static int need(const struct kube_files *files, const char *list, const char *member,
		const char *name, entry_fn fn, void *to)
{
	struct search s = {.list = list, .member = member, .name = name, .fn = fn, .to = to};
	int rc = search_files(files, &s);

	if (rc < 0 || s.found)
		return rc;
	faults_add(
		files->faults, FAULT_ERROR,
		&(struct fault_place){.file = files->all.v[0].path, .field = list, .value = name},
		"expected %s of this name%s", member,
		files->all.n > 1 ? ", here or in the other files" : "");
	return -EINVAL;
}

static int read_context(const struct kube_files *files, const char *name, struct context *context,
			struct api_config *config)
{
	int rc = need(files, "contexts", "context", name, take_context, context);

	if (rc == 0)
		rc = need(files, "clusters", "cluster", context->cluster, take_cluster, config);
	if (rc == 0 && context->user)
		rc = need(files, "users", "user", context->user, take_user, config);
	return rc;
}

static int read_config(const struct kube_files *files, const char *name, struct api_config *config)
{
	AUTO_FREE char *current = NULL;
	struct search all = {.fn = take_current, .to = &current};
	struct context context = {0};
	int rc = search_files(files, &all);

	if (rc < 0)
		return rc;
	if (!name && !current) {
		faults_add(files->faults, FAULT_ERROR,
			   &(struct fault_place){.file = files->all.v[0].path,
						 .field = "current-context"},
			   "expected it in the file, or --context");
		return -EINVAL;
	}
	config->context = strdup(name ? name : current);
	if (!config->context)
		return -ENOMEM;
	rc = read_context(files, config->context, &context, config);
	free(context.cluster);
	free(context.user);
	return rc;
}

int api_config_from_kubeconfig(const char *path, const char *context, struct faults *faults,
			       struct api_config *ret)
{
	struct kube_files files = {.faults = faults};
	struct api_config config = {0};
	int rc = find_files(&files, path);

	if (rc == 0)
		rc = files.all.n > 0 ? read_config(&files, context, &config) : -ENOENT;
	files_done(&files);
	if (rc < 0)
		api_config_done(&config);
	else
		*ret = config;
	return rc;
}
