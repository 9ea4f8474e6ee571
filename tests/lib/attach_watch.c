/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach_watch CNI-DIR: says what is attached to this network namespace, for the tests and for
 * curious people. Each line on standard input is a command: `all` lists everything, a line each,
 * and then a `.`; end of input ends it. What changes is told as it happens: NANOSECONDS pod
 * NAMESPACE/NAME, or NANOSECONDS addr ADDRESS, by the monotonic clock. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach_text.h"
#include "base/log.h"

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* always there */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void tell_pod(void *ctx, const char *ns, const char *name)
{
	(void)ctx;
	printf("%" PRId64 " pod %s/%s\n", now_ns(), ns, name);
}

static void tell_addr(void *ctx, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	(void)ctx;
	printf("%" PRId64 " addr %s\n", now_ns(), addr_format(addr, text));
}

static void list(const struct attach *attach)
{
	char text[ATTACH_TEXT_MAX];
	const struct attachment *all;
	size_t n;

	all = attach_all(attach, &n);
	for (size_t i = 0; i < n; i++)
		printf("%s\n", attach_text(&all[i], text));
	printf("resyncs %" PRIu64 "\n.\n", attach_resyncs(attach));
}

/* false: the end. Commands come one at a time. */
static bool obey(const struct attach *attach)
{
	char command[64];
	ssize_t n = read(STDIN_FILENO, command, sizeof(command));

	if (n > 0)
		list(attach);
	return n > 0;
}

static int watch(struct attach *attach)
{
	struct pollfd ready[ATTACH_FDS + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
	int fds[ATTACH_FDS];

	attach_fds(attach, fds);
	for (size_t i = 0; i < ATTACH_FDS; i++)
		ready[i + 1] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	for (;;) {
		int rc;

		(void)fflush(stdout); /* a reader that is gone shows at the next command */
		if (poll(ready, ATTACH_FDS + 1, attach_wait_ms(attach)) < 0 && errno != EINTR)
			return 1;
		rc = attach_read(attach);
		if (rc < 0)
			log_warning("watch", "%s; trying again", strerror(-rc));
		if (ready[0].revents && !obey(attach))
			return 0;
	}
}

int main(int argc, char *argv[])
{
	static const struct attach_listener listener = {.pod = tell_pod, .addr = tell_addr};
	struct attach *attach = NULL;
	struct err err = {0};
	int64_t start = now_ns();
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: attach_watch CNI-DIR\n");
		return 2;
	}
	rc = attach_open(argv[1], "/run/netpold-cni", &listener, &attach, &err);
	if (rc < 0) {
		fprintf(stderr, "attach_watch: %s\n", *err.text ? err.text : strerror(-rc));
		return 1;
	}
	printf("ready after %" PRId64 " us\n", (now_ns() - start) / 1000);
	rc = watch(attach);
	attach_close(attach);
	return rc;
}
