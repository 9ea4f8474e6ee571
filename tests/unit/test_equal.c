/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the kernel is left alone: only what is the same to it and to whoever lists it is equal. */
#include "nft/ruleset.h"
#include "unit.h"

static struct nft_ports ports_a[] = {{80, 80}, {90, 99}}, ports_b[] = {{80, 80}, {90, 98}};
static struct prefix prefixes_a[] = {{{FAMILY_V4, {10}}, 8}, {{FAMILY_V4, {11}}, 8}};
static struct prefix prefixes_b[] = {{{FAMILY_V4, {10}}, 9}, {{FAMILY_V4, {11}}, 8}};
static struct prefix prefixes_c[] = {{{FAMILY_V4, {10, 1}}, 8}, {{FAMILY_V4, {11}}, 8}};
static uint8_t types_a[] = {133, 134}, types_b[] = {133, 135};

#define STMT(...)           \
	{                   \
		__VA_ARGS__ \
	}

/* Two statements that are not the same, and differ in one thing. */
static const struct row {
	const char *name;
	struct nft_stmt a, b;
} rows[] = {
	{"kinds", STMT(.kind = NFT_STMT_COUNTER), STMT(.kind = NFT_STMT_VLAN)},
	{"types of ICMPv6", STMT(.kind = NFT_STMT_ICMPV6_TYPES, .types = types_a, .n = 2),
	 STMT(.kind = NFT_STMT_ICMPV6_TYPES, .types = types_b, .n = 2)},
	{"numbers of types", STMT(.kind = NFT_STMT_ICMPV6_TYPES, .types = types_a, .n = 2),
	 STMT(.kind = NFT_STMT_ICMPV6_TYPES, .types = types_a, .n = 1)},
	{"hop limits", STMT(.kind = NFT_STMT_HOPLIMIT, .hoplimit = 255),
	 STMT(.kind = NFT_STMT_HOPLIMIT, .hoplimit = 254)},
	{"families", STMT(.kind = NFT_STMT_FAMILY, .family = FAMILY_V4),
	 STMT(.kind = NFT_STMT_FAMILY, .family = FAMILY_V6)},
	{"directions of addresses", STMT(.kind = NFT_STMT_ADDR, .prefixes = prefixes_a, .n = 2),
	 STMT(.kind = NFT_STMT_ADDR, .prefixes = prefixes_a, .n = 2, .dir = NFT_DIR_DESTINATION)},
	{"negation of addresses", STMT(.kind = NFT_STMT_ADDR, .prefixes = prefixes_a, .n = 2),
	 STMT(.kind = NFT_STMT_ADDR, .prefixes = prefixes_a, .n = 2, .negate = true)},
	{"lengths of prefixes", STMT(.kind = NFT_STMT_ADDR, .prefixes = prefixes_a, .n = 2),
	 STMT(.kind = NFT_STMT_ADDR, .prefixes = prefixes_b, .n = 2)},
	{"addresses of prefixes", STMT(.kind = NFT_STMT_ADDR, .prefixes = prefixes_a, .n = 2),
	 STMT(.kind = NFT_STMT_ADDR, .prefixes = prefixes_c, .n = 2)},
	{"numbers of prefixes", STMT(.kind = NFT_STMT_ADDR, .prefixes = prefixes_a, .n = 2),
	 STMT(.kind = NFT_STMT_ADDR, .prefixes = prefixes_a, .n = 1)},
	{"addresses in ARP", STMT(.kind = NFT_STMT_ARP_SOURCE, .prefixes = prefixes_a, .n = 2),
	 STMT(.kind = NFT_STMT_ARP_SOURCE, .prefixes = prefixes_c, .n = 2)},
	{"whom an advertisement is about",
	 STMT(.kind = NFT_STMT_ND_TARGET, .prefixes = prefixes_a, .n = 1),
	 STMT(.kind = NFT_STMT_ND_TARGET, .prefixes = prefixes_c, .n = 1)},
	{"Ethernet addresses", STMT(.kind = NFT_STMT_ETHER_SOURCE, .ether = {10, 0, 0, 0, 0, 1}),
	 STMT(.kind = NFT_STMT_ETHER_SOURCE, .ether = {10, 0, 0, 0, 0, 2})},
	{"negation of Ethernet addresses", STMT(.kind = NFT_STMT_ETHER_SOURCE),
	 STMT(.kind = NFT_STMT_ETHER_SOURCE, .negate = true)},
	{"names of sets", STMT(.kind = NFT_STMT_ADDR_SET, .name = "a"),
	 STMT(.kind = NFT_STMT_ADDR_SET, .name = "b")},
	{"families of sets", STMT(.kind = NFT_STMT_ADDR_SET, .name = "a"),
	 STMT(.kind = NFT_STMT_ADDR_SET, .name = "a", .family = FAMILY_V6)},
	{"set and map", STMT(.kind = NFT_STMT_ADDR_SET, .name = "a"),
	 STMT(.kind = NFT_STMT_ADDR_MAP, .name = "a")},
	{"names of tuples", STMT(.kind = NFT_STMT_TUPLE_SET, .name = "a"),
	 STMT(.kind = NFT_STMT_TUPLE_SET, .name = "b")},
	{"names of port maps", STMT(.kind = NFT_STMT_PORT_MAP, .name = "a"),
	 STMT(.kind = NFT_STMT_PORT_MAP, .name = "b")},
	{"protocols", STMT(.kind = NFT_STMT_PROTO, .proto = 6),
	 STMT(.kind = NFT_STMT_PROTO, .proto = 17)},
	{"ports", STMT(.kind = NFT_STMT_PORTS, .proto = 6, .ports = ports_a, .n = 2),
	 STMT(.kind = NFT_STMT_PORTS, .proto = 6, .ports = ports_b, .n = 2)},
	{"numbers of ports", STMT(.kind = NFT_STMT_PORTS, .proto = 6, .ports = ports_a, .n = 2),
	 STMT(.kind = NFT_STMT_PORTS, .proto = 6, .ports = ports_a, .n = 1)},
	{"protocols of ports", STMT(.kind = NFT_STMT_PORTS, .proto = 6, .ports = ports_a, .n = 2),
	 STMT(.kind = NFT_STMT_PORTS, .proto = 17, .ports = ports_a, .n = 2)},
	{"interfaces", STMT(.kind = NFT_STMT_INTERFACE, .name = "veth1"),
	 STMT(.kind = NFT_STMT_INTERFACE, .name = "veth2")},
	{"directions of interfaces", STMT(.kind = NFT_STMT_INTERFACE, .name = "veth1"),
	 STMT(.kind = NFT_STMT_INTERFACE, .name = "veth1", .dir = NFT_DIR_DESTINATION)},
	{"interface and map", STMT(.kind = NFT_STMT_INTERFACE, .name = "veth1"),
	 STMT(.kind = NFT_STMT_INTERFACE_MAP, .name = "veth1")},
	{"verdicts", STMT(.kind = NFT_STMT_VERDICT, .verdict = {NFT_VERDICT_JUMP, "a"}),
	 STMT(.kind = NFT_STMT_VERDICT, .verdict = {NFT_VERDICT_GOTO, "a"})},
	{"chains", STMT(.kind = NFT_STMT_VERDICT, .verdict = {NFT_VERDICT_JUMP, "a"}),
	 STMT(.kind = NFT_STMT_VERDICT, .verdict = {NFT_VERDICT_JUMP, "b"})},
};

static struct nft_chain *chain_of(const struct nft_stmt *stmt, const char *comment)
{
	struct nft_chain *chain = nft_chain_new("c", "");
	struct nft_rule rule = {0};

	assert_non_null(chain);
	if (stmt)
		assert_int_equal(nft_rule_add(&rule, stmt), 0);
	nft_comment(rule.comment, comment);
	assert_int_equal(nft_chain_add(chain, &rule), 0);
	return chain;
}

static bool same_rules(const struct nft_stmt *a, const char *comment_a, const struct nft_stmt *b,
		       const char *comment_b)
{
	struct nft_chain *x = chain_of(a, comment_a), *y = chain_of(b, comment_b);
	bool same = nft_chain_same_rules(x, y), back = nft_chain_same_rules(y, x);

	nft_chain_free(x);
	nft_chain_free(y);
	assert_int_equal(same, back);
	return same;
}

static void check_row(void **state)
{
	const struct row *row = *state;

	assert_true(same_rules(&row->a, "", &row->a, ""));
	assert_true(same_rules(&row->b, "c", &row->b, "c"));
	assert_false(same_rules(&row->a, "", &row->b, ""));
	assert_false(same_rules(&row->a, "", &row->a, "c"));
}

static void a_rule_of_others_is_like_no_rule(void **state)
{
	struct nft_chain *chain = chain_of(NULL, ""), *empty = nft_chain_new("c", "");

	(void)state;
	assert_false(same_rules(NULL, "", NULL, ""));
	assert_false(nft_chain_same_rules(chain, empty));
	nft_chain_free(chain);
	nft_chain_free(empty);
}

static void heads_of_chains(void **state)
{
	const struct nft_chain base = {.hook = NFT_HOOK_FORWARD};
	struct nft_chain other;

	(void)state;
	assert_true(nft_chain_same_head(&base, &base));
	other = base;
	other.hook = NFT_HOOK_NONE;
	assert_false(nft_chain_same_head(&base, &other));
	other = base;
	other.comment[0] = 'c';
	assert_false(nft_chain_same_head(&base, &other));
	other = base;
	other.other = true;
	assert_false(nft_chain_same_head(&base, &other));
	assert_false(nft_chain_same_head(&other, &other));
	/* That can be changed in place. */
	other = base;
	other.policy_drop = true;
	assert_true(nft_chain_same_head(&base, &other));
}

static void heads_of_sets(void **state)
{
	const struct nft_set set = {.type = NFT_SET_TYPE_IPV4};
	struct nft_set other;

	(void)state;
	assert_true(nft_set_same_head(&set, &set));
	other = set;
	other.type = NFT_SET_TYPE_IPV6;
	assert_false(nft_set_same_head(&set, &other));
	other = set;
	other.interval = true;
	assert_false(nft_set_same_head(&set, &other));
	other = set;
	other.map = true;
	assert_false(nft_set_same_head(&set, &other));
	other = set;
	other.comment[0] = 'c';
	assert_false(nft_set_same_head(&set, &other));
	other = set;
	other.other = true;
	assert_false(nft_set_same_head(&other, &other));
}

static void elements(void **state)
{
	const struct nft_set plain = {0}, map = {.map = true}, interval = {.interval = true};
	const struct nft_elem_extra a = {.verdict = {NFT_VERDICT_GOTO, "a"}};
	const struct nft_elem_extra b = {.verdict = {NFT_VERDICT_GOTO, "b"}};
	const struct nft_elem_extra comment = {.comment = "c"}, none = {0};
	const struct nft_elem_extra last = {.last = {.bytes = {10}}};

	(void)state;
	assert_true(nft_extra_same(&plain, NULL, NULL));
	assert_true(nft_extra_same(&plain, NULL, &none));
	assert_false(nft_extra_same(&plain, NULL, &comment));
	assert_true(nft_extra_same(&map, &a, &a));
	assert_false(nft_extra_same(&map, &a, &b));
	assert_true(nft_extra_same(&interval, &last, &last));
	assert_false(nft_extra_same(&interval, &last, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_of_others_is_like_no_rule),
		cmocka_unit_test(heads_of_chains),
		cmocka_unit_test(heads_of_sets),
		cmocka_unit_test(elements),
	};
	int failed = RUN_ROWS("statements that differ in", rows, check_row);

	return failed + cmocka_run_group_tests_name("equal", tests, NULL, NULL);
}
