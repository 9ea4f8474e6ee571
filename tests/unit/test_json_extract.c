/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "source/json_extract.h"

#define BRIEF 300 /* bytes */

struct told {
	char *text;
	size_t len;
	FILE *out;
};

static int note(void *ctx, const struct json_extracted *part)
{
	struct told *told = ctx;

	fprintf(told->out, "%s", part->what == JSON_EXTRACTED_ITEM ? "item" : "end");
	if (part->len > BRIEF)
		fprintf(told->out, " of %zu bytes", part->len);
	else
		fprintf(told->out, " %.*s", (int)part->len, part->bytes);
	fprintf(told->out, " [%s %s %s %s]%s%s\n", part->slots[JSON_SLOT_TYPE],
		part->slots[JSON_SLOT_NAMESPACE], part->slots[JSON_SLOT_NAME],
		part->slots[JSON_SLOT_VERSION], part->problem ? " " : "",
		part->problem ? part->problem : "");
	return 0;
}

static struct json_extract *begin(struct told *told, const struct json_keep *keep)
{
	struct json_extract *extract = json_extract_new(keep, note, told);

	told->out = open_memstream(&told->text, &told->len);
	assert_non_null(told->out);
	assert_non_null(extract);
	return extract;
}

static char *end(struct told *told, struct json_extract *extract, int rc, struct err *err)
{
	if (rc == 0)
		rc = json_extract_finish(extract, err);
	fprintf(told->out, "%d %s", rc, err->text);
	json_extract_free(extract);
	assert_int_equal(fclose(told->out), 0);
	return told->text;
}

/* In a first piece of `first` bytes, then in pieces of `size`, each in memory of its own. */
static char *run(const struct json_keep *keep, const char *json, size_t first, size_t size)
{
	struct told told = {0};
	struct json_extract *extract = begin(&told, keep);
	size_t len = strlen(json);
	struct err err = {0};
	int rc = 0;

	for (size_t at = 0, n = first; at < len && rc == 0; at += n, n = size) {
		n = n < len - at ? n : len - at;
		char *piece = malloc(n);

		assert_non_null(piece);
		memcpy(piece, json + at, n);
		rc = json_extract_feed(extract, piece, n, &err);
		free(piece);
	}
	return end(&told, extract, rc, &err);
}

struct row {
	const char *name;
	const struct json_keep_answer *keep;
	const char *json, *expected;
};

#define POD_EVENT(object) "{\"type\":\"ADDED\",\"object\":" object "}"

static const struct row rows[] = {
	{"what is read is kept", &json_keep_objects,
	 POD_EVENT("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\","
		   "\"managedFields\":[{\"x\":{}}],\"resourceVersion\":\"7\",\"labels\":{\"x\":"
		   "\"y\"}},"
		   "\"spec\":{\"volumes\":[],\"nodeName\":\"n\",\"containers\":[{\"image\":\"i\","
		   "\"ports\":"
		   "[{\"containerPort\":1}]},{\"image\":\"j\"}]},\"z\":1,\"status\":{\"podIP\":\"1."
		   "2.3.4\"}}"),
	 "end "
	 "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",\"resourceVersion\":"
	 "\"7\","
	 "\"labels\":{\"x\":\"y\"}},\"spec\":{\"nodeName\":\"n\",\"containers\":[{\"ports\":"
	 "[{\"containerPort\":1}]},{}]},\"status\":{\"podIP\":\"1.2.3.4\"}} [ADDED b a 7]\n0 "},
	{"of a policy all counts but metadata and status", &json_keep_policies,
	 POD_EVENT("{\"metadata\":{\"name\":\"a\",\"x\":1},\"spec\":{\"x\":[{}]},\"status\":{\"y\":"
		   "1},"
		   "\"tomorrow\": true }"),
	 "end {\"metadata\":{\"name\":\"a\"},\"spec\":{\"x\":[{}]},\"tomorrow\":true} [ADDED  a "
	 "]\n0 "},
	{"a list, its metadata last", &json_keep_objects,
	 "{\"items\":[{\"metadata\":{\"name\":\"a\"}},{\"x\":1},7,\"s\"],\"metadata\":"
	 "{\"resourceVersion\":\"9\",\"remainingItemCount\":5}}",
	 "item {\"metadata\":{\"name\":\"a\"}} [  a ]\nitem {} [   ]\nitem 7 [   ]\nitem \"s\" [   "
	 "]\n"
	 "end {\"metadata\":{\"resourceVersion\":\"9\"}} [   ]\n0 "},
	{"one object after another, with space", &json_keep_objects,
	 " {\"object\":{\"metadata\":{\"name\":\"a\"}},\"type\":\"X\"}\n\t{\"type\": \"Y\" , "
	 "\"object\" : { } }\r\n",
	 "end {\"metadata\":{\"name\":\"a\"}} [X  a ]\nend {} [Y   ]\n0 "},
	{"escapes do not hide a key", &json_keep_objects,
	 POD_EVENT("{\"\\u006detadata\":{\"n\\u0061me\":\"a\",\"name\\\\\":\"b\",\"na\\u00ffme\":"
		   "\"c\"}}"),
	 "end {\"metadata\":{\"name\":\"a\"}} [ADDED  a ]\n0 "},
	{"quotes and brackets in strings are no structure", &json_keep_objects,
	 POD_EVENT(
		 "{\"x\":\"}]\\\"{[\\\\\",\"metadata\":{\"y\":\"\\\\\\\"\",\"name\":\"a\\\"}\"}}"),
	 "end {\"metadata\":{\"name\":\"a\\\"}\"}} [ADDED  a\\\"} ]\n0 "},
	{"the last of two is taken", &json_keep_objects,
	 POD_EVENT("{\"metadata\":{\"name\":\"a\"}},\"object\":{\"metadata\":{\"name\":\"b\","
		   "\"name\":\"c\"}}"),
	 "end {\"metadata\":{\"name\":\"b\",\"name\":\"c\"}} [ADDED  c ]\n0 "},
	{"other types than those that a table knows", &json_keep_objects,
	 POD_EVENT("{\"metadata\":[{\"name\":\"a\",\"x\":1}],\"spec\":7,\"status\":null}"),
	 "end {\"metadata\":[{\"name\":\"a\"}],\"spec\":7,\"status\":null} [ADDED  a ]\n0 "},
	{"a list in a list is kept as it is", &json_keep_objects,
	 POD_EVENT("{\"spec\":{\"containers\":[[{\"image\":1}]]}}"),
	 "end {\"spec\":{\"containers\":[[{\"image\":1}]]}} [ADDED   ]\n0 "},
	{"items that are none", &json_keep_objects, "{\"items\":null,\"metadata\":{}}",
	 "end {\"metadata\":{}} [   ]\n0 "},
	{"brackets that do not match, in what is left out", &json_keep_objects,
	 POD_EVENT("{\"x\":[{\"a\":1]},\"metadata\":{\"name\":\"a\"}}"),
	 "end {\"metadata\":{\"name\":\"a\"}} [ADDED  a ]\n0 "},
	{"no JSON in what is left out", &json_keep_objects,
	 POD_EVENT("{\"x\":[1 2,,:\"\x01\xff\"],\"y\":nonsense,\"metadata\":{\"name\":\"a\"}}"),
	 "end {\"metadata\":{\"name\":\"a\"}} [ADDED  a ]\n0 "},

	{"a comma is missing", &json_keep_objects, POD_EVENT("{\"x\":1 \"y\":2}"),
	 "-22 not JSON: unexpected '\"'"},
	{"a member is missing", &json_keep_objects, POD_EVENT("{\"x\":1,}"),
	 "-22 not JSON: unexpected '}'"},
	{"a colon is missing", &json_keep_objects, POD_EVENT("{\"x\"}"),
	 "-22 not JSON: unexpected '}'"},
	{"a value is missing", &json_keep_objects, POD_EVENT("{\"x\":}"),
	 "-22 not JSON: unexpected '}'"},
	{"a bracket of the other kind", &json_keep_objects, POD_EVENT("{\"x\":1]"),
	 "-22 not JSON: unexpected ']'"},
	{"an item is missing", &json_keep_objects, "{\"items\":[{},,{}]}",
	 "item {} [   ]\n-22 not JSON: unexpected ','"},
	{"a byte of no text", &json_keep_objects, POD_EVENT("{\"x\":\"\"\x01"),
	 "-22 not JSON: unexpected byte 0x01"},
	{"a page for people", &json_keep_objects, "<html>", "-22 not JSON: expected an object"},
	{"ends inside an object", &json_keep_objects,
	 "{\"x\":", "-22 not JSON: ends inside an object"},
	{"ends inside a string", &json_keep_objects, "{\"x\":[\"",
	 "-22 not JSON: ends inside a string"},
};

static void is_extracted(void **state)
{
	const struct row *row = *state;
	const struct json_keep *keep =
		strstr(row->json, "\"items\"") ? row->keep->list : row->keep->event;
	size_t len = strlen(row->json);

	for (size_t at = 0; at <= len; at++) { /* cut anywhere once, and cut everywhere */
		char *text = run(keep, row->json, at ? at : 1, at ? len : 1);

		assert_string_equal(text, row->expected);
		free(text);
	}
}

/* Much of something, without having it in memory. */
static int feed(struct json_extract *x, const char *text, size_t times)
{
	char bytes[4096];
	size_t len = strlen(text), fit = sizeof(bytes) / len;
	struct err err = {0};
	int rc = 0;

	for (size_t i = 0; i < fit; i++)
		memcpy(bytes + i * len, text, len);
	while (times > 0 && rc == 0) {
		size_t n = times < fit ? times : fit;

		rc = json_extract_feed(x, bytes, n * len, &err);
		times -= n;
	}
	return rc;
}

/* An object between others: what it is like is in the middle, its name comes behind that. */
struct monster {
	const char *name;
	const char *before, *opening;
	size_t times;
	const char *closing, *after;
	const char *expected;
};

#define MIB         (1u << 20)
#define NAME        "\"metadata\":{\"name\":\"m\",\"namespace\":\"s\",\"resourceVersion\":\"5\"}"
#define NAME_BEHIND "," NAME
#define NAMED       " [ADDED s m 5]"
#define TOO_LARGE   " too large: expected at most 16 MiB of what policy reads\n"
#define TOO_DEEP    " nested too deeply: expected at most 128 levels of what policy reads\n"

static const struct monster monsters[] = {
	{"150 levels of managedFields", "\"metadata\":{\"managedFields\":", "[", 150, "]",
	 "}" NAME_BEHIND, "end {\"metadata\":{}," NAME "}" NAMED "\n"},
	{"100,000 levels", "\"metadata\":{\"managedFields\":", "{\"a\":", 100000, "}",
	 "}" NAME_BEHIND, "end {\"metadata\":{}," NAME "}" NAMED "\n"},
	{"a million levels", "\"z\":", "[", 1000000, "]", NAME_BEHIND, "end {" NAME "}" NAMED "\n"},
	{"a string of 64 MiB", "\"z\":\"", "x", 64 * MIB, "", "\"" NAME_BEHIND,
	 "end {" NAME "}" NAMED "\n"},
	{"64 MiB of escapes", "\"z\":\"", "\\\"", 32 * MIB, "", "\"" NAME_BEHIND,
	 "end {" NAME "}" NAMED "\n"},
	{"a number of 20 MiB", "\"z\":", "1", 20 * MIB, "", NAME_BEHIND,
	 "end {" NAME "}" NAMED "\n"},
	{"a key of 20 MiB", "\"", "x", 20 * MIB, "", "\":1" NAME_BEHIND,
	 "end {" NAME "}" NAMED "\n"},
	{"a million members", "\"z\":{\"a\":1", ",\"a\":1", 1000000, "", "}" NAME_BEHIND,
	 "end {" NAME "}" NAMED "\n"},
	{"a million containers that are left empty", "\"spec\":{\"volumes\":[1", ",{}", 1000000, "",
	 "]}" NAME_BEHIND, "end {\"spec\":{}," NAME "}" NAMED "\n"},

	{"127 levels of labels", "\"kind\":", "[", 127, "]", NAME_BEHIND,
	 "end of 325 bytes" NAMED "\n"},
	{"128 levels of labels", "\"kind\":", "[", 128, "]", NAME_BEHIND,
	 "end {\"kind\":null," NAME "}" NAMED TOO_DEEP},
	{"a million levels of what is kept", "\"kind\":", "[", 1000000, "]", NAME_BEHIND,
	 "end {\"kind\":null," NAME "}" NAMED TOO_DEEP},
	{"20 MiB of what is kept", "\"kind\":\"", "x", 20 * MIB, "", "\"" NAME_BEHIND,
	 "end " NAMED TOO_LARGE},
	{"20 MiB of containers", "\"spec\":{\"containers\":[1", ",[]", 7 * MIB, "",
	 "]}" NAME_BEHIND, "end " NAMED TOO_LARGE},
	{"a name of 20 MiB", "\"metadata\":{\"namespace\":\"s\",\"name\":\"", "x", 20 * MIB, "",
	 "\",\"resourceVersion\":\"5\"}", "end  [ADDED s  5]" TOO_LARGE},
};

#define ORDINARY_OBJECT "{\"metadata\":{\"name\":\"o\",\"resourceVersion\":\"4\"}}"
#define ORDINARY        "{\"type\":\"ADDED\",\"object\":" ORDINARY_OBJECT "}\n"
#define ORDINARY_TOLD   "end " ORDINARY_OBJECT " [ADDED  o 4]\n"

static void others_go_on(void **state)
{
	const struct monster *m = *state;
	struct told told = {0};
	struct json_extract *x = begin(&told, json_keep_objects.event);
	struct err err = {0};
	char expected[1024], *text;

	assert_int_equal(feed(x, ORDINARY, 1), 0);
	assert_int_equal(feed(x, "{\"type\":\"ADDED\",\"object\":{", 1), 0);
	assert_int_equal(feed(x, m->before, 1), 0);
	assert_int_equal(feed(x, m->opening, m->times), 0);
	if (m->closing[0]) {
		assert_int_equal(m->opening[0] == '{' ? feed(x, "1", 1) : 0, 0);
		assert_int_equal(feed(x, m->closing, m->times), 0);
	}
	assert_int_equal(feed(x, m->after, 1), 0);
	assert_int_equal(feed(x, "}}\n", 1), 0);
	assert_int_equal(feed(x, ORDINARY, 1), 0);
	text = end(&told, x, 0, &err);
	(void)snprintf(expected, sizeof(expected), "%s%s%s0 ", ORDINARY_TOLD, m->expected,
		       ORDINARY_TOLD);
	assert_string_equal(text, expected);
	free(text);
}

int main(void)
{
	return RUN_ROWS("extracted", rows, is_extracted) +
	       RUN_ROWS("monsters", monsters, others_go_on);
}
