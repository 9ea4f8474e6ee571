/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel takes for a transaction: transaction element | load DIRECTORY NODE TEXT
 * element: one element to and from a set that has few and one that has many, in turns.
 * load: a whole ruleset into an empty kernel, as netlink from memory and by `nft -f TEXT`, in
 * turns. Each in network namespaces of its own. Prints names and microseconds, median and 99th
 * percentile.
 */
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
	struct offline cluster;

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

int main(int argc, char *argv[])
{
	measure_first();
	if (argc == 2 && strcmp(argv[1], "element") == 0) {
		element();
	} else if (argc == 5 && strcmp(argv[1], "load") == 0) {
		load(argv[2], argv[3], argv[4]);
	} else {
		fprintf(stderr, "usage: transaction element | load DIRECTORY NODE TEXT\n");
		return 2;
	}
	return 0;
}
