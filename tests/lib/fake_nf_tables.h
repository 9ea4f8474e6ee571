/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nf_tables without a kernel: takes the messages of a plan as the kernel would, and refuses what it
 * would refuse. Test only. */
#ifndef TESTS_FAKE_NF_TABLES_H
#define TESTS_FAKE_NF_TABLES_H

#include "nft/plan.h"

struct fake {
	struct ruleset ruleset;
	struct decoded_list *lists; /* anonymous sets of the transaction */
	char complaint[256];        /* "": everything was taken */
};

/* One transaction with parts [from, to) of a plan. */
void fake_apply(struct fake *fake, const struct nft_plan *plan, int from, int to);

void fake_done(struct fake *fake);

#endif
