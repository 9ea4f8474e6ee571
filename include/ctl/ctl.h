/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netpolctl's subcommands. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/vec.h"
#include "offline/offline.h"

#define CTL_DEFAULT_CONTROL "/run/netpold/control.sock"

/* What else can be asked where the daemon does not answer. */
#define CTL_OR_MANIFESTS " (-f PATH asks manifests instead)"

enum output { OUTPUT_TEXT, OUTPUT_JSON };

struct ctl {
	VEC(const char *) manifests;      /* PATHs of -f */
	const char *kubeconfig, *context; /* an API server instead of manifests; NULL each */
	const char *control;              /* path of the daemon's socket */
	enum output output;
	bool colour;            /* of standard output */
	bool verbose;           /* test: also what holds */
	bool has_local_node;    /* how pods reach their own node was said: */
	bool local_node_allow;  /* whatever policies say */
	struct offline cluster; /* without a graph: the daemon is asked */
};

/* Exit statuses; the last one stands for the second, and for a message. */
enum { CTL_OK = 0, CTL_FAILED = 1, CTL_UNUSABLE = 2, CTL_NO_MEMORY };

/* Runs `netpolctl ARGV`; returns its exit status. */
int ctl_main(int argc, char *argv[], const char *version);

/* The subcommands, with the operands behind their name. They return an exit status. */
int ctl_explain(struct ctl *ctl, int argc, char *argv[]);
int ctl_test(struct ctl *ctl, int argc, char *argv[]);
int ctl_graph(struct ctl *ctl, int argc, char *argv[]);
int ctl_status(struct ctl *ctl, int argc, char *argv[]);

/* A line on standard output. 0 or -ENOMEM. */
int ctl_print_json(const json_t *json);

/* The exit status for a negative errno: of -ENOMEM, of -EIO, which has been told, or else `other`.
 */
int ctl_status_of(int rc, int other);

#endif
