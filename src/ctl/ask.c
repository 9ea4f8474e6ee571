/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "control.h"

/* One request to the daemon: what it answers in one go, see netpold(8). */
#define FLOWS_AT_ONCE 256
#define BYTES_AT_ONCE 32768

struct ask {
	struct ctl *ctl;
	ask_fn fn;
	void *ctx;
	enum explain_form form;

	/* The daemon. */
	struct control *control; /* NULL: not asked yet */
	size_t at_once;
	VEC(struct flow_line) waiting;
	VEC(char) body;
};

struct ask *ask_new(struct ctl *ctl, bool one_by_one, ask_fn fn, void *ctx)
{
	struct ask *ask = calloc(1, sizeof(*ask));

	if (!ask)
		return NULL;
	ask->ctl = ctl;
	ask->fn = fn;
	ask->ctx = ctx;
	ask->at_once = one_by_one ? 1 : FLOWS_AT_ONCE;
	ask->form = ctl->output == OUTPUT_JSON ? EXPLAIN_JSON
		    : ctl->colour              ? EXPLAIN_COLOURED
					       : EXPLAIN_TEXT;
	return ask;
}

void ask_free(struct ask *ask)
{
	if (!ask)
		return;
	control_free(ask->control);
	vec_free(&ask->waiting);
	vec_free(&ask->body);
	free(ask);
}

static int ask_graph(struct ask *ask, const struct flow_line *line)
{
	struct explanation answer = {0};
	int rc = explain_flow(ask->ctl->cluster.graph, &line->flow, NULL, ask->form, SIZE_MAX,
			      &answer);

	if (rc == 0)
		rc = ask->fn(ask->ctx, line, &answer);
	explanation_done(&answer);
	return rc;
}

static int add_words(struct ask *ask, const struct flow *flow)
{
	char proto[32];
	const char *const words[] = {flow->from, " ", flow->to, " ", flow_proto_text(flow, proto),
				     "\n"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		for (const char *at = words[i]; *at; at++) {
			if (vec_push(&ask->body, *at) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static bool read_verdict(const char *name, enum verdict *ret)
{
	for (int i = 0; name && i <= VERDICT_NONE; i++) {
		if (strcmp(name, verdict_name((enum verdict)i)) != 0)
			continue;
		*ret = (enum verdict)i;
		return true;
	}
	return false;
}

/* What the daemon says of one flow. */
static int take_answer(struct ask *ask, const struct flow_line *line, json_t *json)
{
	const char *error = json_string_value(json_object_get(json, "error"));
	const char *text = json_string_value(json_object_get(json, "text"));
	const char *reason = json_string_value(json_object_get(json, "reason"));
	struct explanation answer = {.verdict = VERDICT_NONE, .reason = (char *)error};

	if (error)
		return ask->fn(ask->ctx, line, &answer);
	if (!read_verdict(json_string_value(json_object_get(json, "verdict")), &answer.verdict) ||
	    (answer.verdict == VERDICT_NONE && !reason) || (ask->form != EXPLAIN_JSON && !text))
		return control_complain(ask->control, "not an answer of netpold's");
	/* Lent: the tree has them. */
	answer.reason = (char *)reason;
	answer.text = (char *)text;
	answer.json = ask->form == EXPLAIN_JSON ? json : NULL;
	return ask->fn(ask->ctx, line, &answer);
}

/* One line for each flow from the first on: at least one, but not always all. */
static int take_answers(struct ask *ask, const struct control_answer *body, size_t *done)
{
	size_t before = *done;
	json_error_t error;
	int rc = 0;

	for (const char *at = body->bytes, *end; rc == 0 && *at; at = end + 1) {
		end = strchrnul(at, '\n');
		if (*end == '\0' || *done == ask->waiting.n)
			return control_complain(ask->control, "not as many answers as flows");
		AUTO_JSON json_t *json = json_loadb(at, (size_t)(end - at), 0, &error);

		if (!json)
			return control_complain(ask->control, error.text);
		rc = take_answer(ask, &ask->waiting.v[*done], json);
		++*done;
	}
	if (rc == 0 && *done == before)
		return control_complain(ask->control, "not as many answers as flows");
	return rc;
}

static int ask_daemon(struct ask *ask)
{
	static const char *const paths[] = {
		[EXPLAIN_TEXT] = "/explain?format=text",
		[EXPLAIN_COLOURED] = "/explain?format=text&colour=1",
		[EXPLAIN_JSON] = "/explain?format=json",
	};
	size_t done = 0;
	int rc = 0;

	if (!ask->control)
		ask->control = control_new(ask->ctl->control, CTL_OR_MANIFESTS);
	if (!ask->control)
		return -ENOMEM;
	while (rc == 0 && done < ask->waiting.n) {
		const struct control_answer *answer = NULL;

		ask->body.n = 0;
		for (size_t i = done; i < ask->waiting.n && ask->body.n < BYTES_AT_ONCE && rc == 0;
		     i++)
			rc = add_words(ask, &ask->waiting.v[i].flow);
		if (rc == 0)
			rc = control_ask(ask->control, paths[ask->form], ask->body.v, ask->body.n,
					 &answer);
		if (rc == 0)
			rc = take_answers(ask, answer, &done);
	}
	ask->waiting.n = 0;
	return rc;
}

int ask_flow(void *ctx, const struct flow_line *line)
{
	struct ask *ask = ctx;

	if (ask->ctl->cluster.graph)
		return ask_graph(ask, line);
	if (vec_push(&ask->waiting, *line) < 0)
		return -ENOMEM;
	return ask->waiting.n < ask->at_once ? 0 : ask_daemon(ask);
}

int ask_finish(struct ask *ask)
{
	int rc = ask->waiting.n > 0 ? ask_daemon(ask) : 0;

	if (ask->control)
		control_warn(ask->control);
	return rc;
}
