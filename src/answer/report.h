/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An evaluated flow for people and for programs. */
#ifndef ANSWER_REPORT_H
#define ANSWER_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "policy/eval.h"

/* 0 or -ENOMEM. */
int report_text(struct graph *graph, bool colour, const struct flow *flow,
		const struct flow_result *result, FILE *out);

/* An object; its members are in netpolctl(8). 0; -ENOMEM; -E2BIG: it would cost more than
 * listing `rules_max` rules. */
int report_json(struct graph *graph, const struct flow *flow, const struct flow_result *result,
		size_t rules_max, json_t **ret);

#endif
