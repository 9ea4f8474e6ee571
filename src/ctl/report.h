/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An evaluated flow for people and for programs. */
#ifndef CTL_REPORT_H
#define CTL_REPORT_H

#include <stdio.h>

#include "ctl/ctl.h"

/* 0 or -ENOMEM. */
int report_text(struct ctl *ctl, const struct flow *flow, const struct flow_result *result,
		FILE *out);

/* One line, an object; its members are in netpolctl(8). `line` (may be NULL) is where an
 * expectation stands. */
int report_json(struct ctl *ctl, const struct flow *flow, const struct flow_result *result,
		const struct flow_line *line, FILE *out);

/* allow or deny, in its colour. */
void print_verdict_word(const struct ctl *ctl, enum verdict verdict, FILE *out);

#endif
