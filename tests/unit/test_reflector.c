/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reflector without a network: answers are given by hand, and what it asks for next is read. */
#include "unit.h"

#include "base/log.h"
#include "source/reflector.h"

#define META(name, version)                                                                      \
	"\"metadata\":{\"name\":\"" name "\",\"namespace\":\"a\",\"resourceVersion\":\"" version \
	"\"}"
#define POD(name, version)  "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"," META(name, version) "}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)   EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define INITIAL_END(version)                                              \
	EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version \
			  "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}")
#define LIST(version, rest, items)                                                \
	"{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" rest \
	"\"},\"items\":[" items "]}"
#define STATUS(code, text) "{\"kind\":\"Status\",\"code\":" #code ",\"message\":\"" text "\"}"

static const struct api_resource pods = {"/api/v1/pods", "pods",   "",    "PodList",
					 "v1",           KIND_POD, false, NULL};
static const struct api_resource optional = {"/apis/x/v1/pods", "pods", "x", "PodList", "v1",
					     KIND_POD,          true,   NULL};

/* A reflector, and all that it emitted since somebody looked. */
struct scene {
	struct intern *strings;
	struct reflector r;
	char events[4096];
	int64_t now_ms;
	int fail_with; /* what the next event gets */
	struct reflector_step step;
};

static int take(void *ctx, const struct event *event)
{
	static const char *const words[] = {
		[EVENT_UPSERT] = "+",
		[EVENT_DELETE] = "-",
		[EVENT_BROKEN] = "?",
		[EVENT_SYNCED] = "synced",
	};
	struct scene *s = ctx;
	int rc = s->fail_with;

	s->fail_with = 0;
	assert_true(event->type != EVENT_SYNCED);
	strcat(s->events, words[event->type]);
	strcat(s->events, object_own_name(&event->object));
	strcat(s->events, " ");
	object_free(s->strings, event->object);
	return rc;
}

static void start(struct scene *s, const struct api_resource *resource)
{
	*s = (struct scene){.strings = intern_new(), .now_ms = 1000};
	assert_non_null(s->strings);
	reflector_init(&s->r, resource, s->strings, take, s, 7);
}

static void stop(struct scene *s)
{
	reflector_done(&s->r);
	assert_int_equal(intern_count(s->strings), 0);
	intern_free(s->strings);
}

/* What was emitted since the last look. */
static void emitted(struct scene *s, const char *events)
{
	assert_string_equal(s->events, events);
	s->events[0] = '\0';
}

/* The next request has to have these words in its path; waits before it are waited. Returns them.
 */
static unsigned requests(struct scene *s, const char *with, const char *without)
{
	unsigned waited_ms = 0;

	for (;;) {
		assert_int_equal(reflector_next(&s->r, s->now_ms, &s->step), 0);
		if (s->step.what == REFLECTOR_REQUEST)
			break;
		assert_true(s->step.wait_ms > 0);
		waited_ms += s->step.wait_ms;
		s->now_ms += s->step.wait_ms;
	}
	if (!strstr(s->step.path, with))
		fail_msg("%s: expected %s", s->step.path, with);
	if (without && strstr(s->step.path, without))
		fail_msg("%s: unexpected %s", s->step.path, without);
	return waited_ms;
}

static int answer(struct scene *s, int status, const char *bytes)
{
	return reflector_take(&s->r, status, bytes, strlen(bytes));
}

static void ends(struct scene *s, enum http_outcome outcome, int status, unsigned after_ms)
{
	s->now_ms += after_ms;
	reflector_end(&s->r, s->now_ms,
		      &(struct http_end){.outcome = outcome, .status = status, .text = "why"});
}

/* Streamed, and now watching. */
static void synced(struct scene *s)
{
	(void)requests(s, "sendInitialEvents=true", "resourceVersion=");
	assert_int_equal(
		answer(s, 200, EVENT("ADDED", POD("p", "5")) EVENT("ADDED", POD("q", "6"))), 0);
	assert_false(reflector_settled(&s->r));
	assert_int_equal(answer(s, 200, INITIAL_END("9")), 0);
	assert_true(reflector_settled(&s->r));
	emitted(s, "+p +q ");
	assert_int_equal(s->r.stats.state, REFLECTOR_WATCHING);
}

static void a_streaming_list_becomes_a_watch(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	assert_string_equal(s.r.stats.version, "9");
	assert_int_equal(answer(&s, 200, EVENT("MODIFIED", POD("p", "10")) BOOKMARK("12")), 0);
	emitted(&s, "+p ");
	assert_string_equal(s.r.stats.version, "12");
	ends(&s, HTTP_DONE, 200, 300000);
	assert_true(requests(&s, "resourceVersion=12&", "sendInitialEvents") <= 1000);
	assert_int_equal(answer(&s, 200, EVENT("DELETED", POD("q", "13"))), 0);
	emitted(&s, "-q ");
	assert_int_equal(s.r.stats.objects, 1);
	assert_int_equal(answer(&s, 200, EVENT("DELETED", POD("q", "14"))), 0);
	emitted(&s, ""); /* gone before */
	stop(&s);
}

static void events_before_the_list_is_complete_are_no_place_to_resume_from(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	(void)requests(&s, "sendInitialEvents=true", NULL);
	assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("p", "5")) BOOKMARK("6")), 0);
	ends(&s, HTTP_FAILED, 200, 10);
	assert_false(reflector_settled(&s.r));
	assert_true(requests(&s, "sendInitialEvents=true", NULL) >= BACKOFF_BASE_MS);
	assert_false(s.step.fresh); /* a connection that is gone is nobody's any more */
	stop(&s);
}

static void pages_are_read_one_by_one(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	(void)requests(&s, "sendInitialEvents=true", NULL);
	assert_int_equal(answer(&s, 422, STATUS(422, "forbidden for watch")), 0);
	ends(&s, HTTP_DONE, 422, 1);
	assert_int_equal(requests(&s, "?limit=500", "continue"), 0);
	assert_int_equal(answer(&s, 200, LIST("9", "a/b+c=", "{" META("p", "1") "}")), 0);
	ends(&s, HTTP_DONE, 200, 1);
	assert_int_equal(requests(&s, "continue=a%2Fb%2Bc%3D", NULL), 0);
	assert_int_equal(answer(&s, 200, LIST("9", "", "{" META("q", "2") "}")), 0);
	assert_false(reflector_settled(&s.r));
	ends(&s, HTTP_DONE, 200, 1);
	assert_true(reflector_settled(&s.r));
	emitted(&s, "+p +q ");
	assert_int_equal(requests(&s, "watch=1&allowWatchBookmarks=true&resourceVersion=9&",
				  "sendInitialEvents"),
			 0);
	stop(&s);
}

static void pages_that_expire_become_one(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	(void)requests(&s, "sendInitialEvents=true", NULL);
	ends(&s, HTTP_DONE, 400, 1);
	(void)requests(&s, "?limit=500", NULL);
	assert_int_equal(answer(&s, 200, LIST("9", "x", "{" META("p", "1") "}")), 0);
	ends(&s, HTTP_DONE, 200, 1);
	(void)requests(&s, "continue=x", NULL);
	assert_int_equal(answer(&s, 410, STATUS(410, "too old")), 0);
	ends(&s, HTTP_DONE, 410, 1);
	(void)requests(&s, "/api/v1/pods", "?");
	assert_int_equal(answer(&s, 200, LIST("9", "", "{" META("q", "2") "}")), 0);
	ends(&s, HTTP_DONE, 200, 1);
	emitted(&s, "+p +q -p "); /* p was gone when the list was read again */
	stop(&s);
}

static void a_server_that_ignores_initial_events_is_read_in_pages(void **state)
{
	struct scene s;

	(void)state;
	for (int i = 0; i < 3; i++) {
		start(&s, &pods);
		(void)requests(&s, "sendInitialEvents=true", NULL);
		if (i == 0) { /* it waits for changes */
			assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("p", "5"))), 0);
			ends(&s, HTTP_SILENT, 200, s.step.silence_ms);
		} else if (i == 1) { /* it ends the watch in time */
			assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("p", "5"))), 0);
			ends(&s, HTTP_DONE, 200, 300000);
		} else { /* it knows no watch */
			assert_int_equal(answer(&s, 200, LIST("9", "", "{}")), -EINVAL);
			s.now_ms++;
			reflector_end(&s.r, s.now_ms,
				      &(struct http_end){.outcome = HTTP_ABORTED,
							 .status = 200,
							 .error = -EINVAL,
							 .text = ""});
		}
		(void)requests(&s, "?limit=500", NULL);
		stop(&s);
	}
}

static void streams_that_break_off_again_and_again_become_pages(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	for (int i = 0; i < 3; i++) {
		(void)requests(&s, "sendInitialEvents=true", NULL);
		assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("p", "5")) "{"), 0);
		ends(&s, HTTP_FAILED, 200, 1);
	}
	(void)requests(&s, "?limit=500", NULL);
	stop(&s);
	start(&s, &pods);
	for (int i = 0; i < 10; i++) { /* nobody there: that says nothing about streams */
		(void)requests(&s, "sendInitialEvents=true", NULL);
		ends(&s, HTTP_FAILED, 0, 1);
	}
	(void)requests(&s, "sendInitialEvents=true", NULL);
	stop(&s);
}

static void an_expired_version_in_both_its_forms(void **state)
{
	struct scene s;

	(void)state;
	for (int event = 0; event < 2; event++) {
		start(&s, &pods);
		synced(&s);
		ends(&s, HTTP_FAILED, 200, 5);
		(void)requests(&s, "resourceVersion=9&", NULL);
		if (event) {
			assert_int_equal(answer(&s, 200, EVENT("ERROR", STATUS(410, "too old"))),
					 -ECANCELED);
			ends(&s, HTTP_ABORTED, 200, 1);
		} else {
			assert_int_equal(answer(&s, 410, STATUS(410, "too old")), 0);
			ends(&s, HTTP_DONE, 410, 1);
		}
		assert_true(reflector_settled(&s.r)); /* what was told still stands */
		(void)requests(&s, "sendInitialEvents=true", "resourceVersion=");
		assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("q", "20")) INITIAL_END("21")),
				 0);
		emitted(&s, "+q -p ");
		assert_int_equal(s.r.stats.lists, 2);
		stop(&s);
	}
}

static void what_is_cut_is_resumed(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("r", "10")) "{\"type\":\"ADD"), 0);
	ends(&s, HTTP_DONE, 200, 60000); /* a proxy that thinks it was all */
	assert_non_null(strstr(s.r.stats.error, "ends inside"));
	(void)requests(&s, "resourceVersion=10&", NULL);
	assert_true(s.step.fresh);
	assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("t", "11"))), 0);
	emitted(&s, "+r +t ");
	stop(&s);
}

static void a_watch_that_is_answered_again_works(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	ends(&s, HTTP_FAILED, 0, 60000);
	assert_int_equal(s.r.stats.state, REFLECTOR_RETRYING);
	assert_string_equal(s.r.stats.error, "why");
	(void)requests(&s, "resourceVersion=9&", NULL);
	assert_int_equal(answer(&s, 503, ""), 0);
	assert_int_equal(s.r.stats.state, REFLECTOR_RETRYING);
	ends(&s, HTTP_DONE, 503, 1);
	(void)requests(&s, "resourceVersion=9&", NULL);
	assert_int_equal(answer(&s, 200, ""), 0); /* nothing has happened meanwhile */
	assert_int_equal(s.r.stats.state, REFLECTOR_WATCHING);
	assert_string_equal(s.r.stats.error, "");
	emitted(&s, "");
	stop(&s);
}

static void a_silent_watch_is_resumed(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	assert_int_equal(reflector_next(&s.r, 0, &s.step), 0);
	assert_true(s.step.silence_ms < 100000);
	stop(&s);
	start(&s, &pods);
	synced(&s);
	assert_true(reflector_silence_ms(&s.r) > 100000);
	ends(&s, HTTP_SILENT, 200, reflector_silence_ms(&s.r));
	(void)requests(&s, "resourceVersion=9&", NULL);
	assert_true(s.step.fresh);
	stop(&s);
}

static void an_event_that_was_not_taken_is_told_again(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	s.fail_with = -ENOMEM;
	assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("r", "10"))), -ENOMEM);
	reflector_end(
		&s.r, s.now_ms,
		&(struct http_end){
			.outcome = HTTP_ABORTED, .status = 200, .error = -ENOMEM, .text = ""});
	assert_string_equal(s.r.stats.error, "no memory");
	(void)requests(&s, "sendInitialEvents=true", NULL);
	stop(&s);
}

/* The wait before the request that follows such an answer. */
static unsigned wait_after(int code, const char *body, unsigned header_s)
{
	struct scene s;
	unsigned waited_ms;

	start(&s, &pods);
	synced(&s);
	ends(&s, HTTP_DONE, 200, 300000);
	(void)requests(&s, "resourceVersion=9&", NULL);
	assert_int_equal(answer(&s, code, body), 0);
	reflector_end(&s.r, s.now_ms,
		      &(struct http_end){.outcome = HTTP_DONE,
					 .status = code,
					 .retry_after_s = header_s,
					 .text = ""});
	assert_int_equal(s.r.stats.state, REFLECTOR_RETRYING);
	waited_ms = requests(&s, "resourceVersion=9&", NULL);
	stop(&s);
	return waited_ms;
}

static void servers_get_the_time_they_ask_for(void **state)
{
	static const char too_large[] =
		"{\"kind\":\"Status\",\"code\":504,\"details\":{\"retryAfterSeconds\":4}}";

	(void)state;
	assert_in_range(wait_after(429, "busy", 7), 7000 + BACKOFF_BASE_MS, 9000);
	assert_in_range(wait_after(503, "", 0), BACKOFF_BASE_MS, 2000);
	assert_in_range(wait_after(504, too_large, 0), 4000 + BACKOFF_BASE_MS, 6000);
	assert_in_range(wait_after(429, "", 1000000), 300000, 302000); /* but not any time */
}

static void a_version_that_no_server_ever_knows_is_given_up(void **state)
{
	static const char too_large[] =
		"{\"kind\":\"Status\",\"code\":504,\"details\":{\"causes\":"
		"[{\"reason\":\"ResourceVersionTooLarge\"}],\"retryAfterSeconds\":1}}";
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	ends(&s, HTTP_FAILED, 200, 5);
	for (int i = 0; i < 5; i++) {
		(void)requests(&s, "resourceVersion=9&", NULL);
		assert_int_equal(answer(&s, 504, too_large), 0);
		ends(&s, HTTP_DONE, 504, 1);
	}
	(void)requests(&s, "sendInitialEvents=true", NULL);
	stop(&s);
}

static void waits_grow_to_a_cap_and_shrink_when_it_works(void **state)
{
	unsigned least = UINT32_MAX, most = 0;
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	for (int i = 0; i < 200; i++) {
		unsigned waited_ms;

		ends(&s, HTTP_FAILED, 0, 1);
		waited_ms = requests(&s, "resourceVersion=9&", NULL);
		assert_in_range(waited_ms, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
		if (i == 0)
			assert_in_range(waited_ms, BACKOFF_BASE_MS, 3 * BACKOFF_BASE_MS);
		if (i > 10) {
			least = waited_ms < least ? waited_ms : least;
			most = waited_ms > most ? waited_ms : most;
		}
	}
	assert_true(most > BACKOFF_CAP_MS / 2);  /* it grew */
	assert_true(least < BACKOFF_CAP_MS / 4); /* and spreads */
	assert_int_equal(answer(&s, 200, BOOKMARK("10")), 0);
	ends(&s, HTTP_FAILED, 200, 60000);
	assert_in_range(requests(&s, "resourceVersion=10&", NULL), BACKOFF_BASE_MS,
			3 * BACKOFF_BASE_MS);
	stop(&s);
}

static void a_watch_that_ends_at_once_is_no_reason_to_hurry(void **state)
{
	unsigned waited_ms = 0;
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	for (int i = 0; i < 20; i++) {
		ends(&s, HTTP_DONE, 200, 100);
		waited_ms += requests(&s, "resourceVersion=9&", NULL);
	}
	assert_true(waited_ms > 20 * BACKOFF_BASE_MS);
	stop(&s);
}

static void who_may_not_is_told_what(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	(void)requests(&s, "sendInitialEvents=true", NULL);
	assert_int_equal(answer(&s, 403, STATUS(403, "pods is forbidden")), 0);
	ends(&s, HTTP_DONE, 403, 1);
	assert_int_equal(s.r.stats.state, REFLECTOR_FORBIDDEN);
	assert_string_equal(
		s.r.stats.error,
		"forbidden: the role lacks \"watch\" on \"pods\" of API group \"\" (pods is "
		"forbidden)");
	assert_true(reflector_definite(&s.r));
	assert_false(reflector_settled(&s.r));
	(void)requests(&s, "sendInitialEvents=true", NULL);
	stop(&s);
}

static void credentials_are_renewed_before_it_is_definite(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	for (int i = 0; i < 2; i++) {
		(void)requests(&s, "sendInitialEvents=true", NULL);
		assert_int_equal(answer(&s, 401, STATUS(401, "Unauthorized")), 0);
		ends(&s, HTTP_DONE, 401, 1);
		assert_true(reflector_refused(&s.r));
		assert_int_equal(reflector_definite(&s.r), i == 1);
	}
	synced(&s);
	ends(&s, HTTP_DONE, 200, 60000);
	assert_false(reflector_refused(&s.r));
	stop(&s);
}

static void a_kind_may_come_and_go(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &optional);
	(void)requests(&s, "sendInitialEvents=true", NULL);
	assert_int_equal(answer(&s, 404, "404 page not found\n"), 0);
	ends(&s, HTTP_DONE, 404, 1);
	assert_true(reflector_settled(&s.r));
	assert_int_equal(s.r.stats.state, REFLECTOR_ABSENT);
	assert_in_range(requests(&s, "sendInitialEvents=true", NULL), 45000, 75000);
	assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("p", "5")) INITIAL_END("9")), 0);
	emitted(&s, "+p ");
	assert_int_equal(s.r.stats.state, REFLECTOR_WATCHING);
	ends(&s, HTTP_DONE, 200, 60000);
	(void)requests(&s, "resourceVersion=9&", NULL);
	ends(&s, HTTP_DONE, 404, 1);
	emitted(&s, "-p ");
	assert_int_equal(s.r.stats.state, REFLECTOR_ABSENT);
	assert_in_range(requests(&s, "sendInitialEvents=true", NULL), 45000, 75000);
	stop(&s);
}

static void a_kind_that_may_not_be_read_holds_up_nothing(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &optional);
	(void)requests(&s, "sendInitialEvents=true", NULL);
	ends(&s, HTTP_DONE, 403, 1);
	assert_true(reflector_settled(&s.r));
	assert_int_equal(s.r.stats.state, REFLECTOR_FORBIDDEN);
	assert_int_equal(s.r.stats.failures, 0);
	assert_false(reflector_definite(&s.r));
	assert_in_range(requests(&s, "sendInitialEvents=true", NULL), 45000, 75000);
	assert_int_equal(s.r.stats.state, REFLECTOR_FORBIDDEN); /* or each try would be news */
	stop(&s);
}

static void a_kind_that_every_server_has_is_missed(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	ends(&s, HTTP_DONE, 200, 60000);
	(void)requests(&s, "resourceVersion=9&", NULL);
	ends(&s, HTTP_DONE, 404, 1);
	emitted(&s, ""); /* some proxy says so: nothing is deleted */
	assert_true(reflector_definite(&s.r));
	(void)requests(&s, "resourceVersion=9&", NULL);
	stop(&s);
}

static void versions_have_a_length(void **state)
{
	char event[1000], version[200];
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	memset(version, '1', sizeof(version) - 1);
	version[sizeof(version) - 1] = '\0';
	(void)snprintf(
		event, sizeof(event),
		"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%s\"}}}",
		version);
	assert_int_equal(answer(&s, 200, event), -EINVAL);
	ends(&s, HTTP_ABORTED, 200, 1);
	(void)requests(&s, "resourceVersion=9&", NULL);
	stop(&s);
}

static void an_error_page_has_a_size(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	(void)requests(&s, "sendInitialEvents=true", NULL);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(answer(&s, 500, "<p>no, no, no</p>\n"), 0);
	assert_true(s.r.body_len <= REFLECTOR_BODY_MAX);
	ends(&s, HTTP_DONE, 500, 1);
	assert_string_equal(s.r.stats.error, "HTTP status 500: <p>no, no, no</p>");
	stop(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_streaming_list_becomes_a_watch),
		cmocka_unit_test(events_before_the_list_is_complete_are_no_place_to_resume_from),
		cmocka_unit_test(pages_are_read_one_by_one),
		cmocka_unit_test(pages_that_expire_become_one),
		cmocka_unit_test(a_server_that_ignores_initial_events_is_read_in_pages),
		cmocka_unit_test(streams_that_break_off_again_and_again_become_pages),
		cmocka_unit_test(an_expired_version_in_both_its_forms),
		cmocka_unit_test(what_is_cut_is_resumed),
		cmocka_unit_test(a_watch_that_is_answered_again_works),
		cmocka_unit_test(a_silent_watch_is_resumed),
		cmocka_unit_test(an_event_that_was_not_taken_is_told_again),
		cmocka_unit_test(servers_get_the_time_they_ask_for),
		cmocka_unit_test(a_version_that_no_server_ever_knows_is_given_up),
		cmocka_unit_test(waits_grow_to_a_cap_and_shrink_when_it_works),
		cmocka_unit_test(a_watch_that_ends_at_once_is_no_reason_to_hurry),
		cmocka_unit_test(who_may_not_is_told_what),
		cmocka_unit_test(credentials_are_renewed_before_it_is_definite),
		cmocka_unit_test(a_kind_may_come_and_go),
		cmocka_unit_test(a_kind_that_may_not_be_read_holds_up_nothing),
		cmocka_unit_test(a_kind_that_every_server_has_is_missed),
		cmocka_unit_test(versions_have_a_length),
		cmocka_unit_test(an_error_page_has_a_size),
	};

	log_set_level(LOG_LEVEL_ERR);
	return cmocka_run_group_tests_name("reflector", tests, NULL, NULL);
}
