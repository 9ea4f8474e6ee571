/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Anti-spoofing. Policy goes by addresses, so nobody may use another's: every pod behind an
 * interface of its own is held to its own addresses, isolated or not, as it could forge those of a
 * pod that others trust. Behind a bridge's port it could reach others without being routed, so
 * there also to its hardware address, in ARP and in neighbor discovery, and to frames without a
 * VLAN tag, which no address match sees into; and it is no router.
 *
 * The hooks are prerouting of the families inet and bridge, and not ingress of the device: a frame
 * that tc has redirected to an ifb comes back behind ingress (__netif_receive_skb_core() skips
 * nf_ingress() with skb->tc_skip_classify), but ahead of these. */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define MLD2_LISTENER_REPORT 143 /* RFC 3810; netinet/icmp6.h lacks it */

static const struct prefix any_v4 = {.addr = {.family = FAMILY_V4}, .len = 32};
static const struct prefix any_v6 = {.addr = {.family = FAMILY_V6}, .len = 128};
static const struct prefix broadcast = {.addr = {.family = FAMILY_V4, .b = {255, 255, 255, 255}},
					.len = 32};
/* ff02::1:ff00:0/104, ff02::/16 */
static const struct prefix solicited = {
	.addr = {.family = FAMILY_V6, .b = {0xff, 2, [11] = 1, [12] = 0xff}}, .len = 104};
static const struct prefix link_scope = {.addr = {.family = FAMILY_V6, .b = {0xff, 2}}, .len = 16};

bool bridged_link_local(const struct pod *pod, struct addr *ret)
{
	return pod->bridged && pod_link_local(pod, ret);
}

int pod_own_sources(const struct graph_pod *pod, enum family family, struct pod_sources *ret)
{
	struct prefix link_local = {.addr = {.family = FAMILY_V6, .b = {0xfe, 0x80}}, .len = 10};
	int rc = 0;

	*ret = (struct pod_sources){0};
	if (graph_pod_owns(pod, family))
		rc = vec_push(ret, host_prefix(pod_addr(pod->object, family)));
	if (family == FAMILY_V6 && rc == 0) {
		if (bridged_link_local(pod->object, &link_local.addr))
			link_local.len = 128;
		rc = vec_push(ret, link_local);
	}
	if (rc < 0)
		vec_free(ret);
	return rc;
}

/* Of its own and, where `allowed`, of others. */
static int pod_sources(const struct render *r, const struct graph_pod *pod, bool allowed,
		       struct pod_sources ret[FAMILY_COUNT])
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		rc = pod_own_sources(pod, (enum family)family, &ret[family]);
		if (rc == 0 && allowed)
			rc = add_allowed(r, pod, (enum family)family, &ret[family]);
	}
	return rc;
}

static void sources_done(struct pod_sources sources[FAMILY_COUNT])
{
	for (int family = 0; family < FAMILY_COUNT; family++)
		vec_free(&sources[family]);
}

/* A prefix without a length: every address. */
static bool has_all(const struct pod_sources *sources)
{
	for (size_t i = 0; i < sources->n; i++) {
		if (sources->v[i].len == 0)
			return true;
	}
	return false;
}

static struct nft_stmt addr_stmt(enum nft_dir dir, const struct prefix *prefix)
{
	return (struct nft_stmt){.kind = NFT_STMT_ADDR,
				 .family = (enum family)prefix->addr.family,
				 .dir = dir,
				 .prefixes = (struct prefix *)prefix, /* is copied */
				 .n = 1};
}

static int add_accept(struct nft_chain *chain, struct nft_stmt *stmts, size_t n)
{
	stmts[n] = verdict_stmt(NFT_VERDICT_ACCEPT, NULL);
	return add_rule(chain, stmts, n + 1, "");
}

static int add_drop(struct nft_chain *chain, struct nft_stmt *stmts, size_t n)
{
	stmts[n] = (struct nft_stmt){.kind = NFT_STMT_COUNTER};
	stmts[n + 1] = verdict_stmt(NFT_VERDICT_DROP, NULL);
	return add_rule(chain, stmts, n + 2, "");
}

/* ip saddr 10.0.0.7 accept */
static int add_sources(struct nft_chain *chain, const struct pod_sources *sources)
{
	int rc = 0;

	for (size_t i = 0; i < sources->n && rc == 0; i++) {
		struct nft_stmt stmts[2] = {addr_stmt(NFT_DIR_SOURCE, &sources->v[i])};

		if (sources->v[i].len == 0)
			stmts[0] = (struct nft_stmt){.kind = NFT_STMT_FAMILY,
						     .family = stmts[0].family};
		rc = add_accept(chain, stmts, 1);
	}
	return rc;
}

/* ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept: who asks for an
 * address has none yet (RFC 2131 4.1) */
static int add_dhcp(struct nft_chain *chain)
{
	struct nft_stmt stmts[4] = {addr_stmt(NFT_DIR_SOURCE, &any_v4),
				    addr_stmt(NFT_DIR_DESTINATION, &broadcast),
				    {.kind = NFT_STMT_DHCP, .family = FAMILY_V4}};

	stmts[1].implied = true;
	return add_accept(chain, stmts, 3);
}

/* ip6 saddr :: ip6 daddr ff02::/16 icmpv6 type { mld-listener-report, mld2-listener-report }
 * accept: a host without an address reports its groups (RFC 3590) */
static int add_reports(struct nft_chain *chain)
{
	uint8_t types[] = {MLD_LISTENER_REPORT, MLD2_LISTENER_REPORT};
	struct nft_stmt stmts[4] = {addr_stmt(NFT_DIR_SOURCE, &any_v6),
				    addr_stmt(NFT_DIR_DESTINATION, &link_scope),
				    {.kind = NFT_STMT_ICMPV6_TYPES,
				     .types = types,
				     .n = ARRAY_LEN(types),
				     .implied = true}};

	stmts[1].implied = true;
	return add_accept(chain, stmts, 3);
}

/* ip6 saddr :: ip6 daddr ff02::1:ff00:0/104 icmpv6 type nd-neighbor-solicit ip6 hoplimit 255
 * @th,64,128 OWN accept: does somebody have this address already (RFC 4862 5.4)? On a bridge, asked
 * of another's, it would keep the other from having it; NULL: any. */
static int add_detection(struct nft_chain *chain, const struct prefix *own)
{
	uint8_t type = ND_NEIGHBOR_SOLICIT;
	struct nft_stmt stmts[6] = {
		addr_stmt(NFT_DIR_SOURCE, &any_v6),
		addr_stmt(NFT_DIR_DESTINATION, &solicited),
		{.kind = NFT_STMT_ICMPV6_TYPES, .types = &type, .n = 1, .implied = true},
		{.kind = NFT_STMT_HOPLIMIT, .hoplimit = 255, .implied = true},
		{.kind = NFT_STMT_ND_TARGET,
		 .family = FAMILY_V6,
		 .prefixes = (struct prefix *)own, /* is copied */
		 .n = 1}};

	stmts[1].implied = true;
	return add_accept(chain, stmts, own ? 5 : 4);
}

/* What is accepted of a packet's source. `detected`: duplicates of what may be looked for; NULL: of
 * any. */
static int add_packet_rules(struct nft_chain *chain, const struct pod_sources sources[FAMILY_COUNT],
			    const struct pod_sources *detected)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = add_sources(chain, &sources[family]);
	for (size_t i = 0; detected && i < detected->n && rc == 0; i++) {
		const struct prefix *one = &detected->v[i];

		rc = add_detection(chain, one->len > 0 ? one : NULL);
	}
	if (rc == 0 && !detected)
		rc = add_detection(chain, NULL);
	if (rc == 0)
		rc = add_reports(chain);
	return rc == 0 ? add_dhcp(chain) : rc;
}

/* arp saddr ip != 0.0.0.0 arp saddr ip != 10.0.0.7 counter drop: 0.0.0.0 is a probe (RFC 5227) */
static int add_arp_rule(struct nft_chain *chain, const struct pod_sources *sources)
{
	struct nft_stmt drop[2];
	struct nft_rule rule = {0};
	int rc = 0;

	if (has_all(sources))
		return 0;

	for (size_t i = 0; i < sources->n + 1 && rc == 0; i++) {
		struct nft_stmt stmt =
			addr_stmt(NFT_DIR_SOURCE, i == 0 ? &any_v4 : &sources->v[i - 1]);

		stmt.kind = NFT_STMT_ARP_SOURCE;
		stmt.negate = true;
		stmt.implied = i > 0;
		rc = nft_rule_add(&rule, &stmt);
	}
	drop[0] = (struct nft_stmt){.kind = NFT_STMT_COUNTER};
	drop[1] = verdict_stmt(NFT_VERDICT_DROP, NULL);
	for (size_t i = 0; i < ARRAY_LEN(drop) && rc == 0; i++)
		rc = nft_rule_add(&rule, &drop[i]);
	if (rc == 0)
		return nft_chain_add(chain, &rule);
	nft_rule_done(&rule);
	return rc;
}

/* What IPv6 has for ARP: a neighbor may be advertised from any address, but not any neighbor.
 * icmpv6 type nd-neighbor-advert @th,64,128 != OWN @th,64,128 != LINK-LOCAL counter drop */
static int add_advert_rule(struct nft_chain *chain, const struct pod_sources *sources)
{
	uint8_t type = ND_NEIGHBOR_ADVERT;
	struct nft_stmt first = {.kind = NFT_STMT_ICMPV6_TYPES, .types = &type, .n = 1};
	struct nft_stmt counter = {.kind = NFT_STMT_COUNTER};
	struct nft_stmt drop = verdict_stmt(NFT_VERDICT_DROP, NULL);
	struct nft_rule rule = {0};
	int rc;

	if (has_all(sources))
		return 0;
	rc = nft_rule_add(&rule, &first);

	for (size_t i = 0; i < sources->n && rc == 0; i++) {
		struct nft_stmt stmt = {.kind = NFT_STMT_ND_TARGET,
					.family = FAMILY_V6,
					.negate = true,
					.prefixes = &sources->v[i],
					.n = 1};

		rc = nft_rule_add(&rule, &stmt);
	}
	if (rc == 0)
		rc = nft_rule_add(&rule, &counter);
	if (rc == 0)
		rc = nft_rule_add(&rule, &drop);
	if (rc == 0)
		return nft_chain_add(chain, &rule);
	nft_rule_done(&rule);
	return rc;
}

/* icmpv6 type { nd-router-advert, nd-redirect } counter drop */
static int add_router_rule(struct nft_chain *chain)
{
	uint8_t types[] = {ND_ROUTER_ADVERT, ND_REDIRECT};
	struct nft_stmt stmts[3] = {
		{.kind = NFT_STMT_ICMPV6_TYPES, .types = types, .n = ARRAY_LEN(types)}};

	return add_drop(chain, stmts, 1);
}

/* The common case first, in one rule, as every packet pays for it:
 * ether saddr MAC ether type ip ip saddr 10.0.0.7 accept
 * ether saddr MAC ether type ip6 ip6 saddr fd00::7 meta l4proto != ipv6-icmp accept */
static int add_fast_rule(struct nft_chain *chain, const struct graph_pod *pod, enum family family)
{
	struct prefix own = host_prefix(pod_addr(pod->object, family));
	struct nft_stmt stmts[4] = {
		{.kind = NFT_STMT_ETHER_FRAME, .family = family},
		addr_stmt(NFT_DIR_SOURCE, &own),
		{.kind = NFT_STMT_PROTO, .proto = IPPROTO_ICMPV6, .negate = true}};

	memcpy(stmts[0].ether, pod->object->mac, sizeof(stmts[0].ether));
	stmts[1].implied = true;
	return add_accept(chain, stmts, family == FAMILY_V4 ? 2 : 3);
}

/* ether type { 8021q, 8021ad } counter drop; ether saddr != MAC counter drop */
static int add_ethernet_rules(struct nft_chain *chain, const struct graph_pod *pod)
{
	struct nft_stmt vlan[3] = {{.kind = NFT_STMT_VLAN}};
	struct nft_stmt ether[3] = {{.kind = NFT_STMT_ETHER_SOURCE, .negate = true}};
	struct addr link_local;
	bool has_mac = bridged_link_local(pod->object, &link_local);
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0 && has_mac; family++) {
		if (graph_pod_owns(pod, (enum family)family))
			rc = add_fast_rule(chain, pod, (enum family)family);
	}
	if (rc == 0)
		rc = add_drop(chain, vlan, 1);
	memcpy(ether[0].ether, pod->object->mac, sizeof(ether[0].ether));
	return rc == 0 && has_mac ? add_drop(chain, ether, 1) : rc;
}

/* Where policy cannot tell the pod by other addresses than its own, see has_allowed(), packets are
 * held to these while it isolates the pod for egress: `sources`. ARP and neighbor discovery are
 * about `neighbors` in any case. */
static int add_bridge_rules(struct nft_chain *chain, const struct graph_pod *pod,
			    const struct pod_sources sources[FAMILY_COUNT],
			    const struct pod_sources neighbors[FAMILY_COUNT])
{
	int rc = add_ethernet_rules(chain, pod);

	if (rc == 0)
		rc = add_arp_rule(chain, &neighbors[FAMILY_V4]);
	if (rc == 0)
		rc = add_router_rule(chain);
	if (rc == 0)
		rc = add_advert_rule(chain, &neighbors[FAMILY_V6]);
	if (rc == 0)
		rc = add_packet_rules(chain, sources, &neighbors[FAMILY_V6]);
	/* What is neither IP nor ARP is no pod's address. */
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct nft_stmt stmts[3] = {
			{.kind = NFT_STMT_FAMILY, .family = (enum family)family}};

		rc = add_drop(chain, stmts, 1);
	}
	return rc;
}

static int add_routed_rules(struct nft_chain *chain, const struct pod_sources sources[FAMILY_COUNT])
{
	struct nft_stmt stmts[2];
	int rc = add_packet_rules(chain, sources, NULL);

	return rc == 0 ? add_drop(chain, stmts, 0) : rc;
}

static int fill_chain(struct render *r, struct nft_chain *chain, const struct graph_pod *pod)
{
	struct pod_sources sources[FAMILY_COUNT] = {0}, neighbors[FAMILY_COUNT] = {0};
	bool bridged = pod->object->bridged;
	int rc = pod_sources(r, pod, !bridged || !pod->profiles[DIR_EGRESS] || has_allowed(r, pod),
			     sources);

	if (rc == 0)
		rc = pod_sources(r, pod, true, neighbors);
	if (rc == 0)
		rc = bridged ? add_bridge_rules(chain, pod, sources, neighbors)
			     : add_routed_rules(chain, sources);
	sources_done(sources);
	sources_done(neighbors);
	return rc;
}

bool has_antispoof(const struct render *r, const struct graph_pod *pod)
{
	if (pod->object->bridged && (r->no_bridges || pod->object->ifindex == 0))
		return false;
	return graph_pod_device(pod) &&
	       (graph_pod_owns(pod, FAMILY_V4) || graph_pod_owns(pod, FAMILY_V6));
}

static enum nft_table table_of(const struct graph_pod *pod)
{
	return pod->object->bridged ? NFT_TABLE_BRIDGE : NFT_TABLE_POLICY;
}

int write_antispoof(struct render *r, const struct graph_pod *pod)
{
	struct link_id link = pod_link(pod);
	char name[NFT_NAME_MAX], comment[OBJECT_NAME_MAX];
	struct nft_chain *chain;
	int rc;

	if (!has_antispoof(r, pod))
		return 0;
	device_chain_name(name, 's', graph_pod_device(pod));
	pod_comment(comment, pod);
	chain = nft_chain_new(name, comment);
	if (!chain)
		return -ENOMEM;
	rc = fill_chain(r, chain, pod);
	if (rc < 0) {
		nft_chain_free(chain);
		return rc;
	}
	rc = ruleset_put_chain(&r->ruleset, table_of(pod), chain);
	if (rc < 0 || pod->object->bridged)
		return rc;
	return link_map_put(r, link.index ? LINK_MAP_SOURCE_INDEX : LINK_MAP_SOURCE_NAME, &link,
			    name, comment);
}

void erase_antispoof(struct render *r, const struct graph_pod *pod)
{
	struct link_id link = pod_link(pod);
	char name[NFT_NAME_MAX];

	if (!has_antispoof(r, pod))
		return;
	device_chain_name(name, 's', graph_pod_device(pod));
	drop_chain(r, table_of(pod), name);
	if (!pod->object->bridged)
		link_map_drop(r, link.index ? LINK_MAP_SOURCE_INDEX : LINK_MAP_SOURCE_NAME, &link);
}

bool render_antispoof_chain(const struct render *r, const struct graph_pod *pod,
			    enum nft_table *ret_table, char to[static NFT_NAME_MAX])
{
	if (!has_antispoof(r, pod))
		return false;
	device_chain_name(to, 's', graph_pod_device(pod));
	*ret_table = table_of(pod);
	return true;
}
