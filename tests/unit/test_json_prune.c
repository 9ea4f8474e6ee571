/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "source/json_prune.h"

/* In a buffer of exactly its length: behind it is a page that nobody may read. */
static char *prune(const char *json, const char *list_kind)
{
	size_t len = strlen(json), page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (len + page - 1) / page * page;
	char *pages =
		mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *bytes, *text;

	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages + size, page, PROT_NONE), 0);
	bytes = pages + size - len;
	memcpy(bytes, json, len);
	len = json_prune(bytes, len, list_kind);
	assert_true(len <= strlen(json));
	text = strndup(bytes, len);
	assert_non_null(text);
	assert_int_equal(munmap(pages, size + page), 0);
	return text;
}

struct row {
	const char *name;
	const char *json, *list_kind;
	const char *pruned; /* NULL: as it was */
};

static const struct row rows[] = {
	{"a pod keeps what policy reads",
	 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\","
	 "\"labels\":{\"x\":\"y\"},\"uid\":\"u\",\"annotations\":{\"netpold.io/interface\":\"v\"}},"
	 "\"spec\":{\"nodeName\":\"n\",\"hostNetwork\":true,\"containers\":[{\"ports\":[{}]}],"
	 "\"initContainers\":[{\"restartPolicy\":\"Always\"}]},\"status\":{\"phase\":\"Running\","
	 "\"podIP\":\"10.0.0.1\",\"podIPs\":[],\"hostIP\":\"\",\"hostIPs\":[]}}",
	 NULL, NULL},
	{"what policy does not read goes",
	 "{\"kind\":\"Pod\",\"metadata\":{\"managedFields\":[{\"a\":1}],\"name\":\"a\"},"
	 "\"spec\":{\"volumes\":[1,2]},\"other\":\"z\"}",
	 NULL, "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"spec\":{}}"},
	{"lines stay",
	 "{\"kind\":\"Pod\"\n,\"x\":[\n1\n]\n,\"metadata\":{\"y\":1,\n\"name\":\"a\"}}", NULL,
	 "{\"kind\":\"Pod\"\n\n\n\n,\"metadata\":{\n\"name\":\"a\"}}"},
	{"a list is pruned element by element",
	 "{\"kind\":\"Pod\",\"spec\":{\"containers\":[{\"image\":\"i\",\"ports\":[{\"name\":\"p\"}]"
	 "},"
	 "{\"env\":[]},null,3]}}",
	 NULL,
	 "{\"kind\":\"Pod\",\"spec\":{\"containers\":[{\"ports\":[{\"name\":\"p\"}]},{},null,3]}}"},
	{"a workload's template is a pod",
	 "{\"kind\":\"Deployment\",\"spec\":{\"selector\":{},\"template\":{\"metadata\":{"
	 "\"labels\":{"
	 "}},\"spec\":{\"volumes\":[],\"containers\":[{\"image\":\"\"}]}}}}",
	 NULL,
	 "{\"kind\":\"Deployment\",\"spec\":{\"template\":{\"metadata\":{\"labels\":{}},\"spec\":{"
	 "\"containers\":[{}]}}}}"},
	{"a policy is left whole", "{\"kind\":\"NetworkPolicy\",\"x\":1,\"metadata\":{\"y\":2}}",
	 NULL, NULL},
	{"a kind that nobody knows is left whole", "{\"kind\":\"Podd\",\"x\":1}", NULL, NULL},
	{"no kind is left whole", "{\"x\":1}", NULL, NULL},
	{"a kind that is no text is left whole", "{\"kind\":{\"kind\":\"Pod\"},\"x\":1}", NULL,
	 NULL},
	{"an item without a kind is of its list's", "{\"x\":1,\"metadata\":{}}", "PodList",
	 "{\"metadata\":{}}"},
	{"an item's own kind comes first", "{\"x\":1,\"kind\":\"NetworkPolicy\"}", "PodList", NULL},
	{"a list of no kind", "{\"x\":1}", "List", NULL},
	{"what is no object is left whole", "[1]", "PodList", NULL},
	{"a key inside text is no key", "{\"kind\":\"Pod\",\"x\":\"\\\"metadata\\\":\"}", NULL,
	 "{\"kind\":\"Pod\"}"},

	{"what ends behind a comma is not read beyond its end", "{\"kind\":\"Pod\",", NULL, NULL},
	{"what ends within a member is not read beyond its end", "{\"kind\":\"Pod\",\"x\":", NULL,
	 "{\"kind\":\"Pod\"\"x\":"},

	{"bad UTF-8 in what would go stays", "{\"kind\":\"Pod\",\"x\":\"\xff\"}", NULL, NULL},
	{"a surrogate in what would go stays", "{\"kind\":\"Pod\",\"x\":\"\xed\xa0\x80\"}", NULL,
	 NULL},
	{"UTF-8 beyond Unicode in what would go stays",
	 "{\"kind\":\"Pod\",\"x\":\"\xf4\x90\x80\x80\"}", NULL, NULL},
};

static void is_pruned(void **state)
{
	const struct row *row = *state;
	char *pruned = prune(row->json, row->list_kind);

	assert_string_equal(pruned, row->pruned ? row->pruned : row->json);
	free(pruned);
}

/* What jansson refuses before pruning it refuses after. */
struct bad_row {
	const char *name;
	const char *json;
};

static const struct bad_row bad[] = {
	{"a comma behind the last member", "{\"kind\":\"Pod\",\"x\":1,}"},
	{"a comma behind the last kept member", "{\"kind\":\"Pod\",\"metadata\":{},}"},
	{"two commas", "{\"kind\":\"Pod\",,\"x\":1}"},
	{"no comma", "{\"kind\":\"Pod\" \"x\":1}"},
	{"no colon", "{\"kind\":\"Pod\",\"x\" 1}"},
	{"no value", "{\"kind\":\"Pod\",\"x\":}"},
	{"a key without quotes", "{\"kind\":\"Pod\",x:1}"},
	{"something behind the object", "{\"kind\":\"Pod\",\"metadata\":{}}x"},
	{"an object that does not end", "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\""},
	{"a comma at the end of what goes", "{\"kind\":\"Pod\",\"x\":[1,]}"},
	{"no comma in what goes", "{\"kind\":\"Pod\",\"x\":[1 2]}"},
	{"no colon in what goes", "{\"kind\":\"Pod\",\"x\":{\"a\" 1}}"},
	{"a word that is none in what goes", "{\"kind\":\"Pod\",\"x\":tru}"},
	{"a number that is none in what goes", "{\"kind\":\"Pod\",\"x\":01}"},
	{"a bad escape in what goes", "{\"kind\":\"Pod\",\"x\":\"\\q\"}"},
	{"a control character in what goes", "{\"kind\":\"Pod\",\"x\":\"\001\"}"},
	{"a line break inside text that goes", "{\"kind\":\"Pod\",\"x\":\"a\nb\"}"},
	{"a key that stays stands twice", "{\"kind\":\"Pod\",\"metadata\":{},\"metadata\":{}}"},
	{"a kind that stands twice", "{\"kind\":\"Pod\",\"spec\":{},\"kind\":\"NetworkPolicy\"}"},
	{"bad UTF-8 in a key that goes", "{\"kind\":\"Pod\",\"\xc3\":1}"},
};

static bool is_json(const char *json)
{
	json_error_t error;
	json_t *tree = json_loads(json, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

	json_decref(tree);
	return tree != NULL;
}

static void stays_bad(void **state)
{
	const struct bad_row *row = *state;
	char *pruned = prune(row->json, NULL);

	assert_false(is_json(row->json));
	if (is_json(pruned))
		fail_msg("what is left can be read: %s", pruned);
	free(pruned);
}

/* Is `part` what is left of `whole` when members are taken out of objects? */
static bool is_remainder(const json_t *part, const json_t *whole)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(part) && json_is_object(whole)) {
		json_object_foreach ((json_t *)(uintptr_t)part, key, value) {
			if (!is_remainder(value, json_object_get(whole, key)))
				return false;
		}
		return true;
	}
	if (json_is_array(part) && json_is_array(whole)) {
		if (json_array_size(part) != json_array_size(whole))
			return false;
		json_array_foreach ((json_t *)(uintptr_t)part, i, value) {
			if (!is_remainder(value, json_array_get(whole, i)))
				return false;
		}
		return true;
	}
	return json_equal(part, whole);
}

/* A random object with the keys that count, and others. */
static json_t *random_tree(struct unit_random *random, unsigned depth)
{
	static const char *const keys[] = {
		"kind",       "metadata",    "name",
		"labels",     "spec",        "template",
		"containers", "ports",       "status",
		"podIP",      "annotations", "netpold.io/interface",
		"x",          "y",           "zz",
		"k\xc3\xa9y", "hostNetwork", "jobTemplate",
		"",           "a\"b",
	};
	static const char *const words[] = {"Pod", "", "\n", "a\"}]", "\\", "\xf0\x9f\x98\x80"};
	uint32_t form = unit_random(random, depth > 4 ? 3 : 6);
	json_t *tree;

	switch (form) {
	case 0:
		return json_string(words[unit_random(random, ARRAY_LEN(words))]);
	case 1:
		return json_integer(unit_random(random, 100));
	case 2:
		return unit_random(random, 2) ? json_null() : json_true();
	case 3:
		tree = json_array();
		for (uint32_t n = unit_random(random, 4); n > 0; n--)
			json_array_append_new(tree, random_tree(random, depth + 1));
		return tree;
	default:
		tree = json_object();
		for (uint32_t n = unit_random(random, 6); n > 0; n--)
			json_object_set_new(tree, keys[unit_random(random, ARRAY_LEN(keys))],
					    random_tree(random, depth + 1));
		return tree;
	}
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void what_is_left_is_the_whole_without_members(void **state)
{
	struct unit_random random = unit_random_start("json_prune");

	(void)state;
	for (int i = 0; i < 5000; i++) {
		json_t *tree = json_object(), *left;
		char *json, *pruned;
		size_t flags = (size_t[]){JSON_COMPACT, JSON_INDENT(2), 0}[unit_random(&random, 3)];

		json_object_set_new(tree, "spec", random_tree(&random, 0));
		json_object_set_new(tree, "metadata", random_tree(&random, 0));
		json_object_set_new(tree, "x", random_tree(&random, 0));
		if (unit_random(&random, 2))
			json_object_set_new(tree, "kind", json_string("Pod"));
		json = json_dumps(tree, flags);
		pruned = prune(json, "PodList");
		left = json_loads(pruned, JSON_REJECT_DUPLICATES, NULL);
		if (!left)
			fail_msg("no JSON is left:\n%s\nof:\n%s", pruned, json);
		if (!is_remainder(left, tree))
			fail_msg("not a remainder:\n%s\nof:\n%s", pruned, json);
		assert_int_equal(count_lines(pruned), count_lines(json));
		free(json);
		free(pruned);
		json_decref(left);
		json_decref(tree);
	}
}

/* Escapes are the same key to whoever reads JSON. */
static void a_key_with_escapes_is_the_key(void **state)
{
	static const struct {
		const char *json, *key;
	} cases[] = {
		{"{\"kind\":\"Pod\",\"sp\\u0065c\":{\"hostNetwork\":true}}", "spec"},
		{"{\"kind\":\"Pod\",\"\\u006detadata\":{\"name\":\"a\"}}", "metadata"},
		{"{\"k\\u0069nd\":\"NetworkPolicy\",\"x\":1}", "x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *pruned = prune(cases[i].json, "PodList");
		json_t *tree = json_loads(pruned, 0, NULL);

		assert_non_null(tree);
		if (!json_object_get(tree, cases[i].key))
			fail_msg("%s is lost: %s", cases[i].key, pruned);
		json_decref(tree);
		free(pruned);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_is_the_whole_without_members),
		cmocka_unit_test(a_key_with_escapes_is_the_key),
	};
	int failed = RUN_ROWS("pruned", rows, is_pruned);

	failed += RUN_ROWS("bad JSON", bad, stays_bad);
	failed += cmocka_run_group_tests_name("prune", tests, NULL, NULL);
	return failed;
}
