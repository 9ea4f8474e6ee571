/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kube_reader.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIELD_MAX 256

void kube_push_key(struct kube_reader *r, const char *key)
{
	assert(r->depth < KUBE_PATH_MAX);
	r->path[r->depth++] = (struct path_seg){.key = key};
}

void kube_push_index(struct kube_reader *r, size_t index)
{
	assert(r->depth < KUBE_PATH_MAX);
	r->path[r->depth++] = (struct path_seg){.index = index};
}

void kube_pop(struct kube_reader *r)
{
	r->depth--;
}

static void format_path(const struct kube_reader *r, char field[static FIELD_MAX])
{
	size_t len = 0;

	field[0] = '\0';
	for (size_t i = 0; i < r->depth && len < FIELD_MAX; i++) {
		const struct path_seg *seg = &r->path[i];
		int n = seg->key ? snprintf(field + len, FIELD_MAX - len, "%s%s", i > 0 ? "." : "",
					    seg->key)
				 : snprintf(field + len, FIELD_MAX - len, "[%zu]", seg->index);

		len += (size_t)n;
	}
}

__attribute__((format(printf, 4, 0))) static void add_fault(struct kube_reader *r,
							    enum fault_level level, const char *key,
							    const char *fmt, va_list ap)
{
	char text[ERR_TEXT_MAX], field[FIELD_MAX];

	if (key)
		kube_push_key(r, key);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* bounded by design */
	format_path(r, field);
	faults_add(r->faults, level,
		   &(struct fault_place){
			   .file = r->file,
			   .line = r->lines ? yaml_line_of(r->lines, r->path, r->depth) : 0,
			   .field = r->depth > 0 ? field : NULL},
		   "%s", text);
	if (key)
		kube_pop(r);
}

void kube_refuse(struct kube_reader *r, const char *key, const char *fmt, ...)
{
	va_list ap;

	r->errors++;
	va_start(ap, fmt);
	add_fault(r, FAULT_ERROR, key, fmt, ap);
	va_end(ap);
}

void kube_warn(struct kube_reader *r, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_fault(r, FAULT_WARNING, key, fmt, ap);
	va_end(ap);
}

static const json_t *member(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

const char *kube_text(struct kube_reader *r, const json_t *object, const char *key)
{
	const json_t *value = member(object, key);

	if (value && !json_is_string(value))
		kube_refuse(r, key, "expected text");
	return json_string_length(value) > 0 ? json_string_value(value) : NULL;
}

bool kube_flag(struct kube_reader *r, const json_t *object, const char *key)
{
	const json_t *value = member(object, key);

	if (value && !json_is_boolean(value))
		kube_refuse(r, key, "expected true or false");
	return json_is_true(value);
}

const json_t *kube_list(struct kube_reader *r, const json_t *object, const char *key)
{
	const json_t *value = member(object, key);

	if (value && !json_is_array(value))
		kube_refuse(r, key, "expected a list");
	return json_is_array(value) ? value : NULL;
}

static void replace(struct kube_reader *r, char **to, char *copy)
{
	if (!copy)
		r->no_memory = true;
	free(*to);
	*to = copy;
}

void kube_take_text(struct kube_reader *r, const json_t *object, const char *key, char **to)
{
	const char *text = kube_text(r, object, key);

	if (text)
		replace(r, to, strdup(text));
}

/* `path` from the directory of `file`, unless it is absolute. NULL: no memory. */
static char *resolve_path(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	char *whole;

	if (path[0] == '/' || !slash)
		return strdup(path);
	return asprintf(&whole, "%.*s%s", (int)(slash - file + 1), file, path) < 0 ? NULL : whole;
}

void kube_take_path(struct kube_reader *r, const json_t *object, const char *key, char **to)
{
	const char *path = kube_text(r, object, key);

	if (path)
		replace(r, to, resolve_path(r->file, path));
}

void kube_take_base64(struct kube_reader *r, const json_t *object, const char *key,
		      struct secret *to)
{
	const char *text = kube_text(r, object, key);
	int rc = text ? secret_from_base64(to, text) : 0;

	if (rc == -EINVAL)
		kube_refuse(r, key, "expected base64");
	else if (rc < 0)
		r->no_memory = true;
}
