/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is meant by FROM and TO. */
#include <stdio.h>
#include <string.h>

#include "ends.h"

static int push(struct flow_ends *ret, struct flow_end end, const struct addr *addr)
{
	if (addr) {
		end.has_addr = true;
		end.addr = *addr;
	}
	return vec_push(&ret->all, end);
}

static int push_all(struct flow_ends *ret, struct flow_end end, const struct addr *addrs, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = push(ret, end, &addrs[i]);
	return rc;
}

/* On its node's network: the node, at whatever addresses are known. */
static int resolve_host_network(const struct graph *g, struct graph_pod *pod, struct flow_ends *ret)
{
	const struct pod *object = pod->object;
	const struct node *node = object->node ? graph_find_node(g, object->node) : NULL;
	struct flow_end end = {
		.kind = END_NODE,
		.pod = pod,
		.nodes = &pod->object->node,
		.n_nodes = object->node ? 1 : 0,
	};

	if (object->n_addrs > 0)
		return push_all(ret, end, object->addrs, object->n_addrs);
	if (object->n_host_addrs > 0)
		return push_all(ret, end, object->host_addrs, object->n_host_addrs);
	if (node && node->n_addrs > 0)
		return push_all(ret, end, node->addrs, node->n_addrs);
	return push(ret, end, NULL);
}

static int resolve_pod(const struct graph *g, struct graph_pod *pod, struct flow_ends *ret,
		       char *reason, size_t reason_len)
{
	const struct pod *object = pod->object;
	struct flow_end end = {.kind = END_POD, .pod = pod};
	char text[ADDR_TEXT_MAX];
	int rc = 0;

	if (pod_finished(object)) {
		(void)snprintf(reason, reason_len, "%s/%s has finished: it is no endpoint any more",
			       object->ns, object->name);
		return 0;
	}
	if (object->host_network)
		return resolve_host_network(g, pod, ret);
	if (object->n_addrs == 0)
		return push(ret, end, NULL);
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		if (graph_pod_owns(pod, (enum family)family))
			rc = push(ret, end, pod_addr(object, (enum family)family));
	}
	if (rc == 0 && ret->all.n == 0) {
		const struct graph_pod *owner = graph_addr_owner(g, &object->addrs[0]);

		if (owner)
			(void)snprintf(reason, reason_len, "%s of %s/%s belongs to %s/%s now",
				       addr_format(&object->addrs[0], text), object->ns,
				       object->name, owner->object->ns, owner->object->name);
		else
			(void)snprintf(reason, reason_len,
				       "%s of %s/%s is not this pod's: expected its own",
				       addr_format(&object->addrs[0], text), object->ns,
				       object->name);
	}
	return rc;
}

static int resolve_addr(const struct graph *g, const struct addr *addr, struct flow_ends *ret)
{
	struct flow_end end = {.kind = END_POD, .pod = graph_addr_owner(g, addr)};

	if (!end.pod) {
		end.pod = graph_link_local_owner(g, addr);
		end.link_local = end.pod != NULL;
	}
	if (end.pod)
		return push(ret, end, addr);
	end.n_nodes = graph_addr_nodes(g, addr, &end.nodes);
	end.kind = end.n_nodes > 0 ? END_NODE : END_EXTERNAL;
	return push(ret, end, addr);
}

/* The stand-in for the pods of the workload that is called so; *ret_n of them. */
static struct graph_pod *find_stand_in(const struct graph *g, const char *ns, const char *name,
				       size_t *ret_n)
{
	static const char *const kinds[] = {
		"deployment", "replicaset", "statefulset",           "daemonset",
		"job",        "cronjob",    "replicationcontroller",
	};
	struct graph_pod *found = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char stand_in[FLOW_TEXT_MAX + 32];

		(void)snprintf(stand_in, sizeof(stand_in), "%s/%s", kinds[i], name);
		struct graph_pod *pod = graph_find_pod(g, ns, stand_in);
		if (pod) {
			found = pod;
			(*ret_n)++;
		}
	}
	return found;
}

int ends_resolve(const struct graph *g, const char *text, struct flow_ends *ret, char *reason,
		 size_t reason_len)
{
	const char *slash = strchr(text, '/');
	char ns[FLOW_TEXT_MAX];
	struct addr addr;
	size_t n = 0;

	if (addr_parse(text, &addr))
		return resolve_addr(g, &addr, ret);
	if (!slash || slash == text || !slash[1]) {
		(void)snprintf(reason, reason_len, "%s: expected namespace/pod or an address",
			       text);
		return 0;
	}
	(void)snprintf(ns, sizeof(ns), "%.*s", (int)(slash - text), text);
	struct graph_pod *pod = graph_find_pod(g, ns, slash + 1);
	if (!pod)
		pod = find_stand_in(g, ns, slash + 1, &n);
	if (pod && n <= 1)
		return resolve_pod(g, pod, ret, reason, reason_len);
	if (n > 1)
		(void)snprintf(reason, reason_len,
			       "%s is several workloads: expected %s/KIND/%s, such as "
			       "%s/deployment/%s",
			       text, ns, slash + 1, ns, slash + 1);
	else
		(void)snprintf(reason, reason_len, "%s: no such pod", text);
	return 0;
}
