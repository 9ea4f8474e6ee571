/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of findings: set, changed, cleared, swept, bounded. */
#include "unit.h"

#include <unistd.h>

#include "daemon/findings.h"

static FILE *log_file;
static long log_seen;

/* Log lines go to a file, and the test's own words to where they went before. */
static int log_to_file(void **state)
{
	int own = dup(STDERR_FILENO);

	(void)state;
	log_file = tmpfile();
	if (!log_file || own < 0)
		return -1;
	*state = (void *)(intptr_t)own;
	return dup2(fileno(log_file), STDERR_FILENO) < 0 ? -1 : 0;
}

static int log_to_stderr(void **state)
{
	int own = (int)(intptr_t)*state;

	(void)dup2(own, STDERR_FILENO);
	(void)fclose(log_file);
	return close(own);
}

/* Lines logged since the last call that have the text. */
static size_t logged(const char *text)
{
	char line[4096];
	size_t n = 0;

	(void)fseek(log_file, log_seen, SEEK_SET);
	while (fgets(line, sizeof(line), log_file))
		n += strstr(line, text) != NULL;
	log_seen = ftell(log_file);
	return n;
}

static int set(struct findings *findings, const char *id, const char *subject,
	       enum finding_level level, bool open)
{
	return findings_set(findings, &(struct finding){.part = "host",
							.id = id,
							.level = level,
							.open = open,
							.subject = subject,
							.what = "It is wrong.",
							.todo = "Mend it."});
}

/* "id subject, " of each in order. */
static const char *listed(struct findings *findings)
{
	static char text[4096];
	size_t used = 0;

	text[0] = '\0';
	for (const struct finding *one = findings_first(findings); one; one = findings_next(one))
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %s, ", one->id,
					 one->subject);
	return text;
}

static void a_finding_is_one_by_id_and_subject(void **state)
{
	struct findings findings = {0};

	(void)state;
	assert_int_equal(set(&findings, "off", "br0", FINDING_ERROR, false), 0);
	assert_int_equal(set(&findings, "off", "br1", FINDING_ERROR, false), 0);
	assert_int_equal(set(&findings, "off", "br0", FINDING_ERROR, false), 0);
	assert_int_equal(findings_count(&findings, FINDING_ERROR), 2);
	assert_int_equal(findings_count(&findings, FINDING_WARNING), 0);
	findings_clear(&findings, "off", "br2");
	findings_clear(&findings, "of", "f\nbr0");
	assert_int_equal(findings_count(&findings, FINDING_ERROR), 2);
	findings_clear(&findings, "off", "br0");
	assert_string_equal(listed(&findings), "off br1, ");
	findings_clear(&findings, "off", "br1");
	assert_int_equal(findings_count(&findings, FINDING_ERROR), 0);
	assert_null(findings_first(&findings));
	findings_done(&findings);
}

static void open_ones_and_errors_come_first(void **state)
{
	struct findings findings = {0};

	(void)state;
	assert_int_equal(set(&findings, "a", "", FINDING_WARNING, false), 0);
	assert_int_equal(set(&findings, "b", "", FINDING_ERROR, false), 0);
	assert_int_equal(set(&findings, "c", "", FINDING_WARNING, true), 0);
	assert_string_equal(listed(&findings), "c , b , a , ");
	assert_int_equal(findings_open(&findings), 1);
	assert_int_equal(findings_first(&findings)->level, FINDING_ERROR); /* open is an error */
	assert_int_equal(set(&findings, "c", "", FINDING_WARNING, false), 0);
	assert_int_equal(findings_open(&findings), 0);
	assert_string_equal(listed(&findings), "b , a , c , ");
	assert_int_equal(findings_count(&findings, FINDING_WARNING), 2);
	findings_done(&findings);
}

static void since_stays_and_texts_change(void **state)
{
	struct findings findings = {0};
	struct finding finding = {.part = "api", .id = "stalled", .since_ms = 5, .what = "Old."};

	(void)state;
	assert_int_equal(findings_set(&findings, &finding), 0);
	finding.since_ms = 0;
	assert_int_equal(findings_setf(&findings, &finding, "New: %d%%.", 7), 0);
	assert_string_equal(findings_first(&findings)->what, "New: 7%.");
	assert_string_equal(findings_first(&findings)->todo, "");
	assert_string_equal(findings_first(&findings)->subject, "");
	assert_int_equal(findings_first(&findings)->since_ms, 5);
	findings_done(&findings);
	assert_int_equal(set(&findings, "a", "", FINDING_ERROR, false), 0);
	assert_true(findings_first(&findings)->since_ms > 1600000000000);
	findings_done(&findings);
}

static void what_a_part_does_not_set_again_is_swept(void **state)
{
	struct findings findings = {0};
	struct finding other = {.part = "api", .id = "stalled", .what = "x"};

	(void)state;
	assert_int_equal(findings_set(&findings, &other), 0);
	assert_int_equal(set(&findings, "a", "", FINDING_ERROR, true), 0);
	assert_int_equal(set(&findings, "b", "", FINDING_WARNING, false), 0);
	findings_mark(&findings, "host");
	assert_int_equal(set(&findings, "b", "", FINDING_WARNING, false), 0);
	assert_int_equal(set(&findings, "d", "", FINDING_WARNING, false), 0);
	findings_sweep(&findings, "host");
	assert_string_equal(listed(&findings), "stalled , b , d , ");
	assert_int_equal(findings_open(&findings), 0);
	findings_mark(&findings, "host");
	findings_sweep(&findings, "host");
	assert_string_equal(listed(&findings), "stalled , ");
	findings_done(&findings);
}

static void set_many(struct findings *findings, size_t n, enum finding_level level)
{
	for (size_t i = 0; i < n; i++) {
		char subject[32];

		(void)snprintf(subject, sizeof(subject), "pod %d %zu", level, i);
		assert_int_equal(set(findings, "many", subject, level, false), 0);
	}
}

static size_t count_listed(struct findings *findings, enum finding_level level)
{
	size_t n = 0;

	for (const struct finding *one = findings_first(findings); one; one = findings_next(one))
		n += one->level == level;
	return n;
}

static void what_is_left_out_is_counted_and_errors_are_not_hidden(void **state)
{
	struct findings findings = {0};

	(void)state;
	set_many(&findings, FINDINGS_MAX + 10, FINDING_WARNING);
	assert_int_equal(findings_left_out(&findings), 10);
	set_many(&findings, FINDINGS_MAX + 10, FINDING_WARNING); /* again: no others */
	assert_int_equal(findings_left_out(&findings), 10);
	set_many(&findings, 3, FINDING_ERROR);
	assert_int_equal(findings_left_out(&findings), 13);
	assert_int_equal(count_listed(&findings, FINDING_ERROR), 3);
	assert_int_equal(count_listed(&findings, FINDING_WARNING), FINDINGS_MAX - 3);
	assert_int_equal(findings_count(&findings, FINDING_WARNING), FINDINGS_MAX + 10);
	set_many(&findings, FINDINGS_MAX + 1, FINDING_ERROR);
	assert_int_equal(count_listed(&findings, FINDING_ERROR), FINDINGS_MAX);
	findings_clear(&findings, "many", "pod 0 0");
	assert_int_equal(findings_count(&findings, FINDING_ERROR), FINDINGS_MAX);
	findings_mark(&findings, "host");
	findings_sweep(&findings, "host");
	assert_int_equal(findings_left_out(&findings), 0);
	assert_int_equal(findings_count(&findings, FINDING_ERROR), 0);
	findings_done(&findings);
}

static void beyond_all_bounds_it_is_still_not_fine(void **state)
{
	struct findings findings = {0};

	(void)state;
	set_many(&findings, FINDINGS_KEYS_MAX, FINDING_WARNING);
	assert_int_equal(findings_count(&findings, FINDING_ERROR), 0);
	assert_int_equal(set(&findings, "last", "", FINDING_WARNING, true), 0);
	assert_int_equal(findings_count(&findings, FINDING_ERROR), 1);
	assert_int_equal(findings_open(&findings), 1);
	assert_int_equal(findings_left_out(&findings), FINDINGS_KEYS_MAX - FINDINGS_MAX + 1);
	findings_clear(&findings, "many", "pod 1 7");
	assert_int_equal(findings_open(&findings), 0); /* there is room again */
	findings_done(&findings);
}

static void long_texts_are_cut_at_a_character(void **state)
{
	struct findings findings = {0};
	char text[2 * FINDING_TEXT_MAX];
	struct finding finding = {.part = "host", .id = "long", .subject = text, .what = text};

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 2 ? '\xa4' : '\xc3'; /* U+00E4 */
	text[sizeof(text) - 1] = '\0';
	memmove(text + 1, text, sizeof(text) - 2);
	text[0] = 'x';
	assert_int_equal(findings_set(&findings, &finding), 0);
	assert_int_equal(strlen(findings_first(&findings)->what), FINDING_TEXT_MAX - 1);
	assert_int_equal(strlen(findings_first(&findings)->subject), FINDING_SUBJECT_MAX - 1);
	assert_int_equal(findings_setf(&findings, &finding, "%s", text), 0);
	assert_int_equal(strlen(findings_first(&findings)->what) % 2, 1);
	findings_clear(&findings, "long", text);
	assert_null(findings_first(&findings));
	findings_done(&findings);
}

static void new_and_gone_ones_are_logged_once(void **state)
{
	struct findings findings = {0};
	struct finding quiet = {.part = "nft", .id = "q", .quiet = true, .what = "Logged already."};

	(void)state;
	log_seen = 0;
	(void)logged("");
	assert_int_equal(set(&findings, "off", "br0", FINDING_WARNING, false), 0);
	assert_int_equal(set(&findings, "off", "br0", FINDING_WARNING, false), 0);
	assert_int_equal(findings_set(&findings, &quiet), 0);
	assert_int_equal(logged("host: off: It is wrong. Mend it."), 1);
	assert_int_equal(set(&findings, "off", "br0", FINDING_WARNING, true), 0);
	assert_int_equal(logged("err: host: off: It is wrong."), 1); /* worse than before */
	findings_clear(&findings, "off", "br0");
	findings_clear(&findings, "off", "br0");
	findings_clear(&findings, "q", "");
	assert_int_equal(logged("off: no longer so: It is wrong."), 1);
	set_many(&findings, FINDINGS_MAX, FINDING_WARNING);
	assert_in_range(logged("many: "), FINDINGS_LOG_MAX / 2, FINDINGS_LOG_MAX * 2);
	findings_done(&findings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_finding_is_one_by_id_and_subject),
		cmocka_unit_test(open_ones_and_errors_come_first),
		cmocka_unit_test(since_stays_and_texts_change),
		cmocka_unit_test(what_a_part_does_not_set_again_is_swept),
		cmocka_unit_test(what_is_left_out_is_counted_and_errors_are_not_hidden),
		cmocka_unit_test(beyond_all_bounds_it_is_still_not_fine),
		cmocka_unit_test(long_texts_are_cut_at_a_character),
		cmocka_unit_test_setup_teardown(new_and_gone_ones_are_logged_once, log_to_file,
						log_to_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
