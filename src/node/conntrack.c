/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node/conntrack.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ctnetlink_dump_table() fills what is received into, up to 32 kB (NLMSG_GOODSIZE and
 * netlink_dump() of af_netlink.c). */
#define READ_BYTES 32768

/* Of net/netfilter/nf_conntrack_netlink.c, and so of the kernel's interface; no header has it. */
#define CTA_FILTER_F_CTA_IP_SRC (1u << 0)

struct conntrack {
	struct mnl_socket *dump, *change; /* apart, or answers would come into a dump */
	struct nf_conntrack *entry;
	uint32_t seq;
	bool dumping;
};

static int open_socket(struct mnl_socket **ret)
{
	struct mnl_socket *made = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (!made)
		return -errno;
	*ret = made;
	return mnl_socket_bind(made, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
}

void conntrack_close(struct conntrack *c)
{
	if (!c)
		return;
	if (c->dump)
		(void)mnl_socket_close(c->dump); /* nothing to lose */
	if (c->change)
		(void)mnl_socket_close(c->change);
	if (c->entry)
		nfct_destroy(c->entry);
	free(c);
}

static struct nlmsghdr *put_header(void *buffer, const struct conntrack *c, uint16_t type,
				   uint16_t flags, uint8_t family)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	message->nlmsg_type = (uint16_t)((NFNL_SUBSYS_CTNETLINK << 8) | type);
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	message->nlmsg_seq = c->seq;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	return message;
}

/* A tuple with one address, the source; and what the kernel compares of it. */
static void put_filter(struct nlmsghdr *message, const struct conntrack_filter *filter)
{
	bool v4 = filter->addr->family == FAMILY_V4;
	/* A reply comes from whom the connection goes to, whatever was translated. */
	bool original = filter->end == CONNTRACK_FROM;
	struct nlattr *tuple =
		mnl_attr_nest_start(message, original ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY);
	struct nlattr *ip = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	struct nlattr *flags;

	mnl_attr_put(message, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC,
		     addr_bytes((enum family)filter->addr->family), filter->addr->b);
	mnl_attr_nest_end(message, ip);
	mnl_attr_nest_end(message, tuple);
	flags = mnl_attr_nest_start(message, CTA_FILTER);
	mnl_attr_put_u32(message, original ? CTA_FILTER_ORIG_FLAGS : CTA_FILTER_REPLY_FLAGS,
			 CTA_FILTER_F_CTA_IP_SRC);
	mnl_attr_nest_end(message, flags);
}

int conntrack_dump(struct conntrack *c, const struct conntrack_filter *filter)
{
	_Alignas(struct nlmsghdr) char buffer[512] = {0};
	uint8_t family = AF_UNSPEC;
	struct nlmsghdr *message;
	int rc = 0;

	if (c->dumping) { /* the kernel gives up a dump with its socket only */
		(void)mnl_socket_close(c->dump);
		c->dump = NULL;
		c->dumping = false;
	}
	if (!c->dump)
		rc = open_socket(&c->dump);
	if (rc < 0)
		return rc;
	c->seq++;
	if (filter->addr)
		family = filter->addr->family == FAMILY_V4 ? AF_INET : AF_INET6;
	message = put_header(buffer, c, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
	if (filter->addr)
		put_filter(message, filter);
	if (mnl_socket_sendto(c->dump, message, message->nlmsg_len) < 0)
		return -errno;
	c->dumping = true;
	return 0;
}

static void get_addr(const struct nf_conntrack *raw, enum nf_conntrack_attr v4,
		     enum nf_conntrack_attr v6, struct addr *ret)
{
	bool is_v4 = nfct_attr_is_set(raw, v4) > 0;

	*ret = (struct addr){.family = is_v4 ? FAMILY_V4 : FAMILY_V6};
	memcpy(ret->b, nfct_get_attr(raw, is_v4 ? v4 : v6), is_v4 ? 4 : 16);
}

static uint16_t get_port(const struct nf_conntrack *raw, enum nf_conntrack_attr attr)
{
	return nfct_attr_is_set(raw, attr) > 0 ? ntohs(nfct_get_attr_u16(raw, attr)) : 0;
}

/* false: of a family that is none of ours. */
static bool parse_entry(const struct nf_conntrack *raw, struct conntrack_entry *ret)
{
	if ((nfct_attr_is_set(raw, ATTR_ORIG_IPV4_SRC) <= 0 ||
	     nfct_attr_is_set(raw, ATTR_REPL_IPV4_SRC) <= 0) &&
	    (nfct_attr_is_set(raw, ATTR_ORIG_IPV6_SRC) <= 0 ||
	     nfct_attr_is_set(raw, ATTR_REPL_IPV6_SRC) <= 0))
		return false;
	*ret = (struct conntrack_entry){.raw = raw};
	get_addr(raw, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC, &ret->from);
	get_addr(raw, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC, &ret->to);
	ret->proto = nfct_get_attr_u8(raw, ATTR_ORIG_L4PROTO);
	ret->from_port = get_port(raw, ATTR_ORIG_PORT_SRC);
	ret->to_port = get_port(raw, ATTR_REPL_PORT_SRC);
	if (nfct_attr_is_set(raw, ATTR_TIMEOUT) > 0)
		ret->timeout_s = nfct_get_attr_u32(raw, ATTR_TIMEOUT);
	return true;
}

int conntrack_entry_copy(const struct conntrack_entry *entry, struct conntrack_entry *ret)
{
	struct nf_conntrack *raw = nfct_clone(entry->raw);

	if (!raw)
		return -ENOMEM;
	*ret = *entry;
	ret->raw = raw;
	return 0;
}

void conntrack_entry_done(struct conntrack_entry *entry)
{
	nfct_destroy((struct nf_conntrack *)entry->raw); /* a copy's is its own */
}

static int handle_entry(struct conntrack *c, const struct nlmsghdr *message, conntrack_fn fn,
			void *ctx)
{
	struct conntrack_entry entry;

	nfct_destroy(c->entry); /* what one has must not be taken for the next one's */
	c->entry = nfct_new();
	if (!c->entry)
		return -ENOMEM;
	if (nfct_nlmsg_parse(message, c->entry) < 0 || !parse_entry(c->entry, &entry))
		return 0; /* of a form that this library does not know */
	return fn(ctx, &entry);
}

/* 1: the end. */
static int handle_message(struct conntrack *c, const struct nlmsghdr *message, conntrack_fn fn,
			  void *ctx)
{
	const struct nlmsgerr *failure = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_seq != c->seq)
		return 0;
	if (message->nlmsg_type == NLMSG_DONE)
		return 1;
	if (message->nlmsg_type == NLMSG_ERROR)
		return mnl_nlmsg_get_payload_len(message) < sizeof(*failure) ? -EBADMSG
									     : failure->error;
	return handle_entry(c, message, fn, ctx);
}

int conntrack_read(struct conntrack *c, conntrack_fn fn, void *ctx)
{
	_Alignas(struct nlmsghdr) char buffer[READ_BYTES];
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
	ssize_t n = recv(mnl_socket_get_fd(c->dump), buffer, sizeof(buffer), MSG_DONTWAIT);
	int left = (int)n, rc = 0;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (; rc == 0 && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		rc = handle_message(c, message, fn, ctx);
	if (rc == 1)
		c->dumping = false;
	return rc;
}

/* The kernel answers a request while it is sent. */
static int read_answer(const struct conntrack *c)
{
	_Alignas(struct nlmsghdr) char buffer[4096];
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
	const struct nlmsgerr *answer;
	ssize_t n;

	do {
		n = recv(mnl_socket_get_fd(c->change), buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n < 0)
			return -errno;
	} while (!mnl_nlmsg_ok(message, (int)n) || message->nlmsg_seq != c->seq);
	answer = mnl_nlmsg_get_payload(message);
	if (message->nlmsg_type != NLMSG_ERROR ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*answer))
		return -EBADMSG;
	return answer->error;
}

int conntrack_delete(struct conntrack *c, const struct conntrack_entry *entry)
{
	_Alignas(struct nlmsghdr) char buffer[4096] = {0};
	uint8_t family = entry->from.family == FAMILY_V4 ? AF_INET : AF_INET6;
	uint32_t dump_seq = c->seq;
	struct nlmsghdr *message;
	int rc;

	c->seq = ~dump_seq;
	message = put_header(buffer, c, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, family);
	/* Tuples and zone; the id, as another connection may have taken its place
	 * (ctnetlink_del_conntrack() compares it). */
	rc = nfct_nlmsg_build(message, entry->raw) < 0 ? -EINVAL : 0;
	if (nfct_attr_is_set(entry->raw, ATTR_ID) > 0)
		mnl_attr_put_u32(message, CTA_ID, htonl(nfct_get_attr_u32(entry->raw, ATTR_ID)));
	if (rc == 0 && mnl_socket_sendto(c->change, message, message->nlmsg_len) < 0)
		rc = -errno;
	if (rc == 0)
		rc = read_answer(c);
	c->seq = dump_seq;
	return rc == -ENOENT ? 0 : rc;
}

static int ignore(void *ctx, const struct conntrack_entry *entry)
{
	(void)ctx;
	(void)entry;
	return 0;
}

/* Whether ctnetlink is there shows with the first request: a dump for an address that nobody has.
 */
static int try_dump(struct conntrack *c)
{
	static const struct addr nobody = {.family = FAMILY_V4};
	int rc = conntrack_dump(c, &(struct conntrack_filter){.addr = &nobody});

	while (rc == 0)
		rc = conntrack_read(c, ignore, NULL);
	return rc < 0 ? rc : 0;
}

int conntrack_open(struct conntrack **ret_conntrack, struct err *err)
{
	struct conntrack *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->entry = nfct_new();
	rc = c->entry ? open_socket(&c->change) : -ENOMEM;
	if (rc == 0)
		rc = try_dump(c);
	if (rc == 0) {
		*ret_conntrack = c;
		return 0;
	}
	conntrack_close(c);
	if (rc != -ENOMEM)
		(void)err_set(err, rc, "tracked connections cannot be read: %s", strerror(-rc));
	return rc;
}

unsigned long conntrack_count(void)
{
	FILE *in = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");
	unsigned long n = ULONG_MAX;

	if (!in)
		return n;
	if (fscanf(in, "%lu", &n) != 1)
		n = ULONG_MAX;
	(void)fclose(in); /* only read */
	return n;
}
