/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node/links.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "addr_message.h"
#include "base/log.h"
#include "link_info.h"
#include "links_state.h"

/* What is read at first; addresses and routes may be read again, of one link or of all. */
enum part { LINKS, HOST_ADDRS, ROUTES_V4, ROUTES_V6 };

static const struct rtnl_dump parts[] = {
	[LINKS] = {RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg), 0},
	[HOST_ADDRS] = {RTM_GETADDR, AF_UNSPEC, sizeof(struct ifaddrmsg), 0},
	[ROUTES_V4] = {RTM_GETROUTE, AF_INET, sizeof(struct rtmsg), 0},
	[ROUTES_V6] = {RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), 0},
};

/* What is beyond is left out. */
static int say_full(struct links *links, int rc)
{
	if (rc != -ENOSPC)
		return rc;
	if (!links->said_full)
		log_warning("node",
			    "more links, addresses or routes than are followed; ignoring the rest");
	links->said_full = true;
	return 0;
}

/* Where there are many, one dump of everything costs less than one of each: the kernel walks whole
 * tables also for the routes of one link. */
static void doubt(struct links *links, enum part part, unsigned index)
{
	struct rtnl_dump dump = parts[part];

	for (size_t i = 0; i < links->n_doubts; i++) {
		const struct rtnl_dump *known = &links->doubts[i];

		if (known->type == dump.type && known->family == dump.family &&
		    (known->index == 0 || known->index == index))
			return;
	}
	dump.index = index;
	if (links->n_doubts < RTNL_DOUBTS_MAX) {
		links->doubts[links->n_doubts++] = dump;
		return;
	}
	links->n_doubts = 0;
	for (part = HOST_ADDRS; part < ARRAY_LEN(parts); part++)
		links->doubts[links->n_doubts++] = parts[part];
}

static enum part routes_of(const struct prefix *dst)
{
	return dst->addr.family == FAMILY_V4 ? ROUTES_V4 : ROUTES_V6;
}

/* All routes of the destination; NULL is fine. */
static void doubt_routes(struct links *links, const struct addr_row *row)
{
	for (size_t i = 0; row && i < row->entries.n; i++) {
		if (!row->entries.v[i].own)
			doubt(links, routes_of(&row->dst), row->entries.v[i].index);
	}
}

/* Routes by the link, or, where an IPv4 address of it has ended, those of IPv4, and those that have
 * it as their source; how many. */
static size_t doubt_routes_of(struct links *links, unsigned index, const struct addr *ended)
{
	size_t n = 0;

	for (const struct addr_row *row = links->addrs.rows; row; row = row->hh.next) {
		if (ended && row->dst.addr.family != FAMILY_V4)
			continue;
		for (size_t i = 0; i < row->entries.n; i++) {
			const struct addr_entry *entry = &row->entries.v[i];

			if (entry->own || (entry->index != index &&
					   !(ended && addr_compare(&entry->source, ended) == 0)))
				continue;
			doubt(links, routes_of(&row->dst), entry->index);
			n++;
		}
	}
	return n;
}

/* The link has ended with all that it had, which is known. */
static void drop_doubts(struct links *links, unsigned index)
{
	size_t kept = 0;

	for (size_t i = 0; i < links->n_doubts; i++) {
		if (links->doubts[i].index != index)
			links->doubts[kept++] = links->doubts[i];
	}
	links->n_doubts = kept;
}

static size_t count_doubts(const void *state)
{
	const struct links *links = state;

	return links->n_doubts;
}

static size_t reread(void *state, struct rtnl_dump *ret_dumps)
{
	struct links *links = state;
	size_t n = links->n_doubts;

	memcpy(ret_dumps, links->doubts, n * sizeof(*ret_dumps));
	links->n_doubts = 0;
	addr_table_mark(&links->addrs);
	return n;
}

/* An address that stands alone has no subnet, and all of the link-local network is none. */
static bool has_neighbours(const struct prefix *subnet)
{
	const struct addr *addr = &subnet->addr;

	return subnet->len > 0 && subnet->len < addr_bytes((enum family)addr->family) * 8 &&
	       !(addr->family == FAMILY_V6 && addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80);
}

static int add_subnet(struct links *links, const struct addr_entry *entry)
{
	struct link_subnet one = {.index = entry->index, .prefix = entry->subnet};

	if (!entry->own || !has_neighbours(&entry->subnet))
		return 0;
	return links->subnets.n < LINKS_SUBNETS_MAX ? vec_push(&links->subnets, one) : -ENOSPC;
}

/* Addresses have ended; so there is room. */
static void find_subnets(struct links *links)
{
	links->subnets.n = 0;
	for (const struct addr_row *row = links->addrs.rows; row; row = row->hh.next) {
		for (size_t i = 0; i < row->entries.n; i++)
			(void)add_subnet(links, &row->entries.v[i]); /* or more than the maximum */
	}
}

static bool end(struct links *links, bool own, enum family family, unsigned index)
{
	bool ended = addr_table_sweep(&links->addrs, own, family, index);

	if (ended && own)
		find_subnets(links);
	return ended;
}

static void sweep(void *state, const struct rtnl_dump *dump, bool *ret_changed)
{
	bool own = dump->type == RTM_GETADDR;
	enum family family = own ? FAMILY_COUNT : dump->family == AF_INET ? FAMILY_V4 : FAMILY_V6;

	*ret_changed |= end(state, own, family, dump->index);
}

static struct link_row *find_row(const struct links *links, unsigned index)
{
	struct link_row *row;

	HASH_FIND(hh, links->rows, &index, sizeof(index), row);
	return row;
}

static struct link_row *add_row(struct links *links, unsigned index)
{
	struct link_row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->link.index = index;
	row->may_have_routes = true;
	HASH_ADD(hh, links->rows, link.index, sizeof(row->link.index), row);
	if (table_added(row))
		return row;
	free(row);
	return NULL;
}

static void forget_name(struct links *links, struct link_row *row)
{
	if (row->by_name.tbl)
		HASH_DELETE(by_name, links->names, row);
	row->by_name.tbl = NULL;
}

/* Before the kernel tells of a link's end, its addresses and routes have ended:
 * unregister_netdevice_many_notify() in net/core/dev.c. */
static bool drop_link(struct links *links, unsigned index)
{
	struct link_row *row = find_row(links, index);
	bool changed = row != NULL;

	addr_table_mark(&links->addrs);
	changed |= end(links, true, FAMILY_COUNT, index);
	changed |= end(links, false, FAMILY_COUNT, index);
	drop_doubts(links, index);
	if (!row)
		return changed;
	forget_name(links, row);
	HASH_DEL(links->rows, row);
	free(row);
	return true;
}

static int set_link(struct links *links, struct link_row *row, const struct link *link)
{
	struct link_row *other;

	HASH_FIND(by_name, links->names, link->name, strlen(link->name), other);
	/* Another has another name by now, and its message is still to come. */
	if (other)
		forget_name(links, other);
	forget_name(links, row);
	row->link = *link;
	HASH_ADD_KEYPTR(by_name, links->names, row->link.name, strlen(row->link.name), row);
	return row->by_name.tbl ? 0 : -ENOMEM;
}

/* Routes end with a link that is down, that gets a VRF, or an MTU too small for IP; messages about
 * it come after that, and few while it has routes. */
static int apply_link(struct links *links, const struct nlmsghdr *message, bool *ret_changed)
{
	struct link link;
	struct link_row *row;

	if (!link_parse(message, &link))
		return 0;
	if (message->nlmsg_type == RTM_DELLINK) {
		*ret_changed |= drop_link(links, link.index);
		return 0;
	}
	row = find_row(links, link.index);
	if (row && row->may_have_routes)
		row->may_have_routes = doubt_routes_of(links, link.index, NULL) > 0;
	if (row && row->by_name.tbl && link_equal(&row->link, &link))
		return 0;
	if (!row && HASH_COUNT(links->rows) >= LINKS_MAX)
		return say_full(links, -ENOSPC);
	*ret_changed = true;
	if (!row)
		row = add_row(links, link.index);
	return row ? set_link(links, row, &link) : -ENOMEM;
}

/* An IPv6 address that gets another peer is the same address (inet6_addr_modify() in
 * net/ipv6/addrconf.c), of IPv4 there may be two. */
static int apply_addr(struct links *links, const struct nlmsghdr *message, bool *ret_changed)
{
	const struct addr_row *row;
	struct addr_message parsed;
	bool added = false;
	int rc;

	if (!addr_message_parse(message, &parsed))
		return 0;
	if (message->nlmsg_type == RTM_DELADDR) {
		doubt(links, HOST_ADDRS, parsed.entry.index);
		/* fib_del_ifaddr() and fib_disable_ip() in net/ipv4/fib_frontend.c. */
		if (parsed.dst.addr.family == FAMILY_V4)
			(void)doubt_routes_of(links, parsed.entry.index, &parsed.dst.addr);
		return 0;
	}
	rc = addr_table_add(&links->addrs, &parsed.dst, &parsed.entry, &added);
	row = addr_table_find(&links->addrs, &parsed.dst);
	if (added && addr_row_own(row, parsed.entry.index) > 1)
		doubt(links, HOST_ADDRS, parsed.entry.index);
	*ret_changed |= added;
	if (rc == 0 && added)
		rc = add_subnet(links, &parsed.entry);
	return say_full(links, rc);
}

static int add_route(struct links *links, const struct addr_message *parsed, bool *ret_changed)
{
	struct addr_entry entry = parsed->entry;
	int rc = 0;

	for (size_t i = 0; i < parsed->n_hops && rc == 0; i++) {
		struct link_row *row = find_row(links, parsed->hops[i]);

		if (row)
			row->may_have_routes = true;
		entry.index = parsed->hops[i];
		rc = addr_table_add(&links->addrs, &parsed->dst, &entry, ret_changed);
	}
	return say_full(links, rc);
}

/* A route that replaces another is the only notification of that other's end. */
static int apply_route(struct links *links, const struct nlmsghdr *message, bool *ret_changed)
{
	struct addr_message parsed;

	if (!route_message_parse(message, &parsed))
		return 0;
	if (message->nlmsg_type == RTM_DELROUTE || (message->nlmsg_flags & NLM_F_REPLACE))
		doubt_routes(links, addr_table_find(&links->addrs, &parsed.dst));
	if (message->nlmsg_type == RTM_DELROUTE || !parsed.counts)
		return 0;
	return add_route(links, &parsed, ret_changed);
}

/* Routes by a nexthop object end with it, silently (remove_nexthop() in net/ipv4/nexthop.c); which
 * one is a member of which group is not followed. Where net.ipv4.nexthop_compat_mode is off, a
 * route by one does not name its link at all (fib_dump_info()). */
static void apply_nexthop(struct links *links, const struct nlmsghdr *message)
{
	if (message->nlmsg_type == RTM_NEWNEXTHOP && !(message->nlmsg_flags & NLM_F_REPLACE))
		return;
	for (enum family family = 0; family < FAMILY_COUNT; family++) {
		const struct addr_row *row = links_defaults(links, family);

		for (size_t i = 0; row && i < row->entries.n; i++) {
			if (row->entries.v[i].nexthop)
				doubt(links, routes_of(&row->dst), 0);
		}
	}
}

static int apply(void *state, const struct nlmsghdr *message, bool *ret_changed)
{
	struct links *links = state;

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return apply_link(links, message, ret_changed);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return apply_addr(links, message, ret_changed);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return apply_route(links, message, ret_changed);
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		apply_nexthop(links, message);
		return 0;
	default:
		return 0;
	}
}

static void *new_links(void)
{
	return calloc(1, sizeof(struct links));
}

static void free_links(void *state)
{
	struct links *links = state;
	struct link_row *row, *next;

	if (!links)
		return;
	HASH_CLEAR(by_name, links->names);
	HASH_ITER (hh, links->rows, row, next) {
		HASH_DEL(links->rows, row);
		free(row);
	}
	addr_table_done(&links->addrs);
	vec_free(&links->subnets);
	free(links);
}

static const unsigned groups[] = {RTNLGRP_LINK,
				  RTNLGRP_IPV4_IFADDR,
				  RTNLGRP_IPV6_IFADDR,
				  RTNLGRP_IPV4_ROUTE,
				  RTNLGRP_IPV6_ROUTE,
				  RTNLGRP_NEXTHOP,
				  0};

const struct rtnl_kind links_kind = {
	.what = "links and routes",
	.groups = groups,
	.dumps = parts,
	.n_dumps = ARRAY_LEN(parts),
	.new = new_links,
	.free = free_links,
	.apply = apply,
	.doubts = count_doubts,
	.reread = reread,
	.sweep = sweep,
};
