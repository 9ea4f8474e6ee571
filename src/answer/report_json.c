/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "answer/explain.h"
#include "base/cleanup.h"
#include "base/json_text.h"
#include "report.h"
#include "tree.h"

static const char *answer_name(enum answer answer)
{
	static const char *const names[] = {"no", "maybe", "yes"};

	return names[answer];
}

static json_t *json_nodes(const struct flow_end *end)
{
	AUTO_JSON json_t *nodes = json_array();

	for (size_t i = 0; i < end->n_nodes; i++) {
		if (!tree_add(nodes, json_string(end->nodes[i])))
			return NULL;
	}
	return TAKE(nodes);
}

static json_t *json_end(const struct flow_end *end)
{
	static const char *const kinds[] = {"pod", "node", "external"};
	char text[ADDR_TEXT_MAX];
	AUTO_JSON json_t *json =
		json_pack("{s:s, s:o}", "kind", kinds[end->kind], "address",
			  end->has_addr ? json_string(addr_format(&end->addr, text)) : json_null());

	if (end->pod &&
	    !tree_put(json, "pod",
		      json_sprintf("%s/%s", end->pod->object->ns, end->pod->object->name)))
		return NULL;
	if (end->kind == END_NODE && !tree_put(json, "nodes", json_nodes(end)))
		return NULL;
	return TAKE(json);
}

static json_t *json_rule(const struct rule_report *report, enum direction dir)
{
	const struct network_policy *policy = report->rule->policy;
	unsigned line = policy->rules[dir][report->rule->index].line;
	AUTO_JSON json_t *json = json_pack("{s:o, s:I, s:s, s:b}", "policy",
					   json_sprintf("%s/%s", policy->ns, policy->name), "index",
					   (json_int_t)report->rule->index, "peer",
					   answer_name(report->peer), "port", report->port);

	if (policy->origin.file &&
	    (!tree_put(json, "file", json_text(policy->origin.file)) ||
	     !tree_put(json, "line", json_integer(line ? line : policy->origin.line))))
		return NULL;
	return TAKE(json);
}

static json_t *json_rules(const struct direction_report *report, enum direction dir)
{
	AUTO_JSON json_t *rules = json_array();

	for (size_t i = 0; i < report->rules.n; i++) {
		if (!tree_add(rules, json_rule(&report->rules.v[i], dir)))
			return NULL;
	}
	return TAKE(rules);
}

/* null where the end is no pod or not isolated; NULL: no memory. */
static json_t *json_direction(struct graph *graph, const struct flow_pair *pair, enum direction dir,
			      const struct flow_stretch *stretch)
{
	struct direction_report report;
	json_t *json = NULL;
	int rc = eval_rules(graph, pair, dir, stretch->proto, stretch->first, &report);

	if (rc == 0 && report.profile)
		json = json_pack("{s:s, s:s, s:o, s:o}", "tier", tier_name(TIER_NETWORK_POLICY),
				 "answer", answer_name(stretch->dir[dir]), "policies",
				 tree_policies(report.profile), "rules", json_rules(&report, dir));
	else if (rc == 0)
		json = json_null();
	direction_report_done(&report);
	return json;
}

static json_t *json_stretch(struct graph *graph, const struct flow_pair *pair,
			    const struct flow_stretch *stretch)
{
	AUTO_JSON json_t *json = json_pack("{s:s, s:s}", "protocol", proto_name(stretch->proto),
					   "answer", answer_name(stretch->whole));

	if (stretch->proto != PROTO_OTHER &&
	    (!tree_put(json, "first", json_integer(stretch->first)) ||
	     !tree_put(json, "last", json_integer(stretch->last))))
		return NULL;
	for (int dir = 0; dir < DIR_COUNT && pair->reason == PAIR_POLICY; dir++) {
		if (!tree_put(json, direction_name((enum direction)dir),
			      json_direction(graph, pair, (enum direction)dir, stretch)))
			return NULL;
	}
	return TAKE(json);
}

static json_t *json_stretches(struct graph *graph, const struct flow_pair *pair)
{
	AUTO_JSON json_t *stretches = json_array();

	for (size_t i = 0; i < pair->stretches.n; i++) {
		if (!tree_add(stretches, json_stretch(graph, pair, &pair->stretches.v[i])))
			return NULL;
	}
	return TAKE(stretches);
}

static json_t *json_pair(struct graph *graph, const struct flow_pair *pair)
{
	static const char *const reasons[] = {"policy", "self", "node-local"};

	return json_pack("{s:o, s:o, s:s, s:o}", "from", json_end(&pair->from), "to",
			 json_end(&pair->to), "reason", reasons[pair->reason], "ports",
			 json_stretches(graph, pair));
}

static json_t *json_pairs(struct graph *graph, const struct flow_result *result)
{
	AUTO_JSON json_t *pairs = json_array();

	for (size_t i = 0; i < result->pairs.n; i++) {
		if (!tree_add(pairs, json_pair(graph, &result->pairs.v[i])))
			return NULL;
	}
	return TAKE(pairs);
}

/* So many selectors are looked at in the time that it takes to list a rule. */
#define SELECTORS_PER_RULE 100

/* What one stretch costs, in rules. */
static size_t weigh_profile(const struct profile *profile)
{
	size_t selectors = 0;

	for (size_t i = 0; i < profile->n_rules; i++)
		selectors += profile->rules[i].peers.pods ? profile->rules[i].peers.pods->n : 0;
	return profile->n_rules + selectors / SELECTORS_PER_RULE;
}

static int weigh_pair(struct graph *graph, const struct flow_pair *pair, size_t *ret)
{
	struct graph_pod *const pods[DIR_COUNT] = {
		[DIR_EGRESS] = pair->from.kind == END_POD ? pair->from.pod : NULL,
		[DIR_INGRESS] = pair->to.kind == END_POD ? pair->to.pod : NULL,
	};
	int rc = 0;

	for (int dir = 0; dir < DIR_COUNT && rc == 0 && pair->reason == PAIR_POLICY; dir++) {
		struct profile *profile = NULL;

		if (pods[dir])
			rc = graph_profile(graph, pods[dir], (enum direction)dir, &profile);
		*ret += profile ? weigh_profile(profile) * pair->stretches.n : 0;
	}
	return rc;
}

static int weigh(struct graph *graph, const struct flow_result *result, size_t rules_max)
{
	size_t rules = 0;
	int rc = 0;

	for (size_t i = 0; i < result->pairs.n && rc == 0; i++)
		rc = weigh_pair(graph, &result->pairs.v[i], &rules);
	return rc == 0 && rules > rules_max ? -E2BIG : rc;
}

int report_json(struct graph *graph, const struct flow *flow, const struct flow_result *result,
		size_t rules_max, json_t **ret)
{
	char proto[32];
	int rc = weigh(graph, result, rules_max);

	if (rc < 0)
		return rc;
	AUTO_JSON json_t *json = json_pack(
		"{s:o, s:o, s:s, s:s, s:s, s:s, s:o}", "from", json_text(flow->from), "to",
		json_text(flow->to), "protocol", flow_proto_text(flow, proto), "verdict",
		verdict_name(result->verdict), "egress", verdict_name(result->dir[DIR_EGRESS]),
		"ingress", verdict_name(result->dir[DIR_INGRESS]), "pairs",
		json_pairs(graph, result));

	if (!json || (result->verdict == VERDICT_NONE &&
		      !tree_put(json, "reason", json_text(result->reason))))
		return -ENOMEM;
	*ret = TAKE(json);
	return 0;
}
