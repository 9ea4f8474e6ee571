/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a rule says of addresses and ports, then what it does. */
#include <netinet/icmp6.h>
#include <stdio.h>
#include <stdlib.h>

#include "sample_parts.h"

#define BRANCHES 6

void sample_say(struct pen *pen, const struct nft_stmt *stmt)
{
	sample_check(nft_rule_add(&pen->rule, stmt));
}

static int compare_prefixes(const void *a, const void *b)
{
	return addr_compare(&((const struct prefix *)a)->addr, &((const struct prefix *)b)->addr);
}

/* Ascending and apart: hosts, and up to one prefix of whole or of broken bytes. */
static size_t pick_prefixes(uint64_t *state, enum family family, struct prefix ret[4])
{
	static const uint8_t lens[] = {8, 10, 16};
	uint8_t bits = (uint8_t)(addr_bytes(family) * 8);
	size_t n = 1 + sample_pick(state, 3);
	uint32_t first = sample_pick(state, 50);

	for (size_t i = 0; i < n; i++) {
		ret[i] = (struct prefix){.addr = sample_addr(family, first + 1), .len = bits};
		first += 2 + sample_pick(state, 50); /* nft joins what touches */
	}
	if (sample_chance(state, 2)) {
		ret[n] = (struct prefix){.len = lens[sample_pick(state, ARRAY_LEN(lens))]};
		ret[n].addr = (struct addr){.family = (uint8_t)family, .b = {0xfe, 0x80}};
		if (ret[n].len == 8)
			ret[n].addr.b[1] = 0;
		n++;
	}
	qsort(ret, n, sizeof(ret[0]), compare_prefixes);
	return n;
}

static void say_addr(struct pen *pen, enum nft_stmt_kind kind, enum family family)
{
	struct prefix prefixes[4];
	struct nft_stmt stmt = {.kind = kind, .family = family, .prefixes = prefixes};

	if (kind == NFT_STMT_ADDR && sample_chance(pen->state, 2))
		stmt.dir = NFT_DIR_DESTINATION;
	stmt.negate = sample_chance(pen->state, 3);
	stmt.n = pick_prefixes(pen->state, family, prefixes);
	if (sample_chance(pen->state, 2)) {
		stmt.n = 1;
		stmt.prefixes += sample_pick(pen->state, 2) && stmt.n > 1;
	}
	sample_say(pen, &stmt);
}

static void say_ports(struct pen *pen)
{
	struct nft_ports ports[4];
	struct nft_stmt stmt = {.kind = NFT_STMT_PORTS, .ports = ports};
	uint32_t at = sample_pick(pen->state, 2) * 80;

	stmt.proto = sample_proto(pen->state);
	stmt.n = 1 + sample_pick(pen->state, 4);
	for (size_t i = 0; i < stmt.n; i++) {
		ports[i].first = (uint16_t)at;
		at += sample_chance(pen->state, 2) ? 0 : sample_pick(pen->state, 1000);
		ports[i].last = (uint16_t)at;
		at += 2 + sample_pick(pen->state, 1000);
	}
	if (sample_chance(pen->state, 4))
		ports[stmt.n - 1].last = UINT16_MAX;
	sample_say(pen, &stmt);
}

/* A lookup in some set that is there, of that kind; or nothing. */
static bool say_lookup(struct pen *pen, enum nft_set_type type, bool map, enum nft_stmt_kind kind,
		       enum family family)
{
	struct nft_stmt stmt = {.kind = kind, .family = family};
	uint32_t seen = 0;

	stmt.dir = sample_chance(pen->state, 2) ? NFT_DIR_DESTINATION : NFT_DIR_SOURCE;
	for (const struct nft_set *set = pen->ruleset->sets; set; set = set->hh.next) {
		if (set->table == pen->table && set->type == type && set->map == map &&
		    sample_chance(pen->state, ++seen))
			(void)snprintf(stmt.name, sizeof(stmt.name), "%s", set->name);
	}
	if (seen > 0)
		sample_say(pen, &stmt);
	return seen > 0;
}

static void say_peers(struct pen *pen)
{
	enum family family = sample_family(pen->state);
	enum nft_set_type type = family == FAMILY_V4 ? NFT_SET_TYPE_IPV4 : NFT_SET_TYPE_IPV6;
	uint32_t form = sample_pick(pen->state, 3);

	if (sample_chance(pen->state, 3))
		say_ports(pen);
	else if (sample_chance(pen->state, 3))
		SAY(pen, .kind = NFT_STMT_PROTO, .proto = sample_proto(pen->state));
	if (form == 0 && say_lookup(pen, type, false, NFT_STMT_ADDR_SET, family))
		return;
	if (form == 1)
		SAY(pen, .kind = NFT_STMT_FAMILY, .family = family);
	else
		say_addr(pen, NFT_STMT_ADDR, family);
}

static void say_icmpv6(struct pen *pen)
{
	uint8_t types[] = {MLD_LISTENER_QUERY,  ND_ROUTER_SOLICIT,  ND_ROUTER_ADVERT,
			   ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT, 143};
	size_t n = 1 + sample_pick(pen->state, ARRAY_LEN(types));

	SAY(pen, .kind = NFT_STMT_ICMPV6_TYPES, .types = types, .n = n);
	if (sample_chance(pen->state, 2))
		SAY(pen, .kind = NFT_STMT_HOPLIMIT, .hoplimit = 255);
	else if (sample_chance(pen->state, 2))
		say_addr(pen, NFT_STMT_ADDR, FAMILY_V6);
}

/* What comes before established packets are accepted. */
static void say_prefilter(struct pen *pen)
{
	struct nft_ports port = {4789, 4789};
	struct nft_stmt set = {.kind = NFT_STMT_PORT_SET};

	if (sample_chance(pen->state, 2))
		SAY(pen, .kind = NFT_STMT_CT_OTHER);
	else if (sample_chance(pen->state, 2) || !ruleset_set(pen->ruleset, "tunnel_ports"))
		SAY(pen, .kind = NFT_STMT_PORTS, .ports = &port, .n = 1);
	else {
		(void)snprintf(set.name, sizeof(set.name), "tunnel_ports");
		sample_say(pen, &set);
	}
}

static void say_protos(struct pen *pen)
{
	uint8_t protos[] = {4, 41, 47};

	SAY(pen, .kind = NFT_STMT_PROTOS, .types = protos, .n = ARRAY_LEN(protos));
}

/* What base chains say of protocols and ports. */
static void say_transport(struct pen *pen)
{
	struct nft_stmt ports = {.kind = NFT_STMT_PORT_SET,
				 .proto = sample_proto(pen->state),
				 .negate = sample_chance(pen->state, 2)};
	struct nft_stmt kind = {.kind = NFT_STMT_INTERFACE_KIND};

	switch (sample_pick(pen->state, 9)) {
	case 7:
		say_prefilter(pen);
		break;
	case 6:
		(void)snprintf(kind.name, sizeof(kind.name), "veth");
		sample_say(pen, &kind);
		break;
	case 5:
		SAY(pen, .kind = NFT_STMT_SCTP_NOT_INIT);
		break;
	case 0:
		SAY(pen, .kind = NFT_STMT_TCP_NOT_SYN);
		SAY(pen, .kind = NFT_STMT_CT_ESTABLISHED);
		break;
	case 1:
		SAY(pen, .kind = NFT_STMT_PROTO, .proto = sample_proto(pen->state), .negate = true);
		SAY(pen, .kind = NFT_STMT_CT_ESTABLISHED);
		break;
	case 2:
		say_protos(pen);
		break;
	case 3:
		SAY(pen, .kind = NFT_STMT_DHCP, .family = sample_family(pen->state));
		break;
	case 4:
		SAY(pen, .kind = NFT_STMT_LOCAL_SOURCE);
		break;
	default:
		if (!ruleset_set(pen->ruleset, "tunnel_ports"))
			break;
		(void)snprintf(ports.name, sizeof(ports.name), "tunnel_ports");
		sample_say(pen, &ports);
		break;
	}
}

static void say_match(struct pen *pen)
{
	struct nft_stmt interface = {.kind = NFT_STMT_INTERFACE};
	enum family family = sample_family(pen->state);

	switch (sample_pick(pen->state, 12)) {
	case 4:
		say_transport(pen);
		break;
	case 7:
		SAY(pen, .kind = NFT_STMT_ETHER_SOURCE, .negate = sample_chance(pen->state, 2),
		    .ether = {0x0a, 0, 0, 0, 0, (uint8_t)sample_pick(pen->state, 3)});
		break;
	case 5:
		if (!say_lookup(pen, NFT_SET_TYPE_INTERFACE, false, NFT_STMT_INTERFACE_SET,
				FAMILY_V4))
			say_peers(pen);
		break;
	case 0:
		say_icmpv6(pen);
		break;
	case 1:
		SAY(pen, .kind = NFT_STMT_CT_ESTABLISHED);
		break;
	case 2:
		interface.dir = sample_chance(pen->state, 2) ? NFT_DIR_DESTINATION : NFT_DIR_SOURCE;
		(void)snprintf(interface.name, sizeof(interface.name), "cali+%u@b",
			       sample_pick(pen->state, 20));
		sample_say(pen, &interface);
		break;
	case 3:
		if (say_lookup(pen,
			       family == FAMILY_V4 ? NFT_SET_TYPE_IPV4_TUPLE
						   : NFT_SET_TYPE_IPV6_TUPLE,
			       false, NFT_STMT_TUPLE_SET, family))
			break;
		say_peers(pen);
		break;
	case 6:
		if (say_lookup(pen,
			       family == FAMILY_V4 ? NFT_SET_TYPE_IPV4_FLOW
						   : NFT_SET_TYPE_IPV6_FLOW,
			       false, NFT_STMT_FLOW_SET, family))
			break;
		say_peers(pen);
		break;
	default:
		say_peers(pen);
		break;
	}
}

/* A lookup that is a verdict. */
static bool say_map(struct pen *pen)
{
	switch (sample_pick(pen->state, 5)) {
	case 4:
		return say_lookup(pen, NFT_SET_TYPE_INDEX, true, NFT_STMT_INDEX_MAP, FAMILY_V4);
	case 0:
		return say_lookup(pen, NFT_SET_TYPE_INTERFACE, true, NFT_STMT_INTERFACE_MAP,
				  FAMILY_V4);
	case 1:
		return say_lookup(pen, NFT_SET_TYPE_PORT_PROTO, true, NFT_STMT_PORT_MAP, FAMILY_V4);
	case 2:
		return say_lookup(pen, NFT_SET_TYPE_IPV6, true, NFT_STMT_ADDR_MAP, FAMILY_V6);
	default:
		return say_lookup(pen, NFT_SET_TYPE_IPV4, true, NFT_STMT_ADDR_MAP, FAMILY_V4);
	}
}

static void say_verdict(struct pen *pen, const struct nft_verdict *verdict)
{
	if (sample_chance(pen->state, 4))
		SAY(pen, .kind = NFT_STMT_COUNTER);
	SAY(pen, .kind = NFT_STMT_VERDICT, .verdict = *verdict);
}

static void add_rule(struct pen *pen, struct nft_chain *chain)
{
	sample_comment(pen->state, pen->rule.comment);
	sample_check(nft_chain_add(chain, &pen->rule));
}

static void fill_branch(uint64_t *state, const struct ruleset *ruleset, struct nft_chain *chain,
			bool leaf)
{
	for (uint32_t i = sample_pick(state, 5); i > 0; i--) {
		struct pen pen = {.state = state, .ruleset = ruleset};
		struct nft_verdict verdict = {.kind = NFT_VERDICT_DROP};

		if (!leaf && !sample_chance(state, 3))
			verdict = sample_verdict(state);
		if (leaf || !sample_chance(state, 3) || !say_map(&pen)) {
			say_match(&pen);
			say_verdict(&pen, &verdict);
		}
		add_rule(&pen, chain);
	}
}

static void say_target(struct pen *pen)
{
	uint8_t type = ND_NEIGHBOR_ADVERT;
	struct prefix target = {.addr = {.family = FAMILY_V6, .b = {0xfd}},
				.len = (uint8_t)(sample_chance(pen->state, 3)   ? 61
						 : sample_chance(pen->state, 2) ? 128
										: 16)};

	target.addr.b[target.len / 8 - 1] |= (uint8_t)sample_pick(pen->state, 4);
	SAY(pen, .kind = NFT_STMT_ICMPV6_TYPES, .types = &type, .n = 1);
	SAY(pen, .kind = NFT_STMT_ND_TARGET, .family = FAMILY_V6,
	    .negate = sample_chance(pen->state, 2), .prefixes = &target, .n = 1);
}

/* ether type ip ip saddr 10.0.0.7: who has said the family does not say it again */
static void say_frame(struct pen *pen)
{
	enum family family = sample_family(pen->state);
	struct prefix own = {.addr = sample_addr(family, sample_pick(pen->state, 9)),
			     .len = (uint8_t)(addr_bytes(family) * 8)};

	if (sample_chance(pen->state, 2))
		SAY(pen, .kind = NFT_STMT_ETHER_TYPE, .family = family);
	else
		SAY(pen, .kind = NFT_STMT_ETHER_FRAME, .family = family,
		    .ether = {0x0a, 0, 0, 0, 0, (uint8_t)sample_pick(pen->state, 3)});
	SAY(pen, .kind = NFT_STMT_ADDR, .family = family, .prefixes = &own, .n = 1,
	    .dir = sample_chance(pen->state, 2) ? NFT_DIR_SOURCE : NFT_DIR_DESTINATION,
	    .implied = true);
	if (family == FAMILY_V6)
		SAY(pen, .kind = NFT_STMT_PROTO, .proto = IPPROTO_ICMPV6, .negate = true);
}

/* ip6 saddr :: ip6 daddr ff02::1:ff00:0/104 icmpv6 type nd-neighbor-solicit ip6 hoplimit 255
 * @th,64,128 0xfd...: */
static void say_detection(struct pen *pen)
{
	struct prefix none = {.addr = {.family = FAMILY_V6}, .len = 128};
	struct prefix group = {.addr = {.family = FAMILY_V6, .b = {0xff, 2, [11] = 1, [12] = 0xff}},
			       .len = 104};
	struct prefix target = {.addr = sample_addr(FAMILY_V6, 7), .len = 128};
	uint8_t type = ND_NEIGHBOR_SOLICIT;

	SAY(pen, .kind = NFT_STMT_ADDR, .family = FAMILY_V6, .prefixes = &none, .n = 1);
	SAY(pen, .kind = NFT_STMT_ADDR, .family = FAMILY_V6, .dir = NFT_DIR_DESTINATION,
	    .prefixes = &group, .n = 1, .implied = true);
	SAY(pen, .kind = NFT_STMT_ICMPV6_TYPES, .types = &type, .n = 1, .implied = true);
	SAY(pen, .kind = NFT_STMT_HOPLIMIT, .hoplimit = 255, .implied = true);
	SAY(pen, .kind = NFT_STMT_ND_TARGET, .family = FAMILY_V6, .prefixes = &target, .n = 1);
}

static void say_arp(struct pen *pen)
{
	struct prefix sources[] = {{.len = 32}, {.addr = sample_addr(FAMILY_V4, 7), .len = 12}};

	sources[1].addr.b[1] = sources[1].addr.b[2] = sources[1].addr.b[3] = 0;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		SAY(pen, .kind = NFT_STMT_ARP_SOURCE, .negate = true, .prefixes = &sources[i],
		    .n = 1, .implied = i > 0);
}

static void say_dhcp(struct pen *pen)
{
	enum family family = sample_family(pen->state);

	SAY(pen, .kind = NFT_STMT_FAMILY, .family = family);
	SAY(pen, .kind = NFT_STMT_DHCP, .family = family,
	    .dir = sample_chance(pen->state, 2) ? NFT_DIR_SOURCE : NFT_DIR_DESTINATION);
}

static void say_of_bridge(struct pen *pen)
{
	uint64_t *state = pen->state;

	switch (sample_pick(state, 11)) {
	case 0:
		SAY(pen, .kind = NFT_STMT_VLAN);
		break;
	case 1:
		SAY(pen, .kind = NFT_STMT_ETHER_SOURCE, .negate = sample_chance(state, 2),
		    .ether = {0x0a, 0, 0, 0, 0, (uint8_t)sample_pick(state, 3)});
		break;
	case 2:
		say_addr(pen, NFT_STMT_ARP_SOURCE, FAMILY_V4);
		break;
	case 3:
		SAY(pen, .kind = NFT_STMT_FAMILY, .family = sample_family(state));
		break;
	case 4:
		say_target(pen);
		break;
	case 5:
		SAY(pen, .kind = NFT_STMT_ETHER_GROUP);
		break;
	case 6:
		say_frame(pen);
		break;
	case 7:
		say_detection(pen);
		break;
	case 8:
		say_arp(pen);
		break;
	case 9:
		say_dhcp(pen);
		break;
	default:
		say_addr(pen, NFT_STMT_ADDR, sample_family(state));
		break;
	}
}

static void fill_port_chain(uint64_t *state, const struct ruleset *ruleset, struct nft_chain *chain,
			    bool leaf)
{
	static const struct nft_verdict verdicts[] = {
		{.kind = NFT_VERDICT_DROP},
		{.kind = NFT_VERDICT_RETURN},
		{.kind = NFT_VERDICT_JUMP, .chain = PORT_LEAF}};

	for (uint32_t i = sample_pick(state, 5); i > 0; i--) {
		struct pen pen = {.state = state, .ruleset = ruleset, .table = NFT_TABLE_BRIDGE};

		if (leaf || sample_pick(state, 3) > 0 ||
		    !say_lookup(&pen, NFT_SET_TYPE_INDEX, true, NFT_STMT_INDEX_MAP, FAMILY_V4)) {
			say_of_bridge(&pen);
			say_verdict(&pen, &verdicts[sample_pick(state, leaf ? 2 : 3)]);
		}
		add_rule(&pen, chain);
	}
}

static struct nft_chain *new_chain(uint64_t *state, const char *prefix, uint32_t n)
{
	char name[NFT_NAME_MAX], comment[NFT_COMMENT_MAX + 1];
	struct nft_chain *chain;

	(void)snprintf(name, sizeof(name), "%s_%u", prefix, n);
	sample_comment(state, comment);
	chain = nft_chain_new(name, sample_chance(state, 4) ? comment : "");
	if (!chain)
		sample_check(-1);
	return chain;
}

static void put_branch(uint64_t *state, struct ruleset *ruleset, uint32_t n)
{
	struct nft_chain *chain = new_chain(state, "branch", n);

	fill_branch(state, ruleset, chain, false);
	sample_check(ruleset_put_chain(ruleset, NFT_TABLE_POLICY, chain));
}

void sample_put_antispoof(uint64_t *state, struct ruleset *ruleset, uint32_t n)
{
	struct nft_chain *chain = new_chain(state, "antispoof", n);

	chain->hook = sample_pick(state, 20) ? NFT_HOOK_PREROUTING : NFT_HOOK_FORWARD;
	/* Without the leaf there are no maps, and nothing leads to it. */
	fill_port_chain(state, ruleset, chain,
			!ruleset_chain(ruleset, NFT_TABLE_BRIDGE, PORT_LEAF));
	sample_check(ruleset_put_chain(ruleset, NFT_TABLE_BRIDGE, chain));
}

void sample_put_port_leaf(uint64_t *state, struct ruleset *ruleset)
{
	struct nft_chain *chain = new_chain(state, "port_leaf", 0);

	fill_port_chain(state, ruleset, chain, true);
	sample_check(ruleset_put_chain(ruleset, NFT_TABLE_BRIDGE, chain));
}

static void put_forward(struct ruleset *ruleset)
{
	uint64_t state = 1;
	struct nft_chain *chain = nft_chain_new("forward", "");

	if (!chain)
		sample_check(-1);
	chain->hook = NFT_HOOK_FORWARD;
	for (uint32_t i = 0; i < LEAVES; i++) {
		struct pen pen = {.state = &state, .ruleset = ruleset};
		struct nft_verdict verdict = {.kind = NFT_VERDICT_JUMP};

		(void)snprintf(verdict.chain, sizeof(verdict.chain), "leaf_%u", i);
		say_match(&pen);
		say_verdict(&pen, &verdict);
		add_rule(&pen, chain);
	}
	sample_check(ruleset_put_chain(ruleset, NFT_TABLE_POLICY, chain));
}

void sample_put_branches(uint64_t *state, struct ruleset *ruleset)
{
	put_forward(ruleset);
	for (uint32_t i = 0; i < BRANCHES; i++) {
		char name[NFT_NAME_MAX];

		(void)snprintf(name, sizeof(name), "branch_%u", i);
		sample_check(ruleset_drop_chain(ruleset, NFT_TABLE_POLICY, name));
		if (!sample_chance(state, 4))
			put_branch(state, ruleset, i);
	}
	for (uint32_t i = 0; i < LEAVES; i++) {
		struct nft_chain *chain = new_chain(state, "leaf", i);

		fill_branch(state, ruleset, chain, true);
		sample_check(ruleset_put_chain(ruleset, NFT_TABLE_POLICY, chain));
	}
}
