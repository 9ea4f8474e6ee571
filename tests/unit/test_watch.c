/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others do to our tables, and who it was. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "fake_socket.h"
#include "nft/watch.h"
#include "unit.h"

static void lost_notifications_are_a_touch(void **state)
{
	struct kernel_world *w = *state;
	struct nft_touch touch;
	struct nft_watch watch;

	assert_int_equal(nft_watch_open(&watch, &w->kernel, &w->err), 0);
	assert_int_equal(nft_watch_read(&watch, &touch), 0);
	assert_false(touch.touched);
	fake_socket_enqueue(EINTR);
	fake_socket_enqueue(ENOBUFS);
	assert_int_equal(nft_watch_read(&watch, &touch), 0);
	assert_true(touch.touched);
	assert_int_equal(touch.pid, 0);
	assert_string_equal(touch.name, "");
	fake_socket_enqueue(EBADF);
	assert_int_equal(nft_watch_read(&watch, &touch), -EBADF);
	nft_watch_close(&watch);
}

static void notify(uint16_t type, uint8_t family, const char *table, uint32_t portid)
{
	struct nlmsghdr *message =
		fake_socket_answer((uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), 0, 1);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_pid = portid;
	header->nfgen_family = family;
	if (type == NFT_MSG_NEWGEN) {
		mnl_attr_put_u32(message, NFTA_GEN_ID, htonl(7));
		mnl_attr_put_u32(message, NFTA_GEN_PROC_PID, htonl(99));
		mnl_attr_put_strz(message, NFTA_GEN_PROC_NAME, "firewalld");
	} else {
		mnl_attr_put_strz(message, NFTA_RULE_TABLE, table);
		mnl_attr_put_strz(message, NFTA_RULE_CHAIN, "forward");
	}
	fake_socket_answered(message);
}

static void only_others_changes_to_our_tables_touch(void **state)
{
	static const struct {
		uint8_t family;
		const char *table;
		uint32_t portid;
		bool touched;
	} rows[] = {
		{NFPROTO_INET, "netpold", 5, true},
		{NFPROTO_BRIDGE, "netpold", 5, true},
		{NFPROTO_INET, "netpold", 0, true},
		{NFPROTO_INET, "netpold", FAKE_PORT_ID, false},
		{NFPROTO_IPV4, "netpold", 5, false},
		{NFPROTO_INET, "netpold2", 5, false},
		{NFPROTO_NETDEV, "netpold", 5, false},
	};
	struct kernel_world *w = *state;
	struct nft_touch touch;
	struct nft_watch watch;

	assert_int_equal(nft_watch_open(&watch, &w->kernel, &w->err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		notify(NFT_MSG_DELRULE, rows[i].family, rows[i].table, rows[i].portid);
		/* Who it was comes at the end, maybe with the next reading. */
		assert_int_equal(nft_watch_read(&watch, &touch), 0);
		assert_false(touch.touched);
		notify(NFT_MSG_NEWGEN, 0, NULL, rows[i].portid);
		assert_int_equal(nft_watch_read(&watch, &touch), 0);
		assert_int_equal(touch.touched, rows[i].touched);
		assert_string_equal(touch.name, rows[i].touched ? "firewalld" : "");
		assert_int_equal(touch.pid, rows[i].touched ? 99 : 0);
		assert_string_equal(touch.what,
				    rows[i].touched ? "rule gone from chain forward" : "");
	}
	nft_watch_close(&watch);
}

static void a_pause_tells_what_was_missed(void **state)
{
	struct kernel_world *w = *state;
	struct nft_watch watch;
	bool missed = true;

	assert_int_equal(nft_watch_open(&watch, &w->kernel, &w->err), 0);
	assert_int_equal(nft_watch_pause(&watch, &w->kernel), 0);
	assert_int_equal(kernel_world_apply(w), 0);
	fake_socket.generation++;
	assert_int_equal(nft_watch_resume(&watch, &w->kernel, &missed), 0);
	assert_false(missed);
	assert_int_equal(nft_watch_pause(&watch, &w->kernel), 0);
	assert_int_equal(kernel_world_apply(w), 0);
	fake_socket.generation += 2;
	assert_int_equal(nft_watch_resume(&watch, &w->kernel, &missed), 0);
	assert_true(missed);
	nft_watch_close(&watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KERNEL_TEST(lost_notifications_are_a_touch),
		KERNEL_TEST(only_others_changes_to_our_tables_touch),
		KERNEL_TEST(a_pause_tells_what_was_missed),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
