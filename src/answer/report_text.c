/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "answer/explain.h"
#include "base/escape.h"
#include "describe.h"
#include "report.h"

void explain_verdict_word(enum verdict verdict, bool colour, FILE *out)
{
	static const char *const paint[] = {"\033[32m", "\033[31m", "\033[33m", "\033[35m"};

	fprintf(out, "%s%s%s", colour ? paint[verdict] : "", verdict_name(verdict),
		colour ? "\033[0m" : "");
}

static void print_rule_place(const struct rule_report *report, enum direction dir, FILE *out)
{
	const struct network_policy *policy = report->rule->policy;
	const struct policy_rule *rule = &policy->rules[dir][report->rule->index];

	print_word(out, policy->name);
	fprintf(out, " %s rule %zu", direction_name(dir), report->rule->index);
	if (policy->origin.file) {
		fputs(" (", out);
		print_word(out, policy->origin.file);
		fprintf(out, ":%u)", rule->line ? rule->line : policy->origin.line);
	}
}

/* With many ports asked about at once, only the peer can be said to match or not. */
static const char *match_word(const struct rule_report *report, bool one_port)
{
	if (!one_port) {
		static const char *const words[] = {"no match: the peer",
						    "the peer may match, depending on an address",
						    "the peer matches"};
		return words[report->peer];
	}
	if (report->peer == ANSWER_YES && report->port)
		return "matches";
	if (report->peer == ANSWER_MAYBE && report->port)
		return "may match, depending on an address";
	if (report->peer != ANSWER_NO)
		return "no match: the port";
	return report->port ? "no match: the peer" : "no match: neither peer nor port";
}

static void print_rule(const struct rule_report *report, enum direction dir, bool one_port,
		       FILE *out)
{
	const struct policy_rule *rule = &report->rule->policy->rules[dir][report->rule->index];

	fputs("    ", out);
	print_rule_place(report, dir, out);
	fprintf(out, ": %s\n      wants %s ", match_word(report, one_port),
		dir == DIR_INGRESS ? "from" : "to");
	describe_peers(out, rule);
	fputs(" at ", out);
	describe_ports(out, rule);
	fputc('\n', out);
}

static void print_policies(const struct profile *profile, FILE *out)
{
	for (size_t i = 0; i < profile->n_policies; i++) {
		fputs(i > 0 ? ", " : "", out);
		print_word(out, profile->policies[i]->name);
	}
}

/* What allowed it; or all that was there and did not. */
static void print_rules(const struct direction_report *report, enum direction dir, bool one_port,
			FILE *out)
{
	bool matched = false;

	for (size_t i = 0; i < report->rules.n && one_port; i++) {
		const struct rule_report *rule = &report->rules.v[i];

		if (rule->peer == ANSWER_YES && rule->port) {
			print_rule(rule, dir, one_port, out);
			matched = true;
		}
	}
	for (size_t i = 0; !matched && i < report->rules.n; i++)
		print_rule(&report->rules.v[i], dir, one_port, out);
	if (report->rules.n == 0 && !report->profile->over)
		fprintf(out, "    they have no %s rules\n", direction_name(dir));
	if (report->profile->over)
		fprintf(out, "    closed: they have %s\n",
			profile_limit_text(report->profile->over));
}

static int print_direction(struct graph *graph, const struct flow_pair *pair, enum direction dir,
			   FILE *out)
{
	const struct flow_end *end = dir == DIR_EGRESS ? &pair->from : &pair->to;
	const struct flow_stretch *stretch = &pair->stretches.v[0];
	bool one_port = pair->stretches.n == 1 && stretch->first == stretch->last;
	struct direction_report report;
	int rc;

	fprintf(out, "  %s of ", direction_name(dir));
	describe_end(out, end);
	if (end->kind != END_POD) {
		fputs(": policies are about pods only\n", out);
		return 0;
	}
	rc = eval_rules(graph, pair, dir, stretch->proto, stretch->first, &report);
	if (rc == 0 && !report.profile) {
		fprintf(out, ": not isolated, no policy selects it for %s\n", direction_name(dir));
	} else if (rc == 0) {
		static const char *const words[] = {"denied, ", "depends, ", "allowed, "};

		fprintf(out, ": %sisolated by ", one_port ? words[stretch->dir[dir]] : "");
		print_policies(report.profile, out);
		fputc('\n', out);
		print_rules(&report, dir, one_port, out);
	}
	direction_report_done(&report);
	return rc;
}

/* "  allow: tcp/80, udp/53" */
static void print_stretches(const struct flow_pair *pair, enum answer answer, FILE *out)
{
	static const char *const words[] = {"deny", "depends on an address", "allow"};
	bool first = true;

	for (size_t i = 0; i < pair->stretches.n; i++) {
		struct flow_stretch whole = pair->stretches.v[i];

		if (whole.whole != answer)
			continue;
		/* Stretches that differ only in which direction decides read as one. */
		while (i + 1 < pair->stretches.n && pair->stretches.v[i + 1].proto == whole.proto &&
		       pair->stretches.v[i + 1].whole == answer)
			whole.last = pair->stretches.v[++i].last;
		if (first)
			fprintf(out, "  %s: ", words[answer]);
		else
			fputs(", ", out);
		first = false;
		describe_stretch(out, &whole);
	}
	if (!first)
		fputc('\n', out);
}

/* Do both addresses of a pod fare alike? */
static bool same_answers(const struct flow_pair *a, const struct flow_pair *b)
{
	if (a->reason != b->reason || a->stretches.n != b->stretches.n)
		return false;
	for (size_t i = 0; i < a->stretches.n; i++) {
		const struct flow_stretch *x = &a->stretches.v[i], *y = &b->stretches.v[i];

		if (x->proto != y->proto || x->first != y->first || x->last != y->last ||
		    !stretch_same_answers(x, y))
			return false;
	}
	return true;
}

static int print_pair(struct graph *graph, const struct flow_result *result, size_t index,
		      FILE *out)
{
	const struct flow_pair *pair = &result->pairs.v[index];
	int rc;

	if (result->pairs.n > 1) {
		fputs(" ", out);
		describe_end(out, &pair->from);
		fputs(" -> ", out);
		describe_end(out, &pair->to);
		if (index > 0 && same_answers(pair, &result->pairs.v[index - 1])) {
			fputs(": the same\n", out);
			return 0;
		}
		fputc('\n', out);
	}
	switch (pair->reason) {
	case PAIR_SELF:
		fputs("  a pod can always reach itself\n", out);
		return 0;
	case PAIR_NODE_LOCAL:
		fprintf(out, "  a node can always reach the pods on it%s\n",
			pair->from.kind == END_POD ? ", and they it by local-node-egress = allow"
						   : "");
		return 0;
	case PAIR_POLICY:
		break;
	}
	if (pair->stretches.n == 0)
		return 0;
	if (pair->stretches.n > 1 || (result->pairs.n > 1 && result->verdict == VERDICT_MIXED)) {
		print_stretches(pair, ANSWER_YES, out);
		print_stretches(pair, ANSWER_MAYBE, out);
		print_stretches(pair, ANSWER_NO, out);
	}
	if (pair->node_dns)
		fputs("  port 53 of a link-local address of its own node is open to a pod\n", out);
	rc = print_direction(graph, pair, DIR_EGRESS, out);
	return rc == 0 ? print_direction(graph, pair, DIR_INGRESS, out) : rc;
}

int report_text(struct graph *graph, bool colour, const struct flow *flow,
		const struct flow_result *result, FILE *out)
{
	char proto[32];
	int rc = 0;

	explain_verdict_word(result->verdict, colour, out);
	print_line(out, " %s -> %s %s", flow->from, flow->to, flow_proto_text(flow, proto));
	if (result->verdict == VERDICT_NONE)
		print_line(out, "  %s", result->reason);
	for (size_t i = 0; i < result->pairs.n && result->verdict != VERDICT_NONE && rc == 0; i++)
		rc = print_pair(graph, result, i, out);
	return rc;
}
