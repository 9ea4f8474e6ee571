/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/intern.h"
#include "model/template.h"

#define FIELD_TEXT_MAX 512
#define VALUE_TEXT_MAX 120

static void path_push(struct decoder *d, struct path_seg seg)
{
	/* Kinds we read are about ten deep; a deeper push would be our mistake. */
	if (d->depth < DECODE_PATH_MAX)
		d->path[d->depth] = seg;
	d->depth++;
}

void path_key(struct decoder *d, const char *key)
{
	path_push(d, (struct path_seg){.key = key});
}

void path_map_key(struct decoder *d, const char *key)
{
	path_push(d, (struct path_seg){.key = key, .map_key = true});
}

void path_index(struct decoder *d, size_t index)
{
	path_push(d, (struct path_seg){.index = index});
}

void path_pop(struct decoder *d)
{
	d->depth--;
}

static size_t path_len(const struct decoder *d)
{
	return d->depth < DECODE_PATH_MAX ? d->depth : DECODE_PATH_MAX;
}

unsigned path_line(const struct decoder *d)
{
	return d->line_of ? d->line_of(d->line_ctx, d->path, path_len(d)) : 0;
}

/* spec.ingress[0].ports[1].port; NULL at the root. */
static const char *path_text(const struct decoder *d, char buf[static FIELD_TEXT_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < path_len(d) && used < FIELD_TEXT_MAX; i++) {
		const struct path_seg *seg = &d->path[i];
		size_t room = FIELD_TEXT_MAX - used;
		char own[VALUE_TEXT_MAX];
		const char *key = seg->key;
		int len;

		if (key && d->written &&
		    d->written(d->line_ctx, d->path, i + 1, NULL, own, sizeof(own)))
			key = own;
		if (!key)
			len = snprintf(buf + used, room, "[%zu]", seg->index);
		else if (seg->map_key)
			len = snprintf(buf + used, room, "[%s]", key);
		else
			len = snprintf(buf + used, room, "%s%s", used ? "." : "", key);
		used += len > 0 ? (size_t)len : 0;
	}
	return used ? buf : NULL;
}

struct shown {
	char *buf;
	size_t len;
};

/* json_dumpb() would leave out whole chunks that do not fit. */
static int take_chunk(const char *chunk, size_t len, void *ctx)
{
	struct shown *shown = ctx;
	size_t room = VALUE_TEXT_MAX - shown->len;

	memcpy(shown->buf + shown->len, chunk, len < room ? len : room);
	shown->len += len < room ? len : room;
	return shown->len < VALUE_TEXT_MAX ? 0 : -1; /* enough */
}

/* As it was written, else as JSON on one line; long ones end in "...". */
static const char *value_text(const struct decoder *d, const json_t *value,
			      char buf[static VALUE_TEXT_MAX])
{
	struct shown shown = {.buf = buf};

	if (!value)
		return NULL;
	if (d->written && d->written(d->line_ctx, d->path, path_len(d), value, buf, VALUE_TEXT_MAX))
		return buf;
	(void)json_dump_callback(value, take_chunk, &shown,
				 JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
	if (shown.len == 0)
		return NULL;
	if (shown.len < VALUE_TEXT_MAX) {
		buf[shown.len] = '\0';
		return buf;
	}
	/* Not inside a UTF-8 sequence. */
	size_t end = VALUE_TEXT_MAX - 4;
	while (end > 0 && ((unsigned char)buf[end] & 0xc0) == 0x80)
		end--;
	memcpy(buf + end, "...", 4);
	return buf;
}

__attribute__((format(printf, 4, 0))) static void add_fault(struct decoder *d,
							    enum fault_level level,
							    const json_t *value, const char *fmt,
							    va_list ap)
{
	char field[FIELD_TEXT_MAX], shown[VALUE_TEXT_MAX], text[ERR_TEXT_MAX];

	(void)vsnprintf(text, sizeof(text), fmt, ap); /* bounded */
	faults_add(d->faults, level,
		   &(struct fault_place){
			   .file = d->file,
			   .line = path_line(d),
			   .object = d->object[0] ? d->object : NULL,
			   .field = path_text(d, field),
			   .value = value_text(d, value, shown),
		   },
		   "%s", text);
}

/* Is what is refused an action of a template, as value or key? */
static bool is_template(const struct decoder *d, const json_t *value)
{
	size_t n = path_len(d);
	const char *text = json_string_value(value);

	if (!value && n > 0)
		text = d->path[n - 1].key;
	return text && template_in_text(text);
}

void refuse(struct decoder *d, const json_t *value, const char *fmt, ...)
{
	va_list ap;

	d->errors++;
	d->template_errors += is_template(d, value);
	va_start(ap, fmt);
	add_fault(d, FAULT_ERROR, value, fmt, ap);
	va_end(ap);
}

void warn(struct decoder *d, const json_t *value, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_fault(d, FAULT_WARNING, value, fmt, ap);
	va_end(ap);
}

const json_t *get_any(const json_t *parent, const char *key)
{
	const json_t *value = json_object_get(parent, key);

	return json_is_null(value) ? NULL : value;
}

static const json_t *get_typed(struct decoder *d, const json_t *parent, const char *key,
			       json_type type, const char *expected)
{
	const json_t *value = get_any(parent, key);

	if (!value || json_typeof(value) == type)
		return value;
	path_key(d, key);
	refuse(d, value, "expected %s", expected);
	path_pop(d);
	return NULL;
}

const json_t *get_object(struct decoder *d, const json_t *parent, const char *key)
{
	return get_typed(d, parent, key, JSON_OBJECT, "an object");
}

const json_t *get_array(struct decoder *d, const json_t *parent, const char *key)
{
	return get_typed(d, parent, key, JSON_ARRAY, "a list");
}

const char *get_string(struct decoder *d, const json_t *parent, const char *key)
{
	return json_string_value(get_typed(d, parent, key, JSON_STRING, "a string (quote it)"));
}

bool get_bool(struct decoder *d, const json_t *parent, const char *key)
{
	const json_t *value = get_any(parent, key);

	if (!value || json_is_boolean(value))
		return json_is_true(value);
	path_key(d, key);
	refuse(d, value, "expected true or false");
	path_pop(d);
	return false;
}

const json_t *element_object(struct decoder *d, const json_t *array, size_t index)
{
	const json_t *value = json_array_get(array, index);

	if (!json_is_null(value) && !json_is_object(value)) {
		refuse(d, value, "expected an object");
		return NULL;
	}
	return value;
}

void refuse_unknown(struct decoder *d, const json_t *object, const char *const known[])
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		size_t i = 0;

		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (known[i])
			continue;
		path_key(d, key);
		refuse(d, NULL, "unknown field: neither we nor the API server know what it means");
		path_pop(d);
	}
}

void *decode_alloc(struct decoder *d, size_t n, size_t size)
{
	void *p = n > 0 ? calloc(n, size) : NULL;

	if (n > 0 && !p)
		d->no_memory = true;
	return p;
}

char *decode_strdup(struct decoder *d, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		d->no_memory = true;
	return copy;
}

const char *decode_intern(struct decoder *d, const char *text)
{
	const char *interned = text ? intern_get(d->strings, text) : NULL;

	if (text && !interned)
		d->no_memory = true;
	return interned;
}
