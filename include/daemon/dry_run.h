/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_DRY_RUN_H
#define DAEMON_DRY_RUN_H

#include "daemon/settings.h"

/* Both print on stdout what was asked for and on stderr every fault, and return an exit status: 0;
 * 1: no memory, or output that could not be written; 2: faults in the input (what was sound is
 * still used). */
int dry_run(const struct settings *settings);
int check(const struct settings *settings);

#endif
