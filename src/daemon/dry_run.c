/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The offline modes: the ruleset as text, and validation alone. */
#include "daemon/dry_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "nft/print.h"
#include "offline/offline.h"
#include "render/render.h"

/* Manifests; without any, an API server. 0; -ENOMEM; -EINVAL: faults say why; -EIO: the log does.
 */
static int load(const struct settings *settings, const struct graph_listener *listener,
		struct offline *offline)
{
	struct err err = {0};
	int rc;

	if (settings->manifests.n > 0)
		return offline_load(offline, (const char *const *)settings->manifests.v,
				    settings->manifests.n, settings->node, listener);
	rc = offline_load_api(offline, settings->kubeconfig, settings->context, settings->node,
			      listener, &err);
	if (rc == 0 || rc == -ENOMEM || rc == -EINVAL)
		return rc;
	log_err("api", "%s", err.text);
	return -EIO;
}

static int need_manifests(const struct settings *settings)
{
	if (settings->manifests.n > 0)
		return 0;
	print_line(stderr,
		   "netpold: no manifests: expected -f PATH, or manifests in the configuration");
	return -EINVAL;
}

/* 0 or 2, an exit status; or -ENOMEM. */
static int report(struct offline *offline, const char *node)
{
	int rc = offline_warn(offline, node);

	offline->faults.colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
	faults_print(&offline->faults, stderr);
	return rc == 0 && offline->faults.errors > 0 ? 2 : rc;
}

static int no_memory(void)
{
	log_err("netpold", "out of memory: nothing was printed");
	return 1;
}

/* Pods that policy cannot reach yet, or never does, by name. */

struct left_out {
	VEC(const struct pod *) pods;
};

static int compare_pods(const void *left, const void *right)
{
	const struct pod *a = *(const struct pod *const *)left;
	const struct pod *b = *(const struct pod *const *)right;
	int order = strcmp(a->ns, b->ns);

	return order != 0 ? order : strcmp(a->name, b->name);
}

typedef bool (*pod_test_fn)(const struct graph_pod *pod);

static bool has_no_address(const struct graph_pod *pod)
{
	return graph_pod_is_peer(pod->object) && pod->object->n_addrs == 0 && !pod->is_endpoint;
}

static bool lost_address(const struct graph_pod *pod)
{
	return graph_pod_is_peer(pod->object) && pod->object->n_addrs > 0 && !pod->is_endpoint;
}

static bool is_selected_host(const struct graph_pod *pod)
{
	if (!pod->object->host_network || pod_finished(pod->object))
		return false;
	for (size_t i = 0; i < pod->ns->policies.n; i++) {
		if (label_selector_matches(&pod->ns->policies.v[i]->subject, &pod->object->labels))
			return true;
	}
	return false;
}

/* Stand-ins have no node: their pods may land on any. Those of a cluster are in the input
 * themselves. */
static bool concerns_node(const struct pod *pod, const char *node)
{
	if (pod->workload)
		return !pod->uid;
	return !node || (pod->node && strcmp(pod->node, node) == 0);
}

static int list_pods(const struct graph *graph, const char *node, pod_test_fn test,
		     const char *heading, FILE *out)
{
	const struct graph_namespace *ns = NULL;
	struct left_out list = {0};
	int rc = 0;

	while ((ns = graph_next_namespace(graph, ns)) && rc == 0) {
		for (const struct graph_pod *pod = ns->pods; pod && rc == 0; pod = pod->hh.next) {
			if (test(pod) && concerns_node(pod->object, node))
				rc = vec_push(&list.pods, pod->object);
		}
	}
	if (rc == 0 && list.pods.n > 0) {
		qsort(list.pods.v, list.pods.n, sizeof(list.pods.v[0]), compare_pods);
		print_line(out, "# %s:", heading);
		for (size_t i = 0; i < list.pods.n; i++)
			print_line(out, "#   %s/%s", list.pods.v[i]->ns, list.pods.v[i]->name);
	}
	vec_free(&list.pods);
	return rc;
}

static int compare_kinds(const void *left, const void *right)
{
	const struct unenforced *a = left, *b = right;
	int order = strcmp(a->kind, b->kind);

	return order != 0 ? order : strcmp(a->name, b->name);
}

static int list_unenforced(const struct files_report *files, FILE *out)
{
	size_t n = files->unenforced.n;
	struct unenforced *sorted = malloc((n + 1) * sizeof(sorted[0]));

	if (!sorted)
		return -ENOMEM;
	if (n > 0) {
		memcpy(sorted, files->unenforced.v, n * sizeof(sorted[0]));
		qsort(sorted, n, sizeof(sorted[0]), compare_kinds);
		fputs("# not enforced, of a kind that netpold does not know how to enforce:\n",
		      out);
	}
	for (size_t i = 0; i < n; i++)
		print_line(out, "#   %s %s", sorted[i].kind, sorted[i].name);
	free(sorted);
	return 0;
}

/* What the ruleset is for and what is not in it: comments, each of one line, as what they name
 * could hold commands otherwise. Places in files stay out: the same objects are the same bytes,
 * wherever they are written. */
static int print_header(const struct offline *offline, const char *node, FILE *out)
{
	struct graph_counts counts = graph_counts(offline->graph);
	int rc;

	print_line(out,
		   "# netpold ruleset for %s%s: pods %zu, isolated for ingress %zu, for egress %zu",
		   node ? "node " : "every pod as local", node ? node : "", counts.endpoints,
		   counts.isolated[DIR_INGRESS], counts.isolated[DIR_EGRESS]);
	fputs("# load: nft -f FILE    remove: nft delete table inet " NFT_TABLE_NAME "\n", out);
	rc = list_pods(offline->graph, node, has_no_address,
		       "no address yet, in here once they have one", out);
	if (rc == 0)
		rc = list_pods(offline->graph, node, lost_address,
			       "left out, another pod has their address by now", out);
	if (rc == 0)
		rc = list_pods(
			offline->graph, node, is_selected_host,
			"on the host's network, so the policies that select them have no effect",
			out);
	if (rc == 0)
		rc = list_unenforced(&offline->report, out);
	if (files_unrendered(&offline->report) > 0)
		print_line(out,
			   "# not rendered, and so not in here: documents %zu (see standard error)",
			   files_unrendered(&offline->report));
	if (offline->faults.errors > 0)
		fprintf(out, "# incomplete, faults in the input: %zu (see standard error)\n",
			offline->faults.errors);
	fputc('\n', out);
	return rc;
}

static int print_ruleset(const struct offline *offline, const struct render *render,
			 const char *node)
{
	int rc = print_header(offline, node, stdout);

	if (rc == 0)
		rc = ruleset_print(render_ruleset(render), stdout);
	if (rc == 0 && fflush(stdout) != 0)
		rc = -EIO;
	return rc;
}

/* 0, 1 or 2, an exit status; or -ENOMEM. */
static int render_and_print(const struct settings *settings, struct render *render,
			    struct offline *offline)
{
	struct graph_listener listener = render_listener(render);
	int status = 0, rc = load(settings, &listener, offline);

	if (rc == -EINVAL || rc == -EIO) {
		faults_print(&offline->faults, stderr);
		return rc == -EINVAL ? 2 : 1;
	}
	if (rc == 0)
		rc = render_error(render);
	if (rc == 0)
		rc = status = report(offline, settings->node);
	if (rc >= 0)
		rc = print_ruleset(offline, render, settings->node);
	if (rc == -EIO) {
		log_err("netpold", "cannot write the ruleset: %s", strerror(errno));
		return 1;
	}
	return rc < 0 ? rc : status;
}

int dry_run(const struct settings *settings)
{
	struct render_options options = {.local_node_allow = settings->local_node_allow,
					 .pod_tunnels = settings->pod_tunnels,
					 .allowed_sources = &settings->allowed_sources};
	struct render *render = render_new();
	struct offline offline = {.report.strict = settings->strict};
	int status = render ? render_configure(render, &options) : -ENOMEM;

	if (status == 0)
		status = render_and_print(settings, render, &offline);
	if (status < 0)
		status = no_memory();
	offline_done(&offline);
	render_free(render);
	return status;
}

int check(const struct settings *settings)
{
	struct offline offline = {.report.strict = settings->strict};
	int status;

	if (need_manifests(settings) < 0)
		return 2;
	if (load(settings, NULL, &offline) < 0) {
		offline_done(&offline);
		return no_memory();
	}
	status = report(&offline, settings->node);
	if (status < 0) {
		offline_done(&offline);
		return no_memory();
	}
	printf("files %zu: namespaces %zu, nodes %zu, pods %zu, network policies %zu, others %zu; "
	       "errors %zu, warnings %zu",
	       offline.report.files, offline.report.objects[KIND_NAMESPACE],
	       offline.report.objects[KIND_NODE], offline.report.objects[KIND_POD],
	       offline.report.objects[KIND_NETWORK_POLICY],
	       offline.report.unused + offline.report.unenforced.n, offline.faults.errors,
	       offline.faults.warnings);
	if (files_unrendered(&offline.report) > 0)
		printf(", not rendered %zu", files_unrendered(&offline.report));
	putchar('\n');
	if (fflush(stdout) != 0) {
		log_err("netpold", "cannot write: %s", strerror(errno));
		status = 1;
	}
	offline_done(&offline);
	return status;
}
