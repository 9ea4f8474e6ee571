/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_tool COMMAND ARGUMENTS: the nft room by hand, for the scripts beside this file. A RULESET is
 * a directory or file of manifests, random:SEED, guard:DEVICE or large:ELEMENTS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nft/kernel.h"
#include "nft/print.h"
#include "offline/offline.h"
#include "render/names.h"
#include "render/render.h"
#include "sample.h"

static void die(const char *what)
{
	fprintf(stderr, "nft_tool: %s\n", what);
	exit(1);
}

/* A ruleset, and whose it is. */
struct source {
	struct render *render; /* NULL: own */
	struct offline offline;
	struct ruleset own;
	const struct ruleset *ruleset;
};

static void source_load(struct source *source, const char *name)
{
	*source = (struct source){.ruleset = &source->own};
	if (strncmp(name, "random:", 7) == 0) {
		sample_random(strtoull(name + 7, NULL, 0), &source->own);
	} else if (strncmp(name, "guard:", 6) == 0) {
		sample_guard(&source->own, name + 6);
	} else if (strncmp(name, "large:", 6) == 0) {
		sample_large(&source->own, strtoul(name + 6, NULL, 0));
	} else {
		struct graph_listener listener;

		source->render = render_new(NAME_DIGITS);
		if (!source->render)
			die("no memory");
		listener = render_listener(source->render);
		if (offline_load(&source->offline, &name, 1, NULL, &listener) < 0 ||
		    render_settle(source->render) < 0)
			die("cannot load the manifests");
		source->ruleset = render_ruleset(source->render);
	}
}

static void source_done(struct source *source)
{
	if (source->render) {
		offline_done(&source->offline);
		render_free(source->render);
	}
	ruleset_done(&source->own);
}

static int command_print(char **names)
{
	struct source source;

	source_load(&source, names[0]);
	if (ruleset_print(source.ruleset, stdout) < 0)
		die("cannot print");
	source_done(&source);
	return 0;
}

static void apply(struct nft_kernel *kernel, const struct nft_plan *plan)
{
	struct err err = {0};

	if (nft_kernel_apply(kernel, plan, &err) == 0)
		return;
	fprintf(stderr, "nft_tool: %s\n", err.text);
	for (size_t i = 0; i < kernel->refusals.n; i++) {
		const struct nft_refusal *refusal = &kernel->refusals.v[i];

		fprintf(stderr, "  message %u, of %d %s: %s\n", refusal->message.seq,
			refusal->message.subject, refusal->message.name, strerror(-refusal->code));
	}
	exit(1);
}

/* To an empty kernel. */
static int command_apply(char **names)
{
	struct nft_kernel kernel;
	struct source source;
	struct nft_plan plan;
	struct err err = {0};

	source_load(&source, names[0]);
	if (nft_kernel_open(&kernel, &err) < 0)
		die(err.text);
	plan = (struct nft_plan){.seq = kernel.seq + 1};
	if (nft_plan_changes(&plan, source.ruleset) < 0)
		die("no memory");
	apply(&kernel, &plan);
	nft_plan_done(&plan);
	nft_kernel_close(&kernel);
	source_done(&source);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "print") == 0)
		return command_print(argv + 2);
	if (argc == 3 && strcmp(argv[1], "apply") == 0)
		return command_apply(argv + 2);
	die("usage: nft_tool print|apply RULESET");
	return 1;
}
