/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netpolctl explain: the verdict on a flow and the rules that made it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "base/err.h"
#include "base/escape.h"

struct explain {
	struct ctl *ctl;
	size_t unusable;
};

static int print_answer(void *ctx, const struct flow_line *line, const struct explanation *answer)
{
	struct explain *explain = ctx;

	explain->unusable += answer->verdict == VERDICT_NONE;
	if (answer->json)
		return ctl_print_json(answer->json);
	if (answer->text)
		fputs(answer->text, stdout);
	else
		faults_add(&explain->ctl->cluster.faults, FAULT_ERROR,
			   &(struct fault_place){.file = line->file, .line = line->line}, "%s",
			   answer->reason);
	return 0;
}

static int explain_one(struct ask *ask, char *argv[])
{
	struct flow_line line = {0};
	struct err err = {0};

	if (strlen(argv[0]) >= sizeof(line.flow.from) || strlen(argv[1]) >= sizeof(line.flow.to)) {
		print_line(stderr,
			   "netpolctl: name too long: expected namespace/pod or an address");
		return -EINVAL;
	}
	memcpy(line.flow.from, argv[0], strlen(argv[0]) + 1);
	memcpy(line.flow.to, argv[1], strlen(argv[1]) + 1);
	if (flow_parse_proto(argv[2], &line.flow, &err) < 0) {
		print_line(stderr, "netpolctl: %s", err.text);
		return -EINVAL;
	}
	return ask_flow(ask, &line);
}

int ctl_explain(struct ctl *ctl, int argc, char *argv[])
{
	bool is_stdin = argc == 1 && strcmp(argv[0], "-") == 0;
	struct explain explain = {.ctl = ctl};
	struct ask *ask;
	int rc;

	if (!is_stdin && argc != 3) {
		print_line(stderr,
			   "netpolctl: expected explain FROM TO PROTO[/PORT], or explain - for "
			   "flows on standard input");
		return CTL_UNUSABLE;
	}
	ask = ask_new(ctl, isatty(STDIN_FILENO), print_answer, &explain);
	if (!ask)
		return CTL_NO_MEMORY;
	if (is_stdin)
		rc = flows_read("-", false, &ctl->cluster.faults, ask_flow, ask, &explain.unusable);
	else
		rc = explain_one(ask, argv);
	if (rc == 0)
		rc = ask_finish(ask);
	ask_free(ask);
	return rc == 0 && explain.unusable == 0 ? CTL_OK : ctl_status_of(rc, CTL_UNUSABLE);
}
