/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address algebra: ipBlocks become sorted, disjoint, merged intervals. nft's interval sets take
 * nothing else (an overlap refuses the whole batch); an except belongs to its own block only. */
#ifndef POLICY_RANGES_H
#define POLICY_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/vec.h"
#include "model/object.h"

/* Both ends belong to it. Bytes beyond the family's length are zero. */
struct range {
	uint8_t lo[16], hi[16];
};

/* Sorted, disjoint, and no two touch: equal sets are equal bytes. */
struct ranges {
	VEC(struct range) all;
};

/* Adds a block's cidr without its excepts to the ranges of its family; the result is not in order
 * until ranges_normalize(). 0 or -ENOMEM. */
int ranges_add_block(struct ranges ranges[FAMILY_COUNT], const struct ip_block *block);

/* Adds all of `from`. 0 or -ENOMEM. */
int ranges_add_all(struct ranges *ranges, const struct ranges *from);

/* Sorts and merges. */
void ranges_normalize(struct ranges *ranges, enum family family);

/* Of normalized ranges. */
bool ranges_contain(const struct ranges *ranges, const struct addr *addr);

/* All addresses of the family? Of normalized ranges. */
bool ranges_are_all(const struct ranges *ranges, enum family family);

/* Is the range exactly one prefix? */
bool range_is_prefix(const struct range *range, enum family family, struct prefix *ret_prefix);

void ranges_done(struct ranges *ranges);

#endif
