/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The graph's inside, shared by the files of this room. */
#ifndef POLICY_INTERNAL_H
#define POLICY_INTERNAL_H

#include "policy/graph.h"

/* Pods by a label, or by a named port: what a new selector looks its members up in. */
struct posting {
	struct posting_key {
		const char *key;   /* interned: a label's key, or a port's name */
		const char *value; /* interned; a port's protocol: see port_value() */
	} key;
	VEC(struct graph_pod *) pods;
	size_t numbers;              /* a port's: of all pods */
	struct posting *next_of_key; /* labels only */
	UT_hash_handle hh;
};

/* The postings of one label key, whatever the value. */
struct posting_list {
	const char *key;
	struct posting *first;
	size_t n;
	UT_hash_handle hh;
};

/* Active selectors by the most telling requirement that they have on the namespace's labels and on
 * the pod's. A pod's change looks up what its labels can match, and never sees the others. */
struct anchor {
	struct anchor_key {
		const char *ns_key, *ns_value;   /* NULL: any */
		const char *pod_key, *pod_value; /* NULL: any; only the value NULL: any value */
	} key;
	VEC(struct selector *) selectors;
	UT_hash_handle hh;
};

/* Profiles in the kernel that have a port of this name and protocol among their named ones. */
struct named_users {
	struct posting_key key;
	VEC(struct profile *) profiles;
	UT_hash_handle hh;
};

struct graph_node {
	struct node *object;
	UT_hash_handle hh; /* by name, interned: keyed by pointer */
};

/* An address of nodes, however often it is said. */
struct node_addr {
	struct addr addr;
	VEC(const char *) nodes; /* interned; what the callers see */
	VEC(size_t) refs;
	size_t firm; /* of these, what nodes and the host say, not pods */
	bool told;   /* the listener knows it */
	UT_hash_handle hh;
};

/* By hardware addresses. */
struct link_local {
	struct addr addr;
	struct graph_pod *pod;
	UT_hash_handle hh; /* by addr */
};

/* A policy that has changed, and the pods do not have that yet. */
struct held_policy {
	struct graph_namespace *ns;
	struct network_policy *old;       /* profiles point into it until then; NULL: it is new */
	const struct network_policy *new; /* the namespace's, or `old` of a later entry; or NULL */
};

struct graph {
	struct intern *strings;
	const char *node;        /* interned; NULL: all pods are local */
	const char *ns_name_key; /* interned LABEL_NAMESPACE_NAME */
	struct graph_listener listener;
	bool listening;
	bool synced;
	bool local_node_allow; /* of answers: see graph_allow_local_node() */
	bool holds_policies;
	VEC(struct held_policy) held;

	struct graph_namespace *namespaces;
	struct graph_node *nodes;
	struct node_addr *node_addrs;
	VEC(struct addr) host_addrs; /* among them: of `node`, by its host's word */
	struct claim *claims, *contested;
	struct observed_addr *observed;
	struct link_local *link_locals; /* of endpoints */
	struct posting *postings;
	struct posting_list *posting_lists;
	struct anchor *anchors;
	struct named_users *named_users;

	struct selector *selectors;
	struct peer_set *peer_sets;
	struct block_set *block_sets[FAMILY_COUNT]; /* by their ranges */
	struct profile *profiles;
	struct profile *idle;              /* by next_idle: perhaps without references */
	struct graph_namespace *unsettled; /* by next_unsettled */
	bool recount;    /* a number of pods has passed a power of two, see budget.c */
	size_t counting; /* selectors that are watched and not active */

	uint64_t mark;       /* for sets of objects met on a walk */
	uint64_t generation; /* of the last change */
	struct graph_counts counts;
};

/* selector.c */
struct selector *selector_get(struct graph *g, const char *fixed_ns,
			      const struct label_selector *namespaces,
			      const struct label_selector *pods);
void selector_put(struct graph *g, struct selector *selector);

/* index.c: who is member of what. */
int index_pod(struct graph *g, struct graph_pod *pod);
void unindex_pod(struct graph *g, struct graph_pod *pod);
int selector_activate(struct graph *g, struct selector *selector);
void selector_deactivate(struct graph *g, struct selector *selector);

/* Counts members without keeping them. */
int selector_watch(struct graph *g, struct selector *selector);
void selector_unwatch(struct graph *g, struct selector *selector);
/* How many pods it selects, of one that is active or watched; else at most how many. */
size_t selector_count(const struct graph *g, const struct selector *selector);
/* At most how many: what the index knows without looking at pods. */
size_t selector_estimate(const struct graph *g, const struct selector *selector);
/* How many numbers pods have for a port's name. */
size_t named_count(const struct graph *g, const char *name, uint8_t proto);
/* To be told of each number of pods that changes and that the three above go by. */
void note_count(struct graph *g, size_t before, size_t now);
const char *port_value(enum proto proto);
const struct posting *find_posting(const struct graph *g, const char *key, const char *value);

/* peer_set.c: what active sets and named ports hold. */
struct peer_set *peer_set_get(struct graph *g, struct selector *const selectors[], size_t n);
void peer_set_put(struct graph *g, struct peer_set *set);
int peer_set_activate(struct graph *g, struct peer_set *set);
void peer_set_deactivate(struct graph *g, struct peer_set *set);
void publish_peer(struct graph *g, struct graph_pod *pod, bool present);
int named_activate(struct graph *g, struct profile *profile);
void named_deactivate(struct graph *g, struct profile *profile);

/* blocks.c. Takes normalized ranges, not empty, over in any case; NULL: no memory. */
struct block_set *block_set_get(struct graph *g, struct ranges *ranges, enum family family);
struct block_set *block_set_ref(struct block_set *set);
void block_set_put(struct graph *g, struct block_set *set);

/* peers.c: what a rule's peers, or several rules', come to. */
int peers_of_rule(struct graph *g, const struct network_policy *policy,
		  const struct policy_rule *rule, struct peers *ret);
int peers_union(struct graph *g, const struct peers *const parts[], size_t n, struct peers *ret);
void peers_done(struct graph *g, struct peers *peers);

/* classes.c: from rules to disjoint ports. Beyond a bound profile->over is set. */
int build_classes(struct graph *g, struct profile *profile, const struct pod *pod);
void classes_done(struct graph *g, struct profile *profile);

/* parts.c: the peers of each class, from those of its rules. Beyond a bound profile->over is set.
 */
int build_parts(struct graph *g, struct profile *profile);

/* profile.c */
int profile_get(struct graph *g, struct graph_pod *pod, enum direction dir,
		struct profile **ret_profile);
int profile_activate(struct graph *g, struct profile *profile);
void profile_deactivate(struct graph *g, struct profile *profile);
void profiles_sweep(struct graph *g);
/* When a change is through: what is new opens before what it replaces goes, as they share sets.
 * `rc`: of the change; returned, or -ENOMEM. */
int profiles_settle(struct graph *g, int rc);
int profile_build(struct graph *g, struct profile *profile, const struct pod *pod);
/* All that it is made of but what it is known by, and its needs. */
void profile_clear(struct graph *g, struct profile *profile);
int profile_open(struct graph *g, struct profile *profile);
void profile_close(struct graph *g, struct profile *profile);

/* budget.c: which profiles of a namespace are open. */
size_t budget_members(size_t n);
int budget_measure(struct graph *g, struct profile *profile);
void budget_forget(struct graph *g, struct profile *profile);
void budget_enter(struct graph *g, struct profile *profile);
void budget_leave(struct graph *g, struct profile *profile);
void budget_changed(struct graph *g, struct graph_namespace *ns);
void budget_drop_namespace(struct graph *g, struct graph_namespace *ns);
/* At the end of each event. */
int budget_settle(struct graph *g);

/* endpoints.c. To change a pod: unpublish, change, publish. */
void unpublish_endpoint(struct graph *g, struct graph_pod *pod);
int publish_endpoint(struct graph *g, struct graph_pod *pod);
void unpublish(struct graph *g, struct graph_pod *pod);
int publish(struct graph *g, struct graph_pod *pod);

/* namespaces.c. `name` is interned. */
struct graph_namespace *get_namespace(struct graph *g, const char *name);
void drop_namespace_if_empty(struct graph *g, struct graph_namespace *ns);
int put_namespace(struct graph *g, struct namespace_ *object);
int remove_namespace(struct graph *g, const char *name);
bool same_labels(const struct labels *a, const struct labels *b);

/* pods.c */
int put_pod(struct graph *g, struct pod *object);
int remove_pod(struct graph *g, const char *ns, const char *name);

/* Does `pod` count for the peers of a rule: by selector, or by an address it owns? */
bool peers_have_pod(const struct peers *peers, const struct graph_pod *pod);
bool peers_have_block(const struct peers *peers, const struct addr *addr);

bool is_local(const struct graph *g, const struct pod *pod);

#endif
