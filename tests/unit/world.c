/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An address that the node has seen: its name is the address. */
#define OBSERVED KIND_COUNT

static const struct slot {
	enum kind kind;
	const char *ns, *name;
} slots[WORLD_SLOTS] = {
	{KIND_NAMESPACE, NULL, "a"},     {KIND_NAMESPACE, NULL, "b"},
	{KIND_NAMESPACE, NULL, "c"},     {KIND_NODE, NULL, "n1"},
	{KIND_NODE, NULL, "n2"},         {KIND_POD, "a", "p1"},
	{KIND_POD, "a", "p2"},           {KIND_POD, "a", "p3"},
	{KIND_POD, "a", "p4"},           {KIND_POD, "b", "p1"},
	{KIND_POD, "b", "p2"},           {KIND_POD, "b", "p3"},
	{KIND_POD, "b", "p4"},           {KIND_POD, "c", "p1"},
	{KIND_POD, "c", "p2"},           {KIND_POD, "c", "p3"},
	{KIND_NETWORK_POLICY, "a", "x"}, {KIND_NETWORK_POLICY, "a", "y"},
	{KIND_NETWORK_POLICY, "a", "z"}, {KIND_NETWORK_POLICY, "a", "w"},
	{KIND_NETWORK_POLICY, "b", "x"}, {KIND_NETWORK_POLICY, "b", "y"},
	{KIND_NETWORK_POLICY, "b", "z"}, {KIND_NETWORK_POLICY, "c", "x"},
	{KIND_NETWORK_POLICY, "c", "y"}, {KIND_NETWORK_POLICY, "c", "z"},
	{OBSERVED, NULL, "10.0.0.1"},    {OBSERVED, NULL, "10.0.0.2"},
	{OBSERVED, NULL, "10.0.0.3"},    {OBSERVED, NULL, "10.0.0.7"},
	{OBSERVED, NULL, "fd00::1"},     {OBSERVED, NULL, "fd00::2"},
	{OBSERVED, NULL, "192.168.0.1"},
};

/* Text being written, and where its choices come from. */
struct writer {
	const struct picker *picker;
	FILE *out;
};

static uint32_t pick(const struct writer *w, uint32_t below)
{
	return w->picker->pick(w->picker->ctx, below);
}

static void put_one(const struct writer *w, const char *const words[], size_t n)
{
	fputs(words[pick(w, (uint32_t)n)], w->out);
}
#define PUT_ONE(w, ...)                                \
	put_one(w, (const char *const[]){__VA_ARGS__}, \
		ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void put_labels(const struct writer *w)
{
	fputs("{", w->out);
	PUT_ONE(w, "", "app: web, ", "app: web, ", "app: api, ", "app: '', ");
	PUT_ONE(w, "", "", "tier: one, ", "tier: two, ");
	PUT_ONE(w, "", "", "", "example.com/x: 'true'");
	fputs("}", w->out);
}

static void put_expression(const struct writer *w)
{
	PUT_ONE(w, "{key: app, ", "{key: tier, ", "{key: other, ");
	PUT_ONE(w, "operator: Exists}", "operator: DoesNotExist}",
		"operator: In, values: [web, one]}", "operator: In, values: ['']}",
		"operator: NotIn, values: [web, two]}",
		"operator: In, values: [web, a, b, c, d, e, f, g, h, i]}");
}

static void put_selector(const struct writer *w)
{
	switch (pick(w, 5)) {
	case 0:
		fputs("{}", w->out);
		break;
	case 1:
	case 2:
		fputs("{matchLabels: ", w->out);
		put_labels(w);
		fputs("}", w->out);
		break;
	case 3:
		fputs("{matchExpressions: [", w->out);
		put_expression(w);
		fputs("]}", w->out);
		break;
	default:
		fputs("{matchLabels: ", w->out);
		put_labels(w);
		fputs(", matchExpressions: [", w->out);
		put_expression(w);
		fputs("]}", w->out);
		break;
	}
}

static void put_namespace_selector(const struct writer *w)
{
	PUT_ONE(w, "{}", "{matchLabels: {team: red}}", "{matchLabels: {team: blue}}",
		"{matchLabels: {kubernetes.io/metadata.name: b}}",
		"{matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [a, "
		"c]}]}",
		"{matchExpressions: [{key: team, operator: NotIn, values: [red]}]}",
		"{matchExpressions: [{key: team, operator: Exists}]}");
}

static void put_peer(const struct writer *w)
{
	switch (pick(w, 5)) {
	case 0:
		fputs("{ipBlock: ", w->out);
		PUT_ONE(w, "{cidr: 0.0.0.0/0}", "{cidr: '::/0'}",
			"{cidr: 10.0.0.0/24, except: [10.0.0.2/31, 10.0.0.2/32]}",
			"{cidr: 10.0.0.1/32}",
			"{cidr: 10.0.0.4/30, except: [10.0.0.4/31, 10.0.0.6/31]}",
			"{cidr: 'fd00::/64', except: ['fd00::2/128']}", "{cidr: 192.168.0.0/16}",
			"{cidr: 0.0.0.0/0, except: [10.0.0.0/8, 192.168.0.0/16]}");
		break;
	case 1:
		fputs("{namespaceSelector: ", w->out);
		put_namespace_selector(w);
		break;
	case 2:
		fputs("{namespaceSelector: ", w->out);
		put_namespace_selector(w);
		fputs(", podSelector: ", w->out);
		put_selector(w);
		break;
	default:
		fputs("{podSelector: ", w->out);
		put_selector(w);
		break;
	}
	fputs("}", w->out);
}

static void put_port(const struct writer *w)
{
	fputs("{", w->out);
	PUT_ONE(w, "", "", "protocol: TCP, ", "protocol: UDP, ", "protocol: SCTP, ");
	PUT_ONE(w, "", "port: 80", "port: 81", "port: 80, endPort: 90", "port: 85, endPort: 8080",
		"port: 1, endPort: 65535", "port: http", "port: dns", "port: none", "port: 8080",
		"port: 65535", "port: 1");
	fputs("}", w->out);
}

static void put_list(const struct writer *w, const char *key, uint32_t below,
		     void (*put)(const struct writer *))
{
	uint32_t n = pick(w, below);

	fprintf(w->out, "%s: [", key);
	for (uint32_t i = 0; i < n; i++) {
		fputs(i > 0 ? ", " : "", w->out);
		put(w);
	}
	fputs("]", w->out);
}

static void put_rules(const struct writer *w, const char *key, const char *peers)
{
	uint32_t n = pick(w, 4), many = pick(w, 10) == 0 ? 12 : 4;

	fprintf(w->out, ", %s: [", key);
	for (uint32_t i = 0; i < n; i++) {
		fputs(i > 0 ? ", {" : "{", w->out);
		put_list(w, peers, 4, put_peer);
		fputs(", ", w->out);
		put_list(w, "ports", many, put_port);
		fputs("}", w->out);
	}
	fputs("]", w->out);
}

static void put_policy(const struct writer *w)
{
	fputs("spec: {podSelector: ", w->out);
	put_selector(w);
	PUT_ONE(w, "", ", policyTypes: [Ingress, Egress]", ", policyTypes: [Egress]",
		", policyTypes: [Ingress]");
	put_rules(w, "ingress", "from");
	put_rules(w, "egress", "to");
	fputs("}\n", w->out);
}

static void put_container(const struct writer *w)
{
	fputs("{", w->out);
	PUT_ONE(w, "", "", "restartPolicy: Always, ");
	fputs("ports: [", w->out);
	PUT_ONE(w, "", "{name: http, containerPort: 80}, ", "{name: http, containerPort: 8080}, ",
		"{name: http, containerPort: 80}, {name: http, containerPort: 81}, ");
	PUT_ONE(w, "", "", "{name: dns, containerPort: 53, protocol: UDP}, ",
		"{name: dns, containerPort: 53}, ", "{containerPort: 90}, ");
	fputs("]}", w->out);
}

static void put_pod(const struct writer *w)
{
	fputs("spec: {", w->out);
	PUT_ONE(w, "nodeName: n1, ", "nodeName: n1, ", "nodeName: n1, ", "nodeName: n2, ", "");
	PUT_ONE(w, "", "", "", "", "", "hostNetwork: true, ");
	put_list(w, "containers", 3, put_container);
	fputs(", ", w->out);
	put_list(w, "initContainers", 2, put_container);
	fputs("}\nstatus: {", w->out);
	PUT_ONE(w, "phase: Running, ", "phase: Running, ", "phase: Running, ", "",
		"phase: Succeeded, ", "phase: Failed, ", "phase: Unknown, ");
	PUT_ONE(w, "", "", "hostIP: 192.168.0.1, ", "hostIP: 192.168.0.2, ");
	PUT_ONE(w, "", "podIP: 10.0.0.1", "podIP: 10.0.0.2", "podIP: 10.0.0.3", "podIP: 10.0.0.4",
		"podIP: 10.0.0.5", "podIP: 10.0.0.6", "podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]",
		"podIPs: [{ip: 'fd00::2'}, {ip: 10.0.0.2}]", "podIP: 'fd00::3'",
		"podIPs: [{ip: 10.0.0.7}, {ip: 'fd00::1'}]", "podIP: 192.168.0.1");
	fputs("}\n", w->out);
}

static void put_metadata(const struct writer *w, const struct slot *slot)
{
	static const char *const kinds[] = {
		[KIND_NAMESPACE] = "v1\nkind: Namespace",
		[KIND_NODE] = "v1\nkind: Node",
		[KIND_POD] = "v1\nkind: Pod",
		[KIND_NETWORK_POLICY] = "networking.k8s.io/v1\nkind: NetworkPolicy",
	};

	fprintf(w->out, "apiVersion: %s\nmetadata: {name: '%s'", kinds[slot->kind], slot->name);
	if (slot->ns)
		fprintf(w->out, ", namespace: %s", slot->ns);
	switch (slot->kind) {
	case KIND_NAMESPACE:
		PUT_ONE(w, "", ", labels: {team: red}", ", labels: {team: blue}",
			", labels: {kubernetes.io/metadata.name: b}");
		break;
	case KIND_POD:
		fputs(", labels: ", w->out);
		put_labels(w);
		PUT_ONE(w, "", "", "", ", deletionTimestamp: '2026-01-02T00:00:00Z'");
		PUT_ONE(w, "", ", creationTimestamp: '2026-01-01T00:00:00Z'",
			", creationTimestamp: '2026-01-01T00:00:01Z'");
		PUT_ONE(w, "", "", ", annotations: {netpold.io/interface: v1}",
			", annotations: {netpold.io/interface: v2}",
			", annotations: {netpold.io/interface: 'v-3%'}");
		break;
	case KIND_NODE:
	case KIND_NETWORK_POLICY:
	case KIND_UNENFORCED:
	case KIND_COUNT:
		break;
	}
	PUT_ONE(w, "", ", uid: u1", ", uid: u2");
	fputs("}\n", w->out);
}

static void put_observed(const struct writer *w)
{
	PUT_ONE(w, "", "a p1 ", "a p1 u1", "a p2 ", "b p1 u2", "b p2 ", "c p1 ", "a gone u1");
}

static void put_object(const struct writer *w, const struct slot *slot)
{
	if (slot->kind == OBSERVED) {
		put_observed(w);
		return;
	}
	put_metadata(w, slot);
	switch (slot->kind) {
	case KIND_NODE:
		fputs("status: {addresses: [{address: host}, {address: ", w->out);
		PUT_ONE(w, "192.168.0.1", "192.168.0.2", "192.168.0.3", "10.0.0.1");
		fputs("}, {address: ", w->out);
		PUT_ONE(w, "192.168.0.1", "'fd01::1'", "192.168.0.4");
		fputs("}]}\n", w->out);
		break;
	case KIND_POD:
		put_pod(w);
		break;
	case KIND_NETWORK_POLICY:
		put_policy(w);
		break;
	case KIND_NAMESPACE:
	case KIND_UNENFORCED:
	case KIND_COUNT:
		break;
	}
}

size_t world_change(struct world *world, const struct picker *picker)
{
	struct writer w = {.picker = picker};
	size_t slot = pick(&w, WORLD_SLOTS), len;
	char *text = NULL;

	/* More is made than removed. */
	if (world->yaml[slot] && pick(&w, 3) == 0) {
		free(world->yaml[slot]);
		world->yaml[slot] = NULL;
		return slot;
	}
	w.out = open_memstream(&text, &len);
	if (!w.out)
		return slot;
	put_object(&w, &slots[slot]);
	(void)fclose(w.out);
	free(world->yaml[slot]);
	world->yaml[slot] = text;
	return slot;
}

/* As good a choice as any: of what the API server says nothing follows from it. */
static void prepare(struct pod *pod)
{
	if (pod->uid && strcmp(pod->uid, "u2") == 0)
		pod->observed = pod->terminating ? OBSERVED_DEVICE | 1 : 3;
}

static int apply_observed(const char *text, const char *name, struct cluster *c)
{
	char ns[8] = "", pod_name[8] = "", uid[8] = "";
	struct observed_pod pod = {0};
	struct addr addr;
	int rc;

	(void)addr_parse(name, &addr);
	if (text && sscanf(text, "%7s %7s %7s", ns, pod_name, uid) >= 2)
		pod = (struct observed_pod){.ns = ns, .name = pod_name, .uid = uid};
	rc = graph_observe(c->graph, &addr, text ? &pod : NULL);
	return rc < 0 ? rc : 0;
}

int world_apply(const struct world *world, size_t slot, struct cluster *c, struct faults *faults)
{
	const char *yaml = world->yaml[slot];
	size_t before = faults->errors;
	struct err err = {0};
	int rc;

	if (slots[slot].kind == OBSERVED)
		return apply_observed(yaml, slots[slot].name, c);
	c->prepare = prepare;
	if (!yaml)
		return graph_remove(c->graph, slots[slot].kind, slots[slot].ns, slots[slot].name);
	rc = cluster_put_yaml(c, yaml, strlen(yaml), faults, &err, NULL);
	return rc == 0 && faults->errors > before ? -EINVAL : rc;
}

void world_flow(const struct picker *picker, struct flow *flow)
{
	static const char *const ends[] = {
		"a/p1",    "a/p2",     "a/p3",        "a/p4",     "b/p1",
		"b/p2",    "b/p3",     "b/p4",        "c/p1",     "c/p2",
		"c/p3",    "10.0.0.1", "10.0.0.2",    "10.0.0.6", "192.168.0.1",
		"fd00::2", "10.9.9.9", "192.168.0.2", "fd00::1",
	};
	static const char *const protos[] = {"any",    "tcp/80",   "tcp/8080", "tcp", "udp/53",
					     "icmp",   "tcp/http", "udp/dns",  "udp", "sctp",
					     "tcp/85", "tcp/1",    "tcp/65535"};
	struct writer w = {.picker = picker};
	struct err err;

	*flow = (struct flow){0};
	(void)snprintf(flow->from, sizeof(flow->from), "%s", ends[pick(&w, ARRAY_LEN(ends))]);
	(void)snprintf(flow->to, sizeof(flow->to), "%s", ends[pick(&w, ARRAY_LEN(ends))]);
	(void)flow_parse_proto(protos[pick(&w, ARRAY_LEN(protos))], flow, &err);
}

void world_done(struct world *world)
{
	for (size_t i = 0; i < WORLD_SLOTS; i++)
		free(world->yaml[i]);
	*world = (struct world){0};
}
