/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connections that the kernel tracks: read without waiting, some at a time, and deleted one by
 * one. What a deleted entry was for is a new connection with its next packet, and policy decides
 * anew. */
#ifndef NODE_CONNTRACK_H
#define NODE_CONNTRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct nf_conntrack;
struct conntrack;

/* A tracked connection as policy sees its first packet: behind the translation of its destination,
 * ahead of that of its source. */
struct conntrack_entry {
	struct addr from, to;
	uint16_t from_port, to_port; /* 0: the protocol has none */
	uint8_t proto;               /* IP protocol number */
	uint32_t timeout_s;          /* it is remembered for so long; 0: not known */
	const struct nf_conntrack *raw;
};

/* One that outlives the call that has shown it; conntrack_entry_done(). 0 or -ENOMEM. */
int conntrack_entry_copy(const struct conntrack_entry *entry, struct conntrack_entry *ret);
void conntrack_entry_done(struct conntrack_entry *entry);

/* 0; -ENOMEM; or another negative errno with err: -EPERM without CAP_NET_ADMIN, -EPROTONOSUPPORT or
 * -EINVAL in a kernel without ctnetlink. */
int conntrack_open(struct conntrack **ret_conntrack, struct err *err);
void conntrack_close(struct conntrack *conntrack);

/* Which entries a dump has: all (addr NULL), or those that come from the address, or go to it.
 * The kernel chooses, since 5.8 (ctnetlink_parse_filter() of nf_conntrack_netlink.c). */
struct conntrack_filter {
	const struct addr *addr;
	enum conntrack_end { CONNTRACK_FROM, CONNTRACK_TO } end;
};

/* Begins a dump, in place of one that goes on. 0 or a negative errno. */
int conntrack_dump(struct conntrack *conntrack, const struct conntrack_filter *filter);

typedef int (*conntrack_fn)(void *ctx, const struct conntrack_entry *entry);

/* Reads one portion of the dump, some hundred entries, without waiting. fn is called for each; what
 * it returns other than 0 ends the call. 1: the dump is over; 0: there is more; or a negative
 * errno. */
int conntrack_read(struct conntrack *conntrack, conntrack_fn fn, void *ctx);

/* 0, also when it is gone already; or a negative errno. Fine within conntrack_read() and while a
 * dump goes on. */
int conntrack_delete(struct conntrack *conntrack, const struct conntrack_entry *entry);

/* How many entries this network namespace has, both directions of a connection being one;
 * ULONG_MAX: unknown. */
unsigned long conntrack_count(void);

#endif
