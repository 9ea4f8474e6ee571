/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon knows of itself: as JSON for netpolctl status, as numbers for Prometheus. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "internal.h"

/* RFC 3339, as Kubernetes writes times; null for 0. */
static json_t *json_time(int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];

	if (ms == 0 || !gmtime_r(&seconds, &tm) ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return json_null();
	return json_string(text);
}

static json_t *json_unenforced(const struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->report.unenforced.n; i++) {
		const struct unenforced *one = &d->report.unenforced.v[i];

		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i}", "kind",
							    one->kind, "name", one->name, "file",
							    one->file, "line", (int)one->line));
	}
	return list;
}

static json_t *json_files(const struct daemon *d)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < d->settings->manifests.n; i++)
		(void)json_array_append_new(paths, json_string(d->settings->manifests.v[i]));
	return json_pack("{s:o, s:b, s:o, s:I, s:I, s:I, s:I, s:s?}", "paths", paths, "synced",
			 d->synced, "read", json_time(d->read_ms), "files",
			 (json_int_t)d->report.files, "errors", (json_int_t)d->errors, "warnings",
			 (json_int_t)d->warnings, "kept", (json_int_t)d->kept, "blind",
			 d->follow ? follow_blind(d->follow) : NULL);
}

static json_t *json_refused(const struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->apply.refused.n; i++) {
		const struct nft_refused *one = &d->apply.refused.v[i];
		char whom[300];

		nft_refused_describe(render_ruleset(d->render), one, whom, sizeof(whom));
		(void)json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:s}", "table",
				  one->table == NFT_TABLE_GUARD ? "netdev" : "inet", "what",
				  one->set ? "set" : "chain", "name", one->name, "closes", whom));
	}
	return list;
}

static json_t *json_kernel(const struct daemon *d)
{
	const struct apply *a = &d->apply;

	return json_pack("{s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:o}", "upToDate",
			 d->ready && !d->dirty, "committed", json_time(a->committed_ms), "commits",
			 (json_int_t)a->commits, "lastMicroseconds", (json_int_t)a->last_us,
			 "longestMicroseconds", (json_int_t)a->longest_us, "failures",
			 (json_int_t)a->failures, "repairs", (json_int_t)a->repairs, "readbacks",
			 (json_int_t)a->readbacks, "problem", a->problem[0] ? a->problem : NULL,
			 "refused", json_refused(d));
}

json_t *status_json(const struct daemon *d)
{
	struct graph_counts counts = graph_counts(d->graph);

	return json_pack(
		"{s:s, s:s?, s:o, s:b, s:{s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I}, s:o, s:o, s:o}",
		"version", PACKAGE_VERSION, "node", d->node, "started", json_time(d->started_ms),
		"ready", d->ready, "pods", "known", (json_int_t)counts.pods, "here",
		(json_int_t)counts.endpoints, "isolatedIngress",
		(json_int_t)counts.isolated[DIR_INGRESS], "isolatedEgress",
		(json_int_t)counts.isolated[DIR_EGRESS], "namespaces",
		(json_int_t)counts.namespaces, "policies", "enforced", (json_int_t)counts.policies,
		"notEnforced", (json_int_t)d->report.unenforced.n, "notEnforced",
		json_unenforced(d), "files", json_files(d), "kernel", json_kernel(d));
}

/* One metric: its help, its type, its value. */
static void put(struct evbuffer *out, const char *name, const char *type, const char *help,
		double value)
{
	(void)evbuffer_add_printf(out,
				  "# HELP netpold_%s %s\n# TYPE netpold_%s %s\nnetpold_%s %.15g\n",
				  name, help, name, type, name, value);
}

static void put_counts(const struct daemon *d, struct evbuffer *out)
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
	    (double)d->report.unenforced.n);
}

static void put_kernel(const struct daemon *d, struct evbuffer *out)
{
	const struct apply *a = &d->apply;

	put(out, "ready", "gauge", "1 once the kernel has had everything.", d->ready);
	put(out, "up_to_date", "gauge", "1 while the kernel has what policy says.",
	    d->ready && !d->dirty);
	put(out, "commits_total", "counter", "Transactions that changed the kernel's tables.",
	    (double)a->commits);
	put(out, "commit_failures_total", "counter", "Commits that failed and are tried again.",
	    (double)a->failures);
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

static void put_files(const struct daemon *d, struct evbuffer *out)
{
	put(out, "manifest_errors", "gauge", "Faults in the manifests as last read.",
	    (double)d->errors);
	put(out, "manifest_warnings", "gauge", "Warnings about the manifests as last read.",
	    (double)d->warnings);
	put(out, "manifest_objects_kept", "gauge",
	    "Objects enforced as they were, because their file cannot be read.", (double)d->kept);
	put(out, "manifests_read_timestamp_seconds", "gauge", "When the manifests were last read.",
	    (double)d->read_ms / 1e3);
}

int metrics_print(const struct daemon *d, struct evbuffer *out)
{
	(void)evbuffer_add_printf(out,
				  "# HELP netpold_info The build.\n# TYPE netpold_info gauge\n"
				  "netpold_info{version=\"%s\"} 1\n",
				  PACKAGE_VERSION);
	put(out, "start_time_seconds", "gauge", "When the daemon started.",
	    (double)d->started_ms / 1e3);
	put_counts(d, out);
	put_kernel(d, out);
	put_files(d, out);
	return evbuffer_get_length(out) > 0 ? 0 : -ENOMEM;
}
