/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_socket.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "sample.h"
#include "unit.h"

#define FAKE_FD 77

struct fake_socket fake_socket;

int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_close(int fd);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t len, int flags);
int __real_close(int fd);

int __wrap_socket(int domain, int type, int protocol)
{
	assert_int_equal(domain, AF_NETLINK);
	assert_int_equal(protocol, NETLINK_NETFILTER);
	assert_true(type & SOCK_CLOEXEC);
	fake_socket.sockets++;
	errno = fake_socket.socket_error;
	return fake_socket.socket_error ? -1 : FAKE_FD;
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
	(void)address;
	(void)len;
	assert_int_equal(fd, FAKE_FD);
	return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
	assert_int_equal(fd, FAKE_FD);
	*(struct sockaddr_nl *)address =
		(struct sockaddr_nl){.nl_family = AF_NETLINK, .nl_pid = FAKE_PORT_ID};
	*len = sizeof(struct sockaddr_nl);
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)len;
	assert_int_equal(fd, FAKE_FD);
	if (level != SOL_SOCKET)
		return 0;
	if (name == SO_SNDBUFFORCE && fake_socket.force_refused) {
		errno = EPERM;
		return -1;
	}
	if (name == SO_SNDBUFFORCE)
		fake_socket.send_buffer = 2 * *(const int *)value;
	if (name == SO_SNDBUF)
		fake_socket.send_buffer = 2 * (*(const int *)value < fake_socket.send_buffer_max
						       ? *(const int *)value
						       : fake_socket.send_buffer_max);
	return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	assert_int_equal(fd, FAKE_FD);
	assert_int_equal(level, SOL_SOCKET);
	assert_int_equal(name, SO_SNDBUF);
	*(int *)value = fake_socket.told ? fake_socket.told : fake_socket.send_buffer;
	*len = sizeof(int);
	return 0;
}

int __wrap_close(int fd)
{
	return fd == FAKE_FD ? 0 : __real_close(fd);
}

struct fake_datagram *fake_socket_enqueue(int error)
{
	struct fake_datagram *datagram = &fake_socket.queue[fake_socket.last++];

	assert_true(fake_socket.last <= FAKE_QUEUE_MAX);
	*datagram = (struct fake_datagram){.error = error};
	return datagram;
}

struct nlmsghdr *fake_socket_answer(uint16_t type, uint16_t flags, uint32_t seq)
{
	struct fake_datagram *datagram = fake_socket_enqueue(0);
	struct nlmsghdr *message = mnl_nlmsg_put_header(datagram->bytes);

	message->nlmsg_type = type;
	message->nlmsg_flags = flags;
	message->nlmsg_seq = seq;
	return message;
}

void fake_socket_answered(const struct nlmsghdr *message)
{
	fake_socket.queue[fake_socket.last - 1].len = message->nlmsg_len;
}

void fake_socket_answer_code(uint16_t type, uint16_t flags, uint32_t seq, int code)
{
	struct nlmsghdr *message = fake_socket_answer(type, flags, seq);
	struct nlmsgerr *reply = mnl_nlmsg_put_extra_header(message, sizeof(*reply));

	*reply = (struct nlmsgerr){.error = code};
	fake_socket_answered(message);
}

static bool is_table_of(const struct nlmsghdr *message, uint8_t family)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);

	return family && message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE) &&
	       header->nfgen_family == family;
}

/* As text with its NUL, as attributes have it. */
static bool has_expr(const struct nlmsghdr *message, const char *name)
{
	return name && message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE) &&
	       memmem(message, message->nlmsg_len, name, strlen(name) + 1);
}

static bool is_refused(const struct nlmsghdr *message, size_t place)
{
	return is_table_of(message, fake_socket.refused_family) ||
	       has_expr(message, fake_socket.refused_expr) || place == fake_socket.refused[0] ||
	       place == fake_socket.refused[1] ||
	       (fake_socket.refused_set &&
		message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET) &&
		memmem(message, message->nlmsg_len, fake_socket.refused_set,
		       strlen(fake_socket.refused_set)));
}

/* As the kernel does: refusals first, and what wants an acknowledgement gets one all the same. */
static void answer_batch(const char *bytes, size_t len)
{
	int left = (int)len;
	size_t i = 1;

	for (const struct nlmsghdr *message = (const struct nlmsghdr *)bytes;
	     mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left), i++) {
		if (is_refused(message, i))
			fake_socket_answer_code(NLMSG_ERROR, 0, message->nlmsg_seq,
						fake_socket.refusal);
		else if (message->nlmsg_flags & NLM_F_ACK && !fake_socket.silent)
			fake_socket_answer_code(NLMSG_ERROR, 0, message->nlmsg_seq, 0);
	}
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	const struct iovec *bytes = message->msg_iov;
	int error = fake_socket.sends < ARRAY_LEN(fake_socket.send_errors)
			    ? fake_socket.send_errors[fake_socket.sends]
			    : 0;

	assert_int_equal(fd, FAKE_FD);
	assert_int_equal(flags, 0);
	assert_int_equal(message->msg_iovlen, 1);
	fake_socket.sends++;
	if (error == 0 && bytes->iov_len > (size_t)fake_socket.send_buffer - 32)
		error = EMSGSIZE;
	errno = error;
	if (error)
		return -1;
	assert_true(fake_socket.n_sent < FAKE_SENT_MAX);
	fake_socket.sent[fake_socket.n_sent].bytes = malloc(bytes->iov_len);
	assert_non_null(fake_socket.sent[fake_socket.n_sent].bytes);
	memcpy(fake_socket.sent[fake_socket.n_sent].bytes, bytes->iov_base, bytes->iov_len);
	fake_socket.sent[fake_socket.n_sent++].len = bytes->iov_len;
	answer_batch(bytes->iov_base, bytes->iov_len);
	return (ssize_t)bytes->iov_len;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
	const struct nlmsghdr *request = bytes;
	struct nlmsghdr *message;

	(void)flags;
	assert_int_equal(fd, FAKE_FD);
	assert_int_equal(request->nlmsg_len, len);
	if (request->nlmsg_flags & NLM_F_DUMP) {
		bool interrupted = fake_socket.request_error == -EINTR;

		fake_socket_answer_code(NLMSG_DONE, interrupted ? NLM_F_DUMP_INTR : 0,
					request->nlmsg_seq,
					interrupted ? 0 : fake_socket.request_error);
		return (ssize_t)len;
	}
	if (fake_socket.request_error == 0 || fake_socket.request_error == -EINTR) {
		message = fake_socket_answer(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN, 0,
					     request->nlmsg_seq);
		(void)mnl_nlmsg_put_extra_header(message, sizeof(struct nfgenmsg));
		mnl_attr_put_u32(message, NFTA_GEN_ID, htonl(fake_socket.generation));
		fake_socket_answered(message);
	}
	fake_socket_answer_code(NLMSG_ERROR, 0, request->nlmsg_seq,
				fake_socket.request_error == -EINTR ? 0
								    : fake_socket.request_error);
	return (ssize_t)len;
}

ssize_t __wrap_recv(int fd, void *buffer, size_t len, int flags)
{
	const struct fake_datagram *datagram = &fake_socket.queue[fake_socket.first];

	assert_int_equal(fd, FAKE_FD);
	assert_true(flags & MSG_DONTWAIT); /* or a lost answer is a daemon that hangs */
	if (fake_socket.first == fake_socket.last) {
		fake_socket.first = fake_socket.last = 0;
		errno = EAGAIN;
		return -1;
	}
	fake_socket.first++;
	errno = datagram->error;
	if (datagram->error)
		return -1;
	assert_true(datagram->len <= len);
	memcpy(buffer, datagram->bytes, datagram->len);
	return (ssize_t)datagram->len;
}

void fake_socket_start(void)
{
	memset(&fake_socket, 0, sizeof(fake_socket));
	fake_socket.send_buffer = 212992;
	fake_socket.send_buffer_max = 106496;
	fake_socket.generation = 5;
}

void fake_socket_forget(void)
{
	for (size_t i = 0; i < fake_socket.n_sent; i++)
		free(fake_socket.sent[i].bytes);
	fake_socket.n_sent = 0;
}

size_t fake_socket_transaction(size_t which)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)fake_socket.sent[which].bytes;
	const struct nlmsghdr *before = NULL, *before_that = NULL;
	int left = (int)fake_socket.sent[which].len;
	size_t n = 0, acks = 0;

	assert_int_equal(message->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (before)
			assert_int_equal(message->nlmsg_seq, before->nlmsg_seq + 1);
		acks += (message->nlmsg_flags & NLM_F_ACK) != 0;
		before_that = before;
		before = message;
		n++;
	}
	assert_int_equal(left, 0);
	assert_int_equal(before->nlmsg_type, NFNL_MSG_BATCH_END);
	assert_int_equal(acks, 1);
	assert_true(before_that->nlmsg_flags & NLM_F_ACK);
	return n;
}

int kernel_world_setup(void **state)
{
	struct kernel_world *w = calloc(1, sizeof(*w));

	fake_socket_start();
	assert_non_null(w);
	assert_int_equal(nft_kernel_open(&w->kernel, &w->err), 0);
	sample_random(3, &w->ruleset);
	assert_int_equal(nft_plan_changes(&w->plan, &w->ruleset), 0);
	*state = w;
	return 0;
}

int kernel_world_teardown(void **state)
{
	struct kernel_world *w = *state;

	nft_kernel_close(&w->kernel);
	nft_plan_done(&w->plan);
	ruleset_done(&w->ruleset);
	free(w);
	fake_socket_forget();
	return 0;
}

int kernel_world_apply(struct kernel_world *w)
{
	return nft_kernel_apply(&w->kernel, &w->plan, &w->err);
}
