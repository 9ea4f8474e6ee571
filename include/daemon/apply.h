/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps the kernel's tables equal to what is rendered: one transaction for each change. What the
 * kernel has is read once, at the start, and again whenever that picture may be wrong. */
#ifndef DAEMON_APPLY_H
#define DAEMON_APPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/histogram.h"
#include "nft/isolate.h"
#include "nft/kernel.h"
#include "nft/watch.h"
#include "render/render.h"

struct apply {
	struct nft_kernel kernel;
	struct nft_kernel reader; /* for questions while a commit pauses halfway on the other */
	struct nft_watch watch;   /* of what others do to our tables */
	struct render *render;
	/* What the kernel had before the first commit; NULL: nobody wants that. 0 or -ENOMEM. */
	int (*adopt)(void *ctx, const struct ruleset *kernel);
	void *adopt_ctx;
	bool doubted; /* since the commit that is under way began */
	bool known;   /* the kernel has what render_committed() was last told */
	bool missed; /* while nobody listened, others may have changed our tables: read them soon */
	VEC(struct nft_refused) refused;
	bool cannot_own;  /* the kernel has no table flags owner and persist (nft/owner.h) */
	bool not_owned;   /* it has, but a table was made without them, and cannot get them */
	unsigned missing; /* enum nft_feature, 1 << each: why the kernel has refused something */
	bool no_bridge_family; /* the kernel has no place for the bridge table: it is left out */

	/* For status and metrics. */
	uint64_t commits, readbacks, refusals, failures, repairs;
	uint64_t last_us, longest_us; /* how long a commit that changed something took */
	struct histogram durations;   /* all of these */
	int64_t committed_ms;         /* the last that did, CLOCK_REALTIME; 0: none yet */
	char problem[ERR_TEXT_MAX];   /* why the kernel is behind; empty: it is not */
};

/* `own`: where the kernel can, this process owns our tables, those of an earlier run from now on.
 * `render` must live as long, and
 * `apply` stay where it is. 0, or what nft_kernel_open() returned, with err. */
int apply_open(struct apply *apply, struct render *render, bool own, struct err *err);
void apply_close(struct apply *apply);

/* Someone else has changed our tables, or may have: the next commit reads them first. */
void apply_doubt(struct apply *apply);

/* Are tables of ours in the kernel? 0, or what nft_readback() returned. */
int apply_finds_tables(struct apply *apply, bool *ret_found, struct err *err);

/* Brings the kernel to what is rendered (render_settle() first). *ret_changed: something was sent.
 * What the kernel refuses is isolated, told in the log and kept in apply->refused: 0 all the same.
 * Other than 0: nothing that was enforced is lost, err says why, try again later. */
int apply_commit(struct apply *apply, bool *ret_changed, struct err *err);

/* Forgets what was refused, so that the next commit tries all of it. */
void apply_retry_refused(struct apply *apply);

#endif
