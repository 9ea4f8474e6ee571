/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "yaml_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/task.h"
#include "source/yaml.h"

uint32_t yaml_key_slot(const char *key)
{
	return (uint32_t)hash_bytes(key, strlen(key));
}

int yaml_lines_add(struct yaml_lines *lines, const json_t *parent, uint32_t slot, unsigned line)
{
	return vec_push(&lines->all, (struct line){parent, slot, line});
}

int yaml_lines_add_written(struct yaml_lines *lines, const json_t *parent, uint32_t slot, bool key,
			   const char *text)
{
	struct written one = {parent, slot, key, strdup(text)};

	if (one.text && vec_push(&lines->written, one) == 0)
		return 0;
	free(one.text);
	return -ENOMEM;
}

/* One by one: there are few of them, and only faults ask. */
const char *yaml_lines_written(const struct yaml_lines *lines, const json_t *parent, uint32_t slot,
			       bool key)
{
	for (size_t i = lines->written.n; i > 0; i--) {
		const struct written *one = &lines->written.v[i - 1];

		if (one->parent == parent && one->slot == slot && one->key == key)
			return one->text;
	}
	return NULL;
}

unsigned yaml_lines_find(const struct yaml_lines *lines, const json_t *parent, uint32_t slot)
{
	for (size_t i = lines->all.n; i > 0; i--) {
		const struct line *one = &lines->all.v[i - 1];

		if (one->parent == parent && one->slot == slot)
			return one->line;
	}
	return 0;
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

	task_step();
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

/* What a step leads to; NULL: nothing. */
static const json_t *step(const json_t *node, const struct path_seg *seg, uint32_t *ret_slot)
{
	*ret_slot = seg->key ? yaml_key_slot(seg->key) : (uint32_t)seg->index;
	return seg->key ? json_object_get(node, seg->key) : json_array_get(node, seg->index);
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
		const json_t *next = step(node, &path[i], &wanted.slot);
		const struct line *found = find_line(lines, &wanted);

		if (!next || !found)
			break;
		line = found->line;
		node = next;
	}
	return line;
}

bool yaml_written(const struct yaml_lines *lines, const struct path_seg *path, size_t n,
		  const json_t *value, char *to, size_t len)
{
	const json_t *parent = NULL, *node = lines->root;
	const char *text;
	uint32_t slot = 0;

	for (size_t i = 0; i < n && node; i++) {
		parent = node;
		node = step(node, &path[i], &slot);
	}
	if (!parent || !node || (value && value != node))
		return false;
	text = yaml_lines_written(lines, parent, slot, !value);
	if (text)
		(void)snprintf(to, len, "%s", text);
	return text;
}

void yaml_lines_done(struct yaml_lines *lines)
{
	for (size_t i = 0; i < lines->written.n; i++)
		free(lines->written.v[i].text);
	vec_free(&lines->written);
	vec_free(&lines->all);
	lines->sorted = false;
}
