/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a connection of the server has ended, nothing of it is left in the event base: the number of
 * its descriptor is soon that of another one, say of a connection to the API server, and whatever
 * still waited on it would read that one's bytes. */
#include "unit.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/daemon/internal.h"

#define OTHERS    8  /* descriptors that are opened when a connection has ended */
#define TURNS_MAX 50 /* of the loop, without a wait: what has to follow, follows in fewer */
#define WAIT_S    30
#define EVMAP_MIN                                                                      \
	32 /* the event base has room for so many descriptors, then for twice: evmap.c \
	    */
#define EVMAP_MAX 4096

struct scene {
	struct event_base *base;
	struct server server;
	char path[64];
	int client;
};

static void on_request(struct evhttp_request *request, void *ctx)
{
	(void)ctx;
	server_reply_text(request, HTTP_OK, "OK", "ok");
}

static void scene_open(struct scene *s)
{
	static unsigned scenes;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = -1;

	*s = (struct scene){.base = event_base_new(), .client = -1};
	(void)snprintf(s->path, sizeof(s->path), "/tmp/test_connections.%d.%u", getpid(), scenes++);
	assert_non_null(s->base);
	s->server.http = evhttp_new(s->base);
	s->server.due = evtimer_new(s->base, connections_on_due, &s->server);
	assert_non_null(s->server.http);
	assert_non_null(s->server.due);
	evhttp_set_gencb(s->server.http, on_request, NULL);
	assert_int_equal(listen_unix(s->path, NULL, &fd), 0);
	s->server.listener = evhttp_bound_socket_get_listener(
		evhttp_accept_socket_with_handle(s->server.http, fd));
	evhttp_set_bevcb(s->server.http, connections_add, &s->server);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->path);
	s->client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->client >= 0);
	assert_int_equal(connect(s->client, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fcntl(s->client, F_SETFL, O_NONBLOCK), 0);
}

static void scene_close(struct scene *s)
{
	(void)close(s->client);
	evhttp_free(s->server.http);
	connections_done(&s->server);
	event_free(s->server.due);
	event_base_free(s->base);
	assert_int_equal(unlink(s->path), 0);
}

static void turn(struct scene *s)
{
	assert_true(event_base_loop(s->base, EVLOOP_NONBLOCK | EVLOOP_ONCE) >= 0);
}

static void on_time_up(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	(void)ctx;
	fail_msg("nothing within %d s", WAIT_S);
}

/* Reads all of the answer, to the end of the stream. */
static void hear_end(struct scene *s)
{
	struct event *time_up = evtimer_new(s->base, on_time_up, NULL);
	char bytes[4096];
	ssize_t n;

	assert_non_null(time_up);
	assert_int_equal(event_add(time_up, &(struct timeval){.tv_sec = WAIT_S}), 0);
	while ((n = read(s->client, bytes, sizeof(bytes))) != 0) {
		assert_true(n > 0 || errno == EAGAIN || errno == ECONNRESET);
		if (n < 0 && errno == ECONNRESET)
			break;
		turn(s);
	}
	event_free(time_up);
}

/* Somebody else's descriptors, of which one has the number of the connection's. */
struct other {
	int end, here;
	struct event *readable;
	size_t bytes;
};

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct other *other = ctx;
	char byte;

	(void)what;
	if (read(fd, &byte, 1) == 1)
		other->bytes++;
}

static void others_open(struct scene *s, struct other *others)
{
	for (size_t i = 0; i < OTHERS; i++) {
		int ends[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			0);
		others[i] = (struct other){.here = ends[0], .end = ends[1]};
		others[i].readable =
			event_new(s->base, ends[0], EV_READ | EV_PERSIST, on_readable, &others[i]);
		assert_non_null(others[i].readable);
		assert_int_equal(event_add(others[i].readable, NULL), 0);
	}
}

static void others_hear_all(struct scene *s, struct other *others)
{
	for (size_t i = 0; i < OTHERS; i++)
		assert_int_equal(write(others[i].end, "four", 4), 4);
	for (unsigned i = 0; i < TURNS_MAX; i++)
		turn(s);
	for (size_t i = 0; i < OTHERS; i++) {
		assert_int_equal(others[i].bytes, 4);
		event_free(others[i].readable);
		(void)close(others[i].here);
		(void)close(others[i].end);
	}
}

static void send_text(struct scene *s, const char *text)
{
	assert_int_equal(write(s->client, text, strlen(text)), (ssize_t)strlen(text));
}

struct row {
	const char *name, *sent;
	bool leaves;    /* the client, without an end of its request */
	bool goes_soon; /* the descriptor, without waiting for a time limit */
};

static const struct row rows[] = {
	{"an answered request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", .goes_soon = true},
	{"an answered request of HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", .goes_soon = true},
	{"more behind a request", "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
	 .goes_soon = true},
	{"a request that evhttp refuses itself", "no request\r\n\r\n", .goes_soon = true},
	{"a method that is not allowed", "DELETE / HTTP/1.0\r\n\r\n", .goes_soon = true},
	{"half a request", "GET / HTTP/1.0\r\n", .leaves = true},
	{"no request", "", .leaves = true},
};

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* The number that the next descriptor has. */
static int next_number(void)
{
	int fd = dup(STDERR_FILENO);

	assert_true(fd >= 0);
	(void)close(fd);
	return fd;
}

static void leaves_nothing(void **state)
{
	const struct row *row = *state;
	struct other others[OTHERS];
	struct scene s;
	int number;

	scene_open(&s);
	evhttp_set_allowed_methods(s.server.http, EVHTTP_REQ_GET);
	number = next_number();
	send_text(&s, row->sent);
	if (row->leaves)
		assert_int_equal(shutdown(s.client, SHUT_WR), 0);
	hear_end(&s);
	others_open(&s, others);
	others_hear_all(&s, others);
	for (unsigned i = 0; i < TURNS_MAX; i++)
		turn(&s);
	if (row->goes_soon) {
		assert_false(is_open(number));
		assert_null(s.server.connections);
	}
	scene_close(&s);
}

/* Where libevent has no memory to watch a descriptor, evhttp closes it: it is not ours to close
 * once more, when it may be somebody else's. */

static bool no_memory;

static void *failing_realloc(void *old, size_t len)
{
	return no_memory ? NULL : realloc(old, len);
}

static void closes_once(void **state)
{
	int fillers[EVMAP_MAX], n = 0, other, beyond = EVMAP_MIN;
	struct scene s;

	(void)state;
	scene_open(&s);
	for (int next; (next = next_number()) != beyond;) {
		while (beyond < next) /* others have been open from the start */
			beyond *= 2;
		assert_true(beyond <= EVMAP_MAX);
		if (next < beyond) {
			fillers[n] = dup(STDERR_FILENO);
			assert_true(fillers[n++] >= 0);
		}
	}
	no_memory = true;
	for (unsigned i = 0; i < TURNS_MAX; i++)
		turn(&s);
	no_memory = false;
	hear_end(&s); /* without an answer */
	other = dup(STDERR_FILENO);
	assert_int_equal(other, beyond);
	connections_on_due(-1, EV_TIMEOUT, &s.server);
	for (unsigned i = 0; i < TURNS_MAX; i++)
		turn(&s);
	assert_null(s.server.connections);
	assert_true(is_open(other));
	(void)close(other);
	while (n > 0)
		(void)close(fillers[--n]);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(closes_once)};

	event_set_mem_functions(malloc, failing_realloc, free);
	return RUN_ROWS("connections that have ended", rows, leaves_nothing) +
	       cmocka_run_group_tests_name("connections", tests, NULL, NULL);
}
