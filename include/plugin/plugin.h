/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CNI plugin: the last of its chain. It hands the result of those before it to the daemon and
 * returns when the pod is enforced, so that no packet of a pod goes ahead of its policies. By the
 * CNI specification, versions 0.3.1 to 1.1.0. */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include <stdio.h>

/* One invocation: CNI_* from the environment, the network configuration from `in`, the result or an
 * error object to `out`. Returns the exit status. */
int plugin_main(FILE *in, FILE *out, const char *version);

#endif
