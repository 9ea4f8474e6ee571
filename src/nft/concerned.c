/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom a refusal concerns: from the chain or set up to the chains of pods, which are those that the
 * maps of interfaces and addresses lead to. */
#include <stdio.h>
#include <string.h>

#include "nft/isolate.h"

static bool looks_into(const struct nft_chain *chain, const char *set)
{
	for (size_t i = 0; i < chain->rules.n; i++) {
		if (nft_rule_looks_into(&chain->rules.v[i], set))
			return true;
	}
	return false;
}

static bool leads_to(const struct nft_set *map, const char *chain)
{
	for (const struct nft_elem *elem = map->elems; elem; elem = elem->hh.next) {
		if (elem->extra && strcmp(elem->extra->verdict.chain, chain) == 0)
			return true;
	}
	return false;
}

/* By a rule, or by a map of ports. */
static bool refers_to(const struct ruleset *ruleset, const struct nft_chain *chain,
		      const char *name)
{
	for (size_t i = 0; i < chain->rules.n; i++) {
		if (nft_rule_goes_to(&chain->rules.v[i], name))
			return true;
	}
	for (const struct nft_set *map = ruleset->sets; map; map = map->hh.next) {
		if (map->map && map->type == NFT_SET_TYPE_PORT_PROTO &&
		    looks_into(chain, map->name) && leads_to(map, name))
			return true;
	}
	return false;
}

/* The chain of a pod. */
static bool is_pods_own(const struct ruleset *ruleset, enum nft_table table, const char *name)
{
	for (const struct nft_set *map = ruleset->sets; map; map = map->hh.next) {
		if (map->map && map->table == table && map->type != NFT_SET_TYPE_PORT_PROTO &&
		    leads_to(map, name))
			return true;
	}
	return false;
}

struct concerned {
	VEC(const struct nft_chain *) chains;
};

static int add_chain(struct concerned *concerned, const struct nft_chain *chain)
{
	for (size_t i = 0; i < concerned->chains.n; i++) {
		if (concerned->chains.v[i] == chain)
			return 0;
	}
	return vec_push(&concerned->chains, chain);
}

static int add_referrers(const struct ruleset *ruleset, enum nft_table table, const char *name,
			 struct concerned *concerned)
{
	const struct nft_chain *chain = ruleset->chains[table];
	int rc = 0;

	for (; chain && rc == 0; chain = chain->hh.next) {
		if (refers_to(ruleset, chain, name))
			rc = add_chain(concerned, chain);
	}
	return rc;
}

/* Of a map that finds pods: whom it leads to. */
static bool finds(const struct nft_set *set, const struct nft_chain *chain)
{
	return set && set->map && set->type != NFT_SET_TYPE_PORT_PROTO &&
	       leads_to(set, chain->name);
}

/* The chain itself, or those that look into the set. */
static int add_first(const struct ruleset *ruleset, const struct nft_refused *refused,
		     struct concerned *concerned)
{
	const struct nft_chain *chain = ruleset->chains[refused->table];
	const struct nft_set *set = refused->set ? ruleset_set(ruleset, refused->name) : NULL;
	int rc = 0;

	for (; chain && rc == 0; chain = chain->hh.next) {
		if (refused->set ? looks_into(chain, refused->name) || finds(set, chain)
				 : strcmp(chain->name, refused->name) == 0)
			rc = add_chain(concerned, chain);
	}
	return rc;
}

/* Where the maps of a base chain lead to. */
static int add_dispatched(const struct ruleset *ruleset, enum nft_table table,
			  const struct nft_chain *base, struct concerned *concerned)
{
	const struct nft_chain *chain = ruleset->chains[table];
	int rc = 0;

	for (; chain && rc == 0; chain = chain->hh.next) {
		for (const struct nft_set *map = ruleset->sets; map && rc == 0;
		     map = map->hh.next) {
			if (finds(map, chain) && looks_into(base, map->name))
				rc = add_chain(concerned, chain);
		}
	}
	return rc;
}

/* A pod has a chain for each direction. */
static int add_pod(struct nft_pods *pods, const char *pod)
{
	for (size_t i = 0; i < pods->names.n; i++) {
		if (strcmp(pods->names.v[i], pod) == 0)
			return 0;
	}
	return vec_push(&pods->names, pod);
}

int nft_refused_pods(const struct ruleset *ruleset, const struct nft_refused *refused,
		     struct nft_pods *pods)
{
	struct concerned concerned = {0};
	int rc = add_first(ruleset, refused, &concerned);

	for (size_t i = 0; i < concerned.chains.n && rc == 0; i++) { /* it grows meanwhile */
		const struct nft_chain *chain = concerned.chains.v[i];

		if (is_pods_own(ruleset, refused->table, chain->name))
			rc = add_pod(pods, chain->comment);
		else if (chain->hook != NFT_HOOK_NONE)
			rc = add_dispatched(ruleset, refused->table, chain, &concerned);
		else
			rc = add_referrers(ruleset, refused->table, chain->name, &concerned);
	}
	vec_free(&concerned.chains);
	return rc;
}

void nft_pods_print(const struct nft_pods *pods, char *to, size_t len)
{
	size_t used = 0;

	to[0] = '\0';
	for (size_t i = 0; i < pods->names.n && used < len; i++) {
		int n = i < NFT_PODS_NAMED_MAX ? snprintf(to + used, len - used, "%s%s",
							  i > 0 ? ", " : "", pods->names.v[i])
					       : snprintf(to + used, len - used, " and %zu more",
							  pods->names.n - i);

		used += n > 0 ? (size_t)n : 0;
		if (i == NFT_PODS_NAMED_MAX)
			return;
	}
}

void nft_pods_done(struct nft_pods *pods)
{
	vec_free(&pods->names);
}
