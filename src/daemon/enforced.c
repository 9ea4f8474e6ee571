/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a pod enforced? Asked by the CNI plugin, which does not let the pod start before it is. An
 * answer waits for the commit that makes it so, at most a second; the plugin asks again. */
#include <errno.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/vec.h"
#include "local.h"

/* Longer would be cut by who closes idle connections. */
#define WAIT_MAX_MS 1000
/* More than a node starts pods at a time; who comes then asks again. */
#define WAITERS_MAX    512
#define NAME_BYTES_MAX 254
#define REASON_MAX     512

/* Which pod, and which of its containers' networks: a new one has new addresses. */
struct enforced_query {
	char ns[NAME_BYTES_MAX], name[NAME_BYTES_MAX], uid[NAME_BYTES_MAX];
	char container[NAME_BYTES_MAX];
	int wait_ms;
};

struct enforced_waiter {
	struct daemon *d;
	struct evhttp_request *request;
	struct enforced_query query;
	struct event *due;
	struct enforced_waiter *prev, *next;
};

/* Why the daemon enforces nothing new at all; false: it does. */
static bool is_held_up(const struct daemon *d, char *reason)
{
	const char *why = NULL;

	if (!d->synced)
		why = SERVER_NOT_SYNCED;
	else if (d->held)
		why = "the rules of an earlier run stay until the manifests are mended";
	else if (d->apply.problem[0])
		why = d->apply.problem;
	else if (!d->ready)
		why = "the kernel has not been written yet";
	if (why)
		(void)snprintf(reason, REASON_MAX, "%s", why);
	return why;
}

/* The addresses in the ruleset are those that the plugins before gave the pod. */
static bool has_addrs(const struct graph_pod *pod, const struct attachment *attachment)
{
	for (size_t i = 0; i < attachment->n_addrs; i++) {
		enum family family = (enum family)attachment->addrs[i].family;
		const struct addr *own = pod_addr(pod->object, family);

		if (!own || addr_compare(own, &attachment->addrs[i]) != 0 ||
		    !graph_pod_owns(pod, family))
			return false;
	}
	return true;
}

static bool is_enforced(const struct daemon *d, const struct enforced_query *q, char *reason)
{
	const struct attachment *attachment = attach_by_pod(d->attach, q->ns, q->name, q->uid);
	const struct graph_pod *pod = graph_find_pod(d->graph, q->ns, q->name);
	const char *why = "";

	if (is_held_up(d, reason))
		return false;
	if (!attachment || !attachment->result ||
	    strcmp(attachment->result->container, q->container) != 0)
		why = "its network has not been seen yet: does netpold follow the plugin's "
		      "directory of results?";
	else if (!local_find(d, q->ns, q->name) || !pod)
		why = "no source has it as a pod of this node yet";
	else if (!pod->is_endpoint || !has_addrs(pod, attachment))
		why = "another pod has its address";
	else if (d->dirty)
		why = "the last changes are not in the kernel yet";
	(void)snprintf(reason, REASON_MAX, "%s", why);
	return !*why;
}

static void reply(struct evhttp_request *request, bool enforced, const char *reason)
{
	if (enforced)
		server_reply_text(request, HTTP_OK, "OK", "enforced");
	else
		server_reply_text(request, HTTP_SERVUNAVAIL, "Service Unavailable", reason);
}

static void waiter_free(struct enforced_waiter *waiter)
{
	DL_DELETE(waiter->d->waiters, waiter);
	waiter->d->n_waiters--;
	event_free(waiter->due);
	free(waiter);
}

/* A request whose connection has gone meanwhile is freed by evhttp_send_reply(). */
static void answer(struct enforced_waiter *waiter, bool enforced, const char *reason)
{
	reply(waiter->request, enforced, reason);
	waiter_free(waiter);
}

static void on_due(evutil_socket_t fd, short what, void *ctx)
{
	struct enforced_waiter *waiter = ctx;
	char reason[REASON_MAX];
	bool enforced = is_enforced(waiter->d, &waiter->query, reason);

	(void)fd;
	(void)what;
	answer(waiter, enforced, reason);
}

void enforced_check(struct daemon *d)
{
	struct enforced_waiter *waiter, *next;
	char reason[REASON_MAX];

	DL_FOREACH_SAFE (d->waiters, waiter, next) {
		if (is_enforced(d, &waiter->query, reason))
			answer(waiter, true, "");
	}
}

/* 0 or -ENOMEM. */
static int wait_for(struct daemon *d, struct evhttp_request *request,
		    const struct enforced_query *query)
{
	struct enforced_waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter)
		return -ENOMEM;
	waiter->d = d;
	waiter->request = request;
	waiter->query = *query;
	waiter->due = evtimer_new(d->base, on_due, waiter);
	if (!waiter->due) {
		free(waiter);
		return -ENOMEM;
	}
	DL_APPEND(d->waiters, waiter);
	d->n_waiters++;
	arm(waiter->due, query->wait_ms);
	connections_hold(&d->control, request);
	return 0;
}

/* A parameter of the query; false: it is too long. */
static bool parse_text(const struct evkeyvalq *params, const char *key, char *to)
{
	const char *value = evhttp_find_header(params, key);

	(void)snprintf(to, NAME_BYTES_MAX, "%s", value ? value : "");
	return !value || strlen(value) < NAME_BYTES_MAX;
}

static bool parse_query(const struct evkeyvalq *params, struct enforced_query *ret)
{
	const char *wait = evhttp_find_header(params, "wait");

	ret->wait_ms = wait ? atoi(wait) : 0;
	if (ret->wait_ms > WAIT_MAX_MS)
		ret->wait_ms = WAIT_MAX_MS;
	return parse_text(params, "namespace", ret->ns) && parse_text(params, "name", ret->name) &&
	       parse_text(params, "uid", ret->uid) &&
	       parse_text(params, "container", ret->container) && ret->ns[0] && ret->name[0] &&
	       ret->container[0];
}

static void answer_query(struct daemon *d, struct evhttp_request *request,
			 const struct enforced_query *query)
{
	char reason[REASON_MAX];

	if (is_enforced(d, query, reason) || query->wait_ms <= 0 || d->n_waiters >= WAITERS_MAX)
		reply(request, !*reason, reason);
	else if (wait_for(d, request, query) < 0)
		server_reply_text(request, HTTP_INTERNAL, "Internal Server Error", "out of memory");
}

/* Without a pod: could one be enforced? */
static void answer_any(const struct daemon *d, struct evhttp_request *request)
{
	char reason[REASON_MAX];

	if (is_held_up(d, reason))
		reply(request, false, reason);
	else
		server_reply_text(request, HTTP_OK, "OK", "ok");
}

void server_on_enforced(struct evhttp_request *request, void *ctx)
{
	struct daemon *d = ctx;
	const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
	struct evkeyvalq params = {0};
	struct enforced_query query;
	bool sound = !text ||
		     (evhttp_parse_query_str(text, &params) == 0 && parse_query(&params, &query));

	evhttp_clear_headers(&params);
	if (!sound)
		server_reply_text(request, HTTP_BADREQUEST, "Bad Request",
				  "expected namespace=, name=, container=, and perhaps uid= and "
				  "wait=MILLISECONDS; or nothing");
	else if (text)
		answer_query(d, request, &query);
	else
		answer_any(d, request);
}

/* Those who wait are not answered: their connections are closed next. */
void enforced_stop(struct daemon *d)
{
	struct enforced_waiter *waiter, *next;

	DL_FOREACH_SAFE (d->waiters, waiter, next)
		waiter_free(waiter);
}
