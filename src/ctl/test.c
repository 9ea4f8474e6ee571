/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netpolctl test: do the flows of a file fare as it says? */
#include <errno.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "report.h"

struct test {
	struct ctl *ctl;
	size_t flows, failed, unusable;
};

static void say(const struct test *test, const struct flow_line *line,
		const struct flow_result *result)
{
	const struct ctl *ctl = test->ctl;
	bool holds = result->verdict == line->expected;
	char proto[32];

	printf("%s%s%s %s:%u: %s -> %s %s: expected %s, is ",
	       !ctl->colour ? "" : (holds ? "\033[32m" : "\033[31m"), holds ? "ok  " : "FAIL",
	       ctl->colour ? "\033[0m" : "", line->file, line->line, line->flow.from, line->flow.to,
	       flow_proto_text(&line->flow, proto), verdict_name(line->expected));
	print_verdict_word(ctl, result->verdict, stdout);
	putchar('\n');
}

static int judge_text(const struct test *test, const struct flow_line *line,
		      const struct flow_result *result)
{
	bool holds = result->verdict == line->expected;

	if (result->verdict == VERDICT_NONE) {
		faults_add(&test->ctl->cluster.faults, FAULT_ERROR,
			   &(struct fault_place){.file = line->file, .line = line->line}, "%s",
			   result->reason);
		return 0;
	}
	if (!holds || test->ctl->verbose)
		say(test, line, result);
	return holds ? 0 : report_text(test->ctl, &line->flow, result, stdout);
}

static int judge(void *ctx, const struct flow_line *line)
{
	struct test *test = ctx;
	struct flow_result result;
	int rc = eval_flow(test->ctl->cluster.graph, &line->flow, &result);

	test->flows++;
	if (rc == 0 && result.verdict == VERDICT_NONE)
		test->unusable++;
	else if (rc == 0 && result.verdict != line->expected)
		test->failed++;
	if (rc == 0 && test->ctl->output == OUTPUT_JSON)
		rc = report_json(test->ctl, &line->flow, &result, line, stdout);
	else if (rc == 0)
		rc = judge_text(test, line, &result);
	flow_result_done(&result);
	return rc;
}

static void sum_up(const struct test *test)
{
	if (test->ctl->output == OUTPUT_JSON)
		printf("{\"flows\":%zu,\"hold\":%zu,\"fail\":%zu,\"unusable\":%zu}\n", test->flows,
		       test->flows - test->failed - test->unusable, test->failed, test->unusable);
	else
		printf("%zu flows: %zu hold, %zu fail, %zu unusable\n", test->flows,
		       test->flows - test->failed - test->unusable, test->failed, test->unusable);
}

int ctl_test(struct ctl *ctl, int argc, char *argv[])
{
	struct test test = {.ctl = ctl};
	size_t broken = 0;
	int rc = 0;

	if (argc == 0) {
		fprintf(stderr, "netpolctl: expected test FLOWS..., files of expectations (- is "
				"standard input)\n");
		return CTL_UNUSABLE;
	}
	for (int i = 0; i < argc && rc == 0; i++)
		rc = flows_read(argv[i], true, &ctl->cluster.faults, judge, &test, &broken);
	if (rc < 0)
		return CTL_NO_MEMORY;
	test.flows += broken;
	test.unusable += broken;
	sum_up(&test);
	if (test.unusable > 0)
		return CTL_UNUSABLE;
	return test.failed > 0 ? CTL_FAILED : CTL_OK;
}
