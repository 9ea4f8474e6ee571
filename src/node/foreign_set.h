/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets and verdict maps of others. */
#ifndef NODE_FOREIGN_SET_H
#define NODE_FOREIGN_SET_H

#include <stdbool.h>

#include "base/vec.h"
#include "foreign_dump.h"
#include "foreign_match.h"
#include "foreign_rule.h"

struct foreign_set {
	uint32_t family, flags, key_len; /* NFT_SET_* */
	char *table, *name;
};

struct foreign_sets {
	VEC(struct foreign_set) v;
	size_t elems_left; /* how many elements may still be read: PREFLIGHT_ELEMS_MAX of all */
};

struct foreign_elem {
	struct foreign_range range;
	bool catch_all; /* all that no other element has */
	struct foreign_verdict verdict;
};

struct foreign_elems {
	VEC(struct foreign_elem) v;
};

/* All sets that there are. 0 or a negative errno; foreign_sets_done() in any case. */
int foreign_sets_read(struct foreign_sets *sets);
void foreign_sets_done(struct foreign_sets *sets);

/* The elements, in no order. -ENOENT: there is no such set; -E2BIG: too many elements; or another
 * error. foreign_elems_done() in any case. */
int foreign_elems_read(struct foreign_sets *sets, const struct foreign_place *place,
		       struct foreign_elems *elems);
void foreign_elems_done(struct foreign_elems *elems);

/* Whether packets of pods, looked up by `key`, can find element `i`. */
struct foreign_answer foreign_elem_found(const struct preflight_host *host,
					 const struct foreign_key *key,
					 const struct foreign_elems *elems, size_t i);

/* Whether they can find none. */
struct foreign_answer foreign_none_found(const struct preflight_host *host,
					 const struct foreign_key *key,
					 const struct foreign_elems *elems);

#endif
