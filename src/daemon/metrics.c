/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon knows of itself, as numbers for Prometheus. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/memstream.h"
#include "daemon/antispoof.h"
#include "established.h"
#include "internal.h"

/* Of a label's value, escaped; a pod's name with its namespace is far shorter. */
#define METRICS_LABEL_MAX 1024

/* One metric: its help, its type, its value. */
static void put(FILE *out, const char *name, const char *type, const char *help, double value)
{
	(void)fprintf(out, "# HELP netpold_%s %s\n# TYPE netpold_%s %s\nnetpold_%s %.15g\n", name,
		      help, name, type, name, value);
}

/* Each bucket counts all that took no longer than its bound. */
static void put_histogram(FILE *out, const char *name, const char *help,
			  const struct histogram *histogram)
{
	uint64_t n = 0;

	(void)fprintf(out, "# HELP netpold_%s %s\n# TYPE netpold_%s histogram\n", name, help, name);
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
		n += histogram->counts[i];
		(void)fprintf(out, "netpold_%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
			      (double)histogram_bounds_us[i] / 1e6, n);
	}
	n += histogram->counts[HISTOGRAM_BOUNDS];
	(void)fprintf(out,
		      "netpold_%s_bucket{le=\"+Inf\"} %" PRIu64
		      "\nnetpold_%s_sum %.15g\nnetpold_%s_count %" PRIu64 "\n",
		      name, n, name, (double)histogram->sum_us / 1e6, name, n);
}

static void put_counts(const struct daemon *d, FILE *out)
{
	struct graph_counts counts = graph_counts(d->graph);

	put(out, "pods", "gauge", "Pods known.", (double)counts.pods);
	put(out, "namespaces", "gauge", "Namespaces known.", (double)counts.namespaces);
	put(out, "policies", "gauge", "NetworkPolicies known.", (double)counts.policies);
	put(out, "endpoints", "gauge", "Pods of this node that are in the ruleset.",
	    (double)counts.endpoints);
	put(out, "endpoints_isolated_ingress", "gauge", "Of these, isolated for ingress.",
	    (double)counts.isolated[DIR_INGRESS]);
	put(out, "endpoints_isolated_egress", "gauge", "Of these, isolated for egress.",
	    (double)counts.isolated[DIR_EGRESS]);
	put(out, "policies_not_enforced", "gauge",
	    "Policies of kinds that are not enforced; netpolctl status names them.",
	    (double)daemon_unenforced(d));
}

static void put_kernel(const struct daemon *d, FILE *out)
{
	const struct apply *a = &d->apply;

	put(out, "ready", "gauge",
	    "1 once the kernel has had everything, while changes are read from the API server.",
	    d->ready && !api_stalled(d));
	put(out, "up_to_date", "gauge", "1 while the kernel has what policy says.",
	    d->ready && !d->dirty && !api_stalled(d));
	put(out, "commits_total", "counter", "Transactions that changed the kernel's tables.",
	    (double)a->commits);
	put(out, "commit_failures_total", "counter", "Commits that failed and are tried again.",
	    (double)a->failures);
	put_histogram(out, "commit_duration_seconds",
		      "How long the transactions that changed the kernel's tables took.",
		      &a->durations);
	put_histogram(out, "event_to_commit_seconds",
		      "From the first event of a commit to the end of that commit.", &d->latency);
	put(out, "commit_last_seconds", "gauge", "How long the last commit took.",
	    (double)a->last_us / 1e6);
	put(out, "commit_longest_seconds", "gauge", "How long the longest commit took.",
	    (double)a->longest_us / 1e6);
	put(out, "committed_timestamp_seconds", "gauge", "When the last commit was; 0: never.",
	    (double)a->committed_ms / 1e3);
	put(out, "refused_objects", "gauge",
	    "Chains and sets that the kernel refuses; what they would allow is closed.",
	    (double)a->refused.n);
	put(out, "repairs_total", "counter", "Changes to our tables by others, repaired.",
	    (double)a->repairs);
	put(out, "kernel_bytes_total", "counter", "Bytes sent to nf_tables.",
	    (double)a->kernel.bytes);
}

/* Others are answered between two iterations: a long one keeps a liveness probe waiting. */
static void put_loop(const struct daemon *d, FILE *out)
{
	put_histogram(out, "loop_iteration_seconds",
		      "Processor time of each iteration of the event loop.", &d->iterations);
	put(out, "loop_longest_seconds", "gauge",
	    "Processor time of the longest iteration of the event loop.",
	    (double)d->longest_iteration_us / 1e6);
}

static void put_files(const struct daemon *d, FILE *out)
{
	put(out, "manifest_errors", "gauge", "Faults in the manifests as last read.",
	    (double)d->errors);
	put(out, "manifest_warnings", "gauge", "Warnings about the manifests as last read.",
	    (double)d->warnings);
	put(out, "manifests_not_rendered", "gauge",
	    "Documents that are templates, kustomizations or values, and not read.",
	    (double)files_unrendered(&d->report));
	put(out, "manifest_objects_kept", "gauge",
	    "Objects enforced as they were, because their file cannot be read.", (double)d->kept);
	put(out, "manifests_read_timestamp_seconds", "gauge", "When the manifests were last read.",
	    (double)d->read_ms / 1e3);
}

/* One metric of every resource. */
static void put_resources(const struct daemon *d, FILE *out, const char *name, const char *type,
			  const char *help, double (*value)(const struct reflector *r))
{
	const struct reflector *r;

	(void)fprintf(out, "# HELP netpold_api_%s %s\n# TYPE netpold_api_%s %s\n", name, help, name,
		      type);
	for (size_t i = 0; (r = api_source_reflector(d->api, i)); i++)
		(void)fprintf(out, "netpold_api_%s{resource=\"%s\"} %.15g\n", name,
			      r->resource->plural, value(r));
}

static double resource_up(const struct reflector *r)
{
	return r->stats.state == REFLECTOR_WATCHING || r->stats.state == REFLECTOR_ABSENT;
}

static double resource_objects(const struct reflector *r)
{
	return (double)r->stats.objects;
}

static double resource_events(const struct reflector *r)
{
	return (double)r->stats.events;
}

static double resource_lists(const struct reflector *r)
{
	return (double)r->stats.lists;
}

static double resource_watches(const struct reflector *r)
{
	return (double)r->stats.watches;
}

static double resource_failures(const struct reflector *r)
{
	return (double)r->stats.failures;
}

static double resource_broken(const struct reflector *r)
{
	return (double)r->stats.broken;
}

static double resource_age(const struct reflector *r)
{
	return r->stats.synced_ms ? (double)(clock_monotonic_ms() - r->stats.synced_ms) / 1e3 : -1;
}

static void put_api(const struct daemon *d, FILE *out)
{
	put_resources(d, out, "up", "gauge", "1 while the resource is watched, or is not there.",
		      resource_up);
	put_resources(d, out, "objects", "gauge", "Objects held.", resource_objects);
	put_resources(d, out, "events_total", "counter", "Objects and events received.",
		      resource_events);
	put_resources(d, out, "lists_total", "counter", "Complete lists begun.", resource_lists);
	put_resources(d, out, "watches_total", "counter", "Watches begun.", resource_watches);
	put_resources(d, out, "failures_total", "counter", "Requests that failed.",
		      resource_failures);
	put_resources(d, out, "broken_total", "counter", "Objects that could not be understood.",
		      resource_broken);
	put(out, "api_broken_objects", "gauge",
	    "Objects that cannot be understood; what they could open is closed.",
	    (double)HASH_COUNT(d->broken));
	put_resources(d, out, "listed_age_seconds", "gauge",
		      "Since the last complete list; -1: none yet.", resource_age);
}

static bool same_series(const struct finding *a, const struct finding *b)
{
	return strcmp(a->id, b->id) == 0 && a->level == b->level;
}

/* A series for each id and level. The list is sorted, so those of one series that are not open, and
 * those that are, follow each other; `from` is the first of a series. */
static size_t count_series(const struct finding *first, const struct finding *from)
{
	size_t n = 0;

	for (const struct finding *one = first; one != from; one = findings_next(one)) {
		if (same_series(one, from))
			return 0; /* counted there */
	}
	for (const struct finding *one = from; one; one = findings_next(one))
		n += same_series(one, from);
	return n;
}

static void put_findings(struct daemon *d, FILE *out)
{
	const struct finding *first = findings_first(&d->findings);

	put(out, "open", "gauge", "1 while packets pass that policy denies.",
	    daemon_state(d) == DAEMON_OPEN);
	(void)fprintf(out, "# HELP netpold_findings What is wrong; netpolctl status "
			   "has the words.\n"
			   "# TYPE netpold_findings gauge\n");
	for (const struct finding *one = first; one; one = findings_next(one)) {
		size_t n = count_series(first, one);

		if (n > 0)
			(void)fprintf(out, "netpold_findings{level=\"%s\",id=\"%s\"} %zu\n",
				      finding_level_name(one->level), one->id, n);
	}
	put(out, "findings_left_out", "gauge", "Findings beyond those that are kept with words.",
	    (double)findings_left_out(&d->findings));
}

static void put_pod(FILE *out, const char *pod, const char *reason)
{
	char label[METRICS_LABEL_MAX];

	(void)escape_copy(label, sizeof(label), ESCAPE_LABEL, pod);
	(void)fprintf(out, "netpold_pod_finding{pod=\"%s\",reason=\"%s\"} 1\n", label, reason);
}

static void put_closed_pod(void *ctx, const char *pod, const struct profile *profile)
{
	put_pod(ctx, pod,
		profile->dir == DIR_INGRESS ? "ingress-too-complicated" : "egress-too-complicated");
}

/* Each pod once, whatever of it is refused. 0 or -ENOMEM. */
static int put_refused_pods(const struct daemon *d, FILE *out, enum nft_table table,
			    const char *reason)
{
	struct nft_pods pods = {0};
	int rc = 0;

	for (size_t i = 0; i < d->apply.refused.n && rc == 0; i++) {
		if (d->apply.refused.v[i].table == table)
			rc = nft_refused_pods(render_ruleset(d->render), &d->apply.refused.v[i],
					      &pods);
	}
	for (size_t i = 0; i < pods.names.n; i++)
		put_pod(out, pods.names.v[i], reason);
	nft_pods_done(&pods);
	return rc;
}

static int put_pods(const struct daemon *d, FILE *out)
{
	int rc;

	(void)fprintf(out, "# HELP netpold_pod_finding Pods here for which something else "
			   "is enforced than policy says; netpolctl status has the words.\n"
			   "# TYPE netpold_pod_finding gauge\n");
	closed_each(d, put_closed_pod, out);
	rc = put_refused_pods(d, out, NFT_TABLE_POLICY, "refused");
	return rc == 0 ? put_refused_pods(d, out, NFT_TABLE_BRIDGE, "bridge-refused") : rc;
}

static void put_connections(const struct daemon *d, FILE *out)
{
	struct established_counts counts = established_counts(d->established);

	put(out, "connections_evaluated_total", "counter",
	    "Tracked connections evaluated again after a change.", (double)counts.evaluated);
	put(out, "connections_deleted_total", "counter",
	    "Of these, deleted: denied now, or of an address that another pod has now.",
	    (double)counts.deleted);
}

static void put_spoofing_pod(void *ctx, const struct graph_pod *pod, uint64_t dropped)
{
	char ns[METRICS_LABEL_MAX], name[METRICS_LABEL_MAX];

	(void)escape_copy(ns, sizeof(ns), ESCAPE_LABEL, pod->object->ns);
	(void)escape_copy(name, sizeof(name), ESCAPE_LABEL, pod->object->name);
	(void)fprintf(ctx,
		      "netpold_antispoofing_dropped_packets_total{namespace=\"%s\","
		      "pod=\"%s\"} %" PRIu64 "\n",
		      ns, name, dropped);
}

static void put_antispoofing(struct daemon *d, FILE *out)
{
	(void)fprintf(out, "# HELP netpold_antispoofing_dropped_packets_total Packets that "
			   "pods here have sent from addresses that are not theirs.\n"
			   "# TYPE netpold_antispoofing_dropped_packets_total counter\n");
	antispoof_each(d, put_spoofing_pod, out);
}

/* Counts what malloc(3) has given out: what is resident also has what was freed and not given back.
 */
static void put_memory(FILE *out)
{
	struct mallinfo2 info = mallinfo2();

	put(out, "heap_used_bytes", "gauge", "Memory of the heap that is in use.",
	    (double)(info.uordblks + info.hblkhd));
}

static int put_all(struct daemon *d, FILE *out)
{
	int rc;

	(void)fprintf(out,
		      "# HELP netpold_info The build.\n# TYPE netpold_info gauge\n"
		      "netpold_info{version=\"%s\"} 1\n",
		      PACKAGE_VERSION);
	put(out, "start_time_seconds", "gauge", "When the daemon started.",
	    (double)d->started_ms / 1e3);
	put_counts(d, out);
	put_kernel(d, out);
	put_loop(d, out);
	put_memory(out);
	rc = put_pods(d, out);
	put_connections(d, out);
	put_antispoofing(d, out);
	put_findings(d, out);
	if (d->follow)
		put_files(d, out);
	if (d->api)
		put_api(d, out);
	return rc;
}

/* A sample that is missing looks like a series that has ended: all of them, or none. */
int metrics_print(struct daemon *d, struct evbuffer *out)
{
	struct memstream stream;
	AUTO_FREE char *text = NULL;
	size_t len;
	int rc = memstream_open(&stream), end;

	if (rc < 0)
		return rc;
	rc = put_all(d, stream.out);
	end = memstream_close(&stream, &text, &len);
	rc = rc < 0 ? rc : end;
	return rc == 0 && evbuffer_add(out, text, len) < 0 ? -ENOMEM : rc;
}
