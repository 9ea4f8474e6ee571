/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change that is larger than what the socket takes at once, as transactions that it does take.
 * Each object changes at one moment, and none of the moments between is more open than what was
 * before or what comes after: what only allows goes first and comes last. */
#ifndef NFT_PIECES_H
#define NFT_PIECES_H

#include "nft/plan.h"

struct nft_pieces {
	VEC(struct nft_batch) batches; /* without envelopes */
};

/* The change of a plan in pieces of at most `room` bytes, or of one object that is larger. 0;
 * -EMSGSIZE: objects are remade while others refer to them, which is one transaction or none;
 * -ENOMEM. nft_pieces_done() in any case. */
int nft_pieces_of_change(const struct nft_plan *plan, size_t room, struct nft_pieces *pieces);
void nft_pieces_done(struct nft_pieces *pieces);

#endif
