/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans, carried out on an nf_tables that is as strict as the kernel's and needs no root. What
 * comes of them is read from the messages themselves: encoding and decoding are held together here
 * too. */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "fake_nf_tables.h"
#include "nft/pieces.h"
#include "nft/plan.h"
#include "sample.h"
#include "unit.h"

#define ROUNDS 60

static void carry_out(struct fake *fake, struct nft_plan *plan, bool in_pieces)
{
	if (in_pieces) {
		fake_apply(fake, plan, 0, NFT_PLAN_CHANGE);
		fake_apply(fake, plan, NFT_PLAN_CHANGE, NFT_PLAN_CLEANUP);
		fake_apply(fake, plan, NFT_PLAN_CLEANUP, NFT_PLAN_PARTS);
	} else {
		fake_apply(fake, plan, 0, NFT_PLAN_PARTS);
	}
	nft_plan_done(plan);
	*plan = (struct nft_plan){0};
	assert_string_equal(fake->complaint, "");
}

/* Where not even the change fits the socket: the smallest pieces that there are. */
static void carry_out_by_object(struct fake *fake, struct nft_plan *plan)
{
	struct nft_pieces pieces = {0};

	if (nft_pieces_of_change(plan, 1, &pieces) == -EMSGSIZE) {
		carry_out(fake, plan, true);
		nft_pieces_done(&pieces);
		return;
	}
	fake_apply(fake, plan, 0, NFT_PLAN_CHANGE);
	for (size_t i = 0; i < pieces.batches.n; i++) {
		struct nft_plan piece = {.parts = {pieces.batches.v[i]}};

		fake_apply(fake, &piece, 0, 1);
	}
	fake_apply(fake, plan, NFT_PLAN_CLEANUP, NFT_PLAN_PARTS);
	nft_pieces_done(&pieces);
	nft_plan_done(plan);
	*plan = (struct nft_plan){0};
	assert_string_equal(fake->complaint, "");
}

static void assert_has(const struct fake *fake, const struct ruleset *wanted)
{
	struct nft_plan plan = {0};

	assert_int_equal(nft_plan_full(&plan, &fake->ruleset, wanted), 0);
	assert_true(nft_plan_empty(&plan));
	nft_plan_done(&plan);
}

static void any_ruleset_becomes_any_other(void **state)
{
	struct unit_random random = unit_random_start("rulesets");

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t seed = unit_random(&random, UINT32_MAX);
		struct ruleset from = {0}, to = {0};
		struct nft_plan plan = {0};
		struct fake fake = {0};

		print_message("from %llu\n", (unsigned long long)seed);
		sample_random(seed, &from);
		sample_random(seed + 1, &to);
		assert_int_equal(nft_plan_full(&plan, &fake.ruleset, &from), 0);
		carry_out(&fake, &plan, i % 2);
		assert_has(&fake, &from);
		assert_int_equal(nft_plan_full(&plan, &fake.ruleset, &to), 0);
		if (i % 3)
			carry_out(&fake, &plan, i % 2);
		else
			carry_out_by_object(&fake, &plan);
		assert_has(&fake, &to);
		fake_done(&fake);
		ruleset_done(&from);
		ruleset_done(&to);
	}
}

static void the_journal_tells_what_has_changed(void **state)
{
	struct unit_random random = unit_random_start("journals");

	(void)state;
	for (int i = 0; i < ROUNDS / 2; i++) {
		uint64_t seed = unit_random(&random, UINT32_MAX);
		struct ruleset ruleset = {0};
		struct nft_plan plan = {0};
		struct fake fake = {0};

		print_message("from %llu\n", (unsigned long long)seed);
		sample_random(seed, &ruleset);
		for (int step = 0; step < 8; step++) {
			assert_true(ruleset_changed(&ruleset));
			assert_int_equal(nft_plan_changes(&plan, &ruleset), 0);
			carry_out(&fake, &plan, step % 2);
			ruleset_committed(&ruleset);
			assert_false(ruleset_changed(&ruleset));
			assert_has(&fake, &ruleset);
			/* Several changes may come between two commits. */
			for (uint32_t n = unit_random(&random, 3); n < 3; n++)
				sample_change(seed + unit_random(&random, UINT32_MAX), &ruleset);
		}
		fake_done(&fake);
		ruleset_done(&ruleset);
	}
}

static void a_table_that_is_rotten_is_made_anew(void **state)
{
	static const bool one[] = {true, false}, both[] = {true, true};
	struct ruleset wanted = {0};
	struct nft_plan plan = {0};
	struct fake fake = {0};

	(void)state;
	sample_random(1, &wanted);
	assert_non_null(wanted.chains[NFT_TABLE_BRIDGE]);
	/* Nothing is there, and nothing has to go. */
	assert_int_equal(nft_plan_rebuild(&plan, both, &fake.ruleset, &wanted), 0);
	assert_true(plan.whole);
	carry_out(&fake, &plan, false);
	assert_has(&fake, &wanted);
	assert_int_equal(nft_plan_rebuild(&plan, both, &fake.ruleset, &wanted), 0);
	assert_int_equal(plan.parts[NFT_PLAN_TABLES].messages.n, 4);
	carry_out(&fake, &plan, false);
	assert_has(&fake, &wanted);
	assert_int_equal(nft_plan_rebuild(&plan, one, &fake.ruleset, &wanted), 0);
	assert_int_equal(plan.parts[NFT_PLAN_TABLES].messages.n, 2);
	carry_out(&fake, &plan, false);
	assert_has(&fake, &wanted);
	fake_done(&fake);
	ruleset_done(&wanted);
}

static void putting_the_same_again_is_no_change(void **state)
{
	struct ruleset ruleset = {0}, again = {0};
	struct nft_plan plan = {0};

	(void)state;
	sample_random(1, &ruleset);
	sample_random(1, &again);
	ruleset_committed(&ruleset);
	while (again.sets) {
		struct nft_set *set = again.sets;

		HASH_DEL(again.sets, set);
		assert_int_equal(ruleset_put_set(&ruleset, set), 0);
	}
	for (int table = 0; table < NFT_TABLE_COUNT; table++) {
		while (again.chains[table]) {
			struct nft_chain *chain = again.chains[table];

			HASH_DEL(again.chains[table], chain);
			assert_int_equal(ruleset_put_chain(&ruleset, (enum nft_table)table, chain),
					 0);
		}
	}
	assert_int_equal(nft_plan_changes(&plan, &ruleset), 0);
	assert_true(nft_plan_empty(&plan));
	nft_plan_done(&plan);
	ruleset_done(&ruleset);
	ruleset_done(&again);
}

static struct nft_key address(uint8_t last)
{
	return (struct nft_key){.bytes = {10, 0, 0, last}};
}

static void an_element_that_comes_and_goes_is_no_change(void **state)
{
	const struct nft_key one = address(1), two = address(2);
	struct ruleset ruleset = {0};
	struct nft_plan plan = {0};
	struct nft_set *set = nft_set_new("s", NFT_SET_TYPE_IPV4, "");

	(void)state;
	assert_int_equal(ruleset_put_set(&ruleset, set), 0);
	assert_int_equal(nft_set_add(set, &one, NULL), 0);
	ruleset_committed(&ruleset);
	assert_int_equal(nft_set_add(set, &two, NULL), 0);
	assert_int_equal(nft_set_remove(set, &two), 0);
	assert_int_equal(nft_set_remove(set, &one), 0);
	assert_int_equal(nft_set_add(set, &one, NULL), 0);
	assert_int_equal(nft_plan_changes(&plan, &ruleset), 0);
	assert_true(nft_plan_empty(&plan));
	assert_int_equal(nft_set_add(set, &two, NULL), 0);
	assert_int_equal(nft_plan_changes(&plan, &ruleset), 0);
	assert_int_equal(plan.parts[NFT_PLAN_ELEMS].messages.n, 1);
	nft_plan_done(&plan);
	ruleset_done(&ruleset);
}

/* One pod's change must not cost what the others cost. */
static void one_element_is_one_message(void **state)
{
	const struct nft_key key = {.bytes = {192, 0, 2, 1}};
	struct ruleset ruleset = {0};
	struct nft_plan plan = {0};

	(void)state;
	sample_large(&ruleset, 5000);
	ruleset_committed(&ruleset);
	assert_int_equal(nft_set_add(ruleset_set(&ruleset, "p4_0"), &key, NULL), 0);
	assert_int_equal(nft_plan_changes(&plan, &ruleset), 0);
	for (int part = 0; part < NFT_PLAN_PARTS; part++)
		assert_int_equal(plan.parts[part].messages.n, part == NFT_PLAN_ELEMS);
	assert_true(plan.parts[NFT_PLAN_ELEMS].len < 128);
	nft_plan_done(&plan);
	ruleset_done(&ruleset);
}

static void mark_ends(const struct nlmsghdr *message, size_t *starts, size_t *ends)
{
	const struct nlattr *list, *elem, *attr;

	mnl_attr_for_each(list, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, list)
		{
			bool end = false;

			mnl_attr_for_each_nested(attr, elem) end =
				end || mnl_attr_get_type(attr) == NFTA_SET_ELEM_FLAGS;
			*(end ? ends : starts) += 1;
		}
	}
}

/* An interval whose end comes with a later transaction would reach to the last address until then.
 */
static void no_interval_is_cut_in_two(void **state)
{
	struct nft_set *set = nft_set_new("c4_0", NFT_SET_TYPE_IPV4, "");
	struct ruleset ruleset = {0};
	struct nft_plan plan = {0};

	(void)state;
	set->interval = true;
	assert_int_equal(ruleset_put_set(&ruleset, set), 0);
	for (unsigned i = 0; i < 20000; i++) {
		struct nft_key key = {.bytes = {10, (uint8_t)(i >> 8), (uint8_t)i, 1}};
		struct nft_elem_extra extra = {.last = key};

		assert_int_equal(nft_set_add(set, &key, &extra), 0);
	}
	assert_int_equal(nft_plan_full(&plan, &(struct ruleset){0}, &ruleset), 0);
	const struct nft_batch *elems = &plan.parts[NFT_PLAN_NEW_ELEMS];
	assert_true(elems->messages.n > 3);
	for (size_t i = 0; i < elems->messages.n; i++) {
		size_t starts = 0, ends = 0;

		mark_ends((const void *)(elems->bytes + elems->messages.v[i].offset), &starts,
			  &ends);
		/* The first message also has the gap before the first interval. */
		assert_int_equal(ends, starts + (i == 0));
	}
	nft_plan_done(&plan);
	ruleset_done(&ruleset);
}

/* The flags that each message of a part wants for its table. */
static void assert_table_flags(const struct nft_batch *part, uint32_t flags)
{
	for (size_t i = 0; i < part->messages.n; i++) {
		const struct nlmsghdr *message =
			(const void *)(part->bytes + part->messages.v[i].offset);
		const struct nlattr *attr;
		bool found = false;

		mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
		{
			if (mnl_attr_get_type(attr) != NFTA_TABLE_FLAGS)
				continue;
			found = true;
			assert_int_equal(ntohl(mnl_attr_get_u32(attr)), flags);
		}
		assert_true(found);
	}
}

static void tables_are_made_with_both_flags_or_none(void **state)
{
	struct ruleset wanted = {0};

	(void)state;
	sample_random(3, &wanted);
	for (int own = 0; own < 2; own++) {
		struct nft_plan plan = {0};

		wanted.own = own;
		assert_int_equal(nft_plan_full(&plan, &(struct ruleset){0}, &wanted), 0);
		assert_true(plan.parts[NFT_PLAN_TABLES].messages.n > 0);
		assert_table_flags(&plan.parts[NFT_PLAN_TABLES], own ? 6 : 0);
		nft_plan_done(&plan);
	}
	ruleset_done(&wanted);
}

/* One message for the table, and nothing for what is in it. */
static void an_orphan_is_adopted_as_it_is(void **state)
{
	static const struct {
		bool own, in_kernel, orphan;
		size_t messages;
	} rows[] = {{true, true, true, 1},
		    {true, true, false, 0},
		    {true, false, false, 1},
		    {false, true, true, 0},
		    {false, true, false, 0}};
	struct ruleset wanted = {0};

	(void)state;
	sample_random(3, &wanted);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ruleset found = wanted; /* to be looked at */
		struct nft_plan plan = {0};

		for (int table = 0; table < NFT_TABLE_COUNT; table++)
			found.in_kernel[table] = true;
		found.in_kernel[NFT_TABLE_POLICY] = rows[i].in_kernel;
		found.orphan[NFT_TABLE_POLICY] = rows[i].orphan;
		wanted.own = rows[i].own;
		assert_int_equal(nft_plan_full(&plan, &found, &wanted), 0);
		assert_int_equal(plan.parts[NFT_PLAN_TABLES].messages.n, rows[i].messages);
		assert_table_flags(&plan.parts[NFT_PLAN_TABLES], 6);
		for (int part = NFT_PLAN_TABLES + 1; part < NFT_PLAN_PARTS; part++)
			assert_int_equal(plan.parts[part].messages.n, 0);
		nft_plan_done(&plan);
	}
	ruleset_done(&wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_ruleset_becomes_any_other),
		cmocka_unit_test(the_journal_tells_what_has_changed),
		cmocka_unit_test(a_table_that_is_rotten_is_made_anew),
		cmocka_unit_test(putting_the_same_again_is_no_change),
		cmocka_unit_test(an_element_that_comes_and_goes_is_no_change),
		cmocka_unit_test(one_element_is_one_message),
		cmocka_unit_test(no_interval_is_cut_in_two),
		cmocka_unit_test(tables_are_made_with_both_flags_or_none),
		cmocka_unit_test(an_orphan_is_adopted_as_it_is),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
