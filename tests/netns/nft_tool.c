/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_tool COMMAND ARGUMENTS: the nft room by hand, for the scripts beside this file. A RULESET is
 * a directory or file of manifests, ports:MANIFESTS (each pod's interface is a bridge's port, and
 * its hardware address 0a:00:00:00:00 with the end of its IPv4 address), random:SEED or
 * large:ELEMENTS. */
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/intern.h"
#include "nft/print.h"
#include "nft/readback.h"
#include "nft/watch.h"
#include "offline/offline.h"
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
	struct allowed_sources allowed;
	struct offline offline;
	struct ruleset own;
	const struct ruleset *ruleset;
};

static void make_port(struct offline *offline, const struct pod *known)
{
	static const uint8_t mac[] = {0x0a};
	struct pod *pod = pod_copy(offline->strings, known);

	if (!pod)
		die("no memory");
	pod->bridged = true;
	pod->bridge = intern_get(offline->strings, "br0");
	if (!pod->bridge)
		die("no memory");
	pod->ifindex = if_nametoindex(pod->interface);
	memcpy(pod->mac, mac, sizeof(mac));
	pod->mac[5] = pod_addr(pod, FAMILY_V4)->b[3];
	if (graph_put(offline->graph, (struct object){.kind = KIND_POD, .pod = pod}) < 0)
		die("no memory");
}

/* What no manifest can say. */
static void make_ports(struct offline *offline)
{
	VEC(const struct pod *) pods = {0};

	for (const struct graph_namespace *ns = graph_next_namespace(offline->graph, NULL); ns;
	     ns = graph_next_namespace(offline->graph, ns)) {
		for (const struct graph_pod *pod = ns->pods; pod; pod = pod->hh.next) {
			if (pod->object->interface && vec_push(&pods, pod->object) < 0)
				die("no memory");
		}
	}
	for (size_t i = 0; i < pods.n; i++)
		make_port(offline, pods.v[i]);
	vec_free(&pods);
}

/* $ALLOWED_SOURCES: one entry, or none. */
static void configure(struct source *source)
{
	const char *text = getenv("ALLOWED_SOURCES");
	struct render_options options = {.allowed_sources = &source->allowed};

	if (text && allowed_sources_add(&source->allowed, text) < 0)
		die("$ALLOWED_SOURCES is none");
	if (render_configure(source->render, &options) < 0)
		die("no memory");
}

static void source_load(struct source *source, const char *name)
{
	*source = (struct source){.ruleset = &source->own};
	if (strncmp(name, "random:", 7) == 0) {
		sample_random(strtoull(name + 7, NULL, 0), &source->own);
	} else if (strncmp(name, "large:", 6) == 0) {
		sample_large(&source->own, strtoul(name + 6, NULL, 0));
	} else {
		bool ports = strncmp(name, "ports:", 6) == 0;
		struct graph_listener listener;

		name += ports ? 6 : 0;
		source->render = render_new();
		if (!source->render)
			die("no memory");
		configure(source);
		listener = render_listener(source->render);
		if (offline_load(&source->offline, &name, 1, NULL, &listener) < 0 ||
		    render_error(source->render) < 0)
			die("cannot load the manifests");
		if (ports)
			make_ports(&source->offline);
		source->ruleset = render_ruleset(source->render);
	}
}

static void source_done(struct source *source)
{
	if (source->render) {
		offline_done(&source->offline);
		render_free(source->render);
	}
	allowed_sources_done(&source->allowed);
	ruleset_done(&source->own);
}

static int command_print(char **args)
{
	struct source source;

	source_load(&source, args[0]);
	if (ruleset_print(source.ruleset, stdout) < 0)
		die("cannot print");
	source_done(&source);
	return 0;
}

static void open_kernel(struct nft_kernel *kernel)
{
	struct err err = {0};

	if (nft_kernel_open(kernel, &err) < 0)
		die(err.text);
}

/* Carries the plan out, and is done with it. */
static void carry_out(struct nft_kernel *kernel, struct nft_plan *plan)
{
	struct err err = {0};
	int rc = nft_kernel_apply(kernel, plan, &err);

	nft_plan_done(plan);
	*plan = (struct nft_plan){0};
	if (rc == 0)
		return;
	fprintf(stderr, "nft_tool: %s\n", err.text);
	for (size_t i = 0; i < kernel->refusals.n; i++) {
		const struct nft_refusal *refusal = &kernel->refusals.v[i];

		fprintf(stderr, "  message %u, of kind %d, %s: %s\n", refusal->message.seq,
			refusal->message.subject, refusal->message.name, strerror(-refusal->code));
	}
	exit(1);
}

static void read_back(struct nft_kernel *kernel, struct nft_found *found)
{
	struct err err = {0};

	if (nft_readback(kernel, found, &err) < 0)
		die(err.text);
}

/* What is missing in the kernel, told on stderr; 0: nothing. */
static size_t difference(struct nft_kernel *kernel, const struct ruleset *wanted,
			 struct nft_plan *plan)
{
	static const char *const parts[NFT_PLAN_PARTS] = {
		"tables",   "new sets", "new chains", "new elements", "new rules", "new elements",
		"drop",     "flush",    "remake",     "rules",        "elements",  "drop elements",
		"elements", "flush",    "drop sets",  "drop chains",
	};
	struct nft_found found;
	size_t messages = 0;

	read_back(kernel, &found);
	if (found.what[0])
		fprintf(stderr, "foreign: %s\n", found.what);
	if (nft_plan_repair(plan, &found, wanted) < 0)
		die("no memory");
	for (int part = 0; part < NFT_PLAN_PARTS; part++) {
		const struct nft_batch *batch = &plan->parts[part];

		messages += batch->messages.n;
		for (size_t i = 0; i < batch->messages.n; i++)
			fprintf(stderr, "%s: %s\n", parts[part], batch->messages.v[i].name);
	}
	nft_found_done(&found);
	return messages;
}

/* Into a kernel that has nothing of ours. */
static int command_fresh(char **args)
{
	struct nft_plan plan = {0};
	struct nft_kernel kernel;
	struct source source;

	source_load(&source, args[0]);
	open_kernel(&kernel);
	if (nft_plan_changes(&plan, source.ruleset) < 0)
		die("no memory");
	carry_out(&kernel, &plan);
	nft_kernel_close(&kernel);
	source_done(&source);
	return 0;
}

/* From what the kernel has to what is wanted; twice, the second time there is nothing to do. */
static int command_repair(char **args)
{
	struct nft_plan plan = {0};
	struct nft_kernel kernel;
	struct source source;
	size_t left;

	source_load(&source, args[0]);
	open_kernel(&kernel);
	if (difference(&kernel, source.ruleset, &plan) == 0)
		fputs("nothing to repair\n", stderr);
	carry_out(&kernel, &plan);
	left = difference(&kernel, source.ruleset, &plan);
	nft_plan_done(&plan);
	nft_kernel_close(&kernel);
	source_done(&source);
	return left > 0 ? 3 : 0;
}

/* Has the kernel what is wanted? */
static int command_same(char **args)
{
	struct nft_plan plan = {0};
	struct nft_kernel kernel;
	struct source source;
	size_t left;

	source_load(&source, args[0]);
	open_kernel(&kernel);
	left = difference(&kernel, source.ruleset, &plan);
	nft_plan_done(&plan);
	nft_kernel_close(&kernel);
	source_done(&source);
	return left > 0 ? 3 : 0;
}

/* From one to the other, the first being in the kernel. */
static int command_change(char **args)
{
	struct source from, to;
	struct nft_plan plan = {0};
	struct nft_kernel kernel;
	struct ruleset old;

	source_load(&from, args[0]);
	source_load(&to, args[1]);
	open_kernel(&kernel);
	old = *from.ruleset; /* to be looked at only */
	old.in_kernel[NFT_TABLE_POLICY] = true;
	old.in_kernel[NFT_TABLE_BRIDGE] = old.chains[NFT_TABLE_BRIDGE] != NULL;
	if (nft_plan_full(&plan, &old, to.ruleset) < 0)
		die("no memory");
	carry_out(&kernel, &plan);
	nft_kernel_close(&kernel);
	source_done(&from);
	source_done(&to);
	return 0;
}

/* A ruleset that changes as a daemon's does; the kernel follows, and has the same each time. */
static int command_journal(char **args)
{
	uint64_t seed = strtoull(args[0], NULL, 0), steps = strtoull(args[1], NULL, 0);
	struct nft_plan plan = {0};
	struct ruleset ruleset = {0};
	struct nft_kernel kernel;

	open_kernel(&kernel);
	sample_random(seed, &ruleset);
	for (uint64_t step = 0; step < steps; step++) {
		if (nft_plan_changes(&plan, &ruleset) < 0)
			die("no memory");
		carry_out(&kernel, &plan);
		ruleset_committed(&ruleset);
		if (nft_plan_changes(&plan, &ruleset) < 0 || !nft_plan_empty(&plan))
			die("a change that is committed is still in the journal");
		if (difference(&kernel, &ruleset, &plan) > 0) {
			fprintf(stderr, "nft_tool: step %llu went wrong\n",
				(unsigned long long)step);
			return 3;
		}
		sample_change(seed * 1000 + step, &ruleset);
	}
	ruleset_done(&ruleset);
	nft_kernel_close(&kernel);
	return 0;
}

static double now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static long peak_kib(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
	return usage.ru_maxrss;
}

/* What reading back and comparing cost, the kernel having what is wanted. */
static int command_measure(char **args)
{
	struct nft_plan plan = {0};
	struct nft_kernel kernel;
	struct nft_found found;
	struct source source;
	double start, read, compared;
	long before;

	source_load(&source, args[0]);
	open_kernel(&kernel);
	before = peak_kib();
	start = now_ms();
	read_back(&kernel, &found);
	read = now_ms();
	if (nft_plan_repair(&plan, &found, source.ruleset) < 0)
		die("no memory");
	compared = now_ms();
	printf("read %.1f ms, compared %.1f ms, %ld KiB more at the peak, %s\n", read - start,
	       compared - read, peak_kib() - before, nft_plan_empty(&plan) ? "same" : "different");
	nft_plan_done(&plan);
	nft_found_done(&found);
	nft_kernel_close(&kernel);
	source_done(&source);
	return 0;
}

static void session_repair(struct nft_kernel *kernel, const char *name)
{
	struct nft_plan plan = {0};
	struct source source;

	source_load(&source, name);
	printf("messages %zu\n", difference(kernel, source.ruleset, &plan));
	carry_out(kernel, &plan);
	source_done(&source);
}

static void session_read(struct nft_watch *watch)
{
	struct pollfd poll_fd = {.fd = nft_watch_fd(watch), .events = POLLIN};
	struct nft_touch touch;

	/* What has happened is there already: nothing is waited for. */
	do {
		if (nft_watch_read(watch, &touch) < 0)
			die("cannot read the watch");
	} while (!touch.touched && poll(&poll_fd, 1, 0) > 0);
	if (touch.touched)
		printf("touched by %u (%s): %s\n", touch.pid, touch.name, touch.what);
	else
		puts("quiet");
}

static void session_line(struct nft_kernel *kernel, struct nft_watch *watch, const char *line)
{
	bool missed = false;

	if (strncmp(line, "repair ", 7) == 0) {
		session_repair(kernel, line + 7);
	} else if (strcmp(line, "read") == 0) {
		session_read(watch);
	} else if (strcmp(line, "pause") == 0) {
		puts(nft_watch_pause(watch, kernel) == 0 ? "paused" : "failed");
	} else if (strcmp(line, "resume") == 0) {
		if (nft_watch_resume(watch, kernel, &missed) < 0)
			die("cannot resume");
		puts(missed ? "missed" : "complete");
	} else {
		die("the session knows repair RULESET, read, pause and resume");
	}
	(void)fflush(stdout); /* whoever reads it sees that nothing comes */
}

/* A daemon's socket and its watch, told on standard input what to do. */
static int command_session(char **args)
{
	struct nft_kernel kernel;
	struct nft_watch watch;
	struct err err = {0};
	char line[1024];

	(void)args;
	open_kernel(&kernel);
	if (nft_watch_open(&watch, &kernel, &err) < 0)
		die(err.text);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		session_line(&kernel, &watch, line);
	}
	nft_watch_close(&watch);
	nft_kernel_close(&kernel);
	return 0;
}

static const struct command {
	const char *name;
	int args;
	int (*run)(char **args);
} commands[] = {
	{"print", 1, command_print},     {"fresh", 1, command_fresh},
	{"repair", 1, command_repair},   {"same", 1, command_same},
	{"change", 2, command_change},   {"journal", 2, command_journal},
	{"measure", 1, command_measure}, {"session", 0, command_session},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0 && argc == commands[i].args + 2)
			return commands[i].run(argv + 2);
	}
	die("usage: nft_tool print|fresh|repair|same|measure RULESET, change FROM TO, "
	    "journal SEED STEPS, session");
	return 1;
}
