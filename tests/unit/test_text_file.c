/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "../../src/source/text_file.h"

#define MARK "\xef\xbb\xbf"

/* All of it, from a pipe that somebody writes so many bytes at a time to. */
static ssize_t read_text(const char *bytes, size_t len, size_t at_once, char *to, struct err *err)
{
	int ends[2];
	size_t used = 0;
	ssize_t n = 1;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < len; i += at_once)
			if (write(ends[1], bytes + i, len - i < at_once ? len - i : at_once) < 0)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	struct text_file text = {.fd = ends[0]};
	while (n > 0) {
		n = text_read(&text, to + used, 4096, err);
		used += n > 0 ? (size_t)n : 0;
	}
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	to[used] = '\0';
	return n < 0 ? n : (ssize_t)used;
}

struct row {
	const char *name;
	const char *bytes;
	size_t len;
	const char *text; /* NULL: none, and why is */
	const char *why;
};

#define BYTES(b) b, sizeof(b) - 1

static const struct row rows[] = {
	{"nothing", BYTES(""), "", NULL},
	{"UTF-8", BYTES("{\"a\": \"\xc3\xa9\"}"), "{\"a\": \"\xc3\xa9\"}", NULL},
	{"UTF-8 with a mark", BYTES(MARK "{}"), "{}", NULL},
	{"a mark alone", BYTES(MARK), "", NULL},
	{"one byte", BYTES("a"), "a", NULL},
	{"three bytes", BYTES("abc"), "abc", NULL},
	{"UTF-16, little end first, with a mark", BYTES("\xff\xfe{\0}\0"), "{}", NULL},
	{"UTF-16, big end first, with a mark", BYTES("\xfe\xff\0{\0}"), "{}", NULL},
	{"UTF-16, little end first", BYTES("{\0\xe9\0\xac\x20}\0"), "{\xc3\xa9\xe2\x82\xac}", NULL},
	{"UTF-16, big end first", BYTES("\0{\0\xe9\x20\xac\0}"), "{\xc3\xa9\xe2\x82\xac}", NULL},
	{"a pair of surrogates",
	 BYTES("a\0\x3d\xd8\x19\xdc"
	       "b\0"),
	 "a\xf0\x9f\x90\x99"
	 "b",
	 NULL},
	{"a pair of surrogates in the head", BYTES("\xff\xfe\x3d\xd8\x19\xdc"), "\xf0\x9f\x90\x99",
	 NULL},
	{"half a character at the end", BYTES("\xff\xfe{\0}"), NULL, "ends within a character"},
	{"half a pair at the end", BYTES("\xff\xfe{\0\x3d\xd8"), NULL, "ends within a character"},
	{"the second half of a pair alone", BYTES("\xff\xfe{\0\x19\xdc"), NULL,
	 "without its first"},
	{"the first half of a pair alone", BYTES("\xff\xfe{\0\x3d\xd8}\0"), NULL,
	 "without its second"},
};

static void a_text_is_read(void **state)
{
	const struct row *row = *state;
	char text[16384];

	for (size_t at_once = 1; at_once < 8; at_once++) {
		struct err err = {0};
		ssize_t n = read_text(row->bytes, row->len, at_once, text, &err);

		if (row->text) {
			assert_int_equal(n, strlen(row->text));
			assert_string_equal(text, row->text);
		} else {
			assert_int_equal(n, -EILSEQ);
			assert_non_null(strstr(err.text, row->why));
		}
	}
}

static void a_long_text_of_utf16_stays_in_its_room(void **state)
{
	static char bytes[200000], text[400000];
	FILE *file = tmpfile();
	size_t used = 0;
	ssize_t n = 1;

	(void)state;
	/* U+20AC: two bytes become three. */
	for (size_t i = 0; i < sizeof(bytes); i += 2) {
		bytes[i] = '\xac';
		bytes[i + 1] = '\x20';
	}
	memcpy(bytes, "\xff\xfe", 2);
	assert_int_equal(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
	rewind(file);
	struct text_file in = {.fd = fileno(file)};
	while (n > 0) {
		struct err err = {0};
		char *to = malloc(1000); /* for the sanitizer */

		n = text_read(&in, to, 1000, &err);
		assert_true(n >= 0 && n <= 1000);
		memcpy(text + used, to, (size_t)n);
		used += (size_t)n;
		free(to);
	}
	assert_int_equal(used, (sizeof(bytes) / 2 - 1) * 3);
	for (size_t i = 0; i < used; i += 3)
		assert_memory_equal(text + i, "\xe2\x82\xac", 3);
	(void)fclose(file);
}

struct marked {
	const char *name, *text, *left;
};

static const struct marked marked[] = {
	{"no mark", "a: 1\n---\nb: 2\n", "a: 1\n---\nb: 2\n"},
	{"at the beginning", MARK "a: 1\nb: 2", "a: 1\nb: 2"},
	{"before a line of hyphens", "a: 1\n" MARK "---\nb: 2\n", "a: 1\n---\nb: 2\n"},
	{"behind one", "a: 1\n---\n" MARK "b: 2\nc: 3\n", "a: 1\n---\nb: 2\nc: 3\n"},
	{"behind comments", "---\n# x\n\n" MARK "b: 2\n", "---\n# x\n\nb: 2\n"},
	{"behind the end of a document", "a: 1\n...\n" MARK "b: 2\n", "a: 1\n...\nb: 2\n"},
	{"each of several", MARK "---\n" MARK "a: 1\n" MARK "--- # x\n" MARK "b: 2",
	 "---\na: 1\n--- # x\nb: 2"},
	{"within a document it is content", "a: \"x\n" MARK "y\"\n", "a: \"x\n" MARK "y\"\n"},
	{"within a line, too", "a: x" MARK "y\n", "a: x" MARK "y\n"},
	{"four hyphens are no line of three", "a: x\n" MARK "----\n", "a: x\n" MARK "----\n"},
};

static void marks_are_dropped(void **state)
{
	const struct marked *row = *state;
	char *text = strdup(row->text);
	size_t len = text_drop_marks(text, strlen(text));

	assert_int_equal(len, strlen(row->left));
	assert_memory_equal(text, row->left, len);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_text_of_utf16_stays_in_its_room),
	};
	int failed = RUN_ROWS("encodings", rows, a_text_is_read);

	failed += RUN_ROWS("marks", marked, marks_are_dropped);
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
