/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "addr_message.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

bool addr_attr_parse(uint8_t af, const struct nlattr *attr, struct addr *ret_addr)
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

static unsigned bits(const struct addr *addr)
{
	return (unsigned)addr_bytes((enum family)addr->family) * 8;
}

/* IFA_LOCAL is the host's own where there is one, for IFA_ADDRESS is then the other end's. */
static bool parse_addrs(const struct nlmsghdr *message, const struct ifaddrmsg *ifa,
			struct addr *ret_own, struct addr *ret_other)
{
	bool has_local = false, has_other = false;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(*ifa))
	{
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			has_local = addr_attr_parse(ifa->ifa_family, attr, ret_own);
		else if (mnl_attr_get_type(attr) == IFA_ADDRESS)
			has_other = addr_attr_parse(ifa->ifa_family, attr, ret_other);
	}
	if (!has_local)
		*ret_own = *ret_other;
	if (!has_other)
		*ret_other = *ret_own;
	return has_local || has_other;
}

bool addr_message_parse(const struct nlmsghdr *message, struct addr_message *ret)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(message);
	struct prefix *subnet = &ret->entry.subnet;

	memset(ret, 0, sizeof(*ret));
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*ifa) ||
	    !parse_addrs(message, ifa, &ret->dst.addr, &subnet->addr) ||
	    ifa->ifa_prefixlen > bits(&ret->dst.addr))
		return false;
	ret->entry.own = true;
	ret->entry.index = ifa->ifa_index;
	ret->dst.len = (uint8_t)bits(&ret->dst.addr);
	subnet->len = ifa->ifa_prefixlen;
	for (unsigned bit = subnet->len; bit < ret->dst.len; bit++)
		subnet->addr.b[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
	return true;
}

static void add_hop(struct addr_message *parsed, unsigned index)
{
	if (index > 0 && parsed->n_hops < ROUTE_HOPS_MAX)
		parsed->hops[parsed->n_hops++] = index;
}

static void parse_hops(const struct nlattr *attr, struct addr_message *parsed)
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
		       struct addr_message *parsed, bool *direct)
{
	struct addr_entry *route = &parsed->entry;

	switch (mnl_attr_get_type(attr)) {
	case RTA_DST:
		if (!addr_attr_parse(rtm->rtm_family, attr, &parsed->dst.addr))
			*direct = false;
		break;
	case RTA_TABLE:
		route->table = number(attr);
		break;
	case RTA_PRIORITY:
		route->metric = number(attr);
		break;
	case RTA_PREFSRC:
		(void)addr_attr_parse(rtm->rtm_family, attr, &route->source); /* or none */
		break;
	case RTA_OIF:
		add_hop(parsed, number(attr));
		break;
	case RTA_MULTIPATH:
		parse_hops(attr, parsed);
		*direct = false;
		break;
	case RTA_NH_ID:
		route->nexthop = number(attr);
		*direct = false;
		break;
	case RTA_GATEWAY:
	case RTA_VIA:
	case RTA_ENCAP:
		*direct = false;
		break;
	default:
		break;
	}
}

bool route_message_parse(const struct nlmsghdr *message, struct addr_message *ret)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(message);
	struct addr_message *parsed = ret;
	const struct nlattr *attr;
	bool direct = true, is_default;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*rtm) || (rtm->rtm_flags & RTM_F_CLONED) ||
	    (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6))
		return false;
	memset(parsed, 0, sizeof(*parsed));
	parsed->dst.addr.family = rtm->rtm_family == AF_INET ? FAMILY_V4 : FAMILY_V6;
	parsed->dst.len = rtm->rtm_dst_len;
	parsed->entry.table = rtm->rtm_table;
	parsed->entry.tos = rtm->rtm_tos;
	is_default = parsed->dst.len == 0;
	if (!is_default && parsed->dst.len != bits(&parsed->dst.addr))
		return false;
	mnl_attr_for_each(attr, message, sizeof(*rtm)) parse_attr(rtm, attr, parsed, &direct);
	if (!is_default && parsed->entry.table != RT_TABLE_MAIN)
		return false;
	parsed->counts = rtm->rtm_type == RTN_UNICAST && (direct || is_default);
	return true;
}
