/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share. */
#ifndef RENDER_INTERNAL_H
#define RENDER_INTERNAL_H

#include "render/names.h"
#include "render/render.h"

/* A peer set of the graph: two sets of addresses. */
struct rendered_set {
	struct peer_set *set;
	struct name *name;
	struct nft_set *sets[FAMILY_COUNT]; /* the ruleset's */
	struct rendered_set *prev, *next;
};

/* What the peers of a class need besides their peer set. */
struct class_names {
	struct name
		*blocks[FAMILY_COUNT]; /* an interval set; NULL: no ranges, or a single prefix */
	struct name *chain;            /* NULL: its rules stand in the profile's own chain */
};

struct rendered_profile {
	struct profile *profile;
	struct name *name;
	bool mapped;                          /* the ports are a verdict map */
	struct nft_set *tuples[FAMILY_COUNT]; /* of named ports, the ruleset's; NULL: none */
	struct class_names every, *classes;
	struct rendered_profile *prev, *next;
};

struct rendered_endpoint {
	struct graph_pod *pod;
	struct rendered_endpoint *prev, *next;
};

struct render {
	struct ruleset ruleset;
	struct names *names;
	struct rendered_set *sets;
	struct rendered_profile *profiles;
	struct rendered_endpoint *endpoints;
	bool stale;  /* names have moved: every chain is to be written again */
	bool failed; /* no memory */
};

/* prefix and id: "p4_1f0c33d0aa". */
void set_name(char to[static NFT_NAME_MAX], const char *prefix, const char *id);

/* A name, after which sets that lost theirs to it stand under their new one. */
struct name *get_name(struct render *r, const char *content);
void put_name(struct render *r, struct name *name);

/* base.c: what is always there. */
int render_base(struct render *r);

/* profile.c */
void listen_profile(void *ctx, struct profile *profile, bool exists);
void listen_named(void *ctx, struct profile *profile, const struct endpoint_port *port,
		  bool present);
int write_profile(struct render *r, struct rendered_profile *rp);
void profile_chain_name(char to[static NFT_NAME_MAX], const struct profile *profile);
void rename_profile_sets(struct render *r, bool to_final);
void rendered_profile_free(struct render *r, struct rendered_profile *rp);

/* endpoint.c */
void listen_endpoint(void *ctx, struct graph_pod *pod, bool exists);
int write_endpoint(struct render *r, const struct graph_pod *pod);

/* rules.c: statements that are written in several places. */
int add_verdict(struct nft_rule *rule, enum nft_verdict_kind kind, const char *chain);
int add_allowed(struct nft_rule *rule, enum direction dir);
enum nft_dir peer_dir(enum direction dir);

/* What lets a direction's packet pass: accept for ingress; for egress the destination's turn. */
struct nft_verdict allowed_verdict(enum direction dir);

#define CHAIN_TO_POD          "to_pod"
#define MAP_EGRESS_INTERFACE  "egress_if"
#define MAP_INGRESS_INTERFACE "ingress_if"

/* egress_ip4 and its like. */
const char *addr_map_name(enum direction dir, enum family family);
const char *interface_map_name(enum direction dir);

#endif
