/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes of one destination, and messages about them. Only those matter that lead to one host
 * without a gateway, in the main table, and default routes, in any. */
#ifndef NODE_ROUTE_H
#define NODE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/vec.h"

struct nlattr;
struct nlmsghdr;

/* Next hops of one route that are looked at. */
#define ROUTE_HOPS_MAX 16

struct route {
	uint32_t table, metric;
	uint8_t tos, scope;
	unsigned index; /* of the link */
	bool has_source;
	struct addr source;
};

struct routes {
	struct route *v;
	size_t n, cap;
};

struct route_message {
	struct addr dst;
	uint8_t len;
	struct route route;
	bool counts; /* false: it may only replace one that does */
	unsigned hops[ROUTE_HOPS_MAX];
	size_t n_hops;
};

/* Is it about a route that matters? */
bool route_parse(const struct nlmsghdr *message, struct route_message *ret_parsed);

/* false: it is no address of the family. */
bool route_parse_addr(uint8_t af, const struct nlattr *attr, struct addr *ret_addr);

/* 0, -ENOMEM, -ENOSPC (no room for more), -EAGAIN (dump anew). */
int routes_apply(struct routes *routes, const struct nlmsghdr *message,
		 const struct route_message *parsed, bool *ret_changed);

/* Removes those that stand on it; how many. */
size_t routes_drop(struct routes *routes, bool (*stands)(const struct route *, const void *),
		   const void *on);

/* The link of the one that the kernel prefers; 0: there is none. */
unsigned routes_best(const struct routes *routes);

#endif
