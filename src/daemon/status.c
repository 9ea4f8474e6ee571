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
	for (const struct unenforced_api *one = d->unenforced; one; one = one->hh.next) {
		char name[OBJECT_NAME_MAX];

		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:n, s:n}", "kind",
							    one->object.unenforced->type, "name",
							    object_name(&one->object, name), "file",
							    "line"));
	}
	return list;
}

static size_t count_unenforced(const struct daemon *d)
{
	return d->report.unenforced.n + HASH_COUNT(d->unenforced);
}

static json_t *json_files(const struct daemon *d)
{
	json_t *paths;

	if (!d->follow)
		return json_null();
	paths = json_array();
	for (size_t i = 0; i < d->settings->manifests.n; i++)
		(void)json_array_append_new(paths, json_string(d->settings->manifests.v[i]));
	return json_pack("{s:o, s:b, s:o, s:I, s:I, s:I, s:I, s:s?}", "paths", paths, "synced",
			 d->synced, "read", json_time(d->read_ms), "files",
			 (json_int_t)d->report.files, "errors", (json_int_t)d->errors, "warnings",
			 (json_int_t)d->warnings, "kept", (json_int_t)d->kept, "blind",
			 follow_blind(d->follow));
}

static json_t *json_resource(const struct reflector *r)
{
	int64_t age_ms = api_clock_ms() - r->stats.synced_ms;

	return json_pack("{s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:o}", "resource",
			 r->resource->plural, "state", reflector_state_name(r->stats.state),
			 "error", r->stats.error[0] ? r->stats.error : NULL, "objects",
			 (json_int_t)r->stats.objects, "events", (json_int_t)r->stats.events,
			 "lists", (json_int_t)r->stats.lists, "watches",
			 (json_int_t)r->stats.watches, "failures", (json_int_t)r->stats.failures,
			 "broken", (json_int_t)r->stats.broken, "version", r->stats.version,
			 "listed", json_time(r->stats.synced_ms ? realtime_ms() - age_ms : 0));
}

static json_t *json_broken(const struct daemon *d)
{
	json_t *list = json_array();

	for (const struct broken *one = d->broken; one; one = one->hh.next)
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s}", "object", one->key, "reason", one->reason));
	return list;
}

/* null where manifests are followed. */
static json_t *json_api(const struct daemon *d)
{
	json_t *resources;
	const struct reflector *r;

	if (!d->api)
		return json_null();
	resources = json_array();
	for (size_t i = 0; (r = api_source_reflector(d->api, i)); i++)
		(void)json_array_append_new(resources, json_resource(r));
	return json_pack("{s:s, s:s?, s:b, s:o, s:o}", "server", d->api_config.server, "context",
			 d->api_config.context, "synced", d->synced, "resources", resources,
			 "broken", json_broken(d));
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

static json_t *json_findings(const struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->preflight.findings.n; i++) {
		const struct preflight_finding *one = &d->preflight.findings.v[i];

		(void)json_array_append_new(list,
					    json_pack("{s:s, s:s, s:s, s:s}", "id", one->id,
						      "level", preflight_level_name(one->level),
						      "text", one->what, "fix", one->todo));
	}
	return list;
}

json_t *status_json(const struct daemon *d)
{
	struct graph_counts counts = graph_counts(d->graph);

	return json_pack(
		"{s:s, s:s?, s:o, s:b, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I}, "
		"s:o, s:o, s:o, s:o, s:o}",
		"version", PACKAGE_VERSION, "node", d->node, "started", json_time(d->started_ms),
		"ready", d->ready, "pods", "known", (json_int_t)counts.pods, "here",
		(json_int_t)counts.endpoints, "withDevice", (json_int_t)local_with_device(d),
		"isolatedIngress", (json_int_t)counts.isolated[DIR_INGRESS], "isolatedEgress",
		(json_int_t)counts.isolated[DIR_EGRESS], "namespaces",
		(json_int_t)counts.namespaces, "policies", "enforced", (json_int_t)counts.policies,
		"notEnforced", (json_int_t)count_unenforced(d), "notEnforced", json_unenforced(d),
		"files", json_files(d), "api", json_api(d), "kernel", json_kernel(d), "findings",
		json_findings(d));
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
	    (double)count_unenforced(d));
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

/* One metric of every resource. */
static void put_resources(const struct daemon *d, struct evbuffer *out, const char *name,
			  const char *type, const char *help,
			  double (*value)(const struct reflector *r))
{
	const struct reflector *r;

	(void)evbuffer_add_printf(out, "# HELP netpold_api_%s %s\n# TYPE netpold_api_%s %s\n", name,
				  help, name, type);
	for (size_t i = 0; (r = api_source_reflector(d->api, i)); i++)
		(void)evbuffer_add_printf(out, "netpold_api_%s{resource=\"%s\"} %.15g\n", name,
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
	return r->stats.synced_ms ? (double)(api_clock_ms() - r->stats.synced_ms) / 1e3 : -1;
}

static void put_api(const struct daemon *d, struct evbuffer *out)
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
	put_resources(d, out, "listed_age_seconds", "gauge",
		      "Since the last complete list; -1: none yet.", resource_age);
}

static bool same_series(const struct preflight_finding *a, const struct preflight_finding *b)
{
	return strcmp(a->id, b->id) == 0 && a->level == b->level;
}

/* A series for each kind of finding, of which there may be several. */
static void put_findings(const struct daemon *d, struct evbuffer *out)
{
	const struct preflight_finding *all = d->preflight.findings.v;

	(void)evbuffer_add_printf(out,
				  "# HELP netpold_host_finding How often something on this host is "
				  "in the way of enforcing; netpolctl status has the words.\n"
				  "# TYPE netpold_host_finding gauge\n");
	for (size_t i = 0; i < d->preflight.findings.n; i++) {
		size_t before = 0, n = 0;

		for (size_t j = 0; j < d->preflight.findings.n; j++) {
			before += j < i && same_series(&all[i], &all[j]);
			n += same_series(&all[i], &all[j]);
		}
		if (before == 0)
			(void)evbuffer_add_printf(
				out, "netpold_host_finding{id=\"%s\",level=\"%s\"} %zu\n",
				all[i].id, preflight_level_name(all[i].level), n);
	}
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
	put_findings(d, out);
	if (d->follow)
		put_files(d, out);
	if (d->api)
		put_api(d, out);
	return evbuffer_get_length(out) > 0 ? 0 : -ENOMEM;
}
