/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one event costs, counted in units of work: it must not grow with the cluster. */
#include "unit.h"

#define LOCAL_PODS 20

/* Pods in namespaces of 50, with a policy for each ten; the first namespaces' first pods are local.
 */
static void build(struct cluster *c, unsigned pods)
{
	unit_cluster_start(c, "here", true);
	for (unsigned i = 0; i < pods / 50; i++)
		unit_putf(c,
			  "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns%u, labels: {team: "
			  "t%u}}\n",
			  i, i % 10);
	for (unsigned i = 0; i < pods; i++)
		unit_putf(c,
			  "apiVersion: v1\nkind: Pod\nmetadata: {name: p%u, namespace: ns%u, "
			  "labels: {app: a%u, pod-template-hash: h%u}}\n"
			  "spec: {nodeName: %s, containers: [{ports: [{name: http, containerPort: "
			  "80%u}]}]}\nstatus: {phase: Running, podIP: 10.%u.%u.%u}\n",
			  i, i / 50, i % 10, i / 5,
			  i % 50 < LOCAL_PODS && i < 50 ? "here" : "there", i % 10, i >> 16,
			  (i >> 8) & 255, i & 255);
	for (unsigned i = 0; i < pods / 10; i++)
		unit_putf(
			c,
			"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
			"metadata: {name: policy%u, namespace: ns%u}\n"
			"spec: {podSelector: {matchLabels: {app: a%u}}, policyTypes: [Ingress, "
			"Egress],\n"
			"  ingress: [{from: [{podSelector: {matchLabels: {app: a%u}}}, "
			"{namespaceSelector: {matchLabels: {team: t%u}}, podSelector: "
			"{matchLabels: "
			"{app: a1}}}], ports: [{port: http}]},\n"
			"    {from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: "
			"[{port: 443}]}],\n"
			"  egress: [{to: [{podSelector: {}}]}, {to: [{namespaceSelector: "
			"{matchLabels: {team: t%u}}}], ports: [{port: http}]}]}\n",
			i, i / 5, i % 10, (i + 1) % 10, i % 10, (i + 3) % 10);
	assert_int_equal(graph_sync(c->graph), 0);
	assert_int_equal(render_error(c->render), 0);
	assert_int_equal(graph_counts(c->graph).endpoints, LOCAL_PODS);
}

struct event {
	const char *name;
	const char *yaml;     /* put */
	const char *ns, *pod; /* removed */
};

static const struct event events[] = {
	{"a remote pod of a namespace that local policies look at is added",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: new, namespace: ns0, labels: {app: a3}}\n"
	 "spec: {nodeName: there, containers: [{ports: [{name: http, containerPort: 8080}]}]}\n"
	 "status: {phase: Running, podIP: 10.200.0.1}\n",
	 NULL, NULL},
	{"it is relabelled",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: new, namespace: ns0, labels: {app: a4, x: "
	 "z}}\n"
	 "spec: {nodeName: there, containers: [{ports: [{name: http, containerPort: 8080}]}]}\n"
	 "status: {phase: Running, podIP: 10.200.0.1}\n",
	 NULL, NULL},
	{"it gets another address",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: new, namespace: ns0, labels: {app: a4, x: "
	 "z}}\n"
	 "spec: {nodeName: there, containers: [{ports: [{name: http, containerPort: 8080}]}]}\n"
	 "status: {phase: Running, podIP: 10.200.0.2}\n",
	 NULL, NULL},
	{"it goes", NULL, "ns0", "new"},
	{"a remote pod of a namespace of its own is added",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: new, namespace: own, labels: {app: a3}}\n"
	 "spec: {nodeName: there}\nstatus: {phase: Running, podIP: 10.200.0.1}\n",
	 NULL, NULL},
	{"that one goes", NULL, "own", "new"},
	{"a remote pod without labels is added",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: bare, namespace: ns7}\n"
	 "spec: {nodeName: there}\nstatus: {phase: Running, podIP: 10.200.0.3}\n",
	 NULL, NULL},
	{"a local pod is added",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: local, namespace: ns0, labels: {app: a3}}\n"
	 "spec: {nodeName: here}\nstatus: {phase: Running, podIP: 10.200.0.4}\n",
	 NULL, NULL},
	{"the local pod is relabelled",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: local, namespace: ns0, labels: {app: a5}}\n"
	 "spec: {nodeName: here}\nstatus: {phase: Running, podIP: 10.200.0.4}\n",
	 NULL, NULL},
	{"the local pod goes", NULL, "ns0", "local"},
	{"a policy for remote pods is added",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
	 "metadata: {name: other, namespace: ns9}\n"
	 "spec: {ingress: [{from: [{namespaceSelector: {}}]}]}\n",
	 NULL, NULL},
};

/* The counters of each event's work: selectors tested, pods scanned, profiles built. */
struct costs {
	size_t work[ARRAY_LEN(events)][3];
};

static void measure(unsigned pods, struct costs *ret)
{
	struct cluster c;

	build(&c, pods);
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		struct graph_counts before = graph_counts(c.graph), after;

		if (events[i].yaml)
			unit_put(&c, events[i].yaml);
		else
			assert_int_equal(
				graph_remove(c.graph, KIND_POD, events[i].ns, events[i].pod), 0);
		assert_int_equal(render_error(c.render), 0);
		after = graph_counts(c.graph);
		ret->work[i][0] = after.selectors_tested - before.selectors_tested;
		ret->work[i][1] = after.pods_scanned - before.pods_scanned;
		ret->work[i][2] = after.profiles_built - before.profiles_built;
	}
	unit_cluster_stop(&c);
}

static struct costs small, large;

static int measure_both(void **state)
{
	(void)state;
	measure(1000, &small);
	measure(10000, &large);
	return 0;
}

static void costs_the_same_in_a_cluster_ten_times_as_large(void **state)
{
	const struct event *event = *state;
	size_t i = (size_t)(event - events);

	print_message("    selectors tested %zu, pods scanned %zu, profiles built %zu; ten times "
		      "the pods: %zu, %zu, %zu\n",
		      small.work[i][0], small.work[i][1], small.work[i][2], large.work[i][0],
		      large.work[i][1], large.work[i][2]);
	for (int unit = 0; unit < 3; unit++)
		assert_int_equal(small.work[i][unit], large.work[i][unit]);
	/* And it is little: nobody walks the local pods' policies one by one either. */
	assert_true(large.work[i][0] <= 200 && large.work[i][2] <= 2);
}

int main(void)
{
	(void)measure_both(NULL);
	return RUN_ROWS("the cost of one event", events,
			costs_the_same_in_a_cluster_ten_times_as_large);
}
