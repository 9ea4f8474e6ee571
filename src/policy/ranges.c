/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct range range_of(const struct prefix *prefix)
{
	size_t bits = addr_bytes(prefix->addr.family) * 8;
	struct range range;

	memcpy(range.lo, prefix->addr.b, sizeof(range.lo));
	memcpy(range.hi, prefix->addr.b, sizeof(range.hi));
	for (size_t bit = prefix->len; bit < bits; bit++)
		range.hi[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
	return range;
}

/* Adds one; false on overflow, when there is no next address. */
static bool next(uint8_t bytes[16], size_t len)
{
	while (len > 0) {
		if (++bytes[--len] != 0)
			return true;
	}
	return false;
}

static void previous(uint8_t bytes[16], size_t len)
{
	while (len > 0) {
		if (bytes[--len]-- != 0)
			return;
	}
}

static int compare(const void *left, const void *right)
{
	const struct range *a = left, *b = right;
	int order = memcmp(a->lo, b->lo, sizeof(a->lo));

	return order != 0 ? order : memcmp(a->hi, b->hi, sizeof(a->hi));
}

void ranges_normalize(struct ranges *ranges, enum family family)
{
	size_t kept = 0, len = addr_bytes(family);

	if (ranges->all.n == 0)
		return;
	qsort(ranges->all.v, ranges->all.n, sizeof(ranges->all.v[0]), compare);
	for (size_t i = 1; i < ranges->all.n; i++) {
		struct range *last = &ranges->all.v[kept], *range = &ranges->all.v[i];
		uint8_t after[16];

		memcpy(after, last->hi, sizeof(after));
		/* Overlapping or touching; the last address of all touches whatever follows. */
		if (!next(after, len) || memcmp(range->lo, after, len) <= 0) {
			if (memcmp(range->hi, last->hi, len) > 0)
				memcpy(last->hi, range->hi, sizeof(last->hi));
		} else {
			ranges->all.v[++kept] = *range;
		}
	}
	ranges->all.n = kept + 1;
}

int ranges_add_all(struct ranges *ranges, const struct ranges *from)
{
	for (size_t i = 0; i < from->all.n; i++) {
		if (vec_push(&ranges->all, from->all.v[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* [whole.lo, whole.hi] without normalized holes, all of which lie within. */
static int add_without(struct ranges *ranges, struct range whole, const struct ranges *holes,
		       size_t len)
{
	struct range rest = whole;

	for (size_t i = 0; i < holes->all.n; i++) {
		const struct range *hole = &holes->all.v[i];
		struct range before = rest;

		if (memcmp(rest.lo, hole->lo, len) < 0) {
			memcpy(before.hi, hole->lo, sizeof(before.hi));
			previous(before.hi, len);
			if (vec_push(&ranges->all, before) < 0)
				return -ENOMEM;
		}
		memcpy(rest.lo, hole->hi, sizeof(rest.lo));
		if (!next(rest.lo, len))
			return 0; /* the hole ends with the address space */
	}
	if (memcmp(rest.lo, rest.hi, len) > 0)
		return 0;
	return vec_push(&ranges->all, rest);
}

int ranges_add_block(struct ranges ranges[FAMILY_COUNT], const struct ip_block *block)
{
	enum family family = (enum family)block->cidr.addr.family;
	struct ranges holes = {0};
	int rc = 0;

	for (size_t i = 0; i < block->n_except && rc == 0; i++)
		rc = vec_push(&holes.all, range_of(&block->except[i]));
	if (rc == 0) {
		ranges_normalize(&holes, family);
		rc = add_without(&ranges[family], range_of(&block->cidr), &holes,
				 addr_bytes(family));
	}
	ranges_done(&holes);
	return rc;
}

bool ranges_contain(const struct ranges *ranges, const struct addr *addr)
{
	size_t len = addr_bytes(addr->family), low = 0, high = ranges->all.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct range *range = &ranges->all.v[middle];

		if (memcmp(addr->b, range->lo, len) < 0)
			high = middle;
		else if (memcmp(addr->b, range->hi, len) > 0)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

bool range_is_prefix(const struct range *range, enum family family, struct prefix *ret_prefix)
{
	struct prefix prefix = {.addr = {.family = (uint8_t)family}};
	size_t bits = addr_bytes(family) * 8, len = 0;

	memcpy(prefix.addr.b, range->lo, sizeof(prefix.addr.b));
	while (len < bits && !((range->lo[len / 8] ^ range->hi[len / 8]) & (0x80u >> (len % 8))))
		len++;
	prefix.len = (uint8_t)len;

	struct range whole = range_of(&prefix);
	struct addr masked = prefix.addr;
	for (size_t bit = len; bit < bits; bit++)
		masked.b[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
	if (memcmp(masked.b, range->lo, sizeof(masked.b)) != 0 ||
	    memcmp(whole.hi, range->hi, sizeof(whole.hi)) != 0)
		return false;
	*ret_prefix = prefix;
	return true;
}

bool ranges_are_all(const struct ranges *ranges, enum family family)
{
	struct prefix prefix;

	return ranges->all.n == 1 && range_is_prefix(&ranges->all.v[0], family, &prefix) &&
	       prefix.len == 0;
}

void ranges_done(struct ranges *ranges)
{
	vec_free(&ranges->all);
}
