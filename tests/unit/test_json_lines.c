/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "source/json_lines.h"
#include "source/json_scan.h"

#define KEY(k)           \
	{                \
		.key = k \
	}
#define INDEX(i)           \
	{                  \
		.index = i \
	}

static const char json[] = "\n"                                 /* 10 */
			   "{\n"                                /* 11 */
			   "  \"kind\": \"Pod\", \"spec\": {\n" /* 12 */
			   "    \"containers\": [\n"            /* 13 */
			   "      {\n"                          /* 14 */
			   "        \"ports\":\n"               /* 15 */
			   "        [{\"a\":1},\n"              /* 16 */
			   "         {\"a\":\n"                 /* 17 */
			   "            2}]\n"                  /* 18 */
			   "      },\n"                         /* 19 */
			   "      null, \"x\\\"]\"\n"           /* 20 */
			   "      , [], {}, [[], [\n"           /* 21 */
			   "        7]]\n"                      /* 22 */
			   "    ]\n"                            /* 23 */
			   "  }\n"                              /* 24 */
			   ", \"last\":\n"                      /* 25 */
			   "  true }";                          /* 26 */

struct row {
	const char *name;
	struct path_seg path[6];
	size_t n;
	unsigned line;
};

static const struct row rows[] = {
	{"no path is the first line", {{0}}, 0, 10},
	{"a member is on its key's line", {KEY("kind")}, 1, 12},
	{"two members on one line", {KEY("spec")}, 1, 12},
	{"a member inside", {KEY("spec"), KEY("containers")}, 2, 13},
	{"an element is where it begins", {KEY("spec"), KEY("containers"), INDEX(0)}, 3, 14},
	{"a key whose value is on the next line",
	 {KEY("spec"), KEY("containers"), INDEX(0), KEY("ports")},
	 4,
	 15},
	{"the second of two elements",
	 {KEY("spec"), KEY("containers"), INDEX(0), KEY("ports"), INDEX(1)},
	 5,
	 17},
	{"a member of the second",
	 {KEY("spec"), KEY("containers"), INDEX(0), KEY("ports"), INDEX(1), KEY("a")},
	 6,
	 17},
	{"a scalar as an element", {KEY("spec"), KEY("containers"), INDEX(1)}, 3, 20},
	{"text with brackets as an element", {KEY("spec"), KEY("containers"), INDEX(2)}, 3, 20},
	{"an empty list as an element", {KEY("spec"), KEY("containers"), INDEX(3)}, 3, 21},
	{"an empty object as an element", {KEY("spec"), KEY("containers"), INDEX(4)}, 3, 21},
	{"lists in lists", {KEY("spec"), KEY("containers"), INDEX(5), INDEX(1), INDEX(0)}, 5, 22},
	{"what is missing has the line of what is there",
	 {KEY("spec"), KEY("containers"), INDEX(9)},
	 3,
	 13},
	{"a member that is missing", {KEY("status"), KEY("phase")}, 2, 10},
	{"a member behind a deep one", {KEY("last")}, 1, 25},
};

static void is_on_line(void **state)
{
	const struct row *row = *state;
	struct json_lines lines = {.bytes = json, .len = strlen(json), .first = 10};

	assert_int_equal(json_line_of(&lines, row->path, row->n), row->line);
	assert_int_equal(json_line_of(&lines, row->path, row->n), row->line);
	json_lines_done(&lines);
}

static void bytes_that_are_no_json_do_no_harm(void **state)
{
	static const char alphabet[] = "{}[]\",:\\ \n1a";
	static const struct path_seg path[] = {KEY("a"), INDEX(1)};
	struct unit_random random = unit_random_start("json_lines");

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t len = unit_random(&random, 30);
		char *bytes = malloc(len + 1);
		struct json_lines lines = {.bytes = bytes, .len = len, .first = 1};

		assert_non_null(bytes);
		bytes = realloc(bytes, len ? len : 1); /* no byte more */
		assert_non_null(bytes);
		lines.bytes = bytes;
		for (size_t j = 0; j < len; j++)
			bytes[j] = alphabet[unit_random(&random, sizeof(alphabet) - 1)];
		assert_true(json_line_of(&lines, path, 2) <= len + 1);
		json_lines_done(&lines);
		free(bytes);
	}
}

struct scan_row {
	const char *name;
	const char *bytes;
	int end; /* of the value; -1: none */
};

static const struct scan_row scans[] = {
	{"a string", "\"abc\" ", 5},
	{"a string with an escaped quote", "\"a\\\"c\",", 6},
	{"a string that ends in a backslash", "\"a\\\\\",", 5},
	{"a string longer than the quick look", "\"0123456789012345678901234567890123456789\",",
	 42},
	{"an escape at the edge of the quick look", "\"0123456789012345678901\\\"23\",", 28},
	{"a string that does not end", "\"abc", -1},
	{"a string that ends in an escape", "\"abc\\", -1},
	{"a number", "12.5e3,", 6},
	{"a word", "true}", 4},
	{"a word at the end", "null", 4},
	{"an object", "{\"a\":{\"b\":[]}} x", 14},
	{"a list with brackets in text", "[\"]\",1]]", 7},
	{"an object that does not end", "{\"a\":[1]", -1},
	{"nothing", "", -1},
	{"a comma", ",", -1},
};

static void is_scanned(void **state)
{
	const struct scan_row *row = *state;
	size_t len = strlen(row->bytes);
	char *bytes = malloc(len + 1);
	const char *end;

	assert_non_null(bytes);
	memcpy(bytes, row->bytes, len);
	bytes = realloc(bytes, len ? len : 1);
	assert_non_null(bytes);
	end = json_scan_value(bytes, bytes + len);
	assert_int_equal(end ? end - bytes : -1, row->end);
	free(bytes);
}

static void numbers_are_shown_as_they_were_written(void **state)
{
	static const char text[] = "{\"a\": [1e3, 80, \"1e3\", {\"b\": -0.50}], \"c\": true}";
	static const struct {
		struct path_seg path[4];
		size_t n;
		const char *wanted; /* NULL: as the tree has it */
	} all[] = {
		{{KEY("a"), INDEX(0)}, 2, "1e3"},
		{{KEY("a"), INDEX(1)}, 2, "80"},
		{{KEY("a"), INDEX(2)}, 2, NULL},
		{{KEY("a"), INDEX(3), KEY("b")}, 3, "-0.50"},
		{{KEY("c")}, 1, NULL},
		{{KEY("d")}, 1, NULL},
	};
	struct json_lines lines = {.bytes = text, .len = strlen(text), .first = 1};
	json_t *tree = json_loads(text, 0, NULL), *other = json_real(7.5);
	char written[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const json_t *node = tree;

		for (size_t j = 0; j < all[i].n; j++)
			node = all[i].path[j].key ? json_object_get(node, all[i].path[j].key)
						  : json_array_get(node, all[i].path[j].index);
		assert_int_equal(
			json_written(&lines, all[i].path, all[i].n, node, written, sizeof(written)),
			all[i].wanted != NULL);
		if (all[i].wanted)
			assert_string_equal(written, all[i].wanted);
		assert_false(json_written(&lines, all[i].path, all[i].n, other, written,
					  sizeof(written)));
		assert_false(json_written(&lines, all[i].path, all[i].n, NULL, written,
					  sizeof(written)));
	}
	assert_false(json_written(&lines, all[0].path, 2,
				  json_array_get(json_object_get(tree, "a"), 0), written, 3));
	json_lines_done(&lines);
	json_decref(tree);
	json_decref(other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_that_are_no_json_do_no_harm),
		cmocka_unit_test(numbers_are_shown_as_they_were_written),
	};
	int failed = RUN_ROWS("lines", rows, is_on_line);

	failed += RUN_ROWS("scans", scans, is_scanned);
	failed += cmocka_run_group_tests_name("bad JSON", tests, NULL, NULL);
	return failed;
}
