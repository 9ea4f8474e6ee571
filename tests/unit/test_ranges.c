/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address algebra against a bitmap of the 65,536 addresses that the tests use. */
#include "unit.h"

#include "policy/ranges.h"

#define BITS  65536
#define BASES 3

/* The 16 bits stand at the low or the high end of the space, or in the middle. */
static struct addr address(enum family family, unsigned base, uint32_t low)
{
	struct addr addr = {.family = (uint8_t)family};
	size_t len = addr_bytes(family);

	memset(addr.b, base == 0 ? 0 : base == 1 ? 0xff : 0x5a, len);
	addr.b[len - 2] = (uint8_t)(low >> 8);
	addr.b[len - 1] = (uint8_t)low;
	return addr;
}

/* A prefix of at least 16 free bits at most. */
static struct prefix random_prefix(struct unit_random *random, enum family family, unsigned base,
				   uint32_t within, unsigned free_bits)
{
	uint32_t low = within | unit_random(random, 1u << free_bits);
	unsigned bits = unit_random(random, free_bits + 1);
	struct prefix prefix = {
		.addr = address(family, base, low & ~((1u << bits) - 1)),
		.len = (uint8_t)(addr_bytes(family) * 8 - bits),
	};

	return prefix;
}

static uint32_t low_of(const struct addr *addr)
{
	size_t len = addr_bytes((enum family)addr->family);

	return (uint32_t)addr->b[len - 2] << 8 | addr->b[len - 1];
}

static uint32_t size_of(const struct prefix *prefix)
{
	return 1u << (addr_bytes((enum family)prefix->addr.family) * 8 - prefix->len);
}

static void check(const struct ranges *ranges, enum family family, unsigned base,
		  const uint8_t *bitmap)
{
	size_t runs = 0;

	for (uint32_t i = 0; i < BITS; i++) {
		struct addr addr = address(family, base, i);

		if (bitmap[i] && (i == 0 || !bitmap[i - 1]))
			runs++;
		/* Every address at an edge, and a few others. */
		if ((i == 0 || bitmap[i] != bitmap[i - 1] || i + 1 == BITS ||
		     bitmap[i] != bitmap[i + 1] || i % 251 == 0) &&
		    ranges_contain(ranges, &addr) != (bool)bitmap[i])
			fail_msg("family %d base %u: %u is %s", (int)family, base, i,
				 bitmap[i] ? "missing" : "too many");
	}
	/* Sorted, disjoint, merged: as many ranges as runs. */
	assert_int_equal(ranges->all.n, runs);
	for (size_t i = 1; i < ranges->all.n; i++)
		assert_true(memcmp(ranges->all.v[i - 1].hi, ranges->all.v[i].lo, 16) < 0);
}

static void blocks_are_what_a_bitmap_says(void **state)
{
	struct unit_random random = unit_random_start("ranges");
	uint8_t *bitmap = malloc(BITS), *block_map = malloc(BITS);

	(void)state;
	assert_non_null(bitmap);
	assert_non_null(block_map);
	for (int round = 0; round < 600; round++) {
		enum family family = (enum family)unit_random(&random, FAMILY_COUNT);
		unsigned base = unit_random(&random, BASES);
		uint32_t blocks = 1 + unit_random(&random, 5);
		struct ranges ranges[FAMILY_COUNT] = {0};

		memset(bitmap, 0, BITS);
		for (uint32_t i = 0; i < blocks; i++) {
			struct prefix except[6];
			struct ip_block block = {
				.cidr = random_prefix(&random, family, base, 0, 16),
				.except = except,
			};
			uint32_t start = low_of(&block.cidr.addr), size = size_of(&block.cidr);

			memset(block_map, 0, BITS);
			memset(block_map + start, 1, size);
			for (uint32_t n = size > 1 ? unit_random(&random, 7) : 0; n > 0; n--) {
				unsigned free_bits = 0;

				while ((2u << free_bits) <= size / 2)
					free_bits++;
				except[block.n_except] = random_prefix(
					&random, family, base,
					start + (unit_random(&random, 2) ? size / 2 : 0),
					free_bits);
				memset(block_map + low_of(&except[block.n_except].addr), 0,
				       size_of(&except[block.n_except]));
				block.n_except++;
			}
			for (uint32_t j = 0; j < BITS; j++)
				bitmap[j] |= block_map[j];
			assert_int_equal(ranges_add_block(ranges, &block), 0);
		}
		ranges_normalize(&ranges[family], family);
		check(&ranges[family], family, base, bitmap);
		assert_int_equal(ranges[1 - family].all.n, 0);
		ranges_done(&ranges[FAMILY_V4]);
		ranges_done(&ranges[FAMILY_V6]);
	}
	free(bitmap);
	free(block_map);
}

struct row {
	const char *name;
	const char *blocks[4]; /* CIDR, then its excepts after a space each */
	const char *ranges;    /* as text */
};

static const struct row rows[] = {
	{"all of IPv4", {"0.0.0.0/0"}, "0.0.0.0-255.255.255.255"},
	{"all of IPv6", {"::/0"}, "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	{"one address", {"10.0.0.1/32"}, "10.0.0.1-10.0.0.1"},
	{"the last address", {"255.255.255.255/32"}, "255.255.255.255-255.255.255.255"},
	{"the first address", {"0.0.0.0/32"}, "0.0.0.0-0.0.0.0"},
	{"blocks that touch are one", {"10.0.0.0/25", "10.0.0.128/25"}, "10.0.0.0-10.0.0.255"},
	{"blocks that touch at an octet's end are one",
	 {"10.0.255.0/24", "10.1.0.0/24"},
	 "10.0.255.0-10.1.0.255"},
	{"a block in another is nothing new",
	 {"10.0.0.0/8", "10.1.0.0/16"},
	 "10.0.0.0-10.255.255.255"},
	{"the same twice is once", {"10.0.0.0/8", "10.0.0.0/8"}, "10.0.0.0-10.255.255.255"},
	{"the halves of everything are everything",
	 {"128.0.0.0/1", "0.0.0.0/1"},
	 "0.0.0.0-255.255.255.255"},
	{"everything and the last address",
	 {"0.0.0.0/0", "255.255.255.255/32"},
	 "0.0.0.0-255.255.255.255"},
	{"the last two addresses touch",
	 {"255.255.255.254/32", "255.255.255.255/32"},
	 "255.255.255.254-255.255.255.255"},
	{"the last two of IPv6 touch",
	 {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/128",
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
	 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	{"an except in the middle",
	 {"10.0.0.0/8 10.1.0.0/16"},
	 "10.0.0.0-10.0.255.255 10.2.0.0-10.255.255.255"},
	{"an except at the beginning", {"10.0.0.0/8 10.0.0.0/16"}, "10.1.0.0-10.255.255.255"},
	{"an except at the end", {"10.0.0.0/8 10.255.0.0/16"}, "10.0.0.0-10.254.255.255"},
	{"excepts that leave nothing", {"10.0.0.0/8 10.0.0.0/9 10.128.0.0/9"}, ""},
	{"excepts of everything that leave nothing", {"0.0.0.0/0 0.0.0.0/1 128.0.0.0/1"}, ""},
	{"excepts of all of IPv6 that leave nothing", {"::/0 ::/1 8000::/1"}, ""},
	{"excepts that overlap",
	 {"10.0.0.0/8 10.0.0.0/9 10.1.0.0/16 10.128.0.0/16"},
	 "10.129.0.0-10.255.255.255"},
	{"an except of the last address",
	 {"0.0.0.0/0 255.255.255.255/32"},
	 "0.0.0.0-255.255.255.254"},
	{"an except of the first address", {"0.0.0.0/0 0.0.0.0/32"}, "0.0.0.1-255.255.255.255"},
	{"an except of the last of IPv6",
	 {"::/0 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
	 "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"},
	{"an except belongs to its own block only",
	 {"10.0.0.0/8 10.1.0.0/16", "10.1.2.0/24"},
	 "10.0.0.0-10.0.255.255 10.1.2.0-10.1.2.255 10.2.0.0-10.255.255.255"},
	{"another block fills an except",
	 {"10.0.0.0/8 10.1.0.0/16", "10.1.0.0/16"},
	 "10.0.0.0-10.255.255.255"},
};

static void parse_block(const char *text, struct ip_block *block, struct prefix except[8])
{
	char copy[200], *save = NULL;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	*block = (struct ip_block){.except = except};
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (word == copy)
			assert_true(prefix_parse(word, &block->cidr, NULL));
		else
			assert_true(prefix_parse(word, &except[block->n_except++], NULL));
	}
}

static void comes_to(void **state)
{
	const struct row *row = *state;
	struct ranges ranges[FAMILY_COUNT] = {0};
	enum family family = strchr(row->blocks[0], ':') ? FAMILY_V6 : FAMILY_V4;
	char text[1000] = "", a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_LEN(row->blocks) && row->blocks[i]; i++) {
		struct prefix except[8];
		struct ip_block block;

		parse_block(row->blocks[i], &block, except);
		assert_int_equal(ranges_add_block(ranges, &block), 0);
	}
	ranges_normalize(&ranges[family], family);
	for (size_t i = 0; i < ranges[family].all.n; i++) {
		struct addr lo = {.family = (uint8_t)family}, hi = lo;

		memcpy(lo.b, ranges[family].all.v[i].lo, 16);
		memcpy(hi.b, ranges[family].all.v[i].hi, 16);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s-%s",
					 used ? " " : "", addr_format(&lo, a), addr_format(&hi, b));
	}
	assert_string_equal(text, row->ranges);
	assert_int_equal(ranges_are_all(&ranges[family], family),
			 strcmp(text, "0.0.0.0-255.255.255.255") == 0 ||
				 strcmp(text, "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") == 0);
	ranges_done(&ranges[FAMILY_V4]);
	ranges_done(&ranges[FAMILY_V6]);
}

struct prefix_row {
	const char *name;
	const char *lo, *hi;
	const char *prefix; /* NULL: none */
};

static const struct prefix_row prefixes[] = {
	{"one address is a prefix", "10.0.0.1", "10.0.0.1", "10.0.0.1/32"},
	{"two addresses that are a prefix", "10.0.0.2", "10.0.0.3", "10.0.0.2/31"},
	{"two addresses that are none", "10.0.0.1", "10.0.0.2", NULL},
	{"a prefix without its first address", "10.0.0.1", "10.0.0.255", NULL},
	{"a prefix without its last address", "10.0.0.0", "10.0.0.254", NULL},
	{"all of IPv4", "0.0.0.0", "255.255.255.255", "0.0.0.0/0"},
	{"half of IPv4", "128.0.0.0", "255.255.255.255", "128.0.0.0/1"},
	{"all of IPv6", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"},
	{"a network of IPv6", "fd00::", "fd00::ffff:ffff:ffff:ffff", "fd00::/64"},
	{"the last address of IPv6", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
};

static void is_prefix(void **state)
{
	const struct prefix_row *row = *state;
	struct addr lo, hi;
	struct range range;
	struct prefix prefix;
	char text[PREFIX_TEXT_MAX];

	assert_true(addr_parse(row->lo, &lo) && addr_parse(row->hi, &hi));
	memcpy(range.lo, lo.b, 16);
	memcpy(range.hi, hi.b, 16);
	assert_int_equal(range_is_prefix(&range, (enum family)lo.family, &prefix),
			 row->prefix != NULL);
	if (row->prefix)
		assert_string_equal(prefix_format(&prefix, text), row->prefix);
}

static void nothing_contains_nothing(void **state)
{
	struct ranges none = {0};
	struct addr addr;

	(void)state;
	ranges_normalize(&none, FAMILY_V4);
	assert_true(addr_parse("10.0.0.1", &addr));
	assert_false(ranges_contain(&none, &addr));
	assert_false(ranges_are_all(&none, FAMILY_V4));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_what_a_bitmap_says),
		cmocka_unit_test(nothing_contains_nothing),
	};
	int failed = RUN_ROWS("blocks", rows, comes_to);

	failed += RUN_ROWS("prefixes", prefixes, is_prefix);
	failed += cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
	return failed;
}
