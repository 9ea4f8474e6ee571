/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The evaluator. A flow is every combination of an address of one end with one of the other; for
 * each, the ports asked about fall into stretches that no rule tells apart, and one port of each
 * stretch is looked up in the classes as a packet would be. */
#include "policy/eval.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "internal.h"
#include "point.h"

/* Ports at which the answer may change. */
struct cuts {
	VEC(uint32_t) all;
};

static int add_cuts(struct cuts *cuts, uint32_t first, uint32_t last)
{
	if (vec_push(&cuts->all, first) < 0 || vec_push(&cuts->all, last + 1) < 0)
		return -ENOMEM;
	return 0;
}

static int profile_cuts(struct cuts *cuts, const struct profile *profile, enum proto proto,
			const struct flow_end *to)
{
	int rc = 0;

	for (size_t i = 0; profile && i < profile->n_ranges && rc == 0; i++) {
		if (profile->ranges[i].proto == proto)
			rc = add_cuts(cuts, profile->ranges[i].first, profile->ranges[i].last);
	}
	for (size_t i = 0; profile && profile->n_named > 0 && to->kind == END_POD &&
			   i < to->pod->object->n_ports && rc == 0;
	     i++) {
		if (to->pod->object->ports[i].proto == proto)
			rc = add_cuts(cuts, to->pod->object->ports[i].number,
				      to->pod->object->ports[i].number);
	}
	return rc;
}

static int compare_cuts(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int add_stretch(struct flow_pair *pair, const struct pair_profiles *profiles,
		       enum proto proto, uint32_t first, uint32_t last)
{
	struct flow_stretch stretch = {
		.proto = proto, .first = (uint16_t)first, .last = (uint16_t)last};
	struct flow_stretch *before =
		pair->stretches.n ? &pair->stretches.v[pair->stretches.n - 1] : NULL;

	point_evaluate(pair, profiles, &stretch);
	if (before && before->proto == proto && before->last + 1u == first &&
	    stretch_same_answers(before, &stretch)) {
		before->last = stretch.last;
		return 0;
	}
	return vec_push(&pair->stretches, stretch);
}

/* Every port of a protocol. */
static int cover_proto(struct flow_pair *pair, const struct pair_profiles *profiles,
		       enum proto proto)
{
	struct cuts cuts = {0};
	uint32_t from = 0;
	int rc = add_cuts(&cuts, 0, UINT16_MAX);

	for (int dir = 0; dir < DIR_COUNT && rc == 0; dir++)
		rc = profile_cuts(&cuts, profiles->dir[dir], proto, &pair->to);
	if (rc == 0 && pair->node_dns)
		rc = add_cuts(&cuts, DNS_PORT, DNS_PORT);
	if (rc == 0)
		qsort(cuts.all.v, cuts.all.n, sizeof(cuts.all.v[0]), compare_cuts);
	for (size_t i = 0; i < cuts.all.n && rc == 0; i++) {
		if (cuts.all.v[i] == from)
			continue;
		rc = add_stretch(pair, profiles, proto, from, cuts.all.v[i] - 1);
		from = cuts.all.v[i];
	}
	vec_free(&cuts.all);
	return rc;
}

/* The destination's numbers of a port that the flow calls by name. */
static int cover_named(struct flow_pair *pair, const struct pair_profiles *profiles,
		       const struct flow *flow)
{
	int rc = 0;

	for (size_t i = 0; pair->to.kind == END_POD && i < pair->to.pod->object->n_ports && rc == 0;
	     i++) {
		const struct pod_port *port = &pair->to.pod->object->ports[i];

		if (port->proto == (uint8_t)flow->proto && strcmp(port->name, flow->port_name) == 0)
			rc = add_stretch(pair, profiles, (enum proto)port->proto, port->number,
					 port->number);
	}
	return rc;
}

static int cover(struct flow_pair *pair, const struct pair_profiles *profiles,
		 const struct flow *flow)
{
	int rc = 0;

	switch (flow->proto) {
	case FLOW_ICMP:
		return add_stretch(pair, profiles, PROTO_OTHER, 0, 0);
	case FLOW_ANY:
		for (int proto = 0; proto < PROTO_COUNT && rc == 0; proto++)
			rc = cover_proto(pair, profiles, (enum proto)proto);
		return rc == 0 ? add_stretch(pair, profiles, PROTO_OTHER, 0, 0) : rc;
	case FLOW_TCP:
	case FLOW_UDP:
	case FLOW_SCTP:
		break;
	}
	/* The first three are spelled alike in both enums. */
	if (flow->port_name[0])
		return cover_named(pair, profiles, flow);
	if (flow->has_port)
		return add_stretch(pair, profiles, (enum proto)flow->proto, flow->port, flow->port);
	return cover_proto(pair, profiles, (enum proto)flow->proto);
}

static bool runs_on(const struct flow_end *pod, const struct flow_end *node)
{
	if (pod->kind != END_POD || node->kind != END_NODE || !pod->pod->object->node)
		return false;
	for (size_t i = 0; i < node->n_nodes; i++) {
		if (node->nodes[i] == pod->pod->object->node)
			return true;
	}
	return false;
}

/* Always allowed, whatever policies say. Of a pod and its own node Kubernetes' documentation says
 * both: the API's note on ipBlock exempts what goes there, the page on isolation only what comes
 * from there. So the graph is told which holds. */
static enum pair_reason pair_reason(const struct graph *g, const struct flow_end *from,
				    const struct flow_end *to)
{
	if (from->kind == END_POD && to->kind == END_POD && from->pod == to->pod &&
	    !from->pod->object->replicated)
		return PAIR_SELF;
	if (runs_on(to, from) || (g->local_node_allow && runs_on(from, to)))
		return PAIR_NODE_LOCAL;
	return PAIR_POLICY;
}

static bool is_link_local(const struct addr *addr)
{
	if (addr->family == FAMILY_V4)
		return addr->b[0] == 169 && addr->b[1] == 254;
	return addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80;
}

static int eval_pair(struct graph *g, const struct flow *flow, const struct flow_end *from,
		     const struct flow_end *to, struct flow_result *ret)
{
	struct flow_pair pair = {
		.from = *from,
		.to = *to,
		.reason = pair_reason(g, from, to),
		.node_dns = runs_on(from, to) && to->has_addr && is_link_local(&to->addr),
	};
	struct pair_profiles profiles;
	int rc = pair_profiles_find(g, &pair, &profiles);

	if (rc == 0)
		rc = cover(&pair, &profiles, flow);
	if (rc == 0)
		rc = vec_push(&ret->pairs, pair);
	pair_profiles_done(&profiles);
	if (rc < 0)
		vec_free(&pair.stretches);
	return rc;
}

static int eval_pairs(struct graph *g, const struct flow *flow, const struct flow_ends *from,
		      const struct flow_ends *to, struct flow_result *ret)
{
	int rc = 0;

	for (size_t i = 0; i < from->all.n && rc == 0; i++) {
		for (size_t j = 0; j < to->all.n && rc == 0; j++) {
			const struct flow_end *a = &from->all.v[i], *b = &to->all.v[j];

			if (!a->has_addr || !b->has_addr || a->addr.family == b->addr.family)
				rc = eval_pair(g, flow, a, b, ret);
		}
	}
	return rc;
}

bool stretch_same_answers(const struct flow_stretch *a, const struct flow_stretch *b)
{
	return a->whole == b->whole && memcmp(a->dir, b->dir, sizeof(a->dir)) == 0;
}

struct tally {
	size_t yes, no, all;
};

static void count(struct tally *tally, enum answer answer)
{
	tally->all++;
	tally->yes += answer == ANSWER_YES;
	tally->no += answer == ANSWER_NO;
}

static enum verdict tally_verdict(const struct tally *tally)
{
	if (tally->all == 0)
		return VERDICT_NONE;
	if (tally->yes == tally->all)
		return VERDICT_ALLOW;
	return tally->no == tally->all ? VERDICT_DENY : VERDICT_MIXED;
}

static void sum_up(struct flow_result *ret)
{
	struct tally whole = {0}, dir[DIR_COUNT] = {{0}};

	for (size_t i = 0; i < ret->pairs.n; i++) {
		const struct flow_pair *pair = &ret->pairs.v[i];

		for (size_t j = 0; j < pair->stretches.n; j++) {
			const struct flow_stretch *stretch = &pair->stretches.v[j];

			count(&whole, stretch->whole);
			for (int d = 0; d < DIR_COUNT; d++)
				count(&dir[d], stretch->dir[d]);
		}
	}
	ret->verdict = tally_verdict(&whole);
	for (int d = 0; d < DIR_COUNT; d++)
		ret->dir[d] = tally_verdict(&dir[d]);
}

static void explain_none(const struct flow *flow, struct flow_result *ret)
{
	char proto[32];

	if (ret->reason[0])
		return;
	if (ret->pairs.n == 0)
		(void)snprintf(ret->reason, sizeof(ret->reason),
			       "%s and %s have no address family in common", flow->from, flow->to);
	else
		(void)snprintf(ret->reason, sizeof(ret->reason), "%s: %s has no port of this name",
			       flow_proto_text(flow, proto), flow->to);
}

int eval_flow(struct graph *g, const struct flow *flow, struct flow_result *ret)
{
	struct flow_ends from = {0}, to = {0};
	int rc;

	*ret = (struct flow_result){0};
	rc = ends_resolve(g, flow->from, &from, ret->reason, sizeof(ret->reason));
	if (rc == 0 && from.all.n > 0)
		rc = ends_resolve(g, flow->to, &to, ret->reason, sizeof(ret->reason));
	if (rc == 0)
		rc = eval_pairs(g, flow, &from, &to, ret);
	if (rc == 0)
		sum_up(ret);
	if (rc == 0 && ret->verdict == VERDICT_NONE)
		explain_none(flow, ret);
	vec_free(&from.all);
	vec_free(&to.all);
	return rc;
}

void flow_result_done(struct flow_result *result)
{
	for (size_t i = 0; i < result->pairs.n; i++)
		vec_free(&result->pairs.v[i].stretches);
	vec_free(&result->pairs);
}

/* Rule by rule, from the policies as written: what an explanation lists. */
static bool rule_has_port(const struct policy_rule *rule, const struct flow_pair *pair,
			  enum direction dir, enum proto proto, uint16_t port)
{
	bool resolved = dir == DIR_INGRESS || !pair->to.link_local;

	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct policy_port *listed = &rule->ports[i];

		if (listed->proto != (uint8_t)proto)
			continue;
		/* Both directions resolve names on the destination. */
		if (listed->name ? resolved && pod_has_port(&pair->to, listed->name, proto, port)
				 : listed->first <= port && port <= listed->last)
			return true;
	}
	return rule->n_ports == 0;
}

int eval_rules(struct graph *g, const struct flow_pair *pair, enum direction dir, enum proto proto,
	       uint16_t port, struct direction_report *ret)
{
	struct pair_profiles profiles;
	int rc = pair_profiles_find(g, pair, &profiles);

	*ret = (struct direction_report){0};
	if (rc == 0)
		ret->profile = profiles.dir[dir];
	for (size_t i = 0; ret->profile && i < ret->profile->n_rules && rc == 0; i++) {
		const struct rule_ref *ref = &ret->profile->rules[i];
		struct rule_report report = {
			.rule = ref,
			.peer = pair_peers_answer(pair, dir, &ref->peers),
			.port = rule_has_port(&ref->policy->rules[dir][ref->index], pair, dir,
					      proto, port),
		};
		rc = vec_push(&ret->rules, report);
	}
	pair_profiles_done(&profiles);
	return rc;
}

void direction_report_done(struct direction_report *report)
{
	vec_free(&report->rules);
}
