/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses whose connections a change of policy may affect. */
#ifndef DAEMON_AFFECTED_H
#define DAEMON_AFFECTED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/table.h"

/* Beyond this many, every connection is looked at. */
#define AFFECTED_MAX 4096

struct affected_addr {
	struct addr addr;
	bool reassigned; /* another pod had it: nothing that was for that one is for this one */
	UT_hash_handle hh;
};

/* All zero: none. */
struct affected {
	struct affected_addr *addrs;
	bool all;    /* every address, to be evaluated */
	bool forced; /* even where standing connections are kept */
};

/* Out of memory it becomes all of them: more is looked at, never less. false: a reassigned address
 * could not be noted. */
bool affected_add(struct affected *affected, const struct addr *addr, bool reassigned);

/* Adds what `from` has, and empties it. false: as above. */
bool affected_move(struct affected *to, struct affected *from);

/* Forgets all but the reassigned. */
void affected_keep_reassigned(struct affected *affected);

const struct affected_addr *affected_find(const struct affected *affected, const struct addr *addr);
bool affected_empty(const struct affected *affected);
void affected_done(struct affected *affected);

#endif
