/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libcni's cache as it changes. After each step the follower knows what a new one would. */
#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "node.h"
#include "node/cni_dir.h"

static char top[64];

static int make_top(void **state)
{
	(void)state;
	(void)snprintf(top, sizeof(top), "/tmp/netpold-cni-XXXXXX");
	return mkdtemp(top) ? chdir(top) : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_top(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/* The pod's name is told by the file's, its address by a number. */
static void pod_text(char text[static CNI_TEXT_MAX], const char *name, unsigned addr)
{
	char result[64];

	(void)snprintf(result, sizeof(result), "{\"ips\":[{\"address\":\"10.0.0.%u/32\"}]}", addr);
	node_cni_text(text, "shop", name, "u", "c", "eth0", result);
}

static void write_pod(const char *path, const char *name, unsigned addr)
{
	char text[CNI_TEXT_MAX];

	pod_text(text, name, addr);
	write_text(path, text);
}

static struct cni_dir *open_dir(const char *path)
{
	struct cni_dir *dir = NULL;
	struct err err = {0};

	if (cni_dir_open(path, false, &dir, &err) < 0)
		fail_msg("%s", err.text);
	return dir;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "name=address ..." in order */
static void show(const struct cni_dir *dir, char shown[1024])
{
	struct cni_result *result = NULL;
	char *words[64];
	size_t n = 0;

	while ((result = cni_dir_next(dir, result))) {
		char addr[ADDR_TEXT_MAX];

		assert_true(n < ARRAY_LEN(words));
		words[n] = malloc(128);
		assert_non_null(words[n]);
		(void)snprintf(words[n++], 128, "%s=%s", result->name,
			       addr_format(&result->addrs[0], addr));
	}
	qsort(words, n, sizeof(words[0]), by_text);
	shown[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		strcat(strcat(shown, i > 0 ? " " : ""), words[i]);
		free(words[i]);
	}
}

static void show_after_read(struct cni_dir *dir, const char *expected)
{
	bool changed = false;
	char shown[1024];

	assert_int_equal(cni_dir_read(dir, &changed), 0);
	show(dir, shown);
	assert_string_equal(shown, expected);
}

/* What is expected is known after one read, and to a new follower as well. */
static void knows(struct cni_dir *dir, const char *path, const char *expected, bool change)
{
	struct pollfd ready = {.fd = cni_dir_fd(dir), .events = POLLIN};
	struct cni_dir *fresh;
	bool changed = false;
	char shown[1024];

	if (change)
		assert_int_equal(poll(&ready, 1, 10000), 1);
	assert_int_equal(cni_dir_read(dir, &changed), 0);
	show(dir, shown);
	assert_string_equal(shown, expected);
	assert_int_equal(changed, change);
	fresh = open_dir(path);
	show(fresh, shown);
	assert_string_equal(shown, expected);
	cni_dir_close(fresh);
}

static void files_come_change_and_go(void **state)
{
	struct cni_dir *dir;

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	write_pod("r/one", "a", 1);
	dir = open_dir("r");
	knows(dir, "r", "a=10.0.0.1", false);
	write_pod("r/two", "b", 2);
	knows(dir, "r", "a=10.0.0.1 b=10.0.0.2", true);
	write_pod("r/two", "b", 3);
	knows(dir, "r", "a=10.0.0.1 b=10.0.0.3", true);
	assert_int_equal(unlink("r/one"), 0);
	knows(dir, "r", "b=10.0.0.3", true);
	assert_int_equal(unlink("r/two"), 0);
	knows(dir, "r", "", true);
	cni_dir_close(dir);
}

static void files_are_moved_in_over_and_out(void **state)
{
	struct cni_dir *dir;

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	dir = open_dir("r");
	write_pod("new", "a", 1);
	assert_int_equal(rename("new", "r/one"), 0);
	knows(dir, "r", "a=10.0.0.1", true);
	write_pod("new", "a", 2);
	assert_int_equal(rename("new", "r/one"), 0);
	knows(dir, "r", "a=10.0.0.2", true);
	write_pod("r/.tmp", "b", 7); /* a hidden file is none yet */
	knows(dir, "r", "a=10.0.0.2", false);
	assert_int_equal(rename("r/.tmp", "r/two"), 0);
	knows(dir, "r", "a=10.0.0.2 b=10.0.0.7", true);
	assert_int_equal(rename("r/two", "r/three"), 0);
	knows(dir, "r", "a=10.0.0.2 b=10.0.0.7", true);
	assert_int_equal(rename("r/one", "out"), 0);
	knows(dir, "r", "b=10.0.0.7", true);
	cni_dir_close(dir);
}

static void a_file_counts_when_it_is_closed(void **state)
{
	char text[CNI_TEXT_MAX];
	struct cni_dir *dir;
	FILE *out;

	(void)state;
	pod_text(text, "a", 1);
	assert_int_equal(mkdir("r", 0755), 0);
	dir = open_dir("r");
	out = fopen("r/one", "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, 60, out), 60);
	assert_int_equal(fflush(out), 0);
	knows(dir, "r", "", false);
	assert_true(fputs(text + 60, out) >= 0);
	assert_int_equal(fflush(out), 0);
	assert_int_equal(fclose(out), 0);
	knows(dir, "r", "a=10.0.0.1", true);
	cni_dir_close(dir);
}

static void a_file_that_was_rewritten_with_rubbish_counts_no_more(void **state)
{
	struct cni_dir *dir;

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	write_pod("r/one", "a", 1);
	dir = open_dir("r");
	write_text("r/one", "{");
	knows(dir, "r", "", true);
	write_text("r/one", "");
	knows(dir, "r", "", false);
	write_pod("r/one", "a", 1);
	knows(dir, "r", "a=10.0.0.1", true);
	cni_dir_close(dir);
}

static void what_is_no_file_of_a_pod_is_ignored(void **state)
{
	char loopback[CNI_TEXT_MAX];
	struct cni_dir *dir;
	int fd;

	(void)state;
	node_cni_text(loopback, "shop", "a", "u", "c", "lo", "{}");
	assert_int_equal(mkdir("r", 0755), 0);
	dir = open_dir("r");
	write_text("r/loopback", loopback);
	write_text("r/cni-loopback-0123-lo", "never opened");
	assert_int_equal(mkdir("r/dir", 0755), 0);
	assert_int_equal(mkfifo("r/fifo", 0644), 0);
	write_pod("elsewhere", "b", 2);
	assert_int_equal(symlink("../elsewhere", "r/link"), 0);
	assert_int_equal(symlink("link", "r/to-itself"), 0);
	fd = open("r/huge", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && ftruncate(fd, CNI_FILE_MAX + 1) == 0);
	assert_int_equal(close(fd), 0);
	knows(dir, "r", "", false);
	write_pod("r/one", "a", 1);
	knows(dir, "r", "a=10.0.0.1", true);
	cni_dir_close(dir);
}

static void the_directory_need_not_be_there_yet(void **state)
{
	struct cni_dir *dir = open_dir("x/y/z/r");

	(void)state;
	assert_int_equal(mkdir("other", 0755), 0);
	knows(dir, "x/y/z/r", "", false);
	assert_int_equal(mkdir("x", 0755), 0);
	knows(dir, "x/y/z/r", "", false);
	assert_int_equal(mkdir("x/y", 0755), 0);
	assert_int_equal(mkdir("x/y/z", 0755), 0);
	assert_int_equal(mkdir("x/y/z/r", 0755), 0);
	write_pod("x/y/z/r/one", "a", 1);
	knows(dir, "x/y/z/r", "a=10.0.0.1", true);
	write_pod("x/y/z/r/two", "b", 2);
	knows(dir, "x/y/z/r", "a=10.0.0.1 b=10.0.0.2", true);
	cni_dir_close(dir);
}

static void the_directory_goes_away_and_comes_back(void **state)
{
	struct cni_dir *dir;

	(void)state;
	assert_int_equal(mkdir("x", 0755), 0);
	assert_int_equal(mkdir("x/r", 0755), 0);
	write_pod("x/r/one", "a", 1);
	dir = open_dir("x/r");
	assert_int_equal(unlink("x/r/one"), 0);
	assert_int_equal(rmdir("x/r"), 0);
	knows(dir, "x/r", "", true);
	assert_int_equal(mkdir("x/r", 0755), 0);
	write_pod("x/r/one", "a", 2);
	knows(dir, "x/r", "a=10.0.0.2", true);
	assert_int_equal(rename("x", "old"), 0); /* from above */
	knows(dir, "x/r", "", true);
	write_pod("old/r/two", "b", 3);
	knows(dir, "x/r", "", false);
	assert_int_equal(rename("old", "x"), 0);
	knows(dir, "x/r", "a=10.0.0.2 b=10.0.0.3", true);
	assert_int_equal(mkdir("new", 0755), 0);
	write_pod("new/one", "c", 4);
	assert_int_equal(rename("x/r", "x/old"), 0);
	assert_int_equal(rename("new", "x/r"), 0);
	knows(dir, "x/r", "c=10.0.0.4", true);
	assert_int_equal(rename("x/r", "x/new"), 0); /* a link in its place */
	assert_int_equal(symlink("old", "x/r"), 0);
	knows(dir, "x/r", "a=10.0.0.2 b=10.0.0.3", true);
	write_pod("x/r/two", "b", 9);
	knows(dir, "x/r", "a=10.0.0.2 b=10.0.0.9", true);
	cni_dir_close(dir);
}

/* Nothing to read: nobody is woken. */
static void silent(const struct cni_dir *dir)
{
	struct pollfd ready = {.fd = cni_dir_fd(dir), .events = POLLIN};

	assert_int_equal(poll(&ready, 1, 0), 0);
}

/* What others do beside it and above it does not concern us, once it is there. */
static void files_beside_the_directory_wake_nobody(void **state)
{
	struct cni_dir *dir;
	bool changed = false;

	(void)state;
	dir = open_dir("x/y/r");
	assert_int_equal(mkdir("x", 0755), 0);
	assert_int_equal(mkdir("x/y", 0755), 0);
	assert_int_equal(mkdir("x/y/r", 0755), 0);
	assert_int_equal(cni_dir_read(dir, &changed), 0);
	assert_int_equal(cni_dir_read(dir, &changed), 0); /* of the watches that are gone */
	write_text("beside", "");
	write_text("x/beside", "");
	write_text("x/y/beside", "");
	assert_int_equal(mkdir("x/y/other", 0755), 0);
	assert_int_equal(rename("x/y/beside", "x/y/other/beside"), 0);
	assert_int_equal(unlink("x/beside"), 0);
	assert_int_equal(chmod("x/y/other", 0700), 0);
	silent(dir);
	write_pod("x/y/r/one", "a", 1);
	knows(dir, "x/y/r", "a=10.0.0.1", true);
	assert_int_equal(rename("x", "old"), 0); /* and the way is followed all the same */
	knows(dir, "x/y/r", "", true);
	write_text("old/beside", "");
	assert_int_equal(rename("old", "x"), 0);
	knows(dir, "x/y/r", "a=10.0.0.1", true);
	assert_int_equal(cni_dir_read(dir, &changed), 0);
	write_text("x/beside", "");
	silent(dir);
	cni_dir_close(dir);
}

/* A way that passes one directory twice: what one step must hear is not lost for the other. */
static void a_way_through_links_may_cross_itself(void **state)
{
	struct cni_dir *dir;

	(void)state;
	assert_int_equal(mkdir("x", 0755), 0);
	assert_int_equal(symlink(".", "x/again"), 0);
	dir = open_dir("x/again/again/r");
	assert_int_equal(mkdir("x/r", 0755), 0);
	write_pod("x/r/one", "a", 1);
	knows(dir, "x/again/again/r", "a=10.0.0.1", true);
	assert_int_equal(mkdir("other", 0755), 0);
	assert_int_equal(unlink("x/again"), 0);
	assert_int_equal(symlink("../other", "x/again"), 0);
	knows(dir, "x/again/again/r", "", true);
	cni_dir_close(dir);
}

static void an_absolute_path_with_slashes_to_spare_is_fine(void **state)
{
	struct cni_dir *dir;
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "/%s//x///r//", top);
	dir = open_dir(path);
	assert_int_equal(mkdir("x", 0755), 0);
	assert_int_equal(mkdir("x/r", 0755), 0);
	write_pod("x/r/one", "a", 1);
	knows(dir, path, "a=10.0.0.1", true);
	cni_dir_close(dir);
}

/* Root may read all; so this is seen only as somebody else. */
static void what_may_not_be_read_is_read_when_it_may(void **state)
{
	struct cni_dir *dir;

	(void)state;
	if (geteuid() == 0) {
		assert_int_equal(chmod(top, 0777), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	assert_int_equal(mkdir("x", 0755), 0);
	assert_int_equal(mkdir("x/r", 0755), 0);
	write_pod("x/r/one", "a", 1);
	write_pod("x/r/two", "b", 2);
	assert_int_equal(chmod("x/r/two", 0), 0);
	dir = open_dir("x/r");
	knows(dir, "x/r", "a=10.0.0.1", false);
	assert_int_equal(chmod("x/r/two", 0600), 0);
	knows(dir, "x/r", "a=10.0.0.1 b=10.0.0.2", true);
	assert_int_equal(chmod("x/r", 0), 0);
	knows(dir, "x/r", "", true);
	assert_int_equal(chmod("x/r", 0700), 0);
	knows(dir, "x/r", "a=10.0.0.1 b=10.0.0.2", true);
	cni_dir_close(dir);
	assert_int_equal(chmod("x", 0), 0);
	dir = open_dir("x/r");
	knows(dir, "x/r", "", false);
	assert_int_equal(chmod("x", 0700), 0);
	knows(dir, "x/r", "a=10.0.0.1 b=10.0.0.2", true);
	cni_dir_close(dir);
	if (getuid() == 0) {
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0); /* for the leak sanitizer */
	}
}

/* Two files by turns, for events that are equal to the one before are only one. */
static void more_events_than_the_kernel_keeps(void **state)
{
	struct cni_dir *dir;
	FILE *in = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	unsigned max = 16384;

	(void)state;
	if (in && (fscanf(in, "%u", &max) != 1 || max > 100000))
		max = 16384;
	if (in)
		assert_int_equal(fclose(in), 0);
	assert_int_equal(mkdir("r", 0755), 0);
	dir = open_dir("r");
	for (unsigned i = 0; i <= max; i++) {
		const char *path = i % 2 ? "r/x" : "r/y";

		assert_int_equal(mknod(path, 0600 | S_IFREG, 0), 0);
		assert_int_equal(unlink(path), 0);
	}
	write_pod("r/one", "a", 1);
	knows(dir, "r", "a=10.0.0.1", true);
	write_pod("r/two", "b", 2);
	knows(dir, "r", "a=10.0.0.1 b=10.0.0.2", true);
	cni_dir_close(dir);
}

/* Those of pods that are gone, of which somebody removes some. */
static void what_was_left_out_counts_when_there_is_room(void **state)
{
	struct cni_dir *dir;
	char path[32];

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	for (unsigned i = 0; i < CNI_RESULTS_MAX; i++) {
		(void)snprintf(path, sizeof(path), "r/%u", i);
		assert_int_equal(mknod(path, 0600 | S_IFREG, 0), 0);
	}
	dir = open_dir("r");
	write_pod("r/one", "a", 1);
	show_after_read(dir, "");
	for (unsigned i = 0; i < CNI_RESULTS_MAX / 8; i++) {
		(void)snprintf(path, sizeof(path), "r/%u", i);
		assert_int_equal(unlink(path), 0);
	}
	show_after_read(dir, "a=10.0.0.1");
	cni_dir_close(dir);
}

#define WITH_TOP(test) cmocka_unit_test_setup_teardown(test, make_top, remove_top)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_TOP(files_come_change_and_go),
		WITH_TOP(files_are_moved_in_over_and_out),
		WITH_TOP(a_file_counts_when_it_is_closed),
		WITH_TOP(a_file_that_was_rewritten_with_rubbish_counts_no_more),
		WITH_TOP(what_is_no_file_of_a_pod_is_ignored),
		WITH_TOP(the_directory_need_not_be_there_yet),
		WITH_TOP(the_directory_goes_away_and_comes_back),
		WITH_TOP(files_beside_the_directory_wake_nobody),
		WITH_TOP(a_way_through_links_may_cross_itself),
		WITH_TOP(an_absolute_path_with_slashes_to_spare_is_fine),
		WITH_TOP(what_may_not_be_read_is_read_when_it_may),
		WITH_TOP(more_events_than_the_kernel_keeps),
		WITH_TOP(what_was_left_out_counts_when_there_is_room),
	};

	return cmocka_run_group_tests_name("cni dir", tests, NULL, NULL);
}
