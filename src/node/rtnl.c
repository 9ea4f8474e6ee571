/* SPDX-License-Identifier: GPL-2.0-or-later */
/* News are asked for before what is there is read: what changes meanwhile is then told, and telling
 * a state twice does no harm. Dumps have a socket of their own, so that news cannot come between.
 */
#include "node/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"

#define NEWS_BUFFER (1 << 20)
#define READ_BYTES  32768
#define READS_MAX   512 /* of one call */
#define DRAIN_MAX   65536
#define DUMP_TRIES  8

struct rtnl {
	const struct rtnl_kind *kind;
	struct mnl_socket *news;
	void *state;
	bool stale;          /* news were lost: read all anew */
	int64_t resynced_ms; /* when that was last done */
	uint64_t resyncs;
	int64_t doubt_ms;  /* since when something is in doubt; 0: nothing is */
	int64_t reread_ms; /* not before that is it read again */
};

static void close_socket(struct mnl_socket **socket)
{
	if (*socket)
		(void)mnl_socket_close(*socket); /* nothing to lose */
}

/* Kernels from 4.20 on filter a dump by what is set here, see ip_valid_fib_dump_req() and
 * inet_valid_dump_ifaddr_req(); older ones send all, which does no harm. */
static void set_filter(struct nlmsghdr *message, const struct rtnl_dump *what)
{
	void *header = mnl_nlmsg_get_payload(message);

	if (what->type == RTM_GETLINK)
		((struct ifinfomsg *)header)->ifi_index = (int)what->index;
	if (what->type == RTM_GETADDR)
		((struct ifaddrmsg *)header)->ifa_index = what->index;
	if (what->type != RTM_GETROUTE)
		return;
	((struct rtmsg *)header)->rtm_type = RTN_UNICAST;
	if (what->index)
		mnl_attr_put_u32(message, RTA_OIF, what->index);
}

static int request(struct mnl_socket *socket, const struct rtnl_dump *what, uint16_t flags,
		   uint32_t seq)
{
	_Alignas(struct nlmsghdr) char buffer[128] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	uint8_t *header;

	message->nlmsg_type = what->type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = seq;
	header = mnl_nlmsg_put_extra_header(message, what->header_bytes);
	header[0] = what->family; /* the first byte of every one of them */
	set_filter(message, what);
	return mnl_socket_sendto(socket, message, message->nlmsg_len) < 0 ? -errno : 0;
}

/* What a dump ended with; that there is no such link (any more) is no error. */
static int end_of_dump(const struct nlmsghdr *message)
{
	int code = mnl_nlmsg_get_payload_len(message) < sizeof(code)
			   ? 0
			   : *(const int *)mnl_nlmsg_get_payload(message);

	return code < 0 && code != -ENODEV ? code : 1;
}

/* One message of a dump: 1 when it was the last, 0, or a negative errno. */
static int handle_dumped(const struct rtnl_kind *kind, void *state, const struct nlmsghdr *message,
			 bool *ret_changed)
{
	if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
		return end_of_dump(message); /* struct nlmsgerr begins with the code, too */
	return kind->apply(state, message, ret_changed);
}

/* What a state is read into, and how that goes. */
struct reading {
	const struct rtnl_kind *kind;
	void *state;
	struct mnl_socket *socket;
	bool interrupted; /* the kernel says of each message whether something has changed since the
			     first */
	bool changed;
};

static int read_dump(struct reading *reading, uint32_t seq)
{
	_Alignas(struct nlmsghdr) char buffer[READ_BYTES];
	int rc = 0;

	while (rc == 0) {
		ssize_t n = mnl_socket_recvfrom(reading->socket, buffer, sizeof(buffer));
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (; rc == 0 && mnl_nlmsg_ok(message, left);
		     message = mnl_nlmsg_next(message, &left)) {
			if (message->nlmsg_seq != seq)
				continue;
			reading->interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			rc = handle_dumped(reading->kind, reading->state, message,
					   &reading->changed);
		}
		task_yield();
	}
	return rc < 0 ? rc : 0;
}

static int read_dumps(struct reading *reading, const struct rtnl_dump *dumps, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = request(reading->socket, &dumps[i], NLM_F_DUMP, (uint32_t)i + 1);
		if (rc == 0)
			rc = read_dump(reading, (uint32_t)i + 1);
	}
	return rc;
}

static int open_dumps(struct mnl_socket **ret_socket)
{
	const int on = 1;

	*ret_socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!*ret_socket || mnl_socket_bind(*ret_socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	(void)mnl_socket_setsockopt(*ret_socket, NETLINK_GET_STRICT_CHK, (void *)(uintptr_t)&on,
				    sizeof(on)); /* see set_filter() */
	return 0;
}

/* 0 with a state as it is now, more or less when it was `interrupted`. */
static int read_all(const struct rtnl_kind *kind, void **ret_state, bool *interrupted)
{
	CLEANUP(close_socket) struct mnl_socket *socket = NULL;
	struct reading reading = {.kind = kind};
	int rc = open_dumps(&socket);

	if (rc < 0)
		return rc;
	reading.socket = socket;
	reading.state = kind->new ();
	if (!reading.state)
		return -ENOMEM;
	rc = read_dumps(&reading, kind->dumps, kind->n_dumps);
	*interrupted = reading.interrupted;
	if (rc < 0)
		kind->free(reading.state);
	else
		*ret_state = reading.state;
	return rc;
}

static int resync(struct rtnl *rtnl)
{
	bool interrupted = true;
	void *state = NULL;
	int rc = 0;

	rtnl->resynced_ms = clock_monotonic_ms();
	for (int i = 0; i < DUMP_TRIES && interrupted && rc == 0; i++) {
		rtnl->kind->free(state);
		state = NULL;
		rc = read_all(rtnl->kind, &state, &interrupted);
	}
	if (rc < 0)
		return rc;
	rtnl->kind->free(rtnl->state);
	rtnl->state = state;
	rtnl->doubt_ms = 0;
	rtnl->stale = interrupted; /* better than nothing, and another time again */
	rtnl->resyncs++;
	return 0;
}

/* The kernel tells of an address or a route that ends before it ends the routes that go with it
 * (__inet_del_ifa(), fib_table_delete(), remove_nexthop()), but lets go of the RTNL lock after
 * that, and dumps of routes do not take it since 6.9. A request that does take it waits until all
 * is done that we have heard of. Nobody reads the answer. */
static int wait_for_rtnl(struct mnl_socket *socket)
{
	static const struct rtnl_dump loopback = {RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg),
						  1};

	return request(socket, &loopback, 0, 0);
}

static int settle_doubts(struct rtnl *rtnl, bool *ret_changed)
{
	CLEANUP(close_socket) struct mnl_socket *socket = NULL;
	struct reading reading = {.kind = rtnl->kind, .state = rtnl->state};
	struct rtnl_dump dumps[RTNL_DOUBTS_MAX];
	size_t n = rtnl->kind->reread(rtnl->state, dumps);
	int rc = open_dumps(&socket);

	reading.socket = socket;
	if (rc == 0)
		rc = wait_for_rtnl(socket);
	if (rc == 0)
		rc = read_dumps(&reading, dumps, n);
	rtnl->stale |= rc < 0 || reading.interrupted;
	*ret_changed |= reading.changed;
	for (size_t i = 0; i < n && rc == 0 && !reading.interrupted; i++)
		rtnl->kind->sweep(rtnl->state, &dumps[i], ret_changed);
	return rc;
}

static int reread(struct rtnl *rtnl, bool *ret_changed)
{
	int64_t start_us = clock_monotonic_us(), pause_ms;
	int rc = settle_doubts(rtnl, ret_changed);

	pause_ms = (clock_monotonic_us() - start_us) * (100 / RTNL_REREAD_SHARE) / 1000;
	rtnl->reread_ms =
		clock_monotonic_ms() + (pause_ms < RTNL_RESYNC_MS ? pause_ms : RTNL_RESYNC_MS);
	rtnl->doubt_ms = 0;
	return rc;
}

/* 1: took something in; 0: there is nothing more. */
static int read_news(struct rtnl *rtnl, bool *ret_changed)
{
	_Alignas(struct nlmsghdr) char buffer[READ_BYTES];
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
	ssize_t n = mnl_socket_recvfrom(rtnl->news, buffer, sizeof(buffer));
	int left = (int)n;

	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0) {
		rtnl->stale = true; /* ENOBUFS, or a message larger than any we know */
		return 1;
	}
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (rtnl->kind->apply(rtnl->state, message, ret_changed) < 0)
			rtnl->stale = true;
	}
	return 1;
}

static int until_ms(int64_t ms)
{
	int64_t wait_ms = ms - clock_monotonic_ms();

	return wait_ms > 0 ? (int)wait_ms : 0;
}

/* What is in doubt when all is stale is read with all. */
int rtnl_wait_ms(const struct rtnl *rtnl)
{
	int64_t due_ms = rtnl->doubt_ms + RTNL_REREAD_MS;

	if (rtnl->stale)
		return until_ms(rtnl->resynced_ms + RTNL_RESYNC_MS);
	if (rtnl->doubt_ms == 0)
		return -1;
	return until_ms(due_ms > rtnl->reread_ms ? due_ms : rtnl->reread_ms);
}

static void note_doubts(struct rtnl *rtnl)
{
	if (!rtnl->kind->doubts || rtnl->kind->doubts(rtnl->state) == 0)
		rtnl->doubt_ms = 0;
	else if (rtnl->doubt_ms == 0)
		rtnl->doubt_ms = clock_monotonic_ms();
}

/* true: nothing more is waiting. */
static bool read_some(struct rtnl *rtnl, unsigned max, bool *ret_changed)
{
	for (unsigned i = 0; i < max; i++) {
		if (read_news(rtnl, ret_changed) == 0)
			return true;
		task_yield();
	}
	return false;
}

/* News that were waiting when others were lost are older than what is read anew, and what took them
 * back may be among the lost: they must be gone before. */
int rtnl_read(struct rtnl *rtnl, bool *ret_changed)
{
	bool empty = read_some(rtnl, READS_MAX, ret_changed);

	note_doubts(rtnl);
	if (rtnl_wait_ms(rtnl) != 0)
		return 0;
	if (!rtnl->stale)
		return reread(rtnl, ret_changed);
	if (!empty && !read_some(rtnl, DRAIN_MAX, ret_changed)) {
		rtnl->resynced_ms = clock_monotonic_ms(); /* they come faster than we read: later */
		return 0;
	}
	log_debug("node", "%s: news were lost, reading all anew", rtnl->kind->what);
	*ret_changed = true;
	return resync(rtnl);
}

int rtnl_fd(const struct rtnl *rtnl)
{
	return mnl_socket_get_fd(rtnl->news);
}

const void *rtnl_state(const struct rtnl *rtnl)
{
	return rtnl->state;
}

uint64_t rtnl_resyncs(const struct rtnl *rtnl)
{
	return rtnl->resyncs - 1;
}

void rtnl_close(struct rtnl *rtnl)
{
	if (!rtnl)
		return;
	close_socket(&rtnl->news);
	rtnl->kind->free(rtnl->state);
	free(rtnl);
}

static int open_news(struct rtnl *rtnl, struct err *err)
{
	const int bytes = NEWS_BUFFER;

	rtnl->news = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!rtnl->news || mnl_socket_bind(rtnl->news, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_set(err, -errno, "cannot open a route socket: %s", strerror(errno));
	/* Only helps; without CAP_NET_ADMIN the second is what is allowed. */
	if (setsockopt(rtnl_fd(rtnl), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(rtnl_fd(rtnl), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	for (const unsigned *group = rtnl->kind->groups; *group; group++) {
		if (mnl_socket_setsockopt(rtnl->news, NETLINK_ADD_MEMBERSHIP,
					  (void *)(uintptr_t)group, sizeof(*group)) < 0)
			return err_set(err, -errno, "cannot follow %s: %s", rtnl->kind->what,
				       strerror(errno));
	}
	return 0;
}

int rtnl_open(const struct rtnl_kind *kind, struct rtnl **ret_rtnl, struct err *err)
{
	struct rtnl *rtnl = calloc(1, sizeof(*rtnl));
	int rc;

	if (!rtnl)
		return -ENOMEM;
	rtnl->kind = kind;
	rc = open_news(rtnl, err);
	if (rc == 0) {
		rc = resync(rtnl);
		if (rc < 0 && rc != -ENOMEM)
			(void)err_set(err, rc, "cannot read %s: %s", kind->what, strerror(-rc));
	}
	if (rc < 0) {
		rtnl_close(rtnl);
		return rc;
	}
	*ret_rtnl = rtnl;
	return 0;
}
