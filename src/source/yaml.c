/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/table.h"
#include "base/task.h"
#include "base/vec.h"
#include "source/json_load.h"
#include "yaml_documents.h"
#include "yaml_lines.h"
#include "yaml_scalar.h"

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
	const struct yaml_reader *reader;
	const char *data;
	size_t len;
	struct yaml_place from;      /* where the parser has begun */
	unsigned document_line;      /* of the document that is being read, from 0 */
	struct yaml_failure failure; /* of the document */
	unsigned problem_line;       /* where it is no YAML, from 0 */
	bool failed;                 /* it is YAML, and not JSON */
	bool broken;                 /* it is no YAML */
	bool skip;                   /* the rest of a document that has failed */
	bool complete;               /* root is a whole document, not yet handed out */
};

/* Ends this parser: what follows in the document is not looked at. */
__attribute__((format(printf, 3, 4))) static int give_up(struct builder *b, unsigned line,
							 const char *fmt, ...)
{
	va_list ap;

	b->broken = true;
	b->problem_line = line - 1;
	b->failure.line = line;
	va_start(ap, fmt);
	(void)vsnprintf(b->failure.text, sizeof(b->failure.text), fmt, ap); /* bounded */
	va_end(ap);
	return -EINVAL;
}

/* "spec.ingress[0].ports": the place that is being read, keys as they were written. */
static void describe_place(const struct builder *b, char to[static YAML_FIELD_MAX])
{
	size_t used = 0;

	to[0] = '\0';
	for (size_t i = 0; i < b->depth && used < YAML_FIELD_MAX; i++) {
		const struct level *level = &b->levels[i];
		const char *key = level->key ? yaml_lines_written(&b->lines, level->container,
								  yaml_key_slot(level->key), true)
					     : NULL;
		int n = 0;

		if (json_is_array(level->container))
			n = snprintf(to + used, YAML_FIELD_MAX - used, "[%zu]",
				     json_array_size(level->container));
		else if (level->key)
			n = snprintf(to + used, YAML_FIELD_MAX - used, "%s%s", used ? "." : "",
				     key ? key : level->key);
		used += (size_t)n;
	}
}

/* Ends the document. `value` as it was written, or NULL. */
static int fail(struct builder *b, unsigned line, const char *value, const char *text)
{
	struct yaml_failure *f = &b->failure;

	b->failed = true;
	*f = (struct yaml_failure){.line = line};
	describe_place(b, f->field);
	(void)snprintf(f->value, sizeof(f->value), "%s", value ? value : "");
	(void)snprintf(f->text, sizeof(f->text), "%s", text);
	return -EINVAL;
}

/* Nodes are counted as they would stand without aliases: what whoever walks the tree pays. */
static int count_nodes(struct builder *b, size_t nodes, unsigned line)
{
	b->nodes += nodes;
	for (size_t i = 0; i < b->depth; i++)
		b->levels[i].nodes += nodes;
	if (b->nodes > YAML_NODES_MAX)
		return fail(b, line, NULL,
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

/* go-yaml sets the keys as it comes to them: those before the merge lose, those after it win. */
static int merge_map(struct builder *b, struct level *level, const json_t *source, unsigned line)
{
	const char *key;
	json_t *value;

	if (!json_is_object(source))
		return fail(b, line, NULL, "merge key: expected a map or a list of maps");
	if (!level->merged && !(level->merged = json_object()))
		return -ENOMEM;
	json_object_foreach ((json_t *)source, key, value) {
		bool own = json_object_get(level->container, key) &&
			   !json_object_get(level->merged, key);

		if (json_object_set(level->container, key, value) < 0 ||
		    (!own && json_object_set_new(level->merged, key, json_true()) < 0) ||
		    yaml_lines_add(&b->lines, level->container, yaml_key_slot(key), line) < 0)
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

/* Does the tree show a scalar otherwise than it was written? */
static bool shows_otherwise(const json_t *value, const char *text)
{
	char number[32] = "";

	if (json_is_integer(value))
		(void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			       json_integer_value(value));
	else if (json_is_boolean(value))
		(void)snprintf(number, sizeof(number), json_is_true(value) ? "true" : "false");
	else if (json_is_null(value))
		(void)snprintf(number, sizeof(number), "null");
	return (json_is_real(value) || number[0]) && strcmp(number, text) != 0;
}

static int note_value(struct builder *b, uint32_t slot, unsigned line, const json_t *value,
		      const char *text)
{
	const json_t *container = b->levels[b->depth - 1].container;
	int rc = yaml_lines_add(&b->lines, container, slot, line);

	if (rc == 0 && text && shows_otherwise(value, text))
		rc = yaml_lines_add_written(&b->lines, container, slot, false, text);
	return rc;
}

/* Puts a complete value (whose reference it takes) where it belongs. `text`: what a scalar was
 * written as, or NULL. */
static int place(struct builder *b, json_t *value, unsigned line, const char *text)
{
	struct level *level = b->depth > 0 ? &b->levels[b->depth - 1] : NULL;
	int rc = -ENOMEM;

	if (!level) {
		b->root = value;
		return 0;
	}
	if (json_is_array(level->container)) {
		uint32_t slot = (uint32_t)json_array_size(level->container);

		rc = note_value(b, slot, line, value, text);
		if (rc == 0 && json_array_append(level->container, value) < 0)
			rc = -ENOMEM;
	} else if (level->merge) {
		rc = merge_into(b, level, value, level->key_line);
		level->merge = false;
	} else {
		rc = note_value(b, yaml_key_slot(level->key), level->key_line, value, text);
		if (rc == 0 && json_object_set(level->container, level->key, value) < 0)
			rc = -ENOMEM;
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

/* go-yaml refuses this as well, where sigs.k8s.io/yaml is strict; else the last would win. */
static int set_twice(struct builder *b, const struct level *level, unsigned line)
{
	unsigned first = yaml_lines_find(&b->lines, level->container, yaml_key_slot(level->key));
	char text[100];

	(void)snprintf(text, sizeof(text), "set twice, before in line %u: expected each key once",
		       first);
	return fail(b, line, NULL, text);
}

/* `text`: what a scalar was written as, or NULL. */
static int take_key(struct builder *b, const json_t *value, const char *text, bool plain,
		    unsigned line)
{
	struct level *level = &b->levels[b->depth - 1];

	level->key_line = line;
	if (plain && json_is_string(value) && strcmp(json_string_value(value), "<<") == 0) {
		level->merge = true;
		return 0;
	}
	if (json_is_null(value))
		return fail(b, line, text && text[0] ? text : NULL, "a null key: expected text");
	level->key = key_text(value);
	if (!level->key)
		return -ENOMEM;
	if (text && strcmp(text, level->key) != 0 &&
	    yaml_lines_add_written(&b->lines, level->container, yaml_key_slot(level->key), true,
				   text) < 0)
		return -ENOMEM;
	if (json_object_get(level->merged, level->key)) {
		(void)json_object_del(level->merged, level->key);
	} else if (json_object_get(level->container, level->key)) {
		return set_twice(b, level, line);
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
		return err.code == -EINVAL ? fail(b, line, text, err.text) : -ENOMEM;

	int rc = count_nodes(b, 1, line);
	if (rc == 0 && event->data.scalar.anchor)
		rc = set_anchor(b, (const char *)event->data.scalar.anchor, value, 1);
	if (rc == 0 && key_expected(b))
		rc = take_key(b, value, text, plain, line);
	else if (rc == 0)
		return place(b, value, line, text);
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
		rc = give_up(b, line, "nested too deeply: expected at most 100 levels");
	else if (key_expected(b))
		rc = fail(b, line, NULL, "a list or map as a key: expected text");
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
	json_release(level->container);
	json_release(level->merged);
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
		rc = place(b, json_incref(level.container), level.line, NULL);
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
		char text[150];

		/* Also an alias to what it stands in: the anchor is known once closed. */
		(void)snprintf(text, sizeof(text), "alias *%.100s: no such anchor before it", name);
		return fail(b, line, NULL, text);
	}
	int rc = count_nodes(b, anchor->nodes, line);
	if (rc < 0)
		return rc;
	if (key_expected(b)) {
		if (json_is_object(anchor->value) || json_is_array(anchor->value))
			return fail(b, line, NULL, "a list or map as a key: expected text");
		return take_key(b, anchor->value, NULL, false, line);
	}
	if (json_is_array(anchor->value) && merge_expected(b))
		return fail(b, line, NULL, "merge key: expected a map, or a list written here");
	return place(b, json_incref(anchor->value), line, NULL);
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
	json_release(b->root);
	b->root = NULL;
	b->complete = false;
	b->nodes = 0;
	yaml_lines_done(&b->lines);
}

/* Only once the parser has found what follows in order: a document that bad indentation cut short
 * looks complete until then. */
static int hand_out(struct builder *b)
{
	int rc = 0;

	if (b->skip) /* said already */
		forget_document(b);
	b->lines.root = b->root;
	if (b->complete && b->root && !json_is_null(b->root))
		rc = b->reader->document(b->reader->ctx, b->root, &b->lines);
	forget_document(b);
	b->lines.first = 0;
	b->skip = false;
	return rc;
}

static int on_content(struct builder *b, const yaml_event_t *event, unsigned line)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(b, event, line);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(b, json_array(), event->data.sequence_start.anchor, line);
	case YAML_MAPPING_START_EVENT:
		return on_start(b, json_object(), event->data.mapping_start.anchor, line);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(b);
	case YAML_ALIAS_EVENT:
		return on_alias(b, (const char *)event->data.alias.anchor, line);
	default:
		return 0; /* YAML_DOCUMENT_END_EVENT, and those of the stream */
	}
}

/* A document that has failed says why, and the rest of it is passed over. */
static int tell_failure(struct builder *b)
{
	forget_document(b);
	b->failed = false;
	b->skip = true;
	return b->reader->invalid(b->reader->ctx, &b->failure);
}

static int on_event(struct builder *b, const yaml_event_t *event)
{
	unsigned line = b->from.line + (unsigned)event->start_mark.line + 1;
	int rc;

	if (event->type == YAML_DOCUMENT_START_EVENT || event->type == YAML_STREAM_END_EVENT) {
		b->document_line = line - 1;
		return hand_out(b);
	}
	if (b->skip)
		return 0;
	b->complete = event->type == YAML_DOCUMENT_END_EVENT;
	rc = on_content(b, event, line);
	if (b->lines.first == 0 && !b->complete && event->type != YAML_STREAM_START_EVENT)
		b->lines.first = line;
	return rc == -EINVAL && b->failed && b->reader->invalid ? tell_failure(b) : rc;
}

/* libyaml reads ahead and says only which byte it is. */
static int reader_error(struct builder *b, const char *problem, size_t offset)
{
	size_t at = b->from.at + offset;
	struct yaml_place place = b->from, next = place;

	for (;;) {
		yaml_go_to_line(b->data, b->len, &next, place.line + 1);
		if (next.at > at || next.at <= place.at)
			break;
		place = next;
	}
	return give_up(b, place.line + 1, "not YAML: %s at byte %zu of the file", problem, at);
}

static int parser_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = p->problem ? p->problem : "unreadable";

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	b->failure = (struct yaml_failure){.again = b->skip};
	if (p->context)
		b->failure.context_line = b->from.line + (unsigned)p->context_mark.line + 1;
	if (p->error == YAML_READER_ERROR)
		return reader_error(b, problem, p->problem_offset);
	return give_up(b, b->from.line + (unsigned)p->problem_mark.line + 1,
		       "not YAML: %s at column %zu%s%s", problem, p->problem_mark.column + 1,
		       p->context ? ", " : "", p->context ? p->context : "");
}

static int parse(struct builder *b)
{
	bool more = true;
	int rc = 0;

	while (rc == 0 && more) {
		yaml_event_t event;

		if (!yaml_parser_parse(&b->parser, &event))
			return parser_error(b);
		more = event.type != YAML_STREAM_END_EVENT;
		task_step();
		rc = on_event(b, &event);
		yaml_event_delete(&event);
	}
	return rc;
}

/* What is from there on, up to `end`. */
static int read_from(struct builder *b, const struct yaml_place *from, size_t end)
{
	int rc = -ENOMEM;

	b->from = *from;
	b->document_line = from->line;
	b->skip = b->failed = b->broken = false;
	if (yaml_parser_initialize(&b->parser)) {
		yaml_parser_set_input_string(&b->parser, (const unsigned char *)b->data + from->at,
					     end - from->at);
		rc = parse(b);
		forget_document(b);
		b->lines.first = 0;
		yaml_parser_delete(&b->parser);
	}
	return rc;
}

/* The parser cannot go on behind an error. The document that it was reading is the one between two
 * separators; where what it met is behind that (a quote that does not end, a byte that it read
 * ahead to), only the document alone tells whether it is one. *from: where to go on. */
static int pass_by(struct builder *b, struct yaml_place *from)
{
	struct yaml_place document = *from;
	int rc = -EINVAL;

	yaml_go_to_line(b->data, b->len, &document, b->document_line);
	*from = document;
	if (yaml_go_to_document(b->data, b->len, from) && b->problem_line >= from->line)
		rc = b->skip ? 0 : read_from(b, &document, from->at);
	return rc == -EINVAL && b->broken ? b->reader->invalid(b->reader->ctx, &b->failure) : rc;
}

static int read_all(struct builder *b)
{
	struct yaml_place from = {0};
	unsigned failures = 0;
	int rc;

	while ((rc = read_from(b, &from, b->len)) == -EINVAL && b->broken && b->reader->invalid) {
		if (failures++ >= YAML_BROKEN_MAX)
			return give_up(b, b->failure.line,
				       "not YAML, as %d documents before it: the rest of the file "
				       "is left out",
				       YAML_BROKEN_MAX);
		rc = pass_by(b, &from);
		if (rc < 0 || from.at >= b->len)
			break;
	}
	return rc;
}

int yaml_read(const char *data, size_t len, const struct yaml_reader *reader,
	      struct yaml_failure *failure)
{
	struct builder *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return -ENOMEM;
	b->reader = reader;
	b->data = data;
	b->len = len;
	rc = read_all(b);
	*failure = b->failure;
	free(b);
	return rc;
}

int yaml_parse(const char *data, size_t len, yaml_document_fn fn, void *ctx, struct err *err,
	       unsigned *ret_line)
{
	struct yaml_reader reader = {.document = fn, .ctx = ctx};
	struct yaml_failure failure = {0};
	int rc = yaml_read(data, len, &reader, &failure);

	if (rc == -EINVAL && failure.text[0])
		(void)err_set(err, rc, "%s%s%s%s%s", failure.field, failure.field[0] ? ": " : "",
			      failure.value, failure.value[0] ? ": " : "", failure.text);
	if (ret_line)
		*ret_line = failure.line;
	return rc;
}
