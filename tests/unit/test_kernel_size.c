/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions that are larger than a socket takes. */
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "fake_socket.h"
#include "sample.h"
#include "unit.h"

static void a_large_plan_grows_the_buffer(void **state)
{
	struct kernel_world *w = *state;
	struct ruleset large = {0};
	struct nft_plan plan = {0};

	sample_large(&large, 50000);
	assert_int_equal(nft_plan_changes(&plan, &large), 0);
	assert_int_equal(nft_kernel_apply(&w->kernel, &plan, &w->err), 0);
	assert_int_equal(fake_socket.n_sent, 1);
	assert_true(fake_socket.sent[0].len > 212992);
	nft_plan_done(&plan);
	ruleset_done(&large);
}

/* Every anonymous set and the rule that looks it up are in one transaction. */
static void check_lists(size_t which)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)fake_socket.sent[which].bytes;
	int left = (int)fake_socket.sent[which].len;
	bool open = false;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		uint16_t type = NFNL_MSG_TYPE(message->nlmsg_type);

		if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
			continue;
		if (type == NFT_MSG_NEWSET &&
		    memmem(message, message->nlmsg_len, "__set%d", 7) != NULL)
			open = true;
		if (type == NFT_MSG_NEWRULE)
			open = false;
	}
	assert_false(open);
}

static void without_the_right_to_grow_it_goes_in_pieces(void **state)
{
	struct kernel_world *w = *state;
	struct ruleset large = {0};
	struct nft_plan plan = {0};

	fake_socket.force_refused = true;
	fake_socket.send_buffer_max = 40000;
	sample_large(&large, 20000);
	assert_int_equal(nft_plan_changes(&plan, &large), 0);
	assert_int_equal(nft_kernel_apply(&w->kernel, &plan, &w->err), 0);
	assert_true(fake_socket.n_sent > 3);
	for (size_t i = 0; i < fake_socket.n_sent; i++) {
		(void)fake_socket_transaction(i);
		check_lists(i);
	}
	assert_int_equal(w->kernel.commits, fake_socket.n_sent);
	nft_plan_done(&plan);
	ruleset_done(&large);
}

static void pieces_of_any_size_keep_lists_and_rules_together(void **state)
{
	struct kernel_world *w = *state;
	size_t sent = 0;

	fake_socket.force_refused = true;
	for (size_t room = 300; room < 4000; room += 53) {
		w->kernel.send_max = room;
		fake_socket.told = (int)room;
		if (kernel_world_apply(w) < 0)
			fail_msg("%s", w->err.text);
		for (; sent < fake_socket.n_sent; sent++) {
			(void)fake_socket_transaction(sent);
			check_lists(sent);
		}
		for (size_t i = 0; i < fake_socket.n_sent; i++)
			free(fake_socket.sent[i].bytes);
		fake_socket.n_sent = sent = 0;
	}
}

static void a_rebuild_is_never_cut(void **state)
{
	static const bool both[] = {true, true};
	struct kernel_world *w = *state;
	struct ruleset large = {0};
	struct nft_plan plan = {0};

	fake_socket.force_refused = true;
	sample_large(&large, 50000);
	assert_int_equal(nft_plan_rebuild(&plan, both, &(struct ruleset){0}, &large), 0);
	assert_int_equal(nft_kernel_apply(&w->kernel, &plan, &w->err), -EMSGSIZE);
	assert_int_equal(fake_socket.n_sent, 0);
	nft_plan_done(&plan);
	ruleset_done(&large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KERNEL_TEST(a_large_plan_grows_the_buffer),
		KERNEL_TEST(without_the_right_to_grow_it_goes_in_pieces),
		KERNEL_TEST(pieces_of_any_size_keep_lists_and_rules_together),
		KERNEL_TEST(a_rebuild_is_never_cut),
	};

	return cmocka_run_group_tests_name("kernel size", tests, NULL, NULL);
}
