/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left of a ruleset without the parts that the kernel refuses. Rules of ours that do
 * not drop allow something, and every pod's chain ends in drops: to leave the others out closes, it
 * never opens. */
#ifndef NFT_ISOLATE_H
#define NFT_ISOLATE_H

#include "base/vec.h"
#include "nft/ruleset.h"

struct nft_refused {
	enum nft_table table;
	bool set; /* a set or map, not a chain */
	char name[NFT_NAME_MAX];
};

/* Can the ruleset do without it? Not without a base chain of the policy, what every packet goes
 * through, or the maps that find a pod's chain: without them there would be no policy. */
bool nft_refused_can_be_left_out(const struct ruleset *ruleset, const struct nft_refused *refused);

/* Is it something else than what was committed, or gone? What was refused may be taken now. */
bool nft_refused_has_changed(const struct ruleset *ruleset, const struct nft_refused *refused);

/* A copy without them: a refused chain keeps its drops alone,
 * and a refused base chain of anti-spoofing is not there; a
 * refused set is not there, nor any rule that looks into it. 0 or -ENOMEM; ruleset_done() either
 * way. */
int nft_isolate(const struct ruleset *ruleset, const struct nft_refused refused[], size_t n,
		struct ruleset *ret);

/* Whom that closes, for people: the comments of the chains concerned, "shop: allow-web". Cut where
 * it is long. */
void nft_refused_describe(const struct ruleset *ruleset, const struct nft_refused *refused,
			  char *to, size_t len);

/* Pods, as the comments of their chains name them; valid as long as the ruleset is not changed. */
struct nft_pods {
	VEC(const char *) names;
};

/* Adds the pods that it concerns, each once: whose chain it is, or leads to it or into it. 0 or
 * -ENOMEM; nft_pods_done() either way. */
int nft_refused_pods(const struct ruleset *ruleset, const struct nft_refused *refused,
		     struct nft_pods *pods);
void nft_pods_done(struct nft_pods *pods);

/* "shop/a, shop/b and 3 more"; more than this are not named. */
#define NFT_PODS_NAMED_MAX 10
void nft_pods_print(const struct nft_pods *pods, char *to, size_t len);

/* Does a statement of it look into the set, or go to the chain? */
bool nft_rule_looks_into(const struct nft_rule *rule, const char *set);
bool nft_rule_goes_to(const struct nft_rule *rule, const char *chain);

#endif
