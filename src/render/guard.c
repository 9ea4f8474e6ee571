/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard on a pod's device. Policy goes by addresses, so nobody may use another's: every pod
 * behind a device of its own is held to its own addresses, isolated or not, as it could forge those
 * of a pod that others trust. Behind a bridge's port it could reach others without being routed, so
 * there also to its hardware address, in ARP and in neighbour discovery, and to frames without a
 * VLAN tag, which no address match sees into; and it is no router. */
#include <errno.h>
#include <netinet/icmp6.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

bool pod_link_local(const struct pod *pod, struct addr *ret)
{
	static const uint8_t unknown[sizeof(pod->mac)];

	if (!pod->bridged || memcmp(pod->mac, unknown, sizeof(unknown)) == 0)
		return false;
	*ret = (struct addr){.family = FAMILY_V6,
			     .b = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, pod->mac[0] ^ 2, pod->mac[1],
				   pod->mac[2], 0xff, 0xfe, pod->mac[3], pod->mac[4], pod->mac[5]}};
	return true;
}

static size_t insert_prefix(struct prefix *list, size_t n, const struct prefix *prefix)
{
	size_t at = n;

	for (; at > 0 && addr_compare(&list[at - 1].addr, &prefix->addr) > 0; at--)
		list[at] = list[at - 1];
	list[at] = *prefix;
	return n + 1;
}

/* What a device may send from, ascending: its pod's address, and in IPv6 what a host needs before
 * and beside one. Returns how many. */
static size_t guard_prefixes(const struct graph_pod *pod, enum family family, struct prefix ret[3])
{
	static const struct prefix unspecified = {.addr = {.family = FAMILY_V6}, .len = 128};
	struct prefix own,
		link_local = {.addr = {.family = FAMILY_V6, .b = {0xfe, 0x80}}, .len = 10};
	size_t n = 0;

	if (family == FAMILY_V6) {
		if (pod_link_local(pod->object, &link_local.addr))
			link_local.len = 128;
		n = insert_prefix(ret, n, &unspecified);
		n = insert_prefix(ret, n, &link_local);
	}
	if (graph_pod_owns(pod, family)) {
		own = host_prefix(pod_addr(pod->object, family));
		n = insert_prefix(ret, n, &own);
	}
	return n;
}

static int add_guard_drop(struct nft_chain *chain, const struct nft_stmt *match)
{
	struct nft_stmt stmts[] = {
		*match, {.kind = NFT_STMT_COUNTER}, verdict_stmt(NFT_VERDICT_DROP, NULL)};

	return add_rule(chain, stmts, ARRAY_LEN(stmts), "");
}

/* ip saddr != 10.0.0.7 counter drop */
static int add_source_rule(struct nft_chain *chain, const struct graph_pod *pod, enum family family)
{
	struct prefix allowed[3];
	struct nft_stmt match = {.kind = NFT_STMT_ADDR, .family = family, .negate = true};

	match.n = guard_prefixes(pod, family, allowed);
	if (match.n > 0)
		match.prefixes = allowed;
	else
		match.kind = NFT_STMT_FAMILY; /* no address of this family: none is its own */
	return add_guard_drop(chain, &match);
}

/* arp saddr ip != { 0.0.0.0, 10.0.0.7 } counter drop */
static int add_arp_rule(struct nft_chain *chain, const struct graph_pod *pod)
{
	struct prefix allowed[2] = {{.addr = {.family = FAMILY_V4}, .len = 32}}; /* a probe */
	struct nft_stmt match = {
		.kind = NFT_STMT_ARP_SOURCE, .negate = true, .prefixes = allowed, .n = 1};

	if (graph_pod_owns(pod, FAMILY_V4))
		allowed[match.n++] = host_prefix(pod_addr(pod->object, FAMILY_V4));
	return add_guard_drop(chain, &match);
}

/* icmpv6 type { nd-router-advert, nd-redirect } counter drop */
static int add_router_rule(struct nft_chain *chain)
{
	uint8_t types[] = {ND_ROUTER_ADVERT, ND_REDIRECT};
	struct nft_stmt match = {
		.kind = NFT_STMT_ICMPV6_TYPES, .types = types, .n = ARRAY_LEN(types)};

	return add_guard_drop(chain, &match);
}

/* What IPv6 has for ARP: a neighbour may be advertised from any address, but not any neighbour.
 * icmpv6 type nd-neighbor-advert @th,64,128 != OWN @th,64,128 != LINK-LOCAL counter drop */
static int add_advert_rule(struct nft_chain *chain, const struct graph_pod *pod)
{
	uint8_t type = ND_NEIGHBOR_ADVERT;
	struct prefix own,
		link_local = {.addr = {.family = FAMILY_V6, .b = {0xfe, 0x80}}, .len = 16};
	struct nft_stmt target = {
		.kind = NFT_STMT_ND_TARGET, .family = FAMILY_V6, .negate = true, .n = 1};
	struct nft_stmt stmts[5];
	size_t n = 0;

	if (pod_link_local(pod->object, &link_local.addr))
		link_local.len = 128;
	stmts[n++] = (struct nft_stmt){.kind = NFT_STMT_ICMPV6_TYPES, .types = &type, .n = 1};
	stmts[n] = target;
	stmts[n++].prefixes = &link_local;
	if (graph_pod_owns(pod, FAMILY_V6)) {
		own = host_prefix(pod_addr(pod->object, FAMILY_V6));
		stmts[n] = target;
		stmts[n++].prefixes = &own;
	}
	stmts[n++] = (struct nft_stmt){.kind = NFT_STMT_COUNTER};
	stmts[n++] = verdict_stmt(NFT_VERDICT_DROP, NULL);
	return add_rule(chain, stmts, n, "");
}

static int add_bridge_rules(struct nft_chain *chain, const struct graph_pod *pod)
{
	struct nft_stmt vlan = {.kind = NFT_STMT_VLAN};
	struct nft_stmt ether = {.kind = NFT_STMT_ETHER_SOURCE, .negate = true};
	struct addr link_local;
	int rc = add_guard_drop(chain, &vlan);

	memcpy(ether.ether, pod->object->mac, sizeof(ether.ether));
	if (rc == 0 && pod_link_local(pod->object, &link_local)) /* the address is known */
		rc = add_guard_drop(chain, &ether);
	if (rc == 0)
		rc = add_arp_rule(chain, pod);
	if (rc == 0)
		rc = add_router_rule(chain);
	return rc == 0 ? add_advert_rule(chain, pod) : rc;
}

static bool has_guard(const struct graph_pod *pod)
{
	return graph_pod_device(pod) &&
	       (graph_pod_owns(pod, FAMILY_V4) || graph_pod_owns(pod, FAMILY_V6));
}

int write_guard(struct render *r, const struct graph_pod *pod)
{
	char name[NFT_NAME_MAX], comment[OBJECT_NAME_MAX];
	struct nft_chain *chain;
	int rc = 0;

	if (!has_guard(pod))
		return 0;
	device_chain_name(name, 'g', graph_pod_device(pod));
	pod_comment(comment, pod);
	chain = nft_chain_new(name, comment);
	if (!chain)
		return -ENOMEM;
	chain->hook = NFT_HOOK_INGRESS;
	(void)snprintf(chain->device, sizeof(chain->device), "%s", graph_pod_device(pod));
	if (pod->object->bridged)
		rc = add_bridge_rules(chain, pod);
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = add_source_rule(chain, pod, (enum family)family);
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_GUARD, chain);
	nft_chain_free(chain);
	return rc;
}

void erase_guard(struct render *r, const struct graph_pod *pod)
{
	char name[NFT_NAME_MAX];

	if (!has_guard(pod))
		return;
	device_chain_name(name, 'g', graph_pod_device(pod));
	drop_chain(r, NFT_TABLE_GUARD, name);
}
