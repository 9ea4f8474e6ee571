/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netpold --lockdown: until the daemon's first commit nothing is forwarded from pods or to them. */
#ifndef DAEMON_LOCKDOWN_H
#define DAEMON_LOCKDOWN_H

#include "daemon/settings.h"

/* The file of the state directory that has the networks of pods, a CIDR a line. */
#define POD_NETWORKS_FILE "pod-networks"
/* 16,384 nodes of both families take less. */
#define POD_NETWORKS_BYTES_MAX (1u << 20)

/* 0, 1 or 2, as an exit status, after messages. */
int lockdown(const struct settings *settings);

#endif
