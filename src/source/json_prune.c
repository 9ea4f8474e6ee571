/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_prune.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/vec.h"
#include "source/json_scan.h"

/* What to do with a member. A list takes the rule of its elements. */
struct rule {
	const char *key;	   /* NULL ends the rules */
	const struct rule *within; /* NULL: the value goes */
	bool only;		   /* of the members within, those without a rule go */
};

static const struct rule keep_all[] = {{NULL, NULL, false}};

/* Of a container its name, ports and restart policy count. */
static const struct rule container[] = {
	{"args", NULL, false},
	{"command", NULL, false},
	{"env", NULL, false},
	{"envFrom", NULL, false},
	{"image", NULL, false},
	{"imagePullPolicy", NULL, false},
	{"lifecycle", NULL, false},
	{"livenessProbe", NULL, false},
	{"readinessProbe", NULL, false},
	{"resources", NULL, false},
	{"securityContext", NULL, false},
	{"startupProbe", NULL, false},
	{"terminationMessagePath", NULL, false},
	{"terminationMessagePolicy", NULL, false},
	{"volumeMounts", NULL, false},
	{NULL, NULL, false},
};

static const struct rule annotations[] = {
	{"netpold.io/interface", keep_all, false},
	{NULL, NULL, false},
};

static const struct rule metadata[] = {
	{"annotations", annotations, true},
	{"managedFields", NULL, false},
	{"ownerReferences", NULL, false},
	{NULL, NULL, false},
};

#define POD_SPEC_RULES                                                                             \
	{"affinity", NULL, false}, {"containers", container, false},                               \
		{"ephemeralContainers", NULL, false}, {"initContainers", container, false},        \
		{"securityContext", NULL, false}, {"tolerations", NULL, false},                    \
		{"topologySpreadConstraints", NULL, false}, {"volumes", NULL, false}

static const struct rule template_spec[] = {POD_SPEC_RULES, {NULL, NULL, false}};

static const struct rule template[] = {
	{"metadata", metadata, false},
	{"spec", template_spec, false},
	{NULL, NULL, false},
};

static const struct rule job_spec[] = {{"template", template, false}, {NULL, NULL, false}};
static const struct rule job_template[] = {{"spec", job_spec, false}, {NULL, NULL, false}};

static const struct rule spec[] = {
	POD_SPEC_RULES,
	{"jobTemplate", job_template, false},
	{"template", template, false},
	{"volumeClaimTemplates", NULL, false},
	{NULL, NULL, false},
};

static const struct rule status[] = {
	{"allocatable", NULL, false},
	{"capacity", NULL, false},
	{"conditions", NULL, false},
	{"containerStatuses", NULL, false},
	{"ephemeralContainerStatuses", NULL, false},
	{"images", NULL, false},
	{"initContainerStatuses", NULL, false},
	{"nodeInfo", NULL, false},
	{NULL, NULL, false},
};

static const struct rule object[] = {
	{"metadata", metadata, false},
	{"spec", spec, false},
	{"status", status, false},
	{NULL, NULL, false},
};

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

/* Length of the UTF-8 sequence at p; 0 when it is none. */
static size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
	static const struct {
		unsigned char mask, lead, second_min, second_max;
		size_t len;
	} forms[] = {
		{0xff, 0xe0, 0xa0, 0xbf, 3}, {0xff, 0xed, 0x80, 0x9f, 3}, {0xf0, 0xe0, 0x80, 0xbf, 3},
		{0xff, 0xf0, 0x90, 0xbf, 4}, {0xff, 0xf4, 0x80, 0x8f, 4}, {0xfc, 0xf0, 0x80, 0xbf, 4},
	};

	if (*p < 0x80)
		return 1;
	if (*p >= 0xc2 && *p <= 0xdf)
		return end - p >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if ((*p & forms[i].mask) != forms[i].lead)
			continue;
		if ((size_t)(end - p) < forms[i].len || p[1] < forms[i].second_min ||
		    p[1] > forms[i].second_max || (p[2] & 0xc0) != 0x80 ||
		    (forms[i].len == 4 && (p[3] & 0xc0) != 0x80))
			return 0;
		return forms[i].len;
	}
	return 0;
}

/* What goes unread is checked all the same: a file with bad UTF-8 is refused, wherever it is. */
static bool valid_utf8(const char *from, const char *to)
{
	const unsigned char *p = (const unsigned char *)from, *end = (const unsigned char *)to;

	while (p < end) {
		uint64_t word;
		size_t len;

		if (end - p >= 8) {
			memcpy(&word, p, sizeof(word));
			if ((word & 0x8080808080808080u) == 0) {
				p += 8;
				continue;
			}
		}
		len = utf8_length(p, end);
		if (len == 0)
			return false;
		p += len;
	}
	return true;
}

/* null, and the line breaks that were in the value; what is no longer than that stays. */
static void drop_to(struct cursor *c, const char *to)
{
	size_t breaks = 0;

	for (const char *p = c->p; p < to; p++)
		breaks += *p == '\n';
	if ((size_t)(to - c->p) <= 4 + breaks || !valid_utf8(c->p, to)) {
		copy_to(c, to);
		return;
	}
	memcpy(c->w, "null", 4);
	memset(c->w + 4, '\n', breaks);
	c->w += 4 + breaks;
	c->p = to;
}

static const struct rule *find_rule(const struct rule *rules, const char *key, size_t len)
{
	for (; rules->key; rules++) {
		if (strncmp(rules->key, key, len) == 0 && rules->key[len] == '\0')
			return rules;
	}
	return NULL;
}

static bool prune_value(struct cursor *c, const struct rule *rules, bool only);

static bool prune_object(struct cursor *c, const struct rule *rules, bool only)
{
	const char *key, *key_end, *value;

	/* The cursor stands at the brace, then at each comma. */
	while ((value = json_scan_member(c->p, c->end, &key, &key_end))) {
		const struct rule *rule = find_rule(rules, key, (size_t)(key_end - key));
		bool kept = true;

		copy_to(c, value);
		if (rule ? !rule->within : only) {
			const char *end = json_scan_value(c->p, c->end);
			if (!end)
				return false;
			drop_to(c, end);
		} else {
			kept = prune_value(c, rule ? rule->within : keep_all, rule && rule->only);
		}
		if (!kept)
			return false;
		copy_to(c, json_scan_space(c->p, c->end));
		if (c->p >= c->end || *c->p != ',')
			break;
	}
	if (!value) /* an empty object, or nothing that we understand */
		copy_to(c, json_scan_space(c->p + 1, c->end));
	if (c->p >= c->end || *c->p != '}')
		return false;
	copy_to(c, c->p + 1);
	return true;
}

static bool prune_array(struct cursor *c, const struct rule *rules, bool only)
{
	do {
		copy_to(c, json_scan_space(c->p + 1, c->end));
		if (c->p < c->end && *c->p == ']')
			break;
		if (!prune_value(c, rules, only))
			return false;
		copy_to(c, json_scan_space(c->p, c->end));
	} while (c->p < c->end && *c->p == ',');
	if (c->p >= c->end || *c->p != ']')
		return false;
	copy_to(c, c->p + 1);
	return true;
}

static bool prune_value(struct cursor *c, const struct rule *rules, bool only)
{
	if (c->p < c->end && rules->key && *c->p == '{')
		return prune_object(c, rules, only);
	if (c->p < c->end && rules->key && *c->p == '[')
		return prune_array(c, rules, only);

	const char *end = json_scan_value(c->p, c->end);
	if (!end)
		return false;
	copy_to(c, end);
	return true;
}

size_t json_prune(char *bytes, size_t len)
{
	struct cursor c = {.p = bytes, .end = bytes + len, .w = bytes};

	c.p = json_scan_space(bytes, c.end);
	c.w = bytes + (c.p - bytes);
	(void)prune_value(&c, object, false); /* stops at what it cannot read */
	copy_to(&c, c.end);
	return (size_t)(c.w - bytes);
}
