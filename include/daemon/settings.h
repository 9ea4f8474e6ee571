/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What netpold is told to do: by its command line and its configuration file. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/vec.h"

enum mode { MODE_NONE, MODE_DRY_RUN, MODE_CHECK, MODE_HELP, MODE_VERSION };

struct settings {
	enum mode mode;
	VEC(char *) manifests;
	char *node;   /* NULL: every pod is local */
	char *config; /* as given; NULL: the default file, where it exists */
	bool manifests_given, node_given, log_given; /* on the command line, which wins */
};

/* 0; -EINVAL after a message on stderr; -ENOMEM. settings_done() either way. */
int settings_parse(struct settings *settings, int argc, char *argv[]);

/* Adds what the configuration file says and the command line does not. 0; -EINVAL: see faults;
 * -ENOMEM. */
int settings_read_config(struct settings *settings, struct faults *faults);

void settings_done(struct settings *settings);

/* --help: fits a screen. */
void settings_print_help(FILE *out);

#endif
