/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "measure.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model/decode.h"

double measure_now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void measure_first(void)
{
	const struct sched_param lowest = {.sched_priority = 1};

	(void)sched_setscheduler(0, SCHED_FIFO, &lowest); /* an ordinary user may not */
}

_Noreturn void measure_fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

void series_add(struct series *series, double us)
{
	if (vec_push(&series->us, us) < 0)
		measure_fail("out of memory");
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double series_percentile(struct series *series, unsigned percent)
{
	if (series->us.n == 0)
		return 0;
	qsort(series->us.v, series->us.n, sizeof(series->us.v[0]), compare);
	return series->us.v[series->us.n * percent / 100];
}

void series_done(struct series *series)
{
	vec_free(&series->us);
}

void measure_pod_name(size_t i, char ret_ns[static 32], char ret_name[static 32])
{
	(void)snprintf(ret_ns, 32, "team-%05zu", i % MEASURE_NAMESPACES);
	(void)snprintf(ret_name, 32, "bench-%zu", i);
}

struct object measure_pod(struct intern *strings, size_t i, const char *app, const char *node,
			  const char *interface)
{
	struct faults faults = {0};
	/* Annotations count. */
	struct decoder d = {.strings = strings, .faults = &faults, .trusted = true};
	struct decoded decoded;
	char name[32], ns[32], ip[32];
	json_t *json;

	measure_pod_name(i, ns, name);
	(void)snprintf(ip, sizeof(ip), "172.16.%zu.%zu", i / 250 % 256, i % 250 + 1);
	json = json_pack("{s:s,s:s,s:{s:s,s:s,s:{s:s,s:s},s:{s:s*}},s:{s:s},s:{s:s,s:s}}", "kind",
			 "Pod", "apiVersion", "v1", "metadata", "name", name, "namespace", ns,
			 "labels", "app", app, "tier", "back", "annotations",
			 "netpold.io/interface", interface, "spec", "nodeName", node, "status",
			 "phase", "Running", "podIP", ip);
	if (!json || decode_object(&d, json, NULL, NULL, &decoded) < 0)
		measure_fail("cannot make a pod");
	struct object object = decoded.objects.v[0];
	vec_free(&decoded.objects);
	json_decref(json);
	return object;
}
