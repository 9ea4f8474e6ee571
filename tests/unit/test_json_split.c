/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/err.h"
#include "source/json_split.h"

struct parts {
	char *text; /* all of them, with what was said of them */
	size_t len;
	FILE *out;
	size_t n, stop_at;
};

static int note(void *ctx, const struct json_part *part)
{
	static const char *const kinds[] = {"document", "item", "list"};
	struct parts *parts = ctx;

	fprintf(parts->out, "%s %u %s %s: ", kinds[part->kind], part->line,
		part->list_kind ? part->list_kind : "-",
		part->list_version ? part->list_version : "-");
	fwrite(part->bytes, 1, part->len, parts->out);
	fputc('\n', parts->out);
	memset(part->bytes, 'x', part->len); /* ours to scribble on */
	return ++parts->n == parts->stop_at ? -EPIPE : 0;
}

static void parts_open(struct parts *parts)
{
	*parts = (struct parts){0};
	parts->out = open_memstream(&parts->text, &parts->len);
	assert_non_null(parts->out);
}

/* In chunks of `size`; 0: of random sizes. Appends how it ended. */
static void split(struct parts *parts, const char *json, size_t len, size_t size,
		  struct unit_random *random)
{
	struct json_splitter *splitter = json_splitter_new(note, parts);
	struct err err = {0};
	int rc = 0;

	assert_non_null(splitter);
	for (size_t at = 0; at < len && rc == 0;) {
		size_t n = size ? size : 1 + unit_random(random, 9);
		char *chunk;

		n = n < len - at ? n : len - at;
		chunk = malloc(n); /* so that reading beyond it is seen */
		assert_non_null(chunk);
		memcpy(chunk, json + at, n);
		rc = json_splitter_feed(splitter, chunk, n, &err);
		free(chunk);
		at += n;
	}
	if (rc == 0)
		rc = json_splitter_finish(splitter, &err);
	fprintf(parts->out, "end %d line %u %s", rc, json_splitter_line(splitter), err.text);
	json_splitter_free(splitter);
	assert_int_equal(fclose(parts->out), 0);
}

struct row {
	const char *name;
	const char *json;
	const char *parts;
};

static const struct row rows[] = {
	{"nothing is no document", "", "end 0 line 1 "},
	{"space is no document", " \n\t\r\n", "end 0 line 3 "},
	{"an object is a document", "{\"a\": 1}", "document 1 - -: {\"a\": 1}\nend 0 line 1 "},
	{"documents may touch", "{}{\"a\":{}}\n\n{}",
	 "document 1 - -: {}\ndocument 1 - -: {\"a\":{}}\ndocument 3 - -: {}\nend 0 line 3 "},
	{"a list's items come one by one, then the list without them",
	 "{\"kind\": \"PodList\", \"apiVersion\": \"v1\",\n\"items\": [{\"a\": 1},\n {\"b\": [2]} "
	 "]\n}",
	 "item 2 PodList v1: {\"a\": 1}\nitem 3 PodList v1: {\"b\": [2]}\n"
	 "list 1 PodList v1: {\"kind\": \"PodList\", \"apiVersion\": \"v1\",\n\"items\": []\n}\n"
	 "end 0 line 4 "},
	{"items may come before what they are", "{\"items\":[{}],\"kind\":\"PodList\"}",
	 "item 1 - -: {}\nlist 1 PodList -: {\"items\":[],\"kind\":\"PodList\"}\nend 0 line 1 "},
	{"an empty list", "{\"items\":[ ]}", "list 1 - -: {\"items\":[]}\nend 0 line 1 "},
	{"items deeper down are no items", "{\"a\":{\"items\":[1]}}",
	 "document 1 - -: {\"a\":{\"items\":[1]}}\nend 0 line 1 "},
	{"a string that says items is no key", "{\"a\":\"items\",\"b\":[1]}",
	 "document 1 - -: {\"a\":\"items\",\"b\":[1]}\nend 0 line 1 "},
	{"items that is an object is no list", "{\"items\":{\"a\":1}}",
	 "document 1 - -: {\"items\":{\"a\":1}}\nend 0 line 1 "},
	{"items may be scalars", "{\"items\":[1,\"a,]\",null , true]}",
	 "item 1 - -: 1\nitem 1 - -: \"a,]\"\nitem 1 - -: null\nitem 1 - -: true\n"
	 "list 1 - -: {\"items\":[]}\nend 0 line 1 "},
	{"items may be lists", "{\"items\":[[1,[2]],{}]}",
	 "item 1 - -: [1,[2]]\nitem 1 - -: {}\nlist 1 - -: {\"items\":[]}\nend 0 line 1 "},
	{"only the first items are cut out", "{\"items\":[1],\"items\":[2]}",
	 "item 1 - -: 1\nlist 1 - -: {\"items\":[],\"items\":[2]}\nend 0 line 1 "},
	{"brackets in strings are text", "{\"a\":\"}]{[\\\"}\\\\\"}",
	 "document 1 - -: {\"a\":\"}]{[\\\"}\\\\\"}\nend 0 line 1 "},
	{"a long string with escapes is passed over",
	 "{\"a\":\"0123456789012345678901234567890\\\\\\\"123\\\\\"}",
	 "document 1 - -: {\"a\":\"0123456789012345678901234567890\\\\\\\"123\\\\\"}\n"
	 "end 0 line 1 "},
	{"an array at the top is one document", "[{\"kind\":\"Pod\"},{}]",
	 "document 1 - -: [{\"kind\":\"Pod\"},{}]\nend 0 line 1 "},
	{"the next document begins anew",
	 "{\"kind\":\"PodList\",\"items\":[{}]}{\"items\":[{}]}{\"kind\":\"A\"}",
	 "item 1 PodList -: {}\nlist 1 PodList -: {\"kind\":\"PodList\",\"items\":[]}\n"
	 "item 1 - -: {}\nlist 1 - -: {\"items\":[]}\n"
	 "document 1 A -: {\"kind\":\"A\"}\nend 0 line 1 "},
	{"an object that does not end", "{\"a\":1",
	 "end -22 line 1 not JSON: ends inside an object"},
	{"a string that does not end", "{\"a", "end -22 line 1 not JSON: ends inside a string"},
	{"a list that does not end hands out what is whole", "{\"items\":[{},{\"a\":",
	 "item 1 - -: {}\nend -22 line 1 not JSON: ends inside an object"},
	{"text is no document", "\nkind: Pod", "end -22 line 2 not JSON: expected an object"},
	{"something behind a document", "{}\n,",
	 "document 1 - -: {}\n"
	 "end -22 line 2 not JSON: expected an object"},
	{"brackets that do not match", "{\"a\":[1}", "end -22 line 1 not JSON: ']' expected"},
	{"a bracket too many", "{\"items\":[]]}", "end -22 line 1 not JSON: unexpected ']'"},
	{"a comma too many between items", "{\"items\":[1,,2]}",
	 "item 1 - -: 1\nend -22 line 1 not JSON: unexpected ',' in `items`"},
	{"a comma before the first item", "{\"items\":[,1]}",
	 "end -22 line 1 not JSON: unexpected ',' in `items`"},
	{"a comma behind the last item", "{\"items\":[1,]}",
	 "item 1 - -: 1\nend -22 line 1 not JSON: unexpected ']' in `items`"},
	{"items without a comma", "{\"items\":[{}{}]}",
	 "item 1 - -: {}\nend -22 line 1 not JSON: unexpected '{' in `items`"},
	{"a colon between items", "{\"items\":[{}:{}]}",
	 "item 1 - -: {}\nend -22 line 1 not JSON: unexpected ':' in `items`"},
};

static void is_split(void **state)
{
	const struct row *row = *state;
	struct parts parts;

	parts_open(&parts);
	split(&parts, row->json, strlen(row->json), strlen(row->json) + 1, NULL);
	assert_string_equal(parts.text, row->parts);
	free(parts.text);
}

/* The same bytes in any chunks are the same parts. */
static void check_chunks(const char *json, size_t len, struct unit_random *random)
{
	struct parts whole, chunked;

	parts_open(&whole);
	split(&whole, json, len, len + 1, NULL);
	for (size_t size = 0; size < 4; size++) {
		parts_open(&chunked);
		split(&chunked, json, len, size, random);
		if (strcmp(whole.text, chunked.text) != 0)
			fail_msg("%.*s\nwhole:\n%s\nin chunks of %zu:\n%s", (int)len, json,
				 whole.text, size, chunked.text);
		free(chunked.text);
	}
	free(whole.text);
}

static void chunks_do_not_matter(void **state)
{
	const struct row *row = *state;
	struct unit_random random = {.state = 7};

	for (int i = 0; i < 20; i++)
		check_chunks(row->json, strlen(row->json), &random);
}

static void chunks_do_not_matter_for_random_bytes(void **state)
{
	static const char *const tokens[] = {
		"{",
		"}",
		"[",
		"]",
		",",
		":",
		"\"items\":[",
		"\"kind\":",
		"\"Pod\"",
		"\"a\":",
		"\"\\\"\"",
		"\"\\\\\"",
		" ",
		"\n",
		"1",
		"null",
		"{}",
		"\"",
		"\\",
		"\"apiVersion\":\"v1\"",
		"\"items\":[{},{\"a\":1}]",
	};
	struct unit_random random = unit_random_start("json_split");

	(void)state;
	for (int i = 0; i < 4000; i++) {
		char json[600] = "{";
		size_t n = 1 + unit_random(&random, 20);

		for (size_t j = 0; j < n; j++)
			strcat(json, tokens[unit_random(&random, ARRAY_LEN(tokens))]);
		check_chunks(json, strlen(json), &random);
	}
}

static int feed(const char *json, size_t len, struct err *err, struct parts *parts)
{
	struct json_splitter *splitter = json_splitter_new(note, parts);
	int rc;

	assert_non_null(splitter);
	rc = json_splitter_feed(splitter, json, len, err);
	json_splitter_free(splitter);
	assert_int_equal(fclose(parts->out), 0);
	free(parts->text);
	return rc;
}

static void nesting_has_an_end(void **state)
{
	char json[JSON_DEPTH_MAX + 2];
	struct parts parts;
	struct err err = {0};

	(void)state;
	memset(json, '[', sizeof(json));
	parts_open(&parts);
	assert_int_equal(feed(json, JSON_DEPTH_MAX, &err, &parts), 0);
	parts_open(&parts);
	assert_int_equal(feed(json, JSON_DEPTH_MAX + 1, &err, &parts), -EINVAL);
	assert_non_null(strstr(err.text, "nested too deeply"));
}

static void an_object_has_a_size_and_a_list_has_none(void **state)
{
	size_t len = JSON_OBJECT_MAX + 100;
	char *json = malloc(len);
	struct parts parts;
	struct err err = {0};
	struct json_splitter *splitter;

	(void)state;
	assert_non_null(json);
	memset(json, ' ', len);
	memcpy(json, "{\"a\":\"", 6);
	parts_open(&parts);
	assert_int_equal(feed(json, len, &err, &parts), -EINVAL);
	assert_non_null(strstr(err.text, "object too large"));

	/* Two items that are together larger than one may be. */
	parts_open(&parts);
	splitter = json_splitter_new(note, &parts);
	assert_non_null(splitter);
	assert_int_equal(json_splitter_feed(splitter, "{\"items\":[", 10, &err), 0);
	memcpy(json, "{\"a\":\"", 6);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(json_splitter_feed(splitter, json, len - 1000, &err), 0);
		assert_int_equal(json_splitter_feed(splitter, "\"},", 3, &err), 0);
	}
	assert_int_equal(parts.n, 2);
	json_splitter_free(splitter);
	assert_int_equal(fclose(parts.out), 0);
	free(parts.text);
	free(json);
}

static void what_the_callback_returns_ends_the_stream(void **state)
{
	struct parts parts;
	struct err err = {0};

	(void)state;
	parts_open(&parts);
	parts.stop_at = 2;
	assert_int_equal(feed("{}{}{}", 6, &err, &parts), -EPIPE);
	assert_int_equal(parts.n, 2);
	assert_int_equal(err.code, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_do_not_matter_for_random_bytes),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(an_object_has_a_size_and_a_list_has_none),
		cmocka_unit_test(what_the_callback_returns_ends_the_stream),
	};
	int failed = RUN_ROWS("parts", rows, is_split);

	failed += RUN_ROWS("chunks", rows, chunks_do_not_matter);
	failed += cmocka_run_group_tests_name("limits", tests, NULL, NULL);
	return failed;
}
