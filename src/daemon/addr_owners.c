/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "addr_owners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"

struct addr_owner {
	struct addr addr;
	char *who; /* namespace/name/uid */
	bool current;
	UT_hash_handle hh;
};

static struct addr_owner *find(const struct addr_owners *owners, const struct addr *addr)
{
	struct addr_owner *owner;

	HASH_FIND(hh, owners->all, addr, sizeof(*addr), owner);
	return owner;
}

static void owner_free(struct addr_owners *owners, struct addr_owner *owner)
{
	HASH_DEL(owners->all, owner);
	free(owner->who);
	free(owner);
}

static void forget_gone(struct addr_owners *owners)
{
	struct addr_owner *owner, *next;

	HASH_ITER (hh, owners->all, owner, next) {
		if (!owner->current)
			owner_free(owners, owner);
	}
}

static struct addr_owner *add(struct addr_owners *owners, const struct addr *addr)
{
	struct addr_owner *owner;

	if (HASH_COUNT(owners->all) >= ADDR_OWNERS_MAX)
		forget_gone(owners);
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->addr = *addr;
	HASH_ADD(hh, owners->all, addr, sizeof(owner->addr), owner);
	if (table_added(owner))
		return owner;
	free(owner);
	return NULL;
}

bool addr_owners_set(struct addr_owners *owners, const struct addr *addr, const struct pod *pod)
{
	struct addr_owner *owner = find(owners, addr);
	char *who = NULL;
	bool same;

	if (!owner)
		owner = add(owners, addr);
	if (!owner || asprintf(&who, "%s/%s/%s", pod->ns, pod->name, pod->uid ? pod->uid : "") < 0)
		return true;
	same = owner->who && strcmp(owner->who, who) == 0;
	free(owner->who);
	owner->who = who;
	owner->current = true;
	return !same;
}

void addr_owners_leave(struct addr_owners *owners, const struct addr *addr)
{
	struct addr_owner *owner = find(owners, addr);

	if (owner)
		owner->current = false;
}

void addr_owners_done(struct addr_owners *owners)
{
	struct addr_owner *owner, *next;

	HASH_ITER (hh, owners->all, owner, next)
		owner_free(owners, owner);
}
