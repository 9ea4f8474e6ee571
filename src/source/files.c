/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "base/table.h"
#include "base/task.h"
#include "model/decode.h"
#include "source/json_lines.h"
#include "source/json_prune.h"
#include "source/json_split.h"
#include "source/paths.h"
#include "source/yaml.h"
#include "text_file.h"
#include "unrendered.h"

#define READ_BYTES (256u << 10)
#define LIST_DEPTH 4 /* lists in lists */

/* Items that came before their list said what they are. */
#define WAITING_MAX 100000

/* Every object read, to find what is defined twice. */
struct seen {
	UT_hash_handle hh;
	const char *file; /* interned */
	unsigned line;
	char key[]; /* kind, namespace/name */
};

struct waiting {
	json_t *json;
	unsigned line;
};

struct loader {
	struct intern *strings;
	event_fn fn;
	void *ctx;
	struct faults *faults;
	struct files_report *report;
	struct seen *seen;

	/* The file being read. */
	const char *file; /* interned */
	bool pipe;        /* by its path; standard input may be one and empty */
	VEC(struct waiting) waiting;

	/* Of YAML. */
	const char *text;
	size_t text_len;
	bool template; /* the document that has failed last is one */
};

static void file_fault(struct loader *l, unsigned line, const char *text)
{
	faults_add(l->faults, FAULT_ERROR, &(struct fault_place){.file = l->file, .line = line},
		   "%s", text);
}

/* Is the object of that name new? The first one stays, the second is a fault: which of them the
 * cluster would end with depends on the order that they are applied in. */
static int claim_name(struct loader *l, const struct object *object, bool *ret_new)
{
	char name[OBJECT_NAME_MAX], key[OBJECT_NAME_MAX + 32];
	int len = snprintf(key, sizeof(key), "%s %s", kind_name(object->kind),
			   object_name(object, name));
	const struct origin *origin = object_origin(object);
	struct seen *seen;

	HASH_FIND(hh, l->seen, key, (unsigned)len, seen);
	*ret_new = !seen;
	if (seen) {
		faults_add(l->faults, FAULT_ERROR,
			   &(struct fault_place){
				   .file = origin->file, .line = origin->line, .object = key},
			   "defined twice: the first is in %s:%u, and this one is left out",
			   seen->file, seen->line);
		return 0;
	}
	seen = calloc(1, sizeof(*seen) + (size_t)len + 1);
	if (!seen)
		return -ENOMEM;
	memcpy(seen->key, key, (size_t)len + 1);
	seen->file = intern_ref(origin->file);
	seen->line = origin->line;
	HASH_ADD(hh, l->seen, key, (unsigned)len, seen);
	if (table_added(seen))
		return 0;
	intern_put(l->strings, seen->file);
	free(seen);
	return -ENOMEM;
}

static int note_unenforced(struct loader *l, const struct decoded *decoded)
{
	struct unenforced one = {
		.kind = strdup(decoded->kind),
		.name = strdup(decoded->name),
		.file = intern_ref(l->file),
		.line = decoded->line,
	};

	if (one.kind && one.name && vec_push(&l->report->unenforced, one) == 0)
		return 0;
	free(one.kind);
	free(one.name);
	intern_put(l->strings, one.file);
	return -ENOMEM;
}

static int emit(struct loader *l, struct decoded *decoded)
{
	int rc = 0;

	for (size_t i = 0; i < decoded->objects.n && rc == 0; i++) {
		struct event event = {.type = EVENT_UPSERT, .object = decoded->objects.v[i]};
		bool is_new;

		rc = claim_name(l, &event.object, &is_new);
		if (rc < 0 || !is_new)
			continue;
		l->report->objects[event.object.kind]++;
		decoded->objects.v[i] = (struct object){.kind = KIND_COUNT}; /* fn takes it */
		rc = l->fn(l->ctx, &event);
	}
	return rc;
}

/* A tree whose lines are known by a path from a root above it: YAML, and lists in JSON lists. */
struct subtree {
	line_of_fn line_of;
	written_fn written;
	void *line_ctx;
	struct path_seg prefix[2 * LIST_DEPTH];
	size_t depth;
};

#define SUBTREE_PATH_MAX (2 * LIST_DEPTH + DECODE_PATH_MAX)

static size_t whole_path(const struct subtree *sub, const struct path_seg *path, size_t n,
			 struct path_seg whole[static SUBTREE_PATH_MAX])
{
	if (sub->depth > 0)
		memcpy(whole, sub->prefix, sub->depth * sizeof(whole[0]));
	if (n > 0)
		memcpy(whole + sub->depth, path, n * sizeof(whole[0]));
	return sub->depth + n;
}

static unsigned subtree_line(void *ctx, const struct path_seg *path, size_t n)
{
	const struct subtree *sub = ctx;
	struct path_seg whole[SUBTREE_PATH_MAX];

	n = whole_path(sub, path, n, whole);
	return sub->line_of(sub->line_ctx, whole, n);
}

static bool subtree_written(void *ctx, const struct path_seg *path, size_t n, const json_t *value,
			    char *to, size_t len)
{
	const struct subtree *sub = ctx;
	struct path_seg whole[SUBTREE_PATH_MAX];

	n = whole_path(sub, path, n, whole);
	return sub->written && sub->written(sub->line_ctx, whole, n, value, to, len);
}

/* One object, wherever it comes from. Faults are not errors: reading goes on. */
static int take_decoded(struct loader *l, struct decoded *decoded)
{
	switch (decoded->what) {
	case DECODED_OBJECTS:
		return emit(l, decoded);
	case DECODED_UNUSED:
		l->report->unused++;
		return 0;
	case DECODED_UNENFORCED:
		return note_unenforced(l, decoded);
	}
	return 0;
}

static int note_unrendered(struct loader *l, enum unrendered_kind kind, unsigned line)
{
	return unrendered_note(l->report, kind, l->file, line, l->faults);
}

/* A template's faults are the template's; all others are told. */
static int take_refused(struct loader *l, const struct decoder *d, struct subtree *sub)
{
	if (d->errors == d->template_errors)
		return note_unrendered(l, UNRENDERED_TEMPLATE, subtree_line(sub, NULL, 0));
	faults_move(l->faults, d->faults);
	return 0;
}

static int take_object(struct loader *l, const json_t *json, const char *list_kind,
		       const char *list_version, struct subtree *sub)
{
	struct faults faults = {0};
	struct decoder d = {
		.strings = l->strings,
		.faults = &faults,
		.file = l->file,
		.line_of = subtree_line,
		.written = subtree_written,
		.line_ctx = sub,
		.trusted = true,
	};
	struct decoded decoded;
	int rc = decode_object(&d, json, list_kind, list_version, &decoded);

	if (rc == -EINVAL) {
		rc = take_refused(l, &d, sub);
	} else if (rc == 0) {
		faults_move(l->faults, &faults);
		rc = take_decoded(l, &decoded);
		decoded_done(l->strings, &decoded);
	}
	faults_done(&faults);
	return rc;
}

/* An object, or a list and so its items; kubectl too takes whatever has `items` for a list. */
static int take_tree(struct loader *l, const json_t *json, const char *list_kind,
		     const char *list_version, const struct subtree *sub)
{
	const json_t *items = json_object_get(json, "items");
	struct subtree inner = *sub;
	int rc = 0;

	if (sub->depth == 0 && !list_kind) {
		enum unrendered_kind kind = unrendered_by_content(l->file, json);

		if (kind != UNRENDERED_COUNT)
			return note_unrendered(l, kind, subtree_line(&inner, NULL, 0));
	}
	if (!json_is_array(items))
		return take_object(l, json, list_kind, list_version, &inner);
	if (sub->depth >= 2 * LIST_DEPTH) {
		file_fault(l, subtree_line(&inner, NULL, 0), "lists nested too deeply in lists");
		return 0;
	}
	inner.prefix[inner.depth++] = (struct path_seg){.key = "items"};
	inner.depth++;
	for (size_t i = 0; i < json_array_size(items) && rc == 0; i++) {
		inner.prefix[inner.depth - 1] = (struct path_seg){.index = i};
		rc = take_tree(l, json_array_get(items, i),
			       json_string_value(json_object_get(json, "kind")),
			       json_string_value(json_object_get(json, "apiVersion")), &inner);
	}
	return rc;
}

static unsigned yaml_line(void *ctx, const struct path_seg *path, size_t n)
{
	return yaml_line_of(ctx, path, n);
}

static bool yaml_text(void *ctx, const struct path_seg *path, size_t n, const json_t *value,
		      char *to, size_t len)
{
	return yaml_written(ctx, path, n, value, to, len);
}

static int take_yaml(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	struct subtree sub = {.line_of = yaml_line, .written = yaml_text, .line_ctx = lines};

	return take_tree(ctx, root, NULL, NULL, &sub);
}

static int invalid_document(void *ctx, const struct yaml_failure *failure)
{
	struct loader *l = ctx;

	if (failure->again && l->template)
		return 0; /* of one that is counted already */
	l->template = unrendered_by_failure(l->text, l->text_len, failure);
	if (l->template)
		return note_unrendered(l, UNRENDERED_TEMPLATE, failure->line);
	faults_add(l->faults, FAULT_ERROR,
		   &(struct fault_place){.file = l->file,
					 .line = failure->line,
					 .field = failure->field[0] ? failure->field : NULL,
					 .value = failure->value[0] ? failure->value : NULL},
		   "%s", failure->text);
	return 0;
}

static unsigned constant_line(void *ctx, const struct path_seg *path, size_t n)
{
	(void)path;
	(void)n;
	return *(const unsigned *)ctx;
}

/* The list that they belong to has said its kind, or never will. */
static int take_waiting(struct loader *l, const char *list_kind, const char *list_version)
{
	int rc = 0;

	for (size_t i = 0; i < l->waiting.n; i++) {
		struct waiting *item = &l->waiting.v[i];
		struct subtree sub = {.line_of = constant_line, .line_ctx = &item->line};

		if (rc == 0)
			rc = take_tree(l, item->json, list_kind, list_version, &sub);
		json_decref(item->json);
	}
	l->waiting.n = 0;
	return rc;
}

static int wait_for_kind(struct loader *l, json_t *json, unsigned line)
{
	if (l->waiting.n >= WAITING_MAX) {
		file_fault(l, line, "too many items before the list's `kind`: expected it first");
		return 0;
	}
	return vec_push(&l->waiting, (struct waiting){json_incref(json), line});
}

static int take_json(void *ctx, const struct json_part *part)
{
	struct loader *l = ctx;
	struct json_lines lines = {.bytes = part->bytes, .first = part->line};
	struct subtree sub = {.line_of = json_line_of, .written = json_written, .line_ctx = &lines};
	json_error_t error;
	int rc = 0;

	lines.len = json_prune(part->bytes, part->len,
			       part->kind == JSON_PART_ITEM ? part->list_kind : NULL);
	AUTO_JSON json_t *json = json_loadb(part->bytes, lines.len,
					    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!json) {
		char text[JSON_ERROR_TEXT_LENGTH + 16];

		if (json_error_code(&error) == json_error_out_of_memory)
			return -ENOMEM;
		(void)snprintf(text, sizeof(text), "not JSON: %s", error.text);
		file_fault(l, part->line + (unsigned)(error.line > 0 ? error.line - 1 : 0), text);
		return part->kind == JSON_PART_LIST ? take_waiting(l, NULL, NULL) : 0;
	}
	if (part->kind == JSON_PART_LIST)
		return take_waiting(l, part->list_kind, part->list_version);
	if (part->kind == JSON_PART_ITEM && !part->list_kind && !json_object_get(json, "kind"))
		rc = wait_for_kind(l, json, part->line);
	else
		rc = take_tree(l, json, part->kind == JSON_PART_ITEM ? part->list_kind : NULL,
			       part->list_version, &sub);
	json_lines_done(&lines);
	return rc;
}

static void cannot_read(struct loader *l, int code, const struct err *err)
{
	file_fault(l, 0, err->code ? err->text : strerror(-code));
}

/* `head` bytes have been read already, to see what it is. */
static int read_json(struct loader *l, struct text_file *in, char *buf, size_t head)
{
	struct json_splitter *splitter = json_splitter_new(take_json, l);
	struct err err = {0};
	ssize_t n = (ssize_t)head;
	int rc = splitter ? 0 : -ENOMEM;

	while (rc == 0 && n > 0) {
		rc = json_splitter_feed(splitter, buf, (size_t)n, &err);
		task_yield();
		if (rc == 0)
			n = text_read(in, buf, READ_BYTES, &err);
	}
	if (rc == 0 && n < 0)
		cannot_read(l, (int)n, &err);
	else if (rc == 0)
		rc = json_splitter_finish(splitter, &err);
	if (rc == -EINVAL && err.code) {
		file_fault(l, json_splitter_line(splitter), err.text);
		rc = 0;
	}
	json_splitter_free(splitter);
	int waiting = take_waiting(l, NULL, NULL);
	return rc < 0 ? rc : waiting;
}

/* The rest of the file after its head; NULL with *ret_rc: 0 after a fault, -ENOMEM. */
static char *read_rest(struct loader *l, struct text_file *in, const char *head, size_t head_len,
		       size_t *ret_len, int *ret_rc)
{
	size_t len = head_len, cap = head_len + READ_BYTES;
	char *text = malloc(cap);
	struct err err = {0};
	ssize_t n = text ? 1 : -ENOMEM;

	if (text)
		memcpy(text, head, head_len);
	while (n > 0 && len <= YAML_FILE_MAX) {
		if (len + READ_BYTES > cap) {
			char *grown = realloc(text, cap * 2);
			if (!grown) {
				n = -ENOMEM;
				break;
			}
			text = grown;
			cap *= 2;
		}
		n = text_read(in, text + len, READ_BYTES, &err);
		task_yield();
		len += n > 0 ? (size_t)n : 0;
	}
	if (n == 0) {
		*ret_len = len;
		return text;
	}
	*ret_rc = n == -ENOMEM ? -ENOMEM : 0;
	if (n > 0)
		file_fault(
			l, 0,
			"file too large: expected at most 64 MiB of YAML (JSON may be any size)");
	else if (n != -ENOMEM)
		cannot_read(l, (int)n, &err);
	free(text);
	return NULL;
}

static int read_yaml(struct loader *l, struct text_file *in, const char *head, size_t head_len)
{
	const struct yaml_reader reader = {
		.document = take_yaml, .invalid = invalid_document, .ctx = l};
	struct yaml_failure failure;
	size_t len = 0;
	int rc = 0;
	AUTO_FREE char *text = read_rest(l, in, head, head_len, &len, &rc);

	if (!text)
		return rc;
	l->text = text;
	l->text_len = text_drop_marks(text, len);
	l->template = false;
	rc = yaml_read(text, l->text_len, &reader, &failure);
	return rc == -EINVAL ? invalid_document(l, &failure) : rc;
}

/* As kubectl: what begins like an object is JSON; a name that says YAML is believed. */
static bool looks_like_json(const char *path, const char *head, size_t len)
{
	const char *dot = strrchr(path, '.');
	size_t i = 0;

	if (dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0))
		return false;
	if (dot && strcmp(dot, ".json") == 0)
		return true;
	while (i < len && strchr(" \t\r\n", head[i]))
		i++;
	return i < len && head[i] == '{';
}

static int read_open_file(struct loader *l, int fd, char *buf)
{
	struct text_file in = {.fd = fd, .waits = !l->report->rereads};
	struct err err = {0};
	ssize_t n = fd < 0 ? fd : text_read(&in, buf, READ_BYTES, &err);

	if (n < 0) {
		cannot_read(l, (int)n, &err);
		return 0;
	}
	if (n == 0 && l->pipe) {
		file_fault(l, 0, "a pipe that nobody writes to: expected manifests");
		return 0;
	}
	l->report->files++;
	if (looks_like_json(l->file, buf, (size_t)n))
		return read_json(l, &in, buf, (size_t)n);
	return read_yaml(l, &in, buf, (size_t)n);
}

static int read_path(struct loader *l, const char *path, char *buf)
{
	AUTO_CLOSE int fd = text_file_open(path, &l->pipe);

	if (l->pipe && l->report->rereads) {
		/* It gives what it has once, and its end is not the end of what is in force. */
		file_fault(
			l, 0,
			"a pipe: expected a file or a directory, to be read again when it changes");
		return 0;
	}
	return read_open_file(l, fd, buf);
}

static int read_file(struct loader *l, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	AUTO_FREE char *buf = malloc(READ_BYTES);
	int rc;

	l->file = intern_get(l->strings, is_stdin ? "(standard input)" : path);
	if (!buf || !l->file)
		return -ENOMEM;
	rc = read_path(l, path, buf);
	intern_put(l->strings, l->file);
	l->file = NULL;
	return rc;
}

static int compare_unenforced(const void *left, const void *right)
{
	const struct unenforced *a = left, *b = right;
	int order = strcmp(a->file, b->file);

	if (order == 0)
		order = (a->line > b->line) - (a->line < b->line);
	return order != 0 ? order : strcmp(a->name, b->name);
}

static void forget_seen(struct loader *l)
{
	struct seen *seen, *tmp;

	HASH_ITER (hh, l->seen, seen, tmp) {
		task_step();
		HASH_DEL(l->seen, seen);
		intern_put(l->strings, seen->file);
		free(seen);
	}
}

int files_load(const char *const paths[], size_t n_paths, struct intern *strings, event_fn fn,
	       void *ctx, struct faults *faults, struct files_report *report)
{
	struct loader l = {
		.strings = strings, .fn = fn, .ctx = ctx, .faults = faults, .report = report};
	struct manifest_paths files = {0};

	*report = (struct files_report){.strict = report->strict, .rereads = report->rereads};
	int rc = manifest_paths_expand(paths, n_paths, faults, &files);
	for (size_t i = 0; i < files.all.n && rc == 0; i++) {
		rc = read_file(&l, files.all.v[i].path);
		task_yield();
	}
	if (rc == 0)
		rc = fn(ctx, &(struct event){.type = EVENT_SYNCED});
	if (report->unenforced.n > 0)
		qsort(report->unenforced.v, report->unenforced.n, sizeof(report->unenforced.v[0]),
		      compare_unenforced);
	unrendered_hint(report, faults);
	forget_seen(&l);
	vec_free(&l.waiting);
	manifest_paths_done(&files);
	return rc;
}

void files_report_done(struct intern *strings, struct files_report *report)
{
	for (size_t i = 0; i < report->unenforced.n; i++) {
		free(report->unenforced.v[i].kind);
		free(report->unenforced.v[i].name);
		intern_put(strings, report->unenforced.v[i].file);
	}
	vec_free(&report->unenforced);
	for (int kind = 0; kind < UNRENDERED_COUNT; kind++)
		intern_put(strings, report->unrendered[kind].file);
	for (size_t i = 0; i < report->unrendered_files.n; i++)
		intern_put(strings, report->unrendered_files.v[i]);
	vec_free(&report->unrendered_files);
}

size_t files_unrendered(const struct files_report *report)
{
	size_t n = 0;

	for (int kind = 0; kind < UNRENDERED_COUNT; kind++)
		n += report->unrendered[kind].n;
	return n;
}
