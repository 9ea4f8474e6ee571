/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has somebody else changed our tables? The kernel tells who listens of every change to every
 * table; this listens, and looks at ours. It takes a socket of its own, to be read when it is
 * readable.
 *
 * Who listens makes large changes many times slower: leave for those, and join again. */
#ifndef NFT_WATCH_H
#define NFT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "nft/kernel.h"

#define NFT_TOUCH_NAME_MAX 16 /* of a process: TASK_COMM_LEN */
#define NFT_TOUCH_WHAT_MAX (NFT_NAME_MAX + 64)

/* What others have done to our tables since the last time. */
struct nft_touch {
	bool touched;
	/* The first of them, 0 and "" where that is unknown: messages were lost, or the kernel
	 * itself. */
	uint32_t pid;
	char name[NFT_TOUCH_NAME_MAX];
	char what[NFT_TOUCH_WHAT_MAX]; /* "rule gone from chain forward" */
};

struct nft_watch {
	int fd;                          /* -1: closed */
	const struct nft_kernel *kernel; /* what it sends is ours */
	struct nft_touch pending;        /* of a change whose end is not read yet */
	/* While it is paused: how things stood before. */
	uint32_t generation;
	uint64_t commits;
};

/* Listens to what others than `kernel` do, which must stay where it is. 0; or a negative errno with
 * err. */
int nft_watch_open(struct nft_watch *watch, const struct nft_kernel *kernel, struct err *err);
void nft_watch_close(struct nft_watch *watch);

/* Becomes readable when there is something to read, also of our own. */
int nft_watch_fd(const struct nft_watch *watch);

/* Reads what has come, never waits; not all of it when it is a lot: the socket is still readable
 * then. 0, or a negative errno. */
int nft_watch_read(struct nft_watch *watch, struct nft_touch *ret);

/* Stops listening; what has come before can still be read. 0 or a negative errno, and it still
 * listens. */
int nft_watch_pause(struct nft_watch *watch, struct nft_kernel *kernel);

/* Listens again. `ret_missed`: there were changes meanwhile by others, if only to other tables. 0
 * or a negative errno: it does not listen, or nobody knows what was missed. */
int nft_watch_resume(struct nft_watch *watch, struct nft_kernel *kernel, bool *ret_missed);

#endif
