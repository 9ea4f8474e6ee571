/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of netpolctl. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/json_text.h"
#include "base/options.h"

static const struct option_spec specs[] = {
	{"manifests", 'f', "PATH", "a manifest, a directory of them, or -; repeatable"},
	{"kubeconfig", 0, "FILE", "an API server instead of manifests"},
	{"context", 0, "NAME", "of the kubeconfig [its current one]"},
	{"output", 'o', "FORMAT", "text (default) or json, one object a line"},
	{"control", 0, "PATH", "the daemon's socket [" CTL_DEFAULT_CONTROL "]"},
	{"local-node-egress", 0, "WHAT", NULL},
	{"strict", 0, NULL, NULL},
	{"verbose", 'v', NULL, "test: also show what holds"},
	{"help", 'h', NULL, "show this help and exit"},
	{"version", 'V', NULL, "show the version and exit"},
	{NULL, 0, NULL, NULL},
};

static const struct command {
	const char *name;
	int (*run)(struct ctl *ctl, int argc, char *argv[]);
	bool reads; /* what is named; without that, and else, the daemon is asked */
} commands[] = {
	{"explain", ctl_explain, true},
	{"test", ctl_test, true},
	{"graph", ctl_graph, true},
	{"status", ctl_status, false},
};

struct invocation {
	struct ctl ctl;
	bool help, version;
};

static void print_help(FILE *out)
{
	fputs("usage: netpolctl explain [OPTION]... [-f PATH]... FROM TO PROTO[/PORT] | -\n"
	      "       netpolctl test [OPTION]... [-f PATH]... FLOWS...\n"
	      "       netpolctl graph [OPTION]... [-f PATH]...\n"
	      "       netpolctl status [OPTION]...\n"
	      "explain: do network policies let a flow pass, and why (-: flows from stdin)\n"
	      "test:    do the flows of a file fare as it says    graph: what isolates pods\n"
	      "status:  what the daemon on this node does         without -f they ask it, too\n"
	      "\n"
	      "  FROM, TO   namespace/pod (or a workload's name), or an address\n"
	      "  PROTO      tcp, udp, sctp (without PORT: all ports), icmp, any\n"
	      "  FLOWS      file of expectations: shop/web -> shop/api tcp/8080 allow\n"
	      "\n",
	      out);
	options_print(specs, out);
	fputs("\n"
	      "exit status: 0 answered (test: all hold), 1 failed (test: one does not hold),\n"
	      "             2 unusable input (stderr says what was wrong)\n"
	      "manuals: netpolctl(8), netpold(8)\n",
	      out);
}

static int parse_local_node_egress(struct ctl *ctl, const char *value)
{
	ctl->has_local_node = true;
	ctl->local_node_allow = strcmp(value, "allow") == 0;
	if (ctl->local_node_allow || strcmp(value, "policy") == 0)
		return 0;
	print_line(stderr, "netpolctl: --local-node-egress %s: expected policy or allow", value);
	return -EINVAL;
}

static int take_option(void *ctx, const char *name, const char *value)
{
	struct invocation *inv = ctx;

	if (strcmp(name, "help") == 0)
		inv->help = true;
	else if (strcmp(name, "version") == 0)
		inv->version = true;
	else if (strcmp(name, "verbose") == 0)
		inv->ctl.verbose = true;
	else if (strcmp(name, "strict") == 0)
		inv->ctl.cluster.report.strict = true;
	else if (strcmp(name, "manifests") == 0)
		return vec_push(&inv->ctl.manifests, value);
	else if (strcmp(name, "kubeconfig") == 0)
		inv->ctl.kubeconfig = value;
	else if (strcmp(name, "context") == 0)
		inv->ctl.context = value;
	else if (strcmp(name, "control") == 0)
		inv->ctl.control = value;
	else if (strcmp(name, "local-node-egress") == 0)
		return parse_local_node_egress(&inv->ctl, value);
	else if (strcmp(value, "json") == 0)
		inv->ctl.output = OUTPUT_JSON;
	else if (strcmp(value, "text") != 0) {
		print_line(stderr, "netpolctl: --output %s: expected text or json", value);
		return -EINVAL;
	}
	return 0;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* Both from standard input cannot be. */
static bool reads_stdin_twice(const struct ctl *ctl, int argc, char *argv[])
{
	size_t n = 0;

	for (size_t i = 0; i < ctl->manifests.n; i++)
		n += strcmp(ctl->manifests.v[i], "-") == 0;
	for (int i = 0; i < argc; i++)
		n += strcmp(argv[i], "-") == 0;
	return n > 1;
}

/* Without either there is no graph: the daemon has one. */
static int load_objects(struct ctl *ctl, int argc, char *argv[])
{
	bool api = ctl->kubeconfig || ctl->context;
	struct err err = {0};
	int rc;

	if (api && ctl->manifests.n > 0) {
		print_line(stderr, "netpolctl: expected -f PATH or an API server, not both");
		return CTL_UNUSABLE;
	}
	if (reads_stdin_twice(ctl, argc, argv)) {
		print_line(stderr, "netpolctl: standard input (-) can be read only once");
		return CTL_UNUSABLE;
	}
	if (!api && ctl->manifests.n == 0) {
		if (!ctl->has_local_node)
			return CTL_OK;
		fprintf(stderr, "netpolctl: --local-node-egress: expected -f PATH or an API server "
				"with it: the daemon has a setting of its own\n");
		return CTL_UNUSABLE;
	}
	if (api)
		rc = offline_load_api(&ctl->cluster, ctl->kubeconfig, ctl->context, NULL, NULL,
				      &err);
	else
		rc = offline_load(&ctl->cluster, ctl->manifests.v, ctl->manifests.n, NULL, NULL);
	if (err.code)
		print_line(stderr, "netpolctl: %s", err.text);
	if (rc < 0 && rc != -ENOMEM)
		return rc == -EINVAL ? CTL_UNUSABLE : CTL_FAILED;
	if (rc == 0)
		rc = offline_warn(&ctl->cluster, NULL);
	if (rc == 0)
		graph_allow_local_node(ctl->cluster.graph, ctl->local_node_allow);
	return rc < 0 ? CTL_NO_MEMORY : CTL_OK;
}

int ctl_print_json(const json_t *json)
{
	return json_print(json, stdout);
}

int ctl_status_of(int rc, int other)
{
	return rc == -ENOMEM ? CTL_NO_MEMORY : rc == -EIO ? CTL_FAILED : other;
}

/* Prints what there is so far, and forgets it. How many errors there were. */
static size_t print_faults(struct faults *faults)
{
	size_t errors = faults->errors;

	faults->colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
	faults_print(faults, stderr);
	faults_done(faults);
	return errors;
}

/* Errors of the input come before the answers: they may be why these are not as expected. Where
 * no file could be read, an answer about it would only be another error. */
static int check_input(struct ctl *ctl, size_t *ret_errors)
{
	*ret_errors = print_faults(&ctl->cluster.faults);
	return *ret_errors > 0 && ctl->manifests.n > 0 && ctl->cluster.report.files == 0
		       ? CTL_UNUSABLE
		       : CTL_OK;
}

static int run_command(struct ctl *ctl, const struct command *command, int argc, char *argv[])
{
	int status = command->reads ? load_objects(ctl, argc, argv) : CTL_OK;
	size_t errors = 0;

	if (status == CTL_OK)
		status = check_input(ctl, &errors);
	if (status == CTL_OK)
		status = command->run(ctl, argc, argv);
	if (fflush(stdout) != 0) {
		print_line(stderr, "netpolctl: cannot write: %s", strerror(errno));
		return CTL_FAILED;
	}
	errors += print_faults(&ctl->cluster.faults);
	if (status == CTL_NO_MEMORY) {
		print_line(stderr, "netpolctl: out of memory");
		return CTL_FAILED;
	}
	return errors > 0 ? CTL_UNUSABLE : status;
}

int ctl_main(int argc, char *argv[], const char *version)
{
	struct invocation inv = {.ctl = {.control = CTL_DEFAULT_CONTROL,
					 .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")}};
	const struct command *command = NULL;
	int first, status = CTL_UNUSABLE;

	if (options_parse(argc, argv, specs, take_option, &inv, &first) < 0)
		goto out;
	if (inv.help || inv.version) {
		if (inv.help)
			print_help(stdout);
		else
			printf("netpolctl %s\n", version);
		status = CTL_OK;
		goto out;
	}
	if (first < argc)
		command = find_command(argv[first]);
	if (command)
		status = run_command(&inv.ctl, command, argc - first - 1, argv + first + 1);
	else if (first < argc)
		print_line(stderr, "netpolctl: %s: expected explain, test, graph or status",
			   argv[first]);
	else
		print_line(stderr,
			   "netpolctl: expected a command: explain, test, graph or status; see "
			   "netpolctl --help");
out:
	offline_done(&inv.ctl.cluster);
	vec_free(&inv.ctl.manifests);
	return status;
}
