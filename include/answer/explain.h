/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is answered about a flow, in words or as JSON. netpolctl answers so from manifests, and the
 * daemon from what it has rendered. */
#ifndef ANSWER_EXPLAIN_H
#define ANSWER_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "policy/eval.h"

enum explain_form { EXPLAIN_TEXT, EXPLAIN_COLOURED, EXPLAIN_JSON };

/* What is known of the host that the answers are about. */
struct explain_host {
	/* A device of an overlay between nodes, and its address; NULL: there is none. */
	const char *tunnel;
	struct addr tunnel_addr;
	/* UDP ports of tunnels, at which pods must not send; NULL: the standard ones. */
	const uint16_t *tunnel_ports;
	size_t n_tunnel_ports;
	bool pod_tunnels; /* but to addresses of no node they may */
};

struct explanation {
	enum verdict verdict;
	char *reason; /* VERDICT_NONE: why; else NULL */
	char *text;   /* EXPLAIN_TEXT, EXPLAIN_COLOURED: lines; else NULL */
	json_t *json; /* EXPLAIN_JSON: an object, as in netpolctl(8); else NULL */
};

/* 0 with what explanation_done() frees; -ENOMEM; or -E2BIG: as JSON it would cost more than
 * listing `rules_max` rules, each for every stretch of ports. `host` NULL: nothing is known. */
int explain_flow(struct graph *graph, const struct flow *flow, const struct explain_host *host,
		 enum explain_form form, size_t rules_max, struct explanation *ret);
void explanation_done(struct explanation *explanation);

/* allow or deny, in its colour. */
void explain_verdict_word(enum verdict verdict, bool colour, FILE *out);

#endif
