/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "answer/pods.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/json_text.h"
#include "tree.h"

struct namespaces {
	VEC(const struct graph_namespace *) all;
};

struct pods {
	VEC(struct graph_pod *) all;
};

static int compare_namespaces(const void *left, const void *right)
{
	const struct graph_namespace *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

static int compare_pods(const void *left, const void *right)
{
	const struct graph_pod *const *a = left, *const *b = right;

	return strcmp((*a)->object->name, (*b)->object->name);
}

/* From this one on, in order. */
static int list_namespaces(const struct graph *graph, const char *from, struct namespaces *ret)
{
	const struct graph_namespace *ns = NULL;

	while ((ns = graph_next_namespace(graph, ns))) {
		if (strcmp(ns->name, from) >= 0 && vec_push(&ret->all, ns) < 0)
			return -ENOMEM;
	}
	if (ret->all.n > 0)
		qsort(ret->all.v, ret->all.n, sizeof(ret->all.v[0]), compare_namespaces);
	return 0;
}

/* Those behind this name (NULL: all), in order. */
static int list_pods(const struct graph_namespace *ns, const char *after, struct pods *ret)
{
	ret->all.n = 0;
	for (struct graph_pod *pod = ns->pods; pod; pod = pod->hh.next) {
		if ((!after || strcmp(pod->object->name, after) > 0) &&
		    vec_push(&ret->all, pod) < 0)
			return -ENOMEM;
	}
	if (ret->all.n > 0)
		qsort(ret->all.v, ret->all.n, sizeof(ret->all.v[0]), compare_pods);
	return 0;
}

static const char *role(const struct pod *pod)
{
	if (pod_finished(pod))
		return "finished";
	if (pod->host_network)
		return "host-network";
	return pod->workload ? "workload" : "pod";
}

/* Who has the pod's addresses: itself, or (for what is no peer, or has lost one) somebody else. */
static bool counts(const struct graph_pod *pod, enum family family)
{
	return graph_pod_owns(pod, family) || pod->object->host_network;
}

static void print_text(const struct graph_pod *pod, struct profile *const profiles[DIR_COUNT],
		       FILE *out)
{
	const struct pod *object = pod->object;
	char text[ADDR_TEXT_MAX];

	print_word(out, object->ns);
	fputc('/', out);
	print_word(out, object->name);
	for (size_t i = 0; i < object->n_addrs; i++) {
		if (counts(pod, (enum family)object->addrs[i].family))
			fprintf(out, " %s", addr_format(&object->addrs[i], text));
	}
	if (object->node) {
		fputs(" on ", out);
		print_word(out, object->node);
	}
	if (strcmp(role(object), "pod") != 0)
		fprintf(out, " (%s)", role(object));
	fputc('\n', out);
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		if (!profiles[dir])
			continue;
		fprintf(out, "  %s isolated by", direction_name((enum direction)dir));
		for (size_t i = 0; i < profiles[dir]->n_policies; i++) {
			fputc(' ', out);
			print_word(out, profiles[dir]->policies[i]->name);
		}
		fputc('\n', out);
	}
}

static json_t *json_labels(const struct pod *pod)
{
	AUTO_JSON json_t *json = json_object();

	for (size_t i = 0; i < pod->labels.n; i++) {
		if (!tree_put(json, pod->labels.v[i].key, json_string(pod->labels.v[i].value)))
			return NULL;
	}
	return TAKE(json);
}

static json_t *json_ports(const struct pod *pod)
{
	AUTO_JSON json_t *list = json_array();

	for (size_t i = 0; i < pod->n_ports; i++) {
		const struct pod_port *port = &pod->ports[i];

		if (!tree_add(list, json_pack("{s:s, s:s, s:i}", "name", port->name, "protocol",
					      proto_name((enum proto)port->proto), "port",
					      (int)port->number)))
			return NULL;
	}
	return TAKE(list);
}

/* Those that count, or those that do not. */
static json_t *json_addrs(const struct graph_pod *pod, bool counting)
{
	AUTO_JSON json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < pod->object->n_addrs; i++) {
		const struct addr *addr = &pod->object->addrs[i];

		if (counts(pod, (enum family)addr->family) == counting &&
		    !tree_add(list, json_string(addr_format(addr, text))))
			return NULL;
	}
	return TAKE(list);
}

static json_t *json_isolation(const struct profile *profile)
{
	return profile ? tree_policies(profile) : json_null();
}

static int print_json(const struct graph_pod *pod, struct profile *const profiles[DIR_COUNT],
		      FILE *out)
{
	const struct pod *object = pod->object;
	AUTO_JSON json_t *json =
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s?, s:o, s:o, s:o}", "namespace",
			  object->ns, "name", object->name, "role", role(object), "labels",
			  json_labels(object), "ports", json_ports(object), "addresses",
			  json_addrs(pod, true), "lost", json_addrs(pod, false), "node",
			  object->node, "interface", json_text(graph_pod_interface(pod)), "ingress",
			  json_isolation(profiles[DIR_INGRESS]), "egress",
			  json_isolation(profiles[DIR_EGRESS]));

	return json_print(json, out);
}

static int print_pod(struct graph *graph, struct graph_pod *pod, bool json, FILE *out)
{
	struct profile *profiles[DIR_COUNT] = {NULL};
	int rc = 0;

	for (int dir = 0; dir < DIR_COUNT && rc == 0 && graph_pod_is_peer(pod->object); dir++)
		rc = graph_profile(graph, pod, (enum direction)dir, &profiles[dir]);
	if (rc < 0)
		return rc;
	if (json)
		return print_json(pod, profiles, out);
	print_text(pod, profiles, out);
	return 0;
}

/* *last: the one printed last; *left: how many more may be. -EAGAIN: no more may, and there are. */
static int print_pods(struct graph *graph, const struct pods *pods, bool json, FILE *out,
		      const struct graph_pod **last, size_t *left)
{
	int rc = 0;

	for (size_t i = 0; i < pods->all.n && rc == 0; i++) {
		if (*left == 0)
			return -EAGAIN;
		rc = print_pod(graph, pods->all.v[i], json, out);
		*last = pods->all.v[i];
		--*left;
	}
	return rc;
}

static int name_last(const struct graph_pod *last, char **ret)
{
	if (asprintf(ret, "%s/%s", last->object->ns, last->object->name) >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

int pods_print(struct graph *graph, const char *after, size_t max, bool json, FILE *out,
	       char **ret_last)
{
	AUTO_FREE char *from = strndup(after, strcspn(after, "/"));
	const char *name = strchr(after, '/');
	const struct graph_pod *last = NULL;
	struct namespaces namespaces = {0};
	struct pods pods = {0};
	int rc = from ? list_namespaces(graph, from, &namespaces) : -ENOMEM;

	*ret_last = NULL;
	for (size_t i = 0; i < namespaces.all.n && rc == 0; i++) {
		const struct graph_namespace *ns = namespaces.all.v[i];

		rc = list_pods(ns, name && strcmp(ns->name, from) == 0 ? name + 1 : NULL, &pods);
		if (rc == 0)
			rc = print_pods(graph, &pods, json, out, &last, &max);
	}
	if (rc == -EAGAIN)
		rc = name_last(last, ret_last);
	vec_free(&namespaces.all);
	vec_free(&pods.all);
	return rc;
}
