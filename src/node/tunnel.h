/* SPDX-License-Identifier: GPL-2.0-or-later */
/* At which UDP ports a link takes encapsulated packets: what rtnetlink says of its kind. */
#ifndef NODE_TUNNEL_H
#define NODE_TUNNEL_H

#include "node/links.h"

struct nlattr;

/* Of IFLA_LINKINFO; NULL is fine. */
struct link_tunnel tunnel_parse(const struct nlattr *info);

bool tunnel_equal(const struct link_tunnel *a, const struct link_tunnel *b);

#endif
