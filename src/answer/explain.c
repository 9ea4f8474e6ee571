/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "answer/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report.h"

static int write_text(struct graph *graph, const struct flow *flow,
		      const struct flow_result *result, bool colour, char **ret)
{
	size_t len;
	FILE *out = open_memstream(ret, &len);
	int rc = out ? report_text(graph, colour, flow, result, out) : -ENOMEM;

	if (out && (ferror(out) | fclose(out)) != 0)
		rc = -ENOMEM;
	return rc;
}

int explain_flow(struct graph *graph, const struct flow *flow, enum explain_form form,
		 size_t rules_max, struct explanation *ret)
{
	struct explanation made = {0};
	struct flow_result result;
	int rc = eval_flow(graph, flow, &result);

	if (rc == 0 && form == EXPLAIN_JSON)
		rc = report_json(graph, flow, &result, rules_max, &made.json);
	else if (rc == 0)
		rc = write_text(graph, flow, &result, form == EXPLAIN_COLOURED, &made.text);
	made.verdict = result.verdict;
	if (rc == 0 && result.verdict == VERDICT_NONE) {
		made.reason = strdup(result.reason);
		rc = made.reason ? 0 : -ENOMEM;
	}
	flow_result_done(&result);
	if (rc == 0)
		*ret = made;
	else
		explanation_done(&made);
	return rc;
}

void explanation_done(struct explanation *explanation)
{
	free(explanation->reason);
	free(explanation->text);
	json_decref(explanation->json);
}
