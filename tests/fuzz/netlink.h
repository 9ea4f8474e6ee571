/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A netlink socket of which a fuzz target says what is read: the targets that link this have send()
 * and recv() wrapped (fuzz_netlink_ldflags). */
#ifndef TESTS_NETLINK_H
#define TESTS_NETLINK_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_FD 1023

/* Called for each request that is sent, to put what is answered. */
typedef void (*netlink_request_fn)(void *ctx, const struct nlmsghdr *request);

/* Nothing to read, and nobody who answers. `fill` is what lies behind the bytes of a datagram in
 * the reader's buffer: what is read must not depend on it. */
void netlink_start(netlink_request_fn fn, void *ctx, uint8_t fill);

/* One more datagram to be read, or an error. */
void netlink_put(const void *bytes, size_t len);
void netlink_put_error(int error);

/* NLMSG_DONE, or NLMSG_ERROR with a code. */
void netlink_put_end(uint16_t type, uint16_t flags, uint32_t seq, int code);

#endif
