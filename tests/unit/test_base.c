/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small modules of the base room: intern, fault, vec, hash, err, log. */
#include "unit.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/standard_fds.h"

/* intern */

static void equal_text_is_one_pointer(void **state)
{
	struct intern *table = intern_new();
	char text[] = "web";
	const char *a = intern_get(table, "web"), *b = intern_get(table, text);

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, text);
	assert_string_equal(a, "web");
	assert_ptr_not_equal(intern_get(table, "We"), a);
	assert_string_equal(intern_get(table, ""), "");
	assert_int_equal(intern_count(table), 3);
	intern_free(table);
}

static void a_string_goes_with_its_last_reference(void **state)
{
	struct intern *table = intern_new();
	const char *text = intern_get(table, "web");

	(void)state;
	assert_ptr_equal(intern_ref(text), text);
	assert_ptr_equal(intern_get(table, "web"), text);
	intern_put(table, text);
	intern_put(table, text);
	assert_int_equal(intern_count(table), 1);
	assert_string_equal(text, "web");
	intern_put(table, text);
	assert_int_equal(intern_count(table), 0);
	assert_null(intern_ref(NULL));
	intern_put(table, NULL);
	intern_free(table);
	intern_free(NULL);
}

static void references_are_counted_through_any_order(void **state)
{
	struct unit_random random = unit_random_start("intern");
	struct intern *table = intern_new();
	const char *held[100] = {0};

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint32_t at = unit_random(&random, ARRAY_LEN(held));
		char text[16];

		(void)snprintf(text, sizeof(text), "s%u", unit_random(&random, 40));
		if (held[at])
			intern_put(table, held[at]);
		held[at] = unit_random(&random, 3) ? intern_get(table, text) : NULL;
		if (held[at])
			assert_string_equal(held[at], text);
	}
	for (size_t i = 0; i < ARRAY_LEN(held); i++)
		intern_put(table, held[i]);
	assert_int_equal(intern_count(table), 0);
	intern_free(table);
}

/* fault */

static char *printed(struct faults *faults)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	faults_print(faults, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void faults_come_by_file_line_and_field(void **state)
{
	struct faults faults = {0};
	char *text;

	(void)state;
	faults_add(&faults, FAULT_ERROR, &(struct fault_place){.file = "b.yaml", .line = 2},
		   "five");
	faults_add(&faults, FAULT_WARNING, &(struct fault_place){.file = "a.yaml", .line = 10},
		   "four");
	faults_add(&faults, FAULT_ERROR,
		   &(struct fault_place){.file = "a.yaml",
					 .line = 9,
					 .object = "Pod a/b",
					 .field = "spec.y",
					 .value = "\"v\""},
		   "expected %d", 3);
	faults_add(&faults, FAULT_ERROR,
		   &(struct fault_place){
			   .file = "a.yaml", .line = 9, .object = "Pod a/b", .field = "spec.x"},
		   "two");
	faults_add(&faults, FAULT_ERROR, &(struct fault_place){0}, "one");
	text = printed(&faults);
	assert_string_equal(text, "error: one\n"
				  "a.yaml:9: error: Pod a/b: spec.x: two\n"
				  "a.yaml:9: error: Pod a/b: spec.y: \"v\": expected 3\n"
				  "a.yaml:10: warning: four\n"
				  "b.yaml:2: error: five\n");
	assert_int_equal(faults.errors, 4);
	assert_int_equal(faults.warnings, 1);
	free(text);
	faults_done(&faults);
	assert_int_equal(faults.errors + faults.warnings + faults.n, 0);
}

static void a_fault_keeps_copies(void **state)
{
	struct faults faults = {0};
	char file[] = "a.yaml", *text;

	(void)state;
	faults_add(&faults, FAULT_ERROR, &(struct fault_place){.file = file}, "x");
	file[0] = 'z';
	text = printed(&faults);
	assert_string_equal(text, "a.yaml: error: x\n");
	free(text);
	faults_done(&faults);
}

static void colours_mark_the_level_only(void **state)
{
	struct faults faults = {.colour = true};
	char *text;

	(void)state;
	faults_add(&faults, FAULT_ERROR, &(struct fault_place){.file = "a"}, "x");
	faults_add(&faults, FAULT_WARNING, &(struct fault_place){.file = "b"}, "y");
	text = printed(&faults);
	assert_string_equal(text, "a: \033[1;31merror:\033[0m x\nb: \033[1;33mwarning:\033[0m y\n");
	free(text);
	faults_done(&faults);
}

static void beyond_the_cap_faults_are_counted(void **state)
{
	struct faults faults = {0};
	char *text, *last;

	(void)state;
	for (int i = 0; i < FAULTS_MAX + 5; i++)
		faults_add(&faults, FAULT_ERROR, &(struct fault_place){.line = (unsigned)i}, "x");
	assert_int_equal(faults.n, FAULTS_MAX);
	assert_int_equal(faults.errors, FAULTS_MAX + 5);
	text = printed(&faults);
	last = strrchr(text, 'x') + 2; /* the line behind the last that is kept */
	assert_string_equal(last, "error: 5 more faults are not listed\n");
	free(text);
	faults_done(&faults);
}

/* standard_fds */

/* What a program has that was started with none of them. */
static int count_open(void)
{
	struct stat null, fd;
	char byte = 'x';

	if (standard_fds_open() < 0 || stat("/dev/null", &null) < 0)
		return 0;
	for (int i = 0; i <= 2; i++) {
		if (fstat(i, &fd) < 0 || fd.st_rdev != null.st_rdev)
			return i;
	}
	/* Whoever uses them learns that they were closed. */
	if (read(0, &byte, 1) >= 0 || write(1, &byte, 1) >= 0 || write(2, &byte, 1) >= 0)
		return 4;
	return 3;
}

static void closed_standard_descriptors_are_occupied(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		for (int i = 0; i <= 2; i++)
			(void)close(i);
		_exit(count_open());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
}

static void open_standard_descriptors_stay(void **state)
{
	struct stat before[3], after;

	(void)state;
	for (int i = 0; i <= 2; i++)
		assert_int_equal(fstat(i, &before[i]), 0);
	assert_int_equal(standard_fds_open(), 0);
	for (int i = 0; i <= 2; i++) {
		assert_int_equal(fstat(i, &after), 0);
		assert_int_equal(after.st_ino, before[i].st_ino);
	}
}

/* vec */

static void a_vector_grows_and_keeps_its_order(void **state)
{
	VEC(int) v = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(vec_push(&v, i), 0);
	assert_int_equal(v.n, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(v.v[i], i);
	vec_free(&v);
	assert_null(v.v);
	assert_int_equal(v.n + v.cap, 0);
}

static void the_last_takes_the_place_of_who_is_removed(void **state)
{
	VEC(int) v = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(vec_push(&v, i), 0);
	vec_remove_swap(&v, 0);
	assert_int_equal(v.n, 2);
	assert_int_equal(v.v[0], 2);
	vec_remove_swap(&v, 1);
	assert_int_equal(v.n, 1);
	assert_int_equal(v.v[0], 2);
	vec_free(&v);
}

static void a_vector_too_large_stays_as_it_was(void **state)
{
	size_t cap = 4;
	int data[4];

	(void)state;
	assert_ptr_equal(vec_grow(data, &cap, 4, SIZE_MAX / 2), data);
	assert_int_equal(cap, 4);
	assert_ptr_equal(vec_grow(data, &cap, 3, sizeof(int)), data);
}

/* err */

static void an_error_is_bounded_and_may_be_nobodys(void **state)
{
	struct err err = {0};
	char longer[ERR_TEXT_MAX * 2];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(err_set(NULL, -EINVAL, "%s", longer), -EINVAL);
	assert_int_equal(err_set(&err, -EPERM, "%s", longer), -EPERM);
	assert_int_equal(err.code, -EPERM);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

/* log */

static void levels_have_four_words(void **state)
{
	static const char *const words[] = {"err", "warning", "notice", "debug"};
	enum log_level level;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		assert_int_equal(log_parse_level(words[i], &level), 0);
		assert_int_equal(level, i);
	}
	assert_int_equal(log_parse_level("info", &level), -EINVAL);
	assert_int_equal(log_parse_level("", &level), -EINVAL);
	assert_int_equal(log_parse_level("ERR", &level), -EINVAL);
}

/* What stderr gets. */
static char *logged(void)
{
	FILE *real = stderr;
	char *text = NULL;
	size_t len;

	stderr = open_memstream(&text, &len);
	assert_non_null(stderr);
	log_err("nft", "no %d", 1);
	log_warning("nft", "two");
	log_notice("nft", "three");
	log_debug("nft", "four");
	assert_int_equal(fclose(stderr), 0);
	stderr = real;
	return text;
}

/* As journald names a stream. */
static void set_journal_stream(int fd)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	(void)setenv("JOURNAL_STREAM", stream, 1);
}

static void lines_have_words_or_syslog_prefixes(void **state)
{
	int ends[2];
	char *text;

	(void)state;
	(void)unsetenv("JOURNAL_STREAM");
	log_set_level(LOG_LEVEL_NOTICE);
	text = logged();
	assert_string_equal(text, "err: nft: no 1\nwarning: nft: two\nnotice: nft: three\n");
	free(text);
	log_set_level(LOG_LEVEL_ERR);
	text = logged();
	assert_string_equal(text, "err: nft: no 1\n");
	free(text);
	log_set_timestamps(true);
	text = logged();
	assert_int_equal(strlen(text), strlen("2026-11-27T19:00:00.000Z err: nft: no 1\n"));
	assert_string_equal(text + strlen("2026-11-27T19:00:00.000"), "Z err: nft: no 1\n");
	free(text);
	set_journal_stream(STDERR_FILENO);
	log_set_level(LOG_LEVEL_DEBUG);
	text = logged();
	assert_string_equal(text, "<3>nft: no 1\n<4>nft: two\n<5>nft: three\n<7>nft: four\n");
	free(text);
	log_set_timestamps(false);
	/* Of whoever started us, and our stderr goes elsewhere. */
	assert_int_equal(pipe(ends), 0);
	set_journal_stream(ends[0]);
	log_set_level(LOG_LEVEL_ERR);
	text = logged();
	assert_string_equal(text, "err: nft: no 1\n");
	free(text);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)unsetenv("JOURNAL_STREAM");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_text_is_one_pointer),
		cmocka_unit_test(a_string_goes_with_its_last_reference),
		cmocka_unit_test(references_are_counted_through_any_order),
		cmocka_unit_test(faults_come_by_file_line_and_field),
		cmocka_unit_test(a_fault_keeps_copies),
		cmocka_unit_test(colours_mark_the_level_only),
		cmocka_unit_test(beyond_the_cap_faults_are_counted),
		cmocka_unit_test(closed_standard_descriptors_are_occupied),
		cmocka_unit_test(open_standard_descriptors_stay),
		cmocka_unit_test(a_vector_grows_and_keeps_its_order),
		cmocka_unit_test(the_last_takes_the_place_of_who_is_removed),
		cmocka_unit_test(a_vector_too_large_stays_as_it_was),
		cmocka_unit_test(an_error_is_bounded_and_may_be_nobodys),
		cmocka_unit_test(levels_have_four_words),
		cmocka_unit_test(lines_have_words_or_syslog_prefixes),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
