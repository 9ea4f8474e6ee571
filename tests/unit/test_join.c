/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts told in lines (see node.h), and whose interfaces and addresses come out of them. */
#include "unit.h"

#include "attach_text.h"
#include "join.h"
#include "node.h"

#define UPLINK \
	"link 2 eth0 -; addr 2 192.168.0.1; route default dev 2 via; route 192.168.0.0/24 dev 2;"
#define BRIDGE                                                                                    \
	UPLINK "link 5 cni0 bridge; addr 5 10.0.0.1; route 10.0.0.0/24 dev 5; link 6 veth6 veth " \
	       "5;"                                                                               \
	       "link 7 veth7 veth 5; fdb 6 5 02:00:00:00:00:06 permanent;"

struct host_row {
	const char *name;
	const char *lines;
	const char *shown; /* attachments, a line each */
};

static const struct host_row hosts[] = {
	/* Routed pods. */
	{"a routed pod, as the ptp plugin makes it",
	 UPLINK "link 6 veth6 veth; addr 6 10.0.0.1; route 10.0.0.5 dev 6;"
		"cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 02:00:00:00:00:05",
	 "shop/web u1 routed veth6 02:00:00:00:00:05 10.0.0.5\n"},
	{"a routed pod before its route",
	 UPLINK "link 6 veth6 veth; cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 -",
	 "shop/web u1 routed veth6 10.0.0.5\n"},
	{"a routed pod of both families",
	 UPLINK "link 6 veth6 veth; route 10.0.0.5 dev 6; route fd00::5 dev 6 metric 1024;"
		"cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5,fd00::5 -",
	 "shop/web u1 routed veth6 10.0.0.5 fd00::5\n"},
	{"a plugin that names no interface: the route does",
	 UPLINK "link 6 cali6 veth; route 10.0.0.5 dev 6; cni f 1 shop/web u1 c1 eth0 - 10.0.0.5 -",
	 "shop/web u1 routed cali6 10.0.0.5\n"},
	{"a plugin that names no interface, and no route yet",
	 UPLINK "cni f 1 shop/web u1 c1 eth0 - 10.0.0.5 -", "shop/web u1 none 10.0.0.5\n"},
	{"a plugin that names what is not there as well",
	 UPLINK "link 6 eni6 veth; route 10.0.0.5 dev 6;"
		"cni f 1 shop/web u1 c1 eth0 dummy1,eni6 10.0.0.5 -",
	 "shop/web u1 routed eni6 10.0.0.5\n"},
	{"an interface that was renamed is found by its route",
	 UPLINK
	 "link 6 veth6 veth; route 10.0.0.5 dev 6; cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 -;"
	 "link 6 other veth",
	 "shop/web u1 routed other 10.0.0.5\n"},
	{"an interface that went away is none",
	 UPLINK
	 "link 6 veth6 veth; route 10.0.0.5 dev 6; cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 -;"
	 "unlink 6",
	 "shop/web u1 none 10.0.0.5\n"},
	{"no pod has the host's way out, whatever a plugin says",
	 UPLINK "cni f 1 shop/web u1 c1 eth0 eth0 10.0.0.5 -", "shop/web u1 none 10.0.0.5\n"},
	{"a result without anything is nobody", UPLINK "cni f 1 shop/web u1 c1 eth0 - - -", ""},

	/* Routes alone. */
	{"a route to one host by a veth",
	 UPLINK "link 6 cali6 veth; route 10.0.0.5 dev 6; route fd00::5 dev 6",
	 "- routed cali6 10.0.0.5\n- routed cali6 fd00::5\n"},
	{"by a netkit", UPLINK "link 6 nk6 netkit; route 10.0.0.5 dev 6",
	 "- routed nk6 10.0.0.5\n"},
	{"a route to more than one host",
	 UPLINK "link 6 cali6 veth; route 10.0.0.4/31 dev 6; route fd00::/64 dev 6", ""},
	{"a route by a gateway", UPLINK "link 6 cali6 veth; route 10.0.0.5 dev 6 via", ""},
	{"a route by a nexthop object", UPLINK "link 6 cali6 veth; route 10.0.0.5 dev 6 nhid", ""},
	{"a route of two ways", UPLINK "link 6 a veth; link 7 b veth; route 10.0.0.5 hop 6 hop 7",
	 ""},
	{"a route in another table", UPLINK "link 6 cali6 veth; route 10.0.0.5 dev 6 table 100",
	 ""},
	{"a route that was learned", UPLINK "link 6 cali6 veth; route 10.0.0.5 dev 6 cloned", ""},
	{"a route to nowhere", UPLINK "link 6 cali6 veth; route 10.0.0.5 dev 6 blackhole", ""},
	{"a route to the host", UPLINK "link 6 cali6 veth; route 10.0.0.5 dev 6 local", ""},
	{"a route to the host's way out", UPLINK "route 169.254.169.254 dev 2", ""},
	{"the way out is a veth", "link 2 eth0 veth; route default dev 2 via; route 10.0.0.5 dev 2",
	 ""},
	{"one of two ways out, in another table",
	 "link 2 a veth; link 3 b veth; route default hop 2 hop 3 table 100; route 10.0.0.5 dev 3",
	 ""},
	{"the way out of IPv6 only",
	 "link 2 a veth; route default6 dev 2 via; route 10.0.0.5 dev 2", ""},
	{"a route by a tunnel", UPLINK "link 6 wg0 wireguard; route 10.0.0.5 dev 6", ""},
	{"a route by a bridge", UPLINK "link 6 br0 bridge; route 10.0.0.5 dev 6", ""},
	{"a route by a link that is not known", UPLINK "route 10.0.0.5 dev 66", ""},
	{"the host's own address has a route of IPv6",
	 UPLINK "link 6 veth6 veth; addr 6 fd00::1; route fd00::1 dev 6; route fd00::5 dev 6",
	 "- routed veth6 fd00::5\n"},
	{"the address of the gateway on many links",
	 UPLINK "link 6 a veth; link 7 b veth; addr 6 10.0.0.1;"
		"addr 7 10.0.0.1; unaddr 6 10.0.0.1; reread; done; route 10.0.0.1 dev 7",
	 ""},
	{"the better of two routes",
	 UPLINK "link 6 a veth; link 7 b veth; route 10.0.0.5 dev 6 metric 9;"
		"route 10.0.0.5 dev 7 metric 8; route 10.0.0.5 dev 6 tos 8",
	 "- routed b 10.0.0.5\n"},
	{"a route that replaces another",
	 UPLINK "link 6 a veth; link 7 b veth; route 10.0.0.5 dev 6;"
		"route 10.0.0.5 dev 7 replace; reread; route 10.0.0.5 dev 7; done",
	 "- routed b 10.0.0.5\n"},
	{"a route by a gateway that replaces another",
	 UPLINK "link 6 a veth; route 10.0.0.5 dev 6;"
		"route 10.0.0.5 dev 2 via replace; reread; done",
	 ""},
	{"a route to nowhere that replaces another",
	 UPLINK "link 6 a veth; route 10.0.0.5 dev 6;"
		"route 10.0.0.5 blackhole replace; reread; done",
	 ""},
	{"a route that replaces one of another metric does not",
	 UPLINK "link 6 a veth; link 7 b veth;"
		"route 10.0.0.5 dev 6 metric 1; route 10.0.0.5 dev 7 metric 2 replace;"
		"reread; route 10.0.0.5 dev 6 metric 1; done",
	 "- routed a 10.0.0.5\n"},
	{"a default route that was replaced is no way out",
	 "link 2 a veth; link 3 b veth; route default dev 2 via;"
	 "route default dev 3 via replace; reread; route default dev 3 via; done;"
	 "route 10.0.0.5 dev 2; route 10.0.0.6 dev 3",
	 "- routed a 10.0.0.5\n"},
	{"a route that went",
	 UPLINK "link 6 a veth; route 10.0.0.5 dev 6; unroute 10.0.0.5 dev 6;"
		"reread; done",
	 ""},
	{"one of two that went",
	 UPLINK "link 6 a veth; route 10.0.0.5 dev 6 metric 1; route 10.0.0.5 dev 6 metric 2;"
		"unroute 10.0.0.5 dev 6 metric 1; reread; route 10.0.0.5 dev 6 metric 2; done",
	 "- routed a 10.0.0.5\n"},

	/* What the kernel does not tell: what is read again ends it. */
	{"routes end with their link",
	 UPLINK "link 6 a veth; route 10.0.0.5 dev 6; route fd00::5 dev 6; unlink 6;"
		"link 6 b veth",
	 ""},
	{"routes that a link loses when it is taken down, and one that stays",
	 UPLINK "link 6 a veth; route 10.0.0.5 dev 6; route 10.0.0.6 dev 6; route fd00::5 dev 6;"
		"link 6 a veth 0 down; reread; route 10.0.0.6 dev 6; done",
	 "- routed a 10.0.0.6\n"},
	{"a way out ends when its link is taken down",
	 "link 2 a veth; route default dev 2 via; link 2 a veth 0 down; reread; done;"
	 "link 2 a veth; route 10.0.0.5 dev 2",
	 "- routed a 10.0.0.5\n"},
	{"IPv4 routes that end with an address of their link",
	 UPLINK "link 6 a veth; addr 6 10.0.0.1; route 10.0.0.5 dev 6; route fd00::5 dev 6;"
		"unaddr 6 10.0.0.1; reread; done",
	 "- routed a fd00::5\n"},
	{"IPv4 routes that end with the address of their source",
	 UPLINK "link 6 a veth; addr 2 192.168.0.7; route 10.0.0.5 dev 6 src 192.168.0.7; route "
		"10.0.0.6 dev 6;"
		"unaddr 2 192.168.0.7; reread; addr 2 192.168.0.1; route default dev 2 via;"
		"route 10.0.0.6 dev 6; done",
	 "- routed a 10.0.0.6\n"},
	{"of two routes that differ in their source only one ends",
	 UPLINK "link 6 a veth; addr 2 192.168.0.7; route 10.0.0.5 dev 6;"
		"route 10.0.0.5 dev 6 src 192.168.0.7; unaddr 2 192.168.0.7;"
		"reread; addr 2 192.168.0.1; route default dev 2 via; route 10.0.0.5 dev 6; done",
	 "- routed a 10.0.0.5\n"},

	/* Bridged pods. */
	{"a bridged pod",
	 BRIDGE "cni f 1 shop/web u1 c1 eth0 cni0,veth6 10.0.0.5 02:00:00:00:00:05",
	 "shop/web u1 bridged veth6@cni0 02:00:00:00:00:05 10.0.0.5\n"},
	{"a bridged pod whose plugin names its port only",
	 BRIDGE "cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 -",
	 "shop/web u1 bridged veth6@cni0 10.0.0.5\n"},
	{"a hardware address that the plugin leaves out is the neighbour's",
	 BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:05; cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 -",
	 "shop/web u1 bridged veth6@cni0 02:00:00:00:00:05 10.0.0.5\n"},
	{"a hardware address that the plugin gives stays, whatever the neighbour says",
	 BRIDGE
	 "neigh 5 10.0.0.5 02:00:00:00:00:66; fdb 7 5 02:00:00:00:00:05; fdb 7 5 02:00:00:00:00:66;"
	 "cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 02:00:00:00:00:05",
	 "shop/web u1 bridged veth6@cni0 02:00:00:00:00:05 10.0.0.5\n"},
	{"a port that was renamed is found by its hardware address",
	 BRIDGE
	 "cni f 1 shop/web u1 c1 eth0 cni0,veth6 10.0.0.5 02:00:00:00:00:05; link 6 other veth 5;"
	 "fdb 6 5 02:00:00:00:00:05",
	 "shop/web u1 bridged other@cni0 02:00:00:00:00:05 10.0.0.5\n"},
	{"a port that was renamed is found by its neighbour",
	 BRIDGE "cni f 1 shop/web u1 c1 eth0 cni0,veth6 10.0.0.5 -; link 6 other veth 5;"
		"fdb 6 5 02:00:00:00:00:05; neigh 5 10.0.0.5 02:00:00:00:00:05",
	 "shop/web u1 bridged other@cni0 02:00:00:00:00:05 10.0.0.5\n"},
	{"a neighbour behind a port",
	 BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:05; fdb 6 5 02:00:00:00:00:05",
	 "- bridged veth6@cni0 02:00:00:00:00:05 10.0.0.5\n"},
	{"a neighbour without a port", BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:05", ""},
	{"a neighbour that failed",
	 BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:05; fdb 6 5 02:00:00:00:00:05;"
		"neigh 5 10.0.0.5 failed",
	 ""},
	{"a neighbour that went",
	 BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:05; fdb 6 5 02:00:00:00:00:05;"
		"unneigh 5 10.0.0.5",
	 ""},
	{"a forwarding entry that went",
	 BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:05; fdb 6 5 02:00:00:00:00:05;"
		"unfdb 6 5 02:00:00:00:00:05",
	 ""},
	{"a forwarding entry that moved",
	 BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:05; fdb 6 5 02:00:00:00:00:05;"
		"fdb 7 5 02:00:00:00:00:05",
	 "- bridged veth7@cni0 02:00:00:00:00:05 10.0.0.5\n"},
	{"a forwarding entry of the port itself",
	 BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:05;"
		"fdb 6 5 02:00:00:00:00:05 self",
	 ""},
	{"the hardware address of the port", BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:06", ""},
	{"a forwarding entry of a VLAN",
	 BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:05;"
		"fdb 7 5 02:00:00:00:00:05 vlan 9; fdb 6 5 02:00:00:00:00:05 vlan 3",
	 "- bridged veth6@cni0 02:00:00:00:00:05 10.0.0.5\n"},
	{"a forwarding entry of another bridge",
	 BRIDGE "link 8 br1 bridge; neigh 5 10.0.0.5 02:00:00:00:00:05;"
		"fdb 6 8 02:00:00:00:00:05",
	 ""},
	{"a port that has left its bridge",
	 BRIDGE "neigh 5 10.0.0.5 02:00:00:00:00:05;"
		"fdb 6 5 02:00:00:00:00:05; link 6 veth6 veth",
	 ""},
	{"a neighbour by a routed link", UPLINK "link 6 a veth; neigh 6 10.0.0.5 02:00:00:00:00:05",
	 ""},
	{"a neighbour of one link only",
	 BRIDGE "neigh 5 fe80::5 02:00:00:00:00:05; fdb 6 5 02:00:00:00:00:05", ""},
	{"a physical port",
	 BRIDGE "link 8 eth1 - 5; neigh 5 10.0.0.5 02:00:00:00:00:05;"
		"fdb 8 5 02:00:00:00:00:05",
	 ""},
	{"a bridge that is the way out",
	 "link 5 br0 bridge; link 6 eth0 veth 5; route default dev 5 via;"
	 "neigh 5 10.0.0.5 02:00:00:00:00:05; fdb 6 5 02:00:00:00:00:05",
	 ""},
	{"a named port of a bridge that is the way out",
	 "link 5 br0 bridge; link 6 veth6 veth 5; route default dev 5 via;"
	 "cni f 1 shop/web u1 c1 eth0 br0,veth6 10.0.0.5 -",
	 "shop/web u1 bridged veth6@br0 10.0.0.5\n"},
	{"a port of a virtual switch",
	 UPLINK "link 5 ovs-system openvswitch; link 6 veth6 veth 5;"
		"cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 -",
	 "shop/web u1 foreign veth6@ovs-system 10.0.0.5\n"},
	{"a port whose bridge is not known yet",
	 UPLINK "link 6 veth6 veth 5; cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 -",
	 "shop/web u1 foreign veth6 10.0.0.5\n"},
	{"a pod that was routed and then bridged",
	 UPLINK "link 5 cni0 bridge; link 6 veth6 veth;"
		"cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 -; link 6 veth6 veth 5",
	 "shop/web u1 bridged veth6@cni0 10.0.0.5\n"},

	/* Who has what. */
	{"two pods of one name",
	 UPLINK "link 6 a veth; link 7 b veth; cni f 1 shop/db-0 u1 c1 eth0 a 10.0.0.5 -;"
		"cni g 2 shop/db-0 u2 c2 eth0 b 10.0.0.6 -",
	 "shop/db-0 u1 routed a 10.0.0.5\nshop/db-0 u2 routed b 10.0.0.6\n"},
	{"a pod whose sandbox was made again",
	 UPLINK "link 7 b veth; cni f 1 shop/web u1 c1 eth0 a 10.0.0.5 -;"
		"cni g 2 shop/web u1 c2 eth0 b 10.0.0.6 -",
	 "shop/web u1 routed b 10.0.0.6\n"},
	{"an address that was used again: the newer file has it",
	 UPLINK "link 7 b veth; cni f 1 shop/old u1 c1 eth0 a 10.0.0.5,10.0.0.9 -; cni g 2 "
		"shop/new u2 c2 eth0 b 10.0.0.5 -",
	 "shop/new u2 routed b 10.0.0.5\nshop/old u1 none 10.0.0.9\n"},
	{"a pod that lost all it had",
	 UPLINK "link 7 b veth; cni g 2 shop/new u2 c2 eth0 b 10.0.0.5 -;"
		"cni f 1 shop/old u1 c1 eth0 a 10.0.0.5 -",
	 "shop/new u2 routed b 10.0.0.5\n"},
	{"an interface's name that was used again: the newer file has it",
	 UPLINK "link 7 a veth; cni f 1 shop/old u1 c1 eth0 a 10.0.0.5 -; cni g 2 shop/new u2 c2 "
		"eth0 a 10.0.0.6 -",
	 "shop/new u2 routed a 10.0.0.6\nshop/old u1 none 10.0.0.5\n"},
	{"an interface that a result has is not another's by route",
	 UPLINK "link 7 a veth; route 10.0.0.5 dev 7; cni f 1 shop/old u1 c1 eth0 gone 10.0.0.5 -;"
		"cni g 2 shop/new u2 c2 eth0 a 10.0.0.6 -",
	 "shop/new u2 routed a 10.0.0.6\nshop/old u1 none 10.0.0.5\n"},
	{"one more address by the interface of a pod",
	 UPLINK "link 7 a veth; route 10.0.0.5 dev 7; route 10.0.0.9 dev 7; cni g 2 shop/new u2 c2 "
		"eth0 a 10.0.0.5 -",
	 "shop/new u2 routed a 10.0.0.5\n- routed a 10.0.0.9\n"},
	{"of two files of one moment the last by name",
	 UPLINK "link 7 a veth; cni f 1 shop/x u1 c1 eth0 a 10.0.0.5 -;"
		"cni g 1 shop/y u2 c2 eth0 a 10.0.0.5 -",
	 "shop/y u2 routed a 10.0.0.5\n"},
	{"a second network of a pod is not covered",
	 UPLINK "link 6 a veth; link 7 b veth; cni f 1 shop/web u1 c1 eth0 a 10.0.0.5 -;"
		"cni g 2 shop/web u1 c1 data1 b 10.9.0.5 -",
	 "shop/web u1 routed a 10.0.0.5\n"},
	{"without eth0 the first by name is",
	 UPLINK "link 6 a veth; link 7 b veth; cni f 1 shop/web u1 c1 net2 a 10.0.0.5 -;"
		"cni g 2 shop/web u1 c1 data1 b 10.9.0.5 -",
	 "shop/web u1 routed b 10.9.0.5\n"},
	{"a copy of a file is no other pod",
	 UPLINK "link 6 a veth; cni f 1 shop/web u1 c1 eth0 a 10.0.0.5 -;"
		"cni g 2 shop/web u1 c1 eth0 a 10.0.0.5 -",
	 "shop/web u1 routed a 10.0.0.5\n"},
	{"links that change their names by turns",
	 UPLINK "link 6 a veth; link 7 b veth; cni f 1 shop/x u1 c1 eth0 a 10.0.0.5 -; cni g 1 "
		"shop/y u2 c2 eth0 b 10.0.0.6 -;"
		"link 6 tmp veth; link 7 a veth; link 6 b veth",
	 "shop/x u1 routed a 10.0.0.5\nshop/y u2 routed b 10.0.0.6\n"},
	{"a name that is told twice before the first gives it up",
	 UPLINK
	 "link 6 a veth; link 7 a veth; link 6 c veth; cni f 1 shop/x u1 c1 eth0 a 10.0.0.5 -;"
	 "cni g 1 shop/y u2 c2 eth0 c 10.0.0.6 -",
	 "shop/x u1 routed a 10.0.0.5\nshop/y u2 routed c 10.0.0.6\n"},
};

static void build(struct node_host *host, struct join *join)
{
	assert_int_equal(
		join_build(host->results.v, host->results.n, host->links, host->neigh, join), 0);
}

static void start(struct node_host *host, const char *lines)
{
	assert_int_equal(node_host_init(host), 0);
	assert_int_equal(node_host_do(host, lines), 0);
}

static void show(const struct join *join, char shown[4096])
{
	char text[ATTACH_TEXT_MAX];

	shown[0] = '\0';
	for (size_t i = 0; i < join->attachments.n; i++)
		strcat(strcat(shown, attach_text(&join->attachments.v[i], text)), "\n");
}

/* Look-ups find what is there, and nothing else. */
static void check_look_ups(const struct join *join)
{
	size_t n = 0;

	for (size_t i = 0; i < join->attachments.n; i++) {
		const struct attachment *a = &join->attachments.v[i];

		if (*a->name)
			assert_ptr_equal(join_by_pod(join, a->ns, a->name, a->uid), a);
		for (size_t k = 0; k < a->n_addrs; k++, n++)
			assert_ptr_equal(join_by_addr(join, &a->addrs[k]), a);
	}
	assert_int_equal(join->addrs.n, n);
}

static void is_shown(void **state)
{
	const struct host_row *row = *state;
	struct node_host host;
	struct join join;
	char shown[4096];

	start(&host, row->lines);
	build(&host, &join);
	show(&join, shown);
	assert_string_equal(shown, row->shown);
	check_look_ups(&join);
	join_done(&join);
	for (size_t i = 0; i < host.results.n / 2; i++) {
		struct cni_result *first = host.results.v[i];

		host.results.v[i] = host.results.v[host.results.n - 1 - i];
		host.results.v[host.results.n - 1 - i] = first;
	}
	build(&host, &join);
	show(&join, shown);
	assert_string_equal(shown, row->shown);
	join_done(&join);
	node_host_done(&host);
}

static void a_pod_is_found_by_its_uid(void **state)
{
	struct node_host host;
	struct addr addr;
	struct join join;

	(void)state;
	start(&host, UPLINK
	      "link 6 a veth; link 7 b veth; cni f 3 shop/db-0 u1 c1 eth0 a 10.0.0.5 -;"
	      "cni g 2 shop/db-0 u2 c2 eth0 b 10.0.0.6 -; cni h 1 shop/old - c3 eth0 x 10.0.0.7 -;"
	      "route 10.0.0.8 dev 6");
	build(&host, &join);
	assert_string_equal(join_by_pod(&join, "shop", "db-0", "u1")->ifname, "a");
	assert_string_equal(join_by_pod(&join, "shop", "db-0", "u2")->ifname, "b");
	assert_null(join_by_pod(&join, "shop", "db-0", "u3"));
	assert_string_equal(join_by_pod(&join, "shop", "db-0", "")->ifname, "a"); /* the newest */
	assert_non_null(join_by_pod(&join, "shop", "old", "u9")); /* it does not say */
	assert_null(join_by_pod(&join, "shop", "db", "u1"));
	assert_null(join_by_pod(&join, "shop", "zz", "u1"));
	assert_null(join_by_pod(&join, "sho", "db-0", "u1"));
	assert_null(join_by_pod(&join, "", "", ""));
	assert_true(addr_parse("10.0.0.8", &addr));
	assert_non_null(join_by_addr(&join, &addr));
	assert_true(addr_parse("10.0.0.9", &addr));
	assert_null(join_by_addr(&join, &addr));
	join_done(&join);
	node_host_done(&host);
}

struct unseen_row {
	const char *name;
	const char *lines;
	const char *shown; /* POD IFNAME TYPE own|further MASTER, a line each */
};

static const struct unseen_row unseen[] = {
	{"a routed pod",
	 UPLINK "link 6 veth6 veth; cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 - ptp", ""},
	{"a bridged pod", BRIDGE "cni f 1 shop/web u1 c1 eth0 cni0,veth6 10.0.0.5 - bridge", ""},
	{"macvlan", UPLINK "cni f 1 shop/web u1 c1 eth0 - 192.168.0.5 02:00:00:00:00:05 macvlan",
	 "shop/web eth0 macvlan own -\n"},
	{"macvlan with an address of the host's network that it has talked to",
	 UPLINK "neigh 2 192.168.0.5 02:00:00:00:00:05;"
		"cni f 1 shop/web u1 c1 eth0 - 192.168.0.5 02:00:00:00:00:05 macvlan",
	 "shop/web eth0 macvlan own -\n"},
	{"SR-IOV without addresses", UPLINK "cni f 1 shop/web u1 c1 eth0 - - - sriov",
	 "shop/web eth0 sriov own -\n"},
	{"a plugin that nobody knows", UPLINK "cni f 1 shop/web u1 c1 eth0 - 10.0.0.5 -",
	 "shop/web eth0 - own -\n"},
	{"one whose route is there",
	 UPLINK "link 6 cali6 veth; route 10.0.0.5 dev 6;"
		"cni f 1 shop/web u1 c1 eth0 - 10.0.0.5 - azure",
	 ""},
	{"an interface of the host that has gone",
	 UPLINK "cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 - ptp", ""},
	{"a further network",
	 BRIDGE "cni f 1 shop/web u1 c1 eth0 cni0,veth6 10.0.0.5 - multus;"
		"cni g 1 shop/web u1 c1 net1 - 192.168.0.5 - ipvlan",
	 "shop/web net1 ipvlan further -\n"},
	{"a further network that is bridged is not the pod's either",
	 BRIDGE "cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 - multus;"
		"cni g 1 shop/web u1 c1 net1 veth7 10.9.0.5 - bridge",
	 "shop/web net1 bridge further -\n"},
	{"both unseen",
	 UPLINK "cni f 2 shop/web u1 c1 eth0 - 10.0.0.5 - host-device;"
		"cni g 1 shop/web u1 c1 net1 - 10.9.0.5 - macvlan",
	 "shop/web eth0 host-device own -\nshop/web net1 macvlan further -\n"},
	{"the further network of a container that is gone",
	 BRIDGE "cni f 2 shop/web u1 c2 eth0 veth6 10.0.0.5 - multus;"
		"cni g 1 shop/web u1 c1 eth0 veth7 10.0.0.6 - multus;"
		"cni h 1 shop/web u1 c1 net1 - 10.9.0.5 - macvlan",
	 ""},
	{"Open vSwitch",
	 UPLINK "link 5 ovs-system openvswitch; link 6 veth6 veth 5;"
		"cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 - ovs",
	 "shop/web eth0 ovs own ovs-system\n"},
	{"a VRF",
	 UPLINK "link 5 red vrf; link 6 veth6 veth 5;"
		"cni f 1 shop/web u1 c1 eth0 veth6 10.0.0.5 - ptp",
	 ""},
};

static void is_unseen(void **state)
{
	const struct unseen_row *row = *state;
	struct node_host host;
	struct join join;
	char shown[1024] = "";

	start(&host, row->lines);
	build(&host, &join);
	for (size_t i = 0; i < join.unseen.n; i++) {
		const struct attach_unseen *one = &join.unseen.v[i];
		size_t used = strlen(shown);

		(void)snprintf(shown + used, sizeof(shown) - used, "%s/%s %s %s %s %s\n",
			       one->result->ns, one->result->name, one->ifname,
			       one->type[0] ? one->type : "-", one->further ? "further" : "own",
			       one->master[0] ? one->master : "-");
	}
	assert_string_equal(shown, row->shown);
	join_done(&join);
	node_host_done(&host);
}

static void an_operator_is_told_who_lost_what(void **state)
{
	struct node_host host;
	struct join join;

	(void)state;
	start(&host, UPLINK
	      "link 6 a veth; cni f 1 shop/old u1 c1 eth0 a 10.0.0.5 -;"
	      "cni g 2 shop/new u2 c2 eth0 a 10.0.0.5 -; cni h 3 shop/new u2 c2 data1 b 10.9.0.5 -;"
	      "cni i 4 shop/new u2 c2 eth0 a 10.0.0.5 -");
	build(&host, &join);
	assert_int_equal(join.notes.n, 3);
	assert_int_equal(join.notes.v[0].kind, JOIN_NOTE_ADDR);
	assert_string_equal(join.notes.v[0].what, "10.0.0.5");
	assert_string_equal(join.notes.v[0].result->file, "f");
	assert_string_equal(join.notes.v[0].other->file, "i");
	assert_int_equal(join.notes.v[1].kind, JOIN_NOTE_LINK);
	assert_string_equal(join.notes.v[1].what, "a");
	assert_string_equal(join.notes.v[1].other->file, "i");
	assert_int_equal(join.notes.v[2].kind, JOIN_NOTE_UNCOVERED);
	assert_string_equal(join.notes.v[2].result->file, "h");
	assert_string_equal(join.notes.v[2].other->file, "i");
	join_done(&join);
	node_host_done(&host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pod_is_found_by_its_uid),
		cmocka_unit_test(an_operator_is_told_who_lost_what),
	};
	int failed = RUN_ROWS("hosts", hosts, is_shown);

	failed += RUN_ROWS("unseen", unseen, is_unseen);
	return failed + cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
