/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An API server as the source: its objects into the graph. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/table.h"
#include "internal.h"
#include "local.h"
#include "source/api.h"

static void broken_free(struct daemon *d, struct broken *broken)
{
	d->broken_here -= broken->pod != NULL;
	pod_free(d->strings, broken->pod);
	free(broken->key);
	free(broken->reason);
	free(broken);
}

/* Takes the key over, in any case. NULL: no memory. */
static struct broken *broken_new(struct daemon *d, char *key, const struct object *object,
				 const char *reason)
{
	bool here = object->kind == KIND_POD && local_may_have(d, object->pod);
	struct broken *broken = calloc(1, sizeof(*broken));

	if (!broken) {
		free(key);
		return NULL;
	}
	broken->key = key;
	broken->reason = strdup(reason);
	if (here)
		broken->pod = pod_copy(d->strings, object->pod);
	d->broken_here += broken->pod != NULL;
	if (broken->reason && (broken->pod || !here))
		return broken;
	broken_free(d, broken);
	return NULL;
}

/* What is wrong with an object that cannot be understood; "" for one that can. */
static int note_broken(struct daemon *d, const struct object *object, const char *reason)
{
	char name[OBJECT_NAME_MAX], *key = NULL;
	struct broken *broken;

	if (asprintf(&key, "%s %s", kind_name(object->kind), object_name(object, name)) < 0)
		return -ENOMEM;
	HASH_FIND_STR(d->broken, key, broken);
	if (broken) {
		HASH_DEL(d->broken, broken);
		broken_free(d, broken);
	}
	if (!reason) {
		free(key);
		return 0;
	}
	log_err("api", "%s cannot be understood: %s: %s", key, reason,
		object->kind == KIND_POD ? "the pod is closed, all else is enforced"
		: object->kind == KIND_NETWORK_POLICY
			? "what it selects is closed, all else is enforced"
			: "it is passed over, all else is enforced");
	broken = broken_new(d, key, object, reason);
	if (!broken)
		return -ENOMEM;
	HASH_ADD_KEYPTR(hh, d->broken, broken->key, strlen(broken->key), broken);
	if (table_added(broken))
		return 0;
	broken_free(d, broken);
	return -ENOMEM;
}

/* A policy's stand-in isolates what the policy would; of other kinds nothing is known, and what was
 * is true no more. */
static int take_broken(struct daemon *d, const struct event *event)
{
	const struct object *object = &event->object;
	int rc = note_broken(d, object, event->reason);

	if (rc == 0 && object->kind == KIND_NETWORK_POLICY)
		return local_put(d, *object);
	if (rc == 0)
		return local_remove(d, *object);
	object_free(d->strings, *object);
	return rc;
}

static void forget_unenforced(struct daemon *d, struct unenforced_api *one)
{
	HASH_DEL(d->unenforced, one);
	object_free(d->strings, one->object);
	free(one->key);
	free(one);
}

static int add_unenforced(struct daemon *d, char *key, struct object object)
{
	struct unenforced_api *one = calloc(1, sizeof(*one));

	if (!one)
		return -ENOMEM;
	one->key = key;
	one->object = object;
	HASH_ADD_KEYPTR(hh, d->unenforced, one->key, strlen(one->key), one);
	if (table_added(one)) {
		log_warning("api",
			    "%s: not enforced: only NetworkPolicy of networking.k8s.io/v1 is", key);
		return 0;
	}
	free(one);
	return -ENOMEM;
}

/* Takes the object over. */
static int take_unenforced(struct daemon *d, enum event_type type, struct object object)
{
	char name[OBJECT_NAME_MAX], *key = NULL;
	struct unenforced_api *known;
	int rc = 0;

	if (asprintf(&key, "%s %s", object.unenforced->type, object_name(&object, name)) < 0) {
		object_free(d->strings, object);
		return -ENOMEM;
	}
	HASH_FIND_STR(d->unenforced, key, known);
	if (type == EVENT_UPSERT && !known) {
		rc = add_unenforced(d, key, object);
		if (rc == 0)
			return 0;
	} else if (type == EVENT_DELETE && known) {
		log_notice("api", "%s is gone", key);
		forget_unenforced(d, known);
	}
	object_free(d->strings, object);
	free(key);
	return rc;
}

static int take_synced(struct daemon *d)
{
	struct graph_counts counts;
	int rc;

	d->synced = true;
	rc = graph_sync(d->graph);
	if (rc < 0)
		return rc;
	counts = graph_counts(d->graph);
	log_notice("api", "all read: pods %zu, namespaces %zu, policies %zu, nodes %zu",
		   counts.pods, counts.namespaces, counts.policies, counts.nodes);
	return 0;
}

static int handle_event(struct daemon *d, const struct event *event)
{
	const struct object *object = &event->object;
	int rc = 0;

	if (event->type != EVENT_SYNCED && object->kind == KIND_UNENFORCED)
		return take_unenforced(d, event->type, *object);
	change_begin(d);
	switch (event->type) {
	case EVENT_UPSERT:
		rc = note_broken(d, object, NULL);
		if (rc == 0)
			rc = local_put(d, *object);
		else
			object_free(d->strings, *object);
		break;
	case EVENT_DELETE:
		rc = note_broken(d, object, NULL);
		if (rc == 0)
			rc = local_remove(d, *object);
		else
			object_free(d->strings, *object);
		break;
	case EVENT_BROKEN:
		rc = take_broken(d, event);
		break;
	case EVENT_SYNCED:
		rc = take_synced(d);
		break;
	}
	change_end(d);
	reconcile_soon(d);
	return rc;
}

/* An event that waits its turn. */
struct waiting_event {
	struct job job;
	struct event event;
	char *reason;
	int64_t arrived_us;
};

static void waiting_event_free(struct daemon *d, struct waiting_event *waiting)
{
	if (waiting->event.type != EVENT_SYNCED)
		object_free(d->strings, waiting->event.object);
	free(waiting->reason);
	free(waiting);
}

static void drop_event(struct daemon *d, struct job *job)
{
	waiting_event_free(d, (struct waiting_event *)job);
}

static void run_event(struct daemon *d, struct job *job)
{
	struct waiting_event *waiting = (struct waiting_event *)job; /* its first member */

	d->arrived_us = waiting->arrived_us;
	if (handle_event(d, &waiting->event) < 0)
		daemon_give_up(d);
	waiting->event = (struct event){.type = EVENT_SYNCED}; /* the object is taken */
	waiting_event_free(d, waiting);
}

static int queue_event(struct daemon *d, const struct event *event)
{
	struct waiting_event *waiting = calloc(1, sizeof(*waiting));

	if (waiting) {
		waiting->job = (struct job){.run = run_event, .drop = drop_event};
		waiting->event = *event;
		waiting->event.reason = waiting->reason =
			event->reason ? strdup(event->reason) : NULL;
		waiting->arrived_us = clock_monotonic_us();
	}
	if (waiting && (!event->reason || waiting->reason)) {
		work_add(d, &waiting->job);
		return d->fatal ? -ENOMEM : 0;
	}
	if (event->type != EVENT_SYNCED)
		object_free(d->strings, event->object);
	free(waiting);
	return -ENOMEM;
}

/* Before the first sync an event of another node's pod, or of a node, takes microseconds. There are
 * very many of these then. */
static bool is_small(const struct daemon *d, const struct event *event)
{
	if (d->synced)
		return false;
	if (event->type != EVENT_UPSERT && event->type != EVENT_DELETE)
		return false;
	if (event->object.kind == KIND_POD)
		return event->type == EVENT_UPSERT && !local_may_have(d, event->object.pod) &&
		       !local_find(d, event->object.pod->ns, event->object.pod->name);
	return event->object.kind == KIND_NODE || event->object.kind == KIND_UNENFORCED;
}

static int take_event(void *ctx, const struct event *event)
{
	struct daemon *d = ctx;
	int rc;

	if (d->work && (work_waits(d) || !is_small(d, event))) {
		rc = queue_event(d, event);
	} else {
		d->arrived_us = clock_monotonic_us();
		rc = handle_event(d, event);
	}
	if (rc < 0)
		daemon_give_up(d);
	return rc;
}

static int find_config(struct daemon *d)
{
	struct faults faults = {.colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR")};
	int rc = api_config_find(d->settings->kubeconfig, d->settings->context, &faults,
				 &d->api_config);

	d->errors = faults.errors;
	faults_print(&faults, stderr);
	faults_done(&faults);
	d->has_api_config = rc == 0;
	return rc;
}

/* Reads all of it once, for --once. */
static int load_once(struct daemon *d)
{
	struct err err = {0};
	int rc = api_load_once(&d->api_config, d->strings, take_event, d, &err);

	if (rc < 0 && rc != -ENOMEM)
		log_err("api", "%s", err.text);
	return rc;
}

/* Monitoring sees it: status, /readyz and metrics follow from the finding. */
static void on_stalled(void *ctx, const struct reflector *r, int64_t since_ms)
{
	static const char id[] = "watch-stalled";
	struct daemon *d = ctx;
	const struct finding finding = {
		.part = "api",
		.id = id,
		.level = FINDING_ERROR,
		.subject = r->resource->plural,
		.since_ms = clock_realtime_ms() - (clock_monotonic_ms() - since_ms),
		.todo = "What was read before is enforced. See what ails the API server or the way "
			"to it; "
			"or which object stops it.",
	};

	if (since_ms == 0)
		findings_clear(&d->findings, id, r->resource->plural);
	else if (findings_setf(
			 &d->findings, &finding,
			 "Changes of %s are not read, and not enforced: %s.", r->resource->plural,
			 r->stats.error[0] ? r->stats.error : "no answer is complete yet") < 0)
		log_err("api", "%s: no memory to say that nothing is read", r->resource->plural);
}

bool api_stalled(const struct daemon *d)
{
	const struct reflector *r;

	for (size_t i = 0; d->api && (r = api_source_reflector(d->api, i)); i++) {
		int64_t since_ms = reflector_failing_since(r);

		if (since_ms > 0 && !r->resource->optional &&
		    clock_monotonic_ms() - since_ms >=
			    (int64_t)d->settings->api_progress_deadline_s * 1000)
			return true;
	}
	return false;
}

int api_start(struct daemon *d)
{
	int rc = find_config(d);

	if (rc < 0)
		return rc;
	if (d->settings->mode == MODE_ONCE)
		return load_once(d);
	rc = api_source_new(d->base, &d->api_config, d->strings, take_event, d, &d->api);
	if (rc < 0)
		return rc;
	api_source_on_stalled(d->api, (int64_t)d->settings->api_progress_deadline_s * 1000,
			      on_stalled, d);
	return api_source_start(d->api);
}

void api_stop(struct daemon *d)
{
	struct broken *broken, *next;
	struct unenforced_api *unenforced, *after;

	api_source_free(d->api);
	if (d->has_api_config)
		api_config_done(&d->api_config);
	HASH_ITER (hh, d->broken, broken, next) {
		HASH_DEL(d->broken, broken);
		broken_free(d, broken);
	}
	HASH_ITER (hh, d->unenforced, unenforced, after)
		forget_unenforced(d, unenforced);
}
