/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket that follows a part of the host's network: what was there when it was opened, and each
 * change since. What notifications leave open is read again; when the kernel had to drop some, all
 * is. */
#ifndef NODE_RTNL_H
#define NODE_RTNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nlmsghdr;

/* Reading anew after lost news is done once in so long, lest a flood of them takes all our time. */
#define RTNL_RESYNC_MS 1000
/* What is in doubt is read again so long after the first notification of it, as mostly more follow
 * (of a link that ends, within a millisecond or two), and no more than so many percent of the time
 * go to that. */
#define RTNL_REREAD_MS    10
#define RTNL_REREAD_SHARE 10

/* Parts of a state that are in doubt at a time. */
#define RTNL_DOUBTS_MAX 16

struct rtnl_dump {
	uint16_t type; /* RTM_GET* */
	uint8_t family;
	uint8_t header_bytes; /* of the family's own header */
	unsigned index;       /* of the link whose addresses or unicast routes they are; 0: all */
};

/* What a socket follows, and who keeps it. */
struct rtnl_kind {
	const char *what;       /* for messages */
	const unsigned *groups; /* RTNLGRP_*, 0 ends them */
	const struct rtnl_dump *dumps;
	size_t n_dumps;
	void *(*new)(void); /* an empty state; NULL: no memory */
	void (*free)(void *state);
	/* Takes in one message of a dump or a notification; those of another type are ignored. Sets
	 * *ret_changed when something is other than before, and leaves it alone otherwise. 0 or
	 * -ENOMEM. */
	int (*apply)(void *state, const struct nlmsghdr *message, bool *ret_changed);
	/* All three NULL: nothing is ever in doubt. How many dumps would settle what is; hands them
	 * over, up to RTNL_DOUBTS_MAX, and returns how many: their messages are taken in next; ends
	 * what has not been in such a dump. */
	size_t (*doubts)(const void *state);
	size_t (*reread)(void *state, struct rtnl_dump *ret_dumps);
	void (*sweep)(void *state, const struct rtnl_dump *dump, bool *ret_changed);
};

struct rtnl;

/* Opens, and reads what is there. -ENOMEM, or another error with err. Close with rtnl_close(). */
int rtnl_open(const struct rtnl_kind *kind, struct rtnl **ret_rtnl, struct err *err);
void rtnl_close(struct rtnl *rtnl);

int rtnl_fd(const struct rtnl *rtnl);

/* What kind->new() made and kind->apply() filled; another one after each rtnl_read(). */
const void *rtnl_state(const struct rtnl *rtnl);

/* Takes in news, without waiting; sets *ret_changed when the state is other than before. It ends
 * after a bounded number of them, the descriptor stays readable then. 0, or a negative errno when
 * what is there could not be read anew: it is tried again by a later call, and the state is the
 * last that was known. */
int rtnl_read(struct rtnl *rtnl, bool *ret_changed);

/* Milliseconds until rtnl_read() has something to do even without news; -1: nothing. */
int rtnl_wait_ms(const struct rtnl *rtnl);

/* How often all was read anew because notifications were lost. */
uint64_t rtnl_resyncs(const struct rtnl *rtnl);

#endif
