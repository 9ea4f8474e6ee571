/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP for those who ask: all of it on the control socket, which only its owner may use; of numbers
 * and health alone on a TCP address, by default the loopback's. */
#include <errno.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "internal.h"

#define HEADERS_BYTES_MAX 8192
#define BODY_BYTES_MAX    65536
#define TIMEOUT_S         10
#define BACKLOG           16

void server_reply(struct evhttp_request *request, int code, const char *reason, const char *type,
		  struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	(void)evhttp_add_header(headers, "Content-Type", type);
	(void)evhttp_add_header(headers, "Cache-Control", "no-store");
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
	const struct daemon *d = ctx;

	if (d->ready && d->failures_in_row == 0)
		server_reply_text(request, HTTP_OK, "OK", "ok");
	else
		server_reply_text(request, HTTP_SERVUNAVAIL, "Service Unavailable",
				  d->apply.problem[0] ? d->apply.problem
				  : d->synced         ? "the kernel has not been written yet"
						      : SERVER_NOT_SYNCED);
}

static void on_metrics(struct evhttp_request *request, void *ctx)
{
	struct evbuffer *body = evbuffer_new();

	local_look_again(ctx);
	if (body && metrics_print(ctx, body) == 0)
		server_reply(request, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8",
			     body);
	else
		server_reply_text(request, HTTP_INTERNAL, "Internal Server Error", "out of memory");
	if (body)
		evbuffer_free(body);
}

static void on_status(struct evhttp_request *request, void *ctx)
{
	struct daemon *d = ctx;

	local_look(d, false);
	json_t *json = status_json(d);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	struct evbuffer *body = evbuffer_new();

	if (text && body && evbuffer_add_printf(body, "%s\n", text) >= 0)
		server_reply(request, HTTP_OK, "OK", "application/json", body);
	else
		server_reply_text(request, HTTP_INTERNAL, "Internal Server Error", "out of memory");
	if (body)
		evbuffer_free(body);
	free(text);
	json_decref(json);
}

static void on_other(struct evhttp_request *request, void *ctx)
{
	(void)ctx;
	server_reply_text(
		request, HTTP_NOTFOUND, "Not Found",
		"expected /metrics, /healthz or /readyz; on the control socket also /status, "
		"/explain or /graph");
}

static struct evhttp *server_new(struct daemon *d, enum evhttp_cmd_type also)
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

/* A socket that nobody listens on any more was left by a daemon that was killed. */
static bool is_in_use(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool in_use =
		fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (fd >= 0)
		(void)close(fd);
	return in_use;
}

/* The directory, if it is only the last part that is missing. One that is there is not given to the
 * user: it may be everybody's. 0 or a negative errno. */
static int make_directory(const char *path, const struct rights_user *user)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	(void)snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	if (mkdir(dir, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	return user && chown(dir, user->uid, user->gid) < 0 ? -errno : 0;
}

/* 0 with a listening socket; or a negative errno. */
static int listen_unix(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, rc = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (is_in_use(&address))
		return -EADDRINUSE;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0177); /* from its first moment it is the owner's alone */
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		rc = -errno;
	(void)umask(mask);
	if (rc < 0)
		(void)close(fd);
	else
		*ret_fd = fd;
	return rc;
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
	int rc = d->settings->control[0] ? make_directory(d->settings->control, d->user) : 0;

	return rc < 0 ? tell_control(d, rc) : 0;
}

int server_open_control(struct daemon *d)
{
	const char *path = d->settings->control;
	int fd = -1, rc;

	if (!path[0])
		return 0;
	rc = listen_unix(path, &fd);
	if (rc < 0)
		return tell_control(d, rc);
	d->control = server_new(d, EVHTTP_REQ_POST);
	if (d->control && evhttp_set_cb(d->control, "/status", on_status, d) == 0 &&
	    evhttp_set_cb(d->control, "/explain", server_on_explain, d) == 0 &&
	    evhttp_set_cb(d->control, "/graph", server_on_graph, d) == 0 &&
	    evhttp_accept_socket(d->control, fd) == 0)
		return 0;
	(void)close(fd);
	return -ENOMEM;
}

/* 1.2.3.4:80, [::1]:80 or name:80. evhttp_bind_socket() would not do: it leaves out addresses of
 * families that no interface but the loopback has yet. 0 or a negative errno. */
static int resolve(const char *text, struct addrinfo **ret_found)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	const char *colon = strrchr(text, ':');
	bool brackets = text[0] == '[' && colon > text + 1;
	char host[128];
	int rc;

	(void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - 2 * brackets,
		       text + brackets);
	rc = getaddrinfo(host, colon + 1, &hints, ret_found);
	if (rc == 0)
		return 0;
	return rc == EAI_SYSTEM ? -errno : rc == EAI_MEMORY ? -ENOMEM : -EADDRNOTAVAIL;
}

/* 0 with a listening socket; or a negative errno. */
static int listen_tcp(const char *text, int *ret_fd)
{
	struct addrinfo *found;
	int one = 1, fd, rc = resolve(text, &found);

	if (rc < 0)
		return rc;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		rc = -errno;
	freeaddrinfo(found);
	if (rc == 0)
		*ret_fd = fd;
	else if (fd >= 0)
		(void)close(fd);
	return rc;
}

int server_open_metrics(struct daemon *d)
{
	int fd = -1, rc;

	if (!d->settings->metrics[0])
		return 0;
	rc = listen_tcp(d->settings->metrics, &fd);
	if (rc < 0) {
		log_err("metrics", "%s: %s", d->settings->metrics, strerror(-rc));
		return rc;
	}
	d->metrics = server_new(d, 0);
	if (d->metrics && evhttp_accept_socket(d->metrics, fd) == 0)
		return 0;
	(void)close(fd);
	return -ENOMEM;
}

void server_close(struct daemon *d)
{
	if (d->control) {
		evhttp_free(d->control);
		(void)unlink(d->settings->control);
	}
	if (d->metrics)
		evhttp_free(d->metrics);
}
