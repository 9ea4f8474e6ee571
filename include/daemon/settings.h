/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What netpold is told to do: by its command line and its configuration file. One table describes
 * both. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/vec.h"
#include "render/allowed_sources.h"

#define SETTINGS_MAX 48

enum mode {
	MODE_DAEMON,
	MODE_ONCE,
	MODE_CLEANUP,
	MODE_LOCKDOWN,
	MODE_DRY_RUN,
	MODE_CHECK,
	MODE_HELP,
	MODE_VERSION
};

struct settings {
	enum mode mode;
	char *config; /* as given; NULL: the default file, where it exists */

	VEC(char *) manifests; /* none: an API server is followed */
	char *kubeconfig;      /* NULL: the first that there is, see api_config_find() */
	char *context;
	char *node;                      /* NULL: with manifests, every pod is local */
	VEC(struct prefix) pod_networks; /* none: those of Node objects, as they were saved */
	char *state_directory;           /* "": nothing is saved */
	char *cni_results;               /* the directory of libcni's cache */
	char *cni_plugin_results;        /* netpold-cni's */
	char *control;                   /* path of the control socket; "": none */
	char *metrics;                   /* ADDRESS:PORT; "": none */
	char *control_group;             /* whose members may ask there, too; NULL: nobody */
	char *user;                      /* to become; NULL: nobody else */
	unsigned commit_interval_ms;
	bool share_tables;                /* others may change our tables, too */
	bool keep_established;            /* a change of policy leaves standing connections alone */
	unsigned api_progress_deadline_s; /* API_PROGRESS_DEADLINE_MS where none is set */
	bool drop_unknown_pods;
	bool local_node_allow; /* pods may reach their own node whatever policies say */
	struct allowed_sources allowed_sources; /* of pods beside their own */
	bool pod_tunnels;                       /* and have tunnels of their own, but to nodes */
	bool strict;                            /* documents that are not rendered are errors */
	enum log_level log_level;

	bool given[SETTINGS_MAX]; /* on the command line, which wins; by place in the table */
};

/* Defaults, then the command line. 0; -EINVAL after a message on stderr; -ENOMEM. settings_done()
 * either way. */
int settings_parse(struct settings *settings, int argc, char *argv[]);

/* Adds what the configuration file says and the command line does not. 0; -EINVAL: see faults;
 * -ENOMEM. */
int settings_read_config(struct settings *settings, struct faults *faults);

/* This node's name where an API server is followed: as set, $NODE_NAME, or the host's. 0 or
 * -ENOMEM. */
int settings_default_node(struct settings *settings);

void settings_done(struct settings *settings);

/* --help: fits a screen. */
void settings_print_help(FILE *out);

#endif
