/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_extract.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/json_scan.h"

#define KEY_MAX    128
#define FRAMES_MAX 16
/* What a large object needed beyond goes back. */
#define BUFFER_KEPT (1u << 20)

struct buffer {
	char *v;
	size_t n, cap;
};

/* An object or a list on the way to what is kept. */
struct frame {
	const struct json_keep *within; /* of an object's members, or of a list's elements */
	bool list, items;
	bool first; /* nothing has been written yet */
};

enum state {
	STATE_START,      /* between the outermost objects */
	STATE_KEY_OR_END, /* behind { */
	STATE_KEY,        /* behind a comma in an object */
	STATE_IN_KEY,
	STATE_COLON,
	STATE_VALUE,
	STATE_VALUE_OR_END, /* behind [ */
	STATE_COMMA,        /* behind a value */
	STATE_IN_STRING,
	STATE_IN_SCALAR,   /* a number or a word */
	STATE_IN_CONTAINER /* that is kept whole, or left out: only where it ends matters */
};

struct json_extract {
	json_extracted_fn fn;
	void *ctx;
	const struct json_keep *root;
	struct err *err; /* of the call that is running */

	struct frame frames[FRAMES_MAX];
	size_t n;
	enum state state;
	bool escaped; /* in a string or a key */

	char key[KEY_MAX];
	size_t key_len;
	const struct json_keep *rule; /* of the value that is coming; NULL: it is an element */
	bool kept;                    /* it is */
	enum json_slot slot;          /* where a copy goes */
	size_t begin;                 /* in the buffer, of a container that is kept */
	struct json_skim skim;

	struct buffer document, object;
	bool in_object, has_object, has_items;
	size_t object_depth; /* frames around it */
	char slots[JSON_SLOT_COUNT][JSON_SLOT_MAX];
	size_t slot_len;
	const char *problem; /* of the object */
};

struct json_extract *json_extract_new(const struct json_keep *keep, json_extracted_fn fn, void *ctx)
{
	struct json_extract *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->fn = fn;
	x->ctx = ctx;
	x->root = keep;
	return x;
}

void json_extract_free(struct json_extract *x)
{
	if (!x)
		return;
	free(x->document.v);
	free(x->object.v);
	free(x);
}

static int unexpected(struct json_extract *x, char c)
{
	return err_set(x->err, -EINVAL,
		       c >= ' ' && c <= '~' ? "not JSON: unexpected '%c'"
					    : "not JSON: unexpected byte 0x%02x",
		       (unsigned char)c);
}

/* What is kept. */

static void too_large(struct json_extract *x)
{
	x->problem = "too large: expected at most 16 MiB of what policy reads";
	free(x->object.v);
	x->object = (struct buffer){0};
}

static int append(struct json_extract *x, const char *bytes, size_t len)
{
	struct buffer *out = x->in_object ? &x->object : &x->document;

	if (len > JSON_KEPT_MAX - out->n) {
		if (!x->in_object)
			return err_set(x->err, -EINVAL,
				       "what is around the objects is larger than %u bytes",
				       JSON_KEPT_MAX);
		too_large(x);
	}
	if (x->in_object && x->problem && !x->object.v)
		return 0;
	if (out->n + len > out->cap) {
		size_t cap = (out->n + len) * 2;
		char *grown = realloc(out->v, cap);

		if (!grown)
			return -ENOMEM;
		out->v = grown;
		out->cap = cap;
	}
	if (len > 0)
		memcpy(out->v + out->n, bytes, len);
	out->n += len;
	return 0;
}

static int append_key(struct json_extract *x, const char *key, size_t len)
{
	struct frame *top = &x->frames[x->n - 1];
	int rc = append(x, ",\"", top->first ? 0 : 1);

	top->first = false;
	if (rc == 0)
		rc = append(x, "\"", 1);
	if (rc == 0)
		rc = append(x, key, len);
	return rc == 0 ? append(x, "\":", 2) : rc;
}

static void copy_to_slot(struct json_extract *x, const char *bytes, size_t len)
{
	if (x->slot == JSON_SLOT_NONE)
		return;
	if (len >= JSON_SLOT_MAX - x->slot_len) {
		x->slots[x->slot][0] = '\0';
		x->slot = JSON_SLOT_NONE;
		return;
	}
	memcpy(x->slots[x->slot] + x->slot_len, bytes, len);
	x->slot_len += len;
	x->slots[x->slot][x->slot_len] = '\0';
}

/* The object's beginning and end. */

static void shrink(struct buffer *buffer)
{
	buffer->n = 0;
	if (buffer->cap <= BUFFER_KEPT)
		return;
	free(buffer->v);
	*buffer = (struct buffer){0};
}

static void begin_object(struct json_extract *x)
{
	x->in_object = true;
	x->object_depth = x->n;
	x->object.n = 0;
	x->problem = NULL;
	for (size_t i = JSON_SLOT_NAME; i < JSON_SLOT_COUNT; i++)
		x->slots[i][0] = '\0'; /* the type is the event's */
}

static void describe(const struct json_extract *x, enum json_extracted_what what,
		     struct json_extracted *ret)
{
	bool list = what == JSON_EXTRACTED_END && !x->has_object;
	const struct buffer *buffer = list ? &x->document : &x->object;

	*ret = (struct json_extracted){
		.what = what,
		.bytes = buffer->v ? buffer->v : "",
		.len = buffer->n,
		.has_object = x->has_object,
		.has_items = x->has_items,
		.problem = list ? NULL : x->problem,
	};
	for (size_t i = 0; i < JSON_SLOT_COUNT; i++)
		ret->slots[i] = x->slots[i];
}

static int emit(struct json_extract *x, enum json_extracted_what what)
{
	struct json_extracted part;
	int rc;

	describe(x, what, &part);
	rc = x->fn(x->ctx, &part);
	shrink(&x->object);
	return rc;
}

static int end_document(struct json_extract *x)
{
	int rc = emit(x, JSON_EXTRACTED_END);

	x->state = STATE_START;
	x->has_object = x->has_items = false;
	x->slots[JSON_SLOT_TYPE][0] = '\0';
	shrink(&x->document);
	return rc;
}

static int end_value(struct json_extract *x)
{
	x->state = STATE_COMMA;
	if (x->in_object && x->n == x->object_depth) {
		x->in_object = false;
		if (x->frames[x->n - 1].items)
			return emit(x, JSON_EXTRACTED_ITEM);
		x->has_object = true;
	}
	return x->n == 0 ? end_document(x) : 0;
}

/* Keys. */

/* The character of an escape in a key, where it is of ASCII; -1: of none that our keys have. *len:
 * of the escape. */
static int unescape(const char *p, size_t left, size_t *len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *simple = left >= 2 && p[1] ? strchr(from, p[1]) : NULL;
	char digits[5] = "", *end;
	unsigned long c;

	*len = simple || left < 2 ? 2 : 6;
	if (simple)
		return (unsigned char)to[simple - from];
	if (left < 6 || p[1] != 'u')
		return -1;
	memcpy(digits, p + 2, 4);
	c = strtoul(digits, &end, 16);
	return end == digits + 4 && c > 0 && c < 0x80 ? (int)c : -1;
}

/* As jansson would read it: an escape in a key must not hide it. */
static bool is_key(const char *text, size_t len, const char *key)
{
	size_t step = 1;

	for (size_t i = 0; i < len; i += step) {
		int c = (unsigned char)text[i];

		step = 1;
		if (c == '\\')
			c = unescape(text + i, len - i, &step);
		/* A NUL is in no key of the table, and its end is not to be passed. */
		if (c <= 0 || c != (unsigned char)*key++)
			return false;
	}
	return *key == '\0';
}

/* What to do with the member whose key has just ended. */
static int end_key(struct json_extract *x)
{
	const struct json_keep *rule = x->frames[x->n - 1].within;
	bool whole = x->key_len <= sizeof(x->key); /* a longer one is none of the table's */

	while (rule->key && !(whole && is_key(x->key, x->key_len, rule->key)))
		rule++;
	x->state = STATE_COLON;
	x->rule = rule;
	x->kept = rule->key ? rule->role != JSON_ROLE_DROP : rule->others;
	/* Of the outermost object only its head is written; the object has a buffer of its own. */
	if (!x->kept || rule->role == JSON_ROLE_OBJECT || rule->role == JSON_ROLE_ITEMS)
		return 0;
	if (rule->key)
		return append_key(x, rule->key, strlen(rule->key));
	return append_key(x, x->key, whole ? x->key_len : sizeof(x->key));
}

/* A string's bytes up to its closing quote, or all there are; *ret_ended: the quote was there, and
 * what is returned is it. */
static const char *scan_string(struct json_extract *x, const char *p, const char *end,
			       bool *ret_ended)
{
	*ret_ended = false;
	while (p < end) {
		const char *quote, *escape;

		if (x->escaped) {
			x->escaped = false;
			p++;
			continue;
		}
		quote = memchr(p, '"', (size_t)(end - p));
		escape = memchr(p, '\\', (size_t)((quote ? quote : end) - p));
		if (escape) {
			x->escaped = true;
			p = escape + 1;
		} else if (quote) {
			*ret_ended = true;
			return quote;
		} else {
			return end;
		}
	}
	return p;
}

static int in_key(struct json_extract *x, const char **pp, const char *end)
{
	bool ended;
	const char *p = *pp, *to = scan_string(x, p, end, &ended);
	size_t len = (size_t)(to - p);

	if (x->key_len < sizeof(x->key))
		memcpy(x->key + x->key_len, p,
		       len < sizeof(x->key) - x->key_len ? len : sizeof(x->key) - x->key_len);
	x->key_len += len;
	*pp = ended ? to + 1 : to;
	return ended ? end_key(x) : 0;
}

/* Values. */

static int push(struct json_extract *x, const struct json_keep *within, char c, bool items)
{
	x->frames[x->n++] =
		(struct frame){.within = within, .list = c == '[', .items = items, .first = true};
	x->state = c == '[' ? STATE_VALUE_OR_END : STATE_KEY_OR_END;
	return items ? 0 : append(x, &c, 1);
}

/* A container whose inside is no table's. */
static int begin_container(struct json_extract *x, char c)
{
	size_t frames = x->n - (x->in_object ? x->object_depth : 0);

	x->state = STATE_IN_CONTAINER;
	x->skim = (struct json_skim){
		.depth = 1, .limit = x->kept ? JSON_KEPT_DEPTH_MAX - frames : UINT64_MAX / 2};
	x->begin = x->in_object ? x->object.n : x->document.n;
	return x->kept ? append(x, &c, 1) : 0;
}

static int begin_nested(struct json_extract *x, const struct json_keep *rule, char c)
{
	const struct frame *top = &x->frames[x->n - 1];
	const struct json_keep *within = top->list ? top->within : rule->within;

	if (!top->list && rule->role == JSON_ROLE_ITEMS && c == '[') {
		x->has_items = true;
		return push(x, within, c, true);
	}
	/* A list in a list is nothing that a table knows. */
	if (x->kept && within && x->n < FRAMES_MAX && !(top->list && c == '[' && !top->items))
		return push(x, within, c, false);
	return begin_container(x, c);
}

static int begin_value(struct json_extract *x, char c)
{
	struct frame *top = &x->frames[x->n - 1];
	const struct json_keep *rule = top->list ? NULL : x->rule;
	int rc = 0;

	if (top->list) {
		x->kept = true;
		if (!top->items && !top->first)
			rc = append(x, ",", 1);
		top->first = false;
	}
	if (rc < 0)
		return rc;
	if (top->items || (rule && rule->role == JSON_ROLE_OBJECT))
		begin_object(x);
	else if (rule && rule->role == JSON_ROLE_ITEMS && c != '[')
		x->kept = false;
	x->slot = JSON_SLOT_NONE;
	if (c == '{' || c == '[')
		return begin_nested(x, rule, c);
	if (c == ',' || c == ':' || c == '}' || c == ']')
		return unexpected(x, c);
	if (rule && c == '"') {
		x->slot = rule->slot;
		x->slot_len = 0;
		x->slots[x->slot][0] = '\0';
	}
	x->state = c == '"' ? STATE_IN_STRING : STATE_IN_SCALAR;
	return x->kept ? append(x, &c, 1) : 0;
}

static int in_string(struct json_extract *x, const char **pp, const char *end)
{
	bool ended;
	const char *p = *pp, *to = scan_string(x, p, end, &ended);
	int rc;

	copy_to_slot(x, p, (size_t)(to - p));
	to += ended;
	rc = x->kept ? append(x, p, (size_t)(to - p)) : 0;
	*pp = to;
	return rc == 0 && ended ? end_value(x) : rc;
}

static int in_scalar(struct json_extract *x, const char **pp, const char *end)
{
	const char *p = *pp, *to = p;
	int rc;

	while (to < end && !strchr(",:{}[]\" \t\r\n", *to))
		to++;
	rc = x->kept ? append(x, p, (size_t)(to - p)) : 0;
	*pp = to;
	return rc == 0 && to < end ? end_value(x) : rc;
}

/* It goes on unread, and null stands in its place. */
static int give_up_container(struct json_extract *x)
{
	struct buffer *out = x->in_object ? &x->object : &x->document;

	if (!x->in_object)
		return err_set(x->err, -EINVAL, "what is around the objects is nested too deeply");
	if (!x->problem) /* or the buffer is gone */
		out->n = x->begin;
	if (!x->problem)
		x->problem = "nested too deeply: expected at most 128 levels of what policy reads";
	x->skim.limit = UINT64_MAX / 2;
	x->skim.too_deep = false;
	x->kept = false;
	return append(x, "null", 4);
}

static int in_container(struct json_extract *x, const char **pp, const char *end)
{
	const char *p = *pp, *to = json_skim(&x->skim, p, end);
	int rc = 0;

	if (x->skim.too_deep)
		rc = give_up_container(x);
	else if (x->kept)
		rc = append(x, p, (size_t)(to - p));
	*pp = to;
	return rc == 0 && x->skim.depth == 0 ? end_value(x) : rc;
}

/* Between the values. */

static int close_frame(struct json_extract *x, char c)
{
	const struct frame *top = &x->frames[x->n - 1];
	bool items = top->items;
	int rc;

	if (c != (top->list ? ']' : '}'))
		return unexpected(x, c);
	rc = items ? 0 : append(x, &c, 1);
	x->n--;
	return rc == 0 ? end_value(x) : rc;
}

static int step(struct json_extract *x, char c)
{
	switch (x->state) {
	case STATE_START:
		if (c != '{')
			return err_set(x->err, -EINVAL, "not JSON: expected an object");
		return push(x, x->root, c, false);
	case STATE_KEY_OR_END:
	case STATE_KEY:
		if (c == '"') {
			x->key_len = 0;
			x->state = STATE_IN_KEY;
			return 0;
		}
		return x->state == STATE_KEY_OR_END ? close_frame(x, c) : unexpected(x, c);
	case STATE_COLON:
		x->state = STATE_VALUE;
		return c == ':' ? 0 : unexpected(x, c);
	case STATE_VALUE_OR_END:
		return c == ']' ? close_frame(x, c) : begin_value(x, c);
	case STATE_VALUE:
		return begin_value(x, c);
	case STATE_COMMA:
		if (c != ',')
			return close_frame(x, c);
		x->state = x->frames[x->n - 1].list ? STATE_VALUE : STATE_KEY;
		return 0;
	case STATE_IN_KEY:
	case STATE_IN_STRING:
	case STATE_IN_SCALAR:
	case STATE_IN_CONTAINER:
		break;
	}
	return -EINVAL; /* these are not stepped through */
}

static int feed_some(struct json_extract *x, const char **pp, const char *end)
{
	switch (x->state) {
	case STATE_IN_KEY:
		return in_key(x, pp, end);
	case STATE_IN_STRING:
		return in_string(x, pp, end);
	case STATE_IN_SCALAR:
		return in_scalar(x, pp, end);
	case STATE_IN_CONTAINER:
		return in_container(x, pp, end);
	default:
		*pp = json_scan_space(*pp, end);
		return *pp < end ? step(x, *(*pp)++) : 0;
	}
}

int json_extract_feed(struct json_extract *x, const char *bytes, size_t len, struct err *err)
{
	const char *p = bytes, *end = bytes + len;
	int rc = 0;

	x->err = err;
	while (p < end && rc == 0)
		rc = feed_some(x, &p, end);
	return rc;
}

int json_extract_finish(const struct json_extract *x, struct err *err)
{
	bool in_string = x->state == STATE_IN_STRING || x->state == STATE_IN_KEY ||
			 (x->state == STATE_IN_CONTAINER && x->skim.in_string);

	if (x->state == STATE_START)
		return 0;
	return err_set(err, -EINVAL, "not JSON: ends inside %s",
		       in_string ? "a string" : "an object");
}

void json_extract_rest(const struct json_extract *x, struct json_extracted *ret)
{
	describe(x, JSON_EXTRACTED_END, ret);
	ret->bytes = x->document.v ? x->document.v : "";
	ret->len = x->document.n;
}
