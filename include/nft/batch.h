/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink messages in a row, and what each is about: a refused sequence number names its object. */
#ifndef NFT_BATCH_H
#define NFT_BATCH_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "nft/ruleset.h"

enum nft_subject {
	NFT_SUBJECT_BATCH, /* begin and end */
	NFT_SUBJECT_TABLE,
	NFT_SUBJECT_CHAIN, /* and its rules */
	NFT_SUBJECT_SET,   /* and its elements */
};

struct nft_message {
	uint32_t seq;
	size_t offset, len; /* in the batch's bytes */
	enum nft_subject subject;
	enum nft_table table;
	char name[NFT_NAME_MAX]; /* of the chain or set */
	bool more;               /* nothing without the next: an anonymous set and its rule */
	bool gate;               /* elements by which packets come into the chains of pods */
	bool allows;             /* elements of a set that only allows, see struct nft_set */
	uint32_t objects;        /* that a listener hears of: elements, else one */
};

struct nft_batch {
	char *bytes;
	size_t len, cap;
	VEC(struct nft_message) messages;
	uint32_t seq; /* of the last message; the caller may start it anywhere */
	/* What messages that are opened from now on are, until it is cleared. */
	bool more, gate, allows;
};

/* NFPROTO_INET, NFPROTO_BRIDGE; and back, false: none of ours. */
uint16_t nft_table_family(enum nft_table table);
bool nft_table_of_family(uint16_t family, enum nft_table *ret);

/* Room for one message of at most `payload` bytes at the end of the batch, with its header written;
 * to be completed with nft_batch_close(). NULL: no memory. */
struct nlmsghdr *nft_batch_open(struct nft_batch *batch, uint16_t type, uint16_t flags,
				enum nft_subject subject, enum nft_table table, const char *name,
				size_t payload);
/* Takes the message, as long as its header says it has become. */
int nft_batch_close(struct nft_batch *batch, const struct nlmsghdr *message);

/* The envelope. `generation` is what the ruleset must still be at; 0: any. */
int nft_batch_begin(struct nft_batch *batch, uint32_t generation);
int nft_batch_end(struct nft_batch *batch);

/* Appends messages [from, to) of another batch, numbered on from this one's. 0 or -ENOMEM. */
int nft_batch_append(struct nft_batch *batch, const struct nft_batch *other, size_t from,
		     size_t to);

/* What a sequence number is about, in a batch that was numbered without gaps; NULL: none of ours.
 */
const struct nft_message *nft_batch_find(const struct nft_batch *batch, uint32_t seq);

void nft_batch_done(struct nft_batch *batch);

#endif
