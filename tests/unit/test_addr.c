/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/addr.h"

struct addr_row {
	const char *name;
	const char *text, *shown; /* shown NULL: no address */
};

static const struct addr_row addrs[] = {
	{"an IPv4 address", "10.0.0.1", "10.0.0.1"},
	{"the smallest", "0.0.0.0", "0.0.0.0"},
	{"the largest", "255.255.255.255", "255.255.255.255"},
	{"leading zeros are decimal", "010.008.000.1", "10.8.0.1"},
	{"an IPv6 address", "2001:DB8:0:0::1", "2001:db8::1"},
	{"the unspecified one", "::", "::"},
	{"IPv6 with an IPv4 tail", "64:ff9b::10.0.0.1", "64:ff9b::a00:1"},
	{"an IPv4-mapped address is IPv4", "::ffff:10.0.0.1", "10.0.0.1"},
	{"an IPv4-mapped address in hexadecimal is IPv4", "::ffff:a00:1", "10.0.0.1"},
	{"an IPv4-compatible address is IPv6", "::10.0.0.1", "::10.0.0.1"},
	{"nothing", "", NULL},
	{"three octets", "10.0.0", NULL},
	{"five octets", "10.0.0.1.2", NULL},
	{"an empty octet", "10..0.1", NULL},
	{"an octet of 256", "10.0.0.256", NULL},
	{"an octet that wraps around", "10.0.0.4294967297", NULL},
	{"an octet of very many zeros", "10.0.0.00000000000000000000000000000001", NULL},
	{"a negative octet", "10.0.0.-1", NULL},
	{"a hexadecimal octet", "10.0.0.0x1", NULL},
	{"space before", " 10.0.0.1", NULL},
	{"space behind", "10.0.0.1 ", NULL},
	{"a dot behind", "10.0.0.1.", NULL},
	{"a length", "10.0.0.1/32", NULL},
	{"a zone", "fe80::1%eth0", NULL},
	{"two gaps", "::1::", NULL},
	{"a group of five digits", "12345::", NULL},
	{"brackets", "[::1]", NULL},
	{"a name", "localhost", NULL},
};

static void is_addr(void **state)
{
	const struct addr_row *row = *state;
	struct addr addr, untouched;
	char text[ADDR_TEXT_MAX];

	memset(&addr, 0x55, sizeof(addr));
	untouched = addr;
	assert_int_equal(addr_parse(row->text, &addr), row->shown != NULL);
	if (row->shown)
		assert_string_equal(addr_format(&addr, text), row->shown);
	else
		assert_memory_equal(&addr, &untouched, sizeof(addr));
}

struct prefix_row {
	const char *name;
	const char *text, *shown; /* shown NULL: no prefix */
	unsigned sloppy;
};

static const struct prefix_row prefixes[] = {
	{"an IPv4 prefix", "10.0.0.0/8", "10.0.0.0/8", SLOPPY_NONE},
	{"all of IPv4", "0.0.0.0/0", "0.0.0.0/0", SLOPPY_NONE},
	{"one address", "10.0.0.1/32", "10.0.0.1/32", SLOPPY_NONE},
	{"an IPv6 prefix", "2001:db8::/32", "2001:db8::/32", SLOPPY_NONE},
	{"all of IPv6", "::/0", "::/0", SLOPPY_NONE},
	{"one IPv6 address", "::1/128", "::1/128", SLOPPY_NONE},
	{"a length inside an octet", "10.128.0.0/9", "10.128.0.0/9", SLOPPY_NONE},
	{"bits beyond the length go", "10.1.2.3/9", "10.0.0.0/9", SLOPPY_HOST},
	{"one bit beyond", "10.0.0.1/31", "10.0.0.0/31", SLOPPY_HOST},
	{"everything beyond /0", "255.255.255.255/0", "0.0.0.0/0", SLOPPY_HOST},
	{"bits beyond an IPv6 length go", "2001:db8:ffff::1/33", "2001:db8:8000::/33", SLOPPY_HOST},
	{"leading zeros", "010.0.0.0/8", "10.0.0.0/8", SLOPPY_ZEROS},
	{"leading zeros and bits beyond", "010.0.0.1/8", "10.0.0.0/8", SLOPPY_ZEROS | SLOPPY_HOST},
	{"an IPv4-mapped one is IPv4", "::ffff:10.0.0.0/104", "10.0.0.0/8", SLOPPY_MAPPED},
	{"an IPv4-mapped one with bits beyond", "::ffff:10.0.0.1/104", "10.0.0.0/8",
	 SLOPPY_MAPPED | SLOPPY_HOST},
	{"an IPv4-mapped address", "::ffff:10.0.0.1/128", "10.0.0.1/32", SLOPPY_MAPPED},
	{"all IPv4-mapped addresses are all of IPv4", "::ffff:0.0.0.0/96", "0.0.0.0/0",
	 SLOPPY_MAPPED},
	{"a shorter one is IPv6", "::ffff:0.0.0.0/95", "::fffe:0:0/95",
	 SLOPPY_MAPPED | SLOPPY_HOST},
	{"::/0 written IPv4-mapped is IPv6", "::ffff:1.2.3.4/0", "::/0",
	 SLOPPY_MAPPED | SLOPPY_HOST},
	{"no length", "10.0.0.0", NULL, 0},
	{"an empty length", "10.0.0.0/", NULL, 0},
	{"a length of 33", "10.0.0.0/33", NULL, 0},
	{"a length of 129", "::/129", NULL, 0},
	{"a length that wraps around", "10.0.0.0/264", NULL, 0},
	{"a negative length", "10.0.0.0/-8", NULL, 0},
	{"a length with a sign", "10.0.0.0/+8", NULL, 0},
	{"a length with space", "10.0.0.0/ 8", NULL, 0},
	{"two lengths", "10.0.0.0/8/8", NULL, 0},
	{"a mask", "10.0.0.0/255.0.0.0", NULL, 0},
	{"no address", "/8", NULL, 0},
	{"an address longer than any",
	 "0000000000000000000000000000000000000000000000000000000000"
	 "000000000000.0.0.0/8",
	 NULL, 0},
	{"nothing", "", NULL, 0},
};

static void is_prefix(void **state)
{
	const struct prefix_row *row = *state;
	struct prefix prefix;
	char text[PREFIX_TEXT_MAX];
	unsigned sloppy = 99;

	assert_int_equal(prefix_parse(row->text, &prefix, &sloppy), row->shown != NULL);
	assert_int_equal(prefix_parse(row->text, &prefix, NULL), row->shown != NULL);
	if (!row->shown)
		return;
	assert_string_equal(prefix_format(&prefix, text), row->shown);
	assert_int_equal(sloppy, row->sloppy);
}

struct contains_row {
	const char *name;
	const char *prefix, *addr;
	bool contains;
};

static const struct contains_row contains[] = {
	{"the first of it", "10.0.0.0/8", "10.0.0.0", true},
	{"the last of it", "10.0.0.0/8", "10.255.255.255", true},
	{"the one before", "10.0.0.0/8", "9.255.255.255", false},
	{"the one behind", "10.0.0.0/8", "11.0.0.0", false},
	{"itself", "10.0.0.1/32", "10.0.0.1", true},
	{"its neighbour", "10.0.0.1/32", "10.0.0.0", false},
	{"anything", "0.0.0.0/0", "255.255.255.255", true},
	{"a length inside an octet, in", "10.128.0.0/9", "10.255.0.0", true},
	{"a length inside an octet, out", "10.128.0.0/9", "10.127.255.255", false},
	{"no IPv6 in all of IPv4", "0.0.0.0/0", "::", false},
	{"no IPv4 in all of IPv6", "::/0", "0.0.0.0", false},
	{"an IPv4-mapped address is in IPv4", "10.0.0.0/8", "::ffff:10.1.1.1", true},
	{"the last of IPv6", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
	{"a network of IPv6, in", "2001:db8::/33", "2001:db8:7fff::1", true},
	{"a network of IPv6, out", "2001:db8::/33", "2001:db8:8000::", false},
};

static void has_addr(void **state)
{
	const struct contains_row *row = *state;
	struct prefix prefix;
	struct addr addr;

	assert_true(prefix_parse(row->prefix, &prefix, NULL));
	assert_true(addr_parse(row->addr, &addr));
	assert_int_equal(prefix_contains(&prefix, &addr), row->contains);
}

static void addresses_are_ordered_by_family_then_bytes(void **state)
{
	static const char *const ordered[] = {"0.0.0.0", "10.0.0.1", "10.0.0.2", "255.255.255.255",
					      "::",      "::1",      "fd00::"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ordered); i++) {
		for (size_t j = 0; j < ARRAY_LEN(ordered); j++) {
			struct addr a, b;
			int order;

			assert_true(addr_parse(ordered[i], &a) && addr_parse(ordered[j], &b));
			order = addr_compare(&a, &b);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_ordered_by_family_then_bytes),
	};
	int failed = RUN_ROWS("addresses", addrs, is_addr);

	failed += RUN_ROWS("prefixes", prefixes, is_prefix);
	failed += RUN_ROWS("containment", contains, has_addr);
	failed += cmocka_run_group_tests_name("order", tests, NULL, NULL);
	return failed;
}
