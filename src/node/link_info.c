/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link_info.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/addr.h"
#include "base/vec.h"

/* drivers/net/vxlan/vxlan_core.c and drivers/net/geneve.c have these where nobody says otherwise.
 */
#define VXLAN_PORT  8472
#define GENEVE_PORT 6081

/* Within UDP (FOU, GUE): mostly one port at both ends. */
#define IN_UDP(prefix)                                     \
	{                                                  \
		prefix##_ENCAP_SPORT, prefix##_ENCAP_DPORT \
	}

/* A kind of link, and the attributes of its data that are ports. */
static const struct info_kind {
	const char *name;
	enum link_kind kind;
	enum tunnel_kind tunnel;
	uint16_t standard;
	uint16_t ports[2]; /* 0: none */
} kinds[] = {
	{"veth", LINK_KIND_PAIR, TUNNEL_NONE, 0, {0}},
	{"netkit", LINK_KIND_PAIR, TUNNEL_NONE, 0, {0}},
	{"bridge", LINK_KIND_BRIDGE, TUNNEL_NONE, 0, {0}},
	{"vrf", LINK_KIND_VRF, TUNNEL_NONE, 0, {0}},
	/* As the overlays of flannel, Calico and others have them. */
	{"wireguard", LINK_KIND_TUNNEL, TUNNEL_NONE, 0, {0}},
	{"vxlan", LINK_KIND_TUNNEL, TUNNEL_VXLAN, VXLAN_PORT, {IFLA_VXLAN_PORT}},
	{"geneve", LINK_KIND_TUNNEL, TUNNEL_GENEVE, GENEVE_PORT, {IFLA_GENEVE_PORT}},
	{"ipip", LINK_KIND_TUNNEL, TUNNEL_OTHER, 0, IN_UDP(IFLA_IPTUN)},
	{"sit", LINK_KIND_TUNNEL, TUNNEL_OTHER, 0, IN_UDP(IFLA_IPTUN)},
	{"ip6tnl", LINK_KIND_TUNNEL, TUNNEL_OTHER, 0, IN_UDP(IFLA_IPTUN)},
	{"gre", LINK_KIND_TUNNEL, TUNNEL_OTHER, 0, IN_UDP(IFLA_GRE)},
	{"gretap", LINK_KIND_TUNNEL, TUNNEL_OTHER, 0, IN_UDP(IFLA_GRE)},
	{"ip6gre", LINK_KIND_TUNNEL, TUNNEL_OTHER, 0, IN_UDP(IFLA_GRE)},
	{"ip6gretap", LINK_KIND_OTHER, TUNNEL_OTHER, 0, IN_UDP(IFLA_GRE)},
	{"bareudp", LINK_KIND_OTHER, TUNNEL_OTHER, 0, {IFLA_BAREUDP_PORT}},
};

static const struct info_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(name, kinds[i].name) == 0)
			return &kinds[i];
	}
	return NULL;
}

static void read_ports(const struct nlattr *attr, const struct info_kind *kind, struct link *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(kind->ports); i++) {
		if (kind->ports[i] && mnl_attr_get_type(attr) == kind->ports[i] &&
		    mnl_attr_validate(attr, MNL_TYPE_U16) == 0)
			ret->tunnel.ports[i] = ntohs(mnl_attr_get_u16(attr));
	}
}

/* Whatever the sysctls of net.bridge say. */
static void read_nf_call(const struct nlattr *attr, struct link *ret)
{
	if (mnl_attr_validate(attr, MNL_TYPE_U8) < 0 || !mnl_attr_get_u8(attr))
		return;
	if (mnl_attr_get_type(attr) == IFLA_BR_NF_CALL_IPTABLES)
		ret->nf_call |= 1 << FAMILY_V4;
	if (mnl_attr_get_type(attr) == IFLA_BR_NF_CALL_IP6TABLES)
		ret->nf_call |= 1 << FAMILY_V6;
}

static void read_info(const struct nlattr *info, struct link *ret)
{
	const struct nlattr *attr, *data = NULL;
	const struct info_kind *kind = NULL;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			kind = find_kind(mnl_attr_get_str(attr));
		else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			data = attr;
	}
	if (!kind)
		return;
	ret->kind = kind->kind;
	ret->tunnel.kind = kind->tunnel;
	ret->tunnel.ports[0] = kind->standard;
	if (!data)
		return;
	mnl_attr_for_each_nested(attr, data)
	{
		read_ports(attr, kind, ret);
		if (kind->kind == LINK_KIND_BRIDGE)
			read_nf_call(attr, ret);
	}
}

bool link_parse(const struct nlmsghdr *message, struct link *ret)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*ifi) || ifi->ifi_family != AF_UNSPEC)
		return false;
	*ret = (struct link){.index = (unsigned)ifi->ifi_index, .kind = LINK_KIND_OTHER};
	mnl_attr_for_each(attr, message, sizeof(*ifi))
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type == IFLA_WIRELESS)
			return false;
		if (type == IFLA_IFNAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 &&
		    mnl_attr_get_payload_len(attr) <= IFNAMSIZ)
			(void)strncpy(ret->name, mnl_attr_get_str(attr), IFNAMSIZ - 1);
		else if (type == IFLA_MASTER && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			ret->master = mnl_attr_get_u32(attr);
		else if (type == IFLA_LINKINFO)
			read_info(attr, ret);
	}
	return message->nlmsg_type == RTM_DELLINK || ret->name[0] != '\0';
}

bool link_equal(const struct link *a, const struct link *b)
{
	return a->index == b->index && a->kind == b->kind && a->nf_call == b->nf_call &&
	       a->master == b->master && a->tunnel.kind == b->tunnel.kind &&
	       memcmp(a->tunnel.ports, b->tunnel.ports, sizeof(a->tunnel.ports)) == 0 &&
	       strcmp(a->name, b->name) == 0;
}
