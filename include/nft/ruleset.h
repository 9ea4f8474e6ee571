/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An nftables ruleset as data: our two tables with their chains, sets and maps. It is what the
 * printer writes as text and what goes to the kernel; pods and policies are unknown here.
 *
 * Statements are the ones this project uses, each one line of nft. */
#ifndef NFT_RULESET_H
#define NFT_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/table.h"
#include "base/vec.h"

#define NFT_TABLE_NAME "netpold"

/* The kernel's limit on names is 255, nft's on comments 128; ours keep clear of both. */
#define NFT_NAME_MAX    64
#define NFT_COMMENT_MAX 120

#define NFT_ETHER_BYTES 6

/* NF_IP_PRI_NAT_SRC is 100. IPVS hooks into LOCAL_IN at 98 and 99 (net/netfilter/ipvs/ip_vs_core.c,
 * ip_vs_ops4): behind it a packet has the address of the server that IPVS has chosen, if that is
 * this host. */
#define NFT_INPUT_PRIORITY 101
/* Ahead of masquerading. */
#define NFT_POSTROUTING_PRIORITY 95

/* Of one name, in the families inet and bridge. */
enum nft_table { NFT_TABLE_POLICY, NFT_TABLE_BRIDGE, NFT_TABLE_COUNT };

/* "inet" */
const char *nft_table_word(enum nft_table table);

/* Before conntrack: NF_IP_PRI_RAW, which is NF_BR_PRI_NAT_DST_BRIDGED too. */
#define NFT_PREROUTING_PRIORITY (-300)

enum nft_verdict_kind {
	NFT_VERDICT_ACCEPT,
	NFT_VERDICT_DROP,
	NFT_VERDICT_RETURN,
	NFT_VERDICT_JUMP,
	NFT_VERDICT_GOTO
};

struct nft_verdict {
	enum nft_verdict_kind kind;
	char chain[NFT_NAME_MAX]; /* of jump and goto */
};

enum nft_dir { NFT_DIR_SOURCE, NFT_DIR_DESTINATION }; /* saddr and iifname; daddr and oifname */

struct nft_ports {
	uint16_t first, last;
};

struct nft_stmt {
	enum nft_stmt_kind {
		NFT_STMT_CT_ESTABLISHED, /* ct state established,related */
		NFT_STMT_CT_OTHER,       /* ct state != established */
		NFT_STMT_ICMPV6_TYPES,   /* icmpv6 type { ... } */
		NFT_STMT_HOPLIMIT,       /* ip6 hoplimit 255 */
		NFT_STMT_FAMILY,         /* meta nfproto ipv4; bridge: meta protocol ip */
		NFT_STMT_ADDR,           /* ip saddr 10.0.0.0/8; != { ... } */
		NFT_STMT_ADDR_SET,       /* ip saddr @name */
		NFT_STMT_TUPLE_SET,      /* ip daddr . meta l4proto . th dport @name */
		NFT_STMT_FLOW_SET,       /* ip saddr . ip daddr . meta l4proto . th sport . th
					  * dport @name */
		NFT_STMT_PROTO,          /* meta l4proto tcp; != tcp */
		NFT_STMT_PROTOS,         /* meta l4proto { 4, 41, 47 } */
		NFT_STMT_TCP_NOT_SYN,    /* tcp flags != syn / syn,ack */
		NFT_STMT_SCTP_NOT_INIT,  /* meta l4proto sctp @th,96,8 != 0x1: of the first chunk */
		NFT_STMT_PORTS,          /* tcp dport { 80, 8000-8010 }; th dport 80 */
		NFT_STMT_PORT_SET,       /* udp dport @name; != @name; th dport @name */
		NFT_STMT_DHCP,           /* udp sport 68 udp dport 67, of IPv6 546 and 547;
					  * NFT_DIR_DESTINATION: to the client */
		NFT_STMT_LOCAL_SOURCE,   /* fib saddr type local */
		NFT_STMT_INTERFACE,      /* iifname "veth1" */
		NFT_STMT_INTERFACE_KIND, /* meta iifkind "veth" */
		NFT_STMT_INTERFACE_SET,  /* iifname @name */
		NFT_STMT_INTERFACE_MAP,  /* iifname vmap @name */
		NFT_STMT_INDEX_MAP,      /* iif vmap @name */
		NFT_STMT_ADDR_MAP,       /* ip saddr vmap @name */
		NFT_STMT_PORT_MAP,       /* th dport . meta l4proto vmap @name */
		NFT_STMT_ETHER_SOURCE,   /* ether saddr != 0a:00:00:00:00:01 */
		/* Of the bridge table only, but for NFT_STMT_COUNTER and NFT_STMT_VERDICT. */
		NFT_STMT_VLAN,        /* ether type { 8021q, 8021ad } */
		NFT_STMT_ETHER_FRAME, /* ether saddr 0a:00:00:00:00:01 ether type ip */
		NFT_STMT_ETHER_TYPE,  /* ether type ip */
		NFT_STMT_ETHER_GROUP, /* ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 */
		NFT_STMT_ARP_SOURCE,  /* arp saddr ip != { 0.0.0.0, 10.0.0.7 } */
		NFT_STMT_ND_TARGET,   /* @th,64,128 != 0xfd..07: whom an ICMPv6 advertisement is
				       * about; one prefix */
		NFT_STMT_COUNTER,
		NFT_STMT_VERDICT
	} kind;
	enum family family; /* of addresses */
	enum nft_dir dir;
	uint8_t proto; /* IP protocol number; 0 with ports: whatever it is */
	bool negate;   /* of NFT_STMT_ADDR, PROTO, PORT_SET, ETHER_SOURCE, ARP_SOURCE, ND_TARGET */
	uint8_t hoplimit;
	bool implied; /* an earlier statement of the rule has said the family */
	union {
		char name[NFT_NAME_MAX]; /* of a set, a map or an interface */
		struct nft_verdict verdict;
		uint8_t ether[NFT_ETHER_BYTES];
	};
	/* Owned lists, ascending; one of them at most is used. No two items touch where one is more
	 * than an address or a port: nft would join them. */
	struct nft_ports *ports;
	struct prefix *prefixes;
	uint8_t *types; /* of ICMPv6; of NFT_STMT_PROTOS the numbers of the protocols */
	size_t n;       /* in that list */
};

struct nft_rule {
	VEC(struct nft_stmt) stmts; /* none: a rule in the kernel that is none of ours */
	char comment[NFT_COMMENT_MAX + 1];
};

struct nft_chain {
	char name[NFT_NAME_MAX];
	char comment[NFT_COMMENT_MAX + 1];
	enum nft_hook {
		NFT_HOOK_NONE,
		/* All with policy accept. */
		NFT_HOOK_FORWARD,     /* priority filter */
		NFT_HOOK_INPUT,       /* priority NFT_INPUT_PRIORITY */
		NFT_HOOK_POSTROUTING, /* priority NFT_POSTROUTING_PRIORITY */
		NFT_HOOK_PREROUTING,  /* NFT_PREROUTING_PRIORITY */
		NFT_HOOK_OUTPUT       /* priority filter */
	} hook;
	VEC(struct nft_rule) rules;
	/* Of a chain in the kernel (nft/readback.h), where others can write too. */
	bool other;       /* of a form that is none of ours */
	bool policy_drop; /* its policy is not accept */
	UT_hash_handle hh;
};

enum nft_set_type {
	NFT_SET_TYPE_IPV4,
	NFT_SET_TYPE_IPV6,
	NFT_SET_TYPE_INTERFACE,  /* ifname */
	NFT_SET_TYPE_INDEX,      /* iface_index, NFT_INDEX_MAX of them */
	NFT_SET_TYPE_PORT,       /* inet_service */
	NFT_SET_TYPE_PORT_PROTO, /* inet_service . inet_proto: port first, else 15 times slower */
	NFT_SET_TYPE_IPV4_TUPLE, /* ipv4_addr . inet_proto . inet_service */
	NFT_SET_TYPE_IPV6_TUPLE,
	/* ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service: source and
	 * destination */
	NFT_SET_TYPE_IPV4_FLOW,
	NFT_SET_TYPE_IPV6_FLOW,
};

/* A set of known size is a table of buckets and the fastest that the kernel has (nft_hash_fast);
 * when it is full, it is full: no host has more interfaces that are looked at (node/links.h,
 * LINKS_MAX). */
#define NFT_INDEX_MAX      16384

#define NFT_SET_TYPE_COUNT (NFT_SET_TYPE_IPV6_FLOW + 1)

/* What of it a type has, the rest is zero: two keys are equal when their bytes are. */
struct nft_key {
	uint8_t bytes[16]; /* the address, the interface's name, or its index in host order */
	uint16_t port;     /* host order */
	uint8_t proto;     /* IP protocol number */
	uint8_t pad;
	uint8_t peer[16]; /* of a flow, the destination: address and port */
	uint16_t peer_port;
};

/* What few elements have. */
struct nft_elem_extra {
	struct nft_key last; /* interval sets: the end, which belongs to it */
	struct nft_verdict verdict;
	char comment[NFT_COMMENT_MAX + 1];
};

struct nft_elem {
	struct nft_key key;
	struct nft_elem_extra *extra; /* owned; NULL: a plain element */
	UT_hash_handle hh;            /* by key */
};

/* An element of a set that is in the kernel, as it is there. */
struct nft_elem_before {
	struct nft_key key;
	bool present;
	struct nft_elem_extra *extra; /* owned */
	UT_hash_handle hh;            /* by key */
};

struct nft_set {
	char name[NFT_NAME_MAX]; /* unique, whatever the table */
	enum nft_table table;
	char comment[NFT_COMMENT_MAX + 1];
	enum nft_set_type type;
	bool interval, map; /* map: to verdicts */
	bool allows;        /* rules that look into it only accept, so more elements allow more */
	bool other;         /* of a form that is none of ours, see struct nft_chain */
	struct nft_elem *elems;
	UT_hash_handle hh;

	/* While the set is in the kernel: what has changed since. */
	struct ruleset *journal;        /* NULL: not in the kernel */
	struct nft_elem_before *before; /* elements that have changed */
	struct nft_set *prev_touched, *next_touched;
};

/* A chain or set that has been put in, replaced or dropped, and what the kernel has under its name.
 */
struct nft_chain_before {
	enum nft_table table;
	char name[NFT_NAME_MAX];
	struct nft_chain *chain; /* NULL: nothing */
	UT_hash_handle hh;
};

struct nft_set_before {
	char name[NFT_NAME_MAX];
	struct nft_set *set; /* NULL: nothing */
	UT_hash_handle hh;
};

struct ruleset {
	struct nft_chain *chains[NFT_TABLE_COUNT];
	struct nft_set *sets; /* of all tables */

	/* What has changed since ruleset_committed(): the way back to what the kernel has. */
	struct nft_chain_before *chains_before[NFT_TABLE_COUNT];
	struct nft_set_before *sets_before;
	struct nft_set *touched;         /* sets in the kernel whose elements have changed */
	bool in_kernel[NFT_TABLE_COUNT]; /* the table is there */

	/* See nft/owner.h. Wanted: tables are made with the flags owner and persist. */
	bool own;
	/* Read back: the table has persist alone. */
	bool orphan[NFT_TABLE_COUNT];
};

void ruleset_done(struct ruleset *ruleset);

/* The kernel has all of this now: changes count from here. */
void ruleset_committed(struct ruleset *ruleset);

/* Is anything different from what the kernel has? */
bool ruleset_changed(const struct ruleset *ruleset);

/* NULL: not there. */
struct nft_chain *ruleset_chain(const struct ruleset *ruleset, enum nft_table table,
				const char *name);
struct nft_set *ruleset_set(const struct ruleset *ruleset, const char *name);

/* Puts a chain or set in place of the one of its name; takes it over in any case. 0 or -ENOMEM. */
int ruleset_put_chain(struct ruleset *ruleset, enum nft_table table, struct nft_chain *chain);
int ruleset_put_set(struct ruleset *ruleset, struct nft_set *set);

/* 0 also when it is not there; or -ENOMEM. */
int ruleset_drop_chain(struct ruleset *ruleset, enum nft_table table, const char *name);
int ruleset_drop_set(struct ruleset *ruleset, const char *name);

/* Adds or replaces an element; `extra` may be NULL and is copied. 0 or -ENOMEM. */
int nft_set_add(struct nft_set *set, const struct nft_key *key, const struct nft_elem_extra *extra);
int nft_set_remove(struct nft_set *set, const struct nft_key *key);

/* The elements, ascending, for whoever wants an order; n is HASH_COUNT(set->elems). Free it. NULL:
 * none, or no memory. */
const struct nft_elem **nft_set_sorted(const struct nft_set *set);

/* Would the kernel have the same? Chains: apart from the name. */
bool nft_chain_same_head(const struct nft_chain *a, const struct nft_chain *b);
bool nft_chain_same_rules(const struct nft_chain *a, const struct nft_chain *b);
bool nft_set_same_head(const struct nft_set *a, const struct nft_set *b);
bool nft_extra_same(const struct nft_set *set, const struct nft_elem_extra *a,
		    const struct nft_elem_extra *b);

struct nft_chain *nft_chain_new(const char *name, const char *comment);
void nft_chain_free(struct nft_chain *chain);
struct nft_set *nft_set_new(const char *name, enum nft_set_type type, const char *comment);
void nft_set_free(struct nft_set *set);

/* Appends a statement, copying its list (of stmt->n) and nothing of the rest; 0 or -ENOMEM. */
int nft_rule_add(struct nft_rule *rule, const struct nft_stmt *stmt);
void nft_rule_done(struct nft_rule *rule);
/* The set or map that a statement looks into; NULL: none. */
const char *nft_stmt_set(const struct nft_stmt *stmt);
/* Takes the rule's content over in any case. 0 or -ENOMEM. */
int nft_chain_add(struct nft_chain *chain, struct nft_rule *rule);

/* What text there is, as nft can quote it and list it: escaped, cut with "..." where it is too
 * long. A comment that has been made is copied by memcpy(). */
void nft_comment(char to[static NFT_COMMENT_MAX + 1], const char *text);

#endif
