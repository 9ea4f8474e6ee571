/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_NODES_H
#define POLICY_NODES_H

#include "internal.h"

/* Takes the object over; NULL removes. 0 or -ENOMEM. */
int nodes_put(struct graph *g, struct node *node);
void nodes_remove(struct graph *g, const char *name);
void nodes_free(struct graph *g);

/* What a pod says of its node's addresses. */
int nodes_add_pod(struct graph *g, const struct pod *pod);
void nodes_remove_pod(struct graph *g, const struct pod *pod);

/* The listener hears of all that it does not know yet. */
void nodes_tell(struct graph *g);
/* What this node has seen of the address is something else. */
void nodes_observed(struct graph *g, const struct addr *addr);

#endif
