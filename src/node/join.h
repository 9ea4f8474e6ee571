/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From CNI results, links and neighbours to attachments: a function of what is given to it, and of
 * nothing else. */
#ifndef NODE_JOIN_H
#define NODE_JOIN_H

#include "base/vec.h"
#include "node/attach.h"
#include "node/links.h"
#include "node/neigh.h"

enum join_note_kind {
	JOIN_NOTE_ADDR,      /* `other`, newer, says that the address is its own */
	JOIN_NOTE_LINK,      /* likewise the interface `what` */
	JOIN_NOTE_UNCOVERED, /* one more network of the pod, beside that of `other` */
};

/* What an operator should know about a file. */
struct join_note {
	enum join_note_kind kind;
	struct cni_result *result, *other;
	char what[ADDR_TEXT_MAX];
};

struct join_addr {
	struct addr addr;
	size_t at; /* in attachments */
};

/* For qsort(3) and bsearch(3): 0 for what is the same of the same results. */
int join_note_compare(const void *x, const void *y);

/* In order: by ns, name and uid, then by the first address; by address; as above. */
struct join {
	VEC(struct attachment) attachments;
	VEC(struct join_addr) addrs;
	VEC(struct join_note) notes;
	VEC(struct attach_unseen) unseen;
};

/* 0 or -ENOMEM. The order of results does not matter. Free with join_done(). */
int join_build(struct cni_result *const *results, size_t n, const struct links *links,
	       const struct neigh *neigh, struct join *ret_join);
void join_done(struct join *join);

/* join_unseen.c: adds what this host does not see of the results that count, when all else is done.
 * 0 or -ENOMEM. */
int join_unseen(struct join *join, struct cni_result *const *results, size_t n,
		const struct links *links);

const struct attachment *join_by_pod(const struct join *join, const char *ns, const char *name,
				     const char *uid);
const struct attachment *join_by_addr(const struct join *join, const struct addr *addr);

#endif
