/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon knows of itself, as JSON for netpolctl status. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json_text.h"
#include "daemon/antispoof.h"
#include "established.h"
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

/* Nothing may be missing from a list: without memory it becomes NULL, and json_pack() with it. */
static void append(json_t **list, json_t *item)
{
	if (*list && json_array_append_new(*list, item) == 0)
		return;
	if (!*list)
		json_decref(item); /* an append that fails has given it back */
	json_decref(*list);
	*list = NULL;
}

static json_t *json_unenforced(const struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->report.unenforced.n; i++) {
		const struct unenforced *one = &d->report.unenforced.v[i];

		append(&list, json_pack("{s:o, s:o, s:o, s:i}", "kind", json_text(one->kind),
					"name", json_text(one->name), "file", json_text(one->file),
					"line", (int)one->line));
	}
	for (const struct unenforced_api *one = d->unenforced; one; one = one->hh.next) {
		char name[OBJECT_NAME_MAX];

		append(&list,
		       json_pack("{s:o, s:o, s:n, s:n}", "kind",
				 json_text(one->object.unenforced->type), "name",
				 json_text(object_name(&one->object, name)), "file", "line"));
	}
	return list;
}

size_t daemon_unenforced(const struct daemon *d)
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
		append(&paths, json_text(d->settings->manifests.v[i]));
	return json_pack("{s:o, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "paths", paths, "synced",
			 d->synced, "read", json_time(d->read_ms), "files",
			 (json_int_t)d->report.files, "errors", (json_int_t)d->errors, "warnings",
			 (json_int_t)d->warnings, "notRendered",
			 (json_int_t)files_unrendered(&d->report), "kept", (json_int_t)d->kept,
			 "blind", json_text(follow_blind(d->follow)));
}

static json_t *json_resource(const struct reflector *r)
{
	int64_t age_ms = clock_monotonic_ms() - r->stats.synced_ms;

	return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "resource",
			 r->resource->plural, "state", reflector_state_name(r->stats.state),
			 "error", json_text(r->stats.error[0] ? r->stats.error : NULL), "objects",
			 (json_int_t)r->stats.objects, "events", (json_int_t)r->stats.events,
			 "lists", (json_int_t)r->stats.lists, "watches",
			 (json_int_t)r->stats.watches, "failures", (json_int_t)r->stats.failures,
			 "broken", (json_int_t)r->stats.broken, "version",
			 json_text(r->stats.version), "listed",
			 json_time(r->stats.synced_ms ? clock_realtime_ms() - age_ms : 0));
}

static json_t *json_broken(const struct daemon *d)
{
	json_t *list = json_array();

	for (const struct broken *one = d->broken; one; one = one->hh.next)
		append(&list, json_pack("{s:o, s:o}", "object", json_text(one->key), "reason",
					json_text(one->reason)));
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
		append(&resources, json_resource(r));
	return json_pack("{s:o, s:o, s:b, s:o, s:o}", "server", json_text(d->api_config.server),
			 "context", json_text(d->api_config.context), "synced", d->synced,
			 "resources", resources, "broken", json_broken(d));
}

static json_t *json_refused_pods(const struct ruleset *ruleset, const struct nft_refused *refused)
{
	struct nft_pods pods = {0};
	json_t *list = json_array();

	if (nft_refused_pods(ruleset, refused, &pods) < 0) {
		json_decref(list);
		list = NULL;
	}
	for (size_t i = 0; i < pods.names.n; i++)
		append(&list, json_text(pods.names.v[i]));
	nft_pods_done(&pods);
	return list;
}

/* Of one pod; it may have 1,000. */
#define STATUS_POLICIES_MAX 10

static void add_closed(void *ctx, const char *pod, const struct profile *profile)
{
	json_t *policies = json_array();
	size_t n = profile->n_policies < STATUS_POLICIES_MAX ? profile->n_policies
							     : STATUS_POLICIES_MAX;

	for (size_t i = 0; i < n; i++)
		append(&policies,
		       json_sprintf("%s/%s", profile->policies[i]->ns, profile->policies[i]->name));
	append(ctx, json_pack("{s:s, s:s, s:o, s:I}", "pod", pod, "direction",
			      direction_name(profile->dir), "policies", policies, "policiesLeftOut",
			      (json_int_t)(profile->n_policies - n)));
}

static json_t *json_closed(const struct daemon *d)
{
	json_t *list = json_array();

	closed_each(d, add_closed, &list);
	return list;
}

static json_t *json_refused(const struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->apply.refused.n; i++) {
		const struct nft_refused *one = &d->apply.refused.v[i];
		char whom[300];

		nft_refused_describe(render_ruleset(d->render), one, whom, sizeof(whom));
		append(&list,
		       json_pack("{s:s, s:s, s:o, s:o, s:o}", "table", nft_table_word(one->table),
				 "what", one->set ? "set" : "chain", "name", json_text(one->name),
				 "closes", json_text(whom), "pods",
				 json_refused_pods(render_ruleset(d->render), one)));
	}
	return list;
}

static json_t *json_kernel(const struct daemon *d)
{
	const struct apply *a = &d->apply;

	return json_pack("{s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "upToDate",
			 d->ready && !d->dirty, "committed", json_time(a->committed_ms), "commits",
			 (json_int_t)a->commits, "lastMicroseconds", (json_int_t)a->last_us,
			 "longestMicroseconds", (json_int_t)a->longest_us, "failures",
			 (json_int_t)a->failures, "repairs", (json_int_t)a->repairs, "readbacks",
			 (json_int_t)a->readbacks, "problem",
			 json_text(a->problem[0] ? a->problem : NULL), "refused", json_refused(d));
}

static json_t *json_findings(struct daemon *d)
{
	json_t *list = json_array();

	for (const struct finding *one = findings_first(&d->findings); one;
	     one = findings_next(one))
		append(&list,
		       json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "id", one->id, "level",
				 finding_level_name(one->level), "open", one->open, "subject",
				 json_text(one->subject), "text", json_text(one->what), "fix",
				 json_text(one->todo), "since", json_time(one->since_ms)));
	return list;
}

/* Connections that stand when policy changes. */
static json_t *json_connections(const struct daemon *d)
{
	struct established_counts counts = established_counts(d->established);

	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "available", counts.available,
			 "evaluated", (json_int_t)counts.evaluated, "deleted",
			 (json_int_t)counts.deleted, "reassigned", (json_int_t)counts.reassigned,
			 "cut", (json_int_t)counts.cut, "passes", (json_int_t)counts.passes,
			 "failures", (json_int_t)counts.failures, "busy", counts.busy);
}

/* Only pods of which something was dropped: mostly there are none. */
static void add_spoofing_pod(void *ctx, const struct graph_pod *pod, uint64_t dropped)
{
	char name[OBJECT_NAME_MAX];
	struct object object = {.kind = KIND_POD, .pod = pod->object};

	if (dropped > 0)
		append(ctx, json_pack("{s:o, s:I}", "pod", json_text(object_name(&object, name)),
				      "dropped", (json_int_t)dropped));
}

static json_t *json_antispoofing(struct daemon *d)
{
	json_t *list = json_array();

	antispoof_each(d, add_spoofing_pod, &list);
	return list;
}

json_t *status_json(struct daemon *d)
{
	struct graph_counts counts = graph_counts(d->graph);

	return json_pack(
		"{s:s, s:s, s:o, s:o, s:b, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I}, "
		"s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}",
		"state", daemon_state_name(daemon_state(d)), "version", PACKAGE_VERSION, "node",
		json_text(d->node), "started", json_time(d->started_ms), "ready", d->ready, "pods",
		"known", (json_int_t)counts.pods, "here", (json_int_t)counts.endpoints,
		"withDevice", (json_int_t)local_with_device(d), "isolatedIngress",
		(json_int_t)counts.isolated[DIR_INGRESS], "isolatedEgress",
		(json_int_t)counts.isolated[DIR_EGRESS], "namespaces",
		(json_int_t)counts.namespaces, "policies", "enforced", (json_int_t)counts.policies,
		"notEnforced", (json_int_t)daemon_unenforced(d), "longestIterationMicroseconds",
		(json_int_t)d->longest_iteration_us, "notEnforced", json_unenforced(d), "files",
		json_files(d), "api", json_api(d), "kernel", json_kernel(d), "tooComplicated",
		json_closed(d), "antispoofing", json_antispoofing(d), "connections",
		json_connections(d), "findings", json_findings(d), "findingsLeftOut",
		(json_int_t)findings_left_out(&d->findings));
}
