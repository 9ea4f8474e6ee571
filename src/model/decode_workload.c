/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Workloads stand for the pods that their controllers would make, so that a repository of manifests
 * can be tested before it is deployed. One stand-in each; a StatefulSet's pods differ in labels
 * that policies do select, so each replica has its own. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/intern.h"
#include "fields.h"

/* A label that the controller sets to what only it knows. */
#define VALUE_UNKNOWN "unknown"

#define REPLICAS_MAX  1000

struct workload {
	const char *group, *kind;
	const char *labels[5]; /* that the controller adds, values unknown; NULL-terminated */
};

static const struct workload workloads[] = {
	{"apps", "Deployment", {"pod-template-hash"}},
	{"apps", "ReplicaSet", {NULL}},
	{"apps", "StatefulSet", {"controller-revision-hash"}},
	{"apps", "DaemonSet", {"controller-revision-hash", "pod-template-generation"}},
	{"batch", "Job", {"controller-uid", "batch.kubernetes.io/controller-uid"}},
	{"batch",
	 "CronJob",
	 {"controller-uid", "batch.kubernetes.io/controller-uid", "job-name",
	  "batch.kubernetes.io/job-name"}},
	{"", "ReplicationController", {NULL}},
};

static const struct workload *find(const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(workloads); i++) {
		if (strcmp(workloads[i].kind, kind) == 0)
			return &workloads[i];
	}
	return NULL;
}

bool is_workload(const char *group, const char *kind)
{
	const struct workload *workload = find(kind);

	/* Clusters before 1.16 had some of them in the group "extensions". */
	return workload && (strcmp(group, workload->group) == 0 ||
			    (strcmp(group, "extensions") == 0 && workload->group[0] == 'a'));
}

/* One stand-in from the template at the current path. */
static struct pod *stand_in(struct decoder *d, const json_t *template,
			    const struct workload *workload, const char *uid, const char *ns,
			    const char *name)
{
	struct pod *pod = decode_alloc(d, 1, sizeof(*pod));

	if (!pod)
		return NULL;
	pod->ns = decode_intern(d, ns);
	pod->uid = decode_strdup(d, uid);
	pod->workload = workload->kind;
	pod->replicated = strcmp(workload->kind, "StatefulSet") != 0;
	if (asprintf(&pod->name, "%s/%s", workload->kind, name) < 0) {
		pod->name = NULL;
		d->no_memory = true;
		return pod;
	}
	for (char *c = pod->name; *c != '/'; c++)
		*c |= 0x20; /* ASCII to lower case */
	decode_pod_template(d, template, pod);
	for (size_t i = 0; i < ARRAY_LEN(workload->labels) && workload->labels[i]; i++)
		labels_set(d, &pod->labels, workload->labels[i], VALUE_UNKNOWN);
	if (strcmp(workload->kind, "Job") == 0) {
		labels_set(d, &pod->labels, "job-name", name);
		labels_set(d, &pod->labels, "batch.kubernetes.io/job-name", name);
	}
	return pod;
}

static void append(struct decoder *d, struct pod *pod, struct decoded *ret)
{
	if (!pod)
		return;
	if (vec_push(&ret->objects, (struct object){.kind = KIND_POD, .pod = pod}) < 0) {
		d->no_memory = true;
		pod_free(d->strings, pod);
	}
}

static json_int_t get_count(struct decoder *d, const json_t *parent, const char *key,
			    json_int_t fallback)
{
	const json_t *value = get_any(parent, key);

	if (!value)
		return fallback;
	if (json_is_integer(value) && json_integer_value(value) >= 0 &&
	    json_integer_value(value) <= INT32_MAX)
		return json_integer_value(value);
	path_key(d, key);
	refuse(d, value, "expected a number from 0 to %d", INT32_MAX);
	path_pop(d);
	return fallback;
}

/* spec.replicas pods named NAME-ORDINAL; none scaled up yet is one to test with. */
static void stateful_set(struct decoder *d, const json_t *spec, const json_t *template,
			 const char *uid, const char *ns, const char *name, struct decoded *ret)
{
	json_int_t replicas = get_count(d, spec, "replicas", 1);
	json_int_t start = get_count(d, get_object(d, spec, "ordinals"), "start", 0);
	size_t errors = d->errors;

	if (replicas > REPLICAS_MAX) {
		path_key(d, "replicas");
		warn(d, json_object_get(spec, "replicas"), "only the first %d replicas are read",
		     REPLICAS_MAX);
		path_pop(d);
		replicas = REPLICAS_MAX;
	}
	path_key(d, "template");
	for (json_int_t i = 0; i < (replicas > 0 ? replicas : 1) && d->errors == errors; i++) {
		char pod_name[OBJECT_NAME_MAX], ordinal[24];

		(void)snprintf(ordinal, sizeof(ordinal), "%" JSON_INTEGER_FORMAT, start + i);
		(void)snprintf(pod_name, sizeof(pod_name), "%s-%s", name, ordinal);
		struct pod *pod = stand_in(d, template, find("StatefulSet"), uid, ns, pod_name);
		if (pod) {
			labels_set(d, &pod->labels, "statefulset.kubernetes.io/pod-name", pod_name);
			labels_set(d, &pod->labels, "apps.kubernetes.io/pod-index", ordinal);
		}
		append(d, pod, ret);
	}
	path_pop(d);
}

void decode_workload(struct decoder *d, const json_t *json, const char *kind, const char *ns,
		     const char *name, struct decoded *ret)
{
	const json_t *spec = get_object(d, json, "spec");
	/* An object with one comes from a cluster, where its pods are too. */
	const char *uid = json_string_value(get_any(get_any(json, "metadata"), "uid"));
	size_t depth = d->depth;

	path_key(d, "spec");
	if (strcmp(kind, "CronJob") == 0) {
		const json_t *job = get_object(d, spec, "jobTemplate");

		path_key(d, "jobTemplate");
		spec = get_object(d, job, "spec");
		path_key(d, "spec");
	}

	const json_t *template = get_object(d, spec, "template");
	if (!template) {
		path_key(d, "template");
		refuse(d, NULL, "expected a pod template");
	} else if (strcmp(kind, "StatefulSet") == 0) {
		stateful_set(d, spec, template, uid, ns, name, ret);
	} else {
		path_key(d, "template");
		append(d, stand_in(d, template, find(kind), uid, ns, name), ret);
	}
	while (d->depth > depth)
		path_pop(d);
}
