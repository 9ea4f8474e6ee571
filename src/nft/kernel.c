/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One transaction is one sendmsg() from BEGIN to END: a batch cut in two is acknowledged and then
 * not committed. One acknowledgement is asked for, on the last message that is neither; errors come
 * unasked, all of them, and the kernel has queued every reply by the time sendmsg() returns. */
#include "nft/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/task.h"
#include "nft/encode.h"
#include "nft/pieces.h"
#include "request.h"

#define RECEIVE_BUFFER (1 << 20)
#define SEND_MIN       65536
/* What the kernel keeps of a send buffer for itself: EMSGSIZE beyond twice the value less this. */
#define SEND_OVERHEAD 64
/* An envelope, and some. */
#define ENVELOPE_BYTES 128
#define RETRIES_MAX    10

/* What a part should take: the loop has other things to do after it. */
#define PART_FAST_US 1500
#define PART_SLOW_US 6000

/* The first question: may we ask at all, and is there anybody? */
static int try_kernel(struct nft_kernel *k, struct err *err)
{
	uint32_t generation;
	int rc = nft_kernel_generation(k, &generation);

	if (rc == -EPERM)
		return err_set(err, rc, "nf_tables: not permitted: CAP_NET_ADMIN is needed");
	if (rc == -EINVAL || rc == -EOPNOTSUPP)
		return err_set(err, -EPROTONOSUPPORT, "this kernel has no nf_tables");
	return rc < 0 ? err_set(err, rc, "nf_tables does not answer: %s", strerror(-rc)) : 0;
}

int nft_kernel_open(struct nft_kernel *k, struct err *err)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	socklen_t len = sizeof(address);
	int one = 1, receive = RECEIVE_BUFFER, rc;

	*k = (struct nft_kernel){.send_max = SEND_MIN};
	k->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (k->fd < 0)
		return err_set(err, -errno, "cannot open a netfilter socket: %s", strerror(errno));
	if (bind(k->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockname(k->fd, (struct sockaddr *)&address, &len) < 0) {
		rc = -errno;
		nft_kernel_close(k);
		return err_set(err, rc, "cannot bind a netfilter socket: %s", strerror(-rc));
	}
	k->portid = address.nl_pid;
	/* Both only help: fewer bytes come with errors, and all of them fit. */
	(void)setsockopt(k->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	if (setsockopt(k->fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof(receive)) < 0)
		(void)setsockopt(k->fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	rc = try_kernel(k, err);
	if (rc < 0)
		nft_kernel_close(k);
	return rc;
}

void nft_kernel_close(struct nft_kernel *k)
{
	if (k->fd >= 0)
		(void)close(k->fd); /* nothing is pending */
	k->fd = -1;
	vec_free(&k->refusals);
}

/* Makes the socket take a transaction of so many bytes, or as many as it will. CAP_NET_ADMIN in the
 * first user namespace may have any; others have net.core.wmem_max. */
static bool grow_send_buffer(struct nft_kernel *k, size_t bytes)
{
	int want = (int)(bytes / 2 + SEND_OVERHEAD), got = 0;
	socklen_t len = sizeof(got);

	if (bytes <= k->send_max)
		return true;
	if (setsockopt(k->fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0)
		(void)setsockopt(k->fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	if (getsockopt(k->fd, SOL_SOCKET, SO_SNDBUF, &got, &len) == 0 && got > SEND_OVERHEAD)
		k->send_max = (size_t)got - SEND_OVERHEAD; /* reported doubled */
	return bytes <= k->send_max;
}

static int send_batch(struct nft_kernel *k, const struct nft_batch *batch)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	struct iovec bytes = {.iov_base = batch->bytes, .iov_len = batch->len};
	struct msghdr message = {.msg_name = &address,
				 .msg_namelen = sizeof(address),
				 .msg_iov = &bytes,
				 .msg_iovlen = 1};

	for (int tries = 0; tries < RETRIES_MAX; tries++) {
		if (sendmsg(k->fd, &message, 0) >= 0)
			return 0;
		if (errno != EINTR && errno != EAGAIN && errno != ENOBUFS)
			return -errno;
	}
	return -errno;
}

static void note_refusal(struct nft_kernel *k, const struct nft_batch *batch, uint32_t seq,
			 int code)
{
	const struct nft_message *message = nft_batch_find(batch, seq);
	struct nft_refusal refusal = {.code = code};

	if (message)
		refusal.message = *message;
	if (k->refusals.n < NFT_REFUSALS_MAX)
		(void)vec_push(&k->refusals, refusal); /* without memory: one the less to tell */
}

struct replies {
	bool acknowledged, refused;
	bool lost; /* more than the socket could hold: what is missing may be a refusal */
	int code;  /* of the first refusal */
};

static void take_reply(struct nft_kernel *k, const struct nft_batch *batch,
		       const struct nlmsghdr *message, struct replies *replies)
{
	const struct nlmsgerr *reply = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type != NLMSG_ERROR ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*reply) ||
	    !nft_batch_find(batch, message->nlmsg_seq))
		return; /* left over from before */
	if (reply->error == 0) {
		replies->acknowledged = true; /* only the last message asks for one */
		return;
	}
	if (!replies->refused)
		replies->code = reply->error;
	replies->refused = true;
	note_refusal(k, batch, message->nlmsg_seq, reply->error);
}

/* All that is queued. 0 or a negative errno. */
static int read_replies(struct nft_kernel *k, const struct nft_batch *batch,
			struct replies *replies)
{
	_Alignas(struct nlmsghdr) char buffer[NFT_ANSWER_BYTES];

	for (;;) {
		ssize_t n = recv(k->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			replies->lost = true;
			continue;
		}
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		for (const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		     mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			take_reply(k, batch, message, replies);
	}
}

/* What has nothing to do with what was asked for is told apart: it may pass. */
static int refusal_error(int code, struct err *err)
{
	bool passing = code == -ENOMEM || code == -ENOBUFS || code == -EAGAIN || code == -EINTR;

	return err_set(err, passing || code == -EPERM ? code : -EINVAL, "nf_tables refuses: %s",
		       strerror(-code));
}

/* One transaction: BEGIN, the messages, END. */
static int commit(struct nft_kernel *k, struct nft_batch *batch, struct err *err)
{
	const struct nft_message *last = &batch->messages.v[batch->messages.n - 2];
	struct replies replies = {0};
	int rc;

	((struct nlmsghdr *)(batch->bytes + last->offset))->nlmsg_flags |= NLM_F_ACK;
	k->refusals.n = 0;
	rc = send_batch(k, batch);
	if (rc < 0)
		return err_set(err, rc, "cannot send %zu bytes to nf_tables: %s%s", batch->len,
			       strerror(-rc), rc == -EMSGSIZE ? ": raise net.core.wmem_max" : "");
	k->transactions++;
	k->bytes += batch->len;
	rc = read_replies(k, batch, &replies);
	if (rc < 0)
		return err_set(err, rc, "cannot read what nf_tables answers: %s", strerror(-rc));
	if (replies.refused)
		return refusal_error(replies.code, err);
	if (replies.lost)
		return err_set(err, -ENOBUFS, "the answer of nf_tables is lost in part");
	if (!replies.acknowledged)
		return err_set(err, -EAGAIN, "nf_tables does not answer");
	k->commits++;
	return 0;
}

/* Without its END a batch is judged and then undone (nfnetlink_rcv_batch()), as by nft --check. */
int nft_kernel_try(struct nft_kernel *k, const struct nft_batch *batch, struct err *err)
{
	struct replies replies = {0};
	int rc;

	k->refusals.n = 0;
	rc = send_batch(k, batch);
	if (rc == 0)
		rc = read_replies(k, batch, &replies);
	if (rc == 0 && replies.lost)
		rc = -ENOBUFS;
	return rc < 0 ? err_set(err, rc, "nf_tables cannot be asked: %s", strerror(-rc)) : 0;
}

/* The messages of some parts of a plan, as one transaction. */
static int open_envelope(struct nft_kernel *k, struct nft_batch *batch)
{
	*batch = (struct nft_batch){.seq = k->seq};
	return nft_batch_begin(batch, 0);
}

static int close_envelope(struct nft_kernel *k, struct nft_batch *batch)
{
	int rc = nft_batch_end(batch);

	k->seq = batch->seq;
	return rc;
}

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "no memory for the transaction");
}

static size_t parts_bytes(const struct nft_plan *plan, int from, int to)
{
	size_t bytes = 0;

	for (int i = from; i < to; i++)
		bytes += plan->parts[i].len;
	return bytes;
}

static int apply_at_once(struct nft_kernel *k, const struct nft_plan *plan, int from, int to,
			 struct err *err)
{
	struct nft_batch batch;
	int rc = open_envelope(k, &batch);

	for (int i = from; i < to && rc == 0; i++)
		rc = nft_batch_append(&batch, &plan->parts[i], 0, plan->parts[i].messages.n);
	if (rc == 0)
		rc = close_envelope(k, &batch);
	if (rc < 0)
		rc = no_memory(err);
	else if (batch.messages.n > 2)
		rc = commit(k, &batch, err);
	nft_batch_done(&batch);
	return rc;
}

static size_t parts_objects(const struct nft_plan *plan, int from, int to)
{
	size_t objects = 0;

	for (int i = from; i < to; i++) {
		for (size_t j = 0; j < plan->parts[i].messages.n; j++)
			objects += plan->parts[i].messages.v[j].objects;
	}
	return objects;
}

/* The next end of a piece: where nothing is cut from what it needs. */
static size_t next_cut(const struct nft_kernel *k, const struct nft_batch *part, size_t from,
		       size_t objects_max)
{
	size_t to = from, cut = from, bytes = 0, objects = 0;
	size_t room = k->send_max - ENVELOPE_BYTES;

	while (to < part->messages.n && bytes + part->messages.v[to].len <= room &&
	       objects + part->messages.v[to].objects <= objects_max) {
		bytes += part->messages.v[to].len;
		objects += part->messages.v[to].objects;
		to++;
		if (!part->messages.v[to - 1].more)
			cut = to;
	}
	/* What does not fit is for the kernel to refuse. */
	while (cut == from || part->messages.v[cut - 1].more)
		cut++;
	return cut;
}

/* `objects_max`: for the next one, by how long this one takes. */
static int commit_part(struct nft_kernel *k, struct nft_batch *batch, size_t *objects_max,
		       struct err *err)
{
	int64_t began_us = clock_thread_us();
	int rc = commit(k, batch, err);
	int64_t took_us = clock_thread_us() - began_us;

	if (took_us < PART_FAST_US && *objects_max < NFT_PART_OBJECTS_MAX)
		*objects_max *= 2;
	for (; took_us > PART_SLOW_US && *objects_max > NFT_PART_OBJECTS_MIN; took_us /= 2)
		*objects_max /= 2;
	task_yield();
	return rc;
}

/* In as many transactions as it takes. */
static int apply_in_pieces(struct nft_kernel *k, const struct nft_plan *plan, int from, int to,
			   struct err *err)
{
	int rc = 0;

	for (int i = from; i < to && rc == 0; i++) {
		const struct nft_batch *part = &plan->parts[i];
		/* Each has messages of one kind, and nothing is known of these: 1,024 elements take
		 * 2 ms, to find and delete as many sets among 8,000 took 160 (nft_set_lookup() of
		 * nf_tables_api.c walks a list). */
		size_t objects_max = NFT_PART_OBJECTS_MIN;

		for (size_t at = 0; at < part->messages.n && rc == 0;) {
			size_t end = next_cut(k, part, at, objects_max);
			struct nft_batch batch;

			rc = open_envelope(k, &batch);
			if (rc == 0)
				rc = nft_batch_append(&batch, part, at, end);
			if (rc == 0)
				rc = close_envelope(k, &batch);
			rc = rc < 0 ? no_memory(err) : commit_part(k, &batch, &objects_max, err);
			nft_batch_done(&batch);
			at = end;
		}
	}
	return rc;
}

static bool only_allows(const struct nft_batch *part)
{
	for (size_t i = 0; i < part->messages.n; i++) {
		if (!part->messages.v[i].allows)
			return false;
	}
	return true;
}

/* Does the change only add elements that allow, or only take such away? */
static bool is_monotonic(const struct nft_plan *plan)
{
	const struct nft_batch *dropped = &plan->parts[NFT_PLAN_DROP_ELEMS];
	const struct nft_batch *added = &plan->parts[NFT_PLAN_ELEMS];
	size_t bytes = parts_bytes(plan, NFT_PLAN_CHANGE, NFT_PLAN_CLEANUP);

	return (bytes == dropped->len && only_allows(dropped)) ||
	       (bytes == added->len && only_allows(added));
}

/* The change: at once, if it is not harmless by halves; object by object, where it does not fit in
 * one transaction. */
static int apply_change(struct nft_kernel *k, const struct nft_plan *plan, struct err *err)
{
	struct nft_pieces pieces = {0};
	int rc;

	if (is_monotonic(plan))
		return apply_in_pieces(k, plan, NFT_PLAN_CHANGE, NFT_PLAN_CLEANUP, err);
	if (parts_bytes(plan, NFT_PLAN_CHANGE, NFT_PLAN_CLEANUP) + ENVELOPE_BYTES <= k->send_max)
		return apply_at_once(k, plan, NFT_PLAN_CHANGE, NFT_PLAN_CLEANUP, err);
	rc = nft_pieces_of_change(plan, k->send_max - ENVELOPE_BYTES, &pieces);
	if (rc == -EMSGSIZE)
		rc = apply_at_once(k, plan, NFT_PLAN_CHANGE, NFT_PLAN_CLEANUP, err);
	else if (rc < 0)
		rc = no_memory(err);
	for (size_t i = 0; i < pieces.batches.n && rc == 0; i++) {
		struct nft_plan piece = {.parts = {pieces.batches.v[i]}};

		rc = apply_at_once(k, &piece, 0, 1, err);
	}
	nft_pieces_done(&pieces);
	return rc;
}

int nft_kernel_apply(struct nft_kernel *k, const struct nft_plan *plan, struct err *err)
{
	size_t whole = parts_bytes(plan, 0, NFT_PLAN_PARTS) + ENVELOPE_BYTES;
	int rc;

	k->refusals.n = 0;
	if (nft_plan_empty(plan))
		return 0;
	(void)grow_send_buffer(k, whole); /* if it cannot: more, smaller transactions */
	if (plan->whole ||
	    (whole <= k->send_max && parts_objects(plan, 0, NFT_PLAN_PARTS) <= NFT_WHOLE_OBJECTS))
		return apply_at_once(k, plan, 0, NFT_PLAN_PARTS, err);
	rc = apply_in_pieces(k, plan, 0, NFT_PLAN_CHANGE, err);
	if (rc == 0)
		rc = apply_change(k, plan, err);
	return rc == 0 ? apply_in_pieces(k, plan, NFT_PLAN_CLEANUP, NFT_PLAN_PARTS, err) : rc;
}

/* nf_tables_newtable(): EOPNOTSUPP, and before 4.20 EAFNOSUPPORT. */
bool nft_kernel_lacks_family(const struct nft_kernel *k)
{
	const struct nft_refusal *first = k->refusals.n > 0 ? &k->refusals.v[0] : NULL;

	return first && first->message.subject == NFT_SUBJECT_TABLE &&
	       first->message.table != NFT_TABLE_POLICY &&
	       (first->code == -EOPNOTSUPP || first->code == -EAFNOSUPPORT);
}

int nft_kernel_cleanup(struct nft_kernel *k, struct err *err)
{
	int rc = 0;

	/* Made so that it can be removed: there may be none. */
	for (int table = 0; table < NFT_TABLE_COUNT && rc == 0; table++) {
		struct nft_batch batch;

		rc = open_envelope(k, &batch);
		if (rc == 0)
			rc = nft_build_table_if_absent(&batch, (enum nft_table)table);
		if (rc == 0)
			rc = nft_build_table_delete(&batch, (enum nft_table)table);
		if (rc == 0)
			rc = close_envelope(k, &batch);
		rc = rc < 0 ? no_memory(err) : commit(k, &batch, err);
		if (rc < 0 && nft_kernel_lacks_family(k))
			rc = 0; /* there can be no such table */
		nft_batch_done(&batch);
	}
	return rc;
}

static int take_generation(void *ctx, const struct nlmsghdr *message)
{
	uint32_t *ret = ctx;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
		    mnl_attr_get_payload_len(attr) == sizeof(*ret)) {
			*ret = ntohl(mnl_attr_get_u32(attr));
			return 0;
		}
	}
	return -EBADMSG;
}

int nft_kernel_generation(struct nft_kernel *k, uint32_t *ret_generation)
{
	_Alignas(struct nlmsghdr) char buffer[NFT_REQUEST_BYTES];
	uint32_t generation = 0;
	int rc = nft_request(k, nft_request_start(buffer, NFT_MSG_GETGEN, AF_UNSPEC, 0),
			     take_generation, &generation);

	if (rc == 0)
		*ret_generation = generation;
	return rc;
}

static int take_any(void *ctx, const struct nlmsghdr *message)
{
	(void)message;
	*(bool *)ctx = true;
	return 0;
}

int nft_kernel_has_rules(struct nft_kernel *k, bool *ret_has)
{
	_Alignas(struct nlmsghdr) char buffer[NFT_REQUEST_BYTES];
	struct nlmsghdr *request =
		nft_request_start(buffer, NFT_MSG_GETCHAIN, nft_table_family(NFT_TABLE_POLICY), 0);
	bool has = false;
	int rc;

	mnl_attr_put_strz(request, NFTA_CHAIN_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(request, NFTA_CHAIN_NAME, "forward");
	rc = nft_request(k, request, take_any, &has);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	*ret_has = has;
	return 0;
}
