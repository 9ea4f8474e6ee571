/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to nf_tables, and the messages of their answers. */
#ifndef NFT_REQUEST_H
#define NFT_REQUEST_H

#include "nft/kernel.h"

/* More than what the kernel puts into one datagram of an answer. */
#define NFT_ANSWER_BYTES  32768

#define NFT_REQUEST_BYTES 512

/* Called for each message of an answer. 0; or a negative errno, and the rest is not looked at. */
typedef int (*nft_answer_fn)(void *ctx, const struct nlmsghdr *message);

/* A question of the type NFT_MSG_GET*, in a buffer of the caller's, for attributes to be added.
 * `flags`: NLM_F_DUMP for a list, else 0. */
struct nlmsghdr *nft_request_start(char buffer[static NFT_REQUEST_BYTES], uint16_t type,
				   uint16_t family, uint16_t flags);

/* Asks, and hands out the answer. 0; what `answer` returned; the kernel's refusal; -EINTR: the
 * ruleset has changed while it was listed, so the list may be inconsistent; -EAGAIN: an answer
 * without an end. */
int nft_request(struct nft_kernel *kernel, struct nlmsghdr *request, nft_answer_fn answer,
		void *ctx);

#endif
