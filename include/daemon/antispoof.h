/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What anti-spoofing has dropped, by pod: read from the kernel when somebody asks. */
#ifndef DAEMON_ANTISPOOF_H
#define DAEMON_ANTISPOOF_H

#include <stdint.h>

#include "policy/graph.h"

struct daemon;

/* So many pods are looked at for one question: a node has a few hundred at most. */
#define ANTISPOOF_PODS_MAX 2048

/* Called for each pod that is kept from spoofing, with the packets of its chain since that was
 * written. */
typedef void (*antispoof_fn)(void *ctx, const struct graph_pod *pod, uint64_t dropped);

void antispoof_each(struct daemon *d, antispoof_fn fn, void *ctx);

#endif
