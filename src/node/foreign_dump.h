/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of nftables as others have it. */
#ifndef NODE_FOREIGN_DUMP_H
#define NODE_FOREIGN_DUMP_H

#include <libmnl/libmnl.h>
#include <stdint.h>

/* What a dump is narrowed to: a chain's rules, or a set's elements. */
struct foreign_place {
	uint32_t family;
	const char *table, *name;
};

/* 0; -EINTR: somebody changed something meanwhile; other errors, also those that `take` has set
 * errno to before it returned MNL_CB_ERROR. `type`: an NFT_MSG_GET*; of everything where `place` is
 * NULL. */
int foreign_dump(uint16_t type, const struct foreign_place *place, mnl_cb_t take, void *ctx);

/* For `take`: there is no memory. */
int foreign_dump_stop(void);
/* For `take`, with errno as libnftnl has left it: what it does not know is passed over; without
 * memory it is not known what it was. */
int foreign_dump_not_parsed(void);

#endif
