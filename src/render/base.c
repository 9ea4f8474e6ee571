/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is there whatever the policies say: the base chain, the dispatch to the chains of pods. It
 * never changes, because replacing a base chain leaks packets (KERNEL measurements in
 * ARCHITECTURE.md). */
#include <netinet/icmp6.h>
#include <stdio.h>

#include "internal.h"

#define MLD2_LISTENER_REPORT 143 /* RFC 3810; netinet/icmp6.h lacks it */

#define ADD_RULE(chain, ...)                                    \
	add_rule(chain, (const struct nft_stmt[]){__VA_ARGS__}, \
		 ARRAY_LEN(((const struct nft_stmt[]){__VA_ARGS__})), "")

/* Ingress is for the pod that the packet goes to. */
static enum nft_dir own_dir(enum direction dir)
{
	return dir == DIR_INGRESS ? NFT_DIR_DESTINATION : NFT_DIR_SOURCE;
}

static int add_interface_lookup(struct nft_chain *chain, enum direction dir)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_INTERFACE_MAP, .dir = own_dir(dir)};

	(void)snprintf(stmt.name, sizeof(stmt.name), "%s", interface_map_name(dir));
	return add_rule(chain, &stmt, 1, "");
}

static int add_addr_lookup(struct nft_chain *chain, enum direction dir, enum family family)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_ADDR_MAP, .dir = own_dir(dir), .family = family};

	(void)snprintf(stmt.name, sizeof(stmt.name), "%s", addr_map_name(dir, family));
	return add_rule(chain, &stmt, 1, "");
}

static const struct nft_stmt accept_stmt = {.kind = NFT_STMT_VERDICT,
					    .verdict = {.kind = NFT_VERDICT_ACCEPT}};

/* What IPv6 needs on a link, whatever the policies say. */
int add_discovery(struct nft_chain *chain)
{
	uint8_t nd[] = {ND_ROUTER_SOLICIT, ND_ROUTER_ADVERT, ND_NEIGHBOR_SOLICIT,
			ND_NEIGHBOR_ADVERT};
	uint8_t mld[] = {MLD_LISTENER_QUERY, MLD_LISTENER_REPORT, MLD_LISTENER_REDUCTION,
			 MLD2_LISTENER_REPORT};
	/* ff02::/16 */
	struct prefix link_local = {.addr = {.family = FAMILY_V6, .b = {0xff, 0x02}}, .len = 16};
	/* Between pods on one bridge, where netfilter sees it (RFC 4861: hop limit 255 means that
	 * no router has passed it on). What is routed has 254 at most and is traffic like any
	 * other. */
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_ICMPV6_TYPES, .types = nd, .n = ARRAY_LEN(nd)},
			  {.kind = NFT_STMT_HOPLIMIT, .hoplimit = 255}, accept_stmt);

	/* A bridge that snoops multicast drops neighbour discovery for who cannot report. */
	if (rc == 0)
		rc = ADD_RULE(chain,
			      {.kind = NFT_STMT_ICMPV6_TYPES, .types = mld, .n = ARRAY_LEN(mld)},
			      {.kind = NFT_STMT_ADDR,
			       .family = FAMILY_V6,
			       .dir = NFT_DIR_DESTINATION,
			       .prefixes = &link_local,
			       .n = 1},
			      accept_stmt);
	return rc;
}

static int add_forward(struct render *r)
{
	struct nft_chain *chain = nft_chain_new(CHAIN_FORWARD, "");
	int rc;

	if (!chain)
		return -ENOMEM;
	chain->hook = NFT_HOOK_FORWARD;
	/* First, so that all the rest is paid once per connection. */
	rc = ADD_RULE(chain, {.kind = NFT_STMT_CT_ESTABLISHED}, accept_stmt);
	/* Pods behind a device of their own are routed, and what is discovered on a link is never
	 * forwarded: nothing of it gets here from them, nor in IPv4 from anybody. */
	if (rc == 0)
		rc = add_interface_lookup(chain, DIR_EGRESS);
	if (rc == 0)
		rc = add_addr_lookup(chain, DIR_EGRESS, FAMILY_V4);
	if (rc == 0)
		rc = add_discovery(chain);
	if (rc == 0)
		rc = add_addr_lookup(chain, DIR_EGRESS, FAMILY_V6);
	if (rc == 0)
		rc = ADD_RULE(chain, verdict_stmt(NFT_VERDICT_GOTO, CHAIN_TO_POD));
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
	nft_chain_free(chain);
	return rc;
}

static int add_to_pod(struct render *r)
{
	struct nft_chain *chain = nft_chain_new(CHAIN_TO_POD, "");
	int rc;

	if (!chain)
		return -ENOMEM;
	rc = add_interface_lookup(chain, DIR_INGRESS);
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = add_addr_lookup(chain, DIR_INGRESS, (enum family)family);
	if (rc == 0)
		rc = ADD_RULE(chain, accept_stmt);
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
	nft_chain_free(chain);
	return rc;
}

static int add_map(struct render *r, const char *name, enum nft_set_type type)
{
	struct nft_set *map = nft_set_new(name, type, "");

	if (!map)
		return -ENOMEM;
	map->map = true;
	return ruleset_put_set(&r->ruleset, map);
}

int render_base(struct render *r)
{
	int rc = 0;

	for (int dir = 0; dir < DIR_COUNT && rc == 0; dir++) {
		rc = add_map(r, interface_map_name((enum direction)dir), NFT_SET_TYPE_INTERFACE);
		if (rc == 0)
			rc = add_map(r, addr_map_name((enum direction)dir, FAMILY_V4),
				     NFT_SET_TYPE_IPV4);
		if (rc == 0)
			rc = add_map(r, addr_map_name((enum direction)dir, FAMILY_V6),
				     NFT_SET_TYPE_IPV6);
	}
	if (rc == 0)
		rc = add_forward(r);
	return rc == 0 ? add_to_pod(r) : rc;
}
