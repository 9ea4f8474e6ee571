/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This node's pods, for those who close them or tell of them. */
#ifndef DAEMON_LOCAL_H
#define DAEMON_LOCAL_H

#include "internal.h"

/* A pod as its source has it. */
struct local_pod {
	char *key; /* namespace/name */
	struct pod *pod;
	/* Families, as bits, whose address of the object the node has at a device, and whose it
	 * has nowhere. */
	uint8_t seen, unseen;
	bool over_limit_reported[DIR_COUNT]; /* that its policies are too complicated */
	bool is_stale;
	struct local_pod *prev_stale, *next_stale;
	UT_hash_handle hh;
};

bool local_is_here(const struct daemon *d, const struct pod *pod);

/* NULL: no such pod. */
struct local_pod *local_find(const struct daemon *d, const char *ns, const char *name);

#endif
