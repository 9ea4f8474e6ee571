/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages about links. */
#ifndef NODE_LINK_INFO_H
#define NODE_LINK_INFO_H

#include "node/links.h"

struct nlmsghdr;

/* What an RTM_NEWLINK or RTM_DELLINK says of a link; of the latter only its index is for use.
 * false: it is no such message. A bridge tells of its ports in the same messages under its own
 * family, wireless links of other things. */
bool link_parse(const struct nlmsghdr *message, struct link *ret);

bool link_equal(const struct link *a, const struct link *b);

#endif
