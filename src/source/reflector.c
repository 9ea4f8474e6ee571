/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/reflector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/log.h"
#include "reflector_judge.h"

/* Watches end by themselves after a time that differs from client to client. */
#define WATCH_MIN_S 300
#define WATCH_MAX_S 600
/* So much later than agreed, a watch that has not ended is dead. */
#define WATCH_GRACE_S 60
/* An API server sends a bookmark every minute or so. */
#define WATCH_SILENCE_MS 180000
/* A list may have to wait for its turn. */
#define LIST_SILENCE_MS 65000

const char *reflector_state_name(enum reflector_state state)
{
	static const char *const names[] = {"listing", "watching", "retrying", "forbidden",
					    "absent"};

	return names[state];
}

void reflector_init(struct reflector *r, const struct api_resource *resource,
		    struct intern *strings, event_fn fn, void *ctx, uint64_t seed)
{
	*r = (struct reflector){.resource = resource, .strings = strings, .fn = fn, .ctx = ctx};
	backoff_init(&r->backoff, seed);
}

static void forget_answer(struct reflector *r)
{
	api_stream_free(r->stream);
	r->stream = NULL;
	free(r->body);
	r->body = NULL;
	r->body_len = 0;
	r->status = 0;
	r->err = (struct err){0};
	r->lost = r->has_error = false;
}

void reflector_done(struct reflector *r)
{
	forget_answer(r);
	seen_done(&r->seen);
	free(r->rest);
	free(r->path);
}

bool reflector_settled(const struct reflector *r)
{
	return r->settled;
}

int64_t reflector_failing_since(const struct reflector *r)
{
	return r->failing_since_ms;
}

bool reflector_refused(const struct reflector *r)
{
	return r->refused;
}

bool reflector_definite(const struct reflector *r)
{
	return r->definite;
}

unsigned reflector_silence_ms(const struct reflector *r)
{
	return r->live ? WATCH_SILENCE_MS : LIST_SILENCE_MS;
}

/* What is no letter, digit, - . _ ~ is escaped. */
static char *escape(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	char *escaped = malloc(strlen(text) * 3 + 1), *to = escaped;

	for (; escaped && *text; text++) {
		if (strchr(plain, *text))
			*to++ = *text;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*text);
	}
	if (escaped)
		*to = '\0';
	return escaped;
}

static int format_pages(struct reflector *r)
{
	char *rest = r->rest ? escape(r->rest) : NULL;
	int n;

	if (r->rest && !rest)
		return -ENOMEM;
	if (r->one_page)
		n = asprintf(&r->path, "%s", r->resource->path);
	else
		n = asprintf(&r->path, "%s?limit=%u%s%s", r->resource->path,
			     r->page ? r->page : REFLECTOR_PAGE, rest ? "&continue=" : "",
			     rest ? rest : "");
	free(rest);
	return n;
}

static int format_watch(struct reflector *r, unsigned timeout_s)
{
	char *version = escape(r->stats.version);
	int n;

	if (!version)
		return -ENOMEM;
	if (r->phase == REFLECTOR_STREAM)
		n = asprintf(&r->path,
			     "%s?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
			     "&allowWatchBookmarks=true&timeoutSeconds=%u",
			     r->resource->path, timeout_s);
	else
		n = asprintf(&r->path,
			     "%s?watch=1&allowWatchBookmarks=true&resourceVersion=%s"
			     "&timeoutSeconds=%u",
			     r->resource->path, version, timeout_s);
	free(version);
	return n;
}

/* A list begins when its first request does. */
static void begin_list(struct reflector *r)
{
	seen_begin(&r->seen);
	r->live = false;
	r->stats.version[0] = '\0';
	/* What was not to be had last time is looked for without a word. */
	if (r->stats.state != REFLECTOR_ABSENT &&
	    !(r->stats.state == REFLECTOR_FORBIDDEN && r->resource->optional))
		r->stats.state = REFLECTOR_LISTING;
}

int reflector_next(struct reflector *r, int64_t now_ms, struct reflector_step *ret)
{
	unsigned timeout_s = backoff_between(&r->backoff, WATCH_MIN_S, WATCH_MAX_S);
	int n;

	*ret = (struct reflector_step){.what = REFLECTOR_WAIT, .wait_ms = r->wait_ms};
	if (r->wait_ms > 0) {
		r->wait_ms = 0;
		return 0;
	}
	if (r->phase == REFLECTOR_STREAM && r->pages_only)
		r->phase = REFLECTOR_PAGES;
	if (r->phase == REFLECTOR_STREAM || (r->phase == REFLECTOR_PAGES && !r->rest))
		begin_list(r);
	free(r->path);
	r->path = NULL;
	n = r->phase == REFLECTOR_PAGES ? format_pages(r) : format_watch(r, timeout_s);
	if (n < 0) {
		r->path = NULL;
		return -ENOMEM;
	}
	*ret = (struct reflector_step){
		.what = REFLECTOR_REQUEST,
		.path = r->path,
		.silence_ms = reflector_silence_ms(r),
		.total_ms = r->phase == REFLECTOR_PAGES ? 0 : (timeout_s + WATCH_GRACE_S) * 1000,
		.fresh = r->fresh,
	};
	r->fresh = false;
	r->taken = 0;
	r->began_ms = r->heard_ms = r->now_ms = now_ms;
	if (!r->settled && r->failing_since_ms == 0)
		r->failing_since_ms = now_ms;
	if (r->phase == REFLECTOR_WATCH)
		r->stats.watches++;
	return 0;
}

/* The answer's objects. */

static int emit(struct reflector *r, enum event_type type, struct object object, const char *reason)
{
	struct event event = {.type = type, .object = object, .reason = reason};
	int rc = r->fn(r->ctx, &event);

	r->lost = r->lost || rc < 0;
	return rc;
}

static int take_present(struct reflector *r, const struct api_item *item)
{
	const char *ns = object_ns(&item->object), *name = object_own_name(&item->object);
	bool broken = item->what == API_ITEM_BROKEN;
	int rc = seen_mark(&r->seen, ns, name);

	if (rc == 0 && seen_count(&r->seen) > REFLECTOR_OBJECTS_MAX)
		rc = err_set(&r->err, -E2BIG, "more than %d objects", REFLECTOR_OBJECTS_MAX);
	if (rc < 0) {
		object_free(r->strings, item->object);
		r->lost = true;
		return rc;
	}
	r->stats.broken += broken;
	return emit(r, broken ? EVENT_BROKEN : EVENT_UPSERT, item->object, item->reason);
}

static int delete_name(void *ctx, const char *ns, const char *name)
{
	struct reflector *r = ctx;
	struct object object;
	int rc = api_object_of_name(r->resource, r->strings, ns, name, &object);

	return rc < 0 ? rc : emit(r, EVENT_DELETE, object, NULL);
}

/* One whose end is not taken is still known, so that the next list tells of it. */
static int handle_gone(struct reflector *r, const struct api_item *item)
{
	int rc = seen_drop(&r->seen, object_ns(&item->object), object_own_name(&item->object),
			   delete_name, r);

	r->lost = r->lost || rc < 0;
	object_free(r->strings, item->object);
	return rc;
}

int reflector_sweep(struct reflector *r)
{
	int rc = seen_sweep(&r->seen, delete_name, r);

	r->lost = r->lost || rc < 0;
	r->stats.objects = seen_count(&r->seen);
	return rc;
}

/* All that is there has been told: what was not told is gone. */
static int finish_list(struct reflector *r)
{
	int rc = reflector_sweep(r);

	if (rc < 0)
		return rc;
	r->live = r->settled = true;
	r->pages_only = r->one_page = r->has_paged = false;
	r->page = r->page_then = r->unreadable = 0;
	r->listed = r->empty_pages = 0;
	r->failing_since_ms = 0;
	r->stats.state = REFLECTOR_WATCHING;
	r->stats.error[0] = '\0';
	r->stats.lists++;
	r->stats.synced_ms = r->now_ms;
	return 0;
}

/* The version of an event counts when all before it has been told. */
static int take_version(struct reflector *r, const char *version)
{
	if (!version)
		return 0;
	if (strlen(version) >= REFLECTOR_VERSION_MAX)
		return err_set(&r->err, -EINVAL, "a resource version of more than %d bytes",
			       REFLECTOR_VERSION_MAX - 1);
	(void)snprintf(r->stats.version, sizeof(r->stats.version), "%s", version);
	return 0;
}

static int take_page_end(struct reflector *r, const struct api_item *item)
{
	char *rest = NULL;

	if (item->rest && strlen(item->rest) > REFLECTOR_REST_MAX)
		return err_set(&r->err, -EINVAL, "a `continue` of more than %d bytes",
			       REFLECTOR_REST_MAX);
	if (item->rest && !(rest = strdup(item->rest)))
		return -ENOMEM;
	free(r->rest);
	r->rest = rest;
	r->has_paged = r->has_paged || rest;
	r->page = r->page_then;
	r->page_then = r->unreadable = 0;
	return take_version(r, item->version);
}

/* The watch has brought something. */
static void made_progress(struct reflector *r)
{
	r->heard_ms = r->now_ms;
	if (r->phase == REFLECTOR_PAGES || !r->live)
		return; /* that counts when the list is complete */
	r->failing_since_ms = 0;
}

static int take_bookmark(struct reflector *r, const struct api_item *item)
{
	int rc = 0;

	made_progress(r);
	if (item->initial_end && !r->live)
		rc = finish_list(r);
	return rc == 0 && r->live ? take_version(r, item->version) : rc;
}

static int take_item(void *ctx, const struct api_item *item)
{
	struct reflector *r = ctx;
	int rc = 0;

	switch (item->what) {
	case API_ITEM_UPSERT:
	case API_ITEM_BROKEN:
		rc = take_present(r, item);
		break;
	case API_ITEM_DELETE:
		rc = handle_gone(r, item);
		break;
	case API_ITEM_BOOKMARK:
		return take_bookmark(r, item);
	case API_ITEM_LIST:
		return take_page_end(r, item);
	case API_ITEM_ERROR:
		r->error = *item->status;
		r->has_error = true;
		return -ECANCELED;
	}
	r->taken++;
	r->stats.events++;
	r->stats.objects = seen_count(&r->seen);
	if (rc < 0)
		return rc;
	made_progress(r);
	/* Which version an object claims to be holds up no other. */
	if (r->live && item->version && strlen(item->version) < REFLECTOR_VERSION_MAX)
		return take_version(r, item->version);
	return 0;
}

static int open_stream(struct reflector *r)
{
	enum api_stream_kind kind =
		r->phase == REFLECTOR_PAGES ? API_STREAM_LIST : API_STREAM_WATCH;

	return api_stream_new(kind, r->resource, r->strings, take_item, r, &r->stream);
}

static int take_error_body(struct reflector *r, const char *bytes, size_t len)
{
	char *grown;

	len = len < REFLECTOR_BODY_MAX - r->body_len ? len : REFLECTOR_BODY_MAX - r->body_len;
	if (len == 0)
		return 0;
	grown = realloc(r->body, r->body_len + len);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + r->body_len, bytes, len);
	r->body = grown;
	r->body_len += len;
	return 0;
}

/* The watch goes on from where it was. */
static void resumed(struct reflector *r)
{
	if (r->stats.state == REFLECTOR_WATCHING)
		return;
	r->stats.state = REFLECTOR_WATCHING;
	r->stats.error[0] = '\0';
	log_notice("api", "watch of %s goes on from version %s", r->resource->plural,
		   r->stats.version);
}

/* Bytes come, and no object of them ends: one whose brackets do not match takes in all that follow.
 */
static int stuck(struct reflector *r)
{
	if (r->phase == REFLECTOR_PAGES || r->now_ms - r->heard_ms <= WATCH_SILENCE_MS)
		return 0;
	return err_set(&r->err, -EINVAL, "not JSON: no event has come to its end for %d s",
		       WATCH_SILENCE_MS / 1000);
}

int reflector_take(struct reflector *r, int64_t now_ms, int status, const char *bytes, size_t len)
{
	int rc = 0;

	r->now_ms = now_ms;
	r->status = status;
	if (status != 200)
		return take_error_body(r, bytes, len);
	if (!r->stream && r->phase == REFLECTOR_WATCH)
		resumed(r);
	if (!r->stream)
		rc = open_stream(r);
	if (rc == 0)
		rc = api_stream_feed(r->stream, bytes, len, &r->err);
	return rc == 0 ? stuck(r) : rc;
}

/* The one object that was asked for is no JSON, each time. */
static int skip_object(struct reflector *r, const char *text)
{
	char reason[ERR_TEXT_MAX];
	int rc;

	if (!r->stream || ++r->unreadable < REFLECTOR_UNREADABLE_MAX)
		return -ENOENT;
	(void)snprintf(reason, sizeof(reason), "%s", text); /* it may be r->err */
	rc = api_stream_skip_item(r->stream, reason, r->has_paged, &r->err);
	return rc == 0 && !r->rest ? finish_list(r) : rc;
}

/* JSON objects in a stream have nothing between them (client-go calls them self-framing,
 * apimachinery/pkg/runtime/serializer/json, Framer): where one does not end, nobody knows where the
 * next begins. But a list can be asked for object by object, and each answer has an end. */
static void page_not_understood(struct reflector *r, const char *text)
{
	bool single = r->page == 1 && !r->one_page;
	int rc = single ? skip_object(r, text) : -ENOENT;

	if (rc == 0 && !r->rest)
		r->phase = REFLECTOR_WATCH;
	if (rc == 0)
		return;
	if (!single) {
		r->page = r->taken > 0 ? (unsigned)r->taken : 1;
		r->page_then = r->taken > 0;
		r->one_page = false;
	}
	if (single && r->unreadable >= REFLECTOR_UNREADABLE_MAX)
		reflector_broke_off(r, text); /* from the beginning */
	else
		reflector_page_broke_off(r, text);
}

/* Did the watch before break off at this version, too? Events that came meanwhile do not count: not
 * each says which version it is, and a watch goes on from the last that did. */
static bool broke_off_again(struct reflector *r)
{
	if (strcmp(r->unreadable_at, r->stats.version) != 0)
		r->unreadable = 0;
	memcpy(r->unreadable_at, r->stats.version, sizeof(r->unreadable_at));
	return ++r->unreadable >= REFLECTOR_UNREADABLE_MAX;
}

/* What came was cut, or was no answer: whatever is in between may do that again. If it is the same
 * event again and again, a list leads past it. */
static void not_understood(struct reflector *r, const char *text)
{
	r->fresh = true;
	if (r->phase == REFLECTOR_PAGES) {
		page_not_understood(r, text);
	} else if (r->live && broke_off_again(r)) {
		r->unreadable = 0;
		r->pages_only = true;
		reflector_lost(r, text);
	} else {
		reflector_broke_off(r, text);
	}
}

/* A page may be empty where all of it was filtered out (API concepts, retrieving large results sets
 * in chunks). A server whose list never ends would be asked without a pause. */
static void more_pages(struct reflector *r)
{
	char text[ERR_TEXT_MAX];

	r->empty_pages = r->taken > 0 ? 0 : r->empty_pages + 1;
	r->listed += r->taken;
	if (r->empty_pages < REFLECTOR_EMPTY_PAGES_MAX && r->listed <= REFLECTOR_OBJECTS_MAX)
		return;
	if (r->listed > REFLECTOR_OBJECTS_MAX)
		(void)snprintf(text, sizeof(text), "the list has no end: more than %d objects",
			       REFLECTOR_OBJECTS_MAX);
	else
		(void)snprintf(text, sizeof(text),
			       "the list has no end: %u pages without an object", r->empty_pages);
	reflector_lost(r, text);
}

static void end_good(struct reflector *r)
{
	int rc = r->stream ? 0 : open_stream(r); /* no byte came: as bad as half an object */

	if (rc == 0)
		rc = api_stream_finish(r->stream, &r->err);
	if (rc < 0)
		not_understood(r, r->err.text[0] ? r->err.text : "no memory");
	else if (r->phase != REFLECTOR_PAGES)
		reflector_watch_ended(r);
	else if (r->rest)
		more_pages(r);
	else if (finish_list(r) == 0)
		r->phase = REFLECTOR_WATCH;
	else
		reflector_lost(r, "its objects could not be taken");
}

static void end_aborted(struct reflector *r, int error)
{
	if (r->has_error)
		reflector_answered(r, REFLECTOR_EVENT, r->error.code, &r->error, 0);
	else if (r->lost)
		reflector_lost(r, r->err.text[0]     ? r->err.text
				  : error == -ENOMEM ? "no memory"
						     : strerror(-error));
	else
		not_understood(r, r->err.text[0] ? r->err.text : strerror(-error));
}

/* Whatever went wrong with it, a list in pages may go well: client-go does the same, for the same
 * reason (tools/cache/reflector.go, ListAndWatch: "making progress is better than deadlocking"). A
 * server that nobody could connect to has not been asked. */
static bool streaming_list_failed(const struct reflector *r, const struct http_end *end)
{
	return r->phase == REFLECTOR_STREAM && !r->live && end->sent;
}

void reflector_end(struct reflector *r, int64_t now_ms, const struct http_end *end)
{
	struct api_status status;

	r->now_ms = now_ms;
	reflector_judge_begin(r);
	if (end->status != 401)
		r->refused = false;
	if (end->outcome == HTTP_REFUSED)
		r->definite = true;
	if (streaming_list_failed(r, end))
		r->pages_only = true;
	if (end->outcome == HTTP_ABORTED) {
		end_aborted(r, end->error);
	} else if (end->outcome == HTTP_SILENT) {
		reflector_went_silent(r);
	} else if (end->outcome != HTTP_DONE) {
		reflector_broke_off(r, end->text);
	} else if (end->status == 200) {
		end_good(r);
	} else {
		api_status_parse(r->body ? r->body : "", r->body_len, &status);
		reflector_answered(r, REFLECTOR_STATUS, end->status, &status, end->retry_after_s);
	}
	forget_answer(r);
}
