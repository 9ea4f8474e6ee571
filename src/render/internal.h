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

struct rendered_profile {
	struct profile *profile;
	struct name *name;
	bool mapped;   /* the ports are a verdict map */
	size_t n_used; /* classes whose blocks are in the ruleset */
	bool every_used;
	struct nft_set *tuples[FAMILY_COUNT]; /* of named ports, the ruleset's; NULL: none */
	struct name **chains; /* of classes; NULL: rules in the profile's own chain */
	struct rendered_profile *prev, *next;
};

struct render {
	struct ruleset ruleset;
	struct render_options options;
	struct names *names;
	struct rendered_set *sets;
	struct rendered_profile *profiles;
	struct render_unknown *unknown; /* closed because they are not known */
	size_t n_unknown;
	struct pod_key *pods;            /* of this node, see pods.c */
	struct render_unknown *attached; /* which of them the node has told */
	size_t n_attached;
	VEC(const struct graph_pod *)
	allowed;                 /* at bridges' ports, with allowed sources, by name */
	size_t ports[DIR_COUNT]; /* of bridges, whose pods are isolated */
	size_t unknown_ports;    /* of these, those of pods that are not known */
	size_t local_cuts;       /* connections of pods to this host, among those that are cut */
	bool no_bridges;         /* no table for them */
	bool failed;             /* no memory */
};

/* prefix and id: "p4_ID". */
void set_name(char to[static NFT_NAME_MAX], const char *prefix, const char *id);

/* Out of the ruleset; a lack of memory is noted in r->failed. */
void drop_chain(struct render *r, enum nft_table table, const char *name);
void drop_set(struct render *r, const char *name);
void drop_elem(struct render *r, struct nft_set *set, const struct nft_key *key);

/* base.c: what is always there. */
int render_base(struct render *r);
/* Elements of the maps by which packets find a pod's chain, egress_if and its like. A map that has
 * none is not looked up: the chains that do are written with its first and its last element. 0 or
 * -ENOMEM; what dispatch_drop() lacks in memory is noted in r->failed. */
int dispatch_put(struct render *r, enum direction dir, struct nft_set *map,
		 const struct nft_key *key, const struct nft_elem_extra *extra);
void dispatch_drop(struct render *r, enum direction dir, struct nft_set *map,
		   const struct nft_key *key);

/* cut.c: the sets, and the chain that drops what is in them. */
int put_cut_sets(struct render *r);
/* Sends there what is no first packet: NFT_STMT_TCP_NOT_SYN or NFT_STMT_SCTP_NOT_INIT. What is
 * established is accepted there. */
int add_midstream(struct nft_chain *chain, enum nft_stmt_kind kind);

/* pods.c: pods of this node, in the sets of these names. A lack of memory is noted in r->failed. */
void add_local_pod(struct render *r, const struct graph_pod *pod);
void drop_local_pod(struct render *r, const struct graph_pod *pod);
void free_local_pods(struct render *r);
void listen_node_addr(void *ctx, const struct addr *addr, bool exists);
const char *pod_set_name(enum family family);
const char *node_set_name(enum family family);

/* What IPv6 needs on a link, whatever the policies say: a rule for neighbor and one for listener
 * discovery. */
int add_discovery(struct nft_chain *chain, enum nft_verdict_kind verdict);
/* What a pod may send to its node in any case: discovery, DHCP, DNS at a link-local address. */
int add_node_services(struct nft_chain *chain);

/* profile.c */
void listen_profile(void *ctx, struct profile *profile, bool exists);
void listen_profile_open(void *ctx, struct profile *profile, bool open);
void listen_named(void *ctx, struct profile *profile, const struct endpoint_port *port,
		  bool present);
void profile_chain_name(char to[static NFT_NAME_MAX], const struct profile *profile);

/* endpoint.c */
void listen_endpoint(void *ctx, struct graph_pod *pod, bool exists);

/* e_veth1; what a chain's name cannot have is escaped. */
void device_chain_name(char to[static NFT_NAME_MAX], char letter, const char *device);
void pod_comment(char to[static OBJECT_NAME_MAX], const struct graph_pod *pod);
struct prefix host_prefix(const struct addr *addr);

/* link_maps.c */
enum link_map {
	LINK_MAP_SOURCE_INDEX, /* of routed pods: where their packets come in */
	LINK_MAP_SOURCE_NAME,
	LINK_MAP_PORT_SOURCE, /* of bridges' ports */
	LINK_MAP_PORT_INGRESS,
	LINK_MAP_COUNT
};

struct link_id {
	unsigned index; /* 0: not known */
	const char *name;
};

/* 0 or -ENOMEM; what link_map_drop() lacks in memory is noted in r->failed. */
int link_map_put(struct render *r, enum link_map which, const struct link_id *link,
		 const char *chain, const char *comment);
void link_map_drop(struct render *r, enum link_map which, const struct link_id *link);
/* Where it leads to; NULL: nowhere. */
const char *link_map_chain(const struct render *r, enum link_map which, const struct link_id *link);

/* antispoof.c */
bool has_antispoof(const struct render *r, const struct graph_pod *pod);
int write_antispoof(struct render *r, const struct graph_pod *pod);
void erase_antispoof(struct render *r, const struct graph_pod *pod);

/* A pod's own addresses as prefixes; vec_free(). 0 or -ENOMEM. */
struct pod_sources {
	struct prefix *v;
	size_t n, cap;
};
int pod_own_sources(const struct graph_pod *pod, enum family family, struct pod_sources *ret);

/* allowed.c: whether policy can tell a pod at a bridge's port by other addresses than its own. */
bool has_allowed(const struct render *r, const struct graph_pod *pod);
/* Those that the administrator has configured, added to `ret`. 0 or -ENOMEM. */
int add_allowed(const struct render *r, const struct graph_pod *pod, enum family family,
		struct pod_sources *ret);
int write_allowed(struct render *r, const struct graph_pod *pod);
void erase_allowed(struct render *r, const struct graph_pod *pod);
/* The chains that the base chains lead to, where sources are configured. 0 or -ENOMEM. */
int write_allowed_chains(struct render *r);

/* endpoint.c: the name of a pod's own chain. */
void endpoint_chain_name(char to[static NFT_NAME_MAX], enum direction dir,
			 const struct graph_pod *pod);

/* bridge.c: after write_antispoof() and before erase_antispoof(). */
int write_port(struct render *r, const struct graph_pod *pod);
void erase_port(struct render *r, const struct graph_pod *pod);
struct link_id pod_link(const struct graph_pod *pod);

/* The port of a pod that is not known: nothing of other ports passes to it, and to no group from
 * it. One that a pod is known at stays as it is; 0: none. */
int close_port(struct render *r, unsigned index, const char *comment);
void open_port(struct render *r, unsigned index);

/* The link-local address that a bridged pod has from its hardware address, if that is known. Pods
 * on one bridge can reach each other by it, so it is a pod's address like its others. */
bool bridged_link_local(const struct pod *pod, struct addr *ret);

/* peers.c */
extern const char *const block_prefix[FAMILY_COUNT], *const pods_prefix[FAMILY_COUNT];
extern const enum nft_set_type addr_set_type[FAMILY_COUNT];

/* The interval sets that peers need, in the ruleset; and gone again with the last that used them.
 * A class's parts all or none. */
int use_class(struct render *r, const struct port_class *class);
void leave_class(struct render *r, const struct port_class *class);

/* A class as text: equal text is one chain, whoever uses it. NULL: no memory. */
char *class_text(const struct port_class *class, enum direction dir);

/* Where rules for peers go, and what they begin with. */
struct rule_context {
	enum direction dir;
	const struct nft_stmt *before; /* a match on ports; NULL: none */
	const char *comment;
	struct nft_chain *chain;
};

/* One rule for each lookup that the peers of a class need; count_class_rules() says how many. */
int add_class_rules(const struct rule_context *ctx, const struct port_class *class);
size_t count_class_rules(const struct port_class *class);

/* One rule for each family's set PREFIX_ID. */
int add_set_rules(const struct rule_context *ctx, enum nft_stmt_kind kind,
		  const char *const prefix[FAMILY_COUNT], const char *id);

/* rules.c: statements that are written in several places. */

/* Adds a rule of these statements. 0 or -ENOMEM. */
int add_rule(struct nft_chain *chain, const struct nft_stmt *stmts, size_t n, const char *comment);

/* The statements one by one, without a comment. */
#define ADD_RULE(chain, ...)                                    \
	add_rule(chain, (const struct nft_stmt[]){__VA_ARGS__}, \
		 ARRAY_LEN(((const struct nft_stmt[]){__VA_ARGS__})), "")

/* What is no host's address: multicast of both families, and 255.255.255.255. */
#define GROUP_ADDRS 3
extern const struct prefix group_addrs[GROUP_ADDRS];
struct nft_stmt verdict_stmt(enum nft_verdict_kind kind, const char *chain);
enum nft_dir peer_dir(enum direction dir);

/* What lets a direction's packet pass: accept for ingress; for egress the destination's turn. */
struct nft_verdict allowed_verdict(enum direction dir);

#define CHAIN_FORWARD         "forward"
#define CHAIN_INPUT           "input"
#define CHAIN_DISPATCH        "dispatch"
#define CHAIN_NOT_TCP         "not_tcp"
#define CHAIN_TO_POD          "to_pod"
#define CHAIN_POSTROUTING     "postrouting"
#define CHAIN_TO_NODE         "to_node"
#define CHAIN_TUNNELS         "encapsulation"
#define CHAIN_UNKNOWN         "unknown"
#define CHAIN_MIDSTREAM       "midstream"
#define CHAIN_OUTPUT          "output"
#define CHAIN_ALLOWED_EGRESS  "allowed_egress"
#define CHAIN_ALLOWED_INGRESS "allowed_ingress"
#define CHAIN_ALLOWED_TUNNELS "allowed_encapsulation"
#define SET_TUNNEL_PORTS      "tunnel_ports"
#define SET_POD_INTERFACES    "pod_if"
#define MAP_EGRESS_INTERFACE  "egress_if"
#define MAP_INGRESS_INTERFACE "ingress_if"

/* egress_ip4 and its like. */
const char *addr_map_name(enum direction dir, enum family family);
const char *interface_map_name(enum direction dir);

#endif
