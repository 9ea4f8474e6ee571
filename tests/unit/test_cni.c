/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of libcni's cache, as plugins of many makers leave them. */
#include "unit.h"

#include <dirent.h>

#include "cni_config.h"
#include "node.h"

#define PTP                                                                                     \
	"{\"cniVersion\":\"0.4.0\",\"dns\":{},\"interfaces\":["                                 \
	"{\"mac\":\"1a:98:4f:52:59:de\",\"name\":\"veth6208a520\"},"                            \
	"{\"mac\":\"b6:d0:63:5e:c4:39\",\"name\":\"eth0\",\"sandbox\":\"/var/run/netns/x\"}],"  \
	"\"ips\":[{\"address\":\"10.244.0.133/24\",\"gateway\":\"10.244.0.1\",\"interface\":1," \
	"\"version\":\"4\"}]}"

struct result_row {
	const char *name;
	const char *result; /* its member "result" */
	const char *shown;  /* from the links on; NULL: refused */
};

static const struct result_row results[] = {
	{"a routed pod", PTP, "links veth6208a520, addrs 10.244.0.133, mac b6:d0:63:5e:c4:39"},
	{"a bridged pod has two interfaces on the host",
	 "{\"cniVersion\":\"0.4.0\",\"interfaces\":[{\"mac\":\"26:75:b7:a3:4f:f4\",\"name\":"
	 "\"cni0\"},"
	 "{\"mac\":\"2a:22:d0:73:d1:9d\",\"name\":\"veth5c7cc39b\"},{\"mac\":\"72:38:3b:5f:05:ab\","
	 "\"name\":\"eth0\",\"sandbox\":\"/x\"}],\"ips\":[{\"address\":\"10.244.0.131/24\","
	 "\"interface\":2,\"version\":\"4\"}]}",
	 "links cni0 veth5c7cc39b, addrs 10.244.0.131, mac 72:38:3b:5f:05:ab"},
	{"version 1.1, without a version of each address, of both families",
	 "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"veth1\",\"mtu\":1500},{\"name\":"
	 "\"eth0\","
	 "\"sandbox\":\"/x\",\"mac\":\"02:00:00:00:00:01\",\"mtu\":1500,\"pciID\":\"\"}],\"ips\":["
	 "{\"interface\":1,\"address\":\"10.0.0.5/24\"},{\"interface\":1,\"address\":"
	 "\"fd00::5/64\",\"gateway\":\"fd00::1\"}]}",
	 "links veth1, addrs 10.0.0.5 fd00::5, mac 02:00:00:00:00:01"},
	{"an address with its own length stays what it is",
	 "{\"ips\":[{\"address\":\"10.1.2.3/16\"}]}", "links, addrs 10.1.2.3"},
	{"only the host's interface is named, and addresses point nowhere",
	 "{\"cniVersion\":\"0.3.1\",\"interfaces\":[{\"name\":\"cali6208a520123\"}],\"ips\":["
	 "{\"version\":\"4\",\"address\":\"10.65.0.2/32\"}]}",
	 "links cali6208a520123, addrs 10.65.0.2"},
	{"no interfaces at all", "{\"ips\":[{\"version\":\"4\",\"address\":\"10.65.0.2/32\"}]}",
	 "links, addrs 10.65.0.2"},
	{"an address that points to the host's interface is the pod's",
	 "{\"interfaces\":[{\"name\":\"veth1\"}],\"ips\":[{\"interface\":0,\"address\":"
	 "\"10.65.0.2/32\"}]}",
	 "links veth1, addrs 10.65.0.2"},
	{"an address on another interface of the pod is not of this network",
	 "{\"interfaces\":[{\"name\":\"eni1\"},{\"name\":\"eth0\",\"sandbox\":\"/"
	 "x\"},{\"name\":\"eni2\"},"
	 "{\"name\":\"mNicIf1\",\"sandbox\":\"/x\"},{\"name\":\"dummy1\",\"mac\":\"0\",\"sandbox\":"
	 "\"0\"}],\"ips\":[{\"interface\":1,\"address\":\"10.0.0.5/"
	 "32\"},{\"interface\":3,\"address\":"
	 "\"10.0.0.6/32\"}]}",
	 "links eni1 eni2, addrs 10.0.0.5"},
	{"an index beyond the interfaces, a negative one and null",
	 "{\"interfaces\":[],\"ips\":[{\"interface\":7,\"address\":\"10.0.0.5/"
	 "32\"},{\"interface\":-1,"
	 "\"address\":\"10.0.0.6/32\"},{\"interface\":null,\"address\":\"10.0.0.7/32\"}]}",
	 "links, addrs 10.0.0.5 10.0.0.6 10.0.0.7"},
	{"an address twice is one",
	 "{\"ips\":[{\"address\":\"10.0.0.5/32\"},{\"address\":\"10.0.0.5/24\"}]}",
	 "links, addrs 10.0.0.5"},
	{"an IPv4-mapped address is IPv4", "{\"ips\":[{\"address\":\"::ffff:10.0.0.5/128\"}]}",
	 "links, addrs 10.0.0.5"},
	{"the form before version 0.3.0",
	 "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.1.0.5/16\",\"gateway\":\"10.1.0.1\"},"
	 "\"ip6\":{\"ip\":\"fd00::5/64\"}}",
	 "links, addrs 10.1.0.5 fd00::5"},
	{"no addresses", "{\"interfaces\":[{\"name\":\"veth1\"}]}", "links veth1, addrs"},
	{"a name that no interface can have is left out",
	 "{\"interfaces\":[{\"name\":\"0123456789abcdef\"},{\"name\":\"\"},{\"name\":\"a b\"},"
	 "{\"name\":7},{},7,{\"name\":\"veth1\"}]}",
	 "links veth1, addrs"},
	{"a hardware address that is none",
	 "{\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/x\",\"mac\":\"02:00:00:00:00\"}]}",
	 "links, addrs"},
	{"a hardware address of zeros",
	 "{\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/x\",\"mac\":\"00:00:00:00:00:00\"}]}",
	 "links, addrs"},
	{"a hardware address of a group",
	 "{\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/x\",\"mac\":\"01:00:5e:00:00:01\"}]}",
	 "links, addrs"},
	{"a hardware address and more",
	 "{\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/"
	 "x\",\"mac\":\"02:00:00:00:00:01:02\"}]}",
	 "links, addrs"},
	{"more interfaces than are kept",
	 "{\"interfaces\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"},{\"name\":\"d\"},"
	 "{\"name\":\"e\"},{\"name\":\"f\"},{\"name\":\"g\"},{\"name\":\"h\"},{\"name\":\"i\"}]}",
	 "links a b c d e f g h, addrs"},
	{"an address that is none", "{\"ips\":[{\"address\":\"10.0.0.256/32\"}]}", NULL},
	{"an address that is longer than any",
	 "{\"ips\":[{\"address\":\"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/"
	 "1\"}]}",
	 NULL},
	{"an address that is a number", "{\"ips\":[{\"address\":7}]}", NULL},
	{"no address in ip4", "{\"ip4\":{}}", NULL},
	{"a result that is a list", "[]", NULL},
	{"a result that is null", "null", NULL},
};

static int parse(const char *text, size_t len, struct cni_result **ret_result, struct err *err)
{
	struct timespec written = {.tv_sec = 1};

	return cni_parse("file", text, len, &written, ret_result, err);
}

static void is_result(void **state)
{
	const struct result_row *row = *state;
	char text[CNI_TEXT_MAX], line[CNI_LINE_MAX], shown[CNI_LINE_MAX];
	struct cni_result *result = NULL;
	struct err err = {0};
	int rc;

	node_cni_text(text, "shop", "web", "u1", "c1", "eth0", row->result);
	rc = parse(text, strlen(text), &result, &err);

	assert_int_equal(rc, row->shown ? 0 : -EINVAL);
	if (row->shown) {
		(void)snprintf(shown, sizeof(shown), "shop/web u1 c1 eth0 net, %s", row->shown);
		assert_string_equal(node_cni_line(result, line), shown);
	} else {
		assert_null(result);
		assert_true(err.text[0] != '\0');
	}
	cni_result_put(result);
}

struct file_row {
	const char *name;
	const char *text;
	int code;
	const char *shown; /* the sentence */
};

#define K8S "\"cniArgs\":[[\"K8S_POD_NAMESPACE\",\"a\"],[\"K8S_POD_NAME\",\"b\"]]"

static const struct file_row files[] = {
	{"an empty file", "", -EINVAL, "empty"},
	{"half a file", "{\"kind\":\"cniCacheV1\",\"conta", -EINVAL, "not JSON: "},
	{"a file and more", "{} {}", -EINVAL, "not JSON: "},
	{"no JSON", "hello", -EINVAL, "not JSON: "},
	{"no object", "[]", -EINVAL, "kind is \"\", expected \"cniCacheV1\""},
	{"another kind", "{\"kind\":\"cniCacheV2\"}", -EINVAL, "kind is \"cniCacheV2\", expected"},
	{"what libcni left before it had a kind", "{\"cniVersion\":\"0.3.1\",\"ips\":[]}", -EINVAL,
	 "kind is \"\""},
	{"a loopback", "{\"kind\":\"cniCacheV1\",\"ifName\":\"lo\"," K8S ",\"result\":{}}", -ENOENT,
	 ""},
	{"a container that is no pod's",
	 "{\"kind\":\"cniCacheV1\",\"ifName\":\"eth0\",\"cniArgs\":[[\"X\",\"1\"]],\"result\":{}}",
	 -ENOENT, ""},
	{"no arguments", "{\"kind\":\"cniCacheV1\",\"ifName\":\"eth0\",\"result\":{}}", -ENOENT,
	 ""},
	{"arguments that are no pairs",
	 "{\"kind\":\"cniCacheV1\",\"ifName\":\"eth0\",\"cniArgs\":[[],[1,2],3,[\"K8S_POD_NAME\"]]"
	 "}",
	 -ENOENT, ""},
	{"a name with a blank",
	 "{\"kind\":\"cniCacheV1\",\"ifName\":\"eth0\",\"cniArgs\":[[\"K8S_POD_NAMESPACE\",\"a\"],"
	 "[\"K8S_POD_NAME\",\"b c\"]],\"result\":{}}",
	 -EINVAL, "cniArgs: the pod's names are no names"},
	{"a name with a line's end",
	 "{\"kind\":\"cniCacheV1\",\"ifName\":\"eth0\",\"cniArgs\":[[\"K8S_POD_NAMESPACE\",\"a\"],"
	 "[\"K8S_POD_NAME\",\"b\\nc\"]],\"result\":{}}",
	 -EINVAL, "cniArgs: the pod's names are no names"},
	{"no result", "{\"kind\":\"cniCacheV1\",\"ifName\":\"eth0\"," K8S "}", -EINVAL,
	 "result is missing"},
};

static void is_refused(void **state)
{
	const struct file_row *row = *state;
	struct cni_result *result = NULL;
	struct err err = {0};

	assert_int_equal(parse(row->text, strlen(row->text), &result, &err), row->code);
	assert_null(result);
	if (strncmp(err.text, row->shown, strlen(row->shown)) != 0)
		fail_msg("said: %s", err.text);
}

/* A file that is read while it is written. */
static void no_part_of_a_file_is_a_result(void **state)
{
	char text[CNI_TEXT_MAX];
	struct cni_result *result = NULL;
	struct err err;

	(void)state;
	node_cni_text(text, "shop", "web", "u1", "c1", "eth0", PTP);
	for (size_t len = 0; len < strlen(text); len++)
		assert_int_equal(parse(text, len, &result, &err), -EINVAL);
	assert_int_equal(parse(text, strlen(text), &result, &err), 0);
	cni_result_put(result);
}

static void a_runtime_may_leave_the_uid_out(void **state)
{
	char text[CNI_TEXT_MAX];
	struct cni_result *result;

	(void)state;
	node_cni_text(text, "shop", "web", NULL, "c1", "eth0", PTP);
	result = node_cni_result("file", text, 1);
	assert_string_equal(result->uid, "");
	cni_result_put(result);
}

static void the_newer_file_wins_and_names_decide_between_equals(void **state)
{
	char text[CNI_TEXT_MAX];
	struct cni_result *a, *b, *c;

	(void)state;
	node_cni_text(text, "shop", "web", "u1", "c1", "eth0", PTP);
	a = node_cni_result("a", text, 5);
	b = node_cni_result("b", text, 5);
	c = node_cni_result("c", text, 4);
	assert_true(cni_result_newer(b, a) && !cni_result_newer(a, b));
	assert_true(cni_result_newer(a, c) && !cni_result_newer(c, a));
	assert_true(cni_result_equal(a, a) && !cni_result_equal(a, b));
	cni_result_put(a);
	cni_result_put(b);
	cni_result_put(c);
}

/* One file that was taken from a node. */
static void a_real_file_is_read(const char *path, const char *file, const char *plugin)
{
	static char text[CNI_FILE_MAX];
	struct timespec written = {0};
	struct cni_result *result = NULL;
	struct err err = {0};
	FILE *in = fopen(path, "re");
	size_t len;
	int rc;

	assert_non_null(in);
	len = fread(text, 1, sizeof(text), in);
	assert_int_equal(fclose(in), 0);
	rc = cni_parse(file, text, len, &written, &result, &err);
	if (strncmp(file, "cni-loopback-", 13) == 0) {
		assert_int_equal(rc, -ENOENT);
		return;
	}
	if (rc < 0)
		fail_msg("%s: %s", path, err.text);
	assert_string_equal(result->ns, "shop");
	assert_true(strcmp(result->name, "web") == 0 || strcmp(result->name, "api") == 0);
	assert_int_equal(strlen(result->uid), 36);
	assert_int_equal(result->n_links, strcmp(plugin, "bridge") == 0 ? 2 : 1);
	assert_int_equal(strncmp(result->links[result->n_links - 1], "veth", 4), 0);
	assert_int_equal(result->n_addrs, 1);
	assert_true(result->has_mac);
	cni_result_put(result);
}

static void real_files_are_read(void **state)
{
	static const char *const plugins[] = {"ptp", "bridge"};
	const char *top = getenv("top_srcdir");
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
		const struct dirent *item;
		char dir[512], path[1024];
		DIR *stream;

		(void)snprintf(dir, sizeof(dir), "%s/../shared/node/%s/cni-results",
			       top ? top : ".", plugins[i]);
		stream = opendir(dir);
		if (!stream)
			continue;
		while ((item = readdir(stream))) {
			if (item->d_name[0] == '.')
				continue;
			(void)snprintf(path, sizeof(path), "%s/%s", dir, item->d_name);
			a_real_file_is_read(path, item->d_name, plugins[i]);
			n++;
		}
		assert_int_equal(closedir(stream), 0);
	}
	if (n == 0)
		print_message("no ../shared/node: without files of real nodes\n");
	else
		print_message("%u files of real nodes\n", n);
}

struct type_row {
	const char *name, *config; /* in base64 */
	const char *type;
};

static const struct type_row types[] = {
	{"one plugin alone", /* {"type": "macvlan"} */
	 "eyJ0eXBlIjoibWFjdmxhbiJ9", "macvlan"},
	{"the first of a list", /* {"plugins": [{"type": "bridge"}, {"type": "portmap"}]} */
	 "eyJwbHVnaW5zIjpbeyJ0eXBlIjoiYnJpZGdlIn0seyJ0eXBlIjoicG9ydG1hcCJ9XX0=", "bridge"},
	{"what flannel calls", /* {"plugins": [{"type": "flannel", "delegate": {"type": "ipvlan"}},
				  {"type": "portmap"}]} */
	 "eyJwbHVnaW5zIjpbeyJ0eXBlIjoiZmxhbm5lbCIsImRlbGVnYXRlIjp7InR5cGUiOiJpcHZsYW4ifX0seyJ0eXBlI"
	 "joicG9ydG1hcCJ9XX0=",
	 "ipvlan"},
	{"flannel by its defaults", /* {"plugins": [{"type": "flannel", "delegate": {"hairpinMode":
				       true}}]} */
	 "eyJwbHVnaW5zIjpbeyJ0eXBlIjoiZmxhbm5lbCIsImRlbGVnYXRlIjp7ImhhaXJwaW5Nb2RlIjp0cnVlfX1dfQ==",
	 "flannel"},
	{"what Multus calls first", /* {"type": "multus", "delegates": [{"name": "x", "plugins":
				       [{"type": "ptp"}, {"type": "portmap"}]}, {"type": "sriov"}]}
				     */
	 "eyJ0eXBlIjoibXVsdHVzIiwiZGVsZWdhdGVzIjpbeyJuYW1lIjoieCIsInBsdWdpbnMiOlt7InR5cGUiOiJwdHAif"
	 "Sx7InR5cGUiOiJwb3J0bWFwIn1dfSx7InR5cGUiOiJzcmlvdiJ9XX0=",
	 "ptp"},
	{"no more than so many calls", /* {"type": "a", "delegate": {"type": "b", "delegate":
					  {"type": "c", "delegate": {"type": "d", "delegate":
					  {"type": "e"}}}}} */
	 "eyJ0eXBlIjoiYSIsImRlbGVnYXRlIjp7InR5cGUiOiJiIiwiZGVsZWdhdGUiOnsidHlwZSI6ImMiLCJkZWxlZ2F0Z"
	 "SI6eyJ0eXBlIjoiZCIsImRlbGVnYXRlIjp7InR5cGUiOiJlIn19fX19",
	 "d"},
	{"a type that is no word", /* {"type": "a b\n"} */
	 "eyJ0eXBlIjoiYSBiXG4ifQ==", ""},
	{"a long one is cut", /* {"type": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"} */
	 "eyJ0eXBlIjoieHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eCJ9",
	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
	{"no type", /* {} */
	 "e30=", ""},
	{"no object", /* [7] */
	 "Wzdd", ""},
	{"no base64", "e30", ""},
	{"no JSON", "e30gfQ==", ""},
	{"nothing", "", ""},
};

static void has_type(void **state)
{
	const struct type_row *row = *state;
	char type[CNI_TYPE_MAX];

	assert_int_equal(cni_config_type(row->config, type), 0);
	assert_string_equal(type, row->type);
}

static void what_else_is_in_the_pod_is_known(void **state)
{
	char text[CNI_TEXT_MAX];
	struct cni_result *result;

	(void)state;
	node_cni_text(text, "shop", "web", "u1", "c1", "eth0",
		      "{\"interfaces\":[{\"name\":\"net1\",\"sandbox\":\"/x\"},{\"name\":\"eth0\","
		      "\"sandbox\":\"/x\"},{\"name\":\"dummy1\",\"sandbox\":\"0\"},{\"name\":\"a "
		      "b\",\"sandbox\":\"/x\"}],\"ips\":[]}");
	result = node_cni_result("file", text, 1);
	assert_true(result->in_sandbox);
	assert_int_equal(result->n_others, 1);
	assert_string_equal(result->others[0], "net1");
	cni_result_put(result);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_part_of_a_file_is_a_result),
		cmocka_unit_test(a_runtime_may_leave_the_uid_out),
		cmocka_unit_test(the_newer_file_wins_and_names_decide_between_equals),
		cmocka_unit_test(real_files_are_read),
		cmocka_unit_test(what_else_is_in_the_pod_is_known),
	};
	int failed = RUN_ROWS("results", results, is_result);

	failed += RUN_ROWS("types", types, has_type);
	failed += RUN_ROWS("files", files, is_refused);
	return failed + cmocka_run_group_tests_name("cni", tests, NULL, NULL);
}
