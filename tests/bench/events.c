/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one pod's event costs, from object to ruleset, and with "commit" to the kernel:
 *     events DIRECTORY NODE [commit DEVICE]
 * Loads the cluster, then adds, relabels and removes pods of other nodes, one by one, in namespaces
 * that pods of this node's policies look at; with "commit" also pods of this node, behind the
 * device. Prints for each what was done, microseconds (median and 99th percentile), and the units
 * of work that do not depend on the machine: selectors tested for an event. */
#include <stdio.h>
#include <string.h>

#include "daemon/apply.h"
#include "measure.h"
#include "offline/offline.h"

#define ROUNDS       3000
#define ROUNDS_HERE  1000
#define ROUNDS_FIRST 100
#define ARRIVING     1000

struct act {
	const char *name;
	struct series series;
	size_t work;
};

struct bench {
	struct offline cluster;
	struct render *render;
	struct apply apply;
	bool commit;
};

static size_t selectors_tested(const struct bench *b)
{
	return graph_counts(b->cluster.graph).selectors_tested;
}

static void commit(struct bench *b)
{
	struct err err = {0};
	bool changed;

	if (b->commit && apply_commit(&b->apply, &changed, &err) < 0)
		measure_fail(err.text);
}

/* From the event to the kernel; then, as the daemon does, what the kernel says of the change is
 * heard. */
static void record(struct bench *b, struct act *act, double start, size_t work)
{
	struct nft_touch touch;

	if (render_error(b->render) < 0)
		measure_fail("out of memory");
	commit(b);
	series_add(&act->series, measure_now_us() - start);
	act->work += selectors_tested(b) - work;
	if (b->commit && nft_watch_read(&b->apply.watch, &touch) < 0)
		measure_fail("cannot hear of changes");
}

static void put(struct bench *b, struct act *act, struct object object)
{
	size_t work = selectors_tested(b);
	double start = measure_now_us();

	if (graph_put(b->cluster.graph, object) < 0)
		measure_fail("out of memory");
	record(b, act, start, work);
}

static void drop(struct bench *b, struct act *act, size_t i)
{
	size_t work = selectors_tested(b);
	char name[32], ns[32];
	double start;

	measure_pod_name(i, ns, name);
	start = measure_now_us();
	if (graph_remove(b->cluster.graph, KIND_POD, ns, name) < 0)
		measure_fail("out of memory");
	record(b, act, start, work);
}

static void print(struct act *act)
{
	printf("%-18s %.1f %.1f %.1f\n", act->name, series_percentile(&act->series, 50),
	       series_percentile(&act->series, 99), (double)act->work / (double)act->series.us.n);
	series_done(&act->series);
}

static void elsewhere(struct bench *b)
{
	struct act added = {.name = "elsewhere-added"},
		   relabelled = {.name = "elsewhere-relabelled"};
	struct act removed = {.name = "elsewhere-removed"};
	struct intern *strings = b->cluster.strings;

	for (size_t i = 0; i < ROUNDS; i++) {
		put(b, &added, measure_pod(strings, i, "web", "elsewhere", NULL));
		put(b, &relabelled, measure_pod(strings, i, "api", "elsewhere", NULL));
		drop(b, &removed, i);
	}
	print(&added);
	print(&relabelled);
	print(&removed);
}

/* A thousand pods of this node in one change, as after a reboot: milliseconds until the ruleset has
 * them, and of the commit. */
static void arrive(struct bench *b, const char *node)
{
	double start = measure_now_us(), graph;

	for (size_t i = 0; i < ARRIVING; i++) {
		if (graph_put(b->cluster.graph,
			      measure_pod(b->cluster.strings, i, "web", node, NULL)) < 0)
			measure_fail("out of memory");
	}
	graph = measure_now_us();
	commit(b);
	printf("arrive %.1f %.1f 0\n", (graph - start) / 1000, (measure_now_us() - graph) / 1000);
}

/* Beside another pod that is found by its interface: the first one makes the chains that look up
 * interfaces anew, and the last one again. */
static void here(struct bench *b, const char *node, const char *device)
{
	struct act added = {.name = "here-added"}, removed = {.name = "here-removed"};
	struct act first = {.name = "here-first"}, last = {.name = "here-last"};
	struct intern *strings = b->cluster.strings;

	for (size_t i = 0; i < ROUNDS_FIRST; i++) {
		put(b, &first, measure_pod(strings, i, "web", node, device));
		drop(b, &last, i);
	}
	put(b, &first, measure_pod(strings, ROUNDS_HERE, "web", node, "other0"));
	for (size_t i = 0; i < ROUNDS_HERE; i++) {
		put(b, &added, measure_pod(strings, i, "web", node, device));
		drop(b, &removed, i);
	}
	drop(b, &last, ROUNDS_HERE);
	print(&first);
	print(&last);
	print(&added);
	print(&removed);
}

int main(int argc, char *argv[])
{
	struct bench b = {.render = render_new()};
	const char *paths[] = {argc > 2 ? argv[1] : NULL};
	struct graph_listener listener;
	struct err err = {0};

	b.commit = argc == 5 && strcmp(argv[3], "commit") == 0;
	if ((argc != 3 && !b.commit) || !b.render) {
		fprintf(stderr, "usage: events DIRECTORY NODE [commit DEVICE]\n");
		return 2;
	}
	listener = render_listener(b.render);
	if (offline_load(&b.cluster, paths, 1, argv[2], &listener) < 0 || b.cluster.faults.errors)
		measure_fail("cannot load the cluster");
	if (b.commit && apply_open(&b.apply, b.render, true, &err) < 0)
		measure_fail(err.text);
	commit(&b);
	measure_first();
	elsewhere(&b);
	if (b.commit) {
		here(&b, argv[2], argv[4]);
		arrive(&b, argv[2]);
		apply_close(&b.apply);
	}
	offline_done(&b.cluster);
	render_free(b.render);
	return 0;
}
