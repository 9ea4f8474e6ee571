/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netpolctl explain: the verdict on a flow and the rules that made it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "ctl/ctl.h"
#include "report.h"

struct explain {
	struct ctl *ctl;
	size_t unusable;
};

static int explain_flow(struct explain *explain, const struct flow *flow)
{
	struct ctl *ctl = explain->ctl;
	struct flow_result result;
	int rc = eval_flow(ctl->cluster.graph, flow, &result);

	if (rc == 0 && ctl->output == OUTPUT_JSON)
		rc = report_json(ctl, flow, &result, NULL, stdout);
	else if (rc == 0)
		rc = report_text(ctl, flow, &result, stdout);
	if (result.verdict == VERDICT_NONE)
		explain->unusable++;
	flow_result_done(&result);
	return rc;
}

static int explain_line(void *ctx, const struct flow_line *line)
{
	return explain_flow(ctx, &line->flow);
}

static int explain_one(struct explain *explain, char *argv[])
{
	struct flow flow = {0};
	struct err err = {0};

	if (strlen(argv[0]) >= sizeof(flow.from) || strlen(argv[1]) >= sizeof(flow.to)) {
		fprintf(stderr, "netpolctl: name too long: expected namespace/pod or an address\n");
		return -EINVAL;
	}
	memcpy(flow.from, argv[0], strlen(argv[0]) + 1);
	memcpy(flow.to, argv[1], strlen(argv[1]) + 1);
	if (flow_parse_proto(argv[2], &flow, &err) < 0) {
		fprintf(stderr, "netpolctl: %s\n", err.text);
		return -EINVAL;
	}
	return explain_flow(explain, &flow);
}

int ctl_explain(struct ctl *ctl, int argc, char *argv[])
{
	struct explain explain = {.ctl = ctl};
	int rc;

	if (argc == 1 && strcmp(argv[0], "-") == 0) {
		rc = flows_read("-", false, &ctl->cluster.faults, explain_line, &explain,
				&explain.unusable);
	} else if (argc == 3) {
		rc = explain_one(&explain, argv);
	} else {
		fprintf(stderr,
			"netpolctl: expected explain FROM TO PROTO[/PORT], or explain - for "
			"flows on standard input\n");
		return CTL_UNUSABLE;
	}
	if (rc == -ENOMEM)
		return CTL_NO_MEMORY;
	return rc < 0 || explain.unusable > 0 ? CTL_UNUSABLE : CTL_OK;
}
