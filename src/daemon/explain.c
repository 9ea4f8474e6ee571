/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows that the control socket is asked about, one a line, answered from the graph that is
 * rendered: one object a line. As long as this takes nothing else happens, so it ends after a
 * while, with what has been answered. */
#include <errno.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/explain.h"
#include "answer/flows.h"
#include "answer/pods.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/json_text.h"
#include "base/memstream.h"
#include "internal.h"

/* Of one request; what is left is asked again. At least one flow is answered. */
#define EXPLAIN_FLOWS_MAX 256
#define EXPLAIN_TURN_MS   20
#define EXPLAIN_BYTES_MAX (1u << 20)
#define GRAPH_PODS_MAX    256

/* Listed for one flow, each for every stretch of ports. */
#define EXPLAIN_RULES_MAX 20000

struct explain {
	struct graph *graph;
	struct explain_host host;
	enum explain_form form;
	struct evbuffer *out;
	unsigned line;
	size_t answered;
};

/* Takes the object over. */
static int add_answer(struct explain *explain, json_t *answer)
{
	AUTO_JSON json_t *json = answer;
	AUTO_FREE char *line = json_line(json);

	if (!line || evbuffer_add(explain->out, line, strlen(line)) < 0)
		return -ENOMEM;
	explain->answered++;
	return 0;
}

static int add_error(struct explain *explain, const char *value, const char *text)
{
	AUTO_FREE char *whole = NULL;

	if (asprintf(&whole, "%s%s%s", value ? value : "", value ? ": " : "", text) < 0)
		return -ENOMEM;
	return add_answer(explain, json_pack("{s:o, s:I}", "error", json_text(whole), "line",
					     (json_int_t)explain->line));
}

static int add_explanation(struct explain *explain, struct explanation *answer)
{
	json_t *json = TAKE(answer->json);

	if (explain->form != EXPLAIN_JSON)
		json = json_pack("{s:s, s:o}", "verdict", verdict_name(answer->verdict), "text",
				 json_text(answer->text));
	if (explain->form != EXPLAIN_JSON && answer->reason &&
	    json_object_set_new(json, "reason", json_text(answer->reason)) < 0) {
		json_decref(json);
		return -ENOMEM;
	}
	return add_answer(explain, json);
}

static int answer_line(struct explain *explain, char *text)
{
	struct flow_line line = {.line = explain->line};
	struct explanation answer = {0};
	struct faults faults = {0};
	int rc = flow_line_parse(text, false, &faults, &line);

	if (rc == -EINVAL) {
		rc = faults.n > 0 ? add_error(explain, faults.v[0].value, faults.v[0].text)
				  : -ENOMEM;
		faults_done(&faults);
		return rc;
	}
	rc = explain_flow(explain->graph, &line.flow, &explain->host, explain->form,
			  EXPLAIN_RULES_MAX, &answer);
	if (rc == -E2BIG)
		return add_error(explain, NULL,
				 "too many rules and port ranges for the daemon to list: expected "
				 "one port, or manifests");
	if (rc == 0)
		rc = add_explanation(explain, &answer);
	explanation_done(&answer);
	return rc;
}

static bool has_time(const struct explain *explain, int64_t since_ms)
{
	return explain->answered == 0 || (explain->answered < EXPLAIN_FLOWS_MAX &&
					  clock_monotonic_ms() - since_ms < EXPLAIN_TURN_MS &&
					  evbuffer_get_length(explain->out) < EXPLAIN_BYTES_MAX);
}

static int answer_lines(struct explain *explain, char *text)
{
	int64_t since_ms = clock_monotonic_ms();
	char *next = text;
	int rc = 0;

	while (rc == 0 && next && has_time(explain, since_ms)) {
		char *line = strsep(&next, "\n");

		explain->line++;
		if (flow_line_strip(line))
			rc = answer_line(explain, line);
	}
	return rc;
}

static bool query_is(const struct evkeyvalq *query, const char *key, const char *wanted)
{
	const char *value = evhttp_find_header(query, key);

	return value && strcmp(value, wanted) == 0;
}

/* 0 or -EINVAL. */
static int read_form(const struct evkeyvalq *query, enum explain_form *ret)
{
	if (query_is(query, "format", "text"))
		*ret = query_is(query, "colour", "1") ? EXPLAIN_COLOURED : EXPLAIN_TEXT;
	else if (query_is(query, "format", "json") || !evhttp_find_header(query, "format"))
		*ret = EXPLAIN_JSON;
	else
		return -EINVAL;
	return 0;
}

/* Why the kernel has something else than what is rendered; "": it has the same. */
static void describe_behind(const struct daemon *d, char *to, size_t len)
{
	*to = '\0';
	if (!d->ready && d->held)
		(void)snprintf(to, len, "it has the rules of an earlier run, see netpold's log");
	else if (d->apply.problem[0])
		(void)snprintf(to, len, "%s", d->apply.problem);
	else if (!d->ready)
		(void)snprintf(to, len, "it has not been written yet");
	else if (d->dirty)
		(void)snprintf(to, len, "the last changes are not in it yet");
	else if (d->apply.refused.n > 0)
		(void)snprintf(to, len,
			       "it refuses chains or sets, and what they would allow is closed: "
			       "see netpolctl status");
}

static void add_behind(const struct daemon *d, struct evhttp_request *request)
{
	char behind[512], escaped[512]; /* a header is one line */

	describe_behind(d, behind, sizeof(behind));
	(void)escape_copy(escaped, sizeof(escaped), ESCAPE_LINE, behind);
	if (behind[0])
		(void)evhttp_add_header(evhttp_request_get_output_headers(request),
					"Netpold-Behind", escaped);
}

static void reply_no_memory(struct evhttp_request *request)
{
	server_reply_text(request, HTTP_INTERNAL, "Internal Server Error", "out of memory");
}

/* The body as text; NULL: no memory. */
static char *read_body(struct evhttp_request *request)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(request);
	size_t len = evbuffer_get_length(in);
	char *text = malloc(len + 1);

	if (!text)
		return NULL;
	(void)evbuffer_remove(in, text, len);
	text[len] = '\0';
	for (size_t i = 0; i < len; i++) /* the end of its line, but of no other */
		text[i] = text[i] == '\0' ? '#' : text[i];
	return text;
}

static void answer_explain(struct daemon *d, struct evhttp_request *request, enum explain_form form)
{
	AUTO_FREE char *text = read_body(request);
	struct explain explain = {.graph = d->graph, .form = form, .out = evbuffer_new()};
	uint16_t ports[LINKS_TUNNELS_MAX];
	int rc;

	explain.host.tunnel = attach_tunnel(d->attach, &explain.host.tunnel_addr);
	explain.host.tunnel_ports = ports;
	explain.host.n_tunnel_ports = links_tunnel_ports(attach_links(d->attach), ports);
	explain.host.pod_tunnels = d->settings->pod_tunnels;
	rc = text && explain.out ? answer_lines(&explain, text) : -ENOMEM;

	graph_forget(d->graph);
	add_behind(d, request);
	if (rc == 0)
		server_reply(request, HTTP_OK, "OK", "application/x-ndjson", explain.out);
	else
		reply_no_memory(request);
	if (explain.out)
		evbuffer_free(explain.out);
}

static int add_next(struct evhttp_request *request, const char *last)
{
	AUTO_FREE char *escaped = last ? evhttp_uriencode(last, -1, 0) : NULL;

	if (!last)
		return 0;
	return escaped && evhttp_add_header(evhttp_request_get_output_headers(request),
					    "Netpold-Next", escaped) == 0
		       ? 0
		       : -ENOMEM;
}

static void answer_graph(struct daemon *d, struct evhttp_request *request, enum explain_form form,
			 const char *after)
{
	AUTO_FREE char *text = NULL, *last = NULL;
	size_t len = 0;
	struct memstream stream;
	bool open = memstream_open(&stream) == 0;
	struct evbuffer *body = evbuffer_new();
	int rc = open && body ? pods_print(d->graph, after ? after : "", GRAPH_PODS_MAX,
					   form == EXPLAIN_JSON, stream.out, &last)
			      : -ENOMEM;

	graph_forget(d->graph);
	if (open && memstream_close(&stream, &text, &len) < 0)
		rc = -ENOMEM;
	if (rc == 0)
		rc = add_next(request, last);
	if (rc == 0)
		rc = evbuffer_add(body, text, len);
	add_behind(d, request);
	if (rc == 0)
		server_reply(request, HTTP_OK, "OK",
			     form == EXPLAIN_JSON ? "application/x-ndjson"
						  : "text/plain; charset=utf-8",
			     body);
	else
		reply_no_memory(request);
	if (body)
		evbuffer_free(body);
}

/* The graph stands halfway: another answer than what is rendered would come of it. */
static void reply_busy(struct evhttp_request *request)
{
	/* Without memory for it the client tells and ends. */
	(void)evhttp_add_header(evhttp_request_get_output_headers(request), "Retry-After", "1");
	server_reply_text(request, HTTP_SERVUNAVAIL, "Service Unavailable", SERVER_BUSY);
}

static void run_flush(struct daemon *d, struct job *job)
{
	(void)job;
	if (flush_policies(d) < 0)
		daemon_give_up(d);
}

/* Policies that wait for the next commit are brought to the pods first. */
static bool is_busy(struct daemon *d)
{
	d->flush_job.run = run_flush;
	if (!d->changing && graph_is_held(d->graph))
		work_add(d, &d->flush_job);
	return d->changing || graph_is_held(d->graph);
}

static void ask(struct evhttp_request *request, struct daemon *d, bool about_flows)
{
	const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
	struct evkeyvalq query = {0};
	enum explain_form form;

	if (evhttp_parse_query_str(text ? text : "", &query) < 0 || read_form(&query, &form) < 0)
		server_reply_text(request, HTTP_BADREQUEST, "Bad Request",
				  "expected format=text or format=json");
	else if (!d->synced)
		server_reply_text(request, HTTP_SERVUNAVAIL, "Service Unavailable",
				  SERVER_NOT_SYNCED);
	else if (is_busy(d))
		reply_busy(request);
	else if (about_flows)
		answer_explain(d, request, form);
	else
		answer_graph(d, request, form, evhttp_find_header(&query, "after"));
	evhttp_clear_headers(&query);
}

void server_on_explain(struct evhttp_request *request, void *ctx)
{
	if (evhttp_request_get_command(request) == EVHTTP_REQ_POST)
		ask(request, ctx, true);
	else
		server_reply_text(request, HTTP_BADMETHOD, "Method Not Allowed",
				  "expected POST with flows, one a line");
}

void server_on_graph(struct evhttp_request *request, void *ctx)
{
	ask(request, ctx, false);
}
