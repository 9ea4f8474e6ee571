/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps up with one resource of an API server: what to ask for next, what the answers mean, when to
 * try again. It does no I/O and knows no clock; who drives it does:
 *
 *     for (;;) {
 *             reflector_next(&r, now, &step);     wait, or send the request
 *             reflector_take(&r, now, status, bytes);  for each piece of the answer
 *             reflector_end(&r, now, &end);       when it has ended
 *     }
 */
#ifndef SOURCE_REFLECTOR_H
#define SOURCE_REFLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "source/api_stream.h"
#include "source/backoff.h"
#include "source/event.h"
#include "source/http.h"
#include "source/seen.h"

#define REFLECTOR_VERSION_MAX 128   /* bytes of a resource version */
#define REFLECTOR_REST_MAX    65536 /* bytes of a `continue` */
#define REFLECTOR_BODY_MAX    16384 /* bytes of an answer that is an error */
#define REFLECTOR_OBJECTS_MAX 2000000
/* Pages in a row without an object, each with the promise of one more. */
#define REFLECTOR_EMPTY_PAGES_MAX 100
#define REFLECTOR_PAGE            500 /* objects */
/* So many answers in a row that are no JSON at the same place are no accident. */
#define REFLECTOR_UNREADABLE_MAX 2

enum reflector_state {
	REFLECTOR_LISTING,   /* not all that is there has been told yet */
	REFLECTOR_WATCHING,  /* up to date */
	REFLECTOR_RETRYING,  /* failed; what was told stays until it works again */
	REFLECTOR_FORBIDDEN, /* the same, and the role is why */
	REFLECTOR_ABSENT,    /* the server does not have this resource */
};

const char *reflector_state_name(enum reflector_state state);

struct reflector_step {
	enum reflector_what {
		REFLECTOR_WAIT,   /* wait_ms, then ask again */
		REFLECTOR_REQUEST /* GET path */
	} what;
	unsigned wait_ms;
	const char *path; /* with its query; until the next call */
	unsigned silence_ms, total_ms;
	bool fresh; /* on a new connection */
};

struct reflector_stats {
	enum reflector_state state;
	char error[ERR_TEXT_MAX]; /* the last one; "" when there was none since it worked */
	size_t objects;           /* now */
	uint64_t events, lists, watches, failures, broken;
	int64_t synced_ms; /* when a list was last complete, by the driver's clock; 0: never */
	char version[REFLECTOR_VERSION_MAX];
};

struct reflector {
	const struct api_resource *resource;
	struct intern *strings;
	event_fn fn;
	void *ctx;
	struct backoff backoff;
	struct seen_set seen;
	struct reflector_stats stats;

	enum reflector_phase {
		REFLECTOR_STREAM, /* a watch that begins with all that is there */
		REFLECTOR_PAGES,  /* a list, page by page */
		REFLECTOR_WATCH   /* what changes since `stats.version` */
	} phase;
	bool pages_only; /* a streaming list has failed: until the next list is through */
	bool one_page;   /* pages expire before they are read: until then, too */

	/* On the way to an object that is no JSON, where nobody can tell where the next one begins:
	 * up to it, then it alone, then on behind it. */
	unsigned page, page_then; /* objects of this page, and of the one behind it; 0: as usual */
	size_t taken;             /* objects of the answer that is coming */
	bool has_paged;           /* the server has said that there is more behind a page */
	size_t listed;            /* objects of the list's pages so far */
	unsigned empty_pages;     /* in a row */
	unsigned unreadable;      /* answers in a row that broke off at the same place */
	char unreadable_at[REFLECTOR_VERSION_MAX]; /* of a watch: which version that is */

	bool live; /* the list is complete, changes follow */
	bool settled;
	bool refused;       /* the last answer was 401: credentials are to be renewed */
	bool definite;      /* see reflector_definite() */
	bool fresh;         /* the connection is not to be trusted */
	unsigned wait_ms;   /* before the next request */
	unsigned too_large; /* answers in a row that did not know our version yet */
	char *rest;         /* `continue` of the next page */
	char *path;

	/* By the driver's clock. */
	int64_t heard_ms;         /* when the last object or bookmark had come whole */
	int64_t failing_since_ms; /* see reflector_failing_since() */

	/* The answer that is coming. */
	int64_t began_ms, now_ms;
	struct api_stream *stream;
	int status;
	char *body;
	size_t body_len;
	struct err err;
	bool lost;               /* an event was not taken: only a new list can make it good */
	struct api_status error; /* what a watch said before it ended */
	bool has_error;
};

/* `fn` gets upserts, deletes and broken objects; EVENT_SYNCED is the driver's. `seed` is for the
 * waits, 0: from the kernel. */
void reflector_init(struct reflector *r, const struct api_resource *resource,
		    struct intern *strings, event_fn fn, void *ctx, uint64_t seed);
void reflector_done(struct reflector *r);

/* What to do now. 0 or -ENOMEM (ask again later). */
int reflector_next(struct reflector *r, int64_t now_ms, struct reflector_step *ret);

/* An answer of that status has begun, with bytes or none yet; then more of its bytes. 0, or a
 * negative errno: the request is of no more use, end it. */
int reflector_take(struct reflector *r, int64_t now_ms, int status, const char *bytes, size_t len);

/* The answer has ended. */
void reflector_end(struct reflector *r, int64_t now_ms, const struct http_end *end);

/* There was not even a request: `text` says why. */
void reflector_failed(struct reflector *r, const char *text);

/* How much silence the request under way may have now. */
unsigned reflector_silence_ms(const struct reflector *r);

/* Has all that was there at the start been told? (Or is it known that there is nothing to tell.) */
bool reflector_settled(const struct reflector *r);

/* Since when there has been no progress: since the first failure behind the last object, bookmark
 * or complete list, or since the start, where nothing has been complete yet. 0: all goes well. */
int64_t reflector_failing_since(const struct reflector *r);

/* Was the last answer 401? */
bool reflector_refused(const struct reflector *r);

/* Was the last failure one that waiting will hardly mend? */
bool reflector_definite(const struct reflector *r);

#endif
