/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel lists, as the parts of a ruleset: encode.c and encode_expr.c backwards. What is
 * not as these would write it becomes something that equals nothing of ours. */
#ifndef NFT_DECODE_H
#define NFT_DECODE_H

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>

#include "encode_expr.h"
#include "keys.h"

/* A comment that nobody of ours writes: in the place of one that cannot be read, or of an element
 * that has more to it. */
#define COMMENT_NOT_OURS "\177"

/* The comment in somebody's notes, which are of the form (type, length, value) each. */
void decode_comment(const uint8_t *notes, uint32_t len, uint8_t type,
		    char to[static NFT_COMMENT_MAX + 1]);

/* false: none of ours. */
bool decode_verdict(int32_t code, const char *chain, struct nft_verdict *ret);

/* Sets. */

/* An element of a tree: where an interval begins, or the first key after one. */
struct decoded_end {
	uint8_t key[16];
	bool is_end;
};

struct decoded_ranges {
	struct nft_anonymous_elem *v;
	size_t n, cap;
};

/* The elements of one set, while they are listed. */
struct decoded_elems {
	size_t key_len;
	struct nft_set *set; /* where they go; NULL: into `ends` */
	VEC(struct decoded_end) ends;
	bool broken; /* there are some that no set of ours has */
};

/* Takes the elements of one NFT_MSG_NEWSETELEM. 0 or -ENOMEM. */
int decode_elems(const struct nlmsghdr *message, struct decoded_elems *ret);

/* A set without elements; NULL: no memory. */
struct nft_set *decode_set(const struct nftnl_set *object);

/* Before the first of its elements and after the last. 0 or -ENOMEM. */
void decode_set_start(struct nft_set *set, struct decoded_elems *ret);
int decode_set_end(struct nft_set *set, struct decoded_elems *elems);

/* An anonymous set, for the rule that looks it up. */
struct decoded_list {
	char name[NFT_NAME_MAX];
	uint32_t key_type, key_len;
	bool interval;
	bool broken;                 /* none of ours */
	struct decoded_ranges elems; /* ascending */
	UT_hash_handle hh;           /* by name */
};

struct decoded_list *decode_list(const struct nftnl_set *object);
int decode_list_end(struct decoded_list *list, struct decoded_elems *elems);
void decoded_list_free(struct decoded_list *list);

/* Chains and rules. */

/* Without rules; NULL: no memory. */
struct nft_chain *decode_chain(enum nft_table table, const struct nftnl_chain *object);

/* The length of a mask of so many bytes; -1: it has holes. */
int decode_mask(const uint8_t *mask, size_t bytes);

/* Into an empty rule; without statements when it is none of ours. 0 or -ENOMEM. */
int decode_rule(enum nft_table table, const struct decoded_list *lists, struct nftnl_rule *object,
		struct nft_rule *ret);

#endif
