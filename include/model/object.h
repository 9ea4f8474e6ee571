/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kubernetes objects as far as policy needs them, defaults applied. Strings marked "interned"
 * belong to the struct intern that the decoder was given. */
#ifndef MODEL_OBJECT_H
#define MODEL_OBJECT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct intern;

/* Where an object, or a rule of it, was written. */
struct origin {
	const char *file; /* interned; NULL: the API server */
	unsigned line;    /* 1-based; 0: unknown */
};

struct label {
	const char *key, *value; /* interned */
};

/* Of a pod or a namespace: an event of a pod looks up each of its labels, with each of its
 * namespace's. An object that has more is invalid. */
#define LABELS_MAX 256

/* Sorted by key; a key stands once. */
struct labels {
	struct label *v;
	size_t n;
};

/* The label that the API server forces on every namespace: its name. */
#define LABEL_NAMESPACE_NAME "kubernetes.io/metadata.name"

/* The protocols that policies can name. PROTO_OTHER stands for all the rest: ICMP and its like pass
 * only where a rule names no ports. */
enum proto { PROTO_TCP, PROTO_UDP, PROTO_SCTP, PROTO_COUNT, PROTO_OTHER = PROTO_COUNT };

/* "tcp", "udp", "sctp" (nft's and our flows' spelling) and the number in IP headers. */
const char *proto_name(enum proto proto);
uint8_t proto_number(enum proto proto);

struct requirement {
	const char *key; /* interned */
	enum label_op {
		LABEL_IN, /* matchLabels k: v is In [v] */
		LABEL_NOT_IN,
		LABEL_EXISTS,
		LABEL_DOES_NOT_EXIST
	} op;
	const char **values; /* interned, sorted, no duplicates */
	size_t n_values;
};

/* Of one selector; a policy that has more is invalid. */
#define SELECTOR_REQUIREMENTS_MAX 256
#define SELECTOR_VALUES_MAX       4096

/* Requirements are ANDed; none matches everything. Sorted by key, operator, values; no duplicates:
 * selectors of one meaning as written in different order are equal member by member. */
struct label_selector {
	struct requirement *v;
	size_t n;
};

struct namespace_ {
	const char *name; /* interned */
	struct labels labels;
	struct origin origin;
};

struct node {
	struct prefix *pod_cidrs; /* spec.podCIDRs: where its pods have their addresses */
	size_t n_pod_cidrs;
	const char *name; /* interned */
	struct labels labels;
	struct addr *addrs;
	size_t n_addrs;
	struct origin origin;
};

/* A pod's named ports, and the numbers of one name and protocol; beyond, the higher numbers do not
 * count: a rule that names them allows less. */
#define POD_PORTS_MAX        1024
#define POD_PORT_NUMBERS_MAX 16

struct pod_port {
	const char *name; /* interned */
	uint16_t number;
	uint8_t proto; /* enum proto */
};

enum pod_phase { POD_PENDING, POD_RUNNING, POD_SUCCEEDED, POD_FAILED, POD_UNKNOWN };

struct pod {
	const char *ns;   /* interned */
	char *name;       /* a stand-in: "deployment/NAME", which no pod can be called */
	char *uid;        /* NULL: none given */
	const char *node; /* interned; NULL: not scheduled */
	/* The device of this node that the pod is behind, interned; NULL: unknown. From what the
	 * node has seen, or from the annotation of trusted sources. */
	const char *interface;
	unsigned ifindex;   /* of the interface; 0: not seen on this host */
	bool bridged;       /* it is a bridge's port: packets show the bridge, not it */
	uint8_t mac[6];     /* of a bridged pod; zeros: unknown */
	const char *bridge; /* of a bridged pod, interned; NULL: unknown */
	/* Bits by enum family: addresses that this node has at a device of its own; and
	 * OBSERVED_DEVICE: `interface` is what the node has seen. Never from an object. */
	uint8_t observed;
	const char *workload; /* "Deployment": a stand-in for the pods of one; NULL: a pod */
	struct labels labels;
	struct pod_port *ports; /* the named ones: by name, protocol and number, each once */
	size_t n_ports;
	int64_t created; /* seconds since the epoch; 0: unknown */
	struct addr addrs[FAMILY_COUNT];
	struct addr host_addrs[FAMILY_COUNT]; /* of its node */
	uint8_t n_addrs, n_host_addrs;
	uint8_t phase; /* enum pod_phase */
	bool host_network;
	bool terminating;
	bool replicated; /* a stand-in for any number of pods: one may meet another */
	struct origin origin;
};

#define OBSERVED_DEVICE (1u << FAMILY_COUNT)

/* Sorts them, drops doubles and what is beyond the bounds; returns how many of the latter. */
size_t pod_sort_ports(struct intern *strings, struct pod *pod);

/* The numbers that the pod has for a name (interned) and protocol: how many, from which on. */
size_t pod_ports_named(const struct pod *pod, const char *name, uint8_t proto, size_t *ret_first);

/* A finished pod is neither subject nor peer: its address may be another's by now. */
bool pod_finished(const struct pod *pod);

struct ip_block {
	struct prefix cidr;
	struct prefix *except; /* inside cidr, same family */
	size_t n_except;
};

struct policy_peer {
	bool has_pod_selector, has_ns_selector, has_block; /* as written; block excludes the rest */
	struct label_selector pod_selector, ns_selector;
	struct ip_block block;
};

struct policy_port {
	uint8_t proto;        /* enum proto */
	uint16_t first, last; /* 0..65535: every port; unused when named */
	const char *name;     /* interned; NULL: numeric */
};

struct policy_rule {
	struct policy_peer *peers; /* none: any peer */
	size_t n_peers;
	struct policy_port *ports; /* none: any protocol and port */
	size_t n_ports;
	unsigned line;
};

enum direction { DIR_INGRESS, DIR_EGRESS, DIR_COUNT };

const char *direction_name(enum direction dir);

/* networking.k8s.io/v1. */
struct network_policy {
	const char *ns; /* interned */
	char *name;
	struct label_selector subject;
	bool isolates[DIR_COUNT]; /* policyTypes, defaulted */
	struct policy_rule *rules[DIR_COUNT];
	size_t n_rules[DIR_COUNT];
	struct origin origin;
};

/* A policy of a kind that is not enforced: that it is there is all that counts. */
struct unenforced_policy {
	const char *type; /* interned: "AdminNetworkPolicy.policy.networking.k8s.io" */
	const char *ns;   /* interned; NULL: of the cluster */
	char *name;
};

enum kind {
	KIND_NAMESPACE,
	KIND_NODE,
	KIND_POD,
	KIND_NETWORK_POLICY,
	KIND_COUNT,     /* of those that policy is made of; also: none */
	KIND_UNENFORCED /* only from an API server, and never told to the graph */
};

/* Of those that policy is made of. */
const char *kind_name(enum kind kind);

struct object {
	enum kind kind;
	union {
		struct namespace_ *namespace_;
		struct node *node;
		struct pod *pod;
		struct network_policy *policy;
		struct unenforced_policy *unenforced;
	};
};

/* Frees an object and gives its strings back. */
void object_free(struct intern *strings, struct object object);
void namespace_free(struct intern *strings, struct namespace_ *ns);
void node_free(struct intern *strings, struct node *node);
void pod_free(struct intern *strings, struct pod *pod);
/* NULL: no memory. */
struct pod *pod_copy(struct intern *strings, const struct pod *pod);
void network_policy_free(struct intern *strings, struct network_policy *policy);

/* An object of which only kind, namespace (where the kind has one) and name are known: for what is
 * gone. Not of KIND_UNENFORCED. 0 or -ENOMEM; free with object_free(). */
int object_of_name(struct intern *strings, enum kind kind, const char *ns, const char *name,
		   struct object *ret);

/* The same of KIND_UNENFORCED; `ns` NULL: of the cluster. */
int object_of_unenforced(struct intern *strings, const char *type, const char *ns, const char *name,
			 struct object *ret);

/* Its namespace, NULL for what has none, and its name. */
const char *object_ns(const struct object *object);
const char *object_own_name(const struct object *object);

/* "namespace/name", or "name" for what has no namespace. Bounded. */
#define OBJECT_NAME_MAX 384
const char *object_name(const struct object *object, char buf[static OBJECT_NAME_MAX]);
const struct origin *object_origin(const struct object *object);

/* Do labels meet a selector? Kubernetes' labels.Requirement.Matches: NotIn holds when the key is
 * absent; In wants it present. */
bool label_selector_matches(const struct label_selector *selector, const struct labels *labels);

/* Give the strings back and free the arrays. */
void labels_done(struct intern *strings, struct labels *labels);
void label_selector_done(struct intern *strings, struct label_selector *selector);

#endif
