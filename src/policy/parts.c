/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peers of each class of ports. A union of its rules' peers is one lookup, whatever the number
 * of rules. But a set that is in a hundred unions is a hundred times in memory, here and in the
 * kernel; where rules overlap so much that unions would repeat more than they save, a class is the
 * peers of each of its rules instead, which all classes share. So memory is linear in what the
 * policies say. */
#include <stdlib.h>

#include "internal.h"

/* Unions may repeat as much as this, and twice what the rules have by themselves. (A test has no
 * unions at all: tests/driver_parts.) */
#ifndef UNION_REPEAT_FACTOR
#define UNION_REPEAT_FACTOR  2
#define UNION_SELECTORS_FREE 128
#define UNION_RANGES_FREE    16384
#endif

struct rule_entry {
	struct peers_key {
		bool any;
		const struct peer_set *pods;
		const struct block_set *blocks[FAMILY_COUNT];
	} key;
	uint32_t rule;
	UT_hash_handle hh;
};

struct build {
	struct graph *g;
	struct profile *profile;
	struct rule_entry *entries; /* one for each rule */
	struct rule_entry *table;   /* by peers: the first rule that has them */
	uint32_t *first;            /* per rule: that rule */
	uint64_t *seen;             /* per rule: the last class that had it */
	uint64_t class_number;
	const struct peers **parts; /* of the class at hand */
	size_t n_parts;
	bool any; /* among them */
	size_t own_selectors, own_ranges, union_selectors, union_ranges, chain_rules;
};

static size_t count_ranges(const struct peers *peers)
{
	size_t n = 0;

	for (int family = 0; family < FAMILY_COUNT; family++)
		n += peers->blocks[family] ? peers->blocks[family]->ranges.all.n : 0;
	return n;
}

static size_t count_selectors(const struct peers *peers)
{
	return peers->pods ? peers->pods->n : 0;
}

static bool has_anyone(const struct peers *peers)
{
	return peers->any || peers->pods || peers->blocks[FAMILY_V4] || peers->blocks[FAMILY_V6];
}

bool class_is_empty(const struct port_class *class)
{
	return class->n_parts == 0;
}

/* Rules with the same peers are one part. */
static int find_firsts(struct build *b)
{
	for (uint32_t i = 0; i < b->profile->n_rules; i++) {
		const struct peers *peers = &b->profile->rules[i].peers;
		struct rule_entry *entry = &b->entries[i], *found;

		entry->key.any = peers->any;
		entry->key.pods = peers->pods;
		for (int family = 0; family < FAMILY_COUNT; family++)
			entry->key.blocks[family] = peers->blocks[family];
		entry->rule = i;
		HASH_FIND(hh, b->table, &entry->key, sizeof(entry->key), found);
		b->first[i] = found ? found->rule : i;
		if (found)
			continue;
		HASH_ADD(hh, b->table, key, sizeof(entry->key), entry);
		if (!table_added(entry))
			return -ENOMEM;
		b->own_selectors += count_selectors(peers);
		b->own_ranges += count_ranges(peers);
	}
	return 0;
}

/* The different peers of a class's rules, in the order of rules. */
static void collect_parts(struct build *b, const struct port_class *class)
{
	b->n_parts = 0;
	b->any = false;
	b->class_number++;
	for (size_t i = 0; i < class->n_rules; i++) {
		uint32_t rule = b->first[class->rules[i]];
		const struct peers *peers = &b->profile->rules[rule].peers;

		if (b->seen[rule] == b->class_number || !has_anyone(peers))
			continue;
		b->seen[rule] = b->class_number;
		b->any |= peers->any;
		b->parts[b->n_parts++] = peers;
	}
}

static void measure_class(struct build *b, const struct port_class *class)
{
	collect_parts(b, class);
	for (size_t i = 0; i < b->n_parts && b->n_parts > 1 && !b->any; i++) {
		b->union_selectors += count_selectors(b->parts[i]);
		b->union_ranges += count_ranges(b->parts[i]);
	}
}

static bool unions_repeat_too_much(struct build *b)
{
	struct profile *profile = b->profile;

	measure_class(b, &profile->every);
	for (size_t i = 0; i < profile->n_classes; i++)
		measure_class(b, &profile->classes[i]);
	return b->union_selectors > UNION_REPEAT_FACTOR * b->own_selectors + UNION_SELECTORS_FREE ||
	       b->union_ranges > UNION_REPEAT_FACTOR * b->own_ranges + UNION_RANGES_FREE;
}

/* As many as render has lookups for. */
static size_t count_rules(const struct peers *peers)
{
	return peers->any ? 1
			  : (peers->pods ? FAMILY_COUNT : 0) + (peers->blocks[FAMILY_V4] != NULL) +
				    (peers->blocks[FAMILY_V6] != NULL);
}

static int set_union(struct build *b, struct port_class *class)
{
	int rc = peers_union(b->g, b->parts, b->n_parts, &class->own);

	if (rc < 0)
		return rc;
	class->parts = malloc(sizeof(class->parts[0]));
	if (!class->parts)
		return -ENOMEM;
	class->parts[0] = &class->own;
	class->n_parts = has_anyone(&class->own);
	return 0;
}

static int set_each(struct build *b, struct port_class *class)
{
	class->parts = malloc((b->n_parts + 1) * sizeof(class->parts[0]));
	if (!class->parts)
		return -ENOMEM;
	for (size_t i = 0; i < b->n_parts; i++)
		class->parts[i] = b->parts[i];
	class->n_parts = b->n_parts;
	return 0;
}

static int build_class(struct build *b, struct port_class *class, bool each)
{
	int rc;

	collect_parts(b, class);
	rc = each && !b->any ? set_each(b, class) : set_union(b, class);
	for (size_t i = 0; i < class->n_parts && rc == 0; i++)
		b->chain_rules += count_rules(class->parts[i]);
	if (b->chain_rules > PROFILE_CHAIN_RULES_MAX)
		b->profile->over = PROFILE_LIMIT_CHAIN_RULES;
	return rc;
}

static int run(struct build *b)
{
	struct profile *profile = b->profile;
	bool each;
	int rc = find_firsts(b);

	if (rc < 0)
		return rc;
	each = unions_repeat_too_much(b);
	rc = build_class(b, &profile->every, each);
	for (size_t i = 0; i < profile->n_classes && rc == 0 && !profile->over; i++)
		rc = build_class(b, &profile->classes[i], each);
	return rc;
}

int build_parts(struct graph *g, struct profile *profile)
{
	struct build b = {.g = g, .profile = profile};
	size_t n = profile->n_rules + 1;
	int rc = -ENOMEM;

	b.entries = calloc(n, sizeof(b.entries[0]));
	b.first = calloc(n, sizeof(b.first[0]));
	b.seen = calloc(n, sizeof(b.seen[0]));
	b.parts = calloc(n, sizeof(b.parts[0]));
	if (b.entries && b.first && b.seen && b.parts)
		rc = run(&b);
	HASH_CLEAR(hh, b.table);
	free(b.entries);
	free(b.first);
	free(b.seen);
	free(b.parts);
	return rc;
}
