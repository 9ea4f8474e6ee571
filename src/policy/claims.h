/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_CLAIMS_H
#define POLICY_CLAIMS_H

#include "internal.h"

/* The node has seen something else of an address: makes the claim on it, if there is one, follow.
 * The pods whose ownership that changes are unpublished, and published again after. 0 or -ENOMEM.
 */
int claims_follow(struct graph *g, const struct addr *addr, const struct observed_addr *observed);

/* The other pods whose ownership changes when this one's claims come (it has none yet) or go. Each
 * once; returns how many. */
size_t claims_rivals(const struct graph *g, const struct graph_pod *pod,
		     struct graph_pod *rivals[CLAIMS_MAX]);

/* 0 or -ENOMEM. */
int claims_add(struct graph *g, struct graph_pod *pod);
void claims_remove(struct graph *g, struct graph_pod *pod);

/* observed.c: at the end, when no claim is left. */
void observed_free(struct graph *g);

#endif
