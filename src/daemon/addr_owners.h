/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose the addresses of this node's pods are, and whose they were last. */
#ifndef DAEMON_ADDR_OWNERS_H
#define DAEMON_ADDR_OWNERS_H

#include <stdbool.h>

#include "base/addr.h"
#include "model/object.h"

/* So many are remembered; then those of pods that are gone are forgotten. */
#define ADDR_OWNERS_MAX 65536

/* All zero: none. */
struct addr_owners {
	struct addr_owner *all;
};

/* The address is the pod's from now on. true: it is not the pod that had it last, or nobody knows;
 * also out of memory. */
bool addr_owners_set(struct addr_owners *owners, const struct addr *addr, const struct pod *pod);

/* The pod has it no more; it is remembered. */
void addr_owners_leave(struct addr_owners *owners, const struct addr *addr);

void addr_owners_done(struct addr_owners *owners);

#endif
