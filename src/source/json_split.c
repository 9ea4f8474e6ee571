/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_split.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "source/json_scan.h"

#define NAME_MAX_BYTES 128 /* of the top-level strings that we look at */

struct buffer {
	char *v;
	size_t n, cap;
};

/* Where the next byte stands, at depth 1 of an object or in its `items`. */
enum expect { EXPECT_KEY, EXPECT_COLON, EXPECT_VALUE, EXPECT_COMMA };

struct json_splitter {
	json_part_fn fn;
	void *ctx;

	char open[2]; /* '{' or '[' of the document, and of its items */
	unsigned depth;
	bool in_string, escaped;
	unsigned line;
	size_t mark; /* bytes of a byte order mark that have come */

	struct buffer document, item;
	unsigned document_line, item_line;
	bool list;             /* the document has `items` */
	bool in_items;         /* between their brackets */
	bool in_item;          /* in one of them */
	bool item_container;   /* the item is one */
	struct json_skim skim; /* of an item, or of a member that is a container */
	bool skimming;         /* such a member */
	enum expect expect;

	/* Strings of depth 1: the key, and the two values we want. */
	char text[NAME_MAX_BYTES];
	size_t text_len;
	bool text_wanted;
	char key[NAME_MAX_BYTES], kind[NAME_MAX_BYTES], version[NAME_MAX_BYTES];
};

struct json_splitter *json_splitter_new(json_part_fn fn, void *ctx)
{
	struct json_splitter *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fn = fn;
	s->ctx = ctx;
	s->line = 1;
	return s;
}

void json_splitter_free(struct json_splitter *s)
{
	if (!s)
		return;
	free(s->document.v);
	free(s->item.v);
	free(s);
}

unsigned json_splitter_line(const struct json_splitter *s)
{
	return s->line;
}

static int append(struct json_splitter *s, struct buffer *buffer, const char *bytes, size_t len,
		  struct err *err)
{
	if (len > JSON_OBJECT_MAX - buffer->n)
		return err_set(err, -EINVAL, "object too large: expected at most %u bytes",
			       JSON_OBJECT_MAX);
	if (buffer->n + len > buffer->cap) {
		size_t cap = (buffer->n + len) + (buffer->n + len) / 2;
		char *grown = realloc(buffer->v, cap);

		if (!grown)
			return err_set(err, -ENOMEM, "no memory at line %u", s->line);
		buffer->v = grown;
		buffer->cap = cap;
	}
	if (len > 0)
		memcpy(buffer->v + buffer->n, bytes, len);
	buffer->n += len;
	return 0;
}

static int emit_item(struct json_splitter *s)
{
	struct json_part part = {
		.bytes = s->item.v,
		.len = s->item.n,
		.line = s->item_line,
		.kind = JSON_PART_ITEM,
		.list_kind = s->kind[0] ? s->kind : NULL,
		.list_version = s->version[0] ? s->version : NULL,
	};

	s->item.n = 0;
	s->in_item = false;
	s->expect = EXPECT_COMMA;
	return s->fn(s->ctx, &part);
}

static int emit_document(struct json_splitter *s)
{
	struct json_part part = {
		.bytes = s->document.v,
		.len = s->document.n,
		.line = s->document_line,
		.kind = s->list ? JSON_PART_LIST : JSON_PART_DOCUMENT,
		.list_kind = s->kind[0] ? s->kind : NULL,
		.list_version = s->version[0] ? s->version : NULL,
	};
	int rc = s->fn(s->ctx, &part);

	s->document.n = 0;
	s->list = false;
	s->key[0] = s->kind[0] = s->version[0] = '\0';
	return rc;
}

/* A string of depth 1 has ended. */
static void end_text(struct json_splitter *s)
{
	bool fits = s->text_len < sizeof(s->text);

	s->text_wanted = false;
	s->text[fits ? s->text_len : 0] = '\0';
	if (s->expect == EXPECT_KEY) {
		memcpy(s->key, s->text, sizeof(s->key));
		s->expect = EXPECT_COLON;
		return;
	}
	if (s->expect != EXPECT_VALUE)
		return; /* jansson will object */
	if (strcmp(s->key, "kind") == 0)
		memcpy(s->kind, s->text, sizeof(s->kind));
	else if (strcmp(s->key, "apiVersion") == 0)
		memcpy(s->version, s->text, sizeof(s->version));
	s->expect = EXPECT_COMMA;
}

/* Byte by byte, keeping the text: the short strings of depth 1. */
static const char *take_text(struct json_splitter *s, const char *p, const char *end)
{
	for (; p < end; p++) {
		if (!s->escaped && *p == '"') {
			s->in_string = false;
			return p + 1;
		}
		if (s->text_len < sizeof(s->text))
			s->text[s->text_len++] = *p;
		s->escaped = !s->escaped && *p == '\\';
	}
	return p;
}

/* To the end of a string or of the bytes. */
static const char *skip_string(struct json_splitter *s, const char *p, const char *end)
{
	/* Most strings are short and plain: nothing beats looking at them. */
	const char *near = end - p > 24 ? p + 24 : end;

	for (; p < near && *p != '\\' && !s->escaped; p++) {
		if (*p == '"') {
			s->in_string = false;
			return p + 1;
		}
	}
	while (p < end) {
		const char *quote, *escape;

		if (s->escaped) {
			s->escaped = false;
			p++;
			continue;
		}
		quote = memchr(p, '"', (size_t)(end - p));
		escape = memchr(p, '\\', (size_t)((quote ? quote : end) - p));
		if (escape) {
			s->escaped = true;
			p = escape + 1;
		} else if (quote) {
			s->in_string = false;
			return quote + 1;
		} else {
			return end;
		}
	}
	return p;
}

static const char *scan_string(struct json_splitter *s, const char *p, const char *end)
{
	return s->text_wanted ? take_text(s, p, end) : skip_string(s, p, end);
}

static void open_bracket(struct json_splitter *s, char c)
{
	s->open[s->depth++] = c;
	if (s->depth == 1)
		s->expect = EXPECT_KEY;
	if (s->depth < 2)
		return;
	if (c == '[' && s->open[0] == '{' && s->expect == EXPECT_VALUE &&
	    strcmp(s->key, "items") == 0 && !s->list) {
		s->list = s->in_items = true;
		s->expect = EXPECT_VALUE;
	} else {
		s->skimming = true;
		s->skim = (struct json_skim){.depth = 1, .limit = JSON_DEPTH_MAX - 1};
	}
}

static int close_bracket(struct json_splitter *s, char c, struct err *err)
{
	if (s->depth == 0 || s->open[s->depth - 1] != (c == '}' ? '{' : '['))
		return err_set(err, -EINVAL, "not JSON: unexpected '%c'", c);
	s->depth--;
	if (s->depth == 1)
		s->expect = EXPECT_COMMA;
	return 0;
}

/* A structural byte of depth 1. */
static void step_document(struct json_splitter *s, char c)
{
	if (s->depth != 1 || s->open[0] != '{')
		return;
	if (c == ':' && s->expect == EXPECT_COLON)
		s->expect = EXPECT_VALUE;
	else if (c == ',')
		s->expect = EXPECT_KEY;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A byte between the items; true when it begins one. The commas have to be checked here: they are
 * not handed out. */
static int between_items(struct json_splitter *s, char c, bool *ret_begins, struct err *err)
{
	*ret_begins = false;
	if (is_space(c))
		return 0;
	if (c == ']' && s->expect != EXPECT_KEY) {
		s->in_items = false;
		return 0; /* closed as any bracket is */
	}
	if (c == ',' && s->expect == EXPECT_COMMA) {
		s->expect = EXPECT_KEY; /* an item must follow */
		return 0;
	}
	if (c == ',' || c == ']' || c == '}' || c == ':' || s->expect == EXPECT_COMMA)
		return err_set(err, -EINVAL, "not JSON: unexpected '%c' in `items`", c);
	*ret_begins = true;
	return 0;
}

/* One byte outside strings, of the document. */
static int step(struct json_splitter *s, char c, struct err *err)
{
	switch (c) {
	case '"':
		s->in_string = true;
		s->text_wanted = s->depth == 1;
		s->text_len = 0;
		return 0;
	case '{':
	case '[':
		open_bracket(s, c);
		return 0;
	case '}':
	case ']':
		return close_bracket(s, c, err);
	case '\n':
		s->line++;
		return 0;
	default:
		step_document(s, c);
		return 0;
	}
}

static int too_deep(struct err *err)
{
	return err_set(err, -EINVAL, "nested too deeply: expected at most %d levels",
		       JSON_DEPTH_MAX);
}

/* An item that is a container: only its end matters. */
static const char *skim_item(struct json_splitter *s, const char *p, const char *end)
{
	if (s->item.n == 0) {
		s->skim = (struct json_skim){.depth = 1, .limit = JSON_DEPTH_MAX - s->depth};
		p++;
	}
	return json_skim(&s->skim, p, end);
}

/* A string, or what is neither string nor container; *ret_done: its end was seen. */
static const char *scan_scalar(struct json_splitter *s, const char *p, const char *end,
			       bool *ret_done)
{
	if (s->item.n == 0 && *p == '"') {
		s->in_string = true;
		p++;
	}
	if (s->in_string) {
		p = skip_string(s, p, end);
		*ret_done = !s->in_string;
		return p;
	}
	while (p < end && *p != ',' && *p != ']' && !is_space(*p))
		p++;
	*ret_done = p < end;
	return p;
}

static void count_lines(struct json_splitter *s, const char *p, const char *end)
{
	while ((p = memchr(p, '\n', (size_t)(end - p)))) {
		s->line++;
		p++;
	}
}

/* Scans the bytes of one item up to its end or theirs. */
static int scan_item(struct json_splitter *s, const char **pp, const char *end, struct err *err)
{
	const char *from = *pp, *p;
	bool done = false;
	int rc;

	if (s->item.n == 0)
		s->item_container = *from == '{' || *from == '[';
	if (s->item_container) {
		p = skim_item(s, from, end);
		done = s->skim.depth == 0;
	} else {
		p = scan_scalar(s, from, end, &done);
	}
	count_lines(s, from, p);
	*pp = p;
	if (s->item_container && s->skim.too_deep)
		return too_deep(err);
	rc = append(s, &s->item, from, (size_t)(p - from), err);
	return rc == 0 && done ? emit_item(s) : rc;
}

/* The rest of a container that is a member: what is in it is nobody's business here. */
static const char *skim_member(struct json_splitter *s, const char *p, const char *end)
{
	const char *from = p;

	p = json_skim(&s->skim, p, end);
	count_lines(s, from, p);
	if (s->skim.depth == 0) {
		s->skimming = false;
		s->depth--;
		s->expect = EXPECT_COMMA;
	}
	return p;
}

/* Scans the bytes of a document up to its end, theirs, or the beginning of an item. */
static int scan_document(struct json_splitter *s, const char **pp, const char *end, struct err *err)
{
	const char *from = *pp, *p = from;
	bool done = false;
	int rc = 0;

	while (p < end && !done && !s->in_item && rc == 0) {
		if (s->skimming) {
			p = skim_member(s, p, end);
			rc = s->skim.too_deep ? too_deep(err) : 0;
			continue;
		}
		if (s->in_string) {
			p = scan_string(s, p, end);
			if (!s->in_string && s->text_wanted)
				end_text(s);
			continue;
		}
		if (s->in_items) {
			bool begins;

			rc = between_items(s, *p, &begins, err);
			if (rc < 0 || begins) {
				s->in_item = begins;
				s->item_line = s->line;
				break;
			}
			if (s->in_items) { /* space or a comma: nobody's */
				rc = append(s, &s->document, from, (size_t)(p - from), err);
				s->line += *p == '\n';
				from = ++p;
				continue;
			}
		}
		rc = step(s, *p, err);
		done = (*p == '}' || *p == ']') && s->depth == 0;
		p++;
	}
	if (rc == 0)
		rc = append(s, &s->document, from, (size_t)(p - from), err);
	if (rc == 0 && done)
		rc = emit_document(s);
	*pp = p;
	return rc;
}

/* Of a byte order mark between documents: files that Windows has written, one after the other. */
static bool is_mark(struct json_splitter *s, char c)
{
	static const char mark[] = {'\xef', '\xbb', '\xbf'};

	if (c != mark[s->mark])
		return false;
	s->mark = (s->mark + 1) % sizeof(mark);
	return true;
}

int json_splitter_feed(struct json_splitter *s, const char *bytes, size_t len, struct err *err)
{
	const char *p = bytes, *end = bytes + len;
	int rc = 0;

	while (p < end && rc == 0) {
		if (s->in_item) {
			rc = scan_item(s, &p, end, err);
		} else if (s->depth > 0) {
			rc = scan_document(s, &p, end, err);
		} else if (s->mark == 0 && is_space(*p)) {
			s->line += *p++ == '\n';
		} else if (s->mark == 0 && (*p == '{' || *p == '[')) {
			s->document_line = s->line;
			rc = scan_document(s, &p, end, err);
		} else if (is_mark(s, *p)) {
			p++;
		} else {
			rc = err_set(err, -EINVAL, "not JSON: expected an object");
		}
	}
	return rc;
}

static bool in_string(const struct json_splitter *s)
{
	bool skimmed = s->skimming || (s->in_item && s->item_container);

	return skimmed ? s->skim.in_string : s->in_string;
}

/* What is open, as far as it goes, says where it went wrong if that was before its end. */
static int judge_open(struct json_splitter *s, const struct buffer *open, unsigned line,
		      struct err *err)
{
	const char *near;
	json_error_t error;
	json_t *json = json_loadb(open->v, open->n, JSON_DECODE_ANY, &error);

	json_decref(json);
	if (json || json_error_code(&error) == json_error_premature_end_of_input)
		return err_set(err, -EINVAL, "not JSON: ends inside %s",
			       in_string(s) ? "a string" : "an object");
	if (json_error_code(&error) == json_error_out_of_memory)
		return err_set(err, -ENOMEM, "no memory at line %u", s->line);
	s->line = line + (error.line > 0 ? (unsigned)error.line - 1 : 0);
	near = strstr(error.text, " near ");
	return err_set(err, -EINVAL, "not JSON: %.*s",
		       near ? (int)(near - error.text) : (int)strlen(error.text), error.text);
}

int json_splitter_finish(struct json_splitter *s, struct err *err)
{
	if (s->mark > 0)
		return err_set(err, -EINVAL, "not JSON: expected an object");
	if (s->depth == 0)
		return 0;
	if (s->in_item)
		return judge_open(s, &s->item, s->item_line, err);
	return judge_open(s, &s->document, s->document_line, err);
}
