/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "remade.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct remade_name {
	char name[NFT_NAME_MAX];
	UT_hash_handle hh;
};

static int note(struct remade_name **names, const char *name)
{
	struct remade_name *noted = calloc(1, sizeof(*noted));

	if (!noted)
		return -ENOMEM;
	(void)snprintf(noted->name, sizeof(noted->name), "%s", name);
	HASH_ADD_STR(*names, name, noted);
	if (table_added(noted))
		return 0;
	free(noted);
	return -ENOMEM;
}

static bool has(const struct remade_name *names, const char *name)
{
	const struct remade_name *found;

	HASH_FIND_STR(names, name, found);
	return found != NULL;
}

int remade_chain(struct remade *remade, enum nft_table table, const struct nft_chain *old,
		 const struct nft_chain *new)
{
	if (!old || !new || nft_chain_same_head(old, new))
		return 0;
	return note(&remade->chains[table], new->name);
}

int remade_set(struct remade *remade, const struct nft_set *old, const struct nft_set *new)
{
	if (!old || !new || nft_set_same_head(old, new))
		return 0;
	return note(&remade->sets, new->name);
}

bool remade_any(const struct remade *remade)
{
	for (int table = 0; table < NFT_TABLE_COUNT; table++) {
		if (remade->chains[table])
			return true;
	}
	return remade->sets;
}

static bool stmt_refers(const struct remade *remade, enum nft_table table,
			const struct nft_stmt *stmt)
{
	const char *set = nft_stmt_set(stmt);

	if (set)
		return has(remade->sets, set);
	return stmt->kind == NFT_STMT_VERDICT && has(remade->chains[table], stmt->verdict.chain);
}

bool chain_refers(const struct remade *remade, enum nft_table table, const struct nft_chain *chain)
{
	for (size_t i = 0; remade_any(remade) && i < chain->rules.n; i++) {
		const struct nft_rule *rule = &chain->rules.v[i];

		/* Of one that could not be read, nobody knows. */
		if (rule->stmts.n == 0)
			return true;
		for (size_t j = 0; j < rule->stmts.n; j++) {
			if (stmt_refers(remade, table, &rule->stmts.v[j]))
				return true;
		}
	}
	return false;
}

bool elem_refers(const struct remade *remade, const struct nft_set *set,
		 const struct nft_elem_extra *extra)
{
	return set->map && extra && has(remade->chains[set->table], extra->verdict.chain);
}

bool set_refers(const struct remade *remade, const struct nft_set *set)
{
	if (!set->map || !remade->chains[set->table])
		return false;
	for (const struct nft_elem *elem = set->elems; elem; elem = elem->hh.next) {
		if (elem_refers(remade, set, elem->extra))
			return true;
	}
	return false;
}

static void forget(struct remade_name **names)
{
	struct remade_name *name, *tmp;

	HASH_ITER (hh, *names, name, tmp) {
		HASH_DEL(*names, name);
		free(name);
	}
}

void remade_done(struct remade *remade)
{
	for (int table = 0; table < NFT_TABLE_COUNT; table++)
		forget(&remade->chains[table]);
	forget(&remade->sets);
}
