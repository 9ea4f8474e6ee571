/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the benchmarks share: times, and pods to try. Whatever goes wrong ends the program. */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include "base/intern.h"
#include "base/vec.h"
#include "model/object.h"

/* Microseconds of some clock that only goes forward. */
double measure_now_us(void);

/* From here on ahead of whatever else the machine does, where that is allowed: what others do makes
 * figures noisy, and 99th percentiles useless. */
void measure_first(void);

_Noreturn void measure_fail(const char *what);

struct series {
	VEC(double) us;
};

void series_add(struct series *series, double us);
/* Sorts them. */
double series_percentile(struct series *series, unsigned percent);
void series_done(struct series *series);

/* The pods to try are in so many namespaces, which clusters of every size have. */
#define MEASURE_NAMESPACES 20

/* "bench-7" */
void measure_pod_name(size_t i, char ret_ns[static 32], char ret_name[static 32]);

/* A running pod of that name; `interface`: its device, NULL: unknown. */
struct object measure_pod(struct intern *strings, size_t i, const char *app, const char *node,
			  const char *interface);

#endif
