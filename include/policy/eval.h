/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Would a flow pass, and why? Answered from the graph that is rendered, by both ends' profiles. */
#ifndef POLICY_EVAL_H
#define POLICY_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "policy/graph.h"

#define FLOW_TEXT_MAX 512

enum flow_proto { FLOW_TCP, FLOW_UDP, FLOW_SCTP, FLOW_ICMP, FLOW_ANY };

/* As a user says it. */
struct flow {
	char from[FLOW_TEXT_MAX], to[FLOW_TEXT_MAX]; /* namespace/pod, or an address */
	enum flow_proto proto;
	bool has_port; /* else every port of the protocol is meant */
	uint16_t port;
	char port_name[16]; /* "": numeric; else what the destination calls its port */
};

/* "tcp/80", "icmp", "any": into the flow. 0, or -EINVAL with what was expected in err. */
struct err;
int flow_parse_proto(const char *text, struct flow *flow, struct err *err);
const char *flow_proto_text(const struct flow *flow, char buf[static 32]);

enum answer {
	ANSWER_NO,
	ANSWER_MAYBE, /* an ipBlock, and an end whose address nobody knows yet */
	ANSWER_YES
};

enum verdict {
	VERDICT_ALLOW,
	VERDICT_DENY,
	VERDICT_MIXED, /* some of the addresses, protocols and ports asked about, or perhaps */
	VERDICT_NONE   /* no such flow: see the reason */
};

const char *verdict_name(enum verdict verdict);

/* One end of a flow. */
struct flow_end {
	enum flow_end_kind {
		END_POD,     /* on the pod network */
		END_NODE,    /* a node, or a pod on its network */
		END_EXTERNAL /* any other address */
	} kind;
	struct graph_pod *pod;    /* END_POD, or the hostNetwork pod that was named */
	const char *const *nodes; /* END_NODE: which, interned */
	size_t n_nodes;
	bool has_addr;
	bool link_local; /* END_POD: that address of it; no peer has it, nor a named egress port */
	struct addr addr;
};

/* Ports that are answered alike. PROTO_OTHER: neither TCP, UDP nor SCTP, and without ports. */
struct flow_stretch {
	enum proto proto;
	uint16_t first, last;
	enum answer dir[DIR_COUNT];
	enum answer whole; /* both directions */
};

/* The flow between one address of FROM and one of TO. */
struct flow_pair {
	struct flow_end from, to;
	enum pair_reason {
		PAIR_POLICY, /* policies decide */
		PAIR_SELF,   /* a pod and itself: always allowed */
		/* From the node that the pod runs on, or also to it (graph_allow_local_node()):
		 * always allowed. */
		PAIR_NODE_LOCAL,
	} reason;
	bool node_dns; /* port 53 is open: to a link-local address that the pod's own node holds */
	VEC(struct flow_stretch) stretches;
};

struct flow_result {
	enum verdict verdict, dir[DIR_COUNT];
	VEC(struct flow_pair) pairs;
	char reason[FLOW_TEXT_MAX * 3]; /* VERDICT_NONE: why */
};

/* 0 or -ENOMEM. Free with flow_result_done() either way. The result points into the graph: it is
 * good until the next change. */
int eval_flow(struct graph *graph, const struct flow *flow, struct flow_result *ret);
void flow_result_done(struct flow_result *result);

bool stretch_same_answers(const struct flow_stretch *a, const struct flow_stretch *b);

/* What one rule says of a stretch's first port, for explanations. */
struct rule_report {
	const struct rule_ref *rule;
	enum answer peer;
	bool port;
};

struct direction_report {
	const struct profile *profile; /* NULL: the pod is not isolated, or there is no pod */
	VEC(struct rule_report) rules;
};

/* Every rule of the policies that isolate this end of the pair. 0 or -ENOMEM. */
int eval_rules(struct graph *graph, const struct flow_pair *pair, enum direction dir,
	       enum proto proto, uint16_t port, struct direction_report *ret);
void direction_report_done(struct direction_report *report);

#endif
