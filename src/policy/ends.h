/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_ENDS_H
#define POLICY_ENDS_H

#include "policy/eval.h"

struct flow_ends {
	VEC(struct flow_end) all;
};

/* The ends that FROM or TO means: a pod's addresses, a node's, or an address. None: ret->all is
 * empty and `reason` says why. 0 or -ENOMEM. */
int ends_resolve(const struct graph *g, const char *text, struct flow_ends *ret, char *reason,
		 size_t reason_len);

#endif
