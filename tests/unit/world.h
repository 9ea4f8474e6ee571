/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small worlds that change at random: a fixed number of objects, each there or not. Few names, few
 * addresses, few labels, so that everything meets everything. */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "cluster.h"

/* Where the choices come from: a seed, or a fuzzer's bytes. */
struct picker {
	uint32_t (*pick)(void *ctx, uint32_t below);
	void *ctx;
};

#define WORLD_SLOTS 33

struct world {
	/* NULL: not there. Of an address that the node has seen, namespace, name and UID of its
	 * pod. */
	char *yaml[WORLD_SLOTS];
};

/* Makes, changes or removes one object; returns its slot. */
size_t world_change(struct world *world, const struct picker *picker);

/* Puts the slot's object, or removes it. 0, -ENOMEM, or -EINVAL with what was refused in `faults`.
 */
int world_apply(const struct world *world, size_t slot, struct cluster *c, struct faults *faults);

/* A flow between two ends of such a world. */
void world_flow(const struct picker *picker, struct flow *flow);

void world_done(struct world *world);

#endif
