/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAVES    4
#define BRANCHES  6
#define GUARDS    3
#define ELEMS_MAX 12

static void check(int rc)
{
	if (rc == 0)
		return;
	fputs("no memory for a sample\n", stderr);
	abort();
}

/* splitmix64 */
static uint32_t pick(uint64_t *state, uint32_t below)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (uint32_t)((z >> 32) * below >> 32);
}

static bool chance(uint64_t *state, uint32_t one_in)
{
	return pick(state, one_in) == 0;
}

static void pick_comment(uint64_t *state, char to[static NFT_COMMENT_MAX + 1])
{
	char text[NFT_COMMENT_MAX * 2];

	to[0] = '\0';
	if (chance(state, 2))
		return;
	(void)snprintf(text, sizeof(text), "shop/pod-%u: p[%u]%*s", pick(state, 3), pick(state, 3),
		       chance(state, 10) ? 150 : 0, "");
	nft_comment(to, text);
}

static enum family pick_family(uint64_t *state)
{
	return chance(state, 2) ? FAMILY_V4 : FAMILY_V6;
}

static uint8_t pick_proto(uint64_t *state)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

	return protos[pick(state, 3)];
}

/* The n-th of a family: 10.0.0.n, fd00::n. */
static struct addr nth_addr(enum family family, uint32_t n)
{
	struct addr addr = {.family = (uint8_t)family};
	size_t bytes = addr_bytes(family);

	addr.b[0] = family == FAMILY_V4 ? 10 : 0xfd;
	for (size_t i = 1; i <= 3; i++)
		addr.b[bytes - i] = (uint8_t)(n >> (8 * (i - 1)));
	return addr;
}

static struct nft_verdict leaf_verdict(uint64_t *state)
{
	struct nft_verdict verdict = {.kind = NFT_VERDICT_ACCEPT};

	if (chance(state, 4))
		return verdict;
	verdict.kind = chance(state, 2) ? NFT_VERDICT_JUMP : NFT_VERDICT_GOTO;
	(void)snprintf(verdict.chain, sizeof(verdict.chain), "leaf_%u", pick(state, LEAVES));
	return verdict;
}

static struct nft_key pick_key(uint64_t *state, enum nft_set_type type, uint32_t n)
{
	struct nft_key key = {0};
	struct addr addr =
		nth_addr(type == NFT_SET_TYPE_IPV4 || type == NFT_SET_TYPE_IPV4_TUPLE ? FAMILY_V4
										      : FAMILY_V6,
			 n);

	switch (type) {
	case NFT_SET_TYPE_IPV4_TUPLE:
	case NFT_SET_TYPE_IPV6_TUPLE:
		key.port = (uint16_t)(8000 + pick(state, 3));
		key.proto = pick_proto(state);
		memcpy(key.bytes, addr.b, sizeof(key.bytes));
		break;
	case NFT_SET_TYPE_IPV4:
	case NFT_SET_TYPE_IPV6:
		memcpy(key.bytes, addr.b, sizeof(key.bytes));
		break;
	case NFT_SET_TYPE_INTERFACE:
		(void)snprintf((char *)key.bytes, sizeof(key.bytes), "cali+%u@b", n);
		break;
	case NFT_SET_TYPE_PORT_PROTO:
		key.port = (uint16_t)(n * 10);
		key.proto = pick_proto(state);
		break;
	}
	return key;
}

/* The end of an interval that begins with `first`, before the next tenth. */
static struct nft_key pick_last(uint64_t *state, enum nft_set_type type, struct nft_key first)
{
	uint32_t more = chance(state, 3) ? 0 : pick(state, 8);
	size_t at = type == NFT_SET_TYPE_IPV4 ? 3 : 15;

	if (type == NFT_SET_TYPE_PORT_PROTO)
		first.port = (uint16_t)(first.port + more);
	else
		first.bytes[at] = (uint8_t)(first.bytes[at] + more);
	return first;
}

static void pick_elem(uint64_t *state, struct nft_set *set)
{
	uint32_t n = pick(state, ELEMS_MAX);
	/* Intervals begin at multiples of ten: none overlaps another. */
	struct nft_key key =
		pick_key(state, set->type,
			 set->interval && set->type != NFT_SET_TYPE_PORT_PROTO ? 10 * n : n);
	struct nft_elem_extra extra = {0};

	if (set->interval)
		extra.last = pick_last(state, set->type, key);
	if (set->map) {
		extra.verdict = leaf_verdict(state);
		pick_comment(state, extra.comment);
	}
	check(nft_set_add(set, &key, set->interval || set->map ? &extra : NULL));
}

/* The last addresses and the first: an interval without an end, one without a gap before it. */
static void pick_edges(uint64_t *state, struct nft_set *set)
{
	size_t bytes = set->type == NFT_SET_TYPE_IPV4 ? 4 : 16;
	struct nft_elem_extra extra = {0};
	struct nft_key key = {0};

	if (chance(state, 2)) {
		extra.last.bytes[bytes - 1] = 9;
		check(nft_set_add(set, &key, &extra));
	}
	memset(key.bytes, 0xff, bytes);
	extra.last = key;
	key.bytes[bytes - 1] = 0xf0;
	if (chance(state, 2))
		check(nft_set_add(set, &key, &extra));
}

struct sample_set {
	const char *name;
	enum nft_set_type type;
	bool interval, map;
};

static const struct sample_set sample_sets[] = {
	{"p4_0", NFT_SET_TYPE_IPV4, false, false},
	{"p4_1", NFT_SET_TYPE_IPV4, false, false},
	{"p6_0", NFT_SET_TYPE_IPV6, false, false},
	{"p6_1", NFT_SET_TYPE_IPV6, false, false},
	{"b4_0", NFT_SET_TYPE_IPV4, true, false},
	{"b4_1", NFT_SET_TYPE_IPV4, true, false},
	{"b6_0", NFT_SET_TYPE_IPV6, true, false},
	{"n4_0", NFT_SET_TYPE_IPV4_TUPLE, false, false},
	{"n6_0", NFT_SET_TYPE_IPV6_TUPLE, false, false},
	{"ports_0", NFT_SET_TYPE_PORT_PROTO, false, true},
	{"ranges_0", NFT_SET_TYPE_PORT_PROTO, true, true},
	{"egress_if", NFT_SET_TYPE_INTERFACE, false, true},
	{"egress_ip4", NFT_SET_TYPE_IPV4, false, true},
	{"egress_ip6", NFT_SET_TYPE_IPV6, false, true},
};

/* `x` has another form each time: the name is the same, the set is not. */
static struct sample_set pick_set(uint64_t *state, size_t i)
{
	struct sample_set set;

	if (i < ARRAY_LEN(sample_sets))
		return sample_sets[i];
	set = sample_sets[pick(state, ARRAY_LEN(sample_sets))];
	set.name = "x";
	return set;
}

static struct nft_set *new_set(uint64_t *state, const struct sample_set *sample)
{
	char comment[NFT_COMMENT_MAX + 1];
	struct nft_set *set;

	pick_comment(state, comment);
	set = nft_set_new(sample->name, sample->type, chance(state, 4) ? comment : "");
	if (!set)
		check(-1);
	set->interval = sample->interval;
	set->map = sample->map;
	for (uint32_t i = pick(state, ELEMS_MAX); i > 0; i--)
		pick_elem(state, set);
	if (set->interval && set->type != NFT_SET_TYPE_PORT_PROTO)
		pick_edges(state, set);
	return set;
}

/* Rules: what a rule says of addresses and ports, then what it does. */

struct pen {
	uint64_t *state;
	const struct ruleset *ruleset;
	struct nft_rule rule;
};

static void say(struct pen *pen, const struct nft_stmt *stmt)
{
	check(nft_rule_add(&pen->rule, stmt));
}

#define SAY(pen, ...) say(pen, &(struct nft_stmt){__VA_ARGS__})

static int compare_prefixes(const void *a, const void *b)
{
	return addr_compare(&((const struct prefix *)a)->addr, &((const struct prefix *)b)->addr);
}

/* Ascending and apart: hosts, and up to one prefix of whole or of broken bytes. */
static size_t pick_prefixes(uint64_t *state, enum family family, struct prefix ret[4])
{
	static const uint8_t lens[] = {8, 10, 16};
	uint8_t bits = (uint8_t)(addr_bytes(family) * 8);
	size_t n = 1 + pick(state, 3);
	uint32_t first = pick(state, 50);

	for (size_t i = 0; i < n; i++) {
		ret[i] = (struct prefix){.addr = nth_addr(family, first + 1), .len = bits};
		first += 2 + pick(state, 50); /* nft joins what touches */
	}
	if (chance(state, 2)) {
		ret[n] = (struct prefix){.len = lens[pick(state, ARRAY_LEN(lens))]};
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

	if (kind == NFT_STMT_ADDR && chance(pen->state, 2))
		stmt.dir = NFT_DIR_DESTINATION;
	stmt.negate = chance(pen->state, 3);
	stmt.n = pick_prefixes(pen->state, family, prefixes);
	if (chance(pen->state, 2)) {
		stmt.n = 1;
		stmt.prefixes += pick(pen->state, 2) && stmt.n > 1;
	}
	say(pen, &stmt);
}

static void say_ports(struct pen *pen)
{
	struct nft_ports ports[4];
	struct nft_stmt stmt = {.kind = NFT_STMT_PORTS, .ports = ports};
	uint32_t at = pick(pen->state, 2) * 80;

	stmt.proto = pick_proto(pen->state);
	stmt.n = 1 + pick(pen->state, 4);
	for (size_t i = 0; i < stmt.n; i++) {
		ports[i].first = (uint16_t)at;
		at += chance(pen->state, 2) ? 0 : pick(pen->state, 1000);
		ports[i].last = (uint16_t)at;
		at += 2 + pick(pen->state, 1000);
	}
	if (chance(pen->state, 4))
		ports[stmt.n - 1].last = UINT16_MAX;
	say(pen, &stmt);
}

/* A lookup in some set that is there, of that kind; or nothing. */
static bool say_lookup(struct pen *pen, enum nft_set_type type, bool map, enum nft_stmt_kind kind,
		       enum family family)
{
	struct nft_stmt stmt = {.kind = kind, .family = family};
	uint32_t seen = 0;

	stmt.dir = chance(pen->state, 2) ? NFT_DIR_DESTINATION : NFT_DIR_SOURCE;
	for (const struct nft_set *set = pen->ruleset->sets; set; set = set->hh.next) {
		if (set->type == type && set->map == map && chance(pen->state, ++seen))
			(void)snprintf(stmt.name, sizeof(stmt.name), "%s", set->name);
	}
	if (seen > 0)
		say(pen, &stmt);
	return seen > 0;
}

static void say_peers(struct pen *pen)
{
	enum family family = pick_family(pen->state);
	enum nft_set_type type = family == FAMILY_V4 ? NFT_SET_TYPE_IPV4 : NFT_SET_TYPE_IPV6;
	uint32_t form = pick(pen->state, 3);

	if (chance(pen->state, 3))
		say_ports(pen);
	else if (chance(pen->state, 3))
		SAY(pen, .kind = NFT_STMT_PROTO, .proto = pick_proto(pen->state));
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
	size_t n = 1 + pick(pen->state, ARRAY_LEN(types));

	SAY(pen, .kind = NFT_STMT_ICMPV6_TYPES, .types = types, .n = n);
	if (chance(pen->state, 2))
		SAY(pen, .kind = NFT_STMT_HOPLIMIT, .hoplimit = 255);
	else if (chance(pen->state, 2))
		say_addr(pen, NFT_STMT_ADDR, FAMILY_V6);
}

static void say_match(struct pen *pen)
{
	struct nft_stmt interface = {.kind = NFT_STMT_INTERFACE};
	enum family family = pick_family(pen->state);

	switch (pick(pen->state, 8)) {
	case 0:
		say_icmpv6(pen);
		break;
	case 1:
		SAY(pen, .kind = NFT_STMT_CT_ESTABLISHED);
		break;
	case 2:
		interface.dir = chance(pen->state, 2) ? NFT_DIR_DESTINATION : NFT_DIR_SOURCE;
		(void)snprintf(interface.name, sizeof(interface.name), "cali+%u@b",
			       pick(pen->state, 20));
		say(pen, &interface);
		break;
	case 3:
		if (say_lookup(pen,
			       family == FAMILY_V4 ? NFT_SET_TYPE_IPV4_TUPLE
						   : NFT_SET_TYPE_IPV6_TUPLE,
			       false, NFT_STMT_TUPLE_SET, family))
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
	switch (pick(pen->state, 4)) {
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
	if (chance(pen->state, 4))
		SAY(pen, .kind = NFT_STMT_COUNTER);
	SAY(pen, .kind = NFT_STMT_VERDICT, .verdict = *verdict);
}

static void add_rule(struct pen *pen, struct nft_chain *chain)
{
	pick_comment(pen->state, pen->rule.comment);
	check(nft_chain_add(chain, &pen->rule));
}

static void fill_branch(uint64_t *state, const struct ruleset *ruleset, struct nft_chain *chain,
			bool leaf)
{
	for (uint32_t i = pick(state, 5); i > 0; i--) {
		struct pen pen = {.state = state, .ruleset = ruleset};
		struct nft_verdict verdict = {.kind = NFT_VERDICT_DROP};

		if (!leaf && !chance(state, 3))
			verdict = leaf_verdict(state);
		if (leaf || !chance(state, 3) || !say_map(&pen)) {
			say_match(&pen);
			say_verdict(&pen, &verdict);
		}
		add_rule(&pen, chain);
	}
}

static void fill_guard(uint64_t *state, struct nft_chain *chain)
{
	for (uint32_t i = pick(state, 5); i > 0; i--) {
		struct pen pen = {.state = state};
		uint32_t form = pick(state, 5);

		if (form == 0)
			SAY(&pen, .kind = NFT_STMT_VLAN);
		else if (form == 1)
			SAY(&pen, .kind = NFT_STMT_ETHER_SOURCE, .negate = chance(state, 2),
			    .ether = {0x0a, 0, 0, 0, 0, (uint8_t)pick(state, 3)});
		else if (form == 2)
			say_addr(&pen, NFT_STMT_ARP_SOURCE, FAMILY_V4);
		else if (form == 3)
			SAY(&pen, .kind = NFT_STMT_FAMILY, .family = pick_family(state));
		else
			say_addr(&pen, NFT_STMT_ADDR, pick_family(state));
		say_verdict(&pen, &(struct nft_verdict){.kind = NFT_VERDICT_DROP});
		add_rule(&pen, chain);
	}
}

static struct nft_chain *new_chain(uint64_t *state, const char *prefix, uint32_t n)
{
	char name[NFT_NAME_MAX], comment[NFT_COMMENT_MAX + 1];
	struct nft_chain *chain;

	(void)snprintf(name, sizeof(name), "%s_%u", prefix, n);
	pick_comment(state, comment);
	chain = nft_chain_new(name, chance(state, 4) ? comment : "");
	if (!chain)
		check(-1);
	return chain;
}

static void put_branch(uint64_t *state, struct ruleset *ruleset, uint32_t n)
{
	struct nft_chain *chain = new_chain(state, "branch", n);

	fill_branch(state, ruleset, chain, false);
	check(ruleset_put_chain(ruleset, NFT_TABLE_POLICY, chain));
}

static void put_guard(uint64_t *state, struct ruleset *ruleset, uint32_t n)
{
	struct nft_chain *chain = new_chain(state, "guard", n);

	chain->hook = NFT_HOOK_INGRESS;
	(void)snprintf(chain->device, sizeof(chain->device), "dev%u", pick(state, 20) ? n : 9);
	fill_guard(state, chain);
	check(ruleset_put_chain(ruleset, NFT_TABLE_GUARD, chain));
}

static void put_forward(struct ruleset *ruleset)
{
	uint64_t state = 1;
	struct nft_chain *chain = nft_chain_new("forward", "");

	if (!chain)
		check(-1);
	chain->hook = NFT_HOOK_FORWARD;
	for (uint32_t i = 0; i < LEAVES; i++) {
		struct pen pen = {.state = &state, .ruleset = ruleset};
		struct nft_verdict verdict = {.kind = NFT_VERDICT_JUMP};

		(void)snprintf(verdict.chain, sizeof(verdict.chain), "leaf_%u", i);
		say_match(&pen);
		say_verdict(&pen, &verdict);
		add_rule(&pen, chain);
	}
	check(ruleset_put_chain(ruleset, NFT_TABLE_POLICY, chain));
}

/* Whether rules still look up a set is not looked into: all branches are written anew. */
static void put_branches(uint64_t *state, struct ruleset *ruleset)
{
	put_forward(ruleset);
	for (uint32_t i = 0; i < BRANCHES; i++) {
		char name[NFT_NAME_MAX];

		(void)snprintf(name, sizeof(name), "branch_%u", i);
		check(ruleset_drop_chain(ruleset, NFT_TABLE_POLICY, name));
		if (!chance(state, 4))
			put_branch(state, ruleset, i);
	}
	for (uint32_t i = 0; i < LEAVES; i++) {
		struct nft_chain *chain = new_chain(state, "leaf", i);

		fill_branch(state, ruleset, chain, true);
		check(ruleset_put_chain(ruleset, NFT_TABLE_POLICY, chain));
	}
}

void sample_random(uint64_t seed, struct ruleset *ruleset)
{
	bool guards = !chance(&seed, 4);

	for (size_t i = 0; i <= ARRAY_LEN(sample_sets); i++) {
		struct sample_set sample = pick_set(&seed, i);

		if (!chance(&seed, 4))
			check(ruleset_put_set(ruleset, new_set(&seed, &sample)));
	}
	put_branches(&seed, ruleset);
	for (uint32_t i = 0; i < GUARDS && guards; i++) {
		if (!chance(&seed, 4))
			put_guard(&seed, ruleset, i);
	}
}

static void change_set(uint64_t *state, struct ruleset *ruleset, size_t i)
{
	struct sample_set sample = pick_set(state, i);
	struct nft_set *set = ruleset_set(ruleset, sample.name);

	if (!set || chance(state, 8)) {
		check(ruleset_put_set(ruleset, new_set(state, &sample)));
	} else if (chance(state, 8)) {
		check(ruleset_drop_set(ruleset, sample.name));
	} else if (chance(state, 8)) {
		/* Away, and back again. */
		check(ruleset_rename_set(ruleset, sample.name, "moved"));
		check(ruleset_rename_set(ruleset, "moved", sample.name));
	} else {
		while (set->elems && chance(state, 2))
			check(nft_set_remove(set, &set->elems->key));
		if (!set->interval || chance(state, 2))
			pick_elem(state, set);
	}
}

void sample_change(uint64_t seed, struct ruleset *ruleset)
{
	for (size_t i = 0; i <= ARRAY_LEN(sample_sets); i++) {
		if (chance(&seed, 3))
			change_set(&seed, ruleset, i);
	}
	put_branches(&seed, ruleset);
	for (uint32_t i = 0; i < GUARDS; i++) {
		char name[NFT_NAME_MAX];

		(void)snprintf(name, sizeof(name), "guard_%u", i);
		if (chance(&seed, 6))
			check(ruleset_drop_chain(ruleset, NFT_TABLE_GUARD, name));
		else if (chance(&seed, 3))
			put_guard(&seed, ruleset, i);
	}
}

static void add_drop(struct nft_chain *chain, const struct nft_stmt *match)
{
	uint64_t state = 1;
	struct pen pen = {.state = &state};

	say(&pen, match);
	SAY(&pen, .kind = NFT_STMT_COUNTER);
	SAY(&pen, .kind = NFT_STMT_VERDICT, .verdict = {.kind = NFT_VERDICT_DROP});
	check(nft_chain_add(chain, &pen.rule));
}

void sample_guard(struct ruleset *ruleset, const char *device)
{
	struct prefix v4 = {.addr = {.b = {10, 0, 0, 7}}, .len = 32};
	struct prefix arp[] = {{.len = 32}, v4};
	struct prefix v6[] = {
		{.addr = {.family = FAMILY_V6}, .len = 128},
		{.addr = {.family = FAMILY_V6, .b = {0xfd, [15] = 7}}, .len = 128},
		{.addr = {.family = FAMILY_V6, .b = {0xfe, 0x80}}, .len = 10},
	};
	struct nft_chain *chain = nft_chain_new("guard", "shop/web");

	if (!chain)
		check(-1);
	chain->hook = NFT_HOOK_INGRESS;
	(void)snprintf(chain->device, sizeof(chain->device), "%s", device);
	add_drop(chain, &(struct nft_stmt){.kind = NFT_STMT_VLAN});
	add_drop(chain, &(struct nft_stmt){.kind = NFT_STMT_ETHER_SOURCE,
					   .negate = true,
					   .ether = {0x0a, 0, 0, 0, 0, 1}});
	add_drop(chain, &(struct nft_stmt){
				.kind = NFT_STMT_ADDR, .negate = true, .prefixes = &v4, .n = 1});
	add_drop(chain, &(struct nft_stmt){.kind = NFT_STMT_ADDR,
					   .family = FAMILY_V6,
					   .negate = true,
					   .prefixes = v6,
					   .n = ARRAY_LEN(v6)});
	add_drop(chain, &(struct nft_stmt){.kind = NFT_STMT_ARP_SOURCE,
					   .negate = true,
					   .prefixes = arp,
					   .n = ARRAY_LEN(arp)});
	check(ruleset_put_chain(ruleset, NFT_TABLE_GUARD, chain));
}

void sample_large(struct ruleset *ruleset, size_t n)
{
	struct nft_set *set = nft_set_new("p4_0", NFT_SET_TYPE_IPV4, "ns=shop pod{}");
	uint64_t state = 1;

	if (!set)
		check(-1);
	for (size_t i = 0; i < n; i++) {
		struct nft_key key = pick_key(&state, set->type, (uint32_t)i);

		check(nft_set_add(set, &key, NULL));
	}
	check(ruleset_put_set(ruleset, set));
	put_branches(&state, ruleset);
}
