/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What links.c keeps, and links_query.c reads. */
#ifndef NODE_LINKS_STATE_H
#define NODE_LINKS_STATE_H

#include "addr_table.h"
#include "node/links.h"
#include "node/rtnl.h"

struct link_row {
	struct link link;
	bool may_have_routes;       /* false: no route to it is known */
	UT_hash_handle hh, by_name; /* a name that another has taken is not in by_name */
};

/* Of an address of the host, where it has neighbours. */
struct link_subnet {
	unsigned index;
	struct prefix prefix;
};

struct links {
	struct link_row *rows, *names;
	struct addr_table addrs;
	VEC(struct link_subnet) subnets; /* of these */
	struct rtnl_dump doubts[RTNL_DOUBTS_MAX];
	size_t n_doubts;
	bool said_full;
};

/* The default routes of a family, in any table; NULL: there is none. */
const struct addr_row *links_defaults(const struct links *links, enum family family);

#endif
