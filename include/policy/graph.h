/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rule graph: what policies mean for the pods of a node, normalized. Objects go in one by one,
 * as events; what changes for the kernel comes out through a listener. After any sequence of events
 * the graph is the one that the final objects alone would have given.
 *
 * Everything here is read-only outside this room. Strings and objects belong to the graph. */
#ifndef POLICY_GRAPH_H
#define POLICY_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/table.h"
#include "base/vec.h"
#include "model/object.h"
#include "policy/limits.h"
#include "policy/ranges.h"

struct graph;
struct graph_pod;
struct peer_set;

/* Evaluated in this order, per direction; the first that decides is final. Only NetworkPolicy has
 * objects so far; AdminNetworkPolicy and its kin belong before and after it. */
enum tier { TIER_ADMIN, TIER_NETWORK_POLICY, TIER_BASELINE, TIER_COUNT };

const char *tier_name(enum tier tier);

/* Which pods of which namespaces. "In the policy's own namespace" is a requirement on the label
 * that every namespace has, its name. Interned: equal meaning as written is one selector. */
struct selector {
	struct label_selector namespaces, pods;
	char *text; /* canonical: ns=shop pod{app=web}, ns{team in (a,b)} pod{!debug} */
	size_t refs;

	/* While a peer set that is in the kernel uses it: its members, kept up to date. */
	size_t active;
	size_t watched; /* by profiles that wait for room in their namespace's budget */
	size_t counted; /* the members of one that is watched and not active */
	VEC(struct member {
		struct graph_pod *pod;
		size_t back; /* index in the pod's memberships */
	})
	members;
	VEC(struct peer_set *) users; /* active ones */
	UT_hash_handle hh;
};

/* The union of the pods of some selectors. Interned. */
struct peer_set {
	struct selector **selectors; /* by text, at least one */
	size_t n;
	size_t refs;
	size_t active; /* profiles in the kernel that use it */
	uint64_t mark;
	void *listener_data; /* the listener's own */
	UT_hash_handle hh;
};

/* Addresses of ipBlocks, of one family; not empty. Interned: equal ranges are one set, whoever
 * means them. */
struct block_set {
	struct ranges ranges;
	uint64_t id; /* of the ranges, in this process */
	uint8_t family;
	size_t refs;
	uint64_t mark;
	void *listener_data; /* the listener's own */
	UT_hash_handle hh;
};

/* Who may be at the other end. */
struct peers {
	bool any;
	struct peer_set *pods;                  /* NULL: none */
	struct block_set *blocks[FAMILY_COUNT]; /* match pods' addresses too; NULL: none */
};

/* Where a rule was written. */
struct rule_ref {
	const struct network_policy *policy;
	size_t index; /* in policy->rules[dir] */
	struct peers peers;
};

/* Ports that exactly the same rules name, hence the same peers. */
struct port_class {
	uint32_t *rules; /* indices into the profile's rules, ascending */
	size_t n_rules;
	/* Whoever one of these covers is a peer: one union of the rules' peers, or, where unions
	 * would repeat too much from class to class, those of each rule (see parts.c). */
	const struct peers **parts;
	size_t n_parts;
	struct peers own; /* the union */
};

/* Nobody gets in by it: an ipBlock all of which is excepted. */
bool class_is_empty(const struct port_class *class);

/* A stretch of ports of one protocol and its class. */
struct port_range {
	uint8_t proto; /* enum proto */
	uint16_t first, last;
	uint32_t class_index;
};

/* A named port that an egress rule names: resolved on each peer. By name, protocol and rule. */
struct named_port {
	const char *name; /* interned */
	uint8_t proto;
	uint32_t rule; /* whose peers may be met there */
};

/* An address, protocol and port that named egress ports resolve to. */
struct endpoint_port {
	struct addr addr;
	uint8_t proto;
	uint16_t port;
};

/* What a profile takes, also while it is closed: see budget.c. */
struct needs {
	size_t total; /* bytes without the members of sets, as if nothing were shared */
	size_t own;   /* of these, what no other profile shares */
	VEC(struct peer_set *) sets;
	VEC(struct need {
		uint64_t id; /* a class or a block set: profiles that have the same share it */
		size_t bytes;
	})
	items;
	VEC(struct named_need {
		const char *name; /* interned */
		uint8_t proto;
		struct peer_set *pods; /* NULL: whoever has the port */
	})
	named;
};

/* All that decides one direction for the pods that the same policies select (and whose named ports
 * have the same numbers, where ingress rules name some). */
struct profile {
	enum direction dir;
	const struct network_policy *
		*policies; /* by name; at least one: the direction is isolated */
	size_t n_policies;
	struct rule_ref *rules; /* of all of them, in order */
	size_t n_rules;

	struct port_class every; /* rules without ports: whatever the protocol */
	struct port_class *classes;
	size_t n_classes;
	struct port_range *ranges; /* by protocol and port, disjoint */
	size_t n_ranges;
	struct named_port *named; /* egress only */
	size_t n_named;
	enum profile_limit over; /* beyond a bound: closed, with neither rules nor classes */

	struct needs needs;
	bool built;    /* rules, classes and all that are there */
	bool open;     /* its sets are active, and the listener knows its classes */
	bool fits;     /* into the namespace's budget, when that was looked at last */
	bool watching; /* its sets' selectors count their members */
	struct graph_namespace *ns;
	struct profile *prev_here, *next_here; /* of the namespace, in the kernel */

	char *text;     /* canonical: direction, policies, resolved ports */
	size_t refs;    /* endpoints in the kernel */
	bool in_kernel; /* the listener knows it */
	bool listed;    /* can be found by text: no newer version of a policy has replaced it */
	bool idle;      /* on the list of those that the next sweep frees if still unused */
	struct profile *next_idle;
	uint64_t mark;
	void *listener_data;
	UT_hash_handle hh;
};

/* A namespace, declared or only used. */
struct graph_namespace {
	const char *name;                      /* interned */
	struct labels labels;                  /* what selectors see */
	struct namespace_ *declared;           /* NULL: only used */
	struct graph_pod *pods;                /* table, by name */
	VEC(struct network_policy *) policies; /* by name */
	struct profile *profiles;              /* in the kernel */
	size_t n_held;  /* changes of policies that its pods do not have yet */
	bool unsettled; /* they are to be held against the budget */
	struct graph_namespace *next_unsettled;
	UT_hash_handle hh;
};

/* An address that the node has seen behind one of its own devices, and whose it is. */
struct observed_addr {
	struct addr addr;
	const char *ns, *name,
		*uid; /* interned; NULL each: of some pod of this node; uid "": any */
	UT_hash_handle hh;
};

/* An address or an interface name, and who says that it is theirs: one of them has it, or none if
 * the node knows better. */
struct claim {
	struct claim_key {
		uint8_t kind;      /* enum family, or CLAIM_INTERFACE */
		uint8_t bytes[16]; /* of the address; or the name */
	} key;
	struct claim_link {
		struct claim *claim; /* NULL: unused */
		struct graph_pod *pod;
		struct claim_link *next;
	} * holders;                          /* in their order, see claims.c */
	struct graph_pod *owner;              /* NULL: none of them */
	const struct observed_addr *observed; /* NULL: the node has not seen it */
	struct claim *prev, *next;            /* in the graph's list of contested ones */
	bool contested;                       /* somebody claims it and does not have it */
	UT_hash_handle hh;
};

#define CLAIM_INTERFACE FAMILY_COUNT
#define CLAIMS_MAX      (FAMILY_COUNT + 1)

struct graph_pod {
	struct pod *object;
	struct graph_namespace *ns;

	/* Set while the pod can be a peer: alive, on the pod network. */
	VEC(struct membership {
		struct selector *selector;
		size_t back; /* index in the selector's members */
	})
	memberships;
	uint32_t *postings; /* positions in the label index: labels, then named ports */
	struct claim_link claims[CLAIMS_MAX];

	/* A pod of this node that is in the kernel; NULL where a direction is not isolated. */
	bool is_endpoint;
	struct profile *profiles[DIR_COUNT];

	/* The evaluator's cache of the same for any pod. */
	uint64_t evaluated_at;
	struct profile *evaluated[DIR_COUNT];

	uint64_t mark;
	bool indexed;   /* in the label index and among members */
	bool published; /* its addresses are in peer sets */
	bool was_indexed;
	void *listener_data;
	UT_hash_handle hh;
};

/* Told of every change that the kernel must follow, while it happens; must not call back into the
 * graph except to read. A profile's sets exist before it, and outlive it. */
struct graph_listener {
	void *ctx;
	void (*peer_set)(void *ctx, struct peer_set *set, bool exists);
	void (*peer)(void *ctx, struct peer_set *set, const struct addr *addr, bool present);
	/* A profile that is closed allows nothing. It comes and goes as one; while it is open its
	 * classes are what they are. */
	void (*profile)(void *ctx, struct profile *profile, bool exists);
	void (*profile_open)(void *ctx, struct profile *profile, bool open);
	/* A member of the profile's named ports. */
	void (*named)(void *ctx, struct profile *profile, const struct endpoint_port *port,
		      bool present);
	/* Before a change to an endpoint: false; after it: true. */
	void (*endpoint)(void *ctx, struct graph_pod *pod, bool exists);
	/* An address of nodes, however many have it. */
	void (*node_addr)(void *ctx, const struct addr *addr, bool exists);
};

/* `node`: only its pods become endpoints; NULL: every pod. `listener` is copied; NULL: nobody
 * listens and nothing is held for the kernel. NULL: no memory. */
struct graph *graph_new(struct intern *strings, const char *node,
			const struct graph_listener *listener);
void graph_free(struct graph *graph);

/* Pods may reach the node that they run on, whatever policies say: for answers, as the graph's
 * profiles are the same. Without it, egress policy applies. */
void graph_allow_local_node(struct graph *graph, bool allow);

/* What the graph's own node has by its host's word, in place of what was said before. Without a
 * node (graph_new()) it is nobody's. 0 or -ENOMEM, as graph_put(). */
int graph_set_host_addrs(struct graph *graph, const struct addr addrs[], size_t n);

/* Everything that was there at the start has been put in. Until then nothing becomes an endpoint
 * and the listener hears nothing. 0 or -ENOMEM, as below. */
int graph_sync(struct graph *graph);

/* From here on changes of policies wait for graph_flush(), which brings all of them to the pods at
 * once: each pod gets one new profile, not one for each of many policies that come together. What
 * is asked of the graph meanwhile is answered as before these changes, or after. */
void graph_hold_policies(struct graph *graph);
/* Does any wait? */
bool graph_is_held(const struct graph *graph);
/* 0 or -ENOMEM, as below. */
int graph_flush(struct graph *graph);

/* Adds or replaces, taking the object over in any case. 0, or -ENOMEM: the graph is then in no
 * defined state and only good for graph_free(). */
int graph_put(struct graph *graph, struct object object);

/* Removes what has this kind, namespace (NULL for those without) and name; 0 also when there is
 * none. */
int graph_remove(struct graph *graph, enum kind kind, const char *ns, const char *name);

/* Whose an address is, by what the node has seen; it goes before what any object says. */
struct observed_pod {
	const char *ns, *name; /* NULL both: of a pod of this node, it is not known which */
	const char *uid;       /* "": not known */
};

/* Takes in what the node has seen of an address; `pod` NULL: nothing any more. 1; 0: it is what was
 * known; or -ENOMEM, as graph_put(). */
int graph_observe(struct graph *graph, const struct addr *addr, const struct observed_pod *pod);

/* NULL: not there. */
struct graph_pod *graph_find_pod(const struct graph *graph, const char *ns, const char *name);
const struct graph_namespace *graph_find_namespace(const struct graph *graph, const char *name);

/* Does the pod own the address, or the device it claims? Others may claim it too. */
bool graph_pod_owns(const struct graph_pod *pod, enum family family);
const char *graph_pod_device(const struct graph_pod *pod);
/* The device, if the packets that the node forwards show it: not a bridge's port. */
const char *graph_pod_interface(const struct graph_pod *pod);

/* The pod's address of a family, owned or not; NULL: none. */
const struct addr *pod_addr(const struct pod *pod, enum family family);

/* The link-local address that the pod has from its hardware address, if that is known (RFC 4291,
 * appendix A). No peer's address: policies do not name it. */
bool pod_link_local(const struct pod *pod, struct addr *ret);
/* The endpoint that has it; NULL: none. */
struct graph_pod *graph_link_local_owner(const struct graph *graph, const struct addr *addr);

/* Who owns an address; NULL: no pod, or one that only the node knows. */
struct graph_pod *graph_addr_owner(const struct graph *graph, const struct addr *addr);

/* What the node has seen of the address; NULL: nothing. */
const struct observed_addr *graph_observed(const struct graph *graph, const struct addr *addr);

/* All that the node has seen, in no order: pass NULL first. */
const struct observed_addr *graph_next_observed(const struct graph *graph,
						const struct observed_addr *observed);

/* Each address that a pod on the pod network claims and does not have, with its claim and that pod.
 */
void graph_each_contested(const struct graph *graph,
			  void (*fn)(void *ctx, const struct addr *addr, const struct claim *claim,
				     const struct graph_pod *pod),
			  void *ctx);

/* The nodes that an address belongs to (interned names); 0: none. */
size_t graph_addr_nodes(const struct graph *graph, const struct addr *addr,
			const char *const **ret_nodes);
/* A node's addresses as its object says them; NULL: not declared. */
const struct node *graph_find_node(const struct graph *graph, const char *name);

/* Declared nodes, in no order: pass NULL first. */
const struct node *graph_next_node(const struct graph *graph, const struct node *node);

/* Can the pod be subject and peer: alive and on the pod network? */
bool graph_pod_is_peer(const struct pod *pod);

bool selector_matches(const struct selector *selector, const struct graph_pod *pod);

/* What decides a direction of any live pod, endpoint or not; NULL in *ret_profile: not isolated.
 * Valid until the next change of the graph, or graph_forget(). 0 or -ENOMEM. */
int graph_profile(struct graph *graph, struct graph_pod *pod, enum direction dir,
		  struct profile **ret_profile);

/* Frees what graph_profile() has made for pods that are no endpoints. */
void graph_forget(struct graph *graph);

/* Namespaces, in no order: pass NULL first. Their pods are a uthash table. */
struct graph_namespace *graph_next_namespace(const struct graph *graph,
					     const struct graph_namespace *ns);

struct graph_counts {
	size_t pods, namespaces, nodes, policies;
	size_t endpoints, isolated[DIR_COUNT];
	size_t over_limit; /* of isolated, both directions: closed, see policy/limits.h */
	/* Work done since the graph was made, in units that do not depend on the machine. */
	size_t selectors_tested, pods_scanned, profiles_built;
	size_t port_names_passed; /* ports of rules, while a pod's own are looked for */
	size_t pairs_passed;      /* of rule and port range, while classes are found */
	size_t ranges_united;     /* of addresses, while blocks are put together */
};

struct graph_counts graph_counts(const struct graph *graph);

/* The whole graph as text, the same for the same objects (tests, and people who want to see). 0 or
 * -ENOMEM. */
int graph_dump(const struct graph *graph, FILE *out);

#endif
