/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's links, its own addresses, and the routes that may lead to pods, as rtnetlink tells
 * them. Only state: who reads the socket is node/rtnl.h. */
#ifndef NODE_LINKS_H
#define NODE_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "node/rtnl.h"

/* What is beyond is left out, and that is logged once. */
#define LINKS_MAX         16384
#define LINKS_ADDRS_MAX   65536
#define LINKS_ROUTES_MAX  64 /* of one address, and default routes of a family */
#define LINKS_SUBNETS_MAX 4096
#define LINKS_TUNNELS_MAX 64 /* ports of tunnels */

enum link_kind {
	LINK_KIND_PAIR, /* veth or netkit: its other end may be a pod's */
	LINK_KIND_BRIDGE,
	LINK_KIND_VRF,
	LINK_KIND_TUNNEL, /* of an overlay between nodes */
	LINK_KIND_OTHER,
};

enum tunnel_kind { TUNNEL_NONE, TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_OTHER };

/* What the link takes out of UDP, and at which ports of this host; 0: none. */
struct link_tunnel {
	enum tunnel_kind kind;
	uint16_t ports[2];
};

struct link {
	unsigned index;
	char name[IFNAMSIZ];
	enum link_kind kind;
	uint8_t nf_call; /* families, a bit each, of which a bridge hands packets to netfilter by
			    itself */
	unsigned master; /* index of the bridge or the like that it is a port of; 0: none */
	struct link_tunnel tunnel;
};

struct links;

/* Whose state is a struct links. Notifications add links, addresses and routes, and take away links
 * with what stands on them. Whatever else may have ended is in doubt until its link's addresses or
 * routes are read again: of some ends there are no notifications, and others do not tell which of
 * several alike it was. */
extern const struct rtnl_kind links_kind;

/* NULL: there is none. */
const struct link *links_by_index(const struct links *links, unsigned index);
const struct link *links_by_name(const struct links *links, const char *name);

/* Is it one of the host's own addresses? */
bool links_is_host(const struct links *links, const struct addr *addr);

/* Indexes of the links that default routes lead to, each once; how many. */
size_t links_uplinks(const struct links *links, unsigned *indexes, size_t max);

/* A tunnel that has an address of the host, the first by name, and the address, IPv4 first; NULL:
 * there is none. Link-local ones do not count. */
const struct link *links_tunnel(const struct links *links, struct addr *ret_addr);

/* All of these but loopback's, in no order. */
void links_each_host(const struct links *links, void (*fn)(void *ctx, const struct addr *addr),
		     void *ctx);

/* The UDP ports that tunnels of this host have, ascending; where none is of VXLAN or of Geneve, the
 * standard ones of that. Returns how many. */
size_t links_tunnel_ports(const struct links *links, uint16_t ret_ports[static LINKS_TUNNELS_MAX]);

/* Does a default route lead there? */
bool links_is_uplink(const struct links *links, unsigned index);

/* Does the host send what is for the address to where only pods are: by a route for this very
 * address, without a gateway, to one of a pair or to a bridge, or because it is in a subnet of a
 * bridge? Never by its way out, and never its own addresses. */
bool links_leads_to_pods(const struct links *links, const struct addr *addr);

/* All addresses that have such a route, in no order. */
void links_each_route(const struct links *links,
		      void (*fn)(void *ctx, const struct addr *addr, unsigned index), void *ctx);

#endif
