/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "addr_table.h"

#include <errno.h>
#include <string.h>

#include "base/task.h"
#include "node/links.h"

static struct addr_row *find(const struct addr_table *table, const struct prefix *dst)
{
	struct addr_row *row;

	HASH_FIND(hh, table->rows, dst, sizeof(*dst), row);
	return row;
}

static struct addr_row *add_row(struct addr_table *table, const struct prefix *dst)
{
	struct addr_row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->dst = *dst;
	HASH_ADD(hh, table->rows, dst, sizeof(row->dst), row);
	if (table_added(row))
		return row;
	free(row);
	return NULL;
}

static void drop_if_empty(struct addr_table *table, struct addr_row *row)
{
	if (row->entries.n > 0)
		return;
	HASH_DEL(table->rows, row);
	vec_free(&row->entries);
	free(row);
}

/* Of two routes that differ in something else, only one is known; that one stays until a dump has
 * neither. */
static struct addr_entry *find_entry(const struct addr_row *row, const struct addr_entry *wanted)
{
	const size_t bytes = offsetof(struct addr_entry, subnet) + sizeof(wanted->subnet);

	for (size_t i = 0; row && i < row->entries.n; i++) {
		if (memcmp(&row->entries.v[i], wanted, bytes) == 0)
			return &row->entries.v[i];
	}
	return NULL;
}

int addr_table_add(struct addr_table *table, const struct prefix *dst,
		   const struct addr_entry *entry, bool *ret_changed)
{
	struct addr_row *row = find(table, dst);
	struct addr_entry *known = find_entry(row, entry);
	int rc;

	if (known) {
		known->mark = table->mark;
		return 0;
	}
	if (row ? row->entries.n >= (entry->own ? LINKS_MAX : LINKS_ROUTES_MAX)
		: HASH_COUNT(table->rows) >= LINKS_ADDRS_MAX)
		return -ENOSPC;
	if (!row)
		row = add_row(table, dst);
	if (!row)
		return -ENOMEM;
	*ret_changed = true;
	rc = vec_push(&row->entries, *entry);
	if (rc == 0)
		row->entries.v[row->entries.n - 1].mark = table->mark;
	drop_if_empty(table, row);
	return rc;
}

void addr_table_mark(struct addr_table *table)
{
	table->mark++;
}

static size_t sweep_row(struct addr_table *table, struct addr_row *row, bool own, unsigned index)
{
	size_t kept = 0, n = row->entries.n;

	for (size_t i = 0; i < n; i++) {
		const struct addr_entry *entry = &row->entries.v[i];

		if (entry->mark == table->mark || entry->own != own ||
		    (index && entry->index != index))
			row->entries.v[kept++] = *entry;
	}
	row->entries.n = kept;
	drop_if_empty(table, row);
	return n - kept;
}

bool addr_table_sweep(struct addr_table *table, bool own, enum family family, unsigned index)
{
	struct addr_row *row, *next;
	size_t removed = 0;

	HASH_ITER (hh, table->rows, row, next) {
		if (family == FAMILY_COUNT || row->dst.addr.family == family)
			removed += sweep_row(table, row, own, index);
		task_step();
	}
	return removed > 0;
}

const struct addr_row *addr_table_find(const struct addr_table *table, const struct prefix *dst)
{
	return find(table, dst);
}

const struct addr_row *addr_table_host(const struct addr_table *table, const struct addr *addr)
{
	struct prefix dst = {.addr = *addr,
			     .len = (uint8_t)(addr_bytes((enum family)addr->family) * 8)};

	return find(table, &dst);
}

size_t addr_row_own(const struct addr_row *row, unsigned index)
{
	size_t n = 0;

	for (size_t i = 0; row && i < row->entries.n; i++)
		n += row->entries.v[i].own && (index == 0 || row->entries.v[i].index == index);
	return n;
}

unsigned addr_row_route(const struct addr_row *row)
{
	const struct addr_entry *best = NULL;

	for (size_t i = 0; row && i < row->entries.n; i++) {
		const struct addr_entry *entry = &row->entries.v[i];

		if (!entry->own && entry->tos == 0 &&
		    (!best || entry->metric < best->metric ||
		     (entry->metric == best->metric && entry->index < best->index)))
			best = entry;
	}
	return best ? best->index : 0;
}

void addr_table_done(struct addr_table *table)
{
	struct addr_row *row, *next;

	HASH_ITER (hh, table->rows, row, next) {
		HASH_DEL(table->rows, row);
		vec_free(&row->entries);
		free(row);
	}
}
