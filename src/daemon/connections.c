/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connections of a server: how many there may be, how long each may take, and which is closed
 * when another one comes. evhttp has a time limit for each read only, which a byte now and then
 * renews, and tells nobody when a connection ends. So each bufferevent is held here;
 * bufferevent_free() has cleared its callbacks once evhttp is done with it.
 *
 * A bufferevent that is held still waits for bytes. It has to own its descriptor, then
 * (BEV_OPT_CLOSE_ON_FREE), so that both end together: evhttp_connection_free() would close the
 * descriptor before, the next socket would get its number, and the bufferevent would read what
 * belongs to that one. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/clock.h"

#include "internal.h"

/* Of one server: one can still ask on the control socket when all of the other address are in use.
 */
#define CONNECTIONS_MAX 256
/* From accept(2) to the end of the request, and to the end of the answer. */
#define REQUEST_TIMEOUT_MS 5000
#define ANSWER_TIMEOUT_MS  30000
/* Of a request, however it is framed: evhttp bounds headers and body, and not the line with the
 * length of a chunk, which evbuffer_readln() searches from its beginning each time. */
#define REQUEST_BYTES_MAX (256u << 10)
/* A client has this long to send its request before it can be closed for another one. */
#define EVICT_AGE_MS 100
/* After so many the requests that have come are read before others are let in. */
#define ACCEPTS_MAX 16

struct connection {
	struct bufferevent *bev;
	struct server *server;
	int64_t since_ms; /* CLOCK_MONOTONIC */
	size_t received_bytes;
	bool ended; /* shut down from here, and evhttp will see it */
	bool held;  /* its answer is still to come */
	struct connection *prev, *next;
};

static bool is_gone(const struct connection *connection)
{
	bufferevent_data_cb read = NULL, write = NULL;
	bufferevent_event_cb event = NULL;

	bufferevent_getcb(connection->bev, &read, &write, &event, NULL);
	return !read && !write && !event;
}

static int reads_for(const struct event_base *base, const struct event *event, void *bev)
{
	(void)base;
	return event_get_callback_arg(event) == bev && (event_get_events(event) & EV_READ);
}

/* libevent had no memory to wait for its bytes: reading is enabled, and yet there is no event for
 * it. Then evhttp_get_request() has closed the descriptor itself. */
static bool is_unwatched(struct bufferevent *bev)
{
	return (bufferevent_get_enabled(bev) & EV_READ) &&
	       !event_base_foreach_event(bufferevent_get_base(bev), reads_for, bev);
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *ctx);

static void drop(struct server *server, struct connection *connection)
{
	if (is_gone(connection) && is_unwatched(connection->bev))
		(void)bufferevent_setfd(connection->bev, -1); /* the number may be another one's */
	DL_DELETE(server->connections, connection);
	server->n_connections -= !connection->ended;
	(void)evbuffer_remove_cb(bufferevent_get_input(connection->bev), on_input, connection);
	(void)bufferevent_decref(connection->bev);
	free(connection);
}

static void drop_gone(struct server *server)
{
	struct connection *connection, *next;

	DL_FOREACH_SAFE (server->connections, connection, next) {
		if (is_gone(connection))
			drop(server, connection);
	}
}

/* evhttp reads the end of the stream, or cannot write any more, and closes. */
static void end(struct server *server, struct connection *connection)
{
	(void)shutdown(bufferevent_getfd(connection->bev), SHUT_RDWR); /* it may be already */
	connection->ended = true;
	server->n_connections--;
}

/* Its request has not come in full. */
static bool is_idle(const struct connection *connection)
{
	return !connection->held &&
	       evbuffer_get_length(bufferevent_get_output(connection->bev)) == 0;
}

static int64_t ends_ms(const struct connection *connection)
{
	return connection->since_ms +
	       (is_idle(connection) ? REQUEST_TIMEOUT_MS : ANSWER_TIMEOUT_MS);
}

/* The oldest that waits for nothing but its client; NULL: there is none. */
static struct connection *oldest_idle(const struct server *server)
{
	for (struct connection *one = server->connections; one; one = one->next) {
		if (!one->ended && is_idle(one))
			return one;
	}
	return NULL;
}

/* Makes room for one more. false: nobody can be closed yet. */
static bool make_room(struct server *server)
{
	struct connection *oldest;

	if (server->n_connections < CONNECTIONS_MAX)
		return true;
	oldest = oldest_idle(server);
	if (!oldest || clock_monotonic_ms() - oldest->since_ms < EVICT_AGE_MS)
		return false;
	end(server, oldest);
	return true;
}

/* At the next time when one has to end or may be closed for those who wait. */
static void arm_due(struct server *server)
{
	int64_t now = clock_monotonic_ms(), at = INT64_MAX;

	for (const struct connection *one = server->connections; one; one = one->next) {
		if (!one->ended && ends_ms(one) < at)
			at = ends_ms(one);
	}
	if (server->paused && at > now + EVICT_AGE_MS / 4)
		at = now + EVICT_AGE_MS / 4;
	if (server->connections && at == INT64_MAX)
		at = now + EVICT_AGE_MS; /* evhttp is about to see their end */
	if (at < INT64_MAX)
		arm(server->due, at > now ? at - now : 0);
}

/* Those who come wait in the backlog. */
static void pause_listener(struct server *server, int64_t ms)
{
	(void)evconnlistener_disable(server->listener);
	server->paused = true;
	arm(server->due, ms);
}

/* The answer is out, and evhttp about to be done with the connection: it goes in the next turn of
 * the loop. Those whose client has left go when another one comes, or in time. */
static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *ctx)
{
	struct server *server = ctx;

	if (info->n_deleted > 0 && evbuffer_get_length(output) == 0)
		arm(server->due, 0);
}

/* What is on its way when too much has come is thrown away. */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *ctx)
{
	struct connection *connection = ctx;

	connection->received_bytes += info->n_added;
	if (info->n_added == 0 || connection->received_bytes <= REQUEST_BYTES_MAX)
		return;
	(void)evbuffer_drain(input, evbuffer_get_length(input)); /* fails only while frozen */
	if (!connection->ended)
		end(connection->server, connection);
}

struct bufferevent *connections_add(struct event_base *base, void *ctx)
{
	struct server *server = ctx;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct connection *connection = bev ? calloc(1, sizeof(*connection)) : NULL;

	drop_gone(server);
	if (!connection)
		return bev; /* without memory: it ends by evhttp's own time limit */
	*connection =
		(struct connection){.bev = bev, .server = server, .since_ms = clock_monotonic_ms()};
	bufferevent_incref(bev);
	/* Without memory for it, it goes as those do whose client has left. */
	(void)evbuffer_add_cb(bufferevent_get_output(bev), on_output, server);
	(void)evbuffer_add_cb(bufferevent_get_input(bev), on_input, connection);
	DL_APPEND(server->connections, connection);
	server->n_connections++;
	if (!make_room(server))
		pause_listener(server, EVICT_AGE_MS / 4);
	else if (++server->accepts >= ACCEPTS_MAX)
		pause_listener(server, 0);
	else if (!evtimer_pending(server->due, NULL))
		arm_due(server);
	return bev;
}

void connections_hold(struct server *server, struct evhttp_request *request)
{
	const struct bufferevent *bev =
		evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));

	for (struct connection *one = server->connections; one; one = one->next) {
		if (one->bev == bev)
			one->held = true;
	}
}

void connections_on_due(evutil_socket_t fd, short what, void *ctx)
{
	struct server *server = ctx;
	int64_t now = clock_monotonic_ms();

	(void)fd;
	(void)what;
	drop_gone(server);
	for (struct connection *one = server->connections; one; one = one->next) {
		if (!one->ended && ends_ms(one) <= now)
			end(server, one);
	}
	server->accepts = 0;
	if (server->paused && make_room(server))
		server->paused = evconnlistener_enable(server->listener) < 0;
	arm_due(server);
}

void connections_done(struct server *server)
{
	struct connection *connection, *next;

	DL_FOREACH_SAFE (server->connections, connection, next)
		drop(server, connection);
}
