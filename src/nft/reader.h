/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule's expressions, one after the other: what is next is looked at, and taken when a statement
 * of ours is made of it. */
#ifndef NFT_READER_H
#define NFT_READER_H

#include "decode.h"

#include <libnftnl/expr.h>

#define EXPRS_MAX 32 /* ours have half of that */

#define UNKNOWN   (-1)

struct reader {
	struct nftnl_expr *exprs[EXPRS_MAX];
	size_t n, at;
	enum nft_table table;
	const struct decoded_list *lists;
	/* What has been said: */
	int family, proto; /* UNKNOWN: nothing */
	bool arp;
	struct nft_rule *rule;
};

struct payload {
	uint32_t base, offset, len;
};

struct lookup {
	const char *set;
	const struct decoded_list *list; /* of an anonymous one that is ours; else NULL */
	bool named, verdicts, negate;
};

/* All look `ahead` expressions beyond what has been taken. Registers are those of four bytes. */

/* The expression when it is of this name, else NULL. */
struct nftnl_expr *reader_expr(const struct reader *r, size_t ahead, const char *name);

bool reader_register_is(const struct nftnl_expr *expr, uint16_t attr, uint32_t expected);

/* Does it load this into the register? */
bool reader_meta(const struct reader *r, size_t ahead, uint32_t key, uint32_t reg);
bool reader_payload(const struct reader *r, size_t ahead, uint32_t reg, struct payload *ret);
/* The same with the first register. */
bool reader_payload_is(const struct reader *r, size_t ahead, uint32_t base, uint32_t offset,
		       uint32_t len);

/* What the first register is compared with; NULL: not so, or with a value of another length. */
const uint8_t *reader_cmp(const struct reader *r, size_t ahead, uint32_t op, uint32_t len);
/* The same for == and !=. */
const uint8_t *reader_match(const struct reader *r, size_t ahead, uint32_t len, bool *ret_negate);

/* The mask that the first register is put under, or NULL. */
const uint8_t *reader_mask(const struct reader *r, size_t ahead, uint32_t len);

/* Is the first register looked up, in a way of ours? */
bool reader_lookup(const struct reader *r, size_t ahead, struct lookup *ret);
/* And that in a list of keys of this type; else NULL. */
const struct decoded_list *reader_list(const struct reader *r, size_t ahead, uint32_t key_type,
				       bool *ret_negate);

/* 1: the statement is the rule's, and `exprs` are behind. 0: it is none of ours. Or -ENOMEM. */
int reader_take(struct reader *r, size_t exprs, const struct nft_stmt *stmt);
/* The same for the lookup of a named set or map. */
int reader_take_named(struct reader *r, size_t exprs, const struct lookup *lookup,
		      struct nft_stmt *stmt);

/* A statement about something in the header of IP or of ARP: as reader_take(). */
int reader_network(struct reader *r);

#endif
