/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manifests that change: what is told of it, and that nothing is taken back for want of reading. */
#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "source/follow.h"

#define WAIT_MS 20000

struct followed {
	char dir[64], paths_text[2][160];
	const char *paths[2];
	struct intern *strings;
	struct follow *follow;
	char events[2000];
	size_t kept, errors;
	int rc;
};

static struct followed f;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/* As long ago as matters: nobody is writing it. */
static void settle(const char *path)
{
	struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

	assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
}

static void put(const char *path, const char *text)
{
	write_file(path, text);
	settle(path);
}

static int take(void *ctx, const struct event *event)
{
	static const char *const words[] = {"+", "-", "?", "synced"};
	char name[OBJECT_NAME_MAX];

	(void)ctx;
	if (event->type == EVENT_SYNCED) {
		strcat(f.events, "synced ");
		return 0;
	}
	(void)snprintf(f.events + strlen(f.events), sizeof(f.events) - strlen(f.events), "%s%s ",
		       words[event->type], object_name(&event->object, name));
	object_free(f.strings, event->object);
	return 0;
}

/* Reads, and what came of it is `events`. */
static void reads(const char *events)
{
	struct faults faults = {0};
	struct files_report report = {.rereads = true};

	f.events[0] = '\0';
	f.rc = follow_load(f.follow, take, NULL, &faults, &report, &f.kept);
	f.errors = faults.errors;
	files_report_done(f.strings, &report);
	faults_done(&faults);
	assert_string_equal(f.events, events);
}

/* A change is noticed. */
static void notices(void)
{
	struct pollfd pollfd = {.fd = follow_fd(f.follow), .events = POLLIN};
	bool changed = false;

	while (!changed) {
		assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
		changed = follow_drain(f.follow);
	}
}

static void quiet(void)
{
	(void)follow_drain(f.follow);
}

static int start(const char *first, const char *second)
{
	struct err err = {0};

	f.strings = intern_new();
	f.paths[0] = first;
	f.paths[1] = second;
	return follow_new(f.paths, second ? 2 : 1, f.strings, &f.follow, &err);
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	(void)snprintf(f.dir, sizeof(f.dir), "/tmp/netpold-follow-XXXXXX");
	return mkdtemp(f.dir) ? chdir(f.dir) : -1;
}

static int teardown(void **state)
{
	(void)state;
	follow_free(f.follow);
	assert_int_equal(intern_count(f.strings), 0);
	intern_free(f.strings);
	return chdir("/") < 0 ? -1 : nftw(f.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define NS(name) "apiVersion: v1\nkind: Namespace\nmetadata: {name: " name "}\n---\n"

static void what_is_new_is_told_and_what_is_gone(void **state)
{
	(void)state;
	assert_int_equal(mkdir("m", 0755), 0);
	put("m/a.yaml", NS("a") NS("b"));
	assert_int_equal(start("m", NULL), 0);
	reads("+a +b synced ");
	quiet();
	put("m/a.yaml", NS("b") NS("c"));
	notices();
	reads("+b +c -a ");
	assert_int_equal(unlink("m/a.yaml"), 0);
	notices();
	put("m/z.yaml", NS("z"));
	reads("+z -b -c ");
}

static void a_file_that_is_renamed_over_is_noticed(void **state)
{
	(void)state;
	put("a.yaml", NS("a"));
	assert_int_equal(start("a.yaml", NULL), 0);
	reads("+a synced ");
	quiet();
	put("a.yaml~", NS("b"));
	assert_int_equal(rename("a.yaml~", "a.yaml"), 0);
	notices();
	reads("+b -a ");
}

static void a_mounted_configmap_is_swapped(void **state)
{
	(void)state;
	assert_int_equal(mkdir("m", 0755), 0);
	assert_int_equal(mkdir("m/..1", 0755), 0);
	assert_int_equal(mkdir("m/..2", 0755), 0);
	put("m/..1/a.yaml", NS("a"));
	put("m/..2/a.yaml", NS("b"));
	assert_int_equal(symlink("..1", "m/..data"), 0);
	assert_int_equal(symlink("..data/a.yaml", "m/a.yaml"), 0);
	assert_int_equal(start("m", NULL), 0);
	reads("+a synced ");
	quiet();
	assert_int_equal(symlink("..2", "m/..tmp"), 0);
	assert_int_equal(rename("m/..tmp", "m/..data"), 0);
	notices();
	reads("+b -a ");
}

static void a_file_that_is_being_written_is_waited_for(void **state)
{
	(void)state;
	put("a.yaml", NS("a") NS("b"));
	assert_int_equal(start("a.yaml", NULL), 0);
	reads("+a +b synced ");
	write_file("a.yaml", NS("a")); /* just now */
	reads("");
	assert_int_equal(f.rc, -EAGAIN);
	put("a.yaml", NS("a") NS("c"));
	reads("+a +c -b ");
	assert_int_equal(f.rc, 0);
}

static void what_cannot_be_read_is_kept(void **state)
{
	(void)state;
	assert_int_equal(mkdir("m", 0755), 0);
	put("m/a.yaml", NS("a") NS("b"));
	put("m/c.yaml", NS("c"));
	assert_int_equal(start("m", NULL), 0);
	reads("+a +b +c synced ");
	put("m/a.yaml", NS("a") "{");
	put("m/c.yaml", "");
	reads("+a -c "); /* c's file can be read, and has it no more */
	assert_int_equal(f.kept, 1);
	assert_int_equal(f.errors, 1);
	put("m/a.yaml", NS("a"));
	reads("+a -b ");
	assert_int_equal(f.kept, 0);
}

/* A template is no fault, and what is not read is not gone. */
static void what_becomes_a_template_is_kept(void **state)
{
	(void)state;
	assert_int_equal(mkdir("m", 0755), 0);
	put("m/a.yaml", NS("a") NS("b"));
	assert_int_equal(start("m", NULL), 0);
	reads("+a +b synced ");
	put("m/a.yaml", NS("a") "{{- if .Values.x }}\n" NS("b") "{{- end }}\n");
	reads("+a ");
	assert_int_equal(f.kept, 1);
	assert_int_equal(f.errors, 0);
	put("m/a.yaml", NS("a"));
	reads("+a -b ");
}

static void a_directory_that_disappears_comes_back(void **state)
{
	(void)state;
	assert_int_equal(mkdir("m", 0755), 0);
	put("m/a.yaml", NS("a"));
	assert_int_equal(start("m", NULL), 0);
	reads("+a synced ");
	quiet();
	assert_int_equal(rename("m", "away"), 0);
	notices();
	reads("");
	assert_int_equal(f.kept, 1);
	put("away/a.yaml", NS("b"));
	quiet();
	assert_int_equal(rename("away", "m"), 0);
	notices();
	reads("+b -a ");
	/* and is followed as before */
	quiet();
	put("m/c.yaml", NS("c"));
	notices();
	reads("+b +c ");
}

static void what_is_not_there_yet_is_noticed(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/not/there/yet", f.dir);
	assert_int_equal(start(path, NULL), 0);
	reads("synced ");
	quiet();
	assert_int_equal(mkdir("not", 0755), 0);
	notices();
	reads("");
	quiet();
	assert_int_equal(mkdir("not/there", 0755), 0);
	notices();
	reads("");
	quiet();
	assert_int_equal(mkdir("not/there/yet", 0755), 0);
	notices();
	put("not/there/yet/a.yaml", NS("a"));
	reads("+a ");
}

/* No event is worth reading all manifests again. */
static void unmoved(void)
{
	assert_false(follow_drain(f.follow));
}

static void what_happens_beside_the_paths_is_none_of_it(void **state)
{
	(void)state;
	assert_int_equal(mkdir("x", 0755), 0);
	assert_int_equal(mkdir("x/m", 0755), 0);
	put("x/m/a.yaml", NS("a"));
	put("x/b.yaml", NS("b"));
	assert_int_equal(start("x/m", "x/b.yaml"), 0);
	reads("+b +a synced ");
	quiet();
	put("beside", "");
	put("x/beside", "");
	put("x/beside.yaml", NS("c"));
	assert_int_equal(unlink("x/beside"), 0);
	unmoved();
	write_file("x/b.yaml", NS("d"));
	settle("x/b.yaml");
	notices();
	reads("+d +a -b ");
	quiet();
	put("x/new", NS("b"));
	unmoved();
	assert_int_equal(rename("x/new", "x/b.yaml"), 0);
	notices();
	reads("+b +a -d ");
}

static void a_directory_above_is_renamed(void **state)
{
	(void)state;
	assert_int_equal(mkdir("x", 0755), 0);
	assert_int_equal(mkdir("x/y", 0755), 0);
	assert_int_equal(mkdir("x/y/m", 0755), 0);
	put("x/y/m/a.yaml", NS("a"));
	assert_int_equal(start("x/y/m", NULL), 0);
	reads("+a synced ");
	quiet();
	assert_int_equal(rename("x", "away"), 0);
	notices();
	reads("");
	assert_int_equal(f.kept, 1);
	quiet();
	put("away/y/m/a.yaml", NS("b"));
	unmoved(); /* it is not there any more */
	assert_int_equal(rename("away", "x"), 0);
	notices();
	reads("+b -a ");
	quiet();
	put("x/y/m/c.yaml", NS("c"));
	notices();
	reads("+b +c ");
}

static void an_object_may_move_from_file_to_file(void **state)
{
	(void)state;
	put("a.yaml", NS("a"));
	put("b.yaml", "");
	assert_int_equal(start("a.yaml", "b.yaml"), 0);
	reads("+a synced ");
	put("b.yaml", NS("a"));
	put("a.yaml", "");
	reads("+a ");
	put("b.yaml", "");
	reads("-a ");
}

/* Neither is waited for: the loop would stand still. */
static void what_could_keep_the_loop_waiting_is_refused(void **state)
{
	(void)state;
	(void)alarm(WAIT_MS / 1000);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(mkfifo("silent", 0600), 0);
	int writer = open("silent", O_RDWR | O_CLOEXEC);
	settle("pipe");
	settle("silent");
	put("a.yaml", NS("a"));
	assert_int_equal(start("a.yaml", "a.yaml"), 0);
	reads("+a synced ");
	assert_int_equal(unlink("a.yaml"), 0);
	assert_int_equal(symlink("silent", "a.yaml"), 0);
	reads("");
	assert_int_equal(f.errors, 1);
	assert_int_equal(f.kept, 1);
	assert_int_equal(unlink("a.yaml"), 0);
	assert_int_equal(symlink("pipe", "a.yaml"), 0);
	reads("");
	assert_int_equal(f.errors, 1);
	assert_int_equal(f.kept, 1);
	(void)close(writer);
	(void)alarm(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_new_is_told_and_what_is_gone),
		TEST(a_file_that_is_renamed_over_is_noticed),
		TEST(a_mounted_configmap_is_swapped),
		TEST(a_file_that_is_being_written_is_waited_for),
		TEST(what_cannot_be_read_is_kept),
		TEST(what_becomes_a_template_is_kept),
		TEST(a_directory_that_disappears_comes_back),
		TEST(what_is_not_there_yet_is_noticed),
		TEST(what_happens_beside_the_paths_is_none_of_it),
		TEST(a_directory_above_is_renamed),
		TEST(an_object_may_move_from_file_to_file),
		TEST(what_could_keep_the_loop_waiting_is_refused),
	};

	return cmocka_run_group_tests_name("followed", tests, NULL, NULL);
}
