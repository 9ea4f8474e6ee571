/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manifests from files and directories. Each test has a directory of its own. */
#include "unit.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/files.h"
#include "source/paths.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/netpold-files-XXXXXX");
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_dir(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

#define POD(name) "apiVersion: v1\nkind: Pod\nmetadata: {name: " name "}\n"
#define POLICY(name) \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " name "}\n"

/* What came out of it: events as words, faults as printed. */
struct loaded {
	struct intern *strings;
	struct faults faults;
	struct files_report report;
	char events[2000];
	int rc, stop;
};

static int take(void *ctx, const struct event *event)
{
	struct loaded *l = ctx;
	char name[OBJECT_NAME_MAX];
	const struct origin *origin;

	if (event->type == EVENT_SYNCED) {
		strcat(l->events, "synced");
		return 0;
	}
	assert_int_equal(event->type, EVENT_UPSERT);
	origin = object_origin(&event->object);
	(void)snprintf(l->events + strlen(l->events), sizeof(l->events) - strlen(l->events),
		       "%s %s %s:%u\n", kind_name(event->object.kind),
		       object_name(&event->object, name), origin->file, origin->line);
	object_free(l->strings, event->object);
	return l->stop;
}

static void load(struct loaded *l, const char *path, ...)
{
	const char *paths[8];
	size_t n = 0;
	int stop = l->stop;
	va_list ap;

	va_start(ap, path);
	for (; path; path = va_arg(ap, const char *))
		paths[n++] = path;
	va_end(ap);
	*l = (struct loaded){.strings = intern_new(), .stop = stop};
	l->rc = files_load(paths, n, l->strings, take, l, &l->faults, &l->report);
}

static void unload(struct loaded *l)
{
	files_report_done(l->strings, &l->report);
	faults_done(&l->faults);
	assert_int_equal(intern_count(l->strings), 0);
	intern_free(l->strings);
}

static void expect(struct loaded *l, const char *events, const char *faults)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	faults_print(&l->faults, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(l->events, events);
	assert_string_equal(text, faults);
	free(text);
	unload(l);
}

static void directories_are_walked_in_order(void **state)
{
	struct loaded l = {0};

	(void)state;
	assert_int_equal(mkdir("b", 0755), 0);
	assert_int_equal(mkdir("b/deep", 0755), 0);
	assert_int_equal(mkdir(".hidden", 0755), 0);
	write_file("c.yml", POD("c"));
	write_file("a.yaml", POD("a"));
	write_file("b/d.json",
		   "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"d\"}}");
	write_file("b/deep/e.yaml", POD("e"));
	write_file("b/readme.txt", "not: [read");
	write_file("b/noext", POD("noext"));
	write_file(".hidden/x.yaml", POD("x"));
	write_file(".dot.yaml", POD("y1"));
	load(&l, ".", NULL);
	assert_int_equal(l.report.files, 4);
	assert_int_equal(l.report.objects[KIND_POD], 4);
	expect(&l,
	       "Pod default/a ./a.yaml:1\nPod default/d ./b/d.json:1\n"
	       "Pod default/e ./b/deep/e.yaml:1\nPod default/c ./c.yml:1\nsynced",
	       "");
}

static void the_order_of_paths_does_not_matter(void **state)
{
	struct loaded l = {0};
	static const char events[] = "Pod default/a a.yaml:1\nPod default/b b.yaml:1\nsynced";

	(void)state;
	write_file("a.yaml", POD("a"));
	write_file("b.yaml", POD("b"));
	load(&l, "a.yaml", "b.yaml", NULL);
	expect(&l, events, "");
	load(&l, "b.yaml", "a.yaml", NULL);
	expect(&l, events, "");
}

static void a_file_named_twice_is_read_once(void **state)
{
	struct loaded l = {0};

	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	write_file("d/a.yaml", POD("a"));
	assert_int_equal(link("d/a.yaml", "d/hard.yaml"), 0);
	assert_int_equal(symlink("a.yaml", "d/soft.yaml"), 0);
	load(&l, "d", "d/a.yaml", "./d/../d/a.yaml", "d/soft.yaml", NULL);
	assert_int_equal(l.report.files, 1);
	unload(&l);
}

static void links_to_directories_are_not_followed_inside_one(void **state)
{
	struct loaded l = {0};

	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	write_file("d/a.yaml", POD("a"));
	assert_int_equal(symlink("..", "d/up"), 0);
	assert_int_equal(symlink("../d", "d/loop.yaml"), 0);
	assert_int_equal(symlink("gone", "d/dangling.yaml"), 0);
	load(&l, "d", NULL);
	expect(&l, "Pod default/a d/a.yaml:1\nsynced",
	       "d/dangling.yaml: error: No such file or directory\n");
	/* Named by the user, one is. */
	assert_int_equal(symlink("d", "l"), 0);
	load(&l, "l", NULL);
	assert_int_equal(l.report.files, 1);
	unload(&l);
}

static void a_mounted_config_map_is_read_once(void **state)
{
	struct loaded l = {0};

	(void)state;
	assert_int_equal(mkdir("..2026_01", 0755), 0);
	write_file("..2026_01/a.yaml", POD("a"));
	assert_int_equal(symlink("..2026_01", "..data"), 0);
	assert_int_equal(symlink("..data/a.yaml", "a.yaml"), 0);
	load(&l, ".", NULL);
	expect(&l, "Pod default/a ./a.yaml:1\nsynced", "");
}

static void what_cannot_be_read_is_told(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("a.yaml", POD("a"));
	load(&l, "gone.yaml", "a.yaml", "also/gone", NULL);
	expect(&l, "Pod default/a a.yaml:1\nsynced",
	       "also/gone: error: No such file or directory\n"
	       "gone.yaml: error: No such file or directory\n");
	/* Root may read what nobody may: a directory cannot be read as a file by anyone. */
	if (geteuid() != 0) {
		assert_int_equal(chmod("a.yaml", 0), 0);
		load(&l, "a.yaml", NULL);
		expect(&l, "synced", "a.yaml: error: Permission denied\n");
	}
}

static void directories_have_a_depth(void **state)
{
	char path[500] = "d";
	struct loaded l = {0};

	(void)state;
	for (int i = 0; i < FILES_DEPTH_MAX + 3; i++) {
		assert_int_equal(mkdir(path, 0755), 0);
		strcat(path, "/d");
	}
	load(&l, ".", NULL);
	assert_int_equal(l.faults.errors, 1);
	assert_string_equal(l.faults.v[0].text, "directories nested too deeply");
	unload(&l);
}

static void a_fifo_in_a_directory_is_passed_over(void **state)
{
	struct loaded l = {0};

	(void)state;
	assert_int_equal(mkfifo("pipe.yaml", 0644), 0);
	write_file("a.yaml", POD("a"));
	load(&l, ".", NULL);
	expect(&l, "Pod default/a ./a.yaml:1\nsynced", "");
}

static void the_second_of_a_name_is_left_out(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("a.yaml", POD("x") "---\n" POD("x") "---\n" POLICY("x"));
	write_file("b.json",
		   "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\"}}");
	load(&l, ".", NULL);
	assert_int_equal(l.report.objects[KIND_POD], 1);
	expect(&l, "Pod default/x ./a.yaml:1\nNetworkPolicy default/x ./a.yaml:9\nsynced",
	       "./a.yaml:5: error: Pod default/x: defined twice: the first is in ./a.yaml:1, and "
	       "this one is left out\n"
	       "./b.json:1: error: Pod default/x: defined twice: the first is in ./a.yaml:1, and "
	       "this one is left out\n");
}

static void a_fault_leaves_the_rest_readable(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("a.yaml", POD("a") "---\nkind: Pod\n---\n" POD("B") "---\n" POD("c"));
	write_file("b.yaml", POD("b") "---\na:\n  - b\n - c\n---\n" POD("later"));
	write_file("c.json",
		   "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"d\"}}\n"
		   "{\"a\":tru}\n"
		   "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"e\"}}\n");
	load(&l, ".", NULL);
	assert_int_equal(l.rc, 0);
	assert_string_equal(l.events, "Pod default/a ./a.yaml:1\nPod default/c ./a.yaml:11\n"
				      "Pod default/b ./b.yaml:1\nPod default/later ./b.yaml:9\n"
				      "Pod default/d ./c.json:1\n"
				      "Pod default/e ./c.json:3\nsynced");
	assert_int_equal(l.faults.errors, 4);
	unload(&l);
}

static void lists_are_their_items(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("a.yaml",
		   "kind: List\napiVersion: v1\nitems:\n"
		   "- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n"
		   "- kind: List\n  apiVersion: v1\n  items:\n"
		   "  - {apiVersion: v1, kind: Pod, metadata: {name: b}}\n"
		   "  - {apiVersion: v1, kind: Pod, metadata: {name: c, labels: {a: 1}}}\n");
	write_file("b.yaml", "items:\n- metadata: {name: d}\n- metadata: {name: e}\n"
			     "kind: PodList\napiVersion: v1\n");
	load(&l, ".", NULL);
	expect(&l,
	       "Pod default/a ./a.yaml:4\nPod default/b ./a.yaml:8\nPod default/d ./b.yaml:2\n"
	       "Pod default/e ./b.yaml:3\nsynced",
	       "./a.yaml:9: error: Pod default/c: metadata.labels[a]: 1: expected a string (quote "
	       "it)\n");
}

static void lists_in_json_are_their_items(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("a.json",
		   "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[\n"
		   "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}},\n"
		   "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[\n"
		   "{\"metadata\":{\"name\":\"b\"}},\n"
		   "{\"metadata\":{\"name\":\"c\",\n\"labels\":{\"a\":1}}}]}]}");
	load(&l, "a.json", NULL);
	expect(&l, "Pod default/a a.json:2\nPod default/b a.json:4\nsynced",
	       "a.json:6: error: Pod default/c: metadata.labels[a]: 1: expected a string (quote "
	       "it)\n");
}

static void a_list_may_say_its_kind_behind_its_items(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("a.json", "{\"items\":[\n{\"metadata\":{\"name\":\"a\"}},\n"
			     "{\"metadata\":{\"name\":\"b\"}}],\n"
			     "\"apiVersion\":\"v1\",\"kind\":\"PodList\"}");
	load(&l, "a.json", NULL);
	expect(&l, "Pod default/a a.json:2\nPod default/b a.json:3\nsynced", "");
	write_file("a.json", "{\"items\":[\n{\"metadata\":{\"name\":\"a\"}}]}");
	load(&l, "a.json", NULL);
	expect(&l, "synced", "a.json:2: error: `kind` is missing: expected a Kubernetes object\n");
	/* Cut short: what waits is told of, and the end. */
	write_file("a.json", "{\"items\":[\n{\"metadata\":{\"name\":\"a\"}},");
	load(&l, "a.json", NULL);
	assert_int_equal(l.faults.errors, 2);
	unload(&l);
}

static void a_typed_list_of_policies_is_not_pruned(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("a.json",
		   "{\"kind\":\"NetworkPolicyList\",\"apiVersion\":\"networking.k8s.io/v1\","
		   "\"items\":[{\"metadata\":{\"name\":\"a\"},\"spec\":{\"other\":1}}]}");
	load(&l, "a.json", NULL);
	expect(&l, "synced",
	       "a.json:1: error: NetworkPolicy default/a: spec.other: unknown field: neither we "
	       "nor "
	       "the API server know what it means\n");
}

static void lists_are_not_nested_for_ever(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("a.yaml",
		   "{items: [{items: [{items: [{items: [{items: [{items: []}]}]}]}]}]}\n");
	load(&l, "a.yaml", NULL);
	assert_int_equal(l.faults.errors, 1);
	assert_non_null(strstr(l.faults.v[0].text, "nested too deeply"));
	unload(&l);
}

static void a_name_says_what_the_bytes_are(void **state)
{
	struct loaded l = {0};

	(void)state;
	/* JSON is YAML too; without a name that says so, a brace is JSON. */
	write_file("a.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: a}}");
	write_file("b.json", POD("b"));
	write_file("c",
		   " \n{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"c\"}}");
	write_file("d", POD("d"));
	load(&l, "a.yaml", "b.json", "c", "d", NULL);
	expect(&l, "Pod default/a a.yaml:1\nPod default/c c:2\nPod default/d d:1\nsynced",
	       "b.json:1: error: not JSON: expected an object\n");
}

static void a_byte_order_mark_is_passed_over_in_json_too(void **state)
{
	struct loaded l = {0};

	(void)state;
	/* PowerShell writes one; kubectl takes the file for YAML then, and reads it. */
	write_file("a.json", "\xef\xbb\xbf{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{"
			     "\"name\":\"a\"}}");
	load(&l, "a.json", NULL);
	expect(&l, "Pod default/a a.json:1\nsynced", "");
}

static void other_kinds_are_counted_and_other_policies_named(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("b.yaml", "apiVersion: v1\nkind: Service\n---\n"
			     "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n"
			     "metadata: {name: z, namespace: y1}\n");
	write_file("a.yaml", "apiVersion: policy.networking.k8s.io/v1alpha1\n"
			     "kind: AdminNetworkPolicy\nmetadata: {name: q}\n");
	load(&l, ".", NULL);
	assert_int_equal(l.report.unused, 1);
	assert_int_equal(l.report.unenforced.n, 2);
	assert_string_equal(l.report.unenforced.v[0].name, "q");
	assert_string_equal(l.report.unenforced.v[1].kind, "CiliumNetworkPolicy.cilium.io");
	assert_string_equal(l.report.unenforced.v[1].name, "y1/z");
	assert_int_equal(l.report.unenforced.v[1].line, 4);
	expect(&l, "synced", "");
}

static void what_the_callback_returns_ends_the_run(void **state)
{
	struct loaded l = {.stop = -EPIPE};

	(void)state;
	write_file("a.yaml", POD("a") "---\n" POD("b"));
	load(&l, "a.yaml", NULL);
	assert_int_equal(l.rc, -EPIPE);
	expect(&l, "Pod default/a a.yaml:1\n", "");
}

static void empty_files_are_fine(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("a.yaml", "");
	write_file("b.json", "");
	write_file("c", "");
	load(&l, "a.yaml", "b.json", "c", NULL);
	assert_int_equal(l.report.files, 3);
	expect(&l, "synced", "");
}

static void a_yaml_file_has_a_size(void **state)
{
	struct loaded l = {0};

	(void)state;
	write_file("a.yaml", POD("a"));
	assert_int_equal(truncate("a.yaml", YAML_FILE_MAX + 4096), 0);
	load(&l, "a.yaml", NULL);
	assert_int_equal(l.faults.errors, 1);
	assert_non_null(strstr(l.faults.v[0].text, "file too large"));
	unload(&l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(directories_are_walked_in_order),
		TEST(the_order_of_paths_does_not_matter),
		TEST(a_file_named_twice_is_read_once),
		TEST(links_to_directories_are_not_followed_inside_one),
		TEST(a_mounted_config_map_is_read_once),
		TEST(what_cannot_be_read_is_told),
		TEST(directories_have_a_depth),
		TEST(a_fifo_in_a_directory_is_passed_over),
		TEST(the_second_of_a_name_is_left_out),
		TEST(a_fault_leaves_the_rest_readable),
		TEST(lists_are_their_items),
		TEST(lists_in_json_are_their_items),
		TEST(a_list_may_say_its_kind_behind_its_items),
		TEST(a_typed_list_of_policies_is_not_pruned),
		TEST(lists_are_not_nested_for_ever),
		TEST(a_name_says_what_the_bytes_are),
		TEST(a_byte_order_mark_is_passed_over_in_json_too),
		TEST(other_kinds_are_counted_and_other_policies_named),
		TEST(what_the_callback_returns_ends_the_run),
		TEST(empty_files_are_fine),
		TEST(a_yaml_file_has_a_size),
	};

	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
