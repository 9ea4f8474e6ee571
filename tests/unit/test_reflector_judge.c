/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the reflector makes of errors: waits, credentials, roles, kinds that are not there. */
#include "reflector_scene.h"

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
	(void)requests(&s, "?limit=500", NULL);
	stop(&s);
}

static void credentials_are_renewed_before_it_is_definite(void **state)
{
	struct scene s;

	(void)state;
	start(&s, &pods);
	for (int i = 0; i < 2; i++) {
		(void)requests(&s, i == 0 ? "sendInitialEvents=true" : "?limit=500", NULL);
		assert_int_equal(answer(&s, 401, STATUS(401, "Unauthorized")), 0);
		ends(&s, HTTP_DONE, 401, 1);
		assert_true(reflector_refused(&s.r));
		assert_int_equal(reflector_definite(&s.r), i == 1);
	}
	(void)requests(&s, "?limit=500", NULL);
	assert_int_equal(answer(&s, 200, LIST("9", "", "")), 0);
	ends(&s, HTTP_DONE, 200, 1);
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
	assert_in_range(requests(&s, "?limit=500", NULL), 45000, 75000);
	assert_int_equal(answer(&s, 200, LIST("9", "", "{" META("p", "5") "}")), 0);
	ends(&s, HTTP_DONE, 200, 1);
	emitted(&s, "+p ");
	assert_int_equal(s.r.stats.state, REFLECTOR_WATCHING);
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
	assert_in_range(requests(&s, "?limit=500", NULL), 45000, 75000);
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

static void a_version_that_the_server_rejects_leads_to_a_list(void **state)
{
	struct scene s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		start(&s, &pods);
		synced(&s);
		assert_int_equal(answer(&s, 200, EVENT("ADDED", POD("r", "nonsense"))), 0);
		ends(&s, HTTP_FAILED, 200, 1);
		(void)requests(&s, "resourceVersion=nonsense&", NULL);
		ends(&s, HTTP_DONE, i == 0 ? 400 : 422, 1);
		(void)requests(&s, "sendInitialEvents=true", "resourceVersion=");
		stop(&s);
	}
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
		cmocka_unit_test(servers_get_the_time_they_ask_for),
		cmocka_unit_test(a_version_that_no_server_ever_knows_is_given_up),
		cmocka_unit_test(waits_grow_to_a_cap_and_shrink_when_it_works),
		cmocka_unit_test(a_watch_that_ends_at_once_is_no_reason_to_hurry),
		cmocka_unit_test(who_may_not_is_told_what),
		cmocka_unit_test(credentials_are_renewed_before_it_is_definite),
		cmocka_unit_test(a_kind_may_come_and_go),
		cmocka_unit_test(a_kind_that_may_not_be_read_holds_up_nothing),
		cmocka_unit_test(a_kind_that_every_server_has_is_missed),
		cmocka_unit_test(a_version_that_the_server_rejects_leads_to_a_list),
		cmocka_unit_test(versions_have_a_length),
		cmocka_unit_test(an_error_page_has_a_size),
	};

	log_set_level(LOG_LEVEL_ERR);
	return cmocka_run_group_tests_name("reflector_judge", tests, NULL, NULL);
}
