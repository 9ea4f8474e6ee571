/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may be at the other end: of one rule, and of several together. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int add_selector(struct graph *g, const struct network_policy *policy,
			const struct policy_peer *peer, struct selector **ret)
{
	/* No namespaceSelector: the policy's own namespace. */
	*ret = selector_get(g, peer->has_ns_selector ? NULL : policy->ns, &peer->ns_selector,
			    &peer->pod_selector);
	return *ret ? 0 : -ENOMEM;
}

/* Normalizes and interns; takes the ranges over in any case. */
static int intern_blocks(struct graph *g, struct ranges blocks[FAMILY_COUNT], struct peers *ret)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT; family++) {
		if (rc < 0 || blocks[family].all.n == 0) {
			ranges_done(&blocks[family]);
			continue;
		}
		g->counts.ranges_united += blocks[family].all.n;
		ranges_normalize(&blocks[family], (enum family)family);
		ret->blocks[family] = block_set_get(g, &blocks[family], (enum family)family);
		rc = ret->blocks[family] ? 0 : -ENOMEM;
	}
	return rc;
}

int peers_of_rule(struct graph *g, const struct network_policy *policy,
		  const struct policy_rule *rule, struct peers *ret)
{
	struct ranges blocks[FAMILY_COUNT] = {{{0}}};
	struct selector **selectors = NULL;
	size_t n = 0;
	int rc = 0;

	*ret = (struct peers){.any = rule->n_peers == 0};
	if (ret->any)
		return 0;
	selectors = calloc(rule->n_peers, sizeof(selectors[0]));
	if (!selectors)
		return -ENOMEM;
	for (size_t i = 0; i < rule->n_peers && rc == 0; i++) {
		const struct policy_peer *peer = &rule->peers[i];

		if (peer->has_block)
			rc = ranges_add_block(blocks, &peer->block);
		else
			rc = add_selector(g, policy, peer, &selectors[n]);
		if (rc == 0 && !peer->has_block)
			n++;
	}
	if (intern_blocks(g, blocks, ret) < 0)
		rc = -ENOMEM;
	if (rc == 0 && n > 0) {
		ret->pods = peer_set_get(g, selectors, n);
		rc = ret->pods ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		selector_put(g, selectors[i]); /* the set has its own references */
	free(selectors);
	if (rc < 0)
		peers_done(g, ret);
	return rc;
}

static int union_pods(struct graph *g, const struct peers *const parts[], size_t n,
		      struct peers *ret)
{
	VEC(struct selector *) all = {0};
	const struct peer_set *only = NULL;
	size_t sets = 0;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct peer_set *set = parts[i]->pods;

		if (!set || set == only)
			continue;
		only = set;
		sets++;
		for (size_t j = 0; j < set->n && rc == 0; j++)
			rc = vec_push(&all, set->selectors[j]);
	}
	if (rc == 0 && sets > 0) {
		ret->pods = peer_set_get(g, all.v, all.n);
		rc = ret->pods ? 0 : -ENOMEM;
	}
	vec_free(&all);
	return rc;
}

/* Sets that are one another's are added once. */
static int union_blocks(struct graph *g, const struct peers *const parts[], size_t n,
			struct peers *ret)
{
	struct ranges blocks[FAMILY_COUNT] = {{{0}}};
	struct block_set *first[FAMILY_COUNT] = {0};
	uint64_t mark = ++g->mark;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
			struct block_set *set = parts[i]->blocks[family];

			if (!set || set->mark == mark)
				continue;
			set->mark = mark;
			if (!first[family]) {
				first[family] = set;
				continue;
			}
			if (blocks[family].all.n == 0)
				rc = ranges_add_all(&blocks[family], &first[family]->ranges);
			if (rc == 0)
				rc = ranges_add_all(&blocks[family], &set->ranges);
		}
	}
	for (int family = 0; family < FAMILY_COUNT; family++) {
		if (blocks[family].all.n == 0)
			ret->blocks[family] = block_set_ref(first[family]);
	}
	return intern_blocks(g, blocks, ret) < 0 ? -ENOMEM : rc;
}

int peers_union(struct graph *g, const struct peers *const parts[], size_t n, struct peers *ret)
{
	int rc;

	*ret = (struct peers){0};
	for (size_t i = 0; i < n; i++)
		ret->any |= parts[i]->any;
	if (ret->any)
		return 0; /* whoever else is named changes nothing */
	rc = union_blocks(g, parts, n, ret);
	if (rc == 0)
		rc = union_pods(g, parts, n, ret);
	if (rc < 0)
		peers_done(g, ret);
	return rc;
}

void peers_done(struct graph *g, struct peers *peers)
{
	if (peers->pods)
		peer_set_put(g, peers->pods);
	for (int family = 0; family < FAMILY_COUNT; family++)
		block_set_put(g, peers->blocks[family]);
	*peers = (struct peers){0};
}

bool peers_have_pod(const struct peers *peers, const struct graph_pod *pod)
{
	if (peers->any)
		return true;
	for (size_t i = 0; peers->pods && i < peers->pods->n; i++) {
		if (selector_matches(peers->pods->selectors[i], pod))
			return true;
	}
	return false;
}

bool peers_have_block(const struct peers *peers, const struct addr *addr)
{
	const struct block_set *set = peers->blocks[addr->family];

	return set && ranges_contain(&set->ranges, addr);
}
