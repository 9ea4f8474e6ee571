/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket, with everything going wrong that may: system calls are this file's. */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "nft/kernel.h"
#include "nft/readback.h"
#include "nft/watch.h"
#include "sample.h"
#include "unit.h"

#define FAKE_FD   77
#define PORT_ID   4711
#define SENT_MAX  512
#define QUEUE_MAX 64

/* A datagram to be read, or an error instead. */
struct datagram {
	int error;
	size_t len;
	_Alignas(struct nlmsghdr) char bytes[512];
};

/* What the system calls do and have seen. */
static struct {
	int socket_error;
	int send_errors[16]; /* of the next calls of sendmsg(), 0: none; then none */
	size_t sends;
	bool force_refused; /* SO_SNDBUFFORCE */
	int send_buffer, send_buffer_max;
	int told; /* of the buffer's size, 0: the truth */
	/* Which message of the next transactions is refused, from 1 as BEGIN; 0: none. And with
	 * what. */
	size_t refused[2];
	int refusal;
	bool silent;       /* nothing is answered to a transaction */
	int request_error; /* to a question; -EINTR: a list that is interrupted */
	uint32_t generation;
	struct {
		char *bytes;
		size_t len;
	} sent[SENT_MAX];
	size_t n_sent;
	struct datagram queue[QUEUE_MAX];
	size_t first, last;
} sys;

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
	errno = sys.socket_error;
	return sys.socket_error ? -1 : FAKE_FD;
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
		(struct sockaddr_nl){.nl_family = AF_NETLINK, .nl_pid = PORT_ID};
	*len = sizeof(struct sockaddr_nl);
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)len;
	assert_int_equal(fd, FAKE_FD);
	if (level != SOL_SOCKET)
		return 0;
	if (name == SO_SNDBUFFORCE && sys.force_refused) {
		errno = EPERM;
		return -1;
	}
	if (name == SO_SNDBUFFORCE)
		sys.send_buffer = 2 * *(const int *)value;
	if (name == SO_SNDBUF)
		sys.send_buffer =
			2 * (*(const int *)value < sys.send_buffer_max ? *(const int *)value
								       : sys.send_buffer_max);
	return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	assert_int_equal(fd, FAKE_FD);
	assert_int_equal(level, SOL_SOCKET);
	assert_int_equal(name, SO_SNDBUF);
	*(int *)value = sys.told ? sys.told : sys.send_buffer;
	*len = sizeof(int);
	return 0;
}

int __wrap_close(int fd)
{
	return fd == FAKE_FD ? 0 : __real_close(fd);
}

static struct datagram *enqueue(int error)
{
	struct datagram *datagram = &sys.queue[sys.last++];

	assert_true(sys.last <= QUEUE_MAX);
	*datagram = (struct datagram){.error = error};
	return datagram;
}

/* An answer's message in a datagram of its own. */
static struct nlmsghdr *answer(uint16_t type, uint16_t flags, uint32_t seq)
{
	struct datagram *datagram = enqueue(0);
	struct nlmsghdr *message = mnl_nlmsg_put_header(datagram->bytes);

	message->nlmsg_type = type;
	message->nlmsg_flags = flags;
	message->nlmsg_seq = seq;
	return message;
}

static void enqueue_done(const struct nlmsghdr *message)
{
	sys.queue[sys.last - 1].len = message->nlmsg_len;
}

static void answer_code(uint16_t type, uint16_t flags, uint32_t seq, int code)
{
	struct nlmsghdr *message = answer(type, flags, seq);
	struct nlmsgerr *reply = mnl_nlmsg_put_extra_header(message, sizeof(*reply));

	*reply = (struct nlmsgerr){.error = code};
	enqueue_done(message);
}

/* As the kernel does: refusals first, and what wants an acknowledgement gets one all the same. */
static void answer_batch(const char *bytes, size_t len)
{
	int left = (int)len;
	size_t i = 1;

	for (const struct nlmsghdr *message = (const struct nlmsghdr *)bytes;
	     mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left), i++) {
		if (i == sys.refused[0] || i == sys.refused[1])
			answer_code(NLMSG_ERROR, 0, message->nlmsg_seq, sys.refusal);
		else if (message->nlmsg_flags & NLM_F_ACK && !sys.silent)
			answer_code(NLMSG_ERROR, 0, message->nlmsg_seq, 0);
	}
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	const struct iovec *bytes = message->msg_iov;
	int error = sys.sends < ARRAY_LEN(sys.send_errors) ? sys.send_errors[sys.sends] : 0;

	assert_int_equal(fd, FAKE_FD);
	assert_int_equal(flags, 0);
	assert_int_equal(message->msg_iovlen, 1);
	sys.sends++;
	if (error == 0 && bytes->iov_len > (size_t)sys.send_buffer - 32)
		error = EMSGSIZE;
	errno = error;
	if (error)
		return -1;
	assert_true(sys.n_sent < SENT_MAX);
	sys.sent[sys.n_sent].bytes = malloc(bytes->iov_len);
	assert_non_null(sys.sent[sys.n_sent].bytes);
	memcpy(sys.sent[sys.n_sent].bytes, bytes->iov_base, bytes->iov_len);
	sys.sent[sys.n_sent++].len = bytes->iov_len;
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
		bool interrupted = sys.request_error == -EINTR;

		answer_code(NLMSG_DONE, interrupted ? NLM_F_DUMP_INTR : 0, request->nlmsg_seq,
			    interrupted ? 0 : sys.request_error);
		return (ssize_t)len;
	}
	if (sys.request_error == 0 || sys.request_error == -EINTR) {
		message = answer(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN, 0, request->nlmsg_seq);
		(void)mnl_nlmsg_put_extra_header(message, sizeof(struct nfgenmsg));
		mnl_attr_put_u32(message, NFTA_GEN_ID, htonl(sys.generation));
		enqueue_done(message);
	}
	answer_code(NLMSG_ERROR, 0, request->nlmsg_seq,
		    sys.request_error == -EINTR ? 0 : sys.request_error);
	return (ssize_t)len;
}

ssize_t __wrap_recv(int fd, void *buffer, size_t len, int flags)
{
	const struct datagram *datagram = &sys.queue[sys.first];

	assert_int_equal(fd, FAKE_FD);
	assert_true(flags & MSG_DONTWAIT); /* or a lost answer is a daemon that hangs */
	if (sys.first == sys.last) {
		sys.first = sys.last = 0;
		errno = EAGAIN;
		return -1;
	}
	sys.first++;
	errno = datagram->error;
	if (datagram->error)
		return -1;
	assert_true(datagram->len <= len);
	memcpy(buffer, datagram->bytes, datagram->len);
	return (ssize_t)datagram->len;
}

/* A socket as it should be, a ruleset to be sent, and how it went. */
struct world {
	struct nft_kernel kernel;
	struct ruleset ruleset;
	struct nft_plan plan;
	struct err err;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	memset(&sys, 0, sizeof(sys));
	sys.send_buffer = 212992;
	sys.send_buffer_max = 106496;
	sys.generation = 5;
	assert_non_null(w);
	assert_int_equal(nft_kernel_open(&w->kernel, &w->err), 0);
	sample_random(3, &w->ruleset);
	assert_int_equal(nft_plan_changes(&w->plan, &w->ruleset), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	nft_kernel_close(&w->kernel);
	nft_plan_done(&w->plan);
	ruleset_done(&w->ruleset);
	free(w);
	for (size_t i = 0; i < sys.n_sent; i++)
		free(sys.sent[i].bytes);
	return 0;
}

static int apply(struct world *w)
{
	return nft_kernel_apply(&w->kernel, &w->plan, &w->err);
}

static size_t count_messages(const struct nft_plan *plan)
{
	size_t n = 0;

	for (int part = 0; part < NFT_PLAN_PARTS; part++)
		n += plan->parts[part].messages.n;
	return n;
}

/* Messages of one sendmsg(): an envelope, consecutive numbers, one acknowledgement. */
static size_t check_transaction(size_t which)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)sys.sent[which].bytes;
	const struct nlmsghdr *before = NULL, *before_that = NULL;
	int left = (int)sys.sent[which].len;
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

static void a_plan_is_one_datagram(void **state)
{
	struct world *w = *state;

	assert_int_equal(apply(w), 0);
	assert_int_equal(sys.n_sent, 1);
	assert_int_equal(check_transaction(0), count_messages(&w->plan) + 2);
	assert_int_equal(w->kernel.commits, 1);
}

static void an_empty_plan_is_not_sent(void **state)
{
	struct world *w = *state;

	nft_plan_done(&w->plan);
	w->plan = (struct nft_plan){0};
	assert_int_equal(apply(w), 0);
	assert_int_equal(sys.n_sent, 0);
}

static void numbers_are_never_used_again(void **state)
{
	struct world *w = *state;
	uint32_t last;

	assert_int_equal(apply(w), 0);
	last = w->kernel.seq;
	assert_int_equal(apply(w), 0);
	assert_true(((const struct nlmsghdr *)sys.sent[1].bytes)->nlmsg_seq > last);
}

static void sending_is_tried_again(void **state)
{
	struct world *w = *state;
	const int errors[] = {EINTR, EAGAIN, ENOBUFS, EINTR};

	memcpy(sys.send_errors, errors, sizeof(errors));
	assert_int_equal(apply(w), 0);
	assert_int_equal(sys.sends, ARRAY_LEN(errors) + 1);
	assert_int_equal(sys.n_sent, 1);
}

static void but_not_for_ever(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(sys.send_errors); i++)
		sys.send_errors[i] = ENOBUFS;
	assert_int_equal(apply(w), -ENOBUFS);
	assert_true(sys.sends < ARRAY_LEN(sys.send_errors));
	assert_int_equal(w->kernel.commits, 0);
}

/* Of the sets of the sample, the first is the second message after the tables. */
static void a_refusal_names_its_object(void **state)
{
	struct world *w = *state;
	const struct nft_message *message = &w->plan.parts[NFT_PLAN_NEW_SETS].messages.v[1];

	sys.refused[0] = 1 + w->plan.parts[NFT_PLAN_TABLES].messages.n + 2;
	sys.refused[1] = sys.refused[0] + 1;
	sys.refusal = -EEXIST;
	assert_int_equal(apply(w), -EINVAL);
	assert_non_null(strstr(w->err.text, "File exists"));
	assert_int_equal(w->kernel.refusals.n, 2);
	assert_int_equal(w->kernel.refusals.v[0].code, -EEXIST);
	assert_int_equal(w->kernel.refusals.v[0].message.subject, NFT_SUBJECT_SET);
	assert_string_equal(w->kernel.refusals.v[0].message.name, message->name);
	assert_int_equal(w->kernel.commits, 0);
	/* And is forgotten with the next transaction. */
	sys.refused[0] = sys.refused[1] = 0;
	assert_int_equal(apply(w), 0);
	assert_int_equal(w->kernel.refusals.n, 0);
}

static void a_rules_anonymous_set_is_the_chains(void **state)
{
	struct world *w = *state;
	const struct nft_batch *rules = &w->plan.parts[NFT_PLAN_NEW_RULES];
	size_t i = 0;

	while (i < rules->messages.n && !rules->messages.v[i].more)
		i++;
	assert_true(i < rules->messages.n);
	assert_int_equal(rules->messages.v[i].subject, NFT_SUBJECT_CHAIN);
	assert_non_null(ruleset_chain(&w->ruleset, NFT_TABLE_POLICY, rules->messages.v[i].name));
}

static void passing_refusals_are_told_apart(void **state)
{
	static const struct {
		int refusal, rc;
	} rows[] = {{-ENOMEM, -ENOMEM}, {-ENOBUFS, -ENOBUFS}, {-EPERM, -EPERM},  {-EINVAL, -EINVAL},
		    {-EBUSY, -EINVAL},  {-EAGAIN, -EAGAIN},   {-ENOSPC, -EINVAL}};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		sys.refused[0] = 1;
		sys.refusal = rows[i].refusal;
		assert_int_equal(apply(w), rows[i].rc);
	}
}

static void an_acknowledgement_beside_a_refusal_is_none(void **state)
{
	struct world *w = *state;

	sys.refused[0] = 2;
	sys.refusal = -EINVAL;
	assert_int_equal(apply(w), -EINVAL);
}

static void what_is_left_from_before_is_no_answer(void **state)
{
	struct world *w = *state;

	sys.silent = true;
	answer_code(NLMSG_ERROR, 0, w->kernel.seq, 0);
	answer_code(NLMSG_ERROR, 0, w->kernel.seq - 1, -EBUSY);
	assert_int_equal(apply(w), -EAGAIN);
	assert_int_equal(w->kernel.refusals.n, 0);
}

static void an_answer_that_is_lost_is_no_refusal(void **state)
{
	struct world *w = *state;

	enqueue(ENOBUFS);
	assert_int_equal(apply(w), -ENOBUFS);
	assert_int_equal(sys.first, sys.last); /* nothing is left for the next */
	enqueue(EINTR);
	assert_int_equal(apply(w), 0);
}

static void no_answer_is_an_error(void **state)
{
	struct world *w = *state;

	sys.silent = true;
	assert_int_equal(apply(w), -EAGAIN);
}

static void a_large_plan_grows_the_buffer(void **state)
{
	struct world *w = *state;
	struct ruleset large = {0};
	struct nft_plan plan = {0};

	sample_large(&large, 50000);
	assert_int_equal(nft_plan_changes(&plan, &large), 0);
	assert_int_equal(nft_kernel_apply(&w->kernel, &plan, &w->err), 0);
	assert_int_equal(sys.n_sent, 1);
	assert_true(sys.sent[0].len > 212992);
	nft_plan_done(&plan);
	ruleset_done(&large);
}

/* Every anonymous set and the rule that looks it up are in one transaction. */
static void check_lists(size_t which)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)sys.sent[which].bytes;
	int left = (int)sys.sent[which].len;
	bool open = false;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		uint16_t type = NFNL_MSG_TYPE(message->nlmsg_type);

		if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
			continue;
		if (type == NFT_MSG_NEWSET &&
		    memmem(message, message->nlmsg_len, "__set%d", 7) != NULL)
			open = true;
		if (type == NFT_MSG_NEWRULE)
			open = false;
	}
	assert_false(open);
}

static void without_the_right_to_grow_it_goes_in_pieces(void **state)
{
	struct world *w = *state;
	struct ruleset large = {0};
	struct nft_plan plan = {0};

	sys.force_refused = true;
	sys.send_buffer_max = 40000;
	sample_large(&large, 20000);
	assert_int_equal(nft_plan_changes(&plan, &large), 0);
	assert_int_equal(nft_kernel_apply(&w->kernel, &plan, &w->err), 0);
	assert_true(sys.n_sent > 3);
	for (size_t i = 0; i < sys.n_sent; i++) {
		(void)check_transaction(i);
		check_lists(i);
	}
	assert_int_equal(w->kernel.commits, sys.n_sent);
	nft_plan_done(&plan);
	ruleset_done(&large);
}

static void pieces_of_any_size_keep_lists_and_rules_together(void **state)
{
	struct world *w = *state;
	size_t sent = 0;

	sys.force_refused = true;
	for (size_t room = 300; room < 4000; room += 53) {
		w->kernel.send_max = room;
		sys.told = (int)room;
		if (apply(w) < 0)
			fail_msg("%s", w->err.text);
		for (; sent < sys.n_sent; sent++) {
			(void)check_transaction(sent);
			check_lists(sent);
		}
		for (size_t i = 0; i < sys.n_sent; i++)
			free(sys.sent[i].bytes);
		sys.n_sent = sent = 0;
	}
}

static void a_rebuild_is_never_cut(void **state)
{
	static const bool both[] = {true, true};
	struct world *w = *state;
	struct ruleset large = {0};
	struct nft_plan plan = {0};

	sys.force_refused = true;
	sample_large(&large, 50000);
	assert_int_equal(nft_plan_rebuild(&plan, both, &(struct ruleset){0}, &large), 0);
	assert_int_equal(nft_kernel_apply(&w->kernel, &plan, &w->err), -EMSGSIZE);
	assert_int_equal(sys.n_sent, 0);
	nft_plan_done(&plan);
	ruleset_done(&large);
}

static void opening_says_what_is_missing(void **state)
{
	static const struct {
		int socket_error, request_error, rc;
		const char *text;
	} rows[] = {
		{EMFILE, 0, -EMFILE, "Too many open files"},
		{0, -EPERM, -EPERM, "CAP_NET_ADMIN"},
		{0, -EINVAL, -EPROTONOSUPPORT, "no nf_tables"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct nft_kernel kernel;
		struct err err = {0};

		memset(&sys, 0, sizeof(sys));
		sys.socket_error = rows[i].socket_error;
		sys.request_error = rows[i].request_error;
		assert_int_equal(nft_kernel_open(&kernel, &err), rows[i].rc);
		assert_non_null(strstr(err.text, rows[i].text));
		assert_int_equal(kernel.fd, -1);
	}
	sys.request_error = sys.socket_error = 0;
}

static void the_generation_is_asked_for(void **state)
{
	struct world *w = *state;
	uint32_t generation = 1;

	/* Whatever is left from before. */
	answer_code(NLMSG_ERROR, 0, 1, -EBUSY);
	assert_int_equal(nft_kernel_generation(&w->kernel, &generation), 0);
	assert_int_equal(generation, 5);
	sys.request_error = -EPERM;
	assert_int_equal(nft_kernel_generation(&w->kernel, &generation), -EPERM);
	assert_int_equal(generation, 5);
}

static void a_kernel_without_our_tables_reads_as_nothing(void **state)
{
	struct world *w = *state;
	struct nft_found found;

	assert_int_equal(nft_readback(&w->kernel, &found, &w->err), 0);
	assert_int_equal(found.generation, 5);
	assert_false(found.ruleset.in_kernel[NFT_TABLE_POLICY]);
	assert_null(found.ruleset.sets);
	assert_string_equal(found.what, "");
	nft_found_done(&found);
}

static void a_listing_that_is_always_interrupted_ends(void **state)
{
	struct world *w = *state;
	struct nft_found found;

	sys.request_error = -EINTR;
	assert_int_equal(nft_readback(&w->kernel, &found, &w->err), -EAGAIN);
	assert_non_null(strstr(w->err.text, "change all the time"));
	sys.request_error = -ENOMEM;
	assert_int_equal(nft_readback(&w->kernel, &found, &w->err), -ENOMEM);
}

static void lost_notifications_are_a_touch(void **state)
{
	struct world *w = *state;
	struct nft_touch touch;
	struct nft_watch watch;

	assert_int_equal(nft_watch_open(&watch, &w->kernel, &w->err), 0);
	assert_int_equal(nft_watch_read(&watch, &touch), 0);
	assert_false(touch.touched);
	enqueue(EINTR);
	enqueue(ENOBUFS);
	assert_int_equal(nft_watch_read(&watch, &touch), 0);
	assert_true(touch.touched);
	assert_int_equal(touch.pid, 0);
	assert_string_equal(touch.name, "");
	enqueue(EBADF);
	assert_int_equal(nft_watch_read(&watch, &touch), -EBADF);
	nft_watch_close(&watch);
}

static void notify(uint16_t type, uint8_t family, const char *table, uint32_t portid)
{
	struct nlmsghdr *message = answer((uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), 0, 1);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_pid = portid;
	header->nfgen_family = family;
	if (type == NFT_MSG_NEWGEN) {
		mnl_attr_put_u32(message, NFTA_GEN_ID, htonl(7));
		mnl_attr_put_u32(message, NFTA_GEN_PROC_PID, htonl(99));
		mnl_attr_put_strz(message, NFTA_GEN_PROC_NAME, "firewalld");
	} else {
		mnl_attr_put_strz(message, NFTA_RULE_TABLE, table);
		mnl_attr_put_strz(message, NFTA_RULE_CHAIN, "forward");
	}
	enqueue_done(message);
}

static void only_others_changes_to_our_tables_touch(void **state)
{
	static const struct {
		uint8_t family;
		const char *table;
		uint32_t portid;
		bool touched;
	} rows[] = {
		{NFPROTO_INET, "netpold", 5, true},    {NFPROTO_NETDEV, "netpold", 5, true},
		{NFPROTO_INET, "netpold", 0, true},    {NFPROTO_INET, "netpold", PORT_ID, false},
		{NFPROTO_IPV4, "netpold", 5, false},   {NFPROTO_INET, "netpold2", 5, false},
		{NFPROTO_BRIDGE, "netpold", 5, false},
	};
	struct world *w = *state;
	struct nft_touch touch;
	struct nft_watch watch;

	assert_int_equal(nft_watch_open(&watch, &w->kernel, &w->err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		notify(NFT_MSG_DELRULE, rows[i].family, rows[i].table, rows[i].portid);
		/* Who it was comes at the end, maybe with the next reading. */
		assert_int_equal(nft_watch_read(&watch, &touch), 0);
		assert_false(touch.touched);
		notify(NFT_MSG_NEWGEN, 0, NULL, rows[i].portid);
		assert_int_equal(nft_watch_read(&watch, &touch), 0);
		assert_int_equal(touch.touched, rows[i].touched);
		assert_string_equal(touch.name, rows[i].touched ? "firewalld" : "");
		assert_int_equal(touch.pid, rows[i].touched ? 99 : 0);
		assert_string_equal(touch.what,
				    rows[i].touched ? "rule gone from chain forward" : "");
	}
	nft_watch_close(&watch);
}

static void a_pause_tells_what_was_missed(void **state)
{
	struct world *w = *state;
	struct nft_watch watch;
	bool missed = true;

	assert_int_equal(nft_watch_open(&watch, &w->kernel, &w->err), 0);
	assert_int_equal(nft_watch_pause(&watch, &w->kernel), 0);
	assert_int_equal(apply(w), 0);
	sys.generation++;
	assert_int_equal(nft_watch_resume(&watch, &w->kernel, &missed), 0);
	assert_false(missed);
	assert_int_equal(nft_watch_pause(&watch, &w->kernel), 0);
	assert_int_equal(apply(w), 0);
	sys.generation += 2;
	assert_int_equal(nft_watch_resume(&watch, &w->kernel, &missed), 0);
	assert_true(missed);
	nft_watch_close(&watch);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plan_is_one_datagram),
		TEST(an_empty_plan_is_not_sent),
		TEST(numbers_are_never_used_again),
		TEST(sending_is_tried_again),
		TEST(but_not_for_ever),
		TEST(a_refusal_names_its_object),
		TEST(a_rules_anonymous_set_is_the_chains),
		TEST(passing_refusals_are_told_apart),
		TEST(an_acknowledgement_beside_a_refusal_is_none),
		TEST(what_is_left_from_before_is_no_answer),
		TEST(an_answer_that_is_lost_is_no_refusal),
		TEST(no_answer_is_an_error),
		TEST(a_large_plan_grows_the_buffer),
		TEST(without_the_right_to_grow_it_goes_in_pieces),
		TEST(pieces_of_any_size_keep_lists_and_rules_together),
		TEST(a_rebuild_is_never_cut),
		TEST(opening_says_what_is_missing),
		TEST(the_generation_is_asked_for),
		TEST(a_kernel_without_our_tables_reads_as_nothing),
		TEST(a_listing_that_is_always_interrupted_ends),
		TEST(lost_notifications_are_a_touch),
		TEST(only_others_changes_to_our_tables_touch),
		TEST(a_pause_tells_what_was_missed),
	};

	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
