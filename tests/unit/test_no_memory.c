/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every allocation fails once, see failing.h: of what is read, of the graph, the ruleset and
 * answers.
 */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "answer/explain.h"
#include "answer/pods.h"
#include "base/err.h"
#include "base/memstream.h"
#include "failing.h"
#include "join.h"
#include "node.h"
#include "node/cni_dir.h"
#include "source/yaml.h"

static const char cluster_yaml[] =
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {team: red}}\n"
	"---\n"
	"apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n"
	"status: {addresses: [{address: 192.168.0.1}, {address: host}, {address: 'fd00::9'}]}\n"
	"---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: p1, namespace: a, labels: {app: web, "
	"tier: x}, annotations: {netpold.io/interface: v1}}\n"
	"spec: {nodeName: n1, containers: [{ports: [{name: http, containerPort: 80}, {name: dns, "
	"containerPort: 53, protocol: UDP}]}]}\n"
	"status: {phase: Running, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}], hostIP: 192.168.0.1}\n"
	"---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: p2, namespace: b, uid: u, labels: {app: "
	"api}}\n"
	"spec: {nodeName: n1, containers: [{ports: [{name: http, containerPort: 8080}]}]}\n"
	"status: {phase: Running, podIP: 10.0.0.1}\n"
	"---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: p3, namespace: b, labels: {app: api}}\n"
	"spec: {nodeName: n1, hostNetwork: true}\nstatus: {phase: Running, podIP: 192.168.0.1}\n"
	"---\n"
	"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s, namespace: a}\n"
	"spec: {replicas: 2, template: {metadata: {labels: {app: db}}}}\n"
	"---\n"
	"apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: a}\n"
	"spec: {template: {metadata: {labels: {app: job}}}}\n"
	"---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: a}\n"
	"spec: {podSelector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: "
	"NotIn, values: [z, y1, z]}, {key: tier, operator: Exists}, {key: tier, operator: "
	"Exists}]},\n"
	"  policyTypes: [Ingress, Egress],\n"
	"  ingress: [{from: [{podSelector: {matchLabels: {app: db}}}, {namespaceSelector: "
	"{matchLabels: {team: red}}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], "
	"ports: "
	"[{port: http}, {port: 80, endPort: 90}]}, {ports: [{port: 443}]},\n"
	"    {from: [{ipBlock: {cidr: 'fd00::/64', except: ['fd00::2/128']}}], ports: [{protocol: "
	"UDP}, {port: 1}, {port: 3}, {port: 5}]},\n"
	"    {from: [{podSelector: {}}], ports: [{port: 85, endPort: 100}, {protocol: SCTP, port: "
	"7}]}],\n"
	"  egress: [{to: [{podSelector: {}}, {namespaceSelector: {}}], ports: [{port: http}, "
	"{port: "
	"dns, protocol: UDP}]}, {to: [{ipBlock: {cidr: 192.168.0.0/16}}]}]}\n"
	"---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: y1, namespace: "
	"b}\n"
	"spec: {ingress: [{from: [{podSelector: {}}]}]}\n";

/* An event each, after the cluster stands. */
static const char changes_yaml[] =
	"apiVersion: v1\nkind: Pod\nmetadata: {name: p1, namespace: a, labels: {app: web, tier: "
	"q}}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.0.0.5}\n"
	"---\n"
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {team: blue}}\n"
	"---\n"
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: b, labels: {team: red}}\n"
	"---\n"
	"apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {addresses: [{address: "
	"192.168.0.7}]}\n"
	"---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: a}\n"
	"spec: {egress: [{to: [{podSelector: {matchLabels: {app: api}}, namespaceSelector: {}}], "
	"ports: [{port: http}]}]}\n";

static int decode_only(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	struct faults faults = {0};
	struct decoder d = {
		.strings = ctx, .faults = &faults, .file = "test.yaml", .trusted = true};
	struct decoded decoded;
	int rc = decode_object(&d, root, NULL, NULL, &decoded);

	(void)lines;
	faults_done(&faults);
	decoded_done(d.strings, &decoded);
	return rc;
}

static int parse_and_decode(void)
{
	struct intern *strings = intern_new();
	struct err err = {0};
	int rc;

	if (!strings)
		return -ENOMEM;
	rc = yaml_parse(cluster_yaml, strlen(cluster_yaml), decode_only, strings, &err, NULL);
	intern_free(strings);
	return rc;
}

static int take_it(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	static const struct path_seg path[] = {{.key = "d"}, {.key = "s"}};

	(void)ctx;
	(void)root;
	return yaml_line_of(lines, path, 2) == 4 ? 0 : -EINVAL;
}

static int merge_and_alias(void)
{
	static const char yaml[] =
		"a: &x {p: 1, q: [1, 2.5, text]}\nb: &y {<<: *x, r: 3}\nc: [*x, *y]\n"
		"d: {<<: [*x, *y], s: !!str 1}\n1: true\n1.5: null\n? &k key\n: *k\n";
	struct err err = {0};

	return yaml_parse(yaml, strlen(yaml), take_it, NULL, &err, NULL);
}

static int put(struct cluster *c, const char *yaml)
{
	struct faults faults = {0};
	struct err err = {0};
	int rc = cluster_put_yaml(c, yaml, strlen(yaml), &faults, &err, NULL);

	if (rc == 0 && faults.errors > 0)
		rc = -EINVAL;
	faults_done(&faults);
	return rc;
}

static int graph_and_render_with(const char *after)
{
	struct cluster c;
	int rc;

	if (!cluster_start(&c, "n1", true))
		return -ENOMEM;
	rc = put(&c, cluster_yaml);
	if (rc == 0)
		rc = graph_sync(c.graph);
	if (rc == 0)
		rc = render_error(c.render);
	if (rc == 0 && after)
		rc = put(&c, after);
	if (rc == 0 && after)
		rc = graph_remove(c.graph, KIND_POD, "b", "p2");
	if (rc == 0 && after)
		rc = graph_remove(c.graph, KIND_NAMESPACE, NULL, "a");
	if (rc == 0 && after)
		rc = graph_remove(c.graph, KIND_NETWORK_POLICY, "a", "x");
	if (rc == 0)
		rc = render_error(c.render);
	cluster_stop(&c);
	return rc;
}

static int graph_and_render(void)
{
	return graph_and_render_with(NULL);
}

static int changes_to_a_graph(void)
{
	return graph_and_render_with(changes_yaml);
}

static int flow(struct graph *graph, const char *from, const char *to, const char *proto)
{
	struct flow one = {0};
	struct flow_result result;
	struct err err = {0};
	int rc;

	(void)snprintf(one.from, sizeof(one.from), "%s", from);
	(void)snprintf(one.to, sizeof(one.to), "%s", to);
	rc = flow_parse_proto(proto, &one, &err);
	if (rc == 0)
		rc = eval_flow(graph, &one, &result);
	for (size_t i = 0; rc == 0 && i < result.pairs.n; i++) {
		struct direction_report report;

		rc = eval_rules(graph, &result.pairs.v[i], DIR_INGRESS, PROTO_TCP, 80, &report);
		direction_report_done(&report);
	}
	flow_result_done(&result);
	return rc;
}

static int start_cluster(struct cluster *c)
{
	int rc;

	if (!cluster_start(c, NULL, false))
		return -ENOMEM;
	rc = put(c, cluster_yaml);
	if (rc == 0)
		rc = graph_sync(c->graph);
	if (rc < 0)
		cluster_stop(c);
	return rc;
}

static int evaluate(void)
{
	struct cluster c;
	int rc = start_cluster(&c);

	if (rc < 0)
		return rc;
	if (rc == 0)
		rc = flow(c.graph, "b/p2", "a/p1", "any");
	if (rc == 0)
		rc = flow(c.graph, "a/p1", "a/s-0", "tcp/http");
	if (rc == 0)
		rc = flow(c.graph, "a/s-1", "192.168.0.1", "tcp/80");
	cluster_stop(&c);
	return rc;
}

static int explain(struct graph *graph, const char *from, const char *to, enum explain_form form)
{
	struct flow one = {.proto = FLOW_TCP, .has_port = true, .port = 80};
	const struct explain_host host = {.tunnel = "flannel.1"};
	struct explanation answer = {0};
	int rc;

	(void)snprintf(one.from, sizeof(one.from), "%s", from);
	(void)snprintf(one.to, sizeof(one.to), "%s", to);
	rc = explain_flow(graph, &one, &host, form, SIZE_MAX, &answer);
	explanation_done(&answer);
	return rc;
}

static int list(struct graph *graph, bool json)
{
	char *text = NULL, *last = NULL;
	struct memstream stream;
	int rc = memstream_open(&stream), end;

	if (rc < 0)
		return rc;
	rc = pods_print(graph, "a/p0", SIZE_MAX, json, stream.out, &last);
	end = memstream_close(&stream, &text, NULL);
	free(text);
	free(last);
	return rc < 0 ? rc : end;
}

/* What the daemon does for who asks; what it has built for that goes again. */
static int answer(void)
{
	static const enum explain_form forms[] = {EXPLAIN_TEXT, EXPLAIN_JSON};
	struct cluster c;
	int rc = start_cluster(&c);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(forms) && rc == 0; i++) {
		rc = explain(c.graph, "b/p2", "a/p1", forms[i]);
		graph_forget(c.graph);
		if (rc == 0)
			rc = explain(c.graph, "a/p1", "192.168.0.1", forms[i]);
		if (rc == 0)
			rc = explain(c.graph, "\xff/p1", "a/s-1", forms[i]);
		if (rc == 0)
			rc = list(c.graph, forms[i] == EXPLAIN_JSON);
	}
	cluster_stop(&c);
	return rc;
}

/* A routed pod, a bridged one, one whose file is old, and what happens to them. */
static const char host_lines[] =
	"link 2 eth0 -; addr 2 192.168.0.1; route default dev 2 via; link 5 cni0 bridge; link 6 "
	"veth6 veth;"
	"link 7 veth7 veth 5; route 10.0.0.5 dev 6; route 10.0.0.6 dev 6; route fd00::5 dev 6;"
	"neigh 5 10.0.1.5 02:00:00:00:01:05; fdb 7 5 02:00:00:00:01:05;"
	"cni a 1 shop/web u1 c1 eth0 veth6 10.0.0.5,fd00::5 -; cni b 2 shop/api u2 c2 eth0 "
	"cni0,veth7 10.0.1.5 -;"
	"cni c 0 shop/old u3 c3 eth0 veth6 10.0.0.5,10.0.0.9 -; cni d 3 shop/web u1 c1 net1 - "
	"10.9.0.5 -;"
	"link 6 other veth; unroute 10.0.0.6 dev 6; unneigh 5 10.0.1.5; unfdb 7 5 "
	"02:00:00:00:01:05; uncni b; unaddr 2 192.168.0.1; reread; addr 2 192.168.0.2; route "
	"10.0.0.7 dev 6; done";

static int attach_pods(void)
{
	struct node_host host;
	struct join join = {0};
	int rc = node_host_init(&host);

	if (rc == 0)
		rc = node_host_do(&host, host_lines);
	if (rc == 0)
		rc = join_build(host.results.v, host.results.n, host.links, host.neigh, &join);
	join_done(&join);
	node_host_done(&host);
	return rc;
}

/* What failed is read again by the next read, and then nothing is missing. */
static int follow_results(void)
{
	char text[CNI_TEXT_MAX], top[] = "/tmp/netpold-no-memory-XXXXXX", path[64];
	struct cni_dir *dir = NULL;
	struct err err = {0};
	bool changed = false;
	int rc, fd;

	if (!mkdtemp(top))
		return -EIO;
	(void)snprintf(path, sizeof(path), "%s/file", top);
	node_cni_text(text, "shop", "web", "u1", "c1", "eth0",
		      "{\"ips\":[{\"address\":\"10.0.0.1/32\"}]}");
	rc = cni_dir_open(top, false, &dir, &err);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (rc == 0 && (fd < 0 || write(fd, text, strlen(text)) < 0))
		rc = -EIO;
	(void)close(fd); /* a failure shows in what is read */
	if (rc == 0 && cni_dir_read(dir, &changed) < 0)
		rc = cni_dir_read(dir, &changed);
	if (rc == 0 && (!changed || !cni_dir_next(dir, NULL)))
		rc = -EIO;
	if (rc == 0 && failing_happened())
		rc = -ENOMEM; /* it was in the way, and is made good */
	cni_dir_close(dir);
	(void)unlink(path); /* a failure leaves a file in /tmp */
	(void)rmdir(top);
	return rc;
}

static void reading_yaml_survives(void **state)
{
	(void)state;
	failing_survives(parse_and_decode, NULL);
}

static void merging_yaml_survives(void **state)
{
	(void)state;
	failing_survives(merge_and_alias, NULL);
}

static void a_graph_and_its_ruleset_survive(void **state)
{
	(void)state;
	failing_survives(graph_and_render, NULL);
}

static void changes_survive(void **state)
{
	(void)state;
	failing_survives(changes_to_a_graph, NULL);
}

static void flows_survive(void **state)
{
	(void)state;
	failing_survives(evaluate, NULL);
}

static void answers_survive(void **state)
{
	(void)state;
	failing_survives(answer, NULL);
}

static void attaching_pods_survives(void **state)
{
	(void)state;
	failing_survives(attach_pods, NULL);
}

static void following_results_survives(void **state)
{
	(void)state;
	failing_survives(follow_results, NULL);
}

/* jansson asks here, to be refused too. */
static void *json_malloc_(size_t size)
{
	return malloc(size);
}

static void json_free_(void *p)
{
	free(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_yaml_survives),
		cmocka_unit_test(merging_yaml_survives),
		cmocka_unit_test(flows_survive),
		cmocka_unit_test(answers_survive),
		cmocka_unit_test(a_graph_and_its_ruleset_survive),
		cmocka_unit_test(changes_survive),
		cmocka_unit_test(attaching_pods_survives),
		cmocka_unit_test(following_results_survives),
	};
	const char *only = getenv("NETPOLD_ONLY");

	json_set_alloc_funcs(json_malloc_, json_free_);
	if (only)
		cmocka_set_test_filter(only);
	return cmocka_run_group_tests_name("no memory", tests, NULL, NULL);
}
