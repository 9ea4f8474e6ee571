/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the reflector asks for: lists, pages, watches, and again where it left off. */
#include "reflector_scene.h"

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
	assert_true(requests(&s, "?limit=500", "resourceVersion=") >= BACKOFF_BASE_MS);
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
							 .sent = true,
							 .status = 200,
							 .error = -EINVAL,
							 .text = ""});
		}
		(void)requests(&s, "?limit=500", NULL);
		stop(&s);
	}
}

/* How a streaming list ends without being one. */
struct bad_end {
	const char *name;
	enum http_outcome outcome;
	int status;
	const char *body;  /* NULL: none */
	bool waits;        /* before the list in pages */
	const char *error; /* that is kept for the status; NULL: none is */
};

static void streaming_list_becomes_pages(void **state)
{
	const struct bad_end *end = *state;
	bool event = end->outcome == HTTP_ABORTED;
	struct scene s;
	unsigned waited_ms;

	start(&s, &pods);
	(void)requests(&s, "sendInitialEvents=true", NULL);
	if (end->body)
		assert_int_equal(answer(&s, end->status, end->body), event ? -ECANCELED : 0);
	ends(&s, end->outcome, end->status, 1);
	waited_ms = requests(&s, "?limit=500", "continue");
	assert_int_equal(waited_ms > 0, end->waits);
	if (end->error)
		assert_string_equal(s.r.stats.error, end->error);
	ends(&s, HTTP_DONE, 503, 1); /* a list that fails is tried again as one */
	(void)requests(&s, "?limit=500", "continue");
	assert_int_equal(answer(&s, 200, LIST("9", "", "{" META("p", "1") "}")), 0);
	ends(&s, HTTP_DONE, 200, 1);
	assert_true(reflector_settled(&s.r));
	(void)requests(&s, "resourceVersion=9&", "sendInitialEvents");
	ends(&s, HTTP_DONE, 410, 1);
	(void)requests(&s, "sendInitialEvents=true", NULL); /* another time it may go well */
	stop(&s);
}

static const struct bad_end bad_ends[] = {
	{"cut", HTTP_FAILED, 200, EVENT("ADDED", POD("p", "5")) "{", true, "why"},
	{"no answer", HTTP_SILENT, 200, NULL, true, "the server went silent"},
	{"status 401", HTTP_DONE, 401, STATUS(401, "no"), true, "HTTP status 401: no"},
	{"status 403", HTTP_DONE, 403, STATUS(403, "no"), true, NULL},
	{"status 404", HTTP_DONE, 404, "not found", true, "HTTP status 404: not found"},
	{"status 410", HTTP_DONE, 410, STATUS(410, "no"), true, "HTTP status 410: no"},
	{"status 422", HTTP_DONE, 422, STATUS(422, "no"), false, NULL},
	{"status 429", HTTP_DONE, 429, "no", true, "HTTP status 429: no"},
	{"status 500", HTTP_DONE, 500, STATUS(500, "no"), true, "HTTP status 500: no"},
	{"status 504", HTTP_DONE, 504, STATUS(504, "no"), true, "HTTP status 504: no"},
	{"an event of 410", HTTP_ABORTED, 200, EVENT("ERROR", STATUS(410, "no")), true,
	 "an ERROR event with code 410: no"},
	{"an event of 429", HTTP_ABORTED, 200, EVENT("ERROR", STATUS(429, "no")), true,
	 "an ERROR event with code 429: no"},
	{"an event of 500", HTTP_ABORTED, 200, EVENT("ERROR", STATUS(500, "no")), false, NULL},
	{"an event that is no Status", HTTP_ABORTED, 200, EVENT("ERROR", "{}"), false, NULL},
	{"an event in a watch that had begun", HTTP_ABORTED, 200,
	 EVENT("ADDED", POD("p", "5")) EVENT("ERROR", STATUS(503, "no")), false, NULL},
};

static void whom_nobody_can_connect_to_has_not_refused_to_stream(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	for (int i = 0; i < 10; i++) {
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

/* Who did not take it still has the object. */
static void a_deletion_that_was_not_taken_is_told_again(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	s.fail_with = -ENOMEM;
	assert_int_equal(answer(&s, 200, EVENT("DELETED", POD("p", "10"))), -ENOMEM);
	emitted(&s, "-p ");
	reflector_end(&s.r, s.now_ms,
		      &(struct http_end){.outcome = HTTP_ABORTED,
					 .sent = true,
					 .status = 200,
					 .error = -ENOMEM,
					 .text = ""});
	(void)requests(&s, "sendInitialEvents=true", NULL);
	assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("q", "6")) INITIAL_END("11")), 0);
	emitted(&s, "+q -p ");
	stop(&s);
}

/* An object that is no JSON, between others, in a list of which the server gives what is asked for.
 */
#define ITEM(name) "{" META(name, "1") "}"
#define BROKEN     "{\"metadata\":{\"name\":\"x\",\"namespace\":\"a\"}]"

static void aborted(struct scene *s)
{
	reflector_end(&s->r, s->now_ms,
		      &(struct http_end){.outcome = HTTP_ABORTED,
					 .sent = true,
					 .status = 200,
					 .error = -EINVAL,
					 .text = ""});
}

static void page(struct scene *s, const char *with, const char *rest, const char *items, bool good)
{
	char body[1024];

	(void)requests(s, with, NULL);
	(void)snprintf(
		body, sizeof(body),
		"{\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"%s\"},\"items\":[%s]}",
		rest, items);
	assert_int_equal(answer(s, 200, body), good ? 0 : -EINVAL);
	if (good)
		ends(s, HTTP_DONE, 200, 1);
	else
		aborted(s);
}

static void in_pages(struct scene *s)
{
	start(s, &pods);
	(void)requests(s, "sendInitialEvents=true", NULL);
	ends(s, HTTP_DONE, 422, 1);
}

static void an_object_without_an_end_is_passed_by_in_a_list(void **state)
{
	struct scene s;

	(void)state;
	in_pages(&s);
	page(&s, "?limit=500", "", ITEM("p") "," ITEM("q") "," BROKEN "," ITEM("r"), false);
	page(&s, "?limit=2", "t2", ITEM("p") "," ITEM("q"), true);
	page(&s, "?limit=1&continue=t2", "t3", BROKEN, false);
	page(&s, "?limit=1&continue=t2", "t3", BROKEN, false); /* that was no accident */
	page(&s, "?limit=500&continue=t3", "", ITEM("r"), true);
	assert_true(reflector_settled(&s.r));
	emitted(&s, "+p +q +p +q ?x +r ");
	(void)requests(&s, "resourceVersion=9&", NULL);
	stop(&s);
}

static void it_may_be_the_first_or_the_last_or_all_that_there_is(void **state)
{
	struct scene s;

	(void)state;
	in_pages(&s);
	page(&s, "?limit=500", "", BROKEN "," BROKEN, false);
	page(&s, "?limit=1", "t1", BROKEN, false);
	page(&s, "?limit=1", "t1", BROKEN, false);
	page(&s, "?limit=500&continue=t1", "", BROKEN, false);
	page(&s, "?limit=1&continue=t1", "", BROKEN, false);
	page(&s, "?limit=1&continue=t1", "", BROKEN, false);
	assert_true(reflector_settled(&s.r)); /* behind it is nothing, as the server gives pages */
	emitted(&s, "?x ?x ");
	(void)requests(&s, "resourceVersion=9&", NULL);
	stop(&s);

	in_pages(&s);
	for (int i = 0; i < 3; i++) /* whether it does nobody knows: more may be behind it */
		page(&s, i == 0 ? "?limit=500" : "?limit=1", "", BROKEN, false);
	(void)requests(&s, "?limit=500", NULL);
	assert_false(reflector_settled(&s.r));
	emitted(&s, "");
	stop(&s);
}

static void a_list_that_never_ends_is_begun_anew_and_told(void **state)
{
	struct scene s;

	(void)state;
	in_pages(&s);
	page(&s, "?limit=500", "t", ITEM("p"), true);
	for (unsigned i = 1; i < REFLECTOR_EMPTY_PAGES_MAX; i++)
		page(&s, "?limit=500&continue=t", "t", "", true);
	page(&s, "?limit=500&continue=t", "t", ITEM("q"), true); /* that was filtered, then */
	for (unsigned i = 0; i < REFLECTOR_EMPTY_PAGES_MAX; i++) {
		assert_int_equal(s.r.stats.failures, 0);
		page(&s, "?limit=500&continue=t", "t", "", true);
	}
	assert_int_equal(s.r.stats.failures, 1);
	assert_non_null(strstr(s.r.stats.error, "the list has no end: 100 pages"));
	assert_true(s.r.wait_ms > 0);
	assert_true(reflector_failing_since(&s.r) > 0);
	(void)requests(&s, "?limit=500", NULL); /* from the beginning */
	assert_false(reflector_settled(&s.r));
	stop(&s);
}

static void an_event_that_is_never_json_leads_to_a_list(void **state)
{
	static const char garbage[] = "{\"type\":\"ADDED\",\"object\":{\"kind\" \"Pod\"";
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("r", "10"))), 0);
	for (int i = 0; i < 2;
	     i++) { /* it may have been an accident; there was something between */
		assert_int_equal(answer(&s, 200, garbage), -EINVAL);
		aborted(&s);
		(void)requests(&s, i == 0 ? "resourceVersion=10&" : "resourceVersion=11&", NULL);
		if (i == 0)
			assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("r", "11"))), 0);
	}
	assert_int_equal(answer(&s, 200, garbage), -EINVAL);
	aborted(&s);
	page(&s, "?limit=500", "", ITEM("p") "," ITEM("q") "," ITEM("r"), true);
	emitted(&s, "+r +r +p +q +r ");
	(void)requests(&s, "resourceVersion=9&", NULL);
	stop(&s);
}

/* An event before it that does not say its version is no progress: the next watch begins ahead of
 * both. */
static void events_of_no_version_do_not_keep_a_watch_from_a_list(void **state)
{
	static const char nameless[] = EVENT("MODIFIED", "{\"metadata\":{\"name\":{}}}");
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	for (int i = 0; i < REFLECTOR_UNREADABLE_MAX; i++) {
		if (i > 0)
			(void)requests(&s, "resourceVersion=9&", NULL);
		assert_int_equal(answer(&s, 200,
					EVENT("MODIFIED", "{\"metadata\":{\"name\":\"q\","
							  "\"namespace\":\"a\"}}")),
				 0);
		assert_int_equal(answer(&s, 200, nameless), -EINVAL);
		aborted(&s);
	}
	(void)requests(&s, "?limit=500", NULL);
	stop(&s);
}

static void an_event_without_an_end_is_not_waited_for(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	synced(&s);
	assert_int_equal(answer(&s, 200, "{\"type\":\"ADDED\",\"object\":{\"x\":["), 0);
	for (int i = 0; i < 3; i++) {
		s.now_ms += 60000;
		assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("r", "10"))), 0);
		emitted(&s, "");
	}
	s.now_ms += 1;
	assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("r", "10"))), -EINVAL);
	aborted(&s);
	assert_string_equal(s.r.stats.error, "not JSON: no event has come to its end for 180 s");
	(void)requests(&s, "resourceVersion=9&", NULL);
	stop(&s);
}

static void it_is_known_since_when_there_is_no_progress(void **state)
{
	struct scene s;
	int64_t since;

	(void)state;
	start(&s, &pods);
	assert_int_equal(reflector_failing_since(&s.r), 0);
	(void)requests(&s, "sendInitialEvents=true", NULL);
	assert_int_equal(reflector_failing_since(&s.r), 1000); /* nothing is complete yet */
	ends(&s, HTTP_DONE, 503, 500);
	page(&s, "?limit=500", "", ITEM("p"), true);
	assert_int_equal(reflector_failing_since(&s.r), 0);
	(void)requests(&s, "resourceVersion=9&", NULL);
	ends(&s, HTTP_FAILED, 0, 5000);
	since = s.now_ms;
	assert_int_equal(reflector_failing_since(&s.r), since);
	for (int i = 0; i < 5; i++) {
		(void)requests(&s, "resourceVersion=9&", NULL);
		assert_int_equal(answer(&s, 200, ""), 0); /* an answer alone is no progress */
		ends(&s, HTTP_FAILED, 200, 1000);
	}
	assert_int_equal(reflector_failing_since(&s.r), since);
	(void)requests(&s, "resourceVersion=9&", NULL);
	assert_int_equal(answer(&s, 200, BOOKMARK("10")), 0);
	assert_int_equal(reflector_failing_since(&s.r), 0);
	ends(&s, HTTP_FAILED, 200, 1000);
	assert_int_equal(reflector_failing_since(&s.r), s.now_ms);
	(void)requests(&s, "resourceVersion=10&", NULL);
	assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("r", "11"))), 0);
	assert_int_equal(reflector_failing_since(&s.r), 0);
	ends(&s, HTTP_FAILED, 200, 1000);
	(void)requests(&s, "resourceVersion=11&", NULL);
	ends(&s, HTTP_DONE, 200, 300000); /* it ended as watches do */
	assert_int_equal(reflector_failing_since(&s.r), 0);
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
		cmocka_unit_test(whom_nobody_can_connect_to_has_not_refused_to_stream),
		cmocka_unit_test(an_expired_version_in_both_its_forms),
		cmocka_unit_test(what_is_cut_is_resumed),
		cmocka_unit_test(a_watch_that_is_answered_again_works),
		cmocka_unit_test(a_silent_watch_is_resumed),
		cmocka_unit_test(an_event_that_was_not_taken_is_told_again),
		cmocka_unit_test(a_deletion_that_was_not_taken_is_told_again),
		cmocka_unit_test(an_object_without_an_end_is_passed_by_in_a_list),
		cmocka_unit_test(it_may_be_the_first_or_the_last_or_all_that_there_is),
		cmocka_unit_test(an_event_that_is_never_json_leads_to_a_list),
		cmocka_unit_test(events_of_no_version_do_not_keep_a_watch_from_a_list),
		cmocka_unit_test(a_list_that_never_ends_is_begun_anew_and_told),
		cmocka_unit_test(an_event_without_an_end_is_not_waited_for),
		cmocka_unit_test(it_is_known_since_when_there_is_no_progress),
	};

	log_set_level(LOG_LEVEL_ERR);
	return RUN_ROWS("streaming list", bad_ends, streaming_list_becomes_pages) +
	       cmocka_run_group_tests_name("reflector", tests, NULL, NULL);
}
