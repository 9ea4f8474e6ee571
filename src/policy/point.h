/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One protocol and port of a pair of ends: what both directions answer. */
#ifndef POLICY_POINT_H
#define POLICY_POINT_H

#include "policy/eval.h"

#define DNS_PORT 53

/* What decides the two directions of a pair. */
struct pair_profiles {
	struct profile *dir[DIR_COUNT]; /* NULL: that direction is open */
	/* Of each family and class, and behind the classes of `every`: its answer, and one more; 0:
	 * not known yet. Thousands of ports can be in one class, and have thousands of peers. */
	uint8_t *known[DIR_COUNT];
};

/* 0 or -ENOMEM; pair_profiles_done() either way. */
int pair_profiles_find(struct graph *graph, const struct flow_pair *pair,
		       struct pair_profiles *ret);
void pair_profiles_done(struct pair_profiles *profiles);

/* Answers for the stretch's protocol and first port. */
void point_evaluate(const struct flow_pair *pair, const struct pair_profiles *profiles,
		    struct flow_stretch *stretch);

/* Is the other end of this direction among the peers? */
enum answer pair_peers_answer(const struct flow_pair *pair, enum direction dir,
			      const struct peers *peers);

/* Does the end's pod call this port so? */
bool pod_has_port(const struct flow_end *end, const char *name, enum proto proto, uint16_t port);

#endif
