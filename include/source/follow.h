/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manifests that are followed: read whenever something may have changed, as events of what is
 * different from the time before.
 *
 * Nothing that was understood once is taken back because its file cannot be read: not while it is
 * half written, has a fault, or is gone with the directory that it stood in. */
#ifndef SOURCE_FOLLOW_H
#define SOURCE_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "source/files.h"

/* A file that changed less long ago may be in the middle of being written. */
#define FOLLOW_SETTLE_MS 200
/* Not waited for longer than this, all in all: some file is always being written. */
#define FOLLOW_PATIENCE_MS 5000

struct follow;

/* `paths` and `strings` must live as long. 0; -ENOMEM; or another negative errno with err: the
 * kernel has no inotify instance left, say. */
int follow_new(const char *const paths[], size_t n_paths, struct intern *strings,
	       struct follow **ret_follow, struct err *err);
void follow_free(struct follow *follow);

/* Readable when something may have changed; follow_drain() then empties it. True: it did. */
int follow_fd(const struct follow *follow);
bool follow_drain(struct follow *follow);

/* Reads everything again and emits what is new, different or gone; EVENT_SYNCED after the first
 * time. Faults and counts as files_load() has them; *ret_kept is how many objects are kept although
 * no file has them any more. 0; -EAGAIN: a file is still being written, nothing was read, try again
 * after FOLLOW_SETTLE_MS; -ENOMEM; or what fn returned. */
int follow_load(struct follow *follow, event_fn fn, void *ctx, struct faults *faults,
		struct files_report *report, size_t *ret_kept);

/* NULL; or why changes are not noticed (then only follow_load() finds them). */
const char *follow_blind(const struct follow *follow);

#endif
