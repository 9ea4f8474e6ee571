/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netpolctl graph: the pods as policy sees them, and what isolates each. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"

struct pod_list {
	VEC(struct graph_pod *) all;
};

static int compare(const void *left, const void *right)
{
	const struct pod *a = (*(struct graph_pod *const *)left)->object;
	const struct pod *b = (*(struct graph_pod *const *)right)->object;
	int order = strcmp(a->ns, b->ns);

	return order != 0 ? order : strcmp(a->name, b->name);
}

static int list_pods(const struct graph *graph, struct pod_list *ret)
{
	const struct graph_namespace *ns = NULL;

	while ((ns = graph_next_namespace(graph, ns))) {
		for (struct graph_pod *pod = ns->pods; pod; pod = pod->hh.next) {
			if (vec_push(&ret->all, pod) < 0)
				return -ENOMEM;
		}
	}
	if (ret->all.n > 0)
		qsort(ret->all.v, ret->all.n, sizeof(ret->all.v[0]), compare);
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

static void print_text(const struct graph_pod *pod, struct profile *const profiles[DIR_COUNT])
{
	const struct pod *object = pod->object;
	char text[ADDR_TEXT_MAX];

	printf("%s/%s", object->ns, object->name);
	for (size_t i = 0; i < object->n_addrs; i++) {
		if (counts(pod, (enum family)object->addrs[i].family))
			printf(" %s", addr_format(&object->addrs[i], text));
	}
	if (object->node)
		printf(" on %s", object->node);
	if (strcmp(role(object), "pod") != 0)
		printf(" (%s)", role(object));
	putchar('\n');
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		if (!profiles[dir])
			continue;
		printf("  %s isolated by", direction_name((enum direction)dir));
		for (size_t i = 0; i < profiles[dir]->n_policies; i++)
			printf(" %s", profiles[dir]->policies[i]->name);
		putchar('\n');
	}
}

static json_t *json_policies(const struct profile *profile)
{
	json_t *list = profile ? json_array() : json_null();

	for (size_t i = 0; profile && i < profile->n_policies; i++)
		(void)json_array_append_new(list, json_sprintf("%s/%s", profile->policies[i]->ns,
							       profile->policies[i]->name));
	return list;
}

static json_t *json_labels(const struct pod *pod)
{
	json_t *json = json_object();

	for (size_t i = 0; i < pod->labels.n; i++)
		(void)json_object_set_new(json, pod->labels.v[i].key,
					  json_string(pod->labels.v[i].value));
	return json;
}

static json_t *json_ports(const struct pod *pod)
{
	json_t *list = json_array();

	for (size_t i = 0; i < pod->n_ports; i++)
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:i}", "name", pod->ports[i].name, "protocol",
					proto_name((enum proto)pod->ports[i].proto), "port",
					(int)pod->ports[i].number));
	return list;
}

static int print_json(const struct graph_pod *pod, struct profile *const profiles[DIR_COUNT])
{
	const struct pod *object = pod->object;
	json_t *addrs = json_array(), *lost = json_array();
	char text[ADDR_TEXT_MAX];
	AUTO_JSON json_t *json =
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s?, s:s?, s:o, s:o}", "namespace",
			  object->ns, "name", object->name, "role", role(object), "labels",
			  json_labels(object), "ports", json_ports(object), "addresses", addrs,
			  "lost", lost, "node", object->node, "interface", graph_pod_interface(pod),
			  "ingress", json_policies(profiles[DIR_INGRESS]), "egress",
			  json_policies(profiles[DIR_EGRESS]));

	for (size_t i = 0; i < object->n_addrs; i++) {
		bool own = counts(pod, (enum family)object->addrs[i].family);

		(void)json_array_append_new(own ? addrs : lost,
					    json_string(addr_format(&object->addrs[i], text)));
	}
	if (!json || json_dumpf(json, stdout, JSON_COMPACT) < 0)
		return -ENOMEM;
	putchar('\n');
	return 0;
}

static int print_pod(struct ctl *ctl, struct graph_pod *pod)
{
	struct profile *profiles[DIR_COUNT] = {NULL};
	int rc = 0;

	for (int dir = 0; dir < DIR_COUNT && rc == 0 && graph_pod_is_peer(pod->object); dir++)
		rc = graph_profile(ctl->cluster.graph, pod, (enum direction)dir, &profiles[dir]);
	if (rc < 0)
		return rc;
	if (ctl->output == OUTPUT_JSON)
		return print_json(pod, profiles);
	print_text(pod, profiles);
	return 0;
}

int ctl_graph(struct ctl *ctl, int argc, char *argv[])
{
	struct pod_list list = {0};
	int rc;

	(void)argv;
	if (argc > 0) {
		fprintf(stderr, "netpolctl: expected graph without operands\n");
		return CTL_UNUSABLE;
	}
	rc = list_pods(ctl->cluster.graph, &list);
	for (size_t i = 0; i < list.all.n && rc == 0; i++)
		rc = print_pod(ctl, list.all.v[i]);
	vec_free(&list.all);
	return rc < 0 ? CTL_NO_MEMORY : CTL_OK;
}
