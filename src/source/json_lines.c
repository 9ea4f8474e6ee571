/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_lines.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "source/json_scan.h"

struct walk {
	struct json_lines *lines;
	const char *p, *end;
	const char *counted; /* line breaks before this are in `line` */
	unsigned line;
};

/* Paths are told apart by hash: a collision costs a wrong line number, nothing else. */
static uint64_t mix(uint64_t path, const void *data, size_t len)
{
	return (path * 0x9e3779b97f4a7c15u) ^ hash_bytes(data, len);
}

static uint64_t mix_index(uint64_t path, uint64_t index)
{
	return mix(path, &index, sizeof(index));
}

static void count_to(struct walk *w, const char *to)
{
	for (; w->counted < to; w->counted++)
		w->line += *w->counted == '\n';
}

static bool note(struct walk *w, uint64_t path, const char *at, const char *value)
{
	count_to(w, at);
	return vec_push(&w->lines->all,
			(struct json_line){path, w->line, (size_t)(value - w->lines->bytes)}) == 0;
}

static bool walk_value(struct walk *w, uint64_t path);

static bool walk_object(struct walk *w, uint64_t path)
{
	const char *key, *key_end, *value;

	while ((value = json_scan_member(w->p, w->end, &key, &key_end))) {
		uint64_t member = mix(path, key, (size_t)(key_end - key));

		w->p = value;
		if (!note(w, member, key, value) || !walk_value(w, member))
			return false;
		w->p = json_scan_space(w->p, w->end);
		if (w->p >= w->end || *w->p != ',')
			break;
	}
	if (!value)
		w->p = json_scan_space(w->p + 1, w->end);
	if (w->p < w->end)
		w->p++;
	return true;
}

static bool walk_array(struct walk *w, uint64_t path)
{
	uint64_t index = 0;

	do {
		w->p = json_scan_space(w->p + 1, w->end);
		if (w->p >= w->end || *w->p == ']')
			break;
		uint64_t element = mix_index(path, index++);
		if (!note(w, element, w->p, w->p) || !walk_value(w, element))
			return false;
		w->p = json_scan_space(w->p, w->end);
	} while (w->p < w->end && *w->p == ',');
	if (w->p < w->end)
		w->p++;
	return true;
}

/* The bytes have been parsed before: depth is bounded, syntax is right. */
static bool walk_value(struct walk *w, uint64_t path)
{
	if (w->p < w->end && *w->p == '{')
		return walk_object(w, path);
	if (w->p < w->end && *w->p == '[')
		return walk_array(w, path);
	w->p = json_scan_value(w->p, w->end);
	return w->p != NULL;
}

static int compare(const void *left, const void *right)
{
	const struct json_line *a = left, *b = right;

	return (a->path > b->path) - (a->path < b->path);
}

static void build(struct json_lines *lines)
{
	struct walk w = {
		.lines = lines,
		.p = lines->bytes,
		.end = lines->bytes + lines->len,
		.counted = lines->bytes,
		.line = lines->first,
	};

	w.p = json_scan_space(w.p, w.end);
	(void)walk_value(&w, 0); /* what was found so far is still good */
	if (lines->all.n > 0)
		qsort(lines->all.v, lines->all.n, sizeof(lines->all.v[0]), compare);
	lines->built = true;
}

/* The deepest part of the path that exists, of *ret_n steps; NULL: none. */
static const struct json_line *find(struct json_lines *lines, const struct path_seg *path, size_t n,
				    size_t *ret_n)
{
	const struct json_line *deepest = NULL;
	struct json_line wanted = {0};

	if (n > 0 && !lines->built)
		build(lines);
	for (*ret_n = 0; *ret_n < n && lines->all.n > 0; ++*ret_n) {
		const struct path_seg *seg = &path[*ret_n];

		wanted.path = seg->key ? mix(wanted.path, seg->key, strlen(seg->key))
				       : mix_index(wanted.path, seg->index);
		const struct json_line *found = bsearch(&wanted, lines->all.v, lines->all.n,
							sizeof(lines->all.v[0]), compare);
		if (!found)
			break;
		deepest = found;
	}
	return deepest;
}

unsigned json_line_of(void *ctx, const struct path_seg *path, size_t n)
{
	struct json_lines *lines = ctx;
	size_t steps;
	const struct json_line *found = find(lines, path, n, &steps);

	return found ? found->line : lines->first;
}

bool json_written(void *ctx, const struct path_seg *path, size_t n, const json_t *value, char *to,
		  size_t len)
{
	struct json_lines *lines = ctx;
	size_t steps;
	const struct json_line *found = json_is_number(value) ? find(lines, path, n, &steps) : NULL;
	const char *from = found ? lines->bytes + found->at : NULL;
	const char *end = from ? json_scan_value(from, lines->bytes + lines->len) : NULL;

	if (!end || steps < n || (size_t)(end - from) >= len)
		return false;
	/* By its hash it could be another's. */
	AUTO_JSON json_t *again = json_loadb(from, (size_t)(end - from), JSON_DECODE_ANY, NULL);

	if (!again || !json_equal(again, value))
		return false;
	memcpy(to, from, (size_t)(end - from));
	to[end - from] = '\0';
	return true;
}

void json_lines_done(struct json_lines *lines)
{
	vec_free(&lines->all);
}
