/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "report.h"

static const char *answer_name(enum answer answer)
{
	static const char *const names[] = {"no", "maybe", "yes"};

	return names[answer];
}

static json_t *json_end(const struct flow_end *end)
{
	static const char *const kinds[] = {"pod", "node", "external"};
	char text[ADDR_TEXT_MAX];
	json_t *json =
		json_pack("{s:s, s:o}", "kind", kinds[end->kind], "address",
			  end->has_addr ? json_string(addr_format(&end->addr, text)) : json_null());
	json_t *nodes;

	if (end->pod)
		(void)json_object_set_new(
			json, "pod",
			json_sprintf("%s/%s", end->pod->object->ns, end->pod->object->name));
	if (end->kind != END_NODE)
		return json;
	nodes = json_array();
	for (size_t i = 0; i < end->n_nodes; i++)
		(void)json_array_append_new(nodes, json_string(end->nodes[i]));
	(void)json_object_set_new(json, "nodes", nodes);
	return json;
}

static json_t *json_rule(const struct rule_report *report, enum direction dir)
{
	const struct network_policy *policy = report->rule->policy;
	unsigned line = policy->rules[dir][report->rule->index].line;
	json_t *json = json_pack("{s:o, s:I, s:s, s:b}", "policy",
				 json_sprintf("%s/%s", policy->ns, policy->name), "index",
				 (json_int_t)report->rule->index, "peer", answer_name(report->peer),
				 "port", report->port);

	if (policy->origin.file) {
		(void)json_object_set_new(json, "file", json_string(policy->origin.file));
		(void)json_object_set_new(json, "line",
					  json_integer(line ? line : policy->origin.line));
	}
	return json;
}

/* null where the end is no pod or not isolated. */
static int json_direction(struct ctl *ctl, const struct flow_pair *pair, enum direction dir,
			  const struct flow_stretch *stretch, json_t **ret)
{
	struct direction_report report;
	json_t *policies, *rules;
	int rc = eval_rules(ctl->cluster.graph, pair, dir, stretch->proto, stretch->first, &report);

	if (rc == 0 && !report.profile)
		*ret = json_null();
	if (rc < 0 || !report.profile) {
		direction_report_done(&report);
		return rc;
	}
	policies = json_array();
	for (size_t i = 0; i < report.profile->n_policies; i++)
		(void)json_array_append_new(policies,
					    json_sprintf("%s/%s", report.profile->policies[i]->ns,
							 report.profile->policies[i]->name));
	rules = json_array();
	for (size_t i = 0; i < report.rules.n; i++)
		(void)json_array_append_new(rules, json_rule(&report.rules.v[i], dir));
	*ret = json_pack("{s:s, s:s, s:o, s:o}", "tier", tier_name(TIER_NETWORK_POLICY), "answer",
			 answer_name(stretch->dir[dir]), "policies", policies, "rules", rules);
	direction_report_done(&report);
	return *ret ? 0 : -ENOMEM;
}

static int json_stretch(struct ctl *ctl, const struct flow_pair *pair,
			const struct flow_stretch *stretch, json_t **ret)
{
	json_t *json = json_pack("{s:s, s:s}", "protocol", proto_name(stretch->proto), "answer",
				 answer_name(pair_answer(stretch)));
	int rc = json ? 0 : -ENOMEM;

	if (stretch->proto != PROTO_OTHER) {
		(void)json_object_set_new(json, "first", json_integer(stretch->first));
		(void)json_object_set_new(json, "last", json_integer(stretch->last));
	}
	for (int dir = 0; dir < DIR_COUNT && rc == 0 && pair->reason == PAIR_POLICY; dir++) {
		json_t *direction = NULL;

		rc = json_direction(ctl, pair, (enum direction)dir, stretch, &direction);
		if (rc == 0)
			rc = json_object_set_new(json, direction_name((enum direction)dir),
						 direction) < 0
				     ? -ENOMEM
				     : 0;
	}
	*ret = json;
	return rc;
}

static int json_pair(struct ctl *ctl, const struct flow_pair *pair, json_t *pairs)
{
	static const char *const reasons[] = {"policy", "self", "node-local"};
	json_t *stretches = json_array();
	json_t *json =
		json_pack("{s:o, s:o, s:s, s:o}", "from", json_end(&pair->from), "to",
			  json_end(&pair->to), "reason", reasons[pair->reason], "ports", stretches);
	int rc = json_array_append_new(pairs, json) < 0 ? -ENOMEM : 0;

	for (size_t i = 0; i < pair->stretches.n && rc == 0; i++) {
		json_t *stretch = NULL;

		rc = json_stretch(ctl, pair, &pair->stretches.v[i], &stretch);
		if (json_array_append_new(stretches, stretch) < 0)
			rc = -ENOMEM;
	}
	return rc;
}

static void add_expectation(json_t *json, const struct flow_line *line,
			    const struct flow_result *result)
{
	if (!line || !line->expects)
		return;
	(void)json_object_set_new(json, "expected", json_string(verdict_name(line->expected)));
	(void)json_object_set_new(json, "holds", json_boolean(line->expected == result->verdict));
	(void)json_object_set_new(json, "file", json_string(line->file));
	(void)json_object_set_new(json, "line", json_integer(line->line));
}

int report_json(struct ctl *ctl, const struct flow *flow, const struct flow_result *result,
		const struct flow_line *line, FILE *out)
{
	char proto[32];
	json_t *pairs = json_array();
	AUTO_JSON json_t *json = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "from", flow->from, "to", flow->to,
		"protocol", flow_proto_text(flow, proto), "verdict", verdict_name(result->verdict),
		"egress", verdict_name(result->dir[DIR_EGRESS]), "ingress",
		verdict_name(result->dir[DIR_INGRESS]), "pairs", pairs);
	int rc = json ? 0 : -ENOMEM;

	if (result->verdict == VERDICT_NONE)
		(void)json_object_set_new(json, "reason", json_string(result->reason));
	add_expectation(json, line, result);
	for (size_t i = 0; i < result->pairs.n && rc == 0; i++)
		rc = json_pair(ctl, &result->pairs.v[i], pairs);
	if (rc == 0 && json_dumpf(json, out, JSON_COMPACT) < 0)
		rc = -ENOMEM;
	fputc('\n', out);
	return rc;
}
