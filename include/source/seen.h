/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of the objects that a source has told of, so that after a new list it can tell which
 * are gone. */
#ifndef SOURCE_SEEN_H
#define SOURCE_SEEN_H

#include <stddef.h>
#include <stdint.h>

struct seen_name;

/* Zero bytes are an empty set. */
struct seen_set {
	struct seen_name *names;
	uint32_t round;
};

/* A new list begins. */
void seen_begin(struct seen_set *set);

/* The object is there. `ns` NULL: of no namespace. 0 or -ENOMEM. */
int seen_mark(struct seen_set *set, const char *ns, const char *name);

/* 0, or a negative errno: the object is not forgotten. */
typedef int (*seen_fn)(void *ctx, const char *ns, const char *name);

/* The object is gone: forgets it and calls `fn`, if it was there. 0, or what fn returned. */
int seen_drop(struct seen_set *set, const char *ns, const char *name, seen_fn fn, void *ctx);

/* The list is complete: forgets those that were not marked since seen_begin() and calls `fn` for
 * each. An error ends that; those after it are still there, too. */
int seen_sweep(struct seen_set *set, seen_fn fn, void *ctx);

size_t seen_count(const struct seen_set *set);
void seen_done(struct seen_set *set);

#endif
