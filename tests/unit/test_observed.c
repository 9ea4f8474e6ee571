/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the node has seen of an address goes before what objects claim: whoever claims it too,
 * earlier or later, changes nothing in the ruleset. */
#include "nft/print.h"
#include "unit.h"

#define V4 "10.0.0.1"
#define V6 "fd00::1"

/* The victim is isolated, a friend may reach it, and it may reach a server. */
static const char scene[] =
	"apiVersion: v1\nkind: Pod\nmetadata: {name: victim, namespace: t, uid: u1, labels: {app: "
	"victim}, creationTimestamp: '2026-01-01T00:00:00Z'}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIPs: [{ip: " V4 "}, {ip: '" V6 "'}]}\n"
	"---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: server, namespace: t, labels: {app: server}}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.0.0.2}\n"
	"---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: friend, namespace: t, labels: {app: friend}}\n"
	"spec: {nodeName: n2}\nstatus: {phase: Running, podIP: 10.0.1.2}\n"
	"---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: victim, "
	"namespace: t}\n"
	"spec: {podSelector: {matchLabels: {app: victim}}, policyTypes: [Ingress, Egress], "
	"ingress: "
	"[{from: [{podSelector: {matchLabels: {app: friend}}}]}], egress: [{to: [{podSelector: "
	"{matchLabels: {app: server}}}]}]}\n"
	"---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: server, "
	"namespace: t}\n"
	"spec: {podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: "
	"{matchLabels: {app: friend}}}, {podSelector: {matchLabels: {app: victim}}}]}]}\n";

/* Each says that the victim's addresses are its own; all of them are younger than it. */
static const char *const forged[] = {
	"apiVersion: v1\nkind: Pod\nmetadata: {name: forged, namespace: t, labels: {app: friend}, "
	"creationTimestamp: '2026-02-01T00:00:00Z'}\n"
	"spec: {nodeName: n2}\nstatus: {phase: Running, podIPs: [{ip: " V4 "}, {ip: '" V6 "'}]}\n",
	"apiVersion: v1\nkind: Pod\nmetadata: {name: forged, namespace: t, labels: {app: open}, "
	"creationTimestamp: '2026-02-01T00:00:00Z'}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIPs: [{ip: '" V6 "'}, {ip: " V4 "}]}\n",
	"apiVersion: v1\nkind: Pod\nmetadata: {name: forged, namespace: t, labels: {app: friend}, "
	"creationTimestamp: '2026-02-01T00:00:00Z'}\n"
	"spec: {}\nstatus: {phase: Running, podIP: " V4 "}\n",
	"apiVersion: v1\nkind: Pod\nmetadata: {name: forged, namespace: t, labels: {app: friend}}\n"
	"spec: {nodeName: n1, hostNetwork: true}\nstatus: {phase: Running, podIP: " V4 "}\n",
	"apiVersion: v1\nkind: Pod\nmetadata: {name: forged, namespace: t, labels: {app: friend}}\n"
	"spec: {nodeName: n2}\nstatus: {phase: Succeeded, podIP: " V4 "}\n",
	"apiVersion: v1\nkind: Pod\nmetadata: {name: forged, namespace: t, labels: {app: friend}, "
	"deletionTimestamp: '2026-02-01T00:00:00Z'}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: " V4 "}\n",
	"apiVersion: v1\nkind: Pod\nmetadata: {name: forged, namespace: t, labels: {app: other}}\n"
	"spec: {nodeName: n2}\nstatus: {phase: Running, podIP: 10.0.1.9, hostIP: " V4 "}\n",
	"apiVersion: v1\nkind: Pod\nmetadata: {name: forged, namespace: t, labels: {app: friend}}\n"
	"spec: {nodeName: n1, hostNetwork: true}\nstatus: {phase: Running, podIP: 198.51.100.7, "
	"hostIP: "
	"198.51.100.8}\n",
	"apiVersion: v1\nkind: Node\nmetadata: {name: n2}\nstatus: {addresses: [{address: " V4
	"}, {address: '" V6 "'}]}\n",
};

static const struct observed_pod victim = {.ns = "t", .name = "victim", .uid = "u1"};

static void observe(struct cluster *c, const char *text, const struct observed_pod *pod)
{
	struct addr addr;

	assert_true(addr_parse(text, &addr));
	assert_true(graph_observe(c->graph, &addr, pod) >= 0);
	assert_int_equal(graph_observe(c->graph, &addr, pod), 0); /* again: nothing new */
}

static void observe_victim(struct cluster *c, const struct observed_pod *pod)
{
	observe(c, V4, pod);
	observe(c, V6, pod);
}

/* The ruleset as text. */
static char *ruleset(struct cluster *c)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(render_error(c->render), 0);
	assert_int_equal(ruleset_print(render_ruleset(c->render), out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

enum step { SCENE, OBSERVE, FORGE, SYNC, STEPS };

/* The four in an order; `yaml` NULL: nobody forges. */
static char *ruleset_of(const enum step order[STEPS], const char *yaml)
{
	struct cluster c;
	char *text;

	unit_cluster_start(&c, "n1", true);
	/* With the sets of nodes' addresses. */
	assert_int_equal(render_configure(c.render, &(struct render_options){.pod_tunnels = true}),
			 0);
	for (size_t i = 0; i < STEPS; i++) {
		if (order[i] == SCENE)
			unit_put(&c, scene);
		else if (order[i] == OBSERVE)
			observe_victim(&c, &victim);
		else if (order[i] == FORGE && yaml)
			unit_put(&c, yaml);
		else if (order[i] == SYNC)
			assert_int_equal(graph_sync(c.graph), 0);
	}
	text = ruleset(&c);
	unit_cluster_stop(&c);
	return text;
}

static void swap(enum step order[STEPS], size_t i, size_t k)
{
	enum step kept = order[i];

	order[i] = order[k];
	order[k] = kept;
}

/* All orders of the steps. */
static void try_orders(enum step order[STEPS], size_t from, const char *expected, const char *yaml)
{
	if (from < STEPS) {
		for (size_t i = from; i < STEPS; i++) {
			swap(order, from, i);
			try_orders(order, from + 1, expected, yaml);
			swap(order, from, i);
		}
		return;
	}
	char *text = ruleset_of(order, yaml);
	assert_string_equal(text, expected);
	free(text);
}

static void forged_claims_change_nothing_in_any_order(void **state)
{
	enum step order[STEPS] = {SCENE, OBSERVE, FORGE, SYNC};
	char *expected = ruleset_of(order, NULL);

	(void)state;
	assert_non_null(strstr(expected, V4));
	for (size_t i = 0; i < ARRAY_LEN(forged); i++)
		try_orders(order, 0, expected, forged[i]);
	free(expected);
}

static void start(struct cluster *c, const char *yaml)
{
	unit_cluster_start(c, "n1", true);
	unit_put(c, scene);
	unit_put(c, yaml);
	assert_int_equal(graph_sync(c->graph), 0);
}

static const char *owner(struct cluster *c, const char *text)
{
	const struct graph_pod *pod;
	struct addr addr;

	assert_true(addr_parse(text, &addr));
	pod = graph_addr_owner(c->graph, &addr);
	return pod ? pod->object->name : "nobody";
}

/* What the tests above rely on: without the node's word the younger has it. */
static void what_nobody_has_seen_is_the_younger_ones(void **state)
{
	struct cluster c;

	(void)state;
	start(&c, forged[0]);
	assert_string_equal(owner(&c, V4), "forged");
	observe_victim(&c, &victim);
	assert_string_equal(owner(&c, V4), "victim");
	observe_victim(&c, NULL);
	assert_string_equal(owner(&c, V4), "forged");
	unit_cluster_stop(&c);
}

/* A CNI result comes before the object of its pod. */
/* Who has it when a pod says so, and nobody has seen it. */
static const char *claimant(const char *addr)
{
	static char name[20];
	char yaml[200];
	struct cluster c;

	(void)snprintf(yaml, sizeof(yaml),
		       "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: t}\n"
		       "spec: {nodeName: n1}\nstatus: {phase: Running, podIPs: [{ip: \"%s\"}]}\n",
		       addr);
	start(&c, yaml);
	(void)snprintf(name, sizeof(name), "%s", owner(&c, addr));
	unit_cluster_stop(&c);
	return name;
}

/* include/linux/in.h and include/net/ipv6.h say what is unicast: 240.0.0.0/4 is, but for its last.
 */
static void only_a_unicast_address_is_a_pods(void **state)
{
	static const char *const
		unicast[] = {"1.0.0.1",   "126.255.255.255", "128.0.0.0",
			     "223.1.2.3", "240.0.0.0",       "255.255.255.254",
			     "::2",       "fec0::1",         "fd00::7"},
		*const others[] = {"0.0.0.1",         "127.0.0.1", "224.0.0.0", "239.255.255.255",
				   "255.255.255.255", "::",        "::1",       "fe80::1",
				   "ff02::1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unicast); i++)
		assert_string_equal(claimant(unicast[i]), "x");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_string_equal(claimant(others[i]), "nobody");
}

static void what_an_unknown_pod_has_is_nobody_elses(void **state)
{
	const struct observed_pod unknown = {.ns = "t", .name = "new", .uid = "u9"};
	struct cluster c;

	(void)state;
	start(&c, forged[0]);
	observe(&c, V4, &unknown);
	assert_string_equal(owner(&c, V4), "nobody");
	assert_string_equal(owner(&c, V6), "forged");
	unit_put(&c, "apiVersion: v1\nkind: Pod\nmetadata: {name: new, namespace: t, uid: u8}\n"
		     "spec: {nodeName: n1}\nstatus: {phase: Running, podIP: " V4 "}\n");
	assert_string_equal(owner(&c, V4), "nobody"); /* another pod of that name */
	unit_put(&c, "apiVersion: v1\nkind: Pod\nmetadata: {name: new, namespace: t, uid: u9}\n"
		     "spec: {nodeName: n2}\nstatus: {phase: Running, podIP: " V4 "}\n");
	assert_string_equal(owner(&c, V4), "nobody"); /* it would be elsewhere */
	unit_put(&c, "apiVersion: v1\nkind: Pod\nmetadata: {name: new, namespace: t, uid: u9}\n"
		     "spec: {nodeName: n1}\nstatus: {phase: Running, podIP: " V4 "}\n");
	assert_string_equal(owner(&c, V4), "new");
	unit_cluster_stop(&c);
}

/* A route to a pod's device, and no result: some pod of this node has it. */
static void what_some_pod_here_has_is_nobodys_elsewhere(void **state)
{
	const struct observed_pod somebody = {0};
	struct cluster c;

	(void)state;
	start(&c, forged[0]);
	observe_victim(&c, &somebody);
	assert_string_equal(owner(&c, V4), "victim");
	assert_int_equal(graph_remove(c.graph, KIND_POD, "t", "victim"), 0);
	assert_string_equal(owner(&c, V4), "nobody");
	unit_cluster_stop(&c);
}

/* The pod of the scene again, as the daemon puts it: with the addresses that a device has. */
static void seen_at_a_device(struct pod *pod)
{
	if (strcmp(pod->name, "victim") == 0)
		pod->observed = 1u << FAMILY_V4;
}

/* A route to a bridge tells less than one to a device: others may have it, but a pod here first. */
static void a_pod_at_a_device_goes_before_a_younger_one(void **state)
{
	struct cluster c;

	(void)state;
	start(&c, forged[0]);
	c.prepare = seen_at_a_device;
	unit_put(&c, scene);
	assert_string_equal(owner(&c, V4), "victim");
	assert_string_equal(owner(&c, V6), "forged");
	c.prepare = NULL;
	unit_put(&c, scene);
	assert_string_equal(owner(&c, V4), "forged");
	unit_cluster_stop(&c);
}

/* Pods of which one goes: it is not the next in line that has the address then, but the next who
 * may. */
static void who_has_it_next_is_who_may(void **state)
{
	const struct observed_pod somebody = {0};
	struct cluster c;
	char *before, *text;

	(void)state;
	start(&c, forged[0]);
	observe_victim(&c, &somebody);
	before = ruleset(&c);
	unit_putf(&c,
		  "apiVersion: v1\nkind: Pod\nmetadata: {name: young, namespace: t, labels: {app: "
		  "friend}, creationTimestamp: '2026-03-01T00:00:00Z'}\n"
		  "spec: {nodeName: n1}\nstatus: {phase: Running, podIP: %s}\n",
		  V4);
	assert_string_equal(owner(&c, V4), "young");
	text = ruleset(&c);
	assert_string_not_equal(text, before);
	free(text);
	assert_int_equal(graph_remove(c.graph, KIND_POD, "t", "young"), 0);
	assert_string_equal(owner(&c, V4), "victim");
	text = ruleset(&c);
	assert_string_equal(text, before);
	free(text);
	free(before);
	unit_cluster_stop(&c);
}

struct contested {
	size_t n;
	char names[64];
};

static void note_contested(void *ctx, const struct addr *addr, const struct claim *claim,
			   const struct graph_pod *pod)
{
	struct contested *c = ctx;

	(void)addr;
	(void)claim;
	c->n++;
	(void)snprintf(c->names, sizeof(c->names), "%s", pod->object->name);
}

static void contested_addresses_can_be_listed(void **state)
{
	struct contested found = {0};
	struct cluster c;

	(void)state;
	start(&c, forged[0]);
	observe_victim(&c, &victim);
	graph_each_contested(c.graph, note_contested, &found);
	assert_int_equal(found.n, 2);
	assert_string_equal(found.names, "forged");
	assert_int_equal(graph_remove(c.graph, KIND_POD, "t", "forged"), 0);
	found.n = 0;
	graph_each_contested(c.graph, note_contested, &found);
	assert_int_equal(found.n, 0);
	unit_cluster_stop(&c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(forged_claims_change_nothing_in_any_order),
		cmocka_unit_test(what_nobody_has_seen_is_the_younger_ones),
		cmocka_unit_test(only_a_unicast_address_is_a_pods),
		cmocka_unit_test(what_an_unknown_pod_has_is_nobody_elses),
		cmocka_unit_test(what_some_pod_here_has_is_nobodys_elsewhere),
		cmocka_unit_test(a_pod_at_a_device_goes_before_a_younger_one),
		cmocka_unit_test(who_has_it_next_is_who_may),
		cmocka_unit_test(contested_addresses_can_be_listed),
	};

	return cmocka_run_group_tests_name("observed", tests, NULL, NULL);
}
