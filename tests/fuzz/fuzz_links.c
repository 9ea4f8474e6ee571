/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as the history of a host's network: links, addresses and routes come and go, with the
 * notifications that the kernel sends of it and without those that it does not send; messages of
 * any content in between. When what is in doubt has been read again, what is followed is what a
 * dump of everything says. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/log.h"
#include "base/vec.h"
#include "choices.h"
#include "fuzz.h"
#include "node/links.h"
#include "node/neigh.h"
#include "node/rtnl.h"

#define LINKS  6
#define ADDRS  8
#define ROUTES 12
#define HOSTS  6 /* addresses that are asked about, of each family */
#define BUFFER 1024

/* What the kernel has. */
struct host_link {
	bool there;
	unsigned kind, name, master;
};

struct host_addr {
	bool there;
	unsigned index;
	uint8_t family, host, len;
};

struct host_route {
	bool there;
	unsigned index;
	uint8_t family, host; /* host 0: a default route */
	bool gateway;
};

struct scene {
	struct choices choices;
	struct host_link links[LINKS + 1];
	struct host_addr addrs[ADDRS];
	struct host_route routes[ROUTES];
	void *state, *neigh;
	bool unknown; /* there was a message of any content */
};

static const char *const kinds[] = {"veth", "bridge", "vxlan", "vrf", "dummy"};

static void make_addr(uint8_t family, uint8_t host, struct addr *ret)
{
	*ret = (struct addr){.family = family == AF_INET ? FAMILY_V4 : FAMILY_V6};
	ret->b[0] = family == AF_INET ? 10 : 0xfd;
	ret->b[addr_bytes((enum family)ret->family) - 1] = host;
}

static void put_addr(struct nlmsghdr *message, uint16_t type, uint8_t family, uint8_t host)
{
	struct addr addr;

	make_addr(family, host, &addr);
	mnl_attr_put(message, type, addr_bytes((enum family)addr.family), addr.b);
}

/* Messages. */

static struct nlmsghdr *start_message(void *buffer, uint16_t type, size_t header, uint8_t family)
{
	struct nlmsghdr *message;

	memset(buffer, 0, BUFFER);
	message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = type;
	*(uint8_t *)mnl_nlmsg_put_extra_header(message, header) = family;
	return message;
}

static void send_link(const struct scene *s, void *state, uint16_t type, unsigned index)
{
	_Alignas(struct nlmsghdr) char buffer[BUFFER];
	const struct host_link *link = &s->links[index];
	struct nlmsghdr *message = start_message(buffer, type, sizeof(struct ifinfomsg), AF_UNSPEC);
	struct nlattr *info;
	char name[IFNAMSIZ];
	bool changed = false;

	((struct ifinfomsg *)mnl_nlmsg_get_payload(message))->ifi_index = (int)index;
	(void)snprintf(name, sizeof(name), "l%u", link->name);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	if (link->master)
		mnl_attr_put_u32(message, IFLA_MASTER, link->master);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, kinds[link->kind]);
	mnl_attr_nest_end(message, info);
	REQUIRE(links_kind.apply(state, message, &changed) == 0);
}

static void send_addr(void *state, uint16_t type, const struct host_addr *addr)
{
	_Alignas(struct nlmsghdr) char buffer[BUFFER];
	struct nlmsghdr *message =
		start_message(buffer, type, sizeof(struct ifaddrmsg), addr->family);
	struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	bool changed = false;

	header->ifa_index = addr->index;
	header->ifa_prefixlen = addr->len;
	put_addr(message, IFA_ADDRESS, addr->family, addr->host);
	if (addr->family == AF_INET)
		put_addr(message, IFA_LOCAL, addr->family, addr->host);
	REQUIRE(links_kind.apply(state, message, &changed) == 0);
}

static void send_route(void *state, uint16_t type, const struct host_route *route)
{
	_Alignas(struct nlmsghdr) char buffer[BUFFER];
	struct nlmsghdr *message = start_message(buffer, type, sizeof(struct rtmsg), route->family);
	struct rtmsg *header = mnl_nlmsg_get_payload(message);
	bool changed = false;

	header->rtm_dst_len = route->host == 0 ? 0 : route->family == AF_INET ? 32 : 128;
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(message, RTA_TABLE, RT_TABLE_MAIN);
	if (route->host)
		put_addr(message, RTA_DST, route->family, route->host);
	mnl_attr_put_u32(message, RTA_OIF, route->index);
	if (route->gateway)
		put_addr(message, RTA_GATEWAY, route->family, 77);
	REQUIRE(links_kind.apply(state, message, &changed) == 0);
}

/* What the kernel answers to a dump. */
static void send_dump(const struct scene *s, void *state, const struct rtnl_dump *dump)
{
	for (unsigned i = 1; i <= LINKS && dump->type == RTM_GETLINK; i++) {
		if (s->links[i].there && (!dump->index || dump->index == i))
			send_link(s, state, RTM_NEWLINK, i);
	}
	for (size_t i = 0; i < ADDRS && dump->type == RTM_GETADDR; i++) {
		if (s->addrs[i].there && (!dump->index || dump->index == s->addrs[i].index))
			send_addr(state, RTM_NEWADDR, &s->addrs[i]);
	}
	for (size_t i = 0; i < ROUTES && dump->type == RTM_GETROUTE; i++) {
		if (s->routes[i].there && s->routes[i].family == dump->family &&
		    (!dump->index || dump->index == s->routes[i].index))
			send_route(state, RTM_NEWROUTE, &s->routes[i]);
	}
}

/* Changes. */

/* Routes by a link end with it, or with its being down, without a word. */
static void end_routes(struct scene *s, unsigned index)
{
	for (size_t i = 0; i < ROUTES; i++) {
		if (s->routes[i].index == index)
			s->routes[i].there = false;
	}
}

static void change_link(struct scene *s)
{
	unsigned index = 1 + choose(&s->choices, LINKS), what = choose(&s->choices, 4);
	struct host_link *link = &s->links[index];

	if (what == 0 && link->there) {
		link->there = false;
		end_routes(s, index);
		for (size_t i = 0; i < ADDRS; i++) {
			if (s->addrs[i].index == index)
				s->addrs[i].there = false;
		}
		send_link(s, s->state, RTM_DELLINK, index);
		return;
	}
	if (what == 1 && link->there)
		end_routes(s, index);
	/* The kind stays, a name is only one link's. */
	if (!link->there)
		link->kind = choose(&s->choices, ARRAY_LEN(kinds));
	link->there = true;
	link->name = index + LINKS * choose(&s->choices, 2);
	link->master = choose(&s->choices, 3);
	send_link(s, s->state, RTM_NEWLINK, index);
}

static bool is_same_addr(const struct host_addr *a, const struct host_addr *b)
{
	return a->index == b->index && a->family == b->family && a->host == b->host;
}

static void change_addr(struct scene *s)
{
	struct host_addr *addr = &s->addrs[choose(&s->choices, ADDRS)];
	struct host_addr made = {.there = true,
				 .index = 1 + choose(&s->choices, LINKS),
				 .family = choose(&s->choices, 2) ? AF_INET : AF_INET6,
				 .host = (uint8_t)(1 + choose(&s->choices, HOSTS)),
				 .len = choose(&s->choices, 2) ? 24 : 32};

	if (addr->there) {
		addr->there = false;
		send_addr(s->state, RTM_DELADDR, addr);
		return;
	}
	for (size_t i = 0; i < ADDRS; i++) {
		if (s->addrs[i].there && is_same_addr(&s->addrs[i], &made))
			return; /* EEXIST */
	}
	if (!s->links[made.index].there)
		return;
	*addr = made;
	send_addr(s->state, RTM_NEWADDR, addr);
}

static bool is_same_route(const struct host_route *a, const struct host_route *b)
{
	return a->index == b->index && a->family == b->family && a->host == b->host;
}

static void change_route(struct scene *s)
{
	struct host_route *route = &s->routes[choose(&s->choices, ROUTES)];
	struct host_route made = {.there = true,
				  .index = 1 + choose(&s->choices, LINKS),
				  .family = choose(&s->choices, 2) ? AF_INET : AF_INET6,
				  .host = (uint8_t)choose(&s->choices, HOSTS + 1),
				  .gateway = choose(&s->choices, 3) == 0};

	if (route->there) {
		route->there = false;
		send_route(s->state, RTM_DELROUTE, route);
		return;
	}
	for (size_t i = 0; i < ROUTES; i++) {
		if (s->routes[i].there && is_same_route(&s->routes[i], &made))
			return;
	}
	if (!s->links[made.index].there)
		return;
	*route = made;
	send_route(s->state, RTM_NEWROUTE, route);
}

/* A message in memory of exactly its size, so that reading beyond it is seen. */
static void send_any(struct scene *s)
{
	static const uint16_t types[] = {RTM_NEWLINK,  RTM_DELLINK,  RTM_NEWADDR,
					 RTM_DELADDR,  RTM_NEWROUTE, RTM_DELROUTE,
					 RTM_NEWNEIGH, RTM_DELNEIGH, 104 /* RTM_NEWNEXTHOP */};
	uint16_t type = types[choose(&s->choices, ARRAY_LEN(types))];
	size_t len = choose(&s->choices, 96);
	struct nlmsghdr *message = calloc(1, NLMSG_HDRLEN + len);
	bool changed = false;
	int rc;

	REQUIRE(message);
	message->nlmsg_len = (uint32_t)(NLMSG_HDRLEN + len);
	message->nlmsg_type = type;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)mnl_nlmsg_get_payload(message))[i] = choose_byte(&s->choices);
	rc = (type == RTM_NEWNEIGH || type == RTM_DELNEIGH)
		     ? neigh_kind.apply(s->neigh, message, &changed)
		     : links_kind.apply(s->state, message, &changed);
	REQUIRE(rc == 0);
	free(message);
	s->unknown = true;
}

/* As rtnl.c does it. */
static void settle(struct scene *s)
{
	struct rtnl_dump dumps[RTNL_DOUBTS_MAX];
	bool changed = false;
	size_t n;

	REQUIRE(links_kind.doubts(s->state) <= RTNL_DOUBTS_MAX);
	if (links_kind.doubts(s->state) == 0)
		return;
	n = links_kind.reread(s->state, dumps);
	REQUIRE(n <= RTNL_DOUBTS_MAX);
	for (size_t i = 0; i < n; i++)
		send_dump(s, s->state, &dumps[i]);
	for (size_t i = 0; i < n; i++)
		links_kind.sweep(s->state, &dumps[i], &changed);
}

static void count_route(void *ctx, const struct addr *addr, unsigned index)
{
	(void)addr;
	(void)index;
	++*(size_t *)ctx;
}

static void check_link(const struct links *a, const struct links *b, unsigned index)
{
	const struct link *one = links_by_index(a, index), *other = links_by_index(b, index);

	REQUIRE((one != NULL) == (other != NULL));
	if (!one)
		return;
	REQUIRE(strcmp(one->name, other->name) == 0 && one->kind == other->kind &&
		one->master == other->master && one->tunnel.kind == other->tunnel.kind);
	REQUIRE(links_by_name(a, one->name) == one && links_by_name(b, one->name) == other);
	REQUIRE(links_is_uplink(a, index) == links_is_uplink(b, index));
}

/* Whatever is asked, both answer the same. */
static void check_same(const struct links *a, const struct links *b)
{
	size_t routes_a = 0, routes_b = 0;

	for (unsigned index = 0; index <= LINKS; index++)
		check_link(a, b, index);
	for (uint8_t host = 0; host <= HOSTS; host++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct addr addr;

			make_addr(v6 ? AF_INET6 : AF_INET, host, &addr);
			REQUIRE(links_is_host(a, &addr) == links_is_host(b, &addr));
			REQUIRE(links_leads_to_pods(a, &addr) == links_leads_to_pods(b, &addr));
		}
	}
	links_each_route(a, count_route, &routes_a);
	links_each_route(b, count_route, &routes_b);
	REQUIRE(routes_a == routes_b);
}

static void check(struct scene *s)
{
	void *fresh = links_kind.new();

	REQUIRE(fresh);
	settle(s);
	for (size_t i = 0; i < links_kind.n_dumps; i++)
		send_dump(s, fresh, &links_kind.dumps[i]);
	if (!s->unknown)
		check_same(s->state, fresh);
	links_kind.free(fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scene s = {.choices = {data, data + size},
			  .state = links_kind.new(),
			  .neigh = neigh_kind.new()};

	log_set_level(LOG_LEVEL_ERR);
	REQUIRE(s.state && s.neigh);
	while (s.choices.p < s.choices.end) {
		switch (choose(&s.choices, 16)) {
		case 0:
			send_any(&s);
			break;
		case 1:
		case 2:
			check(&s);
			break;
		case 3:
		case 4:
		case 5:
		case 6:
			change_link(&s);
			break;
		case 7:
		case 8:
		case 9:
		case 10:
			change_addr(&s);
			break;
		default:
			change_route(&s);
			break;
		}
	}
	check(&s);
	links_kind.free(s.state);
	neigh_kind.free(s.neigh);
	return 0;
}
