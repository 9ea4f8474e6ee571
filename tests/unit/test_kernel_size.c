/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions that are larger than a socket takes. */
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "fake_socket.h"
#include "sample.h"
#include "unit.h"

static void a_large_change_grows_the_buffer(void **state)
{
	static const bool both[] = {true, true};
	struct kernel_world *w = *state;
	struct ruleset large = {0};
	struct nft_plan plan = {0};

	sample_large(&large, 50000);
	ruleset_committed(&large);
	assert_int_equal(nft_plan_rebuild(&plan, both, &large, &large), 0);
	assert_int_equal(nft_kernel_apply(&w->kernel, &plan, &w->err), 0);
	assert_int_equal(fake_socket.n_sent, 1);
	assert_true(fake_socket.sent[0].len > 212992);
	nft_plan_done(&plan);
	ruleset_done(&large);
}

/* What a listener hears of a transaction: a message for each element, else for each message. */
static size_t objects_of(size_t which)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)fake_socket.sent[which].bytes;
	int left = (int)fake_socket.sent[which].len;
	size_t n = 0;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		uint16_t type = NFNL_MSG_TYPE(message->nlmsg_type);
		const struct nlattr *attr, *elem;

		if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
			continue;
		if (type != NFT_MSG_NEWSETELEM && type != NFT_MSG_DELSETELEM) {
			n++;
			continue;
		}
		mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
		{
			if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
				continue;
			mnl_attr_for_each_nested(elem, attr) n++;
		}
	}
	return n;
}

static void apply_changes(struct kernel_world *w, struct ruleset *ruleset)
{
	struct nft_plan plan = {0};

	fake_socket_forget();
	assert_int_equal(nft_plan_changes(&plan, ruleset), 0);
	assert_int_equal(nft_kernel_apply(&w->kernel, &plan, &w->err), 0);
	nft_plan_done(&plan);
	ruleset_committed(ruleset);
}

static void assert_in_parts(size_t elements)
{
	size_t n = 0;

	assert_true(fake_socket.n_sent > elements / NFT_PART_OBJECTS_MAX);
	for (size_t i = 0; i < fake_socket.n_sent; i++) {
		(void)fake_socket_transaction(i);
		assert_true(objects_of(i) <= NFT_PART_OBJECTS_MAX);
		n += objects_of(i);
	}
	assert_true(n >= elements);
}

static struct nft_key key_of(size_t i)
{
	struct nft_key key = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 172}};

	key.bytes[13] = (uint8_t)(i >> 16);
	key.bytes[14] = (uint8_t)(i >> 8);
	key.bytes[15] = (uint8_t)i;
	return key;
}

static void add_elements(struct nft_set *set, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct nft_key key = key_of(i);

		assert_int_equal(nft_set_add(set, &key, NULL), 0);
	}
}

static void what_is_new_goes_in_parts(void **state)
{
	struct kernel_world *w = *state;
	struct ruleset large = {0};

	sample_large(&large, 20000);
	apply_changes(w, &large);
	assert_in_parts(20000);
	ruleset_done(&large);
}

static uint16_t type_of(size_t which)
{
	const struct nlmsghdr *begin = (const struct nlmsghdr *)fake_socket.sent[which].bytes;
	int left = (int)fake_socket.sent[which].len;
	const struct nlmsghdr *first = mnl_nlmsg_next(begin, &left);

	return NFNL_MSG_TYPE(first->nlmsg_type);
}

/* What one kind of message takes says nothing of another: 1,024 elements may take less than one
 * millisecond, to delete as many sets took 160. */
static void the_first_of_each_kind_are_few(void **state)
{
	struct kernel_world *w = *state;
	struct ruleset many = {0};
	size_t kinds = 0;

	for (size_t i = 0; i < 3000; i++) {
		char name[NFT_NAME_MAX];
		struct nft_set *set;

		(void)snprintf(name, sizeof(name), "p4_%zu", i);
		set = nft_set_new(name, NFT_SET_TYPE_IPV4, "");
		assert_non_null(set);
		add_elements(set, 10);
		assert_int_equal(ruleset_put_set(&many, set), 0);
	}
	apply_changes(w, &many);
	for (size_t i = 0; i < fake_socket.n_sent; i++) {
		if (i > 0 && type_of(i) == type_of(i - 1))
			continue;
		kinds++;
		assert_true(objects_of(i) <= NFT_PART_OBJECTS_MIN);
	}
	assert_true(kinds > 2);
	ruleset_done(&many);
}

static void elements_that_only_allow_go_in_parts(void **state)
{
	struct kernel_world *w = *state;
	struct ruleset large = {0};
	struct nft_set *set;

	sample_large(&large, 10);
	apply_changes(w, &large);
	set = ruleset_set(&large, "p4_0");
	set->allows = true;
	add_elements(set, 5000);
	apply_changes(w, &large);
	assert_in_parts(5000);
	for (size_t i = 0; i < 5000; i++) {
		struct nft_key key = key_of(i);

		assert_int_equal(nft_set_remove(set, &key), 0);
	}
	apply_changes(w, &large);
	assert_in_parts(5000);
	ruleset_done(&large);
}

/* One that comes and one that goes: by halves both could be in, or neither. */
static void what_adds_and_takes_is_one_transaction(void **state)
{
	struct kernel_world *w = *state;
	struct ruleset large = {0};
	struct nft_key key = key_of(70000);
	struct nft_set *set;

	sample_large(&large, 10);
	set = ruleset_set(&large, "p4_0");
	set->allows = true;
	assert_int_equal(nft_set_add(set, &key, NULL), 0);
	apply_changes(w, &large);
	add_elements(set, 5000);
	assert_int_equal(nft_set_remove(set, &key), 0);
	apply_changes(w, &large);
	assert_int_equal(fake_socket.n_sent, 1);
	ruleset_done(&large);
}

static void elements_that_may_deny_are_one_transaction(void **state)
{
	struct kernel_world *w = *state;
	struct ruleset large = {0};

	sample_large(&large, 10);
	apply_changes(w, &large);
	add_elements(ruleset_set(&large, "p4_0"), 5000);
	apply_changes(w, &large);
	assert_int_equal(fake_socket.n_sent, 1);
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
		KERNEL_TEST(a_large_change_grows_the_buffer),
		KERNEL_TEST(what_is_new_goes_in_parts),
		KERNEL_TEST(the_first_of_each_kind_are_few),
		KERNEL_TEST(elements_that_only_allow_go_in_parts),
		KERNEL_TEST(what_adds_and_takes_is_one_transaction),
		KERNEL_TEST(elements_that_may_deny_are_one_transaction),
		KERNEL_TEST(without_the_right_to_grow_it_goes_in_pieces),
		KERNEL_TEST(pieces_of_any_size_keep_lists_and_rules_together),
		KERNEL_TEST(a_rebuild_is_never_cut),
	};

	return cmocka_run_group_tests_name("kernel size", tests, NULL, NULL);
}
