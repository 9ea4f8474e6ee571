/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pods as policy sees them, and what isolates each. */
#ifndef ANSWER_PODS_H
#define ANSWER_PODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "policy/graph.h"

/* Writes, by namespace and name, at most `max` pods (at least one) that come behind `after`,
 * "NAMESPACE/NAME" or "": lines of text, or an object a line, as in netpolctl(8). 0 with the last
 * one's name in *ret_last, to be freed, where more follow, else NULL; or -ENOMEM. */
int pods_print(struct graph *graph, const char *after, size_t max, bool json, FILE *out,
	       char **ret_last);

#endif
