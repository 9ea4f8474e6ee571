/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a packet costs: datapath ROUNDS VARIANT...
 * A VARIANT is three network namespaces below /run/netns, VARIANT-node, VARIANT-a and VARIANT-b, as
 * datapath.py makes them. One pinned process owns the sockets of both pods, so that a packet's
 * whole way through the node is done inside the system call that sends it, and time is cost. Each
 * round visits the variants in another order. What is enforced is verified first; variants whose
 * name begins with "free" enforce nothing. Prints a line for each round, variant and series: its
 * name, the series, nanoseconds for one connection or packet. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

/* The same in datapath.py. */
#define ADDR_A        "10.244.0.1"
#define ADDR_B        "10.244.0.2"
#define PORT_ALLOWED  30000
#define PORT_DENIED   30001
#define PORT_CLIENT   40000 /* of the first connection of a round */
#define PORT_ANSWERED 50000
#define PORT_ONE_WAY  50001
#define PORT_STREAM   50002

#define CONNECTS      48
#define PACKETS       512
#define ROUND_TRIPS   128
#define BURST         32 /* packets between two looks into the sockets that got them */
#define VERIFY_MS     200
#define WARM_ROUNDS   5

struct variant {
	const char *name;
	int netns_a, netns_b;
	int listener, listener_denied; /* TCP, of b */
	int sink, sink_denied;         /* UDP, of b */
	int answered, one_way;  /* UDP, of a: a flow that b has answered, one that it has not */
	int stream, stream_end; /* a TCP connection of a's, and b's end of it */
	struct mnl_socket *conntrack; /* of the node */
};

static void die(const char *what)
{
	fprintf(stderr, "datapath: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void check(bool ok, const char *what)
{
	if (!ok)
		die(what);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct sockaddr_in address(const char *host, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

	(void)inet_pton(AF_INET, host, &to.sin_addr); /* it is one of ours */
	return to;
}

static int netns_open(const char *variant, const char *end)
{
	char path[300];
	int fd;

	(void)snprintf(path, sizeof(path), "/run/netns/%s-%s", variant, end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	check(fd >= 0, path);
	return fd;
}

/* A socket of the network namespace, bound to the port. */
static int socket_in(int netns, int type, const char *host, uint16_t port)
{
	struct sockaddr_in self = address(host, port);
	int one = 1, bytes = 4 << 20, fd;

	check(setns(netns, CLONE_NEWNET) == 0, "setns");
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	check(fd >= 0, "socket");
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
		      setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0,
	      "setsockopt");
	check(bind(fd, (struct sockaddr *)&self, sizeof(self)) == 0, "bind");
	return fd;
}

static int listen_in(int netns, uint16_t port)
{
	int fd = socket_in(netns, SOCK_STREAM, ADDR_B, port);

	check(listen(fd, CONNECTS) == 0, "listen");
	return fd;
}

/* Closing it resets the connection, which is over at once. */
static int client_in(int netns, int flags, uint16_t port)
{
	struct linger reset = {.l_onoff = 1};
	int fd = socket_in(netns, SOCK_STREAM | flags, ADDR_A, port);

	check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0, "setsockopt");
	return fd;
}

static void variant_open(struct variant *v, const char *name)
{
	int node = netns_open(name, "node");

	v->name = name;
	v->netns_a = netns_open(name, "a");
	v->netns_b = netns_open(name, "b");
	v->listener = listen_in(v->netns_b, PORT_ALLOWED);
	v->listener_denied = listen_in(v->netns_b, PORT_DENIED);
	v->sink = socket_in(v->netns_b, SOCK_DGRAM, ADDR_B, PORT_ALLOWED);
	v->sink_denied = socket_in(v->netns_b, SOCK_DGRAM, ADDR_B, PORT_DENIED);
	v->answered = socket_in(v->netns_a, SOCK_DGRAM, ADDR_A, PORT_ANSWERED);
	v->one_way = socket_in(v->netns_a, SOCK_DGRAM, ADDR_A, PORT_ONE_WAY);
	check(setns(node, CLONE_NEWNET) == 0, "setns");
	v->conntrack = mnl_socket_open(NETLINK_NETFILTER);
	check(v->conntrack && mnl_socket_bind(v->conntrack, 0, MNL_SOCKET_AUTOPID) == 0,
	      "a netfilter socket");
	(void)close(node);
}

static void variant_close(struct variant *v)
{
	const int fds[] = {v->netns_a, v->netns_b,     v->listener, v->listener_denied,
			   v->sink,    v->sink_denied, v->answered, v->one_way,
			   v->stream,  v->stream_end};

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	(void)mnl_socket_close(v->conntrack);
}

/* Forgets a connection of a's, so that tables stay small and ports can be used again. */
static void forget(const struct variant *v, uint16_t from)
{
	char buffer[1024];
	struct sockaddr_in a = address(ADDR_A, from), b = address(ADDR_B, PORT_ALLOWED);
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *family = mnl_nlmsg_put_extra_header(header, sizeof(*family));
	struct nlattr *tuple, *part;
	ssize_t n;

	header->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	*family = (struct nfgenmsg){.nfgen_family = AF_INET, .version = NFNETLINK_V0};
	tuple = mnl_attr_nest_start(header, CTA_TUPLE_ORIG);
	part = mnl_attr_nest_start(header, CTA_TUPLE_IP);
	mnl_attr_put_u32(header, CTA_IP_V4_SRC, a.sin_addr.s_addr);
	mnl_attr_put_u32(header, CTA_IP_V4_DST, b.sin_addr.s_addr);
	mnl_attr_nest_end(header, part);
	part = mnl_attr_nest_start(header, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(header, CTA_PROTO_NUM, IPPROTO_TCP);
	mnl_attr_put_u16(header, CTA_PROTO_SRC_PORT, a.sin_port);
	mnl_attr_put_u16(header, CTA_PROTO_DST_PORT, b.sin_port);
	mnl_attr_nest_end(header, part);
	mnl_attr_nest_end(header, tuple);
	n = mnl_socket_sendto(v->conntrack, header, header->nlmsg_len);
	if (n > 0)
		n = mnl_socket_recvfrom(v->conntrack, buffer, sizeof(buffer));
	/* The variant without conntrack has no entry. */
	check(n > 0 && (mnl_cb_run(buffer, (size_t)n, 0, 0, NULL, NULL) >= 0 || errno == ENOENT),
	      "deleting a conntrack entry");
}

static void send_one(int from, uint16_t port)
{
	struct sockaddr_in to = address(ADDR_B, port);

	check(sendto(from, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1, "sendto");
}

static unsigned drain(int fd)
{
	unsigned n = 0;
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		n++;
	check(errno == EAGAIN, "recv");
	return n;
}

/* Nanoseconds for one packet; `arrived`: whether each of them must, or none. */
static double time_packets(int from, uint16_t port, int sink, bool arrived)
{
	struct sockaddr_in to = address(ADDR_B, port);
	uint64_t start, spent = 0;

	for (unsigned burst = 0; burst < PACKETS / BURST; burst++) {
		start = now_ns();
		for (unsigned i = 0; i < BURST; i++)
			(void)sendto(from, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
		spent += now_ns() - start;
		if (drain(sink) != (arrived ? BURST : 0)) {
			fprintf(stderr, "datapath: packets to port %u were %s\n", port,
				arrived ? "lost" : "let through");
			exit(1);
		}
	}
	return (double)spent / PACKETS;
}

/* Nanoseconds for a connection: opened, accepted, reset. */
static double time_connects(const struct variant *v)
{
	struct sockaddr_in to = address(ADDR_B, PORT_ALLOWED);
	int clients[CONNECTS], accepted;
	uint64_t start, spent;

	for (uint16_t i = 0; i < CONNECTS; i++)
		clients[i] = client_in(v->netns_a, 0, PORT_CLIENT + i);
	start = now_ns();
	for (unsigned i = 0; i < CONNECTS; i++) {
		check(connect(clients[i], (struct sockaddr *)&to, sizeof(to)) == 0, v->name);
		accepted = accept(v->listener, NULL, NULL);
		(void)close(clients[i]);
		(void)close(accepted);
	}
	spent = now_ns() - start;
	for (uint16_t i = 0; i < CONNECTS; i++)
		forget(v, PORT_CLIENT + i);
	return (double)spent / CONNECTS;
}

/* Nanoseconds for one segment of a TCP connection. Each is answered by one that acknowledges it, or
 * acknowledgements would come when they like. */
static double time_segments(const struct variant *v)
{
	uint64_t start = now_ns();
	char byte = 'x';

	for (unsigned i = 0; i < ROUND_TRIPS; i++)
		check(send(v->stream, &byte, 1, 0) == 1 && recv(v->stream_end, &byte, 1, 0) == 1 &&
			      send(v->stream_end, &byte, 1, 0) == 1 &&
			      recv(v->stream, &byte, 1, 0) == 1,
		      v->name);
	return (double)(now_ns() - start) / (2 * ROUND_TRIPS);
}

static bool is_free(const struct variant *v)
{
	return strncmp(v->name, "free", 4) == 0;
}

static bool connects(const struct variant *v, uint16_t port)
{
	struct sockaddr_in to = address(ADDR_B, port);
	int fd = client_in(v->netns_a, SOCK_NONBLOCK, PORT_CLIENT);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	    (errno != EINPROGRESS || poll(&wait, 1, VERIFY_MS) != 1 ||
	     getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0))
		error = 1;
	(void)close(fd);
	return error == 0;
}

/* What is allowed passes, what is not does not; and b answers one of the two flows. */
static void verify(const struct variant *v)
{
	struct sockaddr_in back = address(ADDR_A, PORT_ANSWERED);
	bool allowed = connects(v, PORT_ALLOWED), denied = connects(v, PORT_DENIED);

	(void)close(accept(v->listener, NULL, NULL));
	forget(v, PORT_CLIENT);
	send_one(v->answered, PORT_ALLOWED);
	send_one(v->answered, PORT_DENIED);
	allowed = drain(v->sink) == 1 && allowed;
	denied = drain(v->sink_denied) == 1 || denied;
	if (!allowed || denied != is_free(v)) {
		fprintf(stderr, "datapath: %s: what is allowed %s, what is not %s\n", v->name,
			allowed ? "passes" : "does not pass", denied ? "passes" : "does not");
		exit(1);
	}
	check(sendto(v->sink, "x", 1, 0, (struct sockaddr *)&back, sizeof(back)) == 1, "sendto");
	check(drain(v->answered) == 1, "an answer");
}

static void open_stream(struct variant *v)
{
	struct sockaddr_in to = address(ADDR_B, PORT_ALLOWED);
	int one = 1;

	v->stream = client_in(v->netns_a, 0, PORT_STREAM);
	check(connect(v->stream, (struct sockaddr *)&to, sizeof(to)) == 0, v->name);
	v->stream_end = accept(v->listener, NULL, NULL);
	check(v->stream_end >= 0, "accept");
	check(setsockopt(v->stream, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
		      setsockopt(v->stream_end, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0,
	      "setsockopt");
}

static void measure(const struct variant *v, bool print)
{
	double connection = time_connects(v);
	double packet = time_packets(v->answered, PORT_ALLOWED, v->sink, true);
	double segment = time_segments(v);
	double one_way = time_packets(v->one_way, PORT_ALLOWED, v->sink, true);
	double denied = time_packets(v->one_way, PORT_DENIED, v->sink_denied, is_free(v));

	if (print)
		printf("%s connection %.1f\n%s packet %.1f\n%s segment %.1f\n%s one-way %.1f\n"
		       "%s denied %.1f\n",
		       v->name, connection, v->name, packet, v->name, segment, v->name, one_way,
		       v->name, denied);
}

static void shuffle(struct variant *v, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t other = (size_t)random() % i;
		struct variant swap = v[i - 1];

		v[i - 1] = v[other];
		v[other] = swap;
	}
}

static void pin(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)sched_getcpu(), &cpus);
	check(sched_setaffinity(0, sizeof(cpus), &cpus) == 0, "sched_setaffinity");
	measure_first();
}

int main(int argc, char *argv[])
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	size_t n = argc > 2 ? (size_t)argc - 2 : 0;
	struct variant *variants = calloc(n + 1, sizeof(variants[0]));

	if (rounds == 0 || n == 0 || !variants) {
		fprintf(stderr, "usage: datapath ROUNDS VARIANT...\n");
		return 2;
	}
	pin();
	for (size_t i = 0; i < n; i++) {
		variant_open(&variants[i], argv[i + 2]);
		verify(&variants[i]);
		open_stream(&variants[i]);
	}
	for (unsigned long round = 0; round < rounds + WARM_ROUNDS; round++) {
		shuffle(variants, n);
		for (size_t i = 0; i < n; i++)
			measure(&variants[i], round >= WARM_ROUNDS);
	}
	for (size_t i = 0; i < n; i++)
		variant_close(&variants[i]);
	free(variants);
	return 0;
}
