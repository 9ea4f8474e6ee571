/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tunnel.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <string.h>

#include "base/vec.h"

/* drivers/net/vxlan/vxlan_core.c and drivers/net/geneve.c have these where nobody says otherwise.
 */
#define VXLAN_PORT  8472
#define GENEVE_PORT 6081

/* A kind of link, and the attributes of its data that are ports. */
static const struct {
	const char *name;
	enum tunnel_kind kind;
	uint16_t standard;
	uint16_t attrs[2]; /* 0: none */
} kinds[] = {
	{"vxlan", TUNNEL_VXLAN, VXLAN_PORT, {IFLA_VXLAN_PORT, 0}},
	{"geneve", TUNNEL_GENEVE, GENEVE_PORT, {IFLA_GENEVE_PORT, 0}},
	{"bareudp", TUNNEL_OTHER, 0, {IFLA_BAREUDP_PORT, 0}},
	/* Within UDP (FOU, GUE): mostly one port at both ends. */
	{"ipip", TUNNEL_OTHER, 0, {IFLA_IPTUN_ENCAP_SPORT, IFLA_IPTUN_ENCAP_DPORT}},
	{"sit", TUNNEL_OTHER, 0, {IFLA_IPTUN_ENCAP_SPORT, IFLA_IPTUN_ENCAP_DPORT}},
	{"ip6tnl", TUNNEL_OTHER, 0, {IFLA_IPTUN_ENCAP_SPORT, IFLA_IPTUN_ENCAP_DPORT}},
	{"gre", TUNNEL_OTHER, 0, {IFLA_GRE_ENCAP_SPORT, IFLA_GRE_ENCAP_DPORT}},
	{"gretap", TUNNEL_OTHER, 0, {IFLA_GRE_ENCAP_SPORT, IFLA_GRE_ENCAP_DPORT}},
	{"ip6gre", TUNNEL_OTHER, 0, {IFLA_GRE_ENCAP_SPORT, IFLA_GRE_ENCAP_DPORT}},
	{"ip6gretap", TUNNEL_OTHER, 0, {IFLA_GRE_ENCAP_SPORT, IFLA_GRE_ENCAP_DPORT}},
};

static void read_ports(const struct nlattr *data, const uint16_t attrs[2], struct link_tunnel *ret)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, data)
	{
		for (size_t i = 0; i < ARRAY_LEN(ret->ports); i++) {
			if (attrs[i] && mnl_attr_get_type(attr) == attrs[i] &&
			    mnl_attr_validate(attr, MNL_TYPE_U16) == 0)
				ret->ports[i] = ntohs(mnl_attr_get_u16(attr));
		}
	}
}

struct link_tunnel tunnel_parse(const struct nlattr *info)
{
	struct link_tunnel tunnel = {.kind = TUNNEL_NONE};
	const struct nlattr *attr, *data = NULL;
	const char *name = "";

	if (!info)
		return tunnel;
	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			name = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			data = attr;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		tunnel.kind = kinds[i].kind;
		tunnel.ports[0] = kinds[i].standard;
		if (data)
			read_ports(data, kinds[i].attrs, &tunnel);
	}
	return tunnel;
}

bool tunnel_equal(const struct link_tunnel *a, const struct link_tunnel *b)
{
	return a->kind == b->kind && memcmp(a->ports, b->ports, sizeof(a->ports)) == 0;
}
