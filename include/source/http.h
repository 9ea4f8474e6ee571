/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP requests on an event base: libcurl's multi interface, joined by its socket and timer
 * callbacks. What libcurl's callbacks bring is only recorded; handlers run when it has returned, so
 * they may start and cancel requests as they like. */
#ifndef SOURCE_HTTP_H
#define SOURCE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "source/secret.h"

/* Bytes of an answer that wait for its handler; beyond, reading pauses. */
#define HTTP_WAITING_MAX (512u << 10)

/* Bytes of the headers of an answer, of interim ones before it and of trailers. */
#define HTTP_HEAD_MAX (256u << 10)

struct event_base;
struct http;
struct http_request;

enum http_outcome {
	HTTP_DONE,    /* the answer was received whole */
	HTTP_SILENT,  /* nothing came for silence_ms, or it took longer than total_ms */
	HTTP_REFUSED, /* the server's certificate is not good, or ours is none */
	HTTP_FAILED,  /* any other failure of name, connection or protocol */
	HTTP_ABORTED  /* by what the body handler returned */
};

struct http_end {
	enum http_outcome outcome;
	bool sent;              /* there was a connection for the request */
	int status;             /* of the answer; 0: there was none */
	int error;              /* what the body handler returned */
	unsigned retry_after_s; /* from the header; 0: none */
	const char *text;       /* why, without secrets; "" when done. Gone after the call */
};

struct http_handlers {
	/* The answer has begun, with bytes of its body or none yet; then more bytes. 0, or a
	 * negative errno that ends the request. */
	int (*body)(void *ctx, int status, const char *bytes, size_t len);
	/* Once, unless it was cancelled. The request is gone already. */
	void (*end)(void *ctx, const struct http_end *end);
	void *ctx;
};

/* All is copied. */
struct http_call {
	const char *url;
	const char *host;       /* for the Host header, when the URL has another; NULL: the URL's */
	const char *connect_to; /* "::HOST:PORT", where to connect instead; NULL: the URL's host */
	const char *proxy;      /* NULL: as the environment says */
	const char *user_agent;
	bool insecure;
	const struct secret *token, *ca, *cert, *key; /* NULL or empty: none */
	bool fresh; /* on a new connection: what there was did not work */
	unsigned connect_ms, silence_ms, total_ms; /* 0 for the last: no limit */
};

/* 0 or -ENOMEM. The base outlives it. */
int http_new(struct event_base *base, struct http **ret);

/* Cancels what is under way; no handler is called. Not from a handler. */
void http_free(struct http *http);

/* While it is held no handler is called, not even because of silence; what comes waits, and beyond
 * HTTP_WAITING_MAX it is not read. May be called from handlers. */
void http_hold(struct http *http, bool held);

/* 0; -ENOMEM; -EINVAL with err, for what libcurl does not take. Handlers are never called from
 * here. */
int http_start(struct http *http, const struct http_call *call,
	       const struct http_handlers *handlers, struct http_request **ret, struct err *err);

/* From now on this much silence is allowed. */
void http_set_silence(struct http_request *request, unsigned silence_ms);

/* No handler is called any more. May be called from handlers, also for their own request as long
 * as `end` has not been called. NULL is fine. */
void http_cancel(struct http_request *request);

#endif
