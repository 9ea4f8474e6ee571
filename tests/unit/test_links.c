/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of links, addresses and routes, told in lines (see node.h): what notifications
 * change, what they leave in doubt, and where the host sends what is for an address. */
#include "unit.h"

#include <linux/rtnetlink.h>

#include "node.h"

#define UPLINK "link 2 eth0 -; addr 2 192.168.0.1; route default dev 2 via;"

/* Where the host sends what is for an address. */
struct way_row {
	const char *name, *lines, *addr;
	bool to_pods;
};

#define SUBNET UPLINK "link 5 cni0 bridge; addr 5 10.0.0.1/24; addr 5 fd00::1/64;"

static const struct way_row ways[] = {
	{"an outside host is no pod", UPLINK, "198.51.100.7", false},
	{"a host of the node's own network is none", UPLINK, "192.168.0.9", false},
	{"a route to one of a pair leads to a pod", UPLINK "link 6 a veth; route 10.0.0.5 dev 6",
	 "10.0.0.5", true},
	{"a route that is gone does not", UPLINK "link 6 a veth; route 10.0.0.5 dev 6; unlink 6",
	 "10.0.0.5", false},
	{"a route to something else does not", UPLINK "link 6 a -; route 10.0.0.5 dev 6",
	 "10.0.0.5", false},
	{"a route to a bridge leads to pods", UPLINK "link 5 cni0 bridge; route 10.0.0.5 dev 5",
	 "10.0.0.5", true},
	{"so does a bridge's subnet", SUBNET, "10.0.0.5", true},
	{"of IPv6 as well", SUBNET, "fd00::5", true},
	{"but not beyond it", SUBNET, "10.0.1.5", false},
	{"nor to the host itself", SUBNET, "10.0.0.1", false},
	{"a more precise route goes first", SUBNET "route 10.0.0.5 dev 2", "10.0.0.5", false},
	{"a subnet ends with its address", SUBNET "unaddr 5 10.0.0.1; reread; done", "10.0.0.5",
	 false},
	{"but not with another address in it",
	 SUBNET "addr 5 10.0.0.2/24; unaddr 5 10.0.0.1; reread; addr 5 10.0.0.2/24; done",
	 "10.0.0.5", true},
	{"an address that the host has twice is its own until both are gone",
	 UPLINK "link 6 a veth; addr 6 10.0.0.5; addr 6 10.0.0.5/24; unaddr 6 10.0.0.5/24;"
		"reread; addr 6 10.0.0.5; done; route 10.0.0.5 dev 6",
	 "10.0.0.5", false},
	{"the subnet of a pair of addresses is the other end's",
	 UPLINK "link 5 cni0 bridge; addr 5 10.0.0.1/24 peer 10.9.0.1", "10.9.0.5", true},
	{"and with its link", SUBNET "unlink 5", "10.0.0.5", false},
	{"all of a link-local network is no subnet", UPLINK "link 5 cni0 bridge; addr 5 fe80::1/64",
	 "fe80::5", false},
	{"the subnet of another link is none of pods", UPLINK "addr 2 10.0.0.1/24", "10.0.0.5",
	 false},
	{"nor is that of a bridge that is the way out",
	 "link 5 br0 bridge; addr 5 10.0.0.1/24; route default dev 5 via", "10.0.0.5", false},
};

static void start(struct node_host *host, const char *lines)
{
	assert_int_equal(node_host_init(host), 0);
	assert_int_equal(node_host_do(host, lines), 0);
}

struct change_row {
	const char *name;
	const char *before, *lines;
	bool changes;
};

static const struct change_row changes[] = {
	{"a link", "", "link 6 a veth", true},
	{"a link again", "link 6 a veth", "link 6 a veth", false},
	{"a link's name", "link 6 a veth", "link 6 b veth", true},
	{"a link's master", "link 6 a veth", "link 6 a veth 5", true},
	{"a link down without routes", "link 6 a veth", "link 6 a veth 0 down", false},
	{"the end of a link that is not there", "", "unlink 6", false},
	{"the end of one of which nothing was known but a route", "route 10.0.0.5 dev 6",
	 "unlink 6", true},
	{"a route to a network", "link 6 a veth", "route 10.0.0.0/24 dev 6", false},
	{"a route by a gateway", "link 6 a veth", "route 10.0.0.5 dev 6 via", false},
	{"a route", "link 6 a veth", "route 10.0.0.5 dev 6", true},
	{"a route again", "link 6 a veth; route 10.0.0.5 dev 6", "route 10.0.0.5 dev 6", false},
	{"the end of a route that is not there", "route 10.0.0.5 dev 6", "unroute 10.0.0.5 dev 7",
	 false},
	{"the end of a link with routes", "link 6 a veth; route 10.0.0.5 dev 6", "unlink 6", true},
	{"what is read again and as it was", "addr 6 10.0.0.1; route 10.0.0.5 dev 6",
	 "unaddr 6 10.0.0.1; reread; addr 6 10.0.0.1; route 10.0.0.5 dev 6; done", false},
	{"what is read again and gone", "route 10.0.0.5 dev 6",
	 "unroute 10.0.0.5 dev 6; reread; done", true},
	{"an address", "", "addr 6 10.0.0.1", true},
	{"an address again", "addr 6 10.0.0.1", "addr 6 10.0.0.1", false},
	{"a neighbour", "", "neigh 6 10.0.0.5 02:00:00:00:00:05", true},
	{"a neighbour again", "neigh 6 10.0.0.5 02:00:00:00:00:05",
	 "neigh 6 10.0.0.5 02:00:00:00:00:05", false},
	{"a neighbour's hardware address", "neigh 6 10.0.0.5 02:00:00:00:00:05",
	 "neigh 6 10.0.0.5 02:00:00:00:00:06", true},
	{"a forwarding entry again", "fdb 6 5 02:00:00:00:00:05", "fdb 6 5 02:00:00:00:00:05",
	 false},
	{"a forwarding entry's port", "fdb 6 5 02:00:00:00:00:05", "fdb 7 5 02:00:00:00:00:05",
	 true},
	{"a forwarding entry that is the port's own now", "fdb 6 5 02:00:00:00:00:05",
	 "fdb 6 5 02:00:00:00:00:05 permanent", true},
};

static void says_whether_it_changes(void **state)
{
	const struct change_row *row = *state;
	struct node_host host;

	start(&host, row->before);
	assert_int_equal(node_host_do(&host, row->lines), 0);
	assert_int_equal(host.changed, row->changes);
	node_host_done(&host);
}

/* Messages cut short, or with attributes of wrong sizes, are no messages. */
static void what_is_malformed_is_ignored(void **state)
{
	struct unit_random random = unit_random_start("malformed messages");
	struct node_host host;

	(void)state;
	start(&host, "");
	for (unsigned i = 0; i < 20000; i++) {
		_Alignas(struct nlmsghdr) uint8_t buffer[256];
		struct nlmsghdr *message = (struct nlmsghdr *)buffer;

		for (size_t k = 0; k < sizeof(buffer); k++)
			buffer[k] = (uint8_t)(unit_random(&random, 3) ? unit_random(&random, 8)
								      : unit_random(&random, 256));
		message->nlmsg_len = 16 + unit_random(&random, sizeof(buffer) - 15);
		message->nlmsg_type = (uint16_t)(16 + unit_random(&random, 16));
		buffer[16] = (uint8_t[]){0, 2, 7, 10}[unit_random(&random, 4)];
		assert_int_equal(links_kind.apply(host.links, message, &host.changed), 0);
		assert_int_equal(neigh_kind.apply(host.neigh, message, &host.changed), 0);
	}
	node_host_done(&host);
}

struct doubt_row {
	const char *name;
	const char *lines;
	const char *shown; /* what is to be read again: KIND INDEX, ... */
};

#define ROUTED                                                                             \
	"link 2 eth0 -; route default dev 2 via; route default6 dev 2 via; link 6 a veth;" \
	"link 7 b veth; addr 6 10.0.0.1; route 10.0.0.5 dev 6; route 10.0.0.6 dev 7;"      \
	"route fd00::5 dev 6;"

static const struct doubt_row doubts[] = {
	{"what is new", ROUTED "link 8 c veth; addr 8 10.0.0.1; route 10.0.0.8 dev 8", ""},
	{"a link that ends", ROUTED "unlink 6", ""},
	{"a link that has lost all before it ends",
	 ROUTED "link 6 a veth 0 down; unaddr 6 10.0.0.1; unroute fd00::5 dev 6; unlink 6", ""},
	{"a link with routes that tells something", ROUTED "link 6 a veth 0 down", "v4 6, v6 6"},
	{"a link with routes of one family", ROUTED "link 7 b veth 5", "v4 7"},
	{"a link without routes", ROUTED "link 8 c veth; link 8 c veth 0 down", ""},
	{"an address that ends", ROUTED "addr 2 10.0.0.2; unaddr 8 10.0.0.2", "addr 8"},
	{"one of a link with routes", ROUTED "unaddr 6 10.0.0.1", "addr 6, v4 6"},
	{"of IPv6, whose routes the kernel tells of", ROUTED "unaddr 6 fd00::1", "addr 6"},
	{"one that is the source of routes",
	 ROUTED "route 10.0.0.5 dev 7 src 10.0.0.9; unaddr 8 "
		"10.0.0.9",
	 "addr 8, v4 7"},
	{"one that gets another peer", "addr 6 fd00::1 peer fd00::5; addr 6 fd00::1 peer fd00::6",
	 "addr 6"},
	{"one that is there twice", "addr 6 10.0.0.1/24; addr 6 10.0.0.1", "addr 6"},
	{"which is settled once it was read again",
	 "addr 6 10.0.0.1/24; addr 6 10.0.0.1; reread; addr 6 10.0.0.1/24; addr 6 10.0.0.1; done",
	 ""},
	{"a link that told of itself before it had routes",
	 "link 6 a veth; link 6 a veth; route 10.0.0.5 dev 6; link 6 a veth", "v4 6"},
	{"a route that ends", ROUTED "unroute 10.0.0.5 dev 6", "v4 6"},
	{"one of several of a destination", ROUTED "route 10.0.0.5 dev 7; unroute 10.0.0.5 dev 7",
	 "v4 6, v4 7"},
	{"one that nobody knows", ROUTED "unroute 10.0.0.9 dev 6; unroute 10.0.1.0/24 dev 6", ""},
	{"one in another table", ROUTED "unroute 10.0.0.5 dev 6 table 100", ""},
	{"a route that is replaced", ROUTED "route 10.0.0.5 dev 8 replace", "v4 6"},
	{"by one that does not count", ROUTED "route 10.0.0.5 dev 2 via replace", "v4 6"},
	{"one that replaces nothing known", ROUTED "route 10.0.0.9 dev 6 replace", ""},
	{"a default route in another table", ROUTED "unroute default dev 9 via table 100", "v4 2"},
	{"a nexthop that nobody uses", ROUTED "unnexthop; nexthop replace", ""},
	{"a new nexthop", ROUTED "route default dev 6 nhid; nexthop", ""},
	{"a nexthop that ends", ROUTED "route default dev 6 nhid; unnexthop", "v4 0"},
	{"one that is replaced", ROUTED "route default6 dev 6 nhid; nexthop replace", "v6 0"},
	{"twice the same", ROUTED "unaddr 6 10.0.0.1; unaddr 6 10.0.0.2; unroute 10.0.0.5 dev 6",
	 "addr 6, v4 6"},
	{"what is read again is in doubt no more", ROUTED "unroute 10.0.0.5 dev 6; reread; done",
	 ""},
	{"too many for one at a time",
	 "unaddr 1 ::1; unaddr 2 ::1; unaddr 3 ::1; unaddr 4 ::1; unaddr 5 ::1; unaddr 6 ::1;"
	 "unaddr 7 ::1; unaddr 8 ::1; unaddr 9 ::1; unaddr 10 ::1; unaddr 11 ::1; unaddr 12 ::1;"
	 "unaddr 13 ::1; unaddr 14 ::1; unaddr 15 ::1; unaddr 16 ::1; unaddr 17 ::1",
	 "addr 0, v4 0, v6 0"},
	{"and no more after that",
	 "unaddr 1 ::1; unaddr 2 ::1; unaddr 3 ::1; unaddr 4 ::1; unaddr 5 ::1; unaddr 6 ::1;"
	 "unaddr 7 ::1; unaddr 8 ::1; unaddr 9 ::1; unaddr 10 ::1; unaddr 11 ::1; unaddr 12 ::1;"
	 "unaddr 13 ::1; unaddr 14 ::1; unaddr 15 ::1; unaddr 16 ::1; unaddr 17 ::1; unaddr 18 "
	 "::1; route 10.0.0.5 dev 6; link 6 a veth",
	 "addr 0, v4 0, v6 0"},
};

static void is_in_doubt(void **state)
{
	const struct doubt_row *row = *state;
	struct rtnl_dump dumps[RTNL_DOUBTS_MAX];
	char shown[512] = "";
	struct node_host host;
	size_t n;

	start(&host, row->lines);
	n = links_kind.doubts(host.links);
	assert_int_equal(links_kind.reread(host.links, dumps), n);
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(shown);

		(void)snprintf(shown + used, sizeof(shown) - used, "%s%s %u", i ? ", " : "",
			       dumps[i].type == RTM_GETADDR ? "addr"
			       : dumps[i].family == AF_INET ? "v4"
							    : "v6",
			       dumps[i].index);
	}
	assert_string_equal(shown, row->shown);
	assert_int_equal(links_kind.doubts(host.links), 0);
	node_host_done(&host);
}

static void leads_to_pods_or_not(void **state)
{
	const struct way_row *row = *state;
	struct node_host host;
	struct addr addr;

	start(&host, row->lines);
	assert_true(addr_parse(row->addr, &addr));
	assert_int_equal(links_leads_to_pods(host.links, &addr), row->to_pods);
	node_host_done(&host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_malformed_is_ignored),
	};
	int failed = RUN_ROWS("ways", ways, leads_to_pods_or_not);

	failed += RUN_ROWS("changes", changes, says_whether_it_changes);
	failed += RUN_ROWS("doubts", doubts, is_in_doubt);
	return failed + cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
