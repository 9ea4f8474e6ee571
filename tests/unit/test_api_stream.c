/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "source/api_stream.h"

static const struct api_resource pods = {"/api/v1/pods", "pods",   "",    "PodList",
					 "v1",           KIND_POD, false, NULL};
static const struct api_resource policies = {"/apis/networking.k8s.io/v1/networkpolicies",
					     "networkpolicies",
					     "networking.k8s.io",
					     "NetworkPolicyList",
					     "networking.k8s.io/v1",
					     KIND_NETWORK_POLICY,
					     false,
					     NULL};
static const struct api_resource namespaces = {
	"/api/v1/namespaces", "namespaces", "", "NamespaceList", "v1", KIND_NAMESPACE, false, NULL};
static const struct api_resource nodes = {"/api/v1/nodes", "nodes", "",  "NodeList", "v1",
					  KIND_NODE,       false,   NULL};

static const struct api_resource unenforced = {
	.path = "/apis/x.io/v1/xs",
	.plural = "xs",
	.group = "x.io",
	.list_kind = "XNetworkPolicyList",
	.version = "x.io/v1",
	.kind = KIND_UNENFORCED,
	.optional = true,
	.type = "XNetworkPolicy.x.io",
};

struct told {
	struct intern *strings;
	char *text;
	size_t len, n, stop_at;
	FILE *out;
};

static int note(void *ctx, const struct api_item *item)
{
	static const char *const words[] = {
		[API_ITEM_UPSERT] = "upsert", [API_ITEM_DELETE] = "delete",
		[API_ITEM_BROKEN] = "broken", [API_ITEM_BOOKMARK] = "bookmark",
		[API_ITEM_LIST] = "list",     [API_ITEM_ERROR] = "error",
	};
	struct told *told = ctx;
	char name[OBJECT_NAME_MAX];

	fputs(words[item->what], told->out);
	if (item->what == API_ITEM_UPSERT || item->what == API_ITEM_DELETE ||
	    item->what == API_ITEM_BROKEN) {
		fprintf(told->out, " %s", object_name(&item->object, name));
		if (item->object.kind == KIND_NETWORK_POLICY && item->what == API_ITEM_BROKEN)
			fprintf(told->out, " %d%d %zu", item->object.policy->isolates[DIR_INGRESS],
				item->object.policy->isolates[DIR_EGRESS],
				item->object.policy->subject.n);
		object_free(told->strings, item->object);
	}
	if (item->version)
		fprintf(told->out, " v%s", item->version);
	if (item->rest)
		fprintf(told->out, " rest %s", item->rest);
	if (item->initial_end)
		fputs(" initial-end", told->out);
	if (item->reason)
		fprintf(told->out, " (%s)", item->reason);
	if (item->status)
		fprintf(told->out, " %d %s", item->status->code, item->status->text);
	fputc('\n', told->out);
	return ++told->n == told->stop_at ? -EPIPE : 0;
}

/* Everything that came of it, and how it ended, in pieces of `size` after a first of `first`. */
static char *run(enum api_stream_kind kind, const struct api_resource *resource, const char *bytes,
		 size_t len, size_t first, size_t size, size_t stop_at)
{
	struct told told = {.strings = intern_new(), .stop_at = stop_at};
	struct api_stream *stream;
	struct err err = {0};
	int rc = 0;

	told.out = open_memstream(&told.text, &told.len);
	assert_non_null(told.strings);
	assert_non_null(told.out);
	assert_int_equal(api_stream_new(kind, resource, told.strings, note, &told, &stream), 0);
	for (size_t at = 0; at < len && rc == 0;) {
		size_t n = at == 0 && first ? first : size;
		char *piece;

		n = n < len - at ? n : len - at;
		piece = malloc(n); /* so that reading beyond it is seen */
		assert_non_null(piece);
		memcpy(piece, bytes + at, n);
		rc = api_stream_feed(stream, piece, n, &err);
		free(piece);
		at += n;
	}
	if (rc == 0)
		rc = api_stream_finish(stream, &err);
	fprintf(told.out, "end %d %s", rc, err.text);
	api_stream_free(stream);
	assert_int_equal(fclose(told.out), 0);
	assert_int_equal(intern_count(told.strings), 0);
	intern_free(told.strings);
	return told.text;
}

struct row {
	const char *name;
	enum api_stream_kind kind;
	const struct api_resource *resource;
	const char *json, *expected;
};

#define META(name, version)                                                                      \
	"\"metadata\":{\"name\":\"" name "\",\"namespace\":\"a\",\"resourceVersion\":\"" version \
	"\"}"
#define POD(name, version) "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"," META(name, version) "}"
#define POLICY(name, version, spec)                                                  \
	"{\"kind\":\"NetworkPolicy\",\"apiVersion\":\"networking.k8s.io/v1\"," META( \
		name, version) ",\"spec\":" spec "}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"

static const struct row rows[] = {
	{"a list", API_STREAM_LIST, &pods,
	 "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"9\"},"
	 "\"items\":[{" META("p", "5") "},{" META("q", "6") "}]}\n",
	 "upsert a/p v5\nupsert a/q v6\nlist v9\nend 0 "},
	{"a list that says last what it is", API_STREAM_LIST, &policies,
	 "{\"items\":[{" META("p", "5") "}],\"kind\":\"NetworkPolicyList\",\"metadata\":"
					"{\"continue\":\"abc\",\"resourceVersion\":\"9\"}}",
	 "upsert a/p v5\nlist v9 rest abc\nend 0 "},
	{"an empty list", API_STREAM_LIST, &pods,
	 "{\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"\"},\"items\":[]}",
	 "list v9\nend 0 "},
	{"a list without items", API_STREAM_LIST, &pods,
	 "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":null}", "end -22 expected a list"},
	{"a list without a version", API_STREAM_LIST, &pods, "{\"items\":[]}",
	 "end -22 a list without a version"},
	{"half a list", API_STREAM_LIST, &pods, "{\"items\":[{" META("p", "5") "}",
	 "upsert a/p v5\nend -22 not JSON: ends inside an object"},
	{"two lists", API_STREAM_LIST, &pods,
	 "{\"items\":[],\"metadata\":{\"resourceVersion\":\"1\"}}"
	 "{\"items\":[],\"metadata\":{\"resourceVersion\":\"2\"}}",
	 "list v1\nend -22 expected one list, got another behind it"},
	{"nothing where a list should be", API_STREAM_LIST, &pods, "",
	 "end -22 the list has no end"},
	{"a page for people", API_STREAM_LIST, &pods, "<html>",
	 "end -22 not JSON: expected an object"},
	{"a watch where a list should be", API_STREAM_LIST, &pods, EVENT("ADDED", POD("p", "1")),
	 "end -22 expected a list"},

	{"a watch", API_STREAM_WATCH, &pods,
	 EVENT("ADDED", POD("p", "1")) EVENT("MODIFIED", POD("p", "2")) EVENT("DELETED",
									      POD("p", "3"))
		 EVENT("BOOKMARK", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"4\"}}"),
	 "upsert a/p v1\nupsert a/p v2\ndelete a/p v3\nbookmark v4\nend 0 "},
	{"the end of what was there", API_STREAM_WATCH, &pods,
	 EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"4\",\"annotations\":"
			   "{\"k8s.io/initial-events-end\":\"true\"}}}"),
	 "bookmark v4 initial-end\nend 0 "},
	{"an error", API_STREAM_WATCH, &pods,
	 EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410,\"message\":\"too old\"}"),
	 "error 410 too old\nend 0 "},
	{"members in another order, with space", API_STREAM_WATCH, &pods,
	 "{ \"object\" : " POD("p", "1") " ,\n \"type\" : \"ADDED\" }", "upsert a/p v1\nend 0 "},
	{"a kind that is not enforced", API_STREAM_WATCH, &unenforced,
	 EVENT("ADDED", "{\"metadata\":{\"name\":\"one\",\"resourceVersion\":\"5\"},"
			"\"spec\":{\"tier\":\"Tomorrow\",\"x\":\"\\u0000\"}}")
		 EVENT("DELETED", POD("p", "6")),
	 "upsert one v5\ndelete a/p v6\nend 0 "},
	{"a list of what is not enforced", API_STREAM_LIST, &unenforced,
	 "{\"items\":[{" META("p", "5") ",\"spec\":7}],\"metadata\":{\"resourceVersion\":\"9\"}}",
	 "upsert a/p v5\nlist v9\nend 0 "},
	{"what is not enforced and has no name", API_STREAM_WATCH, &unenforced,
	 EVENT("ADDED", "{\"metadata\":{\"resourceVersion\":\"5\"}}"),
	 "end -22 an object without a name"},
	{"a deleted object without a name", API_STREAM_WATCH, &pods,
	 EVENT("DELETED", "{\"metadata\":{\"resourceVersion\":\"5\"}}"),
	 "end -22 an object without a name"},
	{"a deleted object need not be understood", API_STREAM_WATCH, &pods,
	 EVENT("DELETED", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"," META(
				  "p", "3") ",\"status\":{\"podIP\":\"x\"}}"),
	 "delete a/p v3\nend 0 "},
	{"an object that cannot be understood", API_STREAM_WATCH, &pods,
	 EVENT("ADDED", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"," META(
				"p", "3") ",\"status\":{\"podIP\":\"x\",\"phase\":\"?\"}}")
		 EVENT("ADDED", POD("q", "4")),
	 "broken a/p v3 (status.phase: \"?\": expected Pending, Running, Succeeded, Failed or "
	 "Unknown (and 1 more))\nupsert a/q v4\nend 0 "},
	{"a policy of tomorrow closes what it selects", API_STREAM_WATCH, &policies,
	 EVENT("ADDED", POLICY("p", "3",
			       "{\"podSelector\":{\"matchLabels\":{\"a\":\"b\"}},"
			       "\"policyTypes\":[\"Egress\"],\"tomorrow\":{}}")),
	 "broken a/p 01 1 v3 (spec.tomorrow: unknown field*"},
	{"of which not even the selector can be read: its namespace", API_STREAM_WATCH, &policies,
	 EVENT("ADDED", POLICY("p", "3",
			       "{\"podSelector\":{\"matchExpressions\":[{\"key\":\"a\","
			       "\"operator\":\"Near\"}]},\"policyTypes\":[\"Sideways\"]}")),
	 "broken a/p 11 0 v3 (*"},
	{"of which nothing can be read but its name", API_STREAM_WATCH, &policies,
	 EVENT("ADDED", "{\"kind\":\"NetworkPolicy\",\"apiVersion\":\"networking.k8s.io/v1\"," META(
				"p", "3") ",\"spec\":{\"a\":\"\xff\"}}") EVENT("BOOKMARK", "{}"),
	 "broken a/p 11 0 v3 (not JSON: unable to decode byte 0xff)\nbookmark\nend 0 "},
	{"NUL characters are the owner's business", API_STREAM_WATCH, &policies,
	 EVENT("ADDED", "{\"kind\":\"NetworkPolicy\",\"apiVersion\":\"networking.k8s.io/v1\","
			"\"metadata\":{\"name\":\"p\",\"namespace\":\"a\",\"annotations\":"
			"{\"x\":\"a\\u0000b\"}},\"spec\":{\"podSelector\":{}}}"),
	 "upsert a/p\nend 0 "},
	{"an object without a name", API_STREAM_WATCH, &pods,
	 EVENT("ADDED", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{}}")
		 EVENT("ADDED", POD("q", "4")),
	 "end -22 an object without a name: metadata.name: expected a name"},
	{"an object of another kind", API_STREAM_WATCH, &pods,
	 EVENT("ADDED", "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n\"}}"),
	 "broken (no namespace)/n (expected Pod, got another kind of object)\nend 0 "},
	{"a type that nobody knows", API_STREAM_WATCH, &pods, EVENT("RENAMED", POD("p", "1")),
	 "end -22 expected a watch event, got one of another type"},
	{"no event", API_STREAM_WATCH, &pods, "{\"kind\":\"Status\"}",
	 "end -22 expected a watch event"},
	{"a list where a watch should be", API_STREAM_WATCH, &pods,
	 "{\"kind\":\"PodList\",\"items\":[{}]}", "end -22 expected a watch event"},
	{"half an event", API_STREAM_WATCH, &pods, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Po",
	 "end -22 not JSON: ends inside a string"},
	{"nothing, which is no error", API_STREAM_WATCH, &pods, "", "end 0 "},
};

static void check(const char *text, const char *expected)
{
	size_t len = strlen(expected);

	if (len > 0 && expected[len - 1] == '*')
		assert_memory_equal(text, expected, len - 1);
	else
		assert_string_equal(text, expected);
}

static void is_told(void **state)
{
	const struct row *row = *state;
	char *text = run(row->kind, row->resource, row->json, strlen(row->json), 0, 1 << 20, 0);

	check(text, row->expected);
	free(text);
}

/* The same bytes, cut anywhere once, and cut everywhere. */
static void cuts_do_not_matter(void **state)
{
	const struct row *row = *state;
	size_t len = strlen(row->json);

	for (size_t at = 0; at < len; at++) {
		char *text = run(row->kind, row->resource, row->json, len, at, at ? len : 1, 0);

		check(text, row->expected);
		free(text);
	}
}

static void what_the_handler_returns_ends_the_stream(void **state)
{
	static const char json[] = EVENT("ADDED", POD("p", "1")) EVENT("ADDED", POD("q", "2"));
	char *text = run(API_STREAM_WATCH, &pods, json, sizeof(json) - 1, 0, 1 << 20, 1);

	(void)state;
	assert_string_equal(text, "upsert a/p v1\nend -32 ");
	free(text);
}

static void an_api_servers_annotations_name_no_interface(void **state)
{
	static const char json[] = EVENT(
		"ADDED", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p\","
			 "\"annotations\":{\"netpold.io/interface\":\"not/a name\"}}}");
	char *text = run(API_STREAM_WATCH, &pods, json, sizeof(json) - 1, 0, 1 << 20, 0);

	(void)state;
	assert_string_equal(text, "upsert default/p\nend 0 "); /* it was not even looked at */
	free(text);
}

/* What a real API server said. */

struct capture {
	const char *name, *file;
	enum api_stream_kind kind;
	const struct api_resource *resource;
	const char *expected; /* the end of what is told */
};

static const struct capture captures[] = {
	{"a list of pods", "pods-list", API_STREAM_LIST, &pods,
	 "upsert shop/db-0 v4311\nlist v4313\nend 0 "},
	{"the first page", "pods-list-page1", API_STREAM_LIST, &pods, "end 0 "},
	{"the second page", "pods-list-page2", API_STREAM_LIST, &pods, "end 0 "},
	{"a list of policies", "networkpolicies-list", API_STREAM_LIST, &policies, "end 0 "},
	{"a list of namespaces", "namespaces-list", API_STREAM_LIST, &namespaces, "end 0 "},
	{"a watch of pods", "pods-watch", API_STREAM_WATCH, &pods, "end 0 "},
	{"a streaming list", "pods-watchlist", API_STREAM_WATCH, &pods,
	 "upsert shop/db-0 v4311\nbookmark v4315 initial-end\nend 0 "},
	{"an expired watch", "watch-expired", API_STREAM_WATCH, &pods,
	 "error 410 too old resource version: 5 (4346)\nend 0 "},
	{"pods of a real node", "pods-live", API_STREAM_LIST, &pods, "end 0 "},
	{"namespaces of a real cluster", "namespaces-live", API_STREAM_LIST, &namespaces, "end 0 "},
	{"a real node", "nodes-live", API_STREAM_LIST, &nodes,
	 "upsert node1 v845\nlist v1025\nend 0 "},
	{"a streaming list of a real node", "pods-live-watchlist", API_STREAM_WATCH, &pods,
	 " initial-end\nend 0 "},
	{"pods that come, end and go", "pod-lifecycle-watch", API_STREAM_WATCH, &pods, "end 0 "},
	{"no such resource", "crd-absent-list", API_STREAM_LIST, &pods,
	 "end -22 not JSON: expected an object"},
};

static char *read_capture(const char *file, size_t *ret_len)
{
	const char *top = getenv("top_srcdir");
	char path[4096], *bytes = malloc(1 << 20);
	FILE *in;

	assert_non_null(bytes);
	(void)snprintf(path, sizeof(path), "%s/../shared/wire/%s.body", top ? top : ".", file);
	in = fopen(path, "re");
	if (!in) {
		print_message("    %s is not there: nothing is replayed\n", path);
		free(bytes);
		return NULL;
	}
	*ret_len = fread(bytes, 1, 1 << 20, in);
	(void)fclose(in); /* only read */
	return bytes;
}

static void is_replayed(void **state)
{
	const struct capture *capture = *state;
	size_t len, end = strlen(capture->expected);
	char *bytes = read_capture(capture->file, &len), *whole, *pieces;

	if (!bytes)
		return;
	whole = run(capture->kind, capture->resource, bytes, len, 0, 1 << 20, 0);
	assert_true(strlen(whole) >= end);
	assert_string_equal(whole + strlen(whole) - end, capture->expected);
	assert_null(strstr(whole, "broken"));
	for (size_t size = 1; size < 2000; size = size * 3 + 1) {
		pieces = run(capture->kind, capture->resource, bytes, len, 0, size, 0);
		assert_string_equal(pieces, whole);
		free(pieces);
	}
	free(whole);
	free(bytes);
}

struct status_capture {
	const char *name, *file;
	int code;
	unsigned retry_after_s;
	bool too_large;
	const char *text; /* how it begins */
};

static const struct status_capture status_captures[] = {
	{"unauthorized", "unauthorized", 401, 0, false, "Unauthorized"},
	{"forbidden", "forbidden", 403, 0, false,
	 "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\""},
	{"an expired list", "continue-expired", 410, 0, false,
	 "The provided continue parameter is too old"},
	{"a version from the future", "rv-too-large", 504, 1, true,
	 "Timeout: Too large resource version"},
	{"an invalid policy", "invalid-policy", 422, 0, false,
	 "NetworkPolicy.networking.k8s.io \"bad\" is invalid"},
	{"no such resource", "crd-absent-list", 0, 0, false, "404 page not found"},
};

static void is_a_status(void **state)
{
	const struct status_capture *capture = *state;
	struct api_status status;
	size_t len;
	char *bytes = read_capture(capture->file, &len);

	if (!bytes)
		return;
	api_status_parse(bytes, len, &status);
	assert_int_equal(status.code, capture->code);
	assert_int_equal(status.retry_after_s, capture->retry_after_s);
	assert_int_equal(status.version_too_large, capture->too_large);
	assert_memory_equal(status.text, capture->text, strlen(capture->text));
	free(bytes);
}

static void a_status_is_one_line_for_any_terminal(void **state)
{
	static const char html[] = "\n\n <b>\x1b[31mno\tgo\xc3\xa4\r\nmore";
	static const char wrong[] = "{\"kind\":\"Status\",\"code\":\"x\",\"message\":[],"
				    "\"details\":{\"retryAfterSeconds\":99999999999}}";
	struct api_status status;
	char long_text[2000];

	(void)state;
	api_status_parse(html, sizeof(html) - 1, &status);
	assert_string_equal(status.text, "<b>?[31mno\tgo??");
	api_status_parse(wrong, sizeof(wrong) - 1, &status);
	assert_string_equal(status.text, "");
	assert_int_equal(status.code, 0);
	assert_int_equal(status.retry_after_s, 86400);
	memset(long_text, 'x', sizeof(long_text));
	api_status_parse(long_text, sizeof(long_text), &status);
	assert_int_equal(strlen(status.text), API_STATUS_TEXT_MAX - 1);
	api_status_parse("", 0, &status);
	assert_string_equal(status.text, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_handler_returns_ends_the_stream),
		cmocka_unit_test(an_api_servers_annotations_name_no_interface),
		cmocka_unit_test(a_status_is_one_line_for_any_terminal),
	};
	int failed = RUN_ROWS("answers", rows, is_told);

	failed += RUN_ROWS("cut", rows, cuts_do_not_matter);
	failed += RUN_ROWS("replayed", captures, is_replayed);
	failed += RUN_ROWS("statuses", status_captures, is_a_status);
	failed += cmocka_run_group_tests_name("streams", tests, NULL, NULL);
	return failed;
}
