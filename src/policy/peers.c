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

int peers_of_rule(struct graph *g, const struct network_policy *policy,
		  const struct policy_rule *rule, struct peers *ret)
{
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
			rc = ranges_add_block(ret->blocks, &peer->block);
		else
			rc = add_selector(g, policy, peer, &selectors[n]);
		if (rc == 0 && !peer->has_block)
			n++;
	}
	for (int family = 0; family < FAMILY_COUNT; family++)
		ranges_normalize(&ret->blocks[family], (enum family)family);
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

static int union_pods(struct graph *g, const struct profile *profile, const uint32_t *rules,
		      size_t n, struct peers *ret)
{
	VEC(struct selector *) all = {0};
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct peer_set *set = profile->rules[rules[i]].peers.pods;

		for (size_t j = 0; set && j < set->n && rc == 0; j++)
			rc = vec_push(&all, set->selectors[j]);
	}
	if (rc == 0 && all.n > 0) {
		ret->pods = peer_set_get(g, all.v, all.n);
		rc = ret->pods ? 0 : -ENOMEM;
	}
	vec_free(&all);
	return rc;
}

int peers_union(struct graph *g, const struct profile *profile, const uint32_t *rules, size_t n,
		struct peers *ret)
{
	int rc = 0;

	*ret = (struct peers){0};
	for (size_t i = 0; i < n; i++)
		ret->any |= profile->rules[rules[i]].peers.any;
	if (ret->any)
		return 0; /* whoever else is named changes nothing */
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct peers *peers = &profile->rules[rules[i]].peers;

		for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
			rc = ranges_add_all(&ret->blocks[family], &peers->blocks[family]);
	}
	for (int family = 0; family < FAMILY_COUNT; family++)
		ranges_normalize(&ret->blocks[family], (enum family)family);
	if (rc == 0)
		rc = union_pods(g, profile, rules, n, ret);
	if (rc < 0)
		peers_done(g, ret);
	return rc;
}

void peers_done(struct graph *g, struct peers *peers)
{
	if (peers->pods)
		peer_set_put(g, peers->pods);
	for (int family = 0; family < FAMILY_COUNT; family++)
		ranges_done(&peers->blocks[family]);
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
