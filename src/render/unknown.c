/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pods that nobody knows yet: their network stands, but which policies select them is not known.
 * Where they are to be closed, their devices and addresses lead to a chain that drops. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int put_chain(struct render *r)
{
	struct nft_stmt stmts[] = {{.kind = NFT_STMT_COUNTER},
				   verdict_stmt(NFT_VERDICT_DROP, NULL)};
	struct nft_chain *chain;

	if (ruleset_chain(&r->ruleset, NFT_TABLE_POLICY, CHAIN_UNKNOWN))
		return 0;
	chain = nft_chain_new(CHAIN_UNKNOWN, "pods that are not known yet");
	if (!chain)
		return -ENOMEM;
	if (add_rule(chain, stmts, ARRAY_LEN(stmts), "") < 0) {
		nft_chain_free(chain);
		return -ENOMEM;
	}
	return ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
}

static bool leads_to_unknown(const struct nft_elem *elem)
{
	return elem && elem->extra && strcmp(elem->extra->verdict.chain, CHAIN_UNKNOWN) == 0;
}

static const struct nft_elem *find_elem(const struct nft_set *set, const struct nft_key *key)
{
	const struct nft_elem *elem;

	HASH_FIND(hh, set->elems, key, sizeof(*key), elem);
	return elem;
}

static struct nft_set *map_of(const struct render *r, const struct render_unknown *one,
			      enum direction dir)
{
	return ruleset_set(&r->ruleset,
			   one->interface[0] ? interface_map_name(dir)
					     : addr_map_name(dir, (enum family)one->addr.family));
}

static struct nft_key key_of(const struct render_unknown *one)
{
	struct nft_key key = {0};

	if (one->interface[0])
		memcpy(key.bytes, one->interface, strlen(one->interface));
	else
		memcpy(key.bytes, one->addr.b, sizeof(key.bytes));
	return key;
}

/* What has become a pod's own meanwhile stays the pod's. */
static void forget(struct render *r, const struct render_unknown *one)
{
	struct nft_key key = key_of(one);

	for (int dir = 0; dir < DIR_COUNT; dir++) {
		struct nft_set *map = map_of(r, one, (enum direction)dir);

		if (leads_to_unknown(find_elem(map, &key)))
			dispatch_drop(r, (enum direction)dir, map, &key);
	}
	open_port(r, one->port);
}

static int close_one(struct render *r, const struct render_unknown *one)
{
	struct nft_elem_extra extra = {
		.verdict = {.kind = NFT_VERDICT_GOTO, .chain = CHAIN_UNKNOWN}};
	struct nft_key key = key_of(one);
	int rc = 0;

	nft_comment(extra.comment, one->comment);
	for (int dir = 0; dir < DIR_COUNT && rc == 0; dir++) {
		struct nft_set *map = map_of(r, one, (enum direction)dir);

		if (!find_elem(map, &key))
			rc = dispatch_put(r, (enum direction)dir, map, &key, &extra);
	}
	return rc == 0 ? close_port(r, one->port, one->comment) : rc;
}

static bool is_listed(const struct render_unknown *one, const struct render_unknown list[],
		      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* Found by a route first, it has no name yet. */
		if (strcmp(one->interface, list[i].interface) == 0 &&
		    strcmp(one->comment, list[i].comment) == 0 &&
		    addr_compare(&one->addr, &list[i].addr) == 0)
			return true;
	}
	return false;
}

int render_unknown(struct render *r, const struct render_unknown list[], size_t n)
{
	struct render_unknown *copy = malloc((n + 1) * sizeof(copy[0]));
	int rc = copy ? 0 : -ENOMEM;

	if (rc == 0 && n > 0) {
		memcpy(copy, list, n * sizeof(copy[0]));
		rc = put_chain(r);
	}
	for (size_t i = 0; i < r->n_unknown && rc == 0; i++) {
		if (!is_listed(&r->unknown[i], list, n))
			forget(r, &r->unknown[i]);
	}
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = close_one(r, &list[i]);
	if (rc < 0) {
		free(copy);
		r->failed = true;
		return rc;
	}
	free(r->unknown);
	r->unknown = copy;
	r->n_unknown = n;
	if (n == 0)
		drop_chain(r, NFT_TABLE_POLICY, CHAIN_UNKNOWN);
	return 0;
}
