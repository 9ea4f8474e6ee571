/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages about addresses of the host and about routes. Only those routes matter that lead to one
 * host without a gateway, in the main table, and default routes, in any. */
#ifndef NODE_ADDR_MESSAGE_H
#define NODE_ADDR_MESSAGE_H

#include "addr_table.h"

struct nlattr;
struct nlmsghdr;

/* Next hops of one route that are looked at. */
#define ROUTE_HOPS_MAX 16

struct addr_message {
	struct prefix dst;
	struct addr_entry entry; /* of an address its own, of a route for each hop */
	bool counts;             /* false: a route that may only replace one that does */
	unsigned hops[ROUTE_HOPS_MAX];
	size_t n_hops;
};

/* false: it is about nothing that matters. */
bool addr_message_parse(const struct nlmsghdr *message, struct addr_message *ret);
bool route_message_parse(const struct nlmsghdr *message, struct addr_message *ret);

/* false: it is no address of the family. */
bool addr_attr_parse(uint8_t af, const struct nlattr *attr, struct addr *ret_addr);

#endif
