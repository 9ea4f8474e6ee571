/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The modes that change the kernel. Both return an exit status: 0 done; 1 it failed, stderr says
 * why; 2 the input or the settings are of no use. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/settings.h"

/* Keeps the kernel equal to what policy says, until SIGTERM or SIGINT; the rules then stay. With
 * MODE_ONCE: brings it up to date and returns. */
int daemon_run(const struct settings *settings);

/* Removes our tables. */
int daemon_cleanup(const struct settings *settings);

#endif
