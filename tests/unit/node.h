/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of room node share: files of libcni's cache, and a host that is told in lines. */
#ifndef TESTS_NODE_H
#define TESTS_NODE_H

#include <stddef.h>

#include "base/vec.h"
#include "node/cni.h"
#include "node/links.h"
#include "node/neigh.h"
#include "node/rtnl.h"

#define CNI_LINE_MAX 1024
#define CNI_TEXT_MAX 8192

/* A cached result as libcni writes it; `uid` NULL: none. */
void node_cni_text(char text[static CNI_TEXT_MAX], const char *ns, const char *name,
		   const char *uid, const char *container, const char *ifname, const char *result);

/* "ns/name uid container ifname network, links a b, addrs x y, mac z" */
const char *node_cni_line(const struct cni_result *result, char line[static CNI_LINE_MAX]);

/* Parses; the test fails when it is no result. `written_s` seconds. */
struct cni_result *node_cni_result(const char *file, const char *text, long written_s);

struct node_host {
	struct links *links;
	struct neigh *neigh;
	VEC(struct cni_result *) results;
	bool changed; /* by the last node_host_do() */
	struct rtnl_dump rereads[RTNL_DOUBTS_MAX];
	size_t n_rereads;
};

/* 0 or -ENOMEM. */
int node_host_init(struct node_host *host);
void node_host_done(struct node_host *host);

/* Lets things happen on the host, each a line, as the kernel or a runtime would tell it:
 *	link INDEX NAME veth|bridge|- [MASTER] [down]		unlink INDEX
 *	addr INDEX ADDRESS[/LEN] [peer ADDRESS]			unaddr INDEX ADDRESS[/LEN]
 *	route DST WORD...					unroute DST WORD...
 *		DST: ADDRESS[/LEN], default, default6
 *		WORD: dev INDEX, hop INDEX, via, nhid, metric N, table N, src ADDRESS, tos N,
 *		blackhole, local, replace, cloned
 *	nexthop [replace]					unnexthop
 *	neigh INDEX ADDRESS MAC|failed				unneigh INDEX ADDRESS
 *	fdb PORT BRIDGE MAC [vlan N] [self] [permanent]		unfdb PORT BRIDGE MAC [vlan N]
 *	cni FILE SECONDS NS/NAME UID CONTAINER IFNAME LINKS ADDRS MAC [TYPE]	uncni FILE
 *		(- for none; LINKS and ADDRS with commas)
 *	reread	what is in doubt is read again: the lines from here on are what is there
 *	done	and that was all
 * 0, or the first error of what heard of it. */
int node_host_do(struct node_host *host, const char *lines);

#endif
