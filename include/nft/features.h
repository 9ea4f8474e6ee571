/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel may be built without, or cannot load, although rulesets of ours need it. All of it
 * is in nf_tables since before 5.10, so it is asked for only when the kernel has refused something.
 */
#ifndef NFT_FEATURES_H
#define NFT_FEATURES_H

#include "nft/kernel.h"

enum nft_feature {
	NFT_FEATURE_INET, /* tables of the family; without it nothing else can be tried */
	NFT_FEATURE_BRIDGE,
	NFT_FEATURE_CT, /* the expressions */
	NFT_FEATURE_FIB,
	NFT_FEATURE_COUNTER,
	NFT_FEATURE_RANGES, /* of ports */
};
#define NFT_FEATURE_COUNT (NFT_FEATURE_RANGES + 1)

/* As people know it: "family inet (CONFIG_NF_TABLES_INET)". */
const char *nft_feature_name(enum nft_feature feature);

/* Asks the kernel without changing anything. *ret_missing: 1 << feature for each that it lacks. 0,
 * or a negative errno with err; kernel->refusals are then of this question. */
int nft_features_missing(struct nft_kernel *kernel, unsigned *ret_missing, struct err *err);

/* The same, and says it in `err`, which says what was refused: an answer that names a chain or
 * nothing at all does not tell. Where the kernel cannot be asked, both stay as they are. */
void nft_features_explain(struct nft_kernel *kernel, unsigned *missing, struct err *err);

#endif
