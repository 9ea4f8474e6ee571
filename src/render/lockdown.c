/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "render/lockdown.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "policy/ranges.h"

static const char *const set_names[NFT_TABLE_COUNT][FAMILY_COUNT] = {
	[NFT_TABLE_POLICY] = {[FAMILY_V4] = "lockdown_ip4", [FAMILY_V6] = "lockdown_ip6"},
	[NFT_TABLE_BRIDGE] = {[FAMILY_V4] = "lockdown_port_ip4", [FAMILY_V6] = "lockdown_port_ip6"},
};

static const struct nft_stmt accept_stmt = {.kind = NFT_STMT_VERDICT,
					    .verdict = {.kind = NFT_VERDICT_ACCEPT}};
static const struct nft_stmt drop_stmt = {.kind = NFT_STMT_VERDICT,
					  .verdict = {.kind = NFT_VERDICT_DROP}};

struct lockdown {
	struct ruleset *ruleset;
	const struct lockdown_options *options;
	bool families[FAMILY_COUNT]; /* there are networks of it */
};

#define ADD_DROP(chain, ...)                                                                    \
	add_rule(chain,                                                                         \
		 (const struct nft_stmt[]){__VA_ARGS__, {.kind = NFT_STMT_COUNTER}, drop_stmt}, \
		 ARRAY_LEN(((const struct nft_stmt[]){__VA_ARGS__})) + 2, "lockdown")

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

static int put_network_set(struct ruleset *ruleset, enum nft_table table,
			   const struct ranges *ranges, enum family family)
{
	struct nft_set *set =
		nft_set_new(set_names[table][family], addr_set_type[family], "networks of pods");

	if (!set)
		return -ENOMEM;
	set->table = table;
	set->interval = true;
	if (add_elements(set, ranges) == 0)
		return ruleset_put_set(ruleset, set);
	nft_set_free(set);
	return -ENOMEM;
}

/* ip saddr @lockdown_ip4 counter drop, or daddr */
static int drop_pods(struct nft_chain *chain, const struct lockdown *l, enum nft_table table,
		     enum nft_dir dir)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct nft_stmt pods = {
			.kind = NFT_STMT_ADDR_SET, .family = (enum family)family, .dir = dir};

		(void)snprintf(pods.name, sizeof(pods.name), "%s", set_names[table][family]);
		if (l->families[family])
			rc = ADD_DROP(chain, pods);
	}
	return rc;
}

/* What they send and what is for them. */
static int drop_both(struct nft_chain *chain, const struct lockdown *l, enum nft_table table)
{
	int rc = drop_pods(chain, l, table, NFT_DIR_SOURCE);

	return rc == 0 ? drop_pods(chain, l, table, NFT_DIR_DESTINATION) : rc;
}

/* Every pod has a link-local address, too. */
static struct nft_stmt link_local_source(void)
{
	static struct prefix prefix = {.addr = {.family = FAMILY_V6, .b = {0xfe, 0x80}}, .len = 10};

	return (struct nft_stmt){.kind = NFT_STMT_ADDR,
				 .family = FAMILY_V6,
				 .dir = NFT_DIR_SOURCE,
				 .prefixes = &prefix, /* is copied */
				 .n = 1};
}

static int fill_forward(struct nft_chain *chain, const struct lockdown *l)
{
	int rc = add_discovery(chain, NFT_VERDICT_ACCEPT);

	chain->hook = NFT_HOOK_FORWARD;
	return rc == 0 ? drop_both(chain, l, NFT_TABLE_POLICY) : rc;
}

/* A link-local source says nothing of who it is; but pods come in by devices of two kinds. A node
 * whose own network is at a bridge has its answers of DHCP accepted. */
static int fill_input(struct nft_chain *chain, const struct lockdown *l)
{
	static const char *const kinds[] = {"veth", "bridge"};
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_TCP_NOT_SYN}, {.kind = NFT_STMT_CT_ESTABLISHED},
			  accept_stmt);

	chain->hook = NFT_HOOK_INPUT;
	if (rc == 0)
		rc = ADD_RULE(chain, {.kind = NFT_STMT_PROTO, .proto = IPPROTO_TCP, .negate = true},
			      {.kind = NFT_STMT_CT_ESTABLISHED}, accept_stmt);
	/* Also by an address that it has in the pods' network, such as a bridge's. */
	if (rc == 0)
		rc = ADD_RULE(chain, {.kind = NFT_STMT_LOCAL_SOURCE}, accept_stmt);
	if (rc == 0)
		rc = add_node_services(chain);
	if (rc == 0)
		rc = ADD_RULE(
			chain,
			{.kind = NFT_STMT_DHCP, .family = FAMILY_V6, .dir = NFT_DIR_DESTINATION},
			accept_stmt);
	if (rc == 0)
		rc = drop_pods(chain, l, NFT_TABLE_POLICY, NFT_DIR_SOURCE);
	for (size_t i = 0; i < ARRAY_LEN(kinds) && rc == 0; i++) {
		struct nft_stmt kind = {.kind = NFT_STMT_INTERFACE_KIND};

		(void)snprintf(kind.name, sizeof(kind.name), "%s", kinds[i]);
		rc = ADD_DROP(chain, kind, link_local_source());
	}
	return rc;
}

/* IPVS takes packets for Services past the hook forward. The node itself may. */
static int fill_postrouting(struct nft_chain *chain, const struct lockdown *l)
{
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_LOCAL_SOURCE}, accept_stmt);

	chain->hook = NFT_HOOK_POSTROUTING;
	if (rc == 0)
		rc = add_discovery(chain, NFT_VERDICT_ACCEPT);
	return rc == 0 ? drop_both(chain, l, NFT_TABLE_POLICY) : rc;
}

/* Between the ports of a bridge, with br_netfilter or without. */
static int fill_bridge(struct nft_chain *chain, const struct lockdown *l)
{
	int rc = add_discovery(chain, NFT_VERDICT_ACCEPT);

	chain->hook = NFT_HOOK_FORWARD;
	for (int dir = NFT_DIR_SOURCE; dir <= NFT_DIR_DESTINATION && rc == 0; dir++)
		rc = ADD_RULE(
			chain, {.kind = NFT_STMT_FAMILY, .family = FAMILY_V6},
			{.kind = NFT_STMT_DHCP, .family = FAMILY_V6, .dir = (enum nft_dir)dir},
			accept_stmt);
	if (rc == 0)
		rc = drop_both(chain, l, NFT_TABLE_BRIDGE);
	return rc == 0 ? ADD_DROP(chain, link_local_source()) : rc;
}

static int put_chain(const struct lockdown *l, enum nft_table table, const char *name,
		     int (*fill)(struct nft_chain *chain, const struct lockdown *l))
{
	struct nft_chain *chain = nft_chain_new(name, "");
	int rc;

	if (!chain)
		return -ENOMEM;
	rc = fill(chain, l);
	if (rc == 0)
		return ruleset_put_chain(l->ruleset, table, chain);
	nft_chain_free(chain);
	return rc;
}

static int put_chains(const struct lockdown *l)
{
	int rc = put_chain(l, NFT_TABLE_POLICY, CHAIN_FORWARD, fill_forward);

	if (rc == 0)
		rc = put_chain(l, NFT_TABLE_POLICY, CHAIN_POSTROUTING, fill_postrouting);
	if (rc == 0 && !l->options->local_node_allow)
		rc = put_chain(l, NFT_TABLE_POLICY, CHAIN_INPUT, fill_input);
	return rc == 0 && !l->options->no_bridges
		       ? put_chain(l, NFT_TABLE_BRIDGE, CHAIN_FORWARD, fill_bridge)
		       : rc;
}

static int put_sets(const struct lockdown *l, const struct ranges *ranges, enum family family)
{
	int rc = put_network_set(l->ruleset, NFT_TABLE_POLICY, ranges, family);

	return rc == 0 && !l->options->no_bridges
		       ? put_network_set(l->ruleset, NFT_TABLE_BRIDGE, ranges, family)
		       : rc;
}

int render_lockdown(struct ruleset *ruleset, const struct lockdown_options *options)
{
	struct lockdown l = {.ruleset = ruleset, .options = options};
	struct ranges ranges[FAMILY_COUNT] = {0};
	int rc = 0;

	for (size_t i = 0; i < options->n && rc == 0; i++) {
		struct ip_block block = {.cidr = options->networks[i]};

		rc = ranges_add_block(ranges, &block);
	}
	for (int family = 0; family < FAMILY_COUNT; family++) {
		ranges_normalize(&ranges[family], (enum family)family);
		l.families[family] = ranges[family].all.n > 0;
		if (rc == 0 && l.families[family])
			rc = put_sets(&l, &ranges[family], (enum family)family);
		ranges_done(&ranges[family]);
	}
	return rc == 0 ? put_chains(&l) : rc;
}
