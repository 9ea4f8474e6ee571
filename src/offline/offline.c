/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "offline/offline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "source/api.h"

/* A policy's stand-in isolates what the policy would; of other kinds there is nothing to use. */
static int take_broken(struct offline *offline, const struct event *event)
{
	const struct object *object = &event->object;
	char name[OBJECT_NAME_MAX], text[OBJECT_NAME_MAX + 32];

	(void)snprintf(text, sizeof(text), "%s %s", kind_name(object->kind),
		       object_name(object, name));
	faults_add(&offline->faults, FAULT_ERROR, &(struct fault_place){.object = text}, "%s",
		   event->reason);
	if (object->kind == KIND_NETWORK_POLICY)
		return graph_put(offline->graph, *object);
	object_free(offline->strings, *object);
	return 0;
}

/* As the files' report has them; one that goes while the API server is read stays named. */
static int take_unenforced(struct offline *offline, const struct object *object)
{
	char name[OBJECT_NAME_MAX];
	struct unenforced one = {.kind = strdup(object->unenforced->type),
				 .name = strdup(object_name(object, name))};

	object_free(offline->strings, *object);
	if (one.kind && one.name && vec_push(&offline->report.unenforced, one) == 0)
		return 0;
	free(one.kind);
	free(one.name);
	return -ENOMEM;
}

static int take_event(void *ctx, const struct event *event)
{
	struct offline *offline = ctx;
	const struct object *object = &event->object;
	int rc = 0;

	if (event->type == EVENT_UPSERT && object->kind == KIND_UNENFORCED)
		return take_unenforced(offline, object);
	switch (event->type) {
	case EVENT_UPSERT:
		return graph_put(offline->graph, *object);
	case EVENT_SYNCED:
		return graph_sync(offline->graph);
	case EVENT_BROKEN:
		return take_broken(offline, event);
	case EVENT_DELETE: /* while an API server is read; files read once delete nothing */
		rc = graph_remove(offline->graph, object->kind, object_ns(object),
				  object_own_name(object));
		object_free(offline->strings, *object);
		return rc;
	}
	return 0;
}

static int start(struct offline *ret, const char *node, const struct graph_listener *listener)
{
	*ret = (struct offline){.report.strict = ret->report.strict};
	ret->strings = intern_new();
	if (ret->strings)
		ret->graph = graph_new(ret->strings, node, listener);
	return ret->graph ? 0 : -ENOMEM;
}

int offline_load(struct offline *ret, const char *const paths[], size_t n_paths, const char *node,
		 const struct graph_listener *listener)
{
	if (start(ret, node, listener) < 0)
		return -ENOMEM;
	return files_load(paths, n_paths, ret->strings, take_event, ret, &ret->faults,
			  &ret->report);
}

int offline_load_api(struct offline *ret, const char *kubeconfig, const char *context,
		     const char *node, const struct graph_listener *listener, struct err *err)
{
	struct api_config config;
	int rc = start(ret, node, listener);

	if (rc == 0)
		rc = api_config_find(kubeconfig, context, &ret->faults, &config);
	if (rc < 0)
		return rc;
	rc = api_load_once(&config, ret->strings, take_event, ret, err);
	api_config_done(&config);
	return rc;
}

void offline_done(struct offline *offline)
{
	graph_free(offline->graph);
	files_report_done(offline->strings, &offline->report);
	faults_done(&offline->faults);
	intern_free(offline->strings);
}

static void warn_unenforced(struct offline *offline)
{
	for (size_t i = 0; i < offline->report.unenforced.n; i++) {
		const struct unenforced *one = &offline->report.unenforced.v[i];

		faults_add(&offline->faults, FAULT_WARNING,
			   &(struct fault_place){.file = one->file,
						 .line = one->line,
						 .object = one->kind,
						 .field = one->name},
			   "not enforced: only NetworkPolicy of networking.k8s.io/v1 is");
	}
}

static void warn_closed(struct offline *offline, const struct graph_pod *pod,
			const struct profile *profile)
{
	const struct network_policy *policy = profile->policies[0];
	char name[OBJECT_NAME_MAX + 16];

	(void)snprintf(name, sizeof(name), "NetworkPolicy %s/%s", policy->ns, policy->name);
	faults_add(&offline->faults, FAULT_WARNING,
		   &(struct fault_place){.file = policy->origin.file,
					 .line = policy->origin.line,
					 .object = name},
		   "pod %s/%s is closed for %s: with the other policies that select it, %s",
		   pod->object->ns, pod->object->name, direction_name(profile->dir),
		   profile_limit_text(profile->over));
}

static int check_pod(struct offline *offline, struct graph_pod *pod)
{
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		struct profile *profile = NULL;
		int rc = graph_profile(offline->graph, pod, (enum direction)dir, &profile);

		if (rc < 0)
			return rc;
		if (profile && profile->over)
			warn_closed(offline, pod, profile);
	}
	return 0;
}

static bool speaks_of(const struct graph_namespace *ns, const char *node)
{
	for (const struct graph_pod *pod = ns->pods; pod; pod = pod->hh.next) {
		if (pod->object->node && strcmp(pod->object->node, node) == 0)
			return true;
	}
	return false;
}

int offline_warn(struct offline *offline, const char *node)
{
	struct graph_namespace *ns = NULL;
	bool known = !node || graph_find_node(offline->graph, node);
	int rc = 0;

	warn_unenforced(offline);
	while ((ns = graph_next_namespace(offline->graph, ns)) && rc == 0) {
		known = known || speaks_of(ns, node);
		for (struct graph_pod *pod = ns->pods; pod && rc == 0; pod = pod->hh.next) {
			if (!node || pod->is_endpoint)
				rc = graph_pod_is_peer(pod->object) ? check_pod(offline, pod) : 0;
		}
	}
	if (rc == 0 && !known)
		faults_add(&offline->faults, FAULT_WARNING, &(struct fault_place){.object = node},
			   "no such node, and no pod of it, in the input: there is nothing to "
			   "enforce");
	return rc;
}
