/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_prune.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/vec.h"
#include "source/json_check.h"
#include "source/json_keep.h"
#include "source/json_scan.h"

/* Reads at p, writes at w <= p. */
struct cursor {
	const char *p, *end;
	char *w;
};

static void copy_to(struct cursor *c, const char *to)
{
	size_t len = (size_t)(to - c->p);

	if (c->w != c->p)
		memmove(c->w, c->p, len);
	c->w += len;
	c->p = to;
}

/* Leaves only the line breaks. */
static void drop_to(struct cursor *c, const char *to)
{
	for (const char *p = c->p; p < to; p++) {
		p = memchr(p, '\n', (size_t)(to - p));
		if (!p)
			break;
		*c->w++ = '\n';
	}
	c->p = to;
}

/* NULL: it goes. A key with escapes may be any key: it stays, with all that it has. */
static const struct json_keep *find_keep(const struct json_keep *keeps, const char *key, size_t len)
{
	static const struct json_keep escaped = {.key = ""};

	if (memchr(key, '\\', len))
		return &escaped;
	for (; keeps->key; keeps++) {
		if (strlen(keeps->key) == len && memcmp(keeps->key, key, len) == 0)
			return keeps;
	}
	return NULL;
}

static bool prune_value(struct cursor *c, const struct json_keep *keeps);

/* A member that goes: where it ends; NULL when it is no JSON, which is for the parser to say. */
static const char *check_member(const struct cursor *c, const char *key, const char *value)
{
	return json_check_string(key - 1, c->end) ? json_check_value(value, c->end) : NULL;
}

/* One member, from behind the brace or comma before it. `first`: none has been kept yet. */
static bool prune_member(struct cursor *c, const struct json_keep *keeps, bool *first)
{
	const char *key, *key_end, *value = json_scan_member(c->p - 1, c->end, &key, &key_end);
	const struct json_keep *keep;
	const char *end;

	if (!value)
		return false;
	keep = find_keep(keeps, key, (size_t)(key_end - key));
	end = keep ? NULL : check_member(c, key, value);
	if (end) {
		drop_to(c, end);
		return true;
	}
	end = keep && keep->within ? value : json_scan_value(value, c->end);
	if (!end)
		return false;
	if (!*first)
		*c->w++ = ','; /* its own was read and not written: there is room */
	*first = false;
	copy_to(c, end);
	return end != value || prune_value(c, keep->within);
}

static bool prune_object(struct cursor *c, const struct json_keep *keeps)
{
	bool first = true;

	copy_to(c, json_scan_space(c->p + 1, c->end));
	while (c->p < c->end && *c->p != '}') {
		if (!prune_member(c, keeps, &first))
			return false;
		copy_to(c, json_scan_space(c->p, c->end));
		if (c->p >= c->end || *c->p != ',')
			break;
		c->p++;
		const char *next = json_scan_space(c->p, c->end);
		if (next >= c->end || *next != '"') {
			*c->w++ = ','; /* {"a":1,} stays as bad as it is */
			return false;
		}
	}
	if (c->p >= c->end || *c->p != '}')
		return false;
	copy_to(c, c->p + 1);
	return true;
}

static bool prune_array(struct cursor *c, const struct json_keep *keeps)
{
	do {
		copy_to(c, json_scan_space(c->p + 1, c->end));
		if (c->p < c->end && *c->p == ']')
			break;
		if (!prune_value(c, keeps))
			return false;
		copy_to(c, json_scan_space(c->p, c->end));
	} while (c->p < c->end && *c->p == ',');
	if (c->p >= c->end || *c->p != ']')
		return false;
	copy_to(c, c->p + 1);
	return true;
}

static bool prune_value(struct cursor *c, const struct json_keep *keeps)
{
	if (c->p < c->end && *c->p == '{')
		return prune_object(c, keeps);
	if (c->p < c->end && *c->p == '[')
		return prune_array(c, keeps);

	const char *end = json_scan_value(c->p, c->end);
	if (!end)
		return false;
	copy_to(c, end);
	return true;
}

/* The object's own kind: the text between the quotes. -ENOENT: none; -EINVAL: a key has escapes and
 * may be any key. */
static int find_kind(const char *p, const char *end, const char **ret, size_t *ret_len)
{
	const char *key, *key_end, *value;

	p = json_scan_space(p, end);
	while (p && p < end && (*p == '{' || *p == ',') &&
	       (value = json_scan_member(p, end, &key, &key_end))) {
		p = json_scan_value(value, end);
		if (memchr(key, '\\', (size_t)(key_end - key)))
			return -EINVAL;
		if (p && key_end - key == 4 && memcmp(key, "kind", 4) == 0 && *value == '"') {
			*ret = value + 1;
			*ret_len = (size_t)(p - value) - 2;
			return 0;
		}
		p = p ? json_scan_space(p, end) : NULL;
	}
	return -ENOENT;
}

static bool is_kind(const char *kind, size_t len, const char *const kinds[])
{
	for (; *kinds; kinds++) {
		if (strlen(*kinds) == len && memcmp(*kinds, kind, len) == 0)
			return true;
	}
	return false;
}

/* Of a policy every member counts. */
static bool is_pruned(const char *kind, size_t len)
{
	static const char *const known[] = {
		"Pod",         "Node",      "Namespace", "Deployment", "ReplicaSet",
		"StatefulSet", "DaemonSet", "Job",       "CronJob",    "ReplicationController",
		NULL};

	return is_kind(kind, len, known);
}

size_t json_prune(char *bytes, size_t len, const char *list_kind)
{
	struct cursor c = {.p = bytes, .end = bytes + len, .w = bytes};
	size_t list_len = list_kind ? strlen(list_kind) : 0, kind_len;
	const char *kind;

	int found = find_kind(bytes, c.end, &kind, &kind_len);
	if (found < 0) {
		if (found != -ENOENT || list_len <= 4)
			return len;
		kind = list_kind;
		kind_len = list_len - 4; /* PodList */
	}
	if (!is_pruned(kind, kind_len))
		return len;
	c.p = json_scan_space(bytes, c.end);
	c.w = bytes + (c.p - bytes);
	(void)prune_value(&c, json_keep_object); /* stops at what it cannot read */
	copy_to(&c, c.end);
	return (size_t)(c.w - bytes);
}
