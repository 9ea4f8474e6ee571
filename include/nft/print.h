/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ruleset as text that `nft -f` loads, in one transaction and as often as one likes. */
#ifndef NFT_PRINT_H
#define NFT_PRINT_H

#include <stdio.h>

#include "nft/ruleset.h"

/* Objects in order of name, the base chain first: equal rulesets are equal text. 0, -ENOMEM, or
 * -EIO when the stream says so. */
int ruleset_print(const struct ruleset *ruleset, FILE *out);

#endif
