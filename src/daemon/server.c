/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP for those who ask: all of it on the control socket, which only its owner and control-group
 * may use; of numbers and health alone on a TCP address, by default the loopback's. */
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/log.h"
#include "internal.h"

#define HEADERS_BYTES_MAX 8192
#define BODY_BYTES_MAX    65536
#define TIMEOUT_S         10
/* Of what /readyz says. */
#define READY_WHY_MAX 512

void server_reply(struct evhttp_request *request, int code, const char *reason, const char *type,
		  struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	(void)evhttp_add_header(headers, "Content-Type", type);
	(void)evhttp_add_header(headers, "Cache-Control", "no-store");
	/* One request each: there is no idle connection, then, but of who has not asked yet. */
	(void)evhttp_add_header(headers, "Connection", "close");
	evhttp_send_reply(request, code, reason, body);
}

void server_reply_text(struct evhttp_request *request, int code, const char *reason,
		       const char *text)
{
	struct evbuffer *body = evbuffer_new();

	if (body)
		(void)evbuffer_add_printf(body, "%s\n", text);
	server_reply(request, code, reason, "text/plain; charset=utf-8", body);
	if (body)
		evbuffer_free(body);
}

static void on_healthz(struct evhttp_request *request, void *ctx)
{
	(void)ctx; /* the loop turns, or nobody would answer */
	server_reply_text(request, HTTP_OK, "OK", "ok");
}

static void on_readyz(struct evhttp_request *request, void *ctx)
{
	char why[READY_WHY_MAX];

	look_again(ctx);
	conditions_check(ctx);
	if (daemon_is_ready(ctx, why, sizeof(why)))
		server_reply_text(request, HTTP_OK, "OK", "ok");
	else
		server_reply_text(request, HTTP_SERVUNAVAIL, "Service Unavailable", why);
}

static void on_metrics(struct evhttp_request *request, void *ctx)
{
	struct evbuffer *body = evbuffer_new();

	look_again(ctx);
	conditions_check(ctx);
	if (body && metrics_print(ctx, body) == 0)
		server_reply(request, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8",
			     body);
	else
		server_reply_text(request, HTTP_INTERNAL, "Internal Server Error", "out of memory");
	if (body)
		evbuffer_free(body);
}

static void reply_status(struct daemon *d, struct evhttp_request *request)
{
	conditions_check(d);
	json_t *json = status_json(d);
	char *text = json_line(json);
	struct evbuffer *body = evbuffer_new();

	if (text && body && evbuffer_add(body, text, strlen(text)) == 0)
		server_reply(request, HTTP_OK, "OK", "application/json", body);
	else
		server_reply_text(request, HTTP_INTERNAL, "Internal Server Error", "out of memory");
	if (body)
		evbuffer_free(body);
	free(text);
	json_decref(json);
}

/* A request whose connection has gone meanwhile is freed by evhttp_send_reply(). */
void server_answer_status(struct daemon *d)
{
	for (size_t i = 0; i < d->status_requests.n; i++)
		reply_status(d, d->status_requests.v[i]);
	d->status_requests.n = 0;
}

/* With what is found on the host now; while other work is not through, with what was found before.
 */
static void on_status(struct evhttp_request *request, void *ctx)
{
	struct daemon *d = ctx;

	if ((work_waits(d) && !look_goes_on(d)) || vec_push(&d->status_requests, request) < 0) {
		reply_status(d, request);
		return;
	}
	connections_hold(&d->control, request);
	if (!look_goes_on(d))
		look_now(d);
}

static void on_other(struct evhttp_request *request, void *ctx)
{
	(void)ctx;
	server_reply_text(
		request, HTTP_NOTFOUND, "Not Found",
		"expected /metrics, /healthz or /readyz; on the control socket also /status, "
		"/explain, /graph or /enforced");
}

/* Lets in who comes to a listening socket, which is its own from here on. 0 or -ENOMEM. */
static int server_listen(struct server *server, int fd)
{
	struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(server->http, fd);

	if (!bound) {
		(void)close(fd);
		return -ENOMEM;
	}
	server->listener = evhttp_bound_socket_get_listener(bound);
	evhttp_set_bevcb(server->http, connections_add, server);
	return 0;
}

static void server_stop(struct server *server)
{
	if (server->http)
		evhttp_free(server->http);
	connections_done(server);
	if (server->due)
		event_free(server->due);
}

static struct evhttp *evhttp_make(struct daemon *d, enum evhttp_cmd_type also)
{
	struct evhttp *http = evhttp_new(d->base);

	if (!http)
		return NULL;
	evhttp_set_max_headers_size(http, HEADERS_BYTES_MAX);
	evhttp_set_max_body_size(http, BODY_BYTES_MAX);
	evhttp_set_timeout(http, TIMEOUT_S);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | also);
	evhttp_set_gencb(http, on_other, d);
	if (evhttp_set_cb(http, "/healthz", on_healthz, d) == 0 &&
	    evhttp_set_cb(http, "/readyz", on_readyz, d) == 0 &&
	    evhttp_set_cb(http, "/metrics", on_metrics, d) == 0)
		return http;
	evhttp_free(http);
	return NULL;
}

/* `also`: methods besides GET and HEAD. 0 or -ENOMEM; server_stop() either way. */
static int server_start(struct daemon *d, struct server *server, enum evhttp_cmd_type also)
{
	*server = (struct server){.http = evhttp_make(d, also),
				  .due = evtimer_new(d->base, connections_on_due, server)};
	return server->http && server->due ? 0 : -ENOMEM;
}

static int tell_control(const struct daemon *d, int rc)
{
	log_err("control", "%s: %s%s", d->settings->control, strerror(-rc),
		rc == -EADDRINUSE ? ": does another netpold run?"
		: rc == -EACCES || rc == -EPERM
			? ": expected a directory that this user may write to"
			: "");
	return rc;
}

int server_make_directory(struct daemon *d)
{
	const char *path = d->settings->control;
	int rc = path[0] ? listen_make_directory(path, d->user, d->control_group) : 0;

	return rc < 0 ? tell_control(d, rc) : 0;
}

int server_open_control(struct daemon *d)
{
	const char *path = d->settings->control;
	int fd = -1, rc;

	if (!path[0])
		return 0;
	rc = server_start(d, &d->control, EVHTTP_REQ_POST);
	if (rc < 0 || evhttp_set_cb(d->control.http, "/status", on_status, d) < 0 ||
	    evhttp_set_cb(d->control.http, "/explain", server_on_explain, d) < 0 ||
	    evhttp_set_cb(d->control.http, "/graph", server_on_graph, d) < 0 ||
	    evhttp_set_cb(d->control.http, "/enforced", server_on_enforced, d) < 0)
		return -ENOMEM;
	rc = listen_unix(path, d->control_group, &fd);
	return rc < 0 ? tell_control(d, rc) : server_listen(&d->control, fd);
}

int server_open_metrics(struct daemon *d)
{
	int fd = -1, rc;

	if (!d->settings->metrics[0])
		return 0;
	rc = server_start(d, &d->metrics, 0);
	if (rc < 0)
		return rc;
	rc = listen_tcp(d->settings->metrics, &fd);
	if (rc < 0) {
		log_err("metrics", "%s: %s", d->settings->metrics, strerror(-rc));
		return rc;
	}
	return server_listen(&d->metrics, fd);
}

void server_close(struct daemon *d)
{
	enforced_stop(d);
	vec_free(&d->status_requests); /* their connections are closed next */
	if (d->control.listener)
		(void)unlink(d->settings->control);
	server_stop(&d->control);
	server_stop(&d->metrics);
}
