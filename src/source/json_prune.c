/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_prune.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/vec.h"
#include "source/json_check.h"
#include "source/json_scan.h"

/* A member that is kept; the others of its object go. Lists take the rules of their elements. */
struct keep {
	const char *key;           /* NULL ends the list */
	const struct keep *within; /* NULL: all of the value */
};

static const struct keep container[] = {
	{"ports", NULL},
	{"restartPolicy", NULL},
	{NULL, NULL},
};

static const struct keep annotations[] = {
	{"netpold.io/interface", NULL},
	{"kubernetes.io/config.hash", NULL},
	{NULL, NULL},
};

static const struct keep metadata[] = {
	{"name", NULL},
	{"namespace", NULL},
	{"labels", NULL},
	{"uid", NULL},
	{"resourceVersion", NULL},
	{"creationTimestamp", NULL},
	{"deletionTimestamp", NULL},
	{"generateName", NULL},
	{"annotations", annotations},
	{NULL, NULL},
};

#define POD_SPEC                                                                         \
	{"containers", container}, {"hostNetwork", NULL}, {"initContainers", container}, \
	{                                                                                \
		"nodeName", NULL                                                         \
	}

static const struct keep template_spec[] = {POD_SPEC, {NULL, NULL}};

static const struct keep template[] = {
	{"metadata", metadata},
	{"spec", template_spec},
	{NULL, NULL},
};

static const struct keep job_spec[] = {{"template", template}, {NULL, NULL}};
static const struct keep job_template[] = {{"spec", job_spec}, {NULL, NULL}};

static const struct keep spec[] = {
	POD_SPEC,           {"jobTemplate", job_template}, {"ordinals", NULL}, {"podCIDRs", NULL},
	{"replicas", NULL}, {"template", template},        {NULL, NULL},
};

static const struct keep status[] = {
	{"phase", NULL},   {"podIP", NULL},     {"podIPs", NULL}, {"hostIP", NULL},
	{"hostIPs", NULL}, {"addresses", NULL}, {NULL, NULL},
};

static const struct keep object[] = {
	{"kind", NULL},     {"apiVersion", NULL}, {"metadata", metadata}, {"spec", spec},
	{"status", status}, {"items", NULL},      {NULL, NULL},
};

/* Reads at p, writes at w <= p. */
struct cursor {
	const char *p, *end;
	char *w;
	bool unchecked; /* what goes is JSON for sure */
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
static const struct keep *find_keep(const struct keep *keeps, const char *key, size_t len)
{
	static const struct keep escaped = {"", NULL};

	if (memchr(key, '\\', len))
		return &escaped;
	for (; keeps->key; keeps++) {
		if (strlen(keeps->key) == len && memcmp(keeps->key, key, len) == 0)
			return keeps;
	}
	return NULL;
}

static bool prune_value(struct cursor *c, const struct keep *keeps);

/* A member that goes: where it ends; NULL when it is no JSON, which is for the parser to say. */
static const char *check_member(const struct cursor *c, const char *key, const char *value)
{
	if (c->unchecked)
		return json_scan_value(value, c->end);
	return json_check_string(key - 1, c->end) ? json_check_value(value, c->end) : NULL;
}

/* One member, from behind the brace or comma before it. `first`: none has been kept yet. */
static bool prune_member(struct cursor *c, const struct keep *keeps, bool *first)
{
	const char *key, *key_end, *value = json_scan_member(c->p - 1, c->end, &key, &key_end);
	const struct keep *keep;
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

static bool prune_object(struct cursor *c, const struct keep *keeps)
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

static bool prune_array(struct cursor *c, const struct keep *keeps)
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

static bool prune_value(struct cursor *c, const struct keep *keeps)
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
	(void)prune_value(&c, object); /* stops at what it cannot read */
	copy_to(&c, c.end);
	return (size_t)(c.w - bytes);
}

size_t json_prune_value(char *bytes, size_t len, const char *kind)
{
	struct cursor c = {.p = bytes, .end = bytes + len, .w = bytes, .unchecked = true};
	const char *end;

	if (!is_pruned(kind, strlen(kind))) {
		end = json_scan_value(bytes, c.end);
		return end ? (size_t)(end - bytes) : len;
	}
	if (!prune_value(&c, object))
		copy_to(&c, c.end);
	return (size_t)(c.w - bytes);
}
