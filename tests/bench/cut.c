/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What it takes to end the connections that a change denies: cut DIRECTORY NODE ENTRIES
 * Loads the cluster, gives the kernel ENTRIES connections from pods elsewhere to those of this
 * node, and has them evaluated in the loop, as after a change that concerns one address and one
 * that concerns all. Those of TCP are committed before their entries are deleted, as the daemon
 * does. Wants a network namespace of its own. Prints for each what was done, milliseconds of
 * processor, the longest turn, the longest commit, how many were evaluated and how many ended. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/apply.h"
#include "established.h"
#include "measure.h"
#include "offline/offline.h"
#include "render/render.h"

#define CLIENTS      1000
#define CLIENT_PORT  1024
#define SERVER_PORTS 4 /* some of which policies allow */

struct bench {
	struct offline cluster;
	struct established *established;
	struct event_base *base;
	struct findings findings;
	struct apply apply;
	bool want_render;
	VEC(struct addr) here;
};

static double thread_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* cannot fail */
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void set_tuple(struct nf_conntrack *entry, const struct addr *to, size_t i)
{
	static const uint16_t ports[SERVER_PORTS] = {8080, 5432, 9090, 443};
	uint32_t from_addr = htonl(0x0a000000u + 0x10000u + (uint32_t)(i % CLIENTS)), to_addr;
	uint16_t from = htons((uint16_t)(CLIENT_PORT + i / CLIENTS));
	uint16_t port = htons(ports[i % SERVER_PORTS]);

	memcpy(&to_addr, to->b, sizeof(to_addr));
	nfct_set_attr_u8(entry, ATTR_L3PROTO, AF_INET);
	nfct_set_attr_u8(entry, ATTR_L4PROTO, IPPROTO_TCP);
	nfct_set_attr_u32(entry, ATTR_IPV4_SRC, from_addr);
	nfct_set_attr_u32(entry, ATTR_IPV4_DST, to_addr);
	nfct_set_attr_u16(entry, ATTR_PORT_SRC, from);
	nfct_set_attr_u16(entry, ATTR_PORT_DST, port);
	nfct_setobjopt(entry, NFCT_SOPT_SETUP_REPLY);
	nfct_set_attr_u8(entry, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	nfct_set_attr_u32(entry, ATTR_TIMEOUT, 3600);
	nfct_set_attr_u32(entry, ATTR_STATUS, IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED);
}

static void make_entry(struct mnl_socket *socket, const struct addr *to, size_t i)
{
	_Alignas(struct nlmsghdr) char buffer[4096] = {0};
	struct nf_conntrack *entry = nfct_new();
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	if (!entry)
		measure_fail("out of memory");
	set_tuple(entry, to, i);
	message->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = AF_INET;
	header->version = NFNETLINK_V0;
	if (nfct_nlmsg_build(message, entry) < 0 ||
	    mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		measure_fail("a connection could not be made");
	nfct_destroy(entry);
	ssize_t n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (n < 0 || mnl_cb_run(buffer, (size_t)n, 0, 0, NULL, NULL) < 0)
		measure_fail(strerror(errno));
}

static void make_entries(const struct bench *b, size_t n)
{
	struct mnl_socket *socket = mnl_socket_open(NETLINK_NETFILTER);

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		measure_fail("no netfilter socket");
	for (size_t i = 0; i < n; i++)
		make_entry(socket, &b->here.v[i % b->here.n], i);
	(void)mnl_socket_close(socket);
}

static void want_render(void *ctx)
{
	((struct bench *)ctx)->want_render = true;
}

/* What is to be dropped goes to the kernel. In the daemon it is a job, which gives way. */
static void commit(struct bench *b)
{
	struct err err = {0};
	bool changed;

	b->want_render = false;
	if (established_render(b->established) < 0)
		measure_fail("out of memory");
	if (apply_commit(&b->apply, &changed, &err) < 0)
		measure_fail(err.text);
	established_committed(b->established, ESTABLISHED_CHANGED);
}

static double longer(double longest, double since)
{
	double ms = thread_ms() - since;

	return ms > longest ? ms : longest;
}

/* What has been noted is evaluated, turn by turn. */
static void cut(struct bench *b, const char *what, bool all)
{
	struct established_counts before = established_counts(b->established), after;
	double start = thread_ms(), turn = 0, committed = 0;

	established_committed(b->established, all ? ESTABLISHED_ABSENT : ESTABLISHED_CHANGED);
	do {
		double since = thread_ms();

		(void)event_base_loop(b->base, EVLOOP_ONCE);
		turn = longer(turn, since);
		since = thread_ms();
		if (b->want_render)
			commit(b);
		committed = longer(committed, since);
		after = established_counts(b->established);
	} while (after.busy);
	if (after.failures > 0)
		measure_fail("connections could not be evaluated");
	printf("%s %.1f %.1f %.1f %llu %llu\n", what, thread_ms() - start, turn, committed,
	       (unsigned long long)(after.evaluated - before.evaluated),
	       (unsigned long long)(after.deleted - before.deleted));
}

/* The pods of this node that have IPv4. */
static void find_servers(struct bench *b)
{
	for (size_t i = 0; i < 65536; i++) {
		struct addr addr = {.family = FAMILY_V4,
				    .b = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
		const struct graph_pod *pod = graph_addr_owner(b->cluster.graph, &addr);

		if (pod && pod->is_endpoint && vec_push(&b->here, addr) < 0)
			measure_fail("out of memory");
	}
	if (b->here.n == 0)
		measure_fail("no pod is here");
}

/* A pod of this node comes again: its address is all that has changed. */
static void touch_one(struct bench *b)
{
	struct graph_pod *pod = graph_addr_owner(b->cluster.graph, &b->here.v[0]);
	struct graph_listener listener = established_listener(b->established);

	listener.endpoint(listener.ctx, pod, true);
}

static void start(struct bench *b, struct render *render)
{
	struct established_options options = {
		.graph = b->cluster.graph,
		.render = render,
		.findings = &b->findings,
		.want_render = want_render,
		.ctx = b,
	};
	struct err err = {0};

	if (apply_open(&b->apply, render, true, &err) < 0)
		measure_fail(err.text);
	if (established_start(b->established, b->base, &options) < 0 ||
	    !established_counts(b->established).available)
		measure_fail("no ctnetlink");
	commit(b);
	established_finish(b->established);
}

int main(int argc, char *argv[])
{
	struct bench b = {.base = event_base_new()};
	struct render *render = render_new();
	const char *paths[] = {argc == 4 ? argv[1] : NULL};
	size_t entries = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	struct graph_listener inner, listener;

	if (entries == 0) {
		fprintf(stderr, "usage: cut DIRECTORY NODE ENTRIES\n");
		return 2;
	}
	if (!render || !b.base)
		measure_fail("out of memory");
	inner = render_listener(render);
	b.established = established_new(&inner);
	if (!b.established)
		measure_fail("out of memory");
	listener = established_listener(b.established);
	if (offline_load(&b.cluster, paths, 1, argv[2], &listener) < 0 || b.cluster.faults.errors)
		measure_fail("cannot load the cluster");
	start(&b, render);
	find_servers(&b);
	make_entries(&b, entries);
	measure_first();
	touch_one(&b);
	cut(&b, "one", false);
	cut(&b, "all", true);
	cut(&b, "again", true);
	return 0;
}
