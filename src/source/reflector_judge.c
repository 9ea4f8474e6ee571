/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reflector_judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* A watch that lived so long ended well; the next follows within WATCH_PAUSE_MS. */
#define WATCH_GOOD_MS  10000
#define WATCH_PAUSE_MS 1000

/* What is not there is looked for again now and then. */
#define ABSENT_MIN_MS 45000
#define ABSENT_MAX_MS 75000

/* A server may ask for more patience than we have. */
#define RETRY_AFTER_MAX_MS 300000

/* A version that no server knows after so many tries is from another life of the cluster. */
#define TOO_LARGE_MAX 5

/* Has the watch that has just ended been one for a while? */
static bool worked(const struct reflector *r)
{
	return r->live && r->now_ms - r->began_ms >= WATCH_GOOD_MS;
}

void reflector_judge_begin(struct reflector *r)
{
	/* What worked for a while is not what failed before. */
	if (worked(r))
		backoff_reset(&r->backoff);
	r->definite = false;
}

static const char *verb(const struct reflector *r)
{
	return r->phase == REFLECTOR_PAGES ? "list" : "watch";
}

/* Says what happened and what happens next. */
static void tell(struct reflector *r, const char *text)
{
	const char *version = r->stats.version;
	double wait_s = r->wait_ms / 1000.0;

	(void)snprintf(r->stats.error, sizeof(r->stats.error), "%s", text);
	r->stats.failures++;
	if (r->failing_since_ms == 0)
		r->failing_since_ms = r->now_ms;
	if (r->phase == REFLECTOR_WATCH)
		log_warning("api", "watch of %s ended: %s; trying again in %.1f s from version %s",
			    r->resource->plural, text, wait_s, version);
	else
		log_warning("api", "%s not listed: %s; listing in %.1f s%s", r->resource->plural,
			    text, wait_s, r->settled ? ", keeping what was there" : "");
}

/* Back to the last known good: the version, or a list. */
static void fall_back(struct reflector *r)
{
	if (r->live) {
		r->phase = REFLECTOR_WATCH;
		return;
	}
	r->phase = REFLECTOR_STREAM;
	r->page = r->page_then = 0;
	r->listed = r->empty_pages = 0;
	free(r->rest);
	r->rest = NULL;
}

static void list_anew(struct reflector *r)
{
	r->live = false;
	r->too_large = 0;
	fall_back(r);
}

static void retry(struct reflector *r, const char *text)
{
	fall_back(r);
	r->stats.state = REFLECTOR_RETRYING;
	r->wait_ms = backoff_next(&r->backoff);
	tell(r, text);
}

void reflector_broke_off(struct reflector *r, const char *text)
{
	retry(r, text);
}

void reflector_page_broke_off(struct reflector *r, const char *text)
{
	r->stats.state = REFLECTOR_RETRYING;
	r->wait_ms = backoff_next(&r->backoff);
	tell(r, text);
}

void reflector_failed(struct reflector *r, const char *text)
{
	retry(r, text);
}

void reflector_went_silent(struct reflector *r)
{
	r->fresh = true; /* it may be the connection that is dead */
	reflector_broke_off(r, "the server went silent");
}

void reflector_watch_ended(struct reflector *r)
{
	if (!r->live) {
		retry(r, "the server ended the stream before all was told");
		return;
	}
	r->phase = REFLECTOR_WATCH;
	r->too_large = 0;
	if (worked(r))
		r->failing_since_ms = 0;
	if (!worked(r)) {
		retry(r, "the server ended it at once");
		return;
	}
	r->wait_ms = backoff_between(&r->backoff, 1, WATCH_PAUSE_MS);
	log_debug("api", "watch of %s ended; the next begins in %.1f s from version %s",
		  r->resource->plural, r->wait_ms / 1000.0, r->stats.version);
}

void reflector_lost(struct reflector *r, const char *text)
{
	list_anew(r);
	retry(r, text);
}

/* What is only perhaps there: a role that does not allow to look is no failure. */
static void not_to_be_seen(struct reflector *r, const char *text)
{
	bool news = r->stats.state != REFLECTOR_FORBIDDEN;

	list_anew(r);
	r->settled = true;
	r->failing_since_ms = 0;
	r->stats.state = REFLECTOR_FORBIDDEN;
	(void)snprintf(r->stats.error, sizeof(r->stats.error), "%s", text);
	r->wait_ms = backoff_between(&r->backoff, ABSENT_MIN_MS, ABSENT_MAX_MS);
	if (news)
		log_warning("api",
			    "%s: whether there are any is not known; looking again about "
			    "every minute",
			    text);
}

static void forbidden(struct reflector *r, const struct api_status *status)
{
	const struct api_resource *resource = r->resource;
	char text[ERR_TEXT_MAX];

	(void)snprintf(text, sizeof(text),
		       "forbidden: the role lacks \"%s\" on \"%s\" of API group \"%s\"%s%s%s",
		       verb(r), resource->plural, resource->group, status->text[0] ? " (" : "",
		       status->text, status->text[0] ? ")" : "");
	if (resource->optional) {
		not_to_be_seen(r, text);
		return;
	}
	r->definite = true;
	retry(r, text);
	r->stats.state = REFLECTOR_FORBIDDEN;
}

static void absent(struct reflector *r)
{
	bool news = r->stats.state != REFLECTOR_ABSENT;

	list_anew(r);
	seen_begin(&r->seen);
	if (reflector_sweep(r) < 0) {
		reflector_lost(r, "its objects could not be deleted");
		return;
	}
	r->settled = true;
	r->failing_since_ms = 0;
	r->stats.state = REFLECTOR_ABSENT;
	r->stats.error[0] = '\0';
	backoff_reset(&r->backoff);
	r->wait_ms = backoff_between(&r->backoff, ABSENT_MIN_MS, ABSENT_MAX_MS);
	if (news)
		log_debug("api",
			  "the API server does not have %s.%s; looking again about every minute",
			  r->resource->plural, r->resource->group);
}

static void describe(char text[static ERR_TEXT_MAX], enum reflector_error where, int code,
		     const struct api_status *status)
{
	const char *what = where == REFLECTOR_EVENT ? "an ERROR event with code" : "HTTP status";

	(void)snprintf(text, ERR_TEXT_MAX, "%s %d%s%s", what, code, status->text[0] ? ": " : "",
		       status->text);
}

/* The version, or the rest of a list, is no longer known. */
static void expired(struct reflector *r, enum reflector_error where,
		    const struct api_status *status)
{
	char text[ERR_TEXT_MAX];

	if (r->phase == REFLECTOR_PAGES && r->rest)
		r->one_page = true;
	list_anew(r);
	describe(text, where, 410, status);
	retry(r, text);
	r->stats.state = REFLECTOR_LISTING;
}

static void busy(struct reflector *r, enum reflector_error where, int code,
		 const struct api_status *status, unsigned retry_after_s)
{
	unsigned asked_s = retry_after_s > 0 ? retry_after_s : status->retry_after_s;
	unsigned asked_ms =
		asked_s < RETRY_AFTER_MAX_MS / 1000 ? asked_s * 1000 : RETRY_AFTER_MAX_MS;
	char text[ERR_TEXT_MAX];

	if (status->version_too_large && ++r->too_large >= TOO_LARGE_MAX)
		list_anew(r);
	describe(text, where, code, status);
	fall_back(r);
	r->stats.state = REFLECTOR_RETRYING;
	/* As long as it asked for, and then not all at once. */
	r->wait_ms = asked_ms + backoff_next(&r->backoff);
	tell(r, text);
}

/* It does not want to be asked in this way: what it says is no reason to wait with another. Older
 * servers have no streaming lists (400, 422); newer ones with an old etcd say so in an event. */
static bool is_no_streaming_list(const struct reflector *r, enum reflector_error where, int code,
				 const struct api_status *status)
{
	if (r->phase != REFLECTOR_STREAM || r->live)
		return false;
	return code == 400 || code == 422 ||
	       (where == REFLECTOR_EVENT && code != 401 && code != 403 && code != 410 &&
		code != 429 && status->retry_after_s == 0);
}

void reflector_answered(struct reflector *r, enum reflector_error where, int code,
			const struct api_status *status, unsigned retry_after_s)
{
	char text[ERR_TEXT_MAX];

	if (is_no_streaming_list(r, where, code, status)) {
		describe(text, where, code, status);
		log_debug("api", "%s: no streaming list: %s; listing in pages", r->resource->plural,
			  text);
		return;
	}
	switch (code) {
	case 400:
	case 422: /* the version is none to it: client-go lists anew after what it cannot retry */
		if (r->phase == REFLECTOR_WATCH)
			list_anew(r);
		break;
	case 401:
		r->definite = r->refused; /* new credentials did not help */
		r->refused = true;
		break;
	case 403:
		forbidden(r, status);
		return;
	case 404:
		r->definite = !r->resource->optional;
		if (r->definite)
			break;
		absent(r);
		return;
	case 410:
		expired(r, where, status);
		return;
	default:
		break;
	}
	busy(r, where, code, status, retry_after_s);
}
