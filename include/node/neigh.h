/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Neighbours and the forwarding entries of bridges, as rtnetlink tells them. A pod can make up
 * both: who knows better from a CNI result does not ask here. Only state: who reads the socket is
 * node/rtnl.h. */
#ifndef NODE_NEIGH_H
#define NODE_NEIGH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "node/cni.h"
#include "node/rtnl.h"

/* What is beyond is left out, and that is logged once. */
#define NEIGH_ADDRS_MAX   65536
#define NEIGH_ENTRIES_MAX 65536
#define NEIGH_VLANS_MAX   16 /* of one hardware address on one bridge */

struct neigh;

/* Whose state is a struct neigh. Apart from the links: a pod can make more of these notifications
 * than anybody can read. */
extern const struct rtnl_kind neigh_kind;

/* The hardware address that the host sends to for the address on this link. false: it knows none.
 */
bool neigh_mac(const struct neigh *neigh, unsigned index, const struct addr *addr,
	       uint8_t ret_mac[MAC_BYTES]);

/* The port of the bridge behind which the hardware address was seen; 0: none. */
unsigned neigh_port(const struct neigh *neigh, unsigned bridge, const uint8_t mac[MAC_BYTES]);

/* All neighbours, in no order. */
void neigh_each(const struct neigh *neigh,
		void (*fn)(void *ctx, const struct addr *addr, unsigned index,
			   const uint8_t mac[MAC_BYTES]),
		void *ctx);

#endif
