/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netpolctl test: do the flows of a file fare as it says? */
#include <errno.h>
#include <stdio.h>

#include "ask.h"
#include "base/escape.h"
#include "base/json_text.h"

struct test {
	struct ctl *ctl;
	size_t flows, failed, unusable;
};

static void say(const struct test *test, const struct flow_line *line, enum verdict verdict)
{
	const struct ctl *ctl = test->ctl;
	bool holds = verdict == line->expected;
	char proto[32];

	printf("%s%s%s ", !ctl->colour ? "" : (holds ? "\033[32m" : "\033[31m"),
	       holds ? "ok  " : "FAIL", ctl->colour ? "\033[0m" : "");
	print_word(stdout, line->file);
	printf(":%u: ", line->line);
	print_word(stdout, line->flow.from);
	fputs(" -> ", stdout);
	print_word(stdout, line->flow.to);
	printf(" %s: expected %s, is ", flow_proto_text(&line->flow, proto),
	       verdict_name(line->expected));
	explain_verdict_word(verdict, ctl->colour, stdout);
	putchar('\n');
}

static void judge_text(const struct test *test, const struct flow_line *line,
		       const struct explanation *answer)
{
	bool holds = answer->verdict == line->expected;

	if (answer->verdict == VERDICT_NONE) {
		faults_add(&test->ctl->cluster.faults, FAULT_ERROR,
			   &(struct fault_place){.file = line->file, .line = line->line}, "%s",
			   answer->reason);
		return;
	}
	if (!holds || test->ctl->verbose)
		say(test, line, answer->verdict);
	if (!holds)
		fputs(answer->text, stdout);
}

static int judge_json(const struct flow_line *line, const struct explanation *answer)
{
	json_t *judged = json_pack("{s:s, s:b, s:o, s:I}", "expected", verdict_name(line->expected),
				   "holds", line->expected == answer->verdict, "file",
				   json_text(line->file), "line", (json_int_t)line->line);
	int rc = judged && json_object_update(answer->json, judged) == 0 ? 0 : -ENOMEM;

	json_decref(judged);
	return rc == 0 ? ctl_print_json(answer->json) : rc;
}

static int judge(void *ctx, const struct flow_line *line, const struct explanation *answer)
{
	struct test *test = ctx;

	test->flows++;
	if (answer->verdict == VERDICT_NONE)
		test->unusable++;
	else if (answer->verdict != line->expected)
		test->failed++;
	if (answer->json)
		return judge_json(line, answer);
	judge_text(test, line, answer);
	return 0;
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
	struct ask *ask;
	size_t broken = 0;
	int rc = 0;

	if (argc == 0) {
		print_line(stderr, "netpolctl: expected test FLOWS..., files of expectations (- is "
				   "standard input)");
		return CTL_UNUSABLE;
	}
	ask = ask_new(ctl, false, judge, &test);
	if (!ask)
		return CTL_NO_MEMORY;
	for (int i = 0; i < argc && rc == 0; i++)
		rc = flows_read(argv[i], true, &ctl->cluster.faults, ask_flow, ask, &broken);
	if (rc == 0)
		rc = ask_finish(ask);
	ask_free(ask);
	if (rc < 0)
		return ctl_status_of(rc, CTL_FAILED);
	test.flows += broken;
	test.unusable += broken;
	sum_up(&test);
	if (test.unusable > 0)
		return CTL_UNUSABLE;
	return test.failed > 0 ? CTL_FAILED : CTL_OK;
}
