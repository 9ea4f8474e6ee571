/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Table flags owner and persist (Linux 6.9): nobody but the socket that owns a table can change it,
 * and when that socket is closed the table stays, as an orphan with persist alone. */
#ifndef NFT_OWNER_H
#define NFT_OWNER_H

#include "nft/kernel.h"

/* Does the kernel have both flags? 0 or a negative errno with err. Nothing is changed for it. */
int nft_owner_supported(struct nft_kernel *kernel, bool *ret_supported, struct err *err);

/* Makes this socket the owner of those of our tables that have lost theirs; what is in them stays.
 * 0, or what nft_kernel_apply() returned, with err. */
int nft_owner_adopt(struct nft_kernel *kernel, struct err *err);

/* 0; -EPERM with err, which names the owner: one of our tables is another socket's; or another
 * negative errno with err. */
int nft_owner_check(struct nft_kernel *kernel, struct err *err);

/* Sets err to say that a table is owned by the netlink socket of this port; -EPERM. */
int nft_owner_error(enum nft_table table, uint32_t portid, struct err *err);

#endif
