/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client against a server of one answer, a child process that says what a test wants said. */
#include "unit.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/http.h"

struct scene {
	struct event_base *base;
	struct http *http;
	char url[64];
	pid_t server;
	struct http_request *request;

	int status;
	size_t bytes;
	char body[64]; /* its beginning */
	unsigned pieces, ends;
	struct http_end end;
	char text[256];  /* of the end */
	int return_this; /* from the body handler */
	bool cancel, again;
	struct event *release; /* NULL: it is not held */
	unsigned pieces_then;  /* when it is released */
};

/* Says `text` over and over until `total` bytes are out. */
static void say(int fd, const char *text, size_t total)
{
	size_t len = strlen(text);

	while (total > 0) {
		size_t n = len < total ? len : total;
		ssize_t written = write(fd, text, n);

		if (written < 0)
			_exit(1);
		total -= (size_t)written;
	}
}

/* Reads a request, or to its end. */
static void hear(int fd)
{
	char bytes[4096];
	size_t len = 0;

	while (len < sizeof(bytes) - 1) {
		ssize_t n = read(fd, bytes + len, sizeof(bytes) - 1 - len);

		if (n <= 0)
			return;
		len += (size_t)n;
		bytes[len] = '\0';
		if (strstr(bytes, "\r\n\r\n"))
			return;
	}
}

typedef void (*serve_fn)(int fd);

/* A child that serves connections, one after another, until it is killed. */
static void start(struct scene *s, serve_fn serve)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*s = (struct scene){0};
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
	s->server = fork();
	assert_true(s->server >= 0);
	while (s->server == 0) {
		int connection = accept(fd, NULL, NULL);

		if (connection < 0)
			_exit(1);
		hear(connection);
		serve(connection);
		(void)close(connection);
	}
	(void)close(fd);
	s->base = event_base_new();
	assert_non_null(s->base);
	assert_int_equal(http_new(s->base, &s->http), 0);
}

static void stop(struct scene *s)
{
	http_free(s->http);
	event_base_free(s->base);
	assert_int_equal(kill(s->server, SIGKILL), 0);
	assert_int_equal(waitpid(s->server, NULL, 0), s->server);
}

static void call(struct scene *s, unsigned silence_ms, unsigned total_ms);

static int on_body(void *ctx, int status, const char *bytes, size_t len)
{
	struct scene *s = ctx;
	size_t have = strlen(s->body), n = sizeof(s->body) - 1 - have;

	s->status = status;
	s->bytes += len;
	s->pieces++;
	memcpy(s->body + have, bytes, n < len ? n : len);
	if (s->cancel) {
		http_cancel(s->request);
		(void)event_base_loopbreak(s->base);
	}
	if (s->release && s->pieces == 1) {
		http_hold(s->http, true);
		(void)event_add(s->release, &(struct timeval){.tv_sec = 2});
	}
	return s->return_this;
}

static void on_end(void *ctx, const struct http_end *end)
{
	struct scene *s = ctx;

	s->ends++;
	s->end = *end;
	(void)snprintf(s->text, sizeof(s->text), "%s", end->text);
	s->request = NULL;
	if (s->again) {
		s->again = false;
		call(s, 5000, 0);
	} else {
		(void)event_base_loopbreak(s->base);
	}
}

static void call(struct scene *s, unsigned silence_ms, unsigned total_ms)
{
	const struct http_handlers handlers = {.body = on_body, .end = on_end, .ctx = s};
	struct secret token = {.v = (char *)(uintptr_t) "t0k3n", .n = 5};
	struct err err = {0};
	const struct http_call one = {.url = s->url,
				      .user_agent = "test",
				      .token = &token,
				      .connect_ms = 5000,
				      .silence_ms = silence_ms,
				      .total_ms = total_ms};

	assert_int_equal(http_start(s->http, &one, &handlers, &s->request, &err), 0);
}

static void run(struct scene *s, unsigned silence_ms, unsigned total_ms)
{
	call(s, silence_ms, total_ms);
	assert_int_equal(event_base_dispatch(s->base), 0);
}

static void say_hello(int fd)
{
	static const char answer[] =
		"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nhello";

	say(fd, answer, sizeof(answer) - 1);
}

static void an_answer_is_heard(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_hello);
	s.again = true; /* from the end handler */
	run(&s, 5000, 0);
	assert_int_equal(s.ends, 2);
	assert_int_equal(s.end.outcome, HTTP_DONE);
	assert_int_equal(s.end.status, 429);
	assert_int_equal(s.end.retry_after_s, 7);
	assert_string_equal(s.body, "hellohello");
	assert_string_equal(s.text, "");
	stop(&s);
}

#define MANY_BYTES (64u << 20)

static void say_much(int fd)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n";
	char *much = malloc((1 << 20) + 1);

	if (!much)
		_exit(1);
	memset(much, 'x', 1 << 20);
	much[1 << 20] = '\0';
	say(fd, head, sizeof(head) - 1);
	say(fd, much, MANY_BYTES);
	free(much);
}

static void much_is_heard_in_pieces(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_much);
	run(&s, 5000, 0);
	assert_int_equal(s.end.outcome, HTTP_DONE);
	assert_int_equal(s.bytes, MANY_BYTES);
	assert_true(s.pieces >= MANY_BYTES / HTTP_WAITING_MAX);
	stop(&s);
}

static void on_release(evutil_socket_t fd, short what, void *ctx)
{
	struct scene *s = ctx;

	(void)fd;
	(void)what;
	s->pieces_then = s->pieces;
	http_hold(s->http, false);
}

/* Four times as long as silence is allowed: nobody has listened. */
static void what_comes_while_it_is_held_waits(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_much);
	s.release = evtimer_new(s.base, on_release, &s);
	assert_non_null(s.release);
	run(&s, 500, 0);
	assert_int_equal(s.pieces_then, 1);
	assert_int_equal(s.end.outcome, HTTP_DONE);
	assert_int_equal(s.bytes, MANY_BYTES);
	event_free(s.release);
	stop(&s);
}

static void what_the_handler_returns_ends_it(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_much);
	s.return_this = -EPIPE;
	run(&s, 5000, 0);
	assert_int_equal(s.end.outcome, HTTP_ABORTED);
	assert_int_equal(s.end.error, -EPIPE);
	assert_int_equal(s.pieces, 1);
	stop(&s);
}

static void a_handler_may_cancel_its_own_request(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_much);
	s.cancel = true;
	run(&s, 5000, 0);
	assert_int_equal(s.pieces, 1);
	assert_int_equal(s.ends, 0);
	stop(&s);
}

static void what_is_under_way_ends_with_the_client(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_much);
	call(&s, 5000, 0);
	assert_int_equal(event_base_loop(s.base, EVLOOP_ONCE), 0);
	stop(&s);
	assert_int_equal(s.ends, 0);
}

static void say_half(int fd)
{
	static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf";

	say(fd, half, sizeof(half) - 1);
}

static void half_an_answer_is_a_failure(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_half);
	run(&s, 5000, 0);
	assert_int_equal(s.end.outcome, HTTP_FAILED);
	assert_string_equal(s.body, "half");
	assert_true(s.text[0]);
	stop(&s);
}

static void say_half_and_wait(int fd)
{
	say_half(fd);
	(void)pause();
}

static void say_a_head_and_wait(int fd)
{
	static const char heads[] =
		"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";

	say(fd, heads, sizeof(heads) - 1);
	(void)pause();
}

static void an_answer_without_a_byte_yet_is_heard(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_a_head_and_wait);
	s.return_this = -EPIPE;
	run(&s, 5000, 0);
	assert_int_equal(s.end.outcome, HTTP_ABORTED);
	assert_int_equal(s.status, 200);
	assert_int_equal(s.pieces, 1);
	assert_int_equal(s.bytes, 0);
	stop(&s);
}

static void silence_has_an_end(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_half_and_wait);
	run(&s, 200, 0);
	assert_int_equal(s.end.outcome, HTTP_SILENT);
	assert_int_equal(s.end.status, 200);
	assert_string_equal(s.text, "the server went silent");
	assert_string_equal(s.body, "half");
	stop(&s);

	start(&s, say_half_and_wait);
	call(&s, 50, 0);
	http_set_silence(s.request, 400);
	assert_int_equal(event_base_dispatch(s.base), 0);
	assert_int_equal(s.end.outcome, HTTP_SILENT);
	stop(&s);
}

static void a_watch_has_a_time(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_half_and_wait);
	run(&s, 60000, 300);
	assert_int_equal(s.end.outcome, HTTP_SILENT);
	stop(&s);
}

static void nobody_there_is_a_failure(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_hello);
	(void)snprintf(s.url, sizeof(s.url), "http://127.0.0.1:1/");
	run(&s, 5000, 0);
	assert_int_equal(s.end.outcome, HTTP_FAILED);
	assert_int_equal(s.end.status, 0);
	assert_non_null(strstr(s.text, "connect"));
	stop(&s);
}

static void an_address_that_is_none_is_told(void **state)
{
	struct scene s;

	(void)state;
	start(&s, say_hello);
	(void)snprintf(s.url, sizeof(s.url), "https://127.0.0.1:99999999/");
	run(&s, 5000, 0);
	assert_int_equal(s.end.outcome, HTTP_FAILED);
	assert_true(s.text[0]);
	stop(&s);
}

/* Nothing comes on the first connection; the second is closed. */
static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
			  struct sockaddr *address, int len, void *ctx)
{
	int *first = ctx;

	(void)listener;
	(void)address;
	(void)len;
	if (*first < 0)
		*first = fd;
	else
		(void)close(fd);
}

/* Over TLS requests wait for the first one's connection, as it may be shared; but not for long. */
static void a_connection_that_hangs_holds_up_no_other_request(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	struct scene first, second;
	struct evconnlistener *listener;
	int hanging = -1;

	(void)state;
	start(&first, say_hello);
	listener =
		evconnlistener_new_bind(first.base, on_connection, &hanging, LEV_OPT_CLOSE_ON_FREE,
					8, (struct sockaddr *)&address, (int)len);
	assert_non_null(listener);
	assert_int_equal(
		getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &len), 0);
	(void)snprintf(first.url, sizeof(first.url), "https://127.0.0.1:%u/",
		       ntohs(address.sin_port));
	second = first;
	call(&first, 60000, 0);
	call(&second, 60000, 0);
	assert_int_equal(event_base_dispatch(first.base), 0); /* until one of them ends */
	assert_int_equal(second.ends, 1);
	assert_int_equal(second.end.outcome, HTTP_FAILED);
	assert_int_equal(first.ends, 0);
	(void)close(hanging);
	evconnlistener_free(listener);
	stop(&first);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_heard),
		cmocka_unit_test(much_is_heard_in_pieces),
		cmocka_unit_test(what_comes_while_it_is_held_waits),
		cmocka_unit_test(what_the_handler_returns_ends_it),
		cmocka_unit_test(a_handler_may_cancel_its_own_request),
		cmocka_unit_test(what_is_under_way_ends_with_the_client),
		cmocka_unit_test(half_an_answer_is_a_failure),
		cmocka_unit_test(an_answer_without_a_byte_yet_is_heard),
		cmocka_unit_test(silence_has_an_end),
		cmocka_unit_test(a_watch_has_a_time),
		cmocka_unit_test(nobody_there_is_a_failure),
		cmocka_unit_test(an_address_that_is_none_is_told),
		cmocka_unit_test(a_connection_that_hangs_holds_up_no_other_request),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
