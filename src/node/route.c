/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "node/links.h"

bool route_parse_addr(uint8_t af, const struct nlattr *attr, struct addr *ret_addr)
{
	enum family family = af == AF_INET ? FAMILY_V4 : FAMILY_V6;

	if ((af != AF_INET && af != AF_INET6) ||
	    mnl_attr_get_payload_len(attr) != addr_bytes(family))
		return false;
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->family = (uint8_t)family;
	memcpy(ret_addr->b, mnl_attr_get_payload(attr), addr_bytes(family));
	return true;
}

static void add_hop(struct route_message *parsed, unsigned index)
{
	if (index > 0 && parsed->n_hops < ROUTE_HOPS_MAX)
		parsed->hops[parsed->n_hops++] = index;
}

static void parse_hops(const struct nlattr *attr, struct route_message *parsed)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(attr);
	size_t left = mnl_attr_get_payload_len(attr);

	while (left >= sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left) {
		size_t len = RTNH_ALIGN(hop->rtnh_len);

		add_hop(parsed, (unsigned)hop->rtnh_ifindex);
		left -= len < left ? len : left;
		hop = RTNH_NEXT(hop);
	}
}

static uint32_t number(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attr);
}

/* `direct`: the attribute leaves that open. */
static void parse_attr(const struct rtmsg *rtm, const struct nlattr *attr,
		       struct route_message *parsed, bool *direct)
{
	struct route *route = &parsed->route;

	switch (mnl_attr_get_type(attr)) {
	case RTA_DST:
		if (!route_parse_addr(rtm->rtm_family, attr, &parsed->dst))
			*direct = false;
		break;
	case RTA_TABLE:
		route->table = number(attr);
		break;
	case RTA_PRIORITY:
		route->metric = number(attr);
		break;
	case RTA_PREFSRC:
		route->has_source = route_parse_addr(rtm->rtm_family, attr, &route->source);
		break;
	case RTA_OIF:
		add_hop(parsed, number(attr));
		break;
	case RTA_MULTIPATH:
		parse_hops(attr, parsed);
		*direct = false;
		break;
	case RTA_GATEWAY:
	case RTA_VIA:
	case RTA_NH_ID:
	case RTA_ENCAP:
		*direct = false;
		break;
	default:
		break;
	}
}

bool route_parse(const struct nlmsghdr *message, struct route_message *ret_parsed)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(message);
	struct route_message *parsed = ret_parsed;
	const struct nlattr *attr;
	bool direct = true;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*rtm) || (rtm->rtm_flags & RTM_F_CLONED) ||
	    (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6))
		return false;
	memset(parsed, 0, sizeof(*parsed));
	parsed->dst.family = rtm->rtm_family == AF_INET ? FAMILY_V4 : FAMILY_V6;
	parsed->len = rtm->rtm_dst_len;
	parsed->route = (struct route){
		.table = rtm->rtm_table, .tos = rtm->rtm_tos, .scope = rtm->rtm_scope};
	if (parsed->len != 0 && parsed->len != addr_bytes(parsed->dst.family) * 8)
		return false;
	mnl_attr_for_each(attr, message, sizeof(*rtm)) parse_attr(rtm, attr, parsed, &direct);
	if (parsed->len != 0 && parsed->route.table != RT_TABLE_MAIN)
		return false;
	parsed->counts = rtm->rtm_type == RTN_UNICAST && (direct || parsed->len == 0);
	return true;
}

static bool is_alike(const struct route *a, const struct route *b)
{
	return a->table == b->table && a->metric == b->metric && a->tos == b->tos;
}

static bool stands_alike(const struct route *route, const void *other)
{
	return is_alike(route, other);
}

static struct route *find(const struct routes *routes, const struct route *wanted)
{
	for (size_t i = 0; i < routes->n; i++) {
		if (is_alike(&routes->v[i], wanted) && routes->v[i].index == wanted->index &&
		    routes->v[i].scope == wanted->scope)
			return &routes->v[i];
	}
	return NULL;
}

static int add(struct routes *routes, const struct route *route, bool *ret_changed)
{
	struct route *known = find(routes, route);

	if (known) {
		*known = *route; /* its source may be another */
		return 0;
	}
	if (routes->n >= LINKS_ROUTES_MAX)
		return -ENOSPC;
	*ret_changed = true;
	return vec_push(routes, *route);
}

static void drop(struct routes *routes, const struct route *route, bool *ret_changed)
{
	struct route *known = find(routes, route);

	if (!known)
		return;
	vec_remove_swap(routes, (size_t)(known - routes->v));
	*ret_changed = true;
}

size_t routes_drop(struct routes *routes, bool (*stands)(const struct route *, const void *),
		   const void *on)
{
	size_t kept = 0, before = routes->n;

	for (size_t i = 0; i < before; i++) {
		if (!stands(&routes->v[i], on))
			routes->v[kept++] = routes->v[i];
	}
	routes->n = kept;
	return before - kept;
}

/* A route that replaces another is the only news of that other's end; which one it was of several
 * alike is not said. */
int routes_apply(struct routes *routes, const struct nlmsghdr *message,
		 const struct route_message *parsed, bool *ret_changed)
{
	struct route route = parsed->route;
	size_t replaced = 0;
	int rc = 0;

	if (message->nlmsg_type == RTM_NEWROUTE && (message->nlmsg_flags & NLM_F_REPLACE))
		replaced = routes_drop(routes, stands_alike, &route);
	*ret_changed |= replaced > 0;
	for (size_t i = 0; i < parsed->n_hops && parsed->counts && rc == 0; i++) {
		route.index = parsed->hops[i];
		if (message->nlmsg_type == RTM_NEWROUTE)
			rc = add(routes, &route, ret_changed);
		else
			drop(routes, &route, ret_changed);
	}
	return rc == 0 && replaced > 1 ? -EAGAIN : rc;
}

unsigned routes_best(const struct routes *routes)
{
	const struct route *best = NULL;

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->v[i];

		if (route->tos == 0 &&
		    (!best || route->metric < best->metric ||
		     (route->metric == best->metric && route->index < best->index)))
			best = route;
	}
	return best ? best->index : 0;
}
