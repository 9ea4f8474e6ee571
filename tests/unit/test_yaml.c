/* SPDX-License-Identifier: GPL-2.0-or-later */
/* YAML as kubectl reads it. Each expectation has been held against `kubectl annotate --local -o
 * json` of Kubernetes 1.32; where we refuse what kubectl lets pass, the row says so. */
#include "unit.h"

#include "base/err.h"
#include "source/yaml.h"

struct collected {
	char *text; /* every document as JSON, one a line */
	size_t documents;
	unsigned line; /* of a path, for the tests of lines */
	const struct path_seg *path;
	size_t path_len;
	int rc;
};

static int collect(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	struct collected *c = ctx;
	char *json = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS |
					      JSON_REAL_PRECISION(15));
	char *text = NULL;

	assert_non_null(json);
	assert_true(asprintf(&text, "%s%s%s", c->text ? c->text : "", c->text ? "\n" : "", json) >=
		    0);
	free(json);
	free(c->text);
	c->text = text;
	c->documents++;
	if (c->path)
		c->line = yaml_line_of(lines, c->path, c->path_len);
	return c->rc;
}

/* A value, as an element of a list: what JSON does it become? NULL: refused. */
struct scalar {
	const char *name;
	const char *json;
};

static const struct scalar scalars[] = {
	/* Booleans of YAML 1.1, in three spellings each and no other. */
	{"yes", "true"},
	{"Yes", "true"},
	{"YES", "true"},
	{"yES", "\"yES\""},
	{"y", "true"},
	{"Y", "true"},
	{"on", "true"},
	{"On", "true"},
	{"ON", "true"},
	{"oN", "\"oN\""},
	{"true", "true"},
	{"True", "true"},
	{"TRUE", "true"},
	{"tRUE", "\"tRUE\""},
	{"no", "false"},
	{"No", "false"},
	{"NO", "false"},
	{"n", "false"},
	{"N", "false"},
	{"off", "false"},
	{"Off", "false"},
	{"OFF", "false"},
	{"false", "false"},
	{"False", "false"},
	{"FALSE", "false"},
	{"t", "\"t\""},
	{"'yes'", "\"yes\""},
	{"\"no\"", "\"no\""},
	/* Null. */
	{"null", "null"},
	{"Null", "null"},
	{"NULL", "null"},
	{"~", "null"},
	{"", "null"},
	{"nULL", "\"nULL\""},
	{"''", "\"\""},
	{"'~'", "\"~\""},
	/* Integers. */
	{"0", "0"},
	{"-0", "0"},
	{"+7", "7"},
	{"0777", "511"},
	{"0o17", "15"},
	{"0O17", "15"},
	{"0o8", "\"0o8\""},
	{"08", "8"},
	{"09", "9"},
	{"-017", "-15"},
	{"0x1f", "31"},
	{"0X1F", "31"},
	{"-0x1f", "-31"},
	{"0xg", "\"0xg\""},
	{"0x", "\"0x\""},
	{"0b101", "5"},
	{"-0b101", "-5"},
	{"0b2", "\"0b2\""},
	{"1_000", "1000"},
	{"1__0_", "10"},
	{"_1", "\"_1\""},
	{"0x_1f", "31"},
	{"07_7", "63"},
	{"9223372036854775807", "9223372036854775807"},
	{"-9223372036854775808", "-9223372036854775808"},
	/* Floats; those that are whole are written as integers. */
	{"80.0", "80"},
	{"1e3", "1000"},
	{"1E3", "1000"},
	{"1e+3", "1000"},
	{"1.e3", "1000"},
	{"1e", "\"1e\""},
	{"1.", "1"},
	{"1.5", "1.5"},
	{"-1.5", "-1.5"},
	{".5", "0.5"},
	{"+.5", "0.5"},
	{".", "\".\""},
	{"-.", "\"-.\""},
	{"08.5", "8.5"},
	{"1_0.5", "10.5"},
	{"._5", "\"._5\""},
	{"inf", "\"inf\""},
	{"nan", "\"nan\""},
	{"0x1p3", "\"0x1p3\""},
	/* kubectl too has no JSON for these. */
	{".inf", NULL},
	{"-.Inf", NULL},
	{".NaN", NULL},
	/* Too large for a float is text, with kubectl: commits are called so. */
	{"1e400", "\"1e400\""},
	{"-1e400", "\"-1e400\""},
	{"83e2010", "\"83e2010\""},
	{"12e4567", "\"12e4567\""},
	{".5e999", "\".5e999\""},
	{"1_0e4567", "\"1_0e4567\""},
	{"1.7976931348623157e308", "1.79769313486232e308"},
	{"1e-400", "0"},
	{"!!float 1e400", NULL},
	/* Text that looks like something else. */
	{"2001-01-01", "\"2001-01-01\""},
	{"2001-01-01T00:00:00Z", "\"2001-01-01T00:00:00Z\""},
	{"2001-01-01 10:00:00", "\"2001-01-01 10:00:00\""},
	{"1:30", "\"1:30\""},
	{"190:20:30", "\"190:20:30\""},
	{"1.2.3", "\"1.2.3\""},
	{"10.0.0.0/8", "\"10.0.0.0/8\""},
	{"1,000", "\"1,000\""},
	{"a#b", "\"a#b\""},
	{"a #b", "\"a\""},
	{"=", "\"=\""},
	{"a<<", "\"a<<\""},
	/* Tags. */
	{"!!str 1", "\"1\""},
	{"!!str yes", "\"yes\""},
	{"!!str", "\"\""},
	{"!!int '1'", "1"},
	{"!!int \"0x10\"", "16"},
	{"!!float 1", "1"},
	{"!!bool 'yes'", "true"},
	{"!!null ''", "null"},
	{"!!timestamp 2001-01-01", "\"2001-01-01\""},
	{"!custom 1", "\"1\""},
	{"! 1", "\"1\""},
	{"!!int abc", NULL},
	{"!!float abc", NULL},
	{"!!bool 1", NULL},
	{"!!null a", NULL},
	/* kubectl decodes it; nobody writes so in what policy reads. */
	{"!!binary aGVsbG8=", NULL},
	/* Characters. */
	{"\"\\u00e9\\x41\\t\"", "\"\xc3\xa9"
				"A\\t\""},
	{"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
	{"\"\\ud83d\\ude00\"", NULL},
	{"\"\\q\"", NULL},
	{"@a", NULL},
	{"`a`", NULL},
	{"%a", NULL},
	/* kubectl lets it pass; no name or label of Kubernetes has it. */
	{"\"a\\0b\"", NULL},
};

static void reads_scalar(void **state)
{
	const struct scalar *row = *state;
	struct collected c = {0};
	struct err err = {0};
	char yaml[200], expected[200];
	int rc;

	(void)snprintf(yaml, sizeof(yaml), "- %s\n", row->name);
	rc = yaml_parse(yaml, strlen(yaml), collect, &c, &err, NULL);
	if (row->json) {
		(void)snprintf(expected, sizeof(expected), "[%s]", row->json);
		assert_int_equal(rc, 0);
		assert_string_equal(c.text, expected);
	} else {
		assert_int_equal(rc, -EINVAL);
		assert_true(err.text[0] != '\0');
	}
	free(c.text);
}

struct document {
	const char *name;
	const char *yaml;
	const char *json;     /* NULL: refused */
	const char *error;    /* part of it */
	unsigned line;        /* of the error; 0: any */
	const char *accepted; /* documents handed out before the error; NULL: none */
};

static const struct document documents[] = {
	/* Documents. */
	{"an empty stream has no document", "", "", 0, 0, 0},
	{"space and comments have no document", " \n# a\n\n", "", 0, 0, 0},
	{"empty documents are none", "---\n---\n---\nnull\n---\n~\n", "", 0, 0, 0},
	{"documents are handed out one by one", "a: 1\n---\nb: 2\n", "{\"a\":1}\n{\"b\":2}", 0, 0,
	 0},
	{"a document may end with three dots", "a: 1\n...\n", "{\"a\":1}", 0, 0, 0},
	{"a byte order mark is passed over",
	 "\xef\xbb\xbf"
	 "a: 1\n",
	 "{\"a\":1}", 0, 0, 0},
	{"lines may end as on Windows", "a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}", 0, 0, 0},
	{"a separator ends a block", "a: |\n  b\n---\nc: 1\n", "{\"a\":\"b\\n\"}\n{\"c\":1}", 0, 0,
	 0},
	{"JSON is YAML", "{\"a\": [1, \"b\", null]}", "{\"a\":[1,\"b\",null]}", 0, 0, 0},
	{"blocks keep and fold lines", "a: |\n  b\n  c\nd: >\n  e\n  f\n",
	 "{\"a\":\"b\\nc\\n\",\"d\":\"e f\\n\"}", 0, 0, 0},

	/* Documents that bad indentation cuts short look whole until the next byte. */
	{"a list cut short is not handed out", "a:\n  - b\n - c\n", NULL, "did not find", 3, 0},
	{"a map cut short is not handed out", "a:\n  b: 1\n c: 2\n", NULL, "did not find", 3, 0},
	{"a map cut short in a list is not handed out", "a:\n- b: 1\n c: 2\n", NULL, "did not find",
	 3, 0},
	{"a document with something behind it is not handed out", "{a: 1}\nb: 2\n", NULL,
	 "not YAML", 0, 0},
	{"a document with text behind it is not handed out", "{a: 1} b\n", NULL, "not YAML", 0, 0},
	{"what was whole before the bad one is handed out", "a: 1\n---\nb:\n  - c\n - d\n", NULL,
	 "did not find", 5, "{\"a\":1}"},
	{"what follows a bad one is not read, where none may be bad", "a: [\n---\nb: 1\n", NULL,
	 "not YAML", 0, 0},
	{"a flow that does not end is not handed out", "a: {b: 1\n", NULL, "not YAML", 0, 0},
	{"a quote that does not end is not handed out", "a: \"b\n", NULL, "not YAML", 0, 0},
	{"tabs do not indent", "a:\n\tb: 1\n", NULL, "cannot start any token", 2, 0},

	/* Bytes. */
	{"a NUL byte is refused", "a: b\0c\n", NULL, "control characters", 0, 0},
	{"a control character is refused", "a: b\001c\n", NULL, "control characters", 0, 0},
	{"invalid UTF-8 is refused", "a: \xff\n", NULL, "UTF-8", 0, 0},
	{"a lone continuation byte is refused", "a: \x80\n", NULL, "UTF-8", 0, 0},
	{"UTF-8 longer than it need be is refused", "a: \xc0\xaf\n", NULL, "UTF-8", 0, 0},
	{"UTF-8 cut short is refused", "a: \xe2\x82", NULL, "UTF-8", 0, 0},
	{"a surrogate in UTF-8 is refused", "a: \xed\xa0\x80\n", NULL, "Unicode", 0, 0},

	/* Keys. */
	{"a key that stands twice is refused, where kubectl takes the last", "a: 1\nb: 2\na: 3\n",
	 NULL, "a: set twice, before in line 1: expected each key once", 3, 0},
	{"a key that stands twice inside is refused", "a: {b: 1, b: 2}\n", NULL,
	 "a.b: set twice, before in line 1", 1, 0},
	{"keys that come to the same text are the same", "a: {1: b, '1': c}\n", NULL,
	 "a.1: set twice, before in line 1", 1, 0},
	{"a key that stands twice is named as it was written", "on: a\nc: d\nyes: b\n", NULL,
	 "yes: set twice, before in line 1", 3, 0},
	{"what has no JSON is named as it was written, with its place",
	 "a:\n- b: 1\n- 0x10: -.INF\n", NULL, "a[1].0x10: -.INF: expected a finite number", 3, 0},
	{"what does not fit its tag, too", "a: {b: !!int x}", NULL, "a.b: x: \"x\" is tagged !!int",
	 1, 0},
	{"keys that come to the same number are the same", "{1: a, 1.0e+0: g}", NULL, "set twice",
	 1, 0},
	{"boolean keys become true and false", "{yes: a, no: b}",
	 "{\"false\":\"b\",\"true\":\"a\"}", 0, 0, 0},
	{"number keys become decimals", "{0x10: a, 1e3: b, 017: c}",
	 "{\"1000\":\"b\",\"15\":\"c\",\"16\":\"a\"}", 0, 0, 0},
	{"float keys keep their digits", "{1.234567: a}", "{\"1.234567\":\"a\"}", 0, 0, 0},
	{"dates are text as keys too", "{2001-01-01: a}", "{\"2001-01-01\":\"a\"}", 0, 0, 0},
	{"a null key is refused", "a: {null: b}\n", NULL, "null key", 1, 0},
	{"an empty key is refused", "a:\n  ? \n  : b\n", NULL, "null key", 0, 0},
	{"a list as a key is refused", "? [a]\n: 1\n", NULL, "as a key", 1, 0},
	{"a map as a key is refused", "? {a: 1}\n: 1\n", NULL, "as a key", 1, 0},
	{"a key may be marked", "? a\n: 1\n", "{\"a\":1}", 0, 0, 0},

	/* Anchors. */
	{"an alias is what its anchor names", "a: &x {b: 1}\nc: *x\n",
	 "{\"a\":{\"b\":1},\"c\":{\"b\":1}}", 0, 0, 0},
	{"a later anchor of the name wins from there on", "a: &x 1\nb: *x\nc: &x 2\nd: *x\n",
	 "{\"a\":1,\"b\":1,\"c\":2,\"d\":2}", 0, 0, 0},
	{"an anchor may name nothing", "a: &x\nb: *x\n", "{\"a\":null,\"b\":null}", 0, 0, 0},
	{"an alias may be a key", "a: &x k\nb: {*x : 1}\n", "{\"a\":\"k\",\"b\":{\"k\":1}}", 0, 0,
	 0},
	{"a key may have an anchor", "&x k: 1\nb: *x\n", "{\"b\":\"k\",\"k\":1}", 0, 0, 0},
	{"an alias to a list is no key", "a: &x [1]\nb: {*x : 1}\n", NULL, "as a key", 2, 0},
	{"an alias without an anchor is refused", "a: *x\n", NULL, "no such anchor", 1, 0},
	{"an alias before its anchor is refused", "a: *x\nb: &x 1\n", NULL, "no such anchor", 1, 0},
	{"an alias to what it stands in is refused", "a: &x\n- *x\n", NULL, "no such anchor", 2, 0},
	{"an alias to a map around it is refused", "&x a: 1\nb: &y {c: *y}\n", NULL,
	 "no such anchor", 2, 0},
	{"anchors end with their document", "a: &x 1\n---\nb: *x\n", NULL, "no such anchor", 3,
	 "{\"a\":1}"},

	/* Merge keys. */
	{"a merge adds keys", "a: &x {p: 1, q: 2}\nb: {<<: *x, r: 3}\n",
	 "{\"a\":{\"p\":1,\"q\":2},\"b\":{\"p\":1,\"q\":2,\"r\":3}}", 0, 0, 0},
	{"a key after the merge wins", "a: &x {p: 1}\nb: {<<: *x, p: 2}\n",
	 "{\"a\":{\"p\":1},\"b\":{\"p\":2}}", 0, 0, 0},
	{"a key before the merge loses, with kubectl", "a: &x {p: 1}\nb: {p: 2, <<: *x}\n",
	 "{\"a\":{\"p\":1},\"b\":{\"p\":1}}", 0, 0, 0},
	{"of two merges the later wins, with kubectl",
	 "a: &x {p: 1}\nb: &y {p: 2}\nc:\n  <<: *x\n  <<: *y\n",
	 "{\"a\":{\"p\":1},\"b\":{\"p\":2},\"c\":{\"p\":2}}", 0, 0, 0},
	{"of a list the earlier wins", "a: &x {p: 1}\nb: &y {p: 2, q: 3}\nc: {<<: [*x, *y]}\n",
	 "{\"a\":{\"p\":1},\"b\":{\"p\":2,\"q\":3},\"c\":{\"p\":1,\"q\":3}}", 0, 0, 0},
	{"maps may be merged where they stand", "{<<: {a: 1}, b: 2}", "{\"a\":1,\"b\":2}", 0, 0, 0},
	{"a list of maps may stand there", "{<<: [{a: 1}, {a: 2, b: 3}]}", "{\"a\":1,\"b\":3}", 0,
	 0, 0},
	{"a merge of a merge", "a: &x {p: 1}\nb: &y {<<: *x, q: 2}\nc: {<<: *y}\n",
	 "{\"a\":{\"p\":1},\"b\":{\"p\":1,\"q\":2},\"c\":{\"p\":1,\"q\":2}}", 0, 0, 0},
	{"an empty map merges to nothing", "{<<: {}, a: 1}", "{\"a\":1}", 0, 0, 0},
	{"a merge replaces values, it does not go into them",
	 "a: &x {p: {q: 1}}\nb: {<<: *x, p: {r: 2}}\n",
	 "{\"a\":{\"p\":{\"q\":1}},\"b\":{\"p\":{\"r\":2}}}", 0, 0, 0},
	{"a quoted << is a key like any other", "{'<<': {a: 1}}", "{\"<<\":{\"a\":1}}", 0, 0, 0},
	{"a merge of a number is refused", "{<<: 1}", NULL, "merge key", 1, 0},
	{"a merge of nothing is refused", "{<<: }", NULL, "merge key", 1, 0},
	{"a merge of null is refused", "{<<: null}", NULL, "merge key", 1, 0},
	{"a merge of lists in a list is refused", "{<<: [[{a: 1}]]}", NULL, "merge key", 1, 0},
	{"a merge of a list with a number is refused", "{<<: [{a: 1}, 2]}", NULL, "merge key", 1,
	 0},
	{"a merge of an alias to a list is refused, with kubectl", "a: &x [{p: 1}]\nb: {<<: *x}\n",
	 NULL, "merge key", 2, 0},
};

static size_t yaml_len(const struct document *row)
{
	/* One row has a NUL byte. */
	return strcmp(row->name, "a NUL byte is refused") == 0 ? 7 : strlen(row->yaml);
}

static void reads_document(void **state)
{
	const struct document *row = *state;
	struct collected c = {0};
	struct err err = {0};
	unsigned line = 0;
	int rc = yaml_parse(row->yaml, yaml_len(row), collect, &c, &err, &line);

	if (row->json) {
		if (rc < 0)
			fail_msg("%s", err.text);
		assert_string_equal(c.text ? c.text : "", row->json);
	} else {
		if (rc != -EINVAL)
			fail_msg("read as %s", c.text);
		if (!strstr(err.text, row->error))
			fail_msg("%s", err.text);
		if (row->line)
			assert_int_equal(line, row->line);
		assert_string_equal(c.text ? c.text : "", row->accepted ? row->accepted : "");
	}
	free(c.text);
}

static char *repeat(const char *before, const char *text, size_t n, const char *after)
{
	char *all = malloc(strlen(before) + n * strlen(text) + strlen(after) + 1);
	char *at = all;

	assert_non_null(all);
	at = stpcpy(at, before);
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, text);
	(void)stpcpy(at, after);
	return all;
}

static int parse(const char *yaml, struct err *err, unsigned *line)
{
	struct collected c = {0};
	int rc = yaml_parse(yaml, strlen(yaml), collect, &c, err, line);

	free(c.text);
	return rc;
}

/* What a reader hears that goes on: documents, and why others are none. */
struct heard {
	char text[4096];
	size_t failures;
};

static int hear_document(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	struct heard *heard = ctx;
	char *text = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY);
	size_t used = strlen(heard->text);

	(void)lines;
	(void)snprintf(heard->text + used, sizeof(heard->text) - used, "%s\n", text);
	free(text);
	return 0;
}

static int hear_invalid(void *ctx, const struct yaml_failure *failure)
{
	struct heard *heard = ctx;
	size_t used = strlen(heard->text);

	heard->failures++;
	(void)snprintf(heard->text + used, sizeof(heard->text) - used, "%u: %s%s\n", failure->line,
		       failure->text, failure->again ? " (again)" : "");
	return 0;
}

struct resumed {
	const char *name, *yaml;
	size_t len; /* 0: to its NUL */
	const char *heard;
};

#define NO_FLOW \
	"not YAML: did not find expected ',' or ']' at column 1, while parsing a flow sequence\n"
#define NO_QUOTE \
	"not YAML: found unexpected end of stream at column 1, while scanning a quoted scalar\n"
#define NO_TOKEN                                                                                 \
	"not YAML: found character that cannot start any token at column 1, while scanning for " \
	"the next token\n"

static const struct resumed resumed[] = {
	{"behind a flow that does not end", "a: [\n---\nb: 1\n", 0,
	 "2: not YAML: did not find expected node content at column 1, while parsing a flow "
	 "node\n{\"b\":1}\n"},
	{"behind a quote that does not end", "a: \"b\nc\n---\nd: 1\n", 0,
	 "3: " NO_QUOTE "{\"d\":1}\n"},
	{"behind a list cut short, which looked whole", "a:\n  - b\n - c\n---\nd: 1\n", 0,
	 "3: not YAML: did not find expected key at column 2, while parsing a block "
	 "mapping\n{\"d\":1}\n"},
	{"behind what is wrong beside the separator", "a: 1\n--- @\n---\nb: 1\n", 0,
	 "{\"a\":1}\n2: not YAML: found character that cannot start any token at column 5, while "
	 "scanning for the next token\n{\"b\":1}\n"},
	{"behind each of several", "@\n---\na: 1\n---\n@\n---\n@\n---\nb: 1\n", 0,
	 "1: " NO_TOKEN "{\"a\":1}\n5: " NO_TOKEN "7: " NO_TOKEN "{\"b\":1}\n"},
	{"at separators with comments, and not at what looks like one",
	 "@\n----\n---a\n ---\n--- # b\nc: 1\n", 0, "1: " NO_TOKEN "{\"c\":1}\n"},
	{"at a separator that YAML sees in a block of text, as kubectl does",
	 "a: |\n  @\n---\n@: |\n---\nb: 1\n", 0, "{\"a\":\"@\\n\"}\n4: " NO_TOKEN "{\"b\":1}\n"},
	{"and not at an indented one", "a: [\n ---\nb: @\n", 0,
	 "3: not YAML: did not find expected ',' or ']' at column 2, while parsing a flow "
	 "sequence\n"},
	{"with any line breaks", "@\r\n---\r\na: 1\r\n---\r@\r---\rb: 1\r", 0,
	 "1: " NO_TOKEN "{\"a\":1}\n5: " NO_TOKEN "{\"b\":1}\n"},
	{"behind a byte that is none of UTF-8, before which all is read",
	 "a: 1\n---\nb: 2\n---\nc: \xff\n---\nd: 4\n", 0,
	 "{\"a\":1}\n{\"b\":2}\n5: not YAML: invalid leading UTF-8 octet at byte 21 of the "
	 "file\n{\"d\":4}\n"},
	{"behind a NUL", "a: 1\n---\nb: \0\n---\nc: 1\n", 23,
	 "{\"a\":1}\n3: not YAML: control characters are not allowed at byte 12 of the "
	 "file\n{\"c\":1}\n"},
	{"with the directives of a document", "@\n...\n%YAML 1.1\n---\na: 1\n---\nb: 1\n", 0,
	 "1: " NO_TOKEN "{\"b\":1}\n"},
	{"with lines counted on", "@\n---\na: 1\na: 2\n---\n@\n", 0,
	 "1: " NO_TOKEN "4: set twice, before in line 3: expected each key once\n6: " NO_TOKEN},
	{"a document that has failed before", "a: .inf\nb: [\n---\nc: 1\n", 0,
	 "1: expected a finite number (quote it if it is text)\n{\"c\":1}\n"},
};

static void reading_goes_on(void **state)
{
	const struct resumed *row = *state;
	struct heard heard = {0};
	struct yaml_reader reader = {
		.document = hear_document, .invalid = hear_invalid, .ctx = &heard};
	struct yaml_failure failure;
	size_t len = row->len ? row->len : strlen(row->yaml);

	assert_int_equal(yaml_read(row->yaml, len, &reader, &failure), 0);
	assert_string_equal(heard.text, row->heard);
}

static size_t count_failures(const char *document, size_t n, int *ret_rc)
{
	char *yaml = repeat("", document, n, "");
	struct heard heard = {0};
	struct yaml_reader reader = {
		.document = hear_document, .invalid = hear_invalid, .ctx = &heard};
	struct yaml_failure failure;

	*ret_rc = yaml_read(yaml, strlen(yaml), &reader, &failure);
	free(yaml);
	return heard.failures;
}

static void a_file_ends_behind_a_hundred_documents_that_are_none(void **state)
{
	char *deep = repeat("", "[", YAML_DEPTH_MAX + 1, "\n---\na: 1\n---\n");
	int rc;

	(void)state;
	assert_int_equal(count_failures(deep, 3, &rc), 3);
	assert_int_equal(rc, 0);
	free(deep);
	assert_int_equal(count_failures("@\n---\n", YAML_BROKEN_MAX, &rc), YAML_BROKEN_MAX);
	assert_int_equal(rc, 0);
	assert_int_equal(count_failures("@\n---\n", 100000, &rc), YAML_BROKEN_MAX);
	assert_int_equal(rc, -EINVAL);
}

/* No document that a file has beside a broken one is another than it would be alone: each of a few
 * texts behind each. */
static void what_is_broken_changes_no_other(void **state)
{
	static const char *const texts[] = {
		"a: 1\n",       "a: [\n",    "a: \"b\n",  "a: |\n  b\n", "- a\n b\n",
		"a: {b: 1}}\n", "a: \xff\n", "a: b: c\n", "\ta: 1\n",    "*x\n",
		"a: .inf\n",    "...\n",     "# c\n",     "a: 'b\n\n",   "a: 1\n b: 2\n",
		"!!x! a\n",     "? [\n",     "a: \001\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
			char *both = NULL;
			struct heard one = {0}, other = {0};
			struct yaml_reader reader = {
				.document = hear_document, .invalid = hear_invalid, .ctx = &one};
			struct yaml_failure failure;

			assert_true(asprintf(&both, "---\n%s", texts[k]) > 0);
			assert_int_equal(yaml_read(both, strlen(both), &reader, &failure), 0);
			free(both);
			reader.ctx = &other;
			assert_true(asprintf(&both, "%s---\n%s---\nlast: 1\n", texts[i], texts[k]) >
				    0);
			assert_int_equal(yaml_read(both, strlen(both), &reader, &failure), 0);
			assert_non_null(strstr(other.text, "{\"last\":1}"));
			if (one.failures == 0 && one.text[0])
				assert_non_null(strstr(other.text, one.text));
			assert_true(one.failures == 0 || other.failures > 0);
			free(both);
		}
	}
}

static void a_hundred_levels_are_enough_and_more_are_refused(void **state)
{
	char *yaml = repeat("", "[", YAML_DEPTH_MAX, "");
	char *closed = repeat(yaml, "]", YAML_DEPTH_MAX, "\n");
	char *deeper = repeat("[", closed, 1, "]");
	struct err err = {0};
	unsigned line = 0;

	(void)state;
	assert_int_equal(parse(closed, &err, &line), 0);
	assert_int_equal(parse(deeper, &err, &line), -EINVAL);
	assert_non_null(strstr(err.text, "nested too deeply"));
	free(yaml);
	free(closed);
	free(deeper);
}

static void very_deep_nesting_ends_soon(void **state)
{
	static const char *const forms[] = {"[", "{a: ", "- ", "? "};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		char *yaml = repeat("", forms[i], 20000, "\n");
		struct err err = {0};
		unsigned line = 0;

		assert_int_equal(parse(yaml, &err, &line), -EINVAL);
		free(yaml);
	}
}

/* Ten lists of ten aliases each: 10^10 values in a few hundred bytes. */
static void aliases_that_explode_are_refused(void **state)
{
	static const char *const forms[] = {"a%d: &x%d [*x%d,*x%d,*x%d,*x%d,*x%d,*x%d,*x%d,*x%d]\n",
					    "a%d: &x%d {<<: *x%d, b: *x%d, c: *x%d, d: *x%d, e: "
					    "*x%d, f: *x%d, g: *x%d, h: *x%d}\n"};
	char yaml[4000];

	(void)state;
	for (size_t form = 0; form < ARRAY_LEN(forms); form++) {
		struct err err = {0};
		unsigned line = 0;
		size_t used = (size_t)snprintf(yaml, sizeof(yaml), "a0: &x0 %s\n",
					       form ? "{k: v}" : "[k]");

		for (int i = 1; i <= 12; i++) {
			int b = i - 1;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			used += (size_t)snprintf(yaml + used, sizeof(yaml) - used, forms[form], i,
						 i, b, b, b, b, b, b, b, b);
#pragma GCC diagnostic pop
		}
		assert_int_equal(parse(yaml, &err, &line), -EINVAL);
		assert_non_null(strstr(err.text, "too large"));
		assert_true(line > 4);
	}
}

/* Merging costs as many steps as keys come: many merges of one large map must not be free. */
static void merges_that_explode_are_refused(void **state)
{
	char *keys = NULL, *merges, *yaml = NULL;
	size_t used = 0;
	struct err err = {0};
	unsigned line = 0;

	(void)state;
	keys = malloc(20000 * 10);
	assert_non_null(keys);
	for (int i = 0; i < 20000; i++)
		used += (size_t)sprintf(keys + used, "k%d: v,", i);
	merges = repeat("", "- {<<: *x}\n", 2000, "");
	assert_true(asprintf(&yaml, "a: &x {%s}\nb:\n%s", keys, merges) > 0);
	assert_int_equal(parse(yaml, &err, &line), -EINVAL);
	free(keys);
	free(merges);
	free(yaml);
}

#define KEY(k)           \
	{                \
		.key = k \
	}
#define INDEX(i)           \
	{                  \
		.index = i \
	}

static const char lines_yaml[] = "# a comment\n"             /* 1 */
				 "\n"                        /* 2 */
				 "kind: NetworkPolicy\n"     /* 3 */
				 "spec:\n"                   /* 4 */
				 "  ingress:\n"              /* 5 */
				 "  - from:\n"               /* 6 */
				 "    - podSelector: {}\n"   /* 7 */
				 "\n"                        /* 8 */
				 "    ports: [{port: 80},\n" /* 9 */
				 "            {port: 81}]\n" /* 10 */
				 "  base: &b\n"              /* 11 */
				 "    key: 1\n"              /* 12 */
				 "  other:\n"                /* 13 */
				 "    <<: *b\n"              /* 14 */
				 "    text: |\n"             /* 15 */
				 "      a\n"                 /* 16 */
				 "      b\n"                 /* 17 */
				 "  last: *b\n";             /* 18 */

struct line_row {
	const char *name;
	struct path_seg path[6];
	size_t n;
	unsigned line;
};

static const struct line_row line_rows[] = {
	{"the document begins at its first line", {{0}}, 0, 3},
	{"a member is on its key's line", {KEY("kind")}, 1, 3},
	{"a block is on its key's line", {KEY("spec"), KEY("ingress")}, 2, 5},
	{"an element is where it begins", {KEY("spec"), KEY("ingress"), INDEX(0)}, 3, 6},
	{"a member of an element",
	 {KEY("spec"), KEY("ingress"), INDEX(0), KEY("from"), INDEX(0), KEY("podSelector")},
	 6,
	 7},
	{"an element in a flow",
	 {KEY("spec"), KEY("ingress"), INDEX(0), KEY("ports"), INDEX(1)},
	 5,
	 10},
	{"what is missing has the line of what is there",
	 {KEY("spec"), KEY("ingress"), INDEX(0), KEY("ports"), INDEX(0), KEY("protocol")},
	 6,
	 9},
	{"an element that is missing has its list's line",
	 {KEY("spec"), KEY("ingress"), INDEX(7)},
	 3,
	 5},
	{"a merged key is on the merge's line", {KEY("spec"), KEY("other"), KEY("key")}, 3, 14},
	{"a key after a merge is on its own", {KEY("spec"), KEY("other"), KEY("text")}, 3, 15},
	{"an alias is on its key's line", {KEY("spec"), KEY("last")}, 2, 18},
	{"what an alias holds is where it was written",
	 {KEY("spec"), KEY("last"), KEY("key")},
	 3,
	 12},
};

static void knows_its_line(void **state)
{
	const struct line_row *row = *state;
	struct collected c = {.path = row->path, .path_len = row->n};
	struct err err;

	assert_int_equal(yaml_parse(lines_yaml, strlen(lines_yaml), collect, &c, &err, NULL), 0);
	assert_int_equal(c.line, row->line);
	free(c.text);
}

static void lines_go_on_through_documents(void **state)
{
	static const char yaml[] = "a: 1\n---\n\nb:\n  c: 1\n";
	static const struct path_seg path[] = {KEY("b"), KEY("c")};
	struct collected c = {.path = path, .path_len = 2};
	struct err err;

	(void)state;
	assert_int_equal(yaml_parse(yaml, strlen(yaml), collect, &c, &err, NULL), 0);
	assert_int_equal(c.line, 5);
	free(c.text);
}

static void what_the_callback_returns_ends_the_parse(void **state)
{
	struct collected c = {.rc = -EPIPE};
	struct err err = {0};

	(void)state;
	assert_int_equal(yaml_parse("a: 1\n---\nb: 2\n", 14, collect, &c, &err, NULL), -EPIPE);
	assert_int_equal(c.documents, 1);
	free(c.text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_ends_behind_a_hundred_documents_that_are_none),
		cmocka_unit_test(what_is_broken_changes_no_other),
		cmocka_unit_test(a_hundred_levels_are_enough_and_more_are_refused),
		cmocka_unit_test(very_deep_nesting_ends_soon),
		cmocka_unit_test(aliases_that_explode_are_refused),
		cmocka_unit_test(merges_that_explode_are_refused),
		cmocka_unit_test(lines_go_on_through_documents),
		cmocka_unit_test(what_the_callback_returns_ends_the_parse),
	};
	int failed = RUN_ROWS("scalars", scalars, reads_scalar);

	failed += RUN_ROWS("documents", documents, reads_document);
	failed += RUN_ROWS("reading goes on", resumed, reading_goes_on);
	failed += RUN_ROWS("lines", line_rows, knows_its_line);
	failed += cmocka_run_group_tests_name("limits", tests, NULL, NULL);
	return failed;
}
