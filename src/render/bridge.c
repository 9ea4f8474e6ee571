/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ports of bridges, in the family bridge, which alone sees them. Policy decides in the hooks of
 * the family inet by addresses, so what has the address of nobody would get past it: broadcast and
 * multicast, in frames to a group or to one host. From a pod that is isolated for egress it goes
 * nowhere, and to one that is isolated for ingress nothing passes but what has its address, which
 * policy has seen. Excepted is what the link itself needs: neighbor and listener discovery, DHCP.
 *
 * The hook forward, not postrouting: what the node itself sends to its pods is accepted. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define CHAIN_GROUP_EGRESS "group_egress"
#define CHAIN_REST_INGRESS "rest_ingress"
#define CHAIN_UNKNOWN_PORT "unknown_port"

/* ipv4_is_multicast() and ipv4_is_lbcast() of the kernel's include/linux/in.h,
 * ipv6_addr_is_multicast(). The rest of 240.0.0.0/4 is unicast to Linux since 2.6.25, and clusters
 * use it. */
const struct prefix group_addrs[GROUP_ADDRS] = {
	{.addr = {.family = FAMILY_V4, .b = {224}}, .len = 4},
	{.addr = {.family = FAMILY_V4, .b = {255, 255, 255, 255}}, .len = 32},
	{.addr = {.family = FAMILY_V6, .b = {0xff}}, .len = 8},
};

struct link_id pod_link(const struct graph_pod *pod)
{
	return (struct link_id){.index = pod->object->ifindex, .name = graph_pod_device(pod)};
}

static struct nft_stmt destination(const struct prefix *prefix, bool implied)
{
	return (struct nft_stmt){.kind = NFT_STMT_ADDR,
				 .family = (enum family)prefix->addr.family,
				 .dir = NFT_DIR_DESTINATION,
				 .prefixes = (struct prefix *)prefix, /* is copied */
				 .n = 1,
				 .implied = implied};
}

/* meta protocol ip udp sport 68 udp dport 67 VERDICT, of both families */
static int add_dhcp(struct nft_chain *chain, enum nft_dir dir, enum nft_verdict_kind verdict)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = ADD_RULE(chain, {.kind = NFT_STMT_FAMILY, .family = (enum family)family},
			      {.kind = NFT_STMT_DHCP, .family = (enum family)family, .dir = dir},
			      verdict_stmt(verdict, NULL));
	return rc;
}

/* What is neither IPv4 nor IPv6 is no policy's. */
static int add_drops(struct nft_chain *chain)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = ADD_RULE(chain, {.kind = NFT_STMT_FAMILY, .family = (enum family)family},
			      {.kind = NFT_STMT_COUNTER}, verdict_stmt(NFT_VERDICT_DROP, NULL));
	return rc;
}

/* To a group, from who is isolated for egress; what returns from here is looked at further. */
static int fill_group_egress(struct nft_chain *chain)
{
	int rc = add_discovery(chain, NFT_VERDICT_RETURN);

	if (rc == 0)
		rc = add_dhcp(chain, NFT_DIR_SOURCE, NFT_VERDICT_RETURN);
	return rc == 0 ? add_drops(chain) : rc;
}

/* To who is isolated for ingress, and not to an address of its own. */
static int fill_rest_ingress(struct nft_chain *chain)
{
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_VLAN}, {.kind = NFT_STMT_COUNTER},
			  verdict_stmt(NFT_VERDICT_DROP, NULL));

	if (rc == 0)
		rc = add_discovery(chain, NFT_VERDICT_ACCEPT);
	if (rc == 0)
		rc = add_dhcp(chain, NFT_DIR_DESTINATION, NFT_VERDICT_ACCEPT);
	return rc == 0 ? add_drops(chain) : rc;
}

static int need_shared(struct render *r, const char *name, int (*fill)(struct nft_chain *chain))
{
	struct nft_chain *chain;
	int rc;

	if (ruleset_chain(&r->ruleset, NFT_TABLE_BRIDGE, name))
		return 0;
	chain = nft_chain_new(name, "");
	if (!chain)
		return -ENOMEM;
	rc = fill(chain);
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_BRIDGE, chain);
	nft_chain_free(chain);
	return rc;
}

/* Chains that nobody goes to any more. */
static void drop_shared(struct render *r)
{
	if (r->unknown_ports == 0)
		drop_chain(r, NFT_TABLE_BRIDGE, CHAIN_UNKNOWN_PORT);
	if (r->ports[DIR_EGRESS] == 0)
		drop_chain(r, NFT_TABLE_BRIDGE, CHAIN_GROUP_EGRESS);
	if (r->ports[DIR_INGRESS] == 0)
		drop_chain(r, NFT_TABLE_BRIDGE, CHAIN_REST_INGRESS);
}

/* A frame to a group, or a packet to one in a frame to one host. `next`: where the others go; NULL:
 * they pass. */
static int fill_egress(struct nft_chain *chain, const char *next)
{
	struct nft_stmt jump = verdict_stmt(NFT_VERDICT_JUMP, CHAIN_GROUP_EGRESS);
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_ETHER_GROUP}, jump);

	for (size_t i = 0; i < GROUP_ADDRS && rc == 0; i++)
		rc = ADD_RULE(chain, destination(&group_addrs[i], false), jump);
	return rc == 0 && next ? ADD_RULE(chain, verdict_stmt(NFT_VERDICT_GOTO, next)) : rc;
}

static int fill_unknown(struct nft_chain *chain)
{
	return fill_egress(chain, NULL);
}

/* Packets to these have passed policy in the family inet. */
static int judged_destinations(const struct render *r, const struct graph_pod *pod,
			       enum family family, struct pod_sources *ret)
{
	int rc = pod_own_sources(pod, family, ret);

	return rc == 0 && has_allowed(r, pod) ? add_allowed(r, pod, family, ret) : rc;
}

/* ether type ip ip daddr 10.0.0.7 accept: a frame with a VLAN tag has another type. To a group
 * nothing is allowed by an address, however short its prefix is. */
static int fill_ingress(const struct render *r, struct nft_chain *chain,
			const struct graph_pod *pod)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct pod_sources own = {0};

		rc = judged_destinations(r, pod, (enum family)family, &own);
		for (size_t i = 0; i < GROUP_ADDRS && rc == 0 && has_allowed(r, pod); i++)
			if (group_addrs[i].addr.family == family)
				rc = ADD_RULE(chain, destination(&group_addrs[i], false),
					      verdict_stmt(NFT_VERDICT_GOTO, CHAIN_REST_INGRESS));
		for (size_t i = 0; i < own.n && rc == 0; i++)
			rc = own.v[i].len == 0 ? ADD_RULE(chain,
							  {.kind = NFT_STMT_ETHER_TYPE,
							   .family = (enum family)family},
							  verdict_stmt(NFT_VERDICT_ACCEPT, NULL))
					       : ADD_RULE(chain,
							  {.kind = NFT_STMT_ETHER_TYPE,
							   .family = (enum family)family},
							  destination(&own.v[i], true),
							  verdict_stmt(NFT_VERDICT_ACCEPT, NULL));
		vec_free(&own);
	}
	return rc == 0 ? ADD_RULE(chain, verdict_stmt(NFT_VERDICT_GOTO, CHAIN_REST_INGRESS)) : rc;
}

static void port_chain_name(char to[static NFT_NAME_MAX], enum direction dir,
			    const struct graph_pod *pod)
{
	device_chain_name(to, dir == DIR_INGRESS ? 'i' : 'e', graph_pod_device(pod));
}

static int put_port_chain(struct render *r, const struct graph_pod *pod, enum direction dir)
{
	char name[NFT_NAME_MAX], next[NFT_NAME_MAX], comment[OBJECT_NAME_MAX];
	struct nft_chain *chain;
	int rc;

	port_chain_name(name, dir, pod);
	device_chain_name(next, 's', graph_pod_device(pod));
	pod_comment(comment, pod);
	chain = nft_chain_new(name, comment);
	if (!chain)
		return -ENOMEM;
	rc = dir == DIR_INGRESS ? fill_ingress(r, chain, pod) : fill_egress(chain, next);
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_BRIDGE, chain);
	nft_chain_free(chain);
	return rc;
}

static int write_port_egress(struct render *r, const struct graph_pod *pod)
{
	struct link_id link = pod_link(pod);
	char name[NFT_NAME_MAX], comment[OBJECT_NAME_MAX];
	int rc = 0;

	pod_comment(comment, pod);
	device_chain_name(name, 's', link.name);
	if (pod->profiles[DIR_EGRESS]) {
		port_chain_name(name, DIR_EGRESS, pod);
		r->ports[DIR_EGRESS]++;
		rc = need_shared(r, CHAIN_GROUP_EGRESS, fill_group_egress);
		if (rc == 0)
			rc = put_port_chain(r, pod, DIR_EGRESS);
	}
	return rc == 0 ? link_map_put(r, LINK_MAP_PORT_SOURCE, &link, name, comment) : rc;
}

static int write_port_ingress(struct render *r, const struct graph_pod *pod)
{
	struct link_id link = pod_link(pod);
	char name[NFT_NAME_MAX], comment[OBJECT_NAME_MAX];
	int rc;

	if (!pod->profiles[DIR_INGRESS])
		return 0;
	pod_comment(comment, pod);
	port_chain_name(name, DIR_INGRESS, pod);
	r->ports[DIR_INGRESS]++;
	rc = need_shared(r, CHAIN_REST_INGRESS, fill_rest_ingress);
	if (rc == 0)
		rc = put_port_chain(r, pod, DIR_INGRESS);
	return rc == 0 ? link_map_put(r, LINK_MAP_PORT_INGRESS, &link, name, comment) : rc;
}

int write_port(struct render *r, const struct graph_pod *pod)
{
	int rc = 0;

	if (!pod->object->bridged || !has_antispoof(r, pod))
		return 0;
	open_port(r, pod->object->ifindex);
	rc = write_port_egress(r, pod);
	return rc == 0 ? write_port_ingress(r, pod) : rc;
}

void erase_port(struct render *r, const struct graph_pod *pod)
{
	struct link_id link = pod_link(pod);
	char name[NFT_NAME_MAX];

	if (!pod->object->bridged || !has_antispoof(r, pod))
		return;
	link_map_drop(r, LINK_MAP_PORT_SOURCE, &link);
	link_map_drop(r, LINK_MAP_PORT_INGRESS, &link);
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		if (!pod->profiles[dir])
			continue;
		port_chain_name(name, (enum direction)dir, pod);
		drop_chain(r, NFT_TABLE_BRIDGE, name);
		r->ports[dir]--;
	}
	drop_shared(r);
}

int close_port(struct render *r, unsigned index, const char *comment)
{
	struct link_id link = {.index = index};
	int rc;

	if (index == 0 || r->no_bridges || link_map_chain(r, LINK_MAP_PORT_SOURCE, &link))
		return 0;
	r->ports[DIR_INGRESS]++;
	r->ports[DIR_EGRESS]++;
	r->unknown_ports++;
	rc = need_shared(r, CHAIN_GROUP_EGRESS, fill_group_egress);
	if (rc == 0)
		rc = need_shared(r, CHAIN_REST_INGRESS, fill_rest_ingress);
	if (rc == 0)
		rc = need_shared(r, CHAIN_UNKNOWN_PORT, fill_unknown);
	if (rc == 0)
		rc = link_map_put(r, LINK_MAP_PORT_SOURCE, &link, CHAIN_UNKNOWN_PORT, comment);
	return rc == 0 ? link_map_put(r, LINK_MAP_PORT_INGRESS, &link, CHAIN_REST_INGRESS, comment)
		       : rc;
}

void open_port(struct render *r, unsigned index)
{
	struct link_id link = {.index = index};
	const char *chain = index ? link_map_chain(r, LINK_MAP_PORT_SOURCE, &link) : NULL;

	if (!chain || strcmp(chain, CHAIN_UNKNOWN_PORT) != 0)
		return;
	link_map_drop(r, LINK_MAP_PORT_SOURCE, &link);
	link_map_drop(r, LINK_MAP_PORT_INGRESS, &link);
	r->ports[DIR_INGRESS]--;
	r->ports[DIR_EGRESS]--;
	r->unknown_ports--;
	drop_shared(r);
}

int render_without_bridges(struct render *r)
{
	struct nft_chain *chain, *next_chain;
	struct nft_set *set, *next_set;

	r->no_bridges = true;
	r->ports[DIR_INGRESS] = r->ports[DIR_EGRESS] = r->unknown_ports = 0;
	HASH_ITER (hh, r->ruleset.chains[NFT_TABLE_BRIDGE], chain, next_chain)
		drop_chain(r, NFT_TABLE_BRIDGE, chain->name);
	HASH_ITER (hh, r->ruleset.sets, set, next_set) {
		if (set->table == NFT_TABLE_BRIDGE)
			drop_set(r, set->name);
	}
	return render_error(r);
}
