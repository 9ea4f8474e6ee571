/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netpolctl's subcommands. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/vec.h"
#include "offline/offline.h"
#include "policy/eval.h"

#define CTL_DEFAULT_CONTROL "/run/netpold/control.sock"

enum output { OUTPUT_TEXT, OUTPUT_JSON };

struct ctl {
	VEC(const char *) manifests;      /* PATHs of -f */
	const char *kubeconfig, *context; /* an API server instead of manifests; NULL each */
	const char *control;              /* path of the daemon's socket */
	enum output output;
	bool colour;  /* of standard output */
	bool verbose; /* test: also what holds */
	struct offline cluster;
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

/* One line of flows. */
struct flow_line {
	struct flow flow;
	bool expects; /* it says what should happen */
	enum verdict expected;
	const char *file;
	unsigned line;
};

/* 0, or what ends the run. */
typedef int (*flow_line_fn)(void *ctx, const struct flow_line *line);

/* Calls `fn` for each flow of a file ("-": standard input): FROM [->] TO PROTO[/PORT] [allow|deny],
 * # begins a comment. Lines that are none are told in `faults` and counted in *unusable. 0, or what
 * fn returned. */
int flows_read(const char *path, bool need_expectation, struct faults *faults, flow_line_fn fn,
	       void *ctx, size_t *unusable);

#endif
