/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "base/clock.h"
#include "http_options.h"

/* Kept for the next answer; what a burst needed beyond goes back. */
#define BUFFER_KEPT (64u << 10)

/* So long requests wait for the first one's connection, which shows whether they can share it. */
#define SHARING_WAIT_MS 2000

struct http {
	struct event_base *base;
	CURLM *multi;
	struct event *timer, *waited;
	struct http_request *requests;
	struct event *again; /* the time to hand over what has waited */
	bool draining, held;
};

struct http_request {
	struct http_request *prev, *next;
	struct http *http;
	CURL *easy;
	struct http_options options;
	struct http_handlers handlers;
	struct event *silence;
	unsigned silence_ms;
	int64_t heard_ms; /* when the last byte came */
	char *buffer;
	size_t len, cap;
	size_t head_bytes;
	bool begun; /* the answer's head has come, and nobody has been told */
	bool paused, no_memory, silent;
	bool waiting; /* for another's connection: libcurl does not know it yet */
	bool done, cancelled;
	CURLcode code;
	char text[CURL_ERROR_SIZE];
};

static struct timeval after_ms(int64_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void request_free(struct http_request *r)
{
	if (r->easy) {
		(void)curl_multi_remove_handle(r->http->multi, r->easy); /* fine if it is in none */
		curl_easy_cleanup(r->easy);
	}
	http_options_done(&r->options);
	if (r->silence)
		event_free(r->silence);
	free(r->buffer);
	free(r);
}

static int status_of(const struct http_request *r)
{
	long status = 0;

	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status); /* stays 0 */
	return (int)status;
}

/* libcurl's callbacks: they only record. */

/* A head ends with an empty line; behind one of 1xx there is another. */
static size_t on_head_line(char *line, size_t size, size_t n, void *ctx)
{
	struct http_request *r = ctx;

	/* libcurl keeps all of them for curl_easy_header(). Its own limit of 300 kB (7.88 of Debian
	 * 12) does not count trailers: a chunked answer had 300 MB of these. */
	r->head_bytes += size * n;
	if (r->head_bytes > HTTP_HEAD_MAX)
		return 0; /* which ends the transfer */
	if ((line[0] == '\r' || line[0] == '\n') && status_of(r) >= 200)
		r->begun = true;
	return size * n;
}

static size_t on_bytes(char *bytes, size_t size, size_t n, void *ctx)
{
	struct http_request *r = ctx;
	size_t len = size * n;

	r->heard_ms = clock_monotonic_ms();
	if (r->len > 0 && r->len + len > HTTP_WAITING_MAX) {
		r->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (r->len + len > r->cap) {
		size_t cap = (r->len + len) * 2;
		char *grown = realloc(r->buffer, cap);

		if (!grown) {
			r->no_memory = true;
			return 0; /* which ends the transfer */
		}
		r->buffer = grown;
		r->cap = cap;
	}
	memcpy(r->buffer + r->len, bytes, len);
	r->len += len;
	return len;
}

static void on_ready(evutil_socket_t fd, short what, void *ctx);

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *event)
{
	struct http *http = ctx;
	short events = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
			       (what & CURL_POLL_OUT ? EV_WRITE : 0));

	(void)easy;
	if (event)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE) {
		event = event_new(http->base, fd, events, on_ready, http);
		if (!event || event_add(event, NULL) < 0) {
			if (event)
				event_free(event);
			event = NULL;
		}
	}
	(void)curl_multi_assign(http->multi, fd, event); /* the socket is known: it cannot fail */
	return event || what == CURL_POLL_REMOVE ? 0 : -1;
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http *http = ctx;
	struct timeval after = after_ms(timeout_ms);

	(void)multi;
	if (timeout_ms < 0)
		return event_del(http->timer);
	return event_add(http->timer, &after);
}

/* Over TLS, one connection has all requests if the server speaks HTTP/2, which the handshake says.
 * CURLOPT_PIPEWAIT would have libcurl wait for that, but libcurl 8.14 goes on waiting for the first
 * request to end when it turned out to be HTTP/1.1, and a watch does not end. */

/* Has it a connection to be sent on? */
static bool is_sent(const struct http_request *r)
{
	curl_off_t sent_us = 0;

	(void)curl_easy_getinfo(r->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us); /* stays 0 */
	return sent_us > 0;
}

static bool is_connecting(const struct http *http)
{
	const struct http_request *r;

	DL_FOREACH (http->requests, r) {
		if (!r->waiting && !r->done && !r->cancelled && !is_sent(r))
			return true;
	}
	return false;
}

static bool is_connected(const struct http *http)
{
	const struct http_request *r;

	DL_FOREACH (http->requests, r) {
		if (!r->waiting && !r->done && !r->cancelled && is_sent(r))
			return true;
	}
	return false;
}

static int hand_over(struct http_request *r)
{
	r->waiting = false;
	return curl_multi_add_handle(r->http->multi, r->easy) == CURLM_OK ? 0 : -ENOMEM;
}

/* Those that wait: all of them, once there is a connection or it took too long; the first, to try
 * in its turn, when there is none and nobody tries. */
static void stop_waiting(struct http *http, bool too_long)
{
	struct http_request *r;

	if (!too_long && is_connecting(http))
		return;
	DL_FOREACH (http->requests, r) {
		if (!r->waiting || r->cancelled)
			continue;
		if (hand_over(r) < 0)
			r->done = r->no_memory = true;
		else if (!too_long && !is_connected(http))
			return;
	}
}

/* What was recorded goes to the handlers. */

static const char *reason(const struct http_request *r)
{
	if (r->no_memory)
		return "no memory";
	if (r->silent)
		return "the server went silent";
	if (r->head_bytes > HTTP_HEAD_MAX)
		return "headers too large: expected at most 256 KiB in an answer";
	return r->text[0] ? r->text : curl_easy_strerror(r->code);
}

static enum http_outcome outcome_of(const struct http_request *r)
{
	if (r->silent)
		return HTTP_SILENT;
	switch (r->code) {
	case CURLE_OK:
		return HTTP_DONE;
	case CURLE_OPERATION_TIMEDOUT: {
		curl_off_t connected_us = 0;

		/* While connecting it is a failure to connect. */
		(void)curl_easy_getinfo(r->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
		return connected_us > 0 ? HTTP_SILENT : HTTP_FAILED;
	}
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_REFUSED;
	default:
		return HTTP_FAILED;
	}
}

/* Out of the list, told, gone. */
static void finish(struct http_request *r, enum http_outcome outcome, int error)
{
	struct http_end end = {
		.outcome = outcome, .sent = is_sent(r), .error = error, .status = status_of(r)};
	curl_off_t retry_after = 0;

	(void)curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &retry_after); /* stays 0 */
	end.retry_after_s =
		retry_after > 0 ? (unsigned)(retry_after < 86400 ? retry_after : 86400) : 0;
	end.text = outcome == HTTP_DONE || outcome == HTTP_ABORTED ? "" : reason(r);
	DL_DELETE(r->http->requests, r);
	r->cancelled = true; /* a late http_cancel() would be a mistake of ours */
	r->handlers.end(r->handlers.ctx, &end);
	request_free(r);
}

/* Hands the buffered bytes over. The handler may cancel the request, so it is freed only later. */
static void drain_request(struct http_request *r)
{
	char *buffer = r->buffer;
	size_t len = r->len, cap = r->cap;
	bool tell = len > 0 || r->begun;
	int rc;

	r->buffer = NULL;
	r->len = r->cap = 0;
	r->begun = false;
	rc = tell ? r->handlers.body(r->handlers.ctx, status_of(r), len > 0 ? buffer : "", len) : 0;
	if (!r->buffer && cap <= BUFFER_KEPT) {
		r->buffer = buffer;
		r->cap = cap;
	} else {
		free(buffer);
	}
	if (r->cancelled)
		return;
	if (rc < 0) {
		finish(r, HTTP_ABORTED, rc);
	} else if (r->done || r->silent) {
		finish(r, outcome_of(r), 0);
	} else if (r->paused) {
		r->paused = false;
		(void)curl_easy_pause(r->easy, CURLPAUSE_CONT); /* a failure ends the transfer */
	}
}

static void collect_done(struct http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct http_request *r = NULL;

		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&r);
		if (message->msg != CURLMSG_DONE || !r)
			continue;
		r->done = true;
		r->code = message->data.result;
	}
}

static bool has_work(const struct http_request *r)
{
	return r->len > 0 || r->begun || r->done || r->silent || r->paused || r->cancelled;
}

/* One request at a time, from the beginning again: a handler may have changed the list. */
static void drain(struct http *http)
{
	struct http_request *r;

	http->draining = true;
	while (!http->held) {
		collect_done(http);
		stop_waiting(http, false);
		r = http->requests;
		while (r && !has_work(r))
			r = r->next;
		if (!r)
			break;
		if (r->cancelled) {
			DL_DELETE(http->requests, r);
			request_free(r);
		} else {
			drain_request(r);
		}
	}
	http->draining = false;
}

static void act(struct http *http, curl_socket_t fd, int what)
{
	int running;

	(void)curl_multi_socket_action(http->multi, fd, what,
				       &running); /* each transfer tells its own */
	drain(http);
}

static void on_ready(evutil_socket_t fd, short what, void *ctx)
{
	act(ctx, fd,
	    (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void on_waited(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	stop_waiting(ctx, true);
	drain(ctx);
}

/* One timer for each span of silence, and not one for each byte. */
static void on_silence(evutil_socket_t fd, short what, void *ctx)
{
	struct http_request *r = ctx;
	int64_t left = r->heard_ms + (int64_t)r->silence_ms - clock_monotonic_ms();
	struct timeval after = after_ms(left);

	(void)fd;
	(void)what;
	if (r->http->held) {
		r->heard_ms = clock_monotonic_ms(); /* nobody has listened */
		after = after_ms(r->silence_ms);
	}
	if (left > 0 || r->http->held) {
		(void)event_add(r->silence, &after); /* without it total_ms still holds */
		return;
	}
	r->silent = true;
	drain(r->http);
}

static void on_again(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	drain(ctx);
}

void http_hold(struct http *http, bool held)
{
	static const struct timeval now = {0};

	http->held = held;
	if (held)
		return;
	for (struct http_request *r = http->requests; r; r = r->next)
		r->heard_ms = clock_monotonic_ms();
	(void)event_add(http->again,
			&now); /* without memory: the next bytes, or a timeout, do it */
}

int http_new(struct event_base *base, struct http **ret)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return -ENOMEM;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(http);
		return -ENOMEM;
	}
	http->base = base;
	http->multi = curl_multi_init();
	http->timer = evtimer_new(base, on_timer, http);
	http->waited = evtimer_new(base, on_waited, http);
	http->again = evtimer_new(base, on_again, http);
	if (!http->multi || !http->timer || !http->waited || !http->again) {
		http_free(http);
		return -ENOMEM;
	}
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	*ret = http;
	return 0;
}

void http_free(struct http *http)
{
	struct http_request *r, *next;

	if (!http)
		return;
	DL_FOREACH_SAFE (http->requests, r, next) {
		DL_DELETE(http->requests, r);
		request_free(r);
	}
	if (http->multi)
		(void)curl_multi_cleanup(http->multi); /* closes what is still open */
	if (http->timer)
		event_free(http->timer);
	if (http->waited)
		event_free(http->waited);
	if (http->again)
		event_free(http->again);
	free(http);
	curl_global_cleanup();
}

/* Where libcurl tells of this request. */
static int take_over(struct http_request *r)
{
	bool good = curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_head_line) == CURLE_OK &&
		    curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r) == CURLE_OK &&
		    /* a proxy's answer is not the server's */
		    curl_easy_setopt(r->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
		    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK &&
		    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r) == CURLE_OK &&
		    curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r) == CURLE_OK &&
		    curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->text) == CURLE_OK;

	return good ? 0 : -ENOMEM;
}

static int watch_silence(struct http_request *r, const struct http_call *call)
{
	struct timeval after = after_ms(call->silence_ms);

	r->silence_ms = call->silence_ms;
	r->heard_ms = clock_monotonic_ms();
	r->silence = evtimer_new(r->http->base, on_silence, r);
	return r->silence && event_add(r->silence, &after) == 0 ? 0 : -ENOMEM;
}

static int begin(struct http_request *r, const struct http_call *call)
{
	struct timeval after = after_ms(SHARING_WAIT_MS);

	if (call->fresh || strncmp(call->url, "https:", 6) != 0 || !is_connecting(r->http))
		return hand_over(r);
	r->waiting = true;
	if (evtimer_pending(r->http->waited, NULL))
		return 0;
	return event_add(r->http->waited, &after) == 0 ? 0 : -ENOMEM;
}

int http_start(struct http *http, const struct http_call *call,
	       const struct http_handlers *handlers, struct http_request **ret, struct err *err)
{
	struct http_request *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->http = http;
	r->handlers = *handlers;
	r->easy = curl_easy_init();
	rc = r->easy ? http_options_set(r->easy, call, &r->options, err) : -ENOMEM;
	if (rc == 0)
		rc = take_over(r);
	if (rc == 0)
		rc = watch_silence(r, call);
	if (rc == 0)
		rc = begin(r, call);
	if (rc < 0) {
		request_free(r);
		return rc;
	}
	DL_APPEND(http->requests, r);
	*ret = r;
	return 0;
}

void http_set_silence(struct http_request *r, unsigned silence_ms)
{
	r->silence_ms = silence_ms;
}

void http_cancel(struct http_request *r)
{
	if (!r || r->cancelled)
		return;
	r->cancelled = true;
	if (r->http->draining) /* freed there: a handler of its own may be running */
		return;
	struct http *http = r->http;
	DL_DELETE(http->requests, r);
	request_free(r);
	stop_waiting(http, false);
}
