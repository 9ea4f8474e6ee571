/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "affected.h"

#include <stdlib.h>

static struct affected_addr *find(const struct affected *affected, const struct addr *addr)
{
	struct affected_addr *entry;

	HASH_FIND(hh, affected->addrs, addr, sizeof(*addr), entry);
	return entry;
}

const struct affected_addr *affected_find(const struct affected *affected, const struct addr *addr)
{
	return find(affected, addr);
}

static struct affected_addr *add_entry(struct affected *affected, const struct addr *addr)
{
	struct affected_addr *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->addr = *addr;
	HASH_ADD(hh, affected->addrs, addr, sizeof(entry->addr), entry);
	if (table_added(entry))
		return entry;
	free(entry);
	return NULL;
}

bool affected_add(struct affected *affected, const struct addr *addr, bool reassigned)
{
	struct affected_addr *entry = find(affected, addr);

	if (entry) {
		entry->reassigned |= reassigned;
		return true;
	}
	/* The reassigned are this node's addresses, and not many. */
	if (!reassigned && (affected->all || HASH_COUNT(affected->addrs) >= AFFECTED_MAX)) {
		affected->all = true;
		return true;
	}
	entry = add_entry(affected, addr);
	if (entry)
		entry->reassigned = reassigned;
	else
		affected->all = true;
	return entry || !reassigned;
}

bool affected_move(struct affected *to, struct affected *from)
{
	struct affected_addr *entry, *next;
	bool noted = true;

	to->all |= from->all;
	to->forced |= from->forced;
	HASH_ITER (hh, from->addrs, entry, next)
		noted &= affected_add(to, &entry->addr, entry->reassigned);
	affected_done(from);
	return noted;
}

void affected_keep_reassigned(struct affected *affected)
{
	struct affected_addr *entry, *next;

	affected->all = false;
	HASH_ITER (hh, affected->addrs, entry, next) {
		if (entry->reassigned)
			continue;
		HASH_DEL(affected->addrs, entry);
		free(entry);
	}
}

bool affected_empty(const struct affected *affected)
{
	return !affected->all && !affected->addrs;
}

void affected_done(struct affected *affected)
{
	struct affected_addr *entry, *next;

	HASH_ITER (hh, affected->addrs, entry, next) {
		HASH_DEL(affected->addrs, entry);
		free(entry);
	}
	*affected = (struct affected){0};
}
