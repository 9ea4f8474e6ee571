/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What links have of addresses: the host's own, and routes, by destination. Notifications only add;
 * nothing is removed but what a dump no longer has, or what goes with its link. */
#ifndef NODE_ADDR_TABLE_H
#define NODE_ADDR_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/table.h"
#include "base/vec.h"

/* Compared as bytes up to its mark: there is no gap between these, and what is not set is zero. */
struct addr_entry {
	unsigned index; /* of the link */
	/* Of a route: */
	uint32_t table, metric;
	uint32_t nexthop; /* id of the nexthop object; 0: none */
	uint8_t tos;
	bool own;             /* the host has the address; else it is a route */
	struct addr source;   /* a route goes with this address of the host; all zero: with none */
	struct prefix subnet; /* that an address is in, or, where it has one, the other end */
	uint32_t mark;
};

struct addr_row {
	struct prefix dst; /* of an address itself, in its full length */
	VEC(struct addr_entry) entries;
	UT_hash_handle hh;
};

/* Zero bytes are an empty table; free with addr_table_done(). Rows may be read, in no order. */
struct addr_table {
	struct addr_row *rows;
	uint32_t mark; /* of what the dump that is being read has had */
};

void addr_table_done(struct addr_table *table);

/* Adds it, or marks it when it is known; sets *ret_changed. 0, -ENOMEM, or -ENOSPC: there is no
 * room for more. */
int addr_table_add(struct addr_table *table, const struct prefix *dst,
		   const struct addr_entry *entry, bool *ret_changed);

/* From here on a dump is read, whose scope addr_table_sweep() tells: addresses or routes, of a
 * family or FAMILY_COUNT, of a link or 0. What was not in it is removed. true: something was. */
void addr_table_mark(struct addr_table *table);
bool addr_table_sweep(struct addr_table *table, bool own, enum family family, unsigned index);

/* NULL: nothing is known of it. */
const struct addr_row *addr_table_find(const struct addr_table *table, const struct prefix *dst);

/* The same of a whole address. */
const struct addr_row *addr_table_host(const struct addr_table *table, const struct addr *addr);

/* How often has the link the address? `index` 0: any; `row` NULL is fine. */
size_t addr_row_own(const struct addr_row *row, unsigned index);

/* The link of the route that the kernel prefers; 0: there is none. */
unsigned addr_row_route(const struct addr_row *row);

#endif
