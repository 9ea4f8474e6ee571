/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan sent in the smallest parts that there are: what packets meet is the old ruleset until the
 * change, and the new one from then on. What they meet is all that base chains lead to. */
#include <string.h>

#include "fake_nf_tables.h"
#include "nft/plan.h"
#include "sample.h"
#include "unit.h"

#define ROUNDS    60
#define DEPTH_MAX 16 /* the kernel has the same */

static bool same_set(const struct ruleset *a, const struct ruleset *b, const char *name, int depth);

static bool same_chain(const struct ruleset *a, const struct ruleset *b, enum nft_table table,
		       const char *name, int depth)
{
	const struct nft_chain *left = ruleset_chain(a, table, name);
	const struct nft_chain *right = ruleset_chain(b, table, name);

	if (!left || !right || !nft_chain_same_rules(left, right))
		return left == right;
	for (size_t i = 0; i < left->rules.n && depth < DEPTH_MAX; i++) {
		for (size_t j = 0; j < left->rules.v[i].stmts.n; j++) {
			const struct nft_stmt *stmt = &left->rules.v[i].stmts.v[j];

			if (nft_stmt_set(stmt) && !same_set(a, b, nft_stmt_set(stmt), depth + 1))
				return false;
			if (stmt->kind == NFT_STMT_VERDICT && stmt->verdict.chain[0] &&
			    !same_chain(a, b, table, stmt->verdict.chain, depth + 1))
				return false;
		}
	}
	return true;
}

static bool same_set(const struct ruleset *a, const struct ruleset *b, const char *name, int depth)
{
	const struct nft_set *left = ruleset_set(a, name), *right = ruleset_set(b, name);

	if (!left || !right || HASH_COUNT(left->elems) != HASH_COUNT(right->elems))
		return left == right;
	for (const struct nft_elem *one = left->elems; one; one = one->hh.next) {
		const struct nft_elem *other;

		HASH_FIND(hh, right->elems, &one->key, sizeof(one->key), other);
		if (!other || !nft_extra_same(left, one->extra, other->extra))
			return false;
		if (left->map && one->extra->verdict.chain[0] &&
		    !same_chain(a, b, NFT_TABLE_POLICY, one->extra->verdict.chain, depth + 1))
			return false;
	}
	return true;
}

/* Does a packet meet rules there? */
static bool has_base(const struct nft_chain *chain)
{
	return chain && chain->hook != NFT_HOOK_NONE && (chain->rules.n > 0 || chain->policy_drop);
}

static void assert_packets_meet(const struct ruleset *in_kernel, const struct ruleset *wanted)
{
	for (int t = 0; t < NFT_TABLE_COUNT; t++) {
		const struct nft_chain *chain;

		for (chain = in_kernel->chains[t]; chain; chain = chain->hh.next)
			assert_true(
				!has_base(chain) ||
				has_base(ruleset_chain(wanted, (enum nft_table)t, chain->name)));
		for (chain = wanted->chains[t]; chain; chain = chain->hh.next)
			assert_true(
				!has_base(chain) ||
				same_chain(in_kernel, wanted, (enum nft_table)t, chain->name, 0));
	}
}

static void send_messages(struct fake *fake, const struct nft_batch *part, size_t from, size_t to)
{
	struct nft_plan piece = {0};

	assert_int_equal(nft_batch_append(&piece.parts[0], part, from, to), 0);
	fake_apply(fake, &piece, 0, 1);
	assert_string_equal(fake->complaint, "");
	nft_plan_done(&piece);
}

/* Message by message, but for what is nothing without the next. */
static void send_apart(struct fake *fake, const struct nft_plan *plan, int from, int to,
		       const struct ruleset *met)
{
	for (int i = from; i < to; i++) {
		const struct nft_batch *part = &plan->parts[i];

		for (size_t at = 0, end; at < part->messages.n; at = end) {
			for (end = at + 1; part->messages.v[end - 1].more; end++)
				;
			send_messages(fake, part, at, end);
			assert_packets_meet(&fake->ruleset, met);
		}
	}
}

static void nothing_refers_to_a_part_until_the_change(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct ruleset old = {0}, new = {0};
		struct nft_plan plan = {0};
		struct fake fake = {0};

		sample_random(seed, &old);
		sample_random(seed * 7919, &new);
		assert_int_equal(nft_plan_full(&plan, &fake.ruleset, &old), 0);
		fake_apply(&fake, &plan, 0, NFT_PLAN_PARTS);
		assert_string_equal(fake.complaint, "");
		nft_plan_done(&plan);
		plan = (struct nft_plan){0};
		assert_packets_meet(&fake.ruleset, &old);

		assert_int_equal(nft_plan_full(&plan, &fake.ruleset, &new), 0);
		send_apart(&fake, &plan, 0, NFT_PLAN_CHANGE, &old);
		fake_apply(&fake, &plan, NFT_PLAN_CHANGE, NFT_PLAN_CLEANUP);
		assert_string_equal(fake.complaint, "");
		assert_packets_meet(&fake.ruleset, &new);
		send_apart(&fake, &plan, NFT_PLAN_CLEANUP, NFT_PLAN_PARTS, &new);

		nft_plan_done(&plan);
		fake_done(&fake);
		ruleset_done(&old);
		ruleset_done(&new);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_refers_to_a_part_until_the_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
