/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel takes for a transaction: transaction element | load DIRECTORY NODE TEXT | listen
 * N element: one element to and from a set that has few and one that has many, in turns. load: a
 * whole ruleset into an empty kernel, as netlink from memory and by `nft -f TEXT`, in turns. Each
 * in network namespaces of its own. Prints names and microseconds, median and 99th percentile.
 * listen: N elements, while somebody in another network namespace listens to nf_tables: in parts,
 * as the daemon sends them, and in one transaction. Prints names, milliseconds of the processor,
 * those of the longest transaction, and the megabytes that the machine had less meanwhile.
 */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/task.h"
#include "measure.h"
#include "nft/kernel.h"
#include "offline/offline.h"
#include "render/render.h"
#include "sample.h"

#define FEW         10
#define MANY        100000
#define ROUNDS      5000
#define LOAD_ROUNDS 7

static void apply(struct nft_kernel *kernel, struct nft_plan *plan)
{
	struct err err = {0};

	if (nft_kernel_apply(kernel, plan, &err) < 0)
		measure_fail(err.text);
	nft_plan_done(plan);
	*plan = (struct nft_plan){0};
}

static void open_elsewhere(struct nft_kernel *kernel)
{
	struct err err = {0};

	if (unshare(CLONE_NEWNET) < 0)
		measure_fail("cannot make a network namespace");
	if (nft_kernel_open(kernel, &err) < 0)
		measure_fail(err.text);
}

/* A set in a kernel. */
struct target {
	struct ruleset ruleset;
	struct nft_kernel kernel;
	struct nft_set *set;
	struct series add, remove;
};

static void target_commit(struct target *t)
{
	struct nft_plan plan = {0};

	if (nft_plan_changes(&plan, &t->ruleset) < 0)
		measure_fail("out of memory");
	apply(&t->kernel, &plan);
	ruleset_committed(&t->ruleset);
}

static void target_open(struct target *t, size_t n)
{
	open_elsewhere(&t->kernel);
	sample_large(&t->ruleset, n);
	t->set = t->ruleset.sets;
	while (t->set && HASH_COUNT(t->set->elems) != n)
		t->set = t->set->hh.next;
	if (!t->set)
		measure_fail("the set is not there");
	target_commit(t);
}

static void target_round(struct target *t, size_t i)
{
	struct nft_key key = {.bytes = {172, 16, (uint8_t)(i >> 8), (uint8_t)i}};
	double start = measure_now_us();

	if (nft_set_add(t->set, &key, NULL) < 0)
		measure_fail("out of memory");
	target_commit(t);
	series_add(&t->add, measure_now_us() - start);
	start = measure_now_us();
	if (nft_set_remove(t->set, &key) < 0)
		measure_fail("out of memory");
	target_commit(t);
	series_add(&t->remove, measure_now_us() - start);
}

static void print(const char *name, struct series *series)
{
	printf("%s %.1f %.1f\n", name, series_percentile(series, 50),
	       series_percentile(series, 99));
	series_done(series);
}

static void target_close(struct target *t)
{
	nft_kernel_close(&t->kernel);
	ruleset_done(&t->ruleset);
}

static void element(void)
{
	struct target few = {0}, many = {0};

	target_open(&few, FEW);
	target_open(&many, MANY);
	for (size_t i = 0; i < ROUNDS; i++) {
		target_round(&few, i);
		target_round(&many, i);
	}
	print("few-add", &few.add);
	print("few-remove", &few.remove);
	print("many-add", &many.add);
	print("many-remove", &many.remove);
	target_close(&few);
	target_close(&many);
}

static void load_ours(const struct ruleset *ruleset, struct series *series)
{
	const struct ruleset nothing = {0};
	struct nft_plan plan = {0};
	struct nft_kernel kernel;
	double start;

	open_elsewhere(&kernel);
	start = measure_now_us();
	if (nft_plan_full(&plan, &nothing, ruleset) < 0)
		measure_fail("out of memory");
	apply(&kernel, &plan);
	series_add(series, measure_now_us() - start);
	nft_kernel_close(&kernel);
}

static void load_text(char *text, struct series *series)
{
	char nft[] = "nft", option[] = "-f";
	char *command[] = {nft, option, text, NULL};
	int status = -1;
	double start;
	pid_t pid;

	if (unshare(CLONE_NEWNET) < 0)
		measure_fail("cannot make a network namespace");
	start = measure_now_us();
	if (posix_spawnp(&pid, command[0], NULL, NULL, command, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		measure_fail("nft fails");
	series_add(series, measure_now_us() - start);
}

static void load(const char *directory, const char *node, char *text)
{
	struct render *render = render_new();
	struct series ours = {0}, nft = {0};
	struct graph_listener listener;
	struct offline cluster = {0};

	if (!render)
		measure_fail("out of memory");
	listener = render_listener(render);
	if (offline_load(&cluster, &directory, 1, node, &listener) < 0 || render_error(render) < 0)
		measure_fail("cannot load the cluster");
	for (unsigned i = 0; i < LOAD_ROUNDS; i++) {
		load_ours(render_ruleset(render), &ours);
		load_text(text, &nft);
	}
	print("ours", &ours);
	print("nft", &nft);
	offline_done(&cluster);
	render_free(render);
}

/* MemAvailable, in kB. */
static long available(void)
{
	FILE *in = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	while (in && fgets(line, sizeof(line), in) && sscanf(line, "MemAvailable: %ld", &kb) != 1)
		;
	if (in)
		fclose(in);
	return kb;
}

/* The least that there was while it ran, from a process beside us. */
struct sampler {
	pid_t pid;
	_Atomic long *least;
	long before;
};

static void sampler_start(struct sampler *s)
{
	s->least = mmap(NULL, sizeof(*s->least), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (s->least == MAP_FAILED)
		measure_fail("no memory");
	s->before = available();
	*s->least = s->before;
	s->pid = fork();
	for (long now; s->pid == 0;) {
		now = available();
		if (now < *s->least)
			*s->least = now;
	}
	if (s->pid < 0)
		measure_fail("cannot fork");
}

static double sampler_stop(struct sampler *s)
{
	double mb = (double)(s->before - *s->least) / 1024;

	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
	(void)munmap((void *)s->least, sizeof(*s->least));
	return mb;
}

static void open_listener(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), group = NFNLGRP_NFTABLES;

	if (fd < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		measure_fail("cannot listen");
}

static double processor_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

struct sending {
	struct nft_kernel kernel;
	struct nft_plan plan;
};

static void send_plan(void *ctx)
{
	struct sending *sending = ctx;

	apply(&sending->kernel, &sending->plan);
}

/* As in the daemon, but that each slice is over at once: a slice is a transaction then. */
static void listened(const char *name, const struct ruleset *ruleset, bool whole)
{
	const struct ruleset nothing = {0};
	struct sending sending = {0};
	struct sampler sampler;
	struct task *task;
	double sum = 0, longest = 0, mb;

	open_elsewhere(&sending.kernel);
	if (nft_plan_full(&sending.plan, &nothing, ruleset) < 0 ||
	    task_new(send_plan, &sending, &task) < 0)
		measure_fail("out of memory");
	sending.plan.whole = whole;
	sampler_start(&sampler);
	while (!task_ended(task)) {
		double start = processor_ms(), took;

		task_run(task, 0);
		took = processor_ms() - start;
		sum += took;
		longest = took > longest ? took : longest;
	}
	mb = sampler_stop(&sampler);
	printf("%s %.1f %.1f %.1f\n", name, sum, longest, mb);
	fflush(stdout);
	task_free(task);
	nft_kernel_close(&sending.kernel);
}

static void listen_to(size_t n)
{
	struct ruleset ruleset = {0};

	sample_large(&ruleset, n);
	listened("parts-alone", &ruleset, false);
	listened("whole-alone", &ruleset, true);
	open_listener();
	listened("parts", &ruleset, false);
	listened("whole", &ruleset, true);
	ruleset_done(&ruleset);
}

int main(int argc, char *argv[])
{
	if (argc == 3 && strcmp(argv[1], "listen") == 0) {
		listen_to(strtoul(argv[2], NULL, 10));
		return 0;
	}
	measure_first();
	if (argc == 2 && strcmp(argv[1], "element") == 0) {
		element();
	} else if (argc == 5 && strcmp(argv[1], "load") == 0) {
		load(argv[2], argv[3], argv[4]);
	} else {
		fprintf(stderr,
			"usage: transaction element | load DIRECTORY NODE TEXT | listen N\n");
		return 2;
	}
	return 0;
}
