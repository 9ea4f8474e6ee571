/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a container runtime may send to the CNI plugin, and what it is told where that is wrong. */
#include "unit.h"

#include "../../src/plugin/request.h"

#define CONFIG "{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"type\":\"netpold-cni\""
#define RESULT ",\"prevResult\":{\"cniVersion\":\"1.0.0\"}"
#define ARGS   "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1;K8S_POD_UID=u-1"

static const struct plugin_environment add = {"ADD", "c1", "eth0", ARGS};

static int parse(struct plugin_request *r, const struct plugin_environment *env, const char *text,
		 struct plugin_error *error)
{
	*error = (struct plugin_error){0};
	return plugin_request_parse(r, env, text, strlen(text), error);
}

struct row {
	const char *name, *text;
	struct plugin_environment env;
	int code;         /* enum plugin_code */
	const char *says; /* part of the message */
};

static const struct row rejected[] = {
	{"no command", CONFIG RESULT "}", {NULL, "c", "eth0", ""}, 4, "CNI_COMMAND=: expected ADD"},
	{"an unknown command", CONFIG RESULT "}", {"add", "c", "eth0", ""}, 4, "CNI_COMMAND=add"},
	{"no container", CONFIG RESULT "}", {"ADD", NULL, "eth0", ""}, 4, "CNI_CONTAINERID=: "},
	{"a container that is a path",
	 CONFIG RESULT "}",
	 {"DEL", "../x", "eth0", ""},
	 4,
	 "CNI_CONTAINERID=../x"},
	{"no interface", CONFIG RESULT "}", {"ADD", "c", NULL, ""}, 4, "CNI_IFNAME=: "},
	{"an interface that is a path",
	 CONFIG RESULT "}",
	 {"ADD", "c", "a/b", ""},
	 4,
	 "CNI_IFNAME=a/b"},
	{"an interface that is too long",
	 CONFIG RESULT "}",
	 {"ADD", "c", "0123456789abcdef", ""},
	 4,
	 "CNI_IFNAME=0123456789abcdef"},
	{"an interface that is no UTF-8",
	 CONFIG RESULT "}",
	 {"ADD", "c", "eth\xff", ""},
	 4,
	 "CNI_IFNAME=eth\xff"},
	{"a pod without a namespace",
	 CONFIG RESULT "}",
	 {"ADD", "c", "eth0", "K8S_POD_NAME=x"},
	 4,
	 "CNI_ARGS=K8S_POD_NAME=x"},
	{"a pod that is a query",
	 CONFIG RESULT "}",
	 {"ADD", "c", "eth0", "K8S_POD_NAMESPACE=a&b;K8S_POD_NAME=x"},
	 4,
	 "CNI_ARGS=K8S_POD_NAMESPACE=a&b"},
	{"no JSON", "{", {"ADD", "c", "eth0", ""}, 6, "the network configuration: "},
	{"a list", "[]", {"ADD", "c", "eth0", ""}, 6, "expected an object"},
	{"no version",
	 "{\"name\":\"n\"}",
	 {"ADD", "c", "eth0", ""},
	 1,
	 "cniVersion \"\": expected 0.3.1"},
	{"a version of tomorrow",
	 "{\"cniVersion\":\"2.0.0\"}",
	 {"ADD", "c", "eth0", ""},
	 1,
	 "cniVersion \"2.0.0\""},
	{"a version without this command",
	 CONFIG "}",
	 {"GC", NULL, NULL, NULL},
	 1,
	 "for GC at least 1.1.0"},
	{"CHECK of 0.3.1",
	 "{\"cniVersion\":\"0.3.1\",\"name\":\"n\"}",
	 {"CHECK", "c", "eth0", ""},
	 1,
	 "for CHECK at least 0.4.0"},
	{"no name", "{\"cniVersion\":\"1.0.0\"}", {"ADD", "c", "eth0", ""}, 7, "name: expected"},
	{"a name that is a path",
	 "{\"cniVersion\":\"1.0.0\",\"name\":\"../n\"}",
	 {"DEL", "c", "eth0", ""},
	 7,
	 "name: expected"},
	{"nothing before it", CONFIG "}", {"ADD", "c", "eth0", ""}, 7, "prevResult is missing"},
	{"a result that is none",
	 CONFIG ",\"prevResult\":1}",
	 {"ADD", "c", "eth0", ""},
	 7,
	 "prevResult: expected an object"},
	{"a relative socket",
	 CONFIG RESULT ",\"socket\":\"x\"}",
	 {"ADD", "c", "eth0", ""},
	 7,
	 "socket: expected a path"},
	{"a directory that is a number",
	 CONFIG RESULT ",\"resultsDir\":7}",
	 {"ADD", "c", "eth0", ""},
	 7,
	 "resultsDir: expected a path"},
	{"no time",
	 CONFIG RESULT ",\"timeout\":0}",
	 {"ADD", "c", "eth0", ""},
	 7,
	 "timeout: expected seconds"},
	{"all the time",
	 CONFIG RESULT ",\"timeout\":601}",
	 {"ADD", "c", "eth0", ""},
	 7,
	 "1 to 600"},
};

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rejected) / sizeof(rejected[0]); i++) {
		struct plugin_request r;
		struct plugin_error error;
		int rc = parse(&r, &rejected[i].env, rejected[i].text, &error);

		if (rc != -EINVAL || (int)error.code != rejected[i].code ||
		    !strstr(error.text, rejected[i].says))
			fail_msg("%s: %d, code %d, %s", rejected[i].name, rc, (int)error.code,
				 error.text);
		plugin_request_done(&r);
	}
}

static void a_pod_is_understood(void **state)
{
	struct plugin_request r;
	struct plugin_error error;

	(void)state;
	assert_int_equal(parse(&r, &add, CONFIG RESULT ",\"socket\":\"/s\",\"timeout\":7}", &error),
			 0);
	assert_int_equal(r.command, PLUGIN_ADD);
	assert_string_equal(r.ns, "shop");
	assert_string_equal(r.pod, "web-1");
	assert_string_equal(r.uid, "u-1");
	assert_string_equal(r.container, "c1");
	assert_string_equal(r.socket, "/s");
	assert_string_equal(r.results_dir, "/run/netpold-cni");
	assert_int_equal(r.timeout_s, 7);
	assert_non_null(r.result);
	plugin_request_done(&r);
}

/* podman and the like: no pod of Kubernetes, and nothing wrong with that. */
static void a_container_need_not_be_a_pod(void **state)
{
	struct plugin_environment env = {"ADD", "c1", "eth0", NULL};
	struct plugin_request r;
	struct plugin_error error;

	(void)state;
	assert_int_equal(parse(&r, &env, CONFIG RESULT "}", &error), 0);
	assert_string_equal(r.ns, "");
	plugin_request_done(&r);
}

static void the_last_of_two_arguments_counts(void **state)
{
	struct plugin_environment env = {
		"DEL", "c1", "eth0",
		"K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;K8S_POD_NAMESPACE=c;;K8S_POD_NAMESPACES=d"};
	struct plugin_request r;
	struct plugin_error error;

	(void)state;
	assert_int_equal(parse(&r, &env, CONFIG "}", &error), 0);
	assert_string_equal(r.ns, "c");
	plugin_request_done(&r);
}

static void a_version_is_told_whatever_comes(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "{\"cniVersion\":\"9\"}"};
	struct plugin_environment env = {"VERSION", NULL, NULL, NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct plugin_request r;
		struct plugin_error error;

		assert_int_equal(parse(&r, &env, texts[i], &error), 0);
		plugin_request_done(&r);
	}
}

static void too_much_is_not_read(void **state)
{
	static char text[PLUGIN_INPUT_MAX + 2];
	struct plugin_request r;
	struct plugin_error error = {0};

	(void)state;
	memset(text, ' ', sizeof(text));
	assert_int_equal(plugin_request_parse(&r, &add, text, PLUGIN_INPUT_MAX + 1, &error),
			 -EINVAL);
	assert_int_equal(error.code, PLUGIN_DECODE);
	plugin_request_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(a_pod_is_understood),
		cmocka_unit_test(a_container_need_not_be_a_pod),
		cmocka_unit_test(the_last_of_two_arguments_counts),
		cmocka_unit_test(a_version_is_told_whatever_comes),
		cmocka_unit_test(too_much_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
