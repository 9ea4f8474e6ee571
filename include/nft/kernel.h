/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket that rulesets go to the kernel by: one, open for life (closing one after deletions
 * waits for the kernel to be done with them). */
#ifndef NFT_KERNEL_H
#define NFT_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "nft/plan.h"

/* A message that the kernel refused, and why. Nothing of its transaction has happened. */
struct nft_refusal {
	int code; /* negative errno */
	struct nft_message message;
};

/* More than this many of one transaction are only counted. */
#define NFT_REFUSALS_MAX 64

/* One transaction of several has at most so many objects: chains, rules, sets, elements. Where
 * anybody on the host listens, the kernel makes a message of a page for each (nf_tables_api.c,
 * nlmsg_new(NLMSG_GOODSIZE)) and holds all of them until the transaction is through. How many of
 * these a transaction takes follows from how long those of the same part of the plan took before,
 * beginning with few. */
#define NFT_PART_OBJECTS_MIN 16
#define NFT_PART_OBJECTS_MAX 1024

/* A plan of so many objects goes as one transaction. */
#define NFT_WHOLE_OBJECTS 256

struct nft_kernel {
	int fd; /* -1: closed */
	uint32_t portid, seq;
	size_t send_max; /* bytes that one transaction may have, as far as is known */
	VEC(struct nft_refusal) refusals; /* of the last transaction */
	uint64_t transactions, bytes;     /* sent since it was opened */
	uint64_t commits;                 /* transactions that the kernel has carried out */
};

/* 0; or a negative errno with err: -EPERM without CAP_NET_ADMIN, -EPROTONOSUPPORT without
 * nf_tables. */
int nft_kernel_open(struct nft_kernel *kernel, struct err *err);
void nft_kernel_close(struct nft_kernel *kernel);

/* Carries a plan out: a small one in one transaction; else what is unreachable before and after in
 * parts, and the change itself in one. A change that only adds to sets that only allow, or only
 * takes from them, goes in parts as well: each moment is as open as the one before or the one
 * after. A change that does not fit the socket goes object by object, in an order that closes
 * before it opens. Within a task it gives way between transactions; nothing else may use the kernel
 * then. 0: all of it has happened. Else a negative errno with err; of the transaction that failed
 * nothing has happened, unless its answer was lost: -EINVAL: the kernel refuses, for
 * kernel->refusals; -EPERM: it does not let us, or the table is somebody else's; -EMSGSIZE: it is
 * larger than what the socket takes, and cannot be cut; -ENOMEM, -ENOBUFS, -EAGAIN: try again,
 * after a read-back. */
int nft_kernel_apply(struct nft_kernel *kernel, const struct nft_plan *plan, struct err *err);

/* Asks what the kernel would refuse of a batch that begins with BEGIN and has no END; nothing of it
 * happens. 0, with kernel->refusals; or a negative errno with err. */
int nft_kernel_try(struct nft_kernel *kernel, const struct nft_batch *batch, struct err *err);

/* Was the last transaction refused because the kernel has no tables of the family bridge? */
bool nft_kernel_lacks_family(const struct nft_kernel *kernel);

/* Removes our tables, whatever is in them. 0 also when there are none; -EPERM: nft_owner_check().
 */
int nft_kernel_cleanup(struct nft_kernel *kernel, struct err *err);

/* Is there a chain at the forward hook in our table, of this run or an earlier one? 0 or a negative
 * errno. */
int nft_kernel_has_rules(struct nft_kernel *kernel, bool *ret_has);

/* The packets that the rules of a chain have counted, all of them together. 0; -ENOENT: there is no
 * such chain; or another negative errno. */
int nft_kernel_counted(struct nft_kernel *kernel, enum nft_table table, const char *chain,
		       uint64_t *ret_packets);

/* The kernel's count of changes to all of its rulesets. 0 or a negative errno. */
int nft_kernel_generation(struct nft_kernel *kernel, uint32_t *ret_generation);

#endif
