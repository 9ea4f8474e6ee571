/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/vec.h"
#include "fuzz.h"

/* Behind a datagram, and zero: the kernel ends each string with a NUL (nla_put_string()), and
 * libnftnl relies on it. Where one has lost it, the reader is to stop there. */
#define STOP_BYTES 64

struct datagram {
	int error;
	size_t len;
	char *bytes;
};

static struct {
	netlink_request_fn fn;
	void *ctx;
	uint8_t fill;
	VEC(struct datagram) queue;
	size_t next;
} socket_;

/* The key of all hash tables: messages are in the order of tables, and an input is to mean the same
 * each time. */
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t len, int flags);

ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags)
{
	(void)flags;
	memset(bytes, 7, len);
	return (ssize_t)len;
}

void netlink_start(netlink_request_fn fn, void *ctx, uint8_t fill)
{
	for (size_t i = 0; i < socket_.queue.n; i++)
		free(socket_.queue.v[i].bytes);
	socket_.queue.n = socket_.next = 0;
	socket_.fn = fn;
	socket_.ctx = ctx;
	socket_.fill = fill;
}

void netlink_put(const void *bytes, size_t len)
{
	struct datagram datagram = {.len = len, .bytes = malloc(len + 1)};

	REQUIRE(datagram.bytes);
	memcpy(datagram.bytes, bytes, len);
	REQUIRE(vec_push(&socket_.queue, datagram) == 0);
}

void netlink_put_error(int error)
{
	struct datagram datagram = {.error = error};

	REQUIRE(vec_push(&socket_.queue, datagram) == 0);
}

void netlink_put_end(uint16_t type, uint16_t flags, uint32_t seq, int code)
{
	_Alignas(struct nlmsghdr) char bytes[64] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
	struct nlmsgerr *end = mnl_nlmsg_put_extra_header(message, sizeof(*end));

	message->nlmsg_type = type;
	message->nlmsg_flags = flags;
	message->nlmsg_seq = seq;
	end->error = code;
	netlink_put(bytes, message->nlmsg_len);
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
	const struct nlmsghdr *request = bytes;

	(void)flags;
	REQUIRE(fd == NETLINK_FD && len >= sizeof(*request) && request->nlmsg_len == len);
	if (socket_.fn)
		socket_.fn(socket_.ctx, request);
	return (ssize_t)len;
}

ssize_t __wrap_recv(int fd, void *buffer, size_t len, int flags)
{
	const struct datagram *datagram;
	size_t stop;

	REQUIRE(fd == NETLINK_FD && (flags & MSG_DONTWAIT));
	errno = EAGAIN;
	if (socket_.next == socket_.queue.n)
		return -1;
	datagram = &socket_.queue.v[socket_.next++];
	errno = datagram->error;
	if (datagram->error)
		return -1;
	REQUIRE(datagram->len <= len);
	memset(buffer, socket_.fill, len);
	memcpy(buffer, datagram->bytes, datagram->len);
	stop = len - datagram->len < STOP_BYTES ? len - datagram->len : STOP_BYTES;
	memset((char *)buffer + datagram->len, 0, stop);
	return (ssize_t)datagram->len;
}
