/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the rule graph to the ruleset: a listener of the graph that keeps a struct ruleset equal to
 * what the graph means, change by change. ARCHITECTURE.md shows the layout. */
#ifndef RENDER_RENDER_H
#define RENDER_RENDER_H

#include "nft/ruleset.h"
#include "policy/graph.h"
#include "render/allowed_sources.h"

/* Up to this many rules a profile's ports are rules; beyond, one map lookup whatever their number.
 * A miss on a port costs 15 ns, the lookup some 60. */
#define RENDER_INLINE_MAX 8

struct render;

struct render_options {
	bool local_node_allow; /* pods may reach their own node whatever policies say */
	bool pod_tunnels;      /* and have tunnels of their own, but to nodes */
	bool ipvs;             /* Services are forwarded by IPVS: also a chain in postrouting */
	/* Of pods beside their own; must live as long. NULL: none. */
	const struct allowed_sources *allowed_sources;
};

/* An empty ruleset with its base chains, without any of the options. NULL: no memory. */
struct render *render_new(void);
void render_free(struct render *render);

/* Writes the base chains anew; the others than local_node_allow only before the first change
 * is heard of. 0 or -ENOMEM.
 */
int render_configure(struct render *render, const struct render_options *options);

/* Tables are made so that nobody else may change them. */
void render_own_tables(struct render *render, bool own);

/* The UDP ports that this host takes encapsulated packets at. 0 or -ENOMEM, as render_error(). */
int render_tunnel_ports(struct render *render, const uint16_t ports[], size_t n);

/* What graph_new() wants. */
struct graph_listener render_listener(struct render *render);

/* A device, or where it is "" an address, of a pod that is not known yet. */
struct render_unknown {
	char interface[16];
	struct addr addr;
	unsigned port; /* where it is behind a bridge's port, that one's index; else 0 */
	char comment[NFT_COMMENT_MAX + 1]; /* who the node says that it is */
};

/* Closes these, and what was closed before and is not in the list is as it was. What is a known
 * pod's own stays so. 0 or -ENOMEM, as render_error(). */
int render_unknown(struct render *render, const struct render_unknown list[], size_t n);

/* All pods that the node has, known or not, in place of those of the last call. 0 or -ENOMEM, as
 * render_error(). */
int render_attached(struct render *render, const struct render_unknown list[], size_t n);

/* A connection of TCP or SCTP that has been ended: what `to` sends in the middle of it is dropped,
 * and does not open it again the other way round. */
struct render_cut {
	struct addr from, to;
	uint16_t from_port, to_port;
	uint8_t proto; /* IP protocol number */
	bool local;    /* `to` is this host's */
};

/* One that is there already is left as it is. 0 or -ENOMEM, as render_error(). */
int render_cut(struct render *render, const struct render_cut *cut);
/* What lacks in memory is noted. */
void render_uncut(struct render *render, const struct render_cut *cut);
/* Those of a ruleset, also of one that was read from the kernel (`local` is not known). What fn
 * returns other than 0 ends it and is returned. */
typedef int (*render_cut_fn)(void *ctx, const struct render_cut *cut);
int render_each_cut(const struct ruleset *ruleset, render_cut_fn fn, void *ctx);

/* To be asked when a change (or several) has gone through the graph and before the ruleset is used.
 * 0; -ENOMEM: the ruleset is not what the graph says, and only good for render_free(). */
int render_error(const struct render *render);

/* The chain that keeps an endpoint from spoofing, and counts what it drops; false: it has none. */
bool render_antispoof_chain(const struct render *render, const struct graph_pod *pod,
			    enum nft_table *ret_table, char to[static NFT_NAME_MAX]);

/* The kernel has no family bridge: nothing of that table is there from now on. 0 or -ENOMEM, as
 * render_error(). */
int render_without_bridges(struct render *render);

const struct ruleset *render_ruleset(const struct render *render);

/* The kernel has the ruleset as it is now: changes count from here (nft/plan.h). */
void render_committed(struct render *render);

#endif
