/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket that follows a part of the host's network: what was there when it was opened, and each
 * change since. When the kernel had to drop news, all is read anew. */
#ifndef NODE_RTNL_H
#define NODE_RTNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nlmsghdr;

/* Reading anew after lost news is done once in so long, lest a flood of them takes all our time. */
#define RTNL_RESYNC_MS 1000

struct rtnl_dump {
	uint16_t type; /* RTM_GET* */
	uint8_t family;
	uint8_t header_bytes; /* of the family's own header */
};

/* What a socket follows, and who keeps it. */
struct rtnl_kind {
	const char *what;       /* for messages */
	const unsigned *groups; /* RTNLGRP_*, 0 ends them */
	const struct rtnl_dump *dumps;
	size_t n_dumps;
	void *(*new)(void); /* an empty state; NULL: no memory */
	void (*free)(void *state);
	/* As links_apply(). */
	int (*apply)(void *state, const struct nlmsghdr *message, bool *ret_changed);
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

/* How often all was read anew. */
uint64_t rtnl_resyncs(const struct rtnl *rtnl);

#endif
