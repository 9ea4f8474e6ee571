/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as a dump of ctnetlink: entries as the kernel writes them, of which what is read has to be
 * what was written; and messages of any content among them. */
#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <string.h>

#include "choices.h"
#include "fuzz.h"
#include "netlink.h"
#include "node/conntrack.h"

#define ENTRIES_MAX 64

struct scene {
	struct choices choices;
	struct conntrack_entry wanted[ENTRIES_MAX];
	size_t n, read;
	bool unknown; /* there is a message of any content */
	uint32_t seq;
	char datagram[16384];
	size_t len;
};

/* libmnl's own calls are none of libnetpold's, so they are wrapped here. */
struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags);
int __wrap_mnl_socket_bind(struct mnl_socket *socket, unsigned groups, pid_t pid);
int __wrap_mnl_socket_close(struct mnl_socket *socket);
int __wrap_mnl_socket_get_fd(const struct mnl_socket *socket);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t len);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);

struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags)
{
	static char socket;

	REQUIRE(bus == NETLINK_NETFILTER && flags == SOCK_CLOEXEC);
	return (struct mnl_socket *)&socket;
}

int __wrap_mnl_socket_bind(struct mnl_socket *socket, unsigned groups, pid_t pid)
{
	(void)socket;
	(void)pid;
	return groups == 0 ? 0 : -1;
}

int __wrap_mnl_socket_close(struct mnl_socket *socket)
{
	(void)socket;
	return 0;
}

int __wrap_mnl_socket_get_fd(const struct mnl_socket *socket)
{
	(void)socket;
	return NETLINK_FD;
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t len)
{
	(void)socket;
	return __wrap_send(NETLINK_FD, bytes, len, 0);
}

static void end_datagram(struct scene *s)
{
	if (s->len > 0)
		netlink_put(s->datagram, s->len);
	s->len = 0;
}

static struct nlmsghdr *start_message(struct scene *s, uint8_t family)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(s->datagram + s->len);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	message->nlmsg_flags = NLM_F_MULTI;
	message->nlmsg_seq = s->seq;
	header->nfgen_family = family;
	return message;
}

static void end_message(struct scene *s, const struct nlmsghdr *message)
{
	s->len += MNL_ALIGN(message->nlmsg_len);
	if (s->len > sizeof(s->datagram) / 2 || choose(&s->choices, 4) == 0)
		end_datagram(s);
}

/* An address that says which one it is. */
static void make_addr(struct choices *c, enum family family, struct addr *ret)
{
	*ret = (struct addr){.family = (uint8_t)family};
	ret->b[0] = family == FAMILY_V4 ? 10 : 0xfd;
	ret->b[addr_bytes(family) - 1] = choose_byte(c);
}

static void put_tuple(struct nlmsghdr *message, uint16_t type, const struct addr *from,
		      const struct addr *to, uint8_t proto, uint16_t from_port, uint16_t to_port)
{
	bool v4 = from->family == FAMILY_V4;
	size_t bytes = addr_bytes((enum family)from->family);
	struct nlattr *tuple = mnl_attr_nest_start(message, type), *nest;

	nest = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	mnl_attr_put(message, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, bytes, from->b);
	mnl_attr_put(message, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, bytes, to->b);
	mnl_attr_nest_end(message, nest);
	nest = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(message, CTA_PROTO_NUM, proto);
	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP) {
		mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(from_port));
		mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(to_port));
	}
	mnl_attr_nest_end(message, nest);
	mnl_attr_nest_end(message, tuple);
}

/* A connection whose destination may have been translated: the reply comes from somebody else than
 * the first packet went to. */
static void put_entry(struct scene *s)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_GRE};
	enum family family = choose(&s->choices, 2) ? FAMILY_V4 : FAMILY_V6;
	struct conntrack_entry *entry = &s->wanted[s->n++];
	struct nlmsghdr *message = start_message(s, family == FAMILY_V4 ? AF_INET : AF_INET6);
	struct addr service, gateway;

	make_addr(&s->choices, family, &entry->from);
	make_addr(&s->choices, family, &entry->to);
	make_addr(&s->choices, family, &service);
	make_addr(&s->choices, family, &gateway);
	entry->proto = protos[choose(&s->choices, sizeof(protos))];
	if (entry->proto != IPPROTO_GRE) {
		entry->from_port = choose_byte(&s->choices);
		entry->to_port = choose_byte(&s->choices);
	}
	put_tuple(message, CTA_TUPLE_ORIG, &entry->from, &service, entry->proto, entry->from_port,
		  80);
	put_tuple(message, CTA_TUPLE_REPLY, &entry->to, &gateway, entry->proto, entry->to_port,
		  4000);
	mnl_attr_put_u32(message, CTA_ID, htonl((uint32_t)s->n));
	end_message(s, message);
}

/* Half of an entry, or attributes that nobody knows. Those that libnetfilter_conntrack does know
 * have the size that the kernel gives them: of another one it ends the program (__abi_breakage()).
 */
static void put_any(struct scene *s)
{
	static const uint8_t families[] = {AF_INET, AF_INET6, AF_UNSPEC, AF_BRIDGE};
	struct nlmsghdr *message =
		start_message(s, families[choose(&s->choices, sizeof(families))]);
	uint32_t what = choose(&s->choices, 16);
	enum family family = what & 4 ? FAMILY_V4 : FAMILY_V6;
	uint8_t bytes[32];
	struct addr addr;

	make_addr(&s->choices, family, &addr);
	if (what & 1)
		put_tuple(message, CTA_TUPLE_ORIG, &addr, &addr, IPPROTO_TCP, 1, 2);
	if (what & 2)
		put_tuple(message, CTA_TUPLE_REPLY, &addr, &addr, IPPROTO_TCP, 1, 2);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = choose_byte(&s->choices);
	mnl_attr_put(message, CTA_MAX + 1 + bytes[0], bytes[1] % sizeof(bytes), bytes);
	if (what & 8)
		message->nlmsg_len = NLMSG_HDRLEN;
	s->unknown = true;
	end_message(s, message);
}

static bool is_same(const struct conntrack_entry *a, const struct conntrack_entry *b)
{
	return addr_compare(&a->from, &b->from) == 0 && addr_compare(&a->to, &b->to) == 0 &&
	       a->from_port == b->from_port && a->to_port == b->to_port && a->proto == b->proto;
}

static int take(void *ctx, const struct conntrack_entry *entry)
{
	struct scene *s = ctx;

	REQUIRE(entry->from.family < FAMILY_COUNT && entry->to.family < FAMILY_COUNT);
	REQUIRE(entry->raw);
	if (s->unknown)
		return 0;
	REQUIRE(s->read < s->n && is_same(entry, &s->wanted[s->read]));
	s->read++;
	return 0;
}

/* Called with the request for the dump. */
static void answer(void *ctx, const struct nlmsghdr *request)
{
	struct scene *s = ctx;

	s->seq = request->nlmsg_seq;
	while (s->choices.p < s->choices.end && s->n < ENTRIES_MAX) {
		if (choose(&s->choices, 6) == 0)
			put_any(s);
		else
			put_entry(s);
	}
	end_datagram(s);
	netlink_put_end(NLMSG_DONE, NLM_F_MULTI, s->seq, 0);
}

/* conntrack_open() tries a dump, which has nothing. */
static void answer_nothing(void *ctx, const struct nlmsghdr *request)
{
	(void)ctx;
	netlink_put_end(NLMSG_DONE, NLM_F_MULTI, request->nlmsg_seq, 0);
}

static void run(struct conntrack *conntrack, struct choices choices, uint8_t fill)
{
	struct scene *s = calloc(1, sizeof(*s));
	int rc;

	REQUIRE(s);
	s->choices = choices;
	netlink_start(answer, s, fill);
	REQUIRE(conntrack_dump(conntrack, &(struct conntrack_filter){0}) == 0);
	do
		rc = conntrack_read(conntrack, take, s);
	while (rc == 0);
	REQUIRE(rc == 1 || (s->unknown && rc < 0));
	REQUIRE(s->unknown || s->read == s->n);
	netlink_start(NULL, NULL, 0);
	free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conntrack *conntrack;
	struct err err;

	netlink_start(answer_nothing, NULL, 0);
	REQUIRE(conntrack || conntrack_open(&conntrack, &err) == 0);
	run(conntrack, (struct choices){data, data + size}, 0);
	run(conntrack, (struct choices){data, data + size}, 0xff);
	return 0;
}
