/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one pod's event costs, from object to ruleset: events DIRECTORY NODE
 * Loads the cluster, then adds, relabels and removes pods of other nodes, one by one, in namespaces
 * that pods of this node's policies look at. Prints microseconds (median and 99th percentile) and
 * the units of work that do not depend on the machine: selectors tested for an event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/intern.h"
#include "model/decode.h"
#include "offline/offline.h"
#include "render/names.h"
#include "render/render.h"

#define ROUNDS 3000

struct series {
	const char *name;
	double us[ROUNDS];
	size_t n, work;
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(struct series *series)
{
	qsort(series->us, series->n, sizeof(series->us[0]), compare);
	printf("  %-10s median %6.1f us   p99 %6.1f us   %5.1f selectors tested\n", series->name,
	       series->us[series->n / 2], series->us[series->n * 99 / 100],
	       (double)series->work / (double)series->n);
}

static struct object make_pod(struct intern *strings, size_t i, size_t namespaces, const char *app)
{
	struct faults faults = {0};
	struct decoder d = {.strings = strings, .faults = &faults};
	struct decoded decoded;
	char name[32], ns[32], ip[32];
	json_t *json;

	snprintf(name, sizeof(name), "bench-%zu", i);
	snprintf(ns, sizeof(ns), "team-%05zu", i % namespaces);
	snprintf(ip, sizeof(ip), "172.16.%zu.%zu", i / 250 % 256, i % 250 + 1);
	json = json_pack("{s:s,s:s,s:{s:s,s:s,s:{s:s,s:s}},s:{s:s},s:{s:s,s:s}}", "kind", "Pod",
			 "apiVersion", "v1", "metadata", "name", name, "namespace", ns, "labels",
			 "app", app, "tier", "back", "spec", "nodeName", "elsewhere", "status",
			 "phase", "Running", "podIP", ip);
	if (!json || decode_object(&d, json, NULL, NULL, &decoded) < 0) {
		fprintf(stderr, "events: cannot make a pod\n");
		exit(1);
	}
	struct object object = decoded.objects.v[0];
	vec_free(&decoded.objects);
	json_decref(json);
	return object;
}

struct bench {
	struct offline cluster;
	struct render *render;
};

static void record(struct bench *b, struct series *series, double start, size_t work)
{
	if (render_settle(b->render) < 0)
		exit(1);
	series->us[series->n++] = now_us() - start;
	series->work += graph_counts(b->cluster.graph).selectors_tested - work;
}

static void put(struct bench *b, struct series *series, struct object object)
{
	size_t work = graph_counts(b->cluster.graph).selectors_tested;
	double start = now_us();

	if (graph_put(b->cluster.graph, object) < 0)
		exit(1);
	record(b, series, start, work);
}

static void drop(struct bench *b, struct series *series, size_t i, size_t namespaces)
{
	size_t work = graph_counts(b->cluster.graph).selectors_tested;
	char name[32], ns[32];
	double start;

	snprintf(name, sizeof(name), "bench-%zu", i);
	snprintf(ns, sizeof(ns), "team-%05zu", i % namespaces);
	start = now_us();
	if (graph_remove(b->cluster.graph, KIND_POD, ns, name) < 0)
		exit(1);
	record(b, series, start, work);
}

int main(int argc, char *argv[])
{
	static struct series add = {.name = "added"}, relabel = {.name = "relabelled"},
			     gone = {.name = "removed"};
	struct bench b = {.render = render_new(NAME_DIGITS)};
	const char *paths[] = {argc > 2 ? argv[1] : NULL};
	struct graph_listener listener;

	if (argc != 3 || !b.render) {
		fprintf(stderr, "usage: events DIRECTORY NODE\n");
		return 2;
	}
	listener = render_listener(b.render);
	if (offline_load(&b.cluster, paths, 1, argv[2], &listener) < 0 || b.cluster.faults.errors)
		return 1;
	/* The namespaces of the first pods are the same in every size of cluster. */
	for (size_t i = 0; i < ROUNDS; i++) {
		put(&b, &add, make_pod(b.cluster.strings, i, 20, "web"));
		put(&b, &relabel, make_pod(b.cluster.strings, i, 20, "api"));
		drop(&b, &gone, i, 20);
	}
	printf("  one pod of another node, %zu pods in the cluster, %zu on this node:\n",
	       graph_counts(b.cluster.graph).pods, graph_counts(b.cluster.graph).endpoints);
	print(&add);
	print(&relabel);
	print(&gone);
	offline_done(&b.cluster);
	render_free(b.render);
	return 0;
}
