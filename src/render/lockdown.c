/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "render/lockdown.h"

#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "policy/ranges.h"

static const char *const set_names[] = {[FAMILY_V4] = "lockdown_ip4", [FAMILY_V6] = "lockdown_ip6"};

static int add_elements(struct nft_set *set, const struct ranges *ranges)
{
	int rc = 0;

	for (size_t i = 0; i < ranges->all.n && rc == 0; i++) {
		struct nft_key key = {0};
		struct nft_elem_extra extra = {0};

		memcpy(key.bytes, ranges->all.v[i].lo, sizeof(key.bytes));
		memcpy(extra.last.bytes, ranges->all.v[i].hi, sizeof(extra.last.bytes));
		rc = nft_set_add(set, &key, &extra);
	}
	return rc;
}

static int put_network_set(struct ruleset *ruleset, const struct ranges *ranges, enum family family)
{
	struct nft_set *set =
		nft_set_new(set_names[family], addr_set_type[family], "networks of pods");

	if (!set)
		return -ENOMEM;
	set->interval = true;
	if (add_elements(set, ranges) == 0)
		return ruleset_put_set(ruleset, set);
	nft_set_free(set);
	return -ENOMEM;
}

/* ip saddr @lockdown_ip4 counter drop, and daddr. */
static int add_drop_rules(struct nft_chain *chain, enum family family)
{
	int rc = 0;

	for (int dir = NFT_DIR_SOURCE; dir <= NFT_DIR_DESTINATION && rc == 0; dir++) {
		struct nft_stmt stmts[] = {
			{.kind = NFT_STMT_ADDR_SET, .family = family, .dir = (enum nft_dir)dir},
			{.kind = NFT_STMT_COUNTER},
			verdict_stmt(NFT_VERDICT_DROP, NULL),
		};

		(void)snprintf(stmts[0].name, sizeof(stmts[0].name), "%s", set_names[family]);
		rc = add_rule(chain, stmts, ARRAY_LEN(stmts), "lockdown");
	}
	return rc;
}

static int put_forward(struct ruleset *ruleset, const bool families[FAMILY_COUNT])
{
	struct nft_chain *chain = nft_chain_new(CHAIN_FORWARD, "");
	int rc;

	if (!chain)
		return -ENOMEM;
	chain->hook = NFT_HOOK_FORWARD;
	rc = add_discovery(chain, NFT_VERDICT_ACCEPT);
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		if (families[family])
			rc = add_drop_rules(chain, (enum family)family);
	}
	if (rc == 0)
		return ruleset_put_chain(ruleset, NFT_TABLE_POLICY, chain);
	nft_chain_free(chain);
	return rc;
}

int render_lockdown(struct ruleset *ruleset, const struct prefix *networks, size_t n)
{
	struct ranges ranges[FAMILY_COUNT] = {0};
	bool families[FAMILY_COUNT];
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct ip_block block = {.cidr = networks[i]};

		rc = ranges_add_block(ranges, &block);
	}
	for (int family = 0; family < FAMILY_COUNT; family++) {
		ranges_normalize(&ranges[family], (enum family)family);
		families[family] = ranges[family].all.n > 0;
		if (rc == 0 && families[family])
			rc = put_network_set(ruleset, &ranges[family], (enum family)family);
		ranges_done(&ranges[family]);
	}
	return rc == 0 ? put_forward(ruleset, families) : rc;
}
