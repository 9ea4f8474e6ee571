/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/hash.h"
#include "base/table.h"
#include "base/task.h"
#include "base/vec.h"
#include "yaml_scalar.h"

/* Where a member or an element stands: its container, and its key's hash or its index. */
struct line {
	const json_t *parent;
	uint32_t slot, line;
};

struct yaml_lines {
	VEC(struct line) all;
	const json_t *root;
	unsigned first; /* of the document */
	bool sorted;
};

/* An anchored value and how many nodes it stands for once aliases are counted out. */
struct anchor {
	char *name;
	json_t *value;
	size_t nodes;
	UT_hash_handle hh;
};

/* A container that is not yet closed. */
struct level {
	json_t *container;
	unsigned line;
	char *key;  /* objects: the key whose value comes next */
	bool merge; /* that key is <<, plain */
	unsigned key_line;
	size_t nodes;   /* in it so far */
	char *anchor;   /* its own name, known to aliases once it is closed */
	json_t *merged; /* the keys that only << has brought */
};

struct builder {
	yaml_parser_t parser;
	struct level levels[YAML_DEPTH_MAX];
	size_t depth;
	json_t *root;
	struct anchor *anchors;
	struct yaml_lines lines;
	size_t nodes;
	struct err *err;
	unsigned err_line;
	bool complete; /* root is a whole document, not yet handed out */
};

static uint32_t key_slot(const char *key)
{
	return (uint32_t)hash_bytes(key, strlen(key));
}

static int compare_lines(const void *left, const void *right)
{
	const struct line *a = left, *b = right;

	if (a->parent != b->parent)
		return (uintptr_t)a->parent < (uintptr_t)b->parent ? -1 : 1;
	return (a->slot > b->slot) - (a->slot < b->slot);
}

static int compare_lines_fully(const void *left, const void *right)
{
	const struct line *a = left, *b = right;
	int order = compare_lines(left, right);

	return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

/* A key that is set again, by a merge or after one, is where it was set last. */
static const struct line *find_line(const struct yaml_lines *lines, const struct line *wanted)
{
	const struct line *found, *end = lines->all.v + lines->all.n;

	if (lines->all.n == 0)
		return NULL;
	found = bsearch(wanted, lines->all.v, lines->all.n, sizeof(*found), compare_lines);
	while (found && found + 1 < end && found[1].parent == wanted->parent &&
	       found[1].slot == wanted->slot)
		found++;
	return found;
}

unsigned yaml_line_of(struct yaml_lines *lines, const struct path_seg *path, size_t n)
{
	const json_t *node = lines->root;
	unsigned line = lines->first;

	if (!lines->sorted && lines->all.n > 0)
		qsort(lines->all.v, lines->all.n, sizeof(lines->all.v[0]), compare_lines_fully);
	lines->sorted = true;
	for (size_t i = 0; i < n; i++) {
		struct line wanted = {.parent = node};
		const json_t *next;

		if (path[i].key) {
			wanted.slot = key_slot(path[i].key);
			next = json_object_get(node, path[i].key);
		} else {
			wanted.slot = (uint32_t)path[i].index;
			next = json_array_get(node, path[i].index);
		}
		const struct line *found = find_line(lines, &wanted);
		if (!next || !found)
			break;
		line = found->line;
		node = next;
	}
	return line;
}

static int fail(struct builder *b, unsigned line, const char *text)
{
	b->err_line = line;
	return err_set(b->err, -EINVAL, "%s", text);
}

/* Nodes are counted as they would stand without aliases: what whoever walks the tree pays. */
static int count_nodes(struct builder *b, size_t nodes, unsigned line)
{
	b->nodes += nodes;
	for (size_t i = 0; i < b->depth; i++)
		b->levels[i].nodes += nodes;
	if (b->nodes > YAML_NODES_MAX)
		return fail(b, line,
			    "document too large, or its aliases expand too far: expected at most "
			    "4000000 values");
	return 0;
}

static int set_anchor(struct builder *b, const char *name, json_t *value, size_t nodes)
{
	struct anchor *anchor;

	HASH_FIND_STR(b->anchors, name, anchor);
	if (!anchor) {
		anchor = calloc(1, sizeof(*anchor));
		if (!anchor || !(anchor->name = strdup(name))) {
			free(anchor);
			return -ENOMEM;
		}
		HASH_ADD_KEYPTR(hh, b->anchors, anchor->name, strlen(anchor->name), anchor);
		if (!table_added(anchor)) {
			free(anchor->name);
			free(anchor);
			return -ENOMEM;
		}
	} else {
		json_decref(anchor->value);
	}
	anchor->value = json_incref(value);
	anchor->nodes = nodes;
	return 0;
}

static int note_line(struct builder *b, const json_t *parent, uint32_t slot, unsigned line)
{
	return vec_push(&b->lines.all, (struct line){parent, slot, line});
}

/* go-yaml sets the keys as it comes to them: those before the merge lose, those after it win. */
static int merge_map(struct builder *b, struct level *level, const json_t *source, unsigned line)
{
	const char *key;
	json_t *value;

	if (!json_is_object(source))
		return fail(b, line, "merge key: expected a map or a list of maps");
	if (!level->merged && !(level->merged = json_object()))
		return -ENOMEM;
	json_object_foreach ((json_t *)source, key, value) {
		bool own = json_object_get(level->container, key) &&
			   !json_object_get(level->merged, key);

		if (json_object_set(level->container, key, value) < 0 ||
		    (!own && json_object_set_new(level->merged, key, json_true()) < 0) ||
		    note_line(b, level->container, key_slot(key), line) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A map, or a list of maps of which the earlier win. */
static int merge_into(struct builder *b, struct level *level, const json_t *source, unsigned line)
{
	int rc = 0;

	if (!json_is_array(source))
		return merge_map(b, level, source, line);
	for (size_t i = json_array_size(source); i > 0 && rc == 0; i--)
		rc = merge_map(b, level, json_array_get(source, i - 1), line);
	return rc;
}

/* Puts a complete value (whose reference it takes) where it belongs. */
static int place(struct builder *b, json_t *value, unsigned line)
{
	struct level *level = b->depth > 0 ? &b->levels[b->depth - 1] : NULL;
	int rc = -ENOMEM;

	if (!level) {
		b->root = value;
		return 0;
	}
	if (json_is_array(level->container)) {
		if (note_line(b, level->container, (uint32_t)json_array_size(level->container),
			      line) == 0 &&
		    json_array_append(level->container, value) == 0)
			rc = 0;
	} else if (level->merge) {
		rc = merge_into(b, level, value, level->key_line);
		level->merge = false;
	} else {
		if (note_line(b, level->container, key_slot(level->key), level->key_line) == 0 &&
		    json_object_set(level->container, level->key, value) == 0)
			rc = 0;
		free(level->key);
		level->key = NULL;
	}
	json_decref(value);
	return rc;
}

/* The fewest digits that are the same float, as Go's FormatFloat(value, 'g', -1, 32) has them. */
static void shortest(double value, char number[static 64])
{
	for (int digits = 1; digits <= 9; digits++) {
		(void)snprintf(number, 64, "%.*g", digits, value);
		if (strtof(number, NULL) == (float)value)
			return;
	}
}

/* Keys become strings as Go's conversion to JSON makes them: true, 1, 1.5. */
static char *key_text(const json_t *value)
{
	char number[64] = "";

	if (json_is_string(value))
		return strdup(json_string_value(value));
	if (json_is_boolean(value))
		return strdup(json_is_true(value) ? "true" : "false");
	if (json_is_integer(value))
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else
		shortest(json_real_value(value), number);
	return strdup(number);
}

static int take_key(struct builder *b, const json_t *value, bool plain, unsigned line)
{
	struct level *level = &b->levels[b->depth - 1];

	level->key_line = line;
	if (plain && json_is_string(value) && strcmp(json_string_value(value), "<<") == 0) {
		level->merge = true;
		return 0;
	}
	if (json_is_null(value))
		return fail(b, line, "a null key: expected text");
	level->key = key_text(value);
	if (!level->key)
		return -ENOMEM;
	if (json_object_get(level->merged, level->key)) {
		(void)json_object_del(level->merged, level->key);
	} else if (json_object_get(level->container, level->key)) {
		b->err_line = line;
		return err_set(b->err, -EINVAL, "\"%.100s\" is set twice: expected each key once",
			       level->key);
	}
	return 0;
}

static bool key_expected(const struct builder *b)
{
	const struct level *level = b->depth > 0 ? &b->levels[b->depth - 1] : NULL;

	return level && json_is_object(level->container) && !level->key && !level->merge;
}

static int on_scalar(struct builder *b, const yaml_event_t *event, unsigned line)
{
	const char *text = (const char *)event->data.scalar.value;
	const char *tag = (const char *)event->data.scalar.tag;
	size_t len = event->data.scalar.length;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tag;
	struct err err = {0};
	json_t *value;

	if (plain)
		value = yaml_plain_scalar(text, len, &err);
	else
		value = yaml_tagged_scalar(tag ? tag : "", text, len, &err);
	if (!value)
		return err.code == -EINVAL ? fail(b, line, err.text) : -ENOMEM;

	int rc = count_nodes(b, 1, line);
	if (rc == 0 && event->data.scalar.anchor)
		rc = set_anchor(b, (const char *)event->data.scalar.anchor, value, 1);
	if (rc == 0 && key_expected(b))
		rc = take_key(b, value, plain, line);
	else if (rc == 0)
		return place(b, value, line);
	json_decref(value);
	return rc;
}

static int on_start(struct builder *b, json_t *container, const yaml_char_t *anchor, unsigned line)
{
	char *name = anchor ? strdup((const char *)anchor) : NULL;
	int rc = 0;

	if (!container || (anchor && !name))
		rc = -ENOMEM;
	else if (b->depth >= YAML_DEPTH_MAX)
		rc = fail(b, line, "nested too deeply: expected at most 100 levels");
	else if (key_expected(b))
		rc = fail(b, line, "a list or map as a key: expected text");
	else
		rc = count_nodes(b, 1, line);
	if (rc < 0) {
		json_decref(container);
		free(name);
		return rc;
	}
	b->levels[b->depth++] =
		(struct level){.container = container, .line = line, .anchor = name, .nodes = 1};
	return 0;
}

static void level_done(struct level *level)
{
	json_decref(level->container);
	json_decref(level->merged);
	free(level->anchor);
	free(level->key);
}

/* Only what is complete goes into its parent: a merge must see all of it, an alias cannot loop. */
static int on_end(struct builder *b)
{
	struct level level = b->levels[--b->depth];
	int rc = 0;

	if (level.anchor)
		rc = set_anchor(b, level.anchor, level.container, level.nodes);
	if (rc == 0)
		rc = place(b, json_incref(level.container), level.line);
	level_done(&level);
	return rc;
}

static bool merge_expected(const struct builder *b)
{
	return b->depth > 0 && b->levels[b->depth - 1].merge;
}

static int on_alias(struct builder *b, const char *name, unsigned line)
{
	struct anchor *anchor;

	HASH_FIND_STR(b->anchors, name, anchor);
	if (!anchor) {
		/* Also an alias to what it stands in: the anchor is known once closed. */
		b->err_line = line;
		return err_set(b->err, -EINVAL, "alias *%.100s: no such anchor before it", name);
	}
	int rc = count_nodes(b, anchor->nodes, line);
	if (rc < 0)
		return rc;
	if (key_expected(b)) {
		if (json_is_object(anchor->value) || json_is_array(anchor->value))
			return fail(b, line, "a list or map as a key: expected text");
		return take_key(b, anchor->value, false, line);
	}
	if (json_is_array(anchor->value) && merge_expected(b))
		return fail(b, line, "merge key: expected a map, or a list written here");
	return place(b, json_incref(anchor->value), line);
}

static void forget_document(struct builder *b)
{
	struct anchor *anchor, *tmp;

	HASH_ITER (hh, b->anchors, anchor, tmp) {
		HASH_DEL(b->anchors, anchor);
		json_decref(anchor->value);
		free(anchor->name);
		free(anchor);
	}
	while (b->depth > 0)
		level_done(&b->levels[--b->depth]);
	json_decref(b->root);
	b->root = NULL;
	b->complete = false;
	b->nodes = 0;
	vec_free(&b->lines.all);
}

/* Only once the parser has found what follows in order: a document that bad indentation cut short
 * looks complete until then. */
static int hand_out(struct builder *b, yaml_document_fn fn, void *ctx)
{
	int rc = 0;

	b->lines.root = b->root;
	b->lines.sorted = false;
	if (b->complete && b->root && !json_is_null(b->root))
		rc = fn(ctx, b->root, &b->lines);
	forget_document(b);
	b->lines.first = 0;
	return rc;
}

static int on_event(struct builder *b, const yaml_event_t *event, yaml_document_fn fn, void *ctx)
{
	unsigned line = (unsigned)event->start_mark.line + 1;
	int rc = 0;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
	case YAML_STREAM_END_EVENT:
		return hand_out(b, fn, ctx);
	case YAML_SCALAR_EVENT:
		rc = on_scalar(b, event, line);
		break;
	case YAML_SEQUENCE_START_EVENT:
		rc = on_start(b, json_array(), event->data.sequence_start.anchor, line);
		break;
	case YAML_MAPPING_START_EVENT:
		rc = on_start(b, json_object(), event->data.mapping_start.anchor, line);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(b);
	case YAML_ALIAS_EVENT:
		return on_alias(b, (const char *)event->data.alias.anchor, line);
	case YAML_DOCUMENT_END_EVENT:
		b->complete = true;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
		return 0;
	}
	if (b->lines.first == 0)
		b->lines.first = line;
	return rc;
}

static int parser_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	b->err_line = (unsigned)p->problem_mark.line + 1;
	if (p->error == YAML_READER_ERROR)
		return err_set(b->err, -EINVAL, "not YAML: %s at byte %zu",
			       p->problem ? p->problem : "unreadable", p->problem_offset);
	return err_set(b->err, -EINVAL, "not YAML: %s%s%s", p->problem ? p->problem : "unreadable",
		       p->context ? ", " : "", p->context ? p->context : "");
}

int yaml_parse(const char *data, size_t len, yaml_document_fn fn, void *ctx, struct err *err,
	       unsigned *ret_line)
{
	struct builder *b = calloc(1, sizeof(*b));
	bool more = true;
	int rc = 0;

	if (!b)
		return -ENOMEM;
	b->err = err;
	if (!yaml_parser_initialize(&b->parser)) {
		free(b);
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&b->parser, (const unsigned char *)data, len);
	while (rc == 0 && more) {
		yaml_event_t event;

		if (!yaml_parser_parse(&b->parser, &event)) {
			rc = parser_error(b);
			break;
		}
		more = event.type != YAML_STREAM_END_EVENT;
		task_step();
		rc = on_event(b, &event, fn, ctx);
		yaml_event_delete(&event);
	}
	forget_document(b);
	yaml_parser_delete(&b->parser);
	if (ret_line)
		*ret_line = b->err_line;
	free(b);
	return rc;
}
