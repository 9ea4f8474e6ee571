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
#include <time.h>

#include "base/cleanup.h"
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
};

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* always there */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void close_socket(struct mnl_socket **socket)
{
	if (*socket)
		(void)mnl_socket_close(*socket); /* nothing to lose */
}

static int request_dump(struct mnl_socket *socket, const struct rtnl_dump *what, uint32_t seq)
{
	_Alignas(struct nlmsghdr) char buffer[128] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	uint8_t *header;

	message->nlmsg_type = what->type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = seq;
	header = mnl_nlmsg_put_extra_header(message, what->header_bytes);
	header[0] = what->family; /* the first byte of every one of them */
	return mnl_socket_sendto(socket, message, message->nlmsg_len) < 0 ? -errno : 0;
}

/* One message of a dump: 1 when it was the last, 0, or a negative errno. */
static int take_dumped(const struct rtnl_kind *kind, void *state, const struct nlmsghdr *message)
{
	const struct nlmsgerr *refusal = mnl_nlmsg_get_payload(message);
	bool changed;

	if (message->nlmsg_type == NLMSG_DONE)
		return 1;
	if (message->nlmsg_type == NLMSG_ERROR)
		return mnl_nlmsg_get_payload_len(message) < sizeof(*refusal) ? -EBADMSG
									     : refusal->error;
	return kind->apply(state, message, &changed);
}

/* The kernel says of each message whether something has changed since the first. */
static int read_dump(const struct rtnl_kind *kind, void *state, struct mnl_socket *socket,
		     uint32_t seq, bool *interrupted)
{
	_Alignas(struct nlmsghdr) char buffer[READ_BYTES];
	int rc = 0;

	while (rc == 0) {
		ssize_t n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
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
			*interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			rc = take_dumped(kind, state, message);
		}
		task_yield();
	}
	return rc < 0 ? rc : 0;
}

/* 0 with a state as it is now, more or less when it was `interrupted`. */
static int read_all(const struct rtnl_kind *kind, void **ret_state, bool *interrupted)
{
	CLEANUP(close_socket)
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	void *state;
	int rc = 0;

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	state = kind->new ();
	if (!state)
		return -ENOMEM;
	*interrupted = false;
	for (size_t i = 0; i < kind->n_dumps && rc == 0; i++) {
		rc = request_dump(socket, &kind->dumps[i], (uint32_t)i + 1);
		if (rc == 0)
			rc = read_dump(kind, state, socket, (uint32_t)i + 1, interrupted);
	}
	if (rc < 0)
		kind->free(state);
	else
		*ret_state = state;
	return rc;
}

static int resync(struct rtnl *rtnl)
{
	bool interrupted = true;
	void *state = NULL;
	int rc = 0;

	rtnl->resynced_ms = now_ms();
	for (int i = 0; i < DUMP_TRIES && interrupted && rc == 0; i++) {
		rtnl->kind->free(state);
		state = NULL;
		rc = read_all(rtnl->kind, &state, &interrupted);
	}
	if (rc < 0)
		return rc;
	rtnl->kind->free(rtnl->state);
	rtnl->state = state;
	rtnl->stale = interrupted; /* better than nothing, and another time again */
	rtnl->resyncs++;
	return 0;
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

int rtnl_wait_ms(const struct rtnl *rtnl)
{
	int64_t wait_ms = rtnl->resynced_ms + RTNL_RESYNC_MS - now_ms();

	if (!rtnl->stale)
		return -1;
	return wait_ms > 0 ? (int)wait_ms : 0;
}

/* true: nothing more is waiting. */
static bool read_some(struct rtnl *rtnl, unsigned max, bool *ret_changed)
{
	for (unsigned i = 0; i < max; i++) {
		if (read_news(rtnl, ret_changed) == 0)
			return true;
	}
	return false;
}

/* News that were waiting when others were lost are older than what is read anew, and what took them
 * back may be among the lost: they must be gone before. */
int rtnl_read(struct rtnl *rtnl, bool *ret_changed)
{
	bool empty = read_some(rtnl, READS_MAX, ret_changed);

	if (rtnl_wait_ms(rtnl) != 0)
		return 0;
	if (!empty && !read_some(rtnl, DRAIN_MAX, ret_changed)) {
		rtnl->resynced_ms = now_ms(); /* they come faster than we read: later */
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
