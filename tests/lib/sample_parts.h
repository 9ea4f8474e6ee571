/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of sample.h share. `state` is of the random numbers. */
#ifndef TESTS_SAMPLE_PARTS_H
#define TESTS_SAMPLE_PARTS_H

#include "nft/ruleset.h"

#define LEAVES       4
#define SPOOF_CHAINS 3
#define SAMPLE_SETS  20 /* by name; the last has another form each time */

/* Ends the program when it is not 0. */
void sample_check(int rc);

/* Below `below`; true, once in so many times; and what the names say. */
uint32_t sample_pick(uint64_t *state, uint32_t below);
bool sample_chance(uint64_t *state, uint32_t one_in);
void sample_comment(uint64_t *state, char to[static NFT_COMMENT_MAX + 1]);
enum family sample_family(uint64_t *state);
uint8_t sample_proto(uint64_t *state);

/* The n-th of a family: 10.0.0.n, fd00::n. */
struct addr sample_addr(enum family family, uint32_t n);

/* Accept, or the way to a leaf: a chain that leads nowhere else. */
struct nft_verdict sample_verdict(uint64_t *state);

struct sample_form {
	const char *name;
	enum nft_set_type type;
	bool interval, map;
	enum nft_table table;
};

/* The form of the set of that number. */
struct sample_form sample_set(uint64_t *state, size_t i);
struct nft_set *sample_new_set(uint64_t *state, const struct sample_form *form);

struct nft_key sample_key(uint64_t *state, enum nft_set_type type, uint32_t n);
/* Puts one in. */
void sample_elem(uint64_t *state, struct nft_set *set);

/* A rule that is being written. */
struct pen {
	uint64_t *state;
	const struct ruleset *ruleset;
	enum nft_table table;
	struct nft_rule rule;
};

void sample_say(struct pen *pen, const struct nft_stmt *stmt);
#define SAY(pen, ...) sample_say(pen, &(struct nft_stmt){__VA_ARGS__})

/* Chains, in place of those of their names. Whether rules still look up a set is not looked into:
 * all branches are written anew. */
void sample_put_antispoof(uint64_t *state, struct ruleset *ruleset, uint32_t n);
/* Where the maps of the bridge table lead to; a bridge table has it. */
void sample_put_port_leaf(uint64_t *state, struct ruleset *ruleset);
#define PORT_LEAF "port_leaf_0"
void sample_put_branches(uint64_t *state, struct ruleset *ruleset);

#endif
