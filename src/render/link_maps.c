/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Maps from interfaces to chains that are there only while something is in them, with the base
 * chains that look them up: what nobody needs costs no packet anything.
 *
 * Keys are indexes where the interface has been seen, as a lookup by index costs half of one by
 * name (ARCHITECTURE.md); an interface that only an annotation names has no index yet. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static const struct {
	const char *name;
	enum nft_table table;
	enum nft_set_type type;
	enum nft_hook hook;
	enum nft_stmt_kind lookup;
	enum nft_dir dir;
} maps[LINK_MAP_COUNT] = {
	[LINK_MAP_SOURCE_INDEX] = {"antispoof_index", NFT_TABLE_POLICY, NFT_SET_TYPE_INDEX,
				   NFT_HOOK_PREROUTING, NFT_STMT_INDEX_MAP, NFT_DIR_SOURCE},
	[LINK_MAP_SOURCE_NAME] = {"antispoof_if", NFT_TABLE_POLICY, NFT_SET_TYPE_INTERFACE,
				  NFT_HOOK_PREROUTING, NFT_STMT_INTERFACE_MAP, NFT_DIR_SOURCE},
	[LINK_MAP_PORT_SOURCE] = {"antispoof_port", NFT_TABLE_BRIDGE, NFT_SET_TYPE_INDEX,
				  NFT_HOOK_PREROUTING, NFT_STMT_INDEX_MAP, NFT_DIR_SOURCE},
	[LINK_MAP_PORT_INGRESS] = {"ingress_port", NFT_TABLE_BRIDGE, NFT_SET_TYPE_INDEX,
				   NFT_HOOK_FORWARD, NFT_STMT_INDEX_MAP, NFT_DIR_DESTINATION},
};

static const char *hook_chain(enum nft_hook hook)
{
	return hook == NFT_HOOK_FORWARD ? "forward" : "prerouting";
}

/* A rule for each of the hook's maps that is there. */
static int add_lookups(struct render *r, enum nft_table table, enum nft_hook hook,
		       struct nft_chain *chain)
{
	int rc = 0;

	for (size_t i = 0; i < LINK_MAP_COUNT && rc == 0; i++) {
		struct nft_stmt stmt = {.kind = maps[i].lookup, .dir = maps[i].dir};

		if (maps[i].table != table || maps[i].hook != hook ||
		    !ruleset_set(&r->ruleset, maps[i].name))
			continue;
		(void)snprintf(stmt.name, sizeof(stmt.name), "%s", maps[i].name);
		rc = add_rule(chain, &stmt, 1, "");
	}
	return rc;
}

/* The base chain of a map that has come or gone. */
static int write_base_chain(struct render *r, enum link_map which)
{
	enum nft_table table = maps[which].table;
	enum nft_hook hook = maps[which].hook;
	struct nft_chain *chain = nft_chain_new(hook_chain(hook), "");
	int rc;

	if (!chain)
		return -ENOMEM;
	chain->hook = hook;
	rc = add_lookups(r, table, hook, chain);
	if (rc == 0 && chain->rules.n > 0)
		return ruleset_put_chain(&r->ruleset, table, chain);
	nft_chain_free(chain);
	return rc == 0 ? ruleset_drop_chain(&r->ruleset, table, hook_chain(hook)) : rc;
}

static int make_map(struct render *r, enum link_map which)
{
	struct nft_set *map = nft_set_new(maps[which].name, maps[which].type, "");
	int rc;

	if (!map)
		return -ENOMEM;
	map->table = maps[which].table;
	map->map = true;
	rc = ruleset_put_set(&r->ruleset, map);
	return rc == 0 ? write_base_chain(r, which) : rc;
}

static struct nft_key key_of(enum link_map which, const struct link_id *link)
{
	uint32_t index = link->index;
	struct nft_key key = {0};

	if (maps[which].type == NFT_SET_TYPE_INDEX)
		memcpy(key.bytes, &index, sizeof(index));
	else
		memcpy(key.bytes, link->name, strnlen(link->name, sizeof(key.bytes) - 1));
	return key;
}

int link_map_put(struct render *r, enum link_map which, const struct link_id *link,
		 const char *chain, const char *comment)
{
	struct nft_elem_extra extra = {.verdict = {.kind = NFT_VERDICT_GOTO}};
	struct nft_key key = key_of(which, link);
	int rc = ruleset_set(&r->ruleset, maps[which].name) ? 0 : make_map(r, which);

	(void)snprintf(extra.verdict.chain, sizeof(extra.verdict.chain), "%s", chain);
	nft_comment(extra.comment, comment);
	return rc == 0 ? nft_set_add(ruleset_set(&r->ruleset, maps[which].name), &key, &extra) : rc;
}

void link_map_drop(struct render *r, enum link_map which, const struct link_id *link)
{
	struct nft_set *map = ruleset_set(&r->ruleset, maps[which].name);
	struct nft_key key = key_of(which, link);

	if (!map)
		return;
	drop_elem(r, map, &key);
	if (map->elems)
		return;
	drop_set(r, maps[which].name);
	if (write_base_chain(r, which) < 0)
		r->failed = true;
}

const char *link_map_chain(const struct render *r, enum link_map which, const struct link_id *link)
{
	const struct nft_set *map = ruleset_set(&r->ruleset, maps[which].name);
	struct nft_key key = key_of(which, link);
	const struct nft_elem *elem = NULL;

	if (map)
		HASH_FIND(hh, map->elems, &key, sizeof(key), elem);
	return elem ? elem->extra->verdict.chain : NULL;
}
