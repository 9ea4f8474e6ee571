/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interned ranges: rules, classes and profiles that mean the same addresses have them once. */
#include <stdlib.h>

#include "internal.h"

static struct block_set *find_blocks(const struct graph *g, const struct ranges *ranges,
				     enum family family)
{
	struct block_set *set;

	HASH_FIND(hh, g->block_sets[family], ranges->all.v,
		  ranges->all.n * sizeof(ranges->all.v[0]), set);
	return set;
}

struct block_set *block_set_get(struct graph *g, struct ranges *ranges, enum family family)
{
	struct block_set *set = find_blocks(g, ranges, family);

	if (set) {
		ranges_done(ranges);
		set->refs++;
		return set;
	}
	set = calloc(1, sizeof(*set));
	if (set) {
		set->ranges = *ranges;
		set->family = (uint8_t)family;
		set->id = hash_bytes(set->ranges.all.v,
				     set->ranges.all.n * sizeof(set->ranges.all.v[0]));
		set->refs = 1;
		HASH_ADD_KEYPTR(hh, g->block_sets[family], set->ranges.all.v,
				set->ranges.all.n * sizeof(set->ranges.all.v[0]), set);
		if (table_added(set)) {
			*ranges = (struct ranges){0};
			return set;
		}
	}
	free(set);
	ranges_done(ranges);
	return NULL;
}

struct block_set *block_set_ref(struct block_set *set)
{
	if (set)
		set->refs++;
	return set;
}

void block_set_put(struct graph *g, struct block_set *set)
{
	if (!set || --set->refs > 0)
		return;
	HASH_DEL(g->block_sets[set->family], set);
	ranges_done(&set->ranges);
	free(set);
}
