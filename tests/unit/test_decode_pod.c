/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces, nodes, pods and the workloads that stand for pods. */
#include "unit.h"

#define POD(...) "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\n" __VA_ARGS__

/* A pod in one line: what policy sees of it. */
static char *describe(const struct pod *pod)
{
	char *text = NULL, addr[ADDR_TEXT_MAX];
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	fprintf(out, "%s/%s", pod->ns, pod->name);
	for (size_t i = 0; i < pod->labels.n; i++)
		fprintf(out, " %s=%s", pod->labels.v[i].key, pod->labels.v[i].value);
	for (size_t i = 0; i < pod->n_ports; i++)
		fprintf(out, " %s:%s/%u", pod->ports[i].name,
			proto_name((enum proto)pod->ports[i].proto), pod->ports[i].number);
	for (size_t i = 0; i < pod->n_addrs; i++)
		fprintf(out, " %s", addr_format(&pod->addrs[i], addr));
	for (size_t i = 0; i < pod->n_host_addrs; i++)
		fprintf(out, " host %s", addr_format(&pod->host_addrs[i], addr));
	fprintf(out, "%s%s%s%s", pod->node ? " on " : "", pod->node ? pod->node : "",
		pod->interface ? " at " : "", pod->interface ? pod->interface : "");
	fprintf(out, "%s%s%s", pod->host_network ? " host-network" : "",
		pod_finished(pod) ? " finished" : "", pod->terminating ? " terminating" : "");
	assert_int_equal(fclose(out), 0);
	return text;
}

struct row {
	const char *name;
	const char *yaml;
	const char *pods; /* described, one a line; NULL: refused */
	const char *field, *text;
};

static const struct row rows[] = {
	/* Where it is. */
	{"a pod of nothing", POD(), "shop/p", 0, 0},
	{"no namespace is the default one", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n",
	 "default/p", 0, 0},
	{"an empty namespace is the default one",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: ''}\n", "default/p", 0, 0},
	{"a generated name is what is known of it",
	 "apiVersion: v1\nkind: Pod\nmetadata: {generateName: web-}\n", "default/web", 0, 0},
	{"a name comes before a generated one",
	 "apiVersion: v1\nkind: Pod\nmetadata: {generateName: web-, name: web-x2z}\n",
	 "default/web-x2z", 0, 0},
	{"a node", POD("spec: {nodeName: n1}\n"), "shop/p on n1", 0, 0},
	{"an empty node is none", POD("spec: {nodeName: ''}\n"), "shop/p", 0, 0},
	{"the host's network", POD("spec: {hostNetwork: true}\n"), "shop/p host-network", 0, 0},

	/* Labels. */
	{"labels are sorted",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {b: x, a/b: c, A: ''}}\n",
	 "default/p A= a/b=c b=x", 0, 0},
	{"a label that is null is empty",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: null}}\n", "default/p a=", 0,
	 0},
	{"a label that is a boolean",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: "
	 "yes}}\n",
	 NULL, "metadata.labels[a]", "expected a string (quote it)"},

	/* Named ports. */
	{"named ports count, others do not",
	 POD("spec: {containers: [{ports: [{name: http, containerPort: 80}, {containerPort: 81}]}, "
	     "{ports: [{name: dns, containerPort: 53, protocol: UDP}]}]}\n"),
	 "shop/p dns:udp/53 http:tcp/80", 0, 0},
	{"a name may stand in two containers",
	 POD("spec: {containers: [{ports: [{name: a, containerPort: 1}]}, {ports: [{name: a, "
	     "containerPort: 2}]}]}\n"),
	 "shop/p a:tcp/1 a:tcp/2", 0, 0},
	{"a sidecar's ports count, an ordinary init container's do not",
	 POD("spec: {initContainers: [{restartPolicy: Always, ports: [{name: a, containerPort: "
	     "1}]}, {ports: [{name: b, containerPort: 2}]}, {restartPolicy: Never, ports: [{name: "
	     "c, containerPort: 3}]}]}\n"),
	 "shop/p a:tcp/1", 0, 0},
	{"an ephemeral container's do not",
	 POD("spec: {ephemeralContainers: [{ports: [{name: a, containerPort: 1}]}]}\n"), "shop/p",
	 0, 0},
	{"an empty name is none",
	 POD("spec: {containers: [{ports: [{name: '', containerPort: 1}]}]}\n"), "shop/p", 0, 0},
	{"an empty protocol is TCP",
	 POD("spec: {containers: [{ports: [{name: a, containerPort: 1, protocol: ''}]}]}\n"),
	 "shop/p a:tcp/1", 0, 0},
	{"a hostPort means nothing",
	 POD("spec: {containers: [{ports: [{name: a, containerPort: 1, hostPort: 2}]}]}\n"),
	 "shop/p a:tcp/1", 0, 0},
	{"a container that is null", POD("spec: {containers: [null, {ports: null}]}\n"), "shop/p",
	 0, 0},
	{"a port without a number", POD("spec: {containers: [{ports: [{name: a}]}]}\n"), NULL,
	 "spec.containers[0].ports[0].containerPort", "expected a number from 1"},
	{"a port of 0", POD("spec: {containers: [{ports: [{containerPort: 0}]}]}\n"), NULL,
	 "spec.containers[0].ports[0].containerPort", "expected a number from 1"},
	{"a port in quotes", POD("spec: {containers: [{ports: [{containerPort: '80'}]}]}\n"), NULL,
	 "spec.containers[0].ports[0].containerPort", "expected a number from 1"},
	{"a protocol that is none",
	 POD("spec: {containers: [{ports: [{containerPort: 1, protocol: tcp}]}]}\n"), NULL,
	 "spec.containers[0].ports[0].protocol", "expected TCP"},

	/* Addresses. */
	{"podIPs come before podIP",
	 POD("status: {podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}\n"),
	 "shop/p 10.0.0.1 fd00::1", 0, 0},
	{"podIP where there are no podIPs", POD("status: {podIP: 10.0.0.9, podIPs: []}\n"),
	 "shop/p 10.0.0.9", 0, 0},
	{"an empty podIP is none yet", POD("status: {podIP: '', podIPs: null}\n"), "shop/p", 0, 0},
	{"an address twice is once", POD("status: {podIPs: [{ip: 10.0.0.1}, {ip: 10.0.0.1}]}\n"),
	 "shop/p 10.0.0.1", 0, 0},
	{"an IPv4-mapped address is IPv4", POD("status: {podIP: '::ffff:10.0.0.1'}\n"),
	 "shop/p 10.0.0.1", 0, 0},
	{"the host's addresses",
	 POD("status: {hostIP: 192.168.0.9, hostIPs: [{ip: 192.168.0.1}, {ip: 'fd00::9'}]}\n"),
	 "shop/p host 192.168.0.1 host fd00::9", 0, 0},
	{"two addresses of one family", POD("status: {podIPs: [{ip: 10.0.0.1}, {ip: 10.0.0.2}]}\n"),
	 NULL, "status.podIPs[1].ip", "at most one address of each family"},
	{"an address that is none", POD("status: {podIP: pending}\n"), NULL, "status.podIP",
	 "expected an IP address"},
	{"an address that is a number", POD("status: {podIPs: [{ip: 10}]}\n"), NULL,
	 "status.podIPs[0].ip", "expected an IP address"},
	{"podIPs of plain text", POD("status: {podIPs: [10.0.0.1]}\n"), NULL, "status.podIPs[0]",
	 "expected an object"},

	/* Life. */
	{"a running pod", POD("status: {phase: Running}\n"), "shop/p", 0, 0},
	{"an unknown phase is alive", POD("status: {phase: Unknown}\n"), "shop/p", 0, 0},
	{"a pod that has succeeded", POD("status: {phase: Succeeded}\n"), "shop/p finished", 0, 0},
	{"a pod that has failed", POD("status: {phase: Failed}\n"), "shop/p finished", 0, 0},
	{"a phase that is none", POD("status: {phase: running}\n"), NULL, "status.phase",
	 "expected Pending, Running"},
	{"a pod that is being deleted",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, deletionTimestamp: "
	 "'2026-01-01T00:00:00Z'}\n",
	 "default/p terminating", 0, 0},
	{"a deletion that is null is none",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, deletionTimestamp: null}\n", "default/p",
	 0, 0},
	{"a creation that is null",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, creationTimestamp: null}\n", "default/p",
	 0, 0},
	{"a creation with fractions of a second",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, creationTimestamp: "
	 "2026-01-01T00:00:00.123456Z}\n",
	 "default/p", 0, 0},
	{"a creation that is no time",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, creationTimestamp: yesterday}\n", NULL,
	 "metadata.creationTimestamp", "expected a time"},

	/* The interface. */
	{"the interface that the file says",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {netpold.io/interface: "
	 "veth12345678901}}\n",
	 "default/p at veth12345678901", 0, 0},
	{"an interface of 16 characters",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {netpold.io/interface: "
	 "veth123456789012}}\n",
	 NULL, "metadata.annotations[netpold.io/interface]", "expected the name of a network"},
	{"an empty interface",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {netpold.io/interface: "
	 "''}}\n",
	 NULL, "metadata.annotations[netpold.io/interface]", "expected the name of a network"},
	{"an interface with a quote",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {netpold.io/interface: "
	 "'a\"b'}}\n",
	 NULL, "metadata.annotations[netpold.io/interface]", "expected the name of a network"},
	{"an interface that nft reads as a pattern",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {netpold.io/interface: "
	 "'veth*'}}\n",
	 NULL, "metadata.annotations[netpold.io/interface]", "expected the name of a network"},
	{"an interface with a space",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {netpold.io/interface: 'a "
	 "b'}}\n",
	 NULL, "metadata.annotations[netpold.io/interface]", "expected the name of a network"},
	{"an interface that is a directory",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {netpold.io/interface: "
	 "'..'}}\n",
	 NULL, "metadata.annotations[netpold.io/interface]", "expected the name of a network"},

	/* Workloads, and what their controllers add. */
	{"a Deployment",
	 "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w, namespace: shop, labels: "
	 "{not: these}}\nspec: {replicas: 3, template: {metadata: {labels: {app: w}}, spec: "
	 "{hostNetwork: true, containers: [{ports: [{name: a, containerPort: 1}]}]}}}\n",
	 "shop/deployment/w app=w pod-template-hash=unknown a:tcp/1 host-network", 0, 0},
	{"a ReplicaSet",
	 "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: w}\n"
	 "spec: {template: {metadata: {labels: {app: w}}}}\n",
	 "default/replicaset/w app=w", 0, 0},
	{"a ReplicationController",
	 "apiVersion: v1\nkind: ReplicationController\nmetadata: {name: w}\n"
	 "spec: {template: {metadata: {labels: {app: w}}}}\n",
	 "default/replicationcontroller/w app=w", 0, 0},
	{"a DaemonSet",
	 "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: w}\nspec: {template: {}}\n",
	 "default/daemonset/w controller-revision-hash=unknown pod-template-generation=unknown", 0,
	 0},
	{"a StatefulSet has its pods one by one",
	 "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\n"
	 "spec: {replicas: 2, template: {}}\n",
	 "default/statefulset/w-0 apps.kubernetes.io/pod-index=0 controller-revision-hash=unknown "
	 "statefulset.kubernetes.io/pod-name=w-0\n"
	 "default/statefulset/w-1 apps.kubernetes.io/pod-index=1 controller-revision-hash=unknown "
	 "statefulset.kubernetes.io/pod-name=w-1",
	 0, 0},
	{"a StatefulSet may begin elsewhere",
	 "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\n"
	 "spec: {ordinals: {start: 5}, template: {}}\n",
	 "default/statefulset/w-5 apps.kubernetes.io/pod-index=5 controller-revision-hash=unknown "
	 "statefulset.kubernetes.io/pod-name=w-5",
	 0, 0},
	{"a StatefulSet of none yet has one to test with",
	 "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\n"
	 "spec: {replicas: 0, template: {}}\n",
	 "default/statefulset/w-0 apps.kubernetes.io/pod-index=0 controller-revision-hash=unknown "
	 "statefulset.kubernetes.io/pod-name=w-0",
	 0, 0},
	{"a Job", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: w}\nspec: {template: {}}\n",
	 "default/job/w batch.kubernetes.io/controller-uid=unknown batch.kubernetes.io/job-name=w "
	 "controller-uid=unknown job-name=w",
	 0, 0},
	{"a CronJob",
	 "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: w}\n"
	 "spec: {jobTemplate: {spec: {template: {metadata: {labels: {app: w}}}}}}\n",
	 "default/cronjob/w app=w batch.kubernetes.io/controller-uid=unknown "
	 "batch.kubernetes.io/job-name=unknown controller-uid=unknown job-name=unknown",
	 0, 0},
	{"a Deployment of before 1.16",
	 "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: w}\n"
	 "spec: {template: {metadata: {labels: {app: w}}}}\n",
	 "default/deployment/w app=w pod-template-hash=unknown", 0, 0},
	{"a Deployment without a template",
	 "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec: {}\n", NULL,
	 "spec.template", "expected a pod template"},
	{"a CronJob without a template",
	 "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: w}\nspec: {jobTemplate: {}}\n",
	 NULL, "spec.jobTemplate.spec.template", "expected a pod template"},
	{"negative replicas",
	 "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\n"
	 "spec: {replicas: -1, template: {}}\n",
	 NULL, "spec.replicas", "expected a number from 0 to 2147483647"},
	{"a fault in a template is told once, not for each replica",
	 "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\n"
	 "spec: {replicas: 3, template: {metadata: {labels: {a: 1}}}}\n",
	 NULL, "spec.template.metadata.labels[a]", "expected a string"},
};

static void is_decoded(void **state)
{
	const struct row *row = *state;
	struct unit_decoded u;
	char *all = strdup("");

	unit_decode(&u, "a.yaml", row->yaml, NULL);
	if (!row->pods) {
		assert_int_equal(u.rc, -EINVAL);
		assert_true(u.faults.errors >= 1);
		assert_string_equal(u.faults.v[0].field, row->field);
		assert_non_null(strstr(u.faults.v[0].text, row->text));
		free(all);
		unit_decoded_done(&u);
		return;
	}
	if (u.rc < 0)
		fail_msg("%s: %s", u.faults.v[0].field, u.faults.v[0].text);
	for (size_t i = 0; i < u.decoded.objects.n; i++) {
		char *pod = describe(u.decoded.objects.v[i].pod), *more = NULL;

		assert_int_equal(u.decoded.objects.v[i].kind, KIND_POD);
		assert_true(asprintf(&more, "%s%s%s", all, i > 0 ? "\n" : "", pod) >= 0);
		free(pod);
		free(all);
		all = more;
	}
	assert_string_equal(all, row->pods);
	free(all);
	unit_decoded_done(&u);
}

static void what_an_api_server_says_of_interfaces_is_ignored(void **state)
{
	struct unit_decoded u;

	(void)state;
	unit_decode(&u, NULL,
		    "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: "
		    "{netpold.io/interface: eth0}}\n",
		    NULL);
	assert_int_equal(u.rc, 0);
	assert_null(u.decoded.objects.v[0].pod->interface);
	unit_decoded_done(&u);
}

static void too_many_replicas_are_cut_with_a_warning(void **state)
{
	struct unit_decoded u;

	(void)state;
	unit_decode(&u, "a.yaml",
		    "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\n"
		    "spec: {replicas: 2000000000, template: {}}\n",
		    NULL);
	assert_int_equal(u.rc, 0);
	assert_int_equal(u.decoded.objects.n, 1000);
	assert_int_equal(u.faults.warnings, 1);
	assert_string_equal(u.faults.v[0].field, "spec.replicas");
	unit_decoded_done(&u);
}

static void ordinals_at_the_end_of_numbers_do_no_harm(void **state)
{
	struct unit_decoded u;

	(void)state;
	unit_decode(&u, "a.yaml",
		    "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\n"
		    "spec: {replicas: 2, ordinals: {start: 2147483647}, template: {}}\n",
		    NULL);
	assert_int_equal(u.rc, 0);
	assert_string_equal(u.decoded.objects.v[1].pod->name, "statefulset/w-2147483648");
	unit_decoded_done(&u);
	unit_decode(&u, "a.yaml",
		    "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\n"
		    "spec: {replicas: 2, ordinals: {start: 9223372036854775807}, template: {}}\n",
		    NULL);
	assert_int_equal(u.rc, -EINVAL);
	unit_decoded_done(&u);
}

static void a_namespace_has_its_name_as_a_label_whatever_it_says(void **state)
{
	static const char *const yaml[] = {
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: "
		"{kubernetes.io/metadata.name: other}}\n",
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: null}\n",
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, namespace: ignored, "
		"labels: {}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yaml); i++) {
		const struct namespace_ *ns;
		struct unit_decoded u;

		unit_decode(&u, "a.yaml", yaml[i], NULL);
		assert_int_equal(u.rc, 0);
		ns = u.decoded.objects.v[0].namespace_;
		assert_string_equal(ns->name, "shop");
		assert_int_equal(ns->labels.n, 1);
		assert_string_equal(ns->labels.v[0].key, LABEL_NAMESPACE_NAME);
		assert_string_equal(ns->labels.v[0].value, "shop");
		unit_decoded_done(&u);
	}
}

static void a_namespace_is_no_subdomain(void **state)
{
	struct unit_decoded u;

	(void)state;
	unit_decode(&u, "a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}\n", NULL);
	assert_int_equal(u.rc, -EINVAL);
	assert_string_equal(u.faults.v[0].field, "metadata.name");
	unit_decoded_done(&u);
}

static void of_a_nodes_addresses_those_that_are_some_count(void **state)
{
	const struct node *node;
	struct unit_decoded u;
	char text[ADDR_TEXT_MAX];

	(void)state;
	unit_decode(
		&u, "a.yaml",
		"apiVersion: v1\nkind: Node\nmetadata: {name: n.example.com}\n"
		"status: {addresses: [{type: Hostname, address: host}, {type: InternalIP, address: "
		"192.168.0.1}, {type: ExternalIP, address: '2001:db8::1'}, null]}\n",
		NULL);
	assert_int_equal(u.rc, 0);
	node = u.decoded.objects.v[0].node;
	assert_int_equal(node->n_addrs, 2);
	assert_string_equal(addr_format(&node->addrs[0], text), "192.168.0.1");
	assert_string_equal(addr_format(&node->addrs[1], text), "2001:db8::1");
	unit_decoded_done(&u);
}

/* Which kind it is. */
struct kind_row {
	const char *name;
	const char *yaml;
	int rc;
	enum decoded_what what;
	const char *kind, *object;
};

static const struct kind_row kinds[] = {
	{"a kind that has no bearing", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n", 0,
	 DECODED_UNUSED, "Service", "s"},
	{"a kind that nobody knows", "apiVersion: a.b/v1\nkind: X\n", 0, DECODED_UNUSED, "X", ""},
	{"a Pod of another group", "apiVersion: a.b/v1\nkind: Pod\n", 0, DECODED_UNUSED, "Pod", ""},
	{"a Deployment of another group", "apiVersion: a.b/v1\nkind: Deployment\n", 0,
	 DECODED_UNUSED, "Deployment", ""},
	{"Calico's NetworkPolicy",
	 "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: p, namespace: "
	 "a}\n",
	 0, DECODED_UNENFORCED, "NetworkPolicy.projectcalico.org", "a/p"},
	{"an AdminNetworkPolicy",
	 "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: "
	 "{name: "
	 "p}\n",
	 0, DECODED_UNENFORCED, "AdminNetworkPolicy.policy.networking.k8s.io", "p"},
	{"Cilium's",
	 "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: p}\n", 0,
	 DECODED_UNENFORCED, "CiliumClusterwideNetworkPolicy.cilium.io", "p"},
	{"no kind", "apiVersion: v1\nmetadata: {name: p}\n", -EINVAL, DECODED_UNUSED, 0, 0},
	{"a kind that is a number", "apiVersion: v1\nkind: 1\n", -EINVAL, DECODED_UNUSED, 0, 0},
	{"no apiVersion", "kind: Pod\nmetadata: {name: p}\n", -EINVAL, DECODED_UNUSED, 0, 0},
	{"an apiVersion that is a number", "apiVersion: 1\nkind: Pod\n", -EINVAL, DECODED_UNUSED, 0,
	 0},
	{"a list", "[]", -EINVAL, DECODED_UNUSED, 0, 0},
	{"text", "Pod", -EINVAL, DECODED_UNUSED, 0, 0},
	{"metadata that is text", "apiVersion: v1\nkind: Pod\nmetadata: p\n", -EINVAL,
	 DECODED_UNUSED, 0, 0},
};

static void is_of_kind(void **state)
{
	const struct kind_row *row = *state;
	struct unit_decoded u;

	unit_decode(&u, "a.yaml", row->yaml, NULL);
	assert_int_equal(u.rc, row->rc);
	assert_int_equal(u.faults.errors > 0, row->rc < 0);
	if (row->rc == 0) {
		assert_int_equal(u.decoded.what, row->what);
		assert_string_equal(u.decoded.kind, row->kind);
		assert_string_equal(u.decoded.name, row->object);
	}
	unit_decoded_done(&u);
}

/* A typed list gives its items their kind. */
static void an_item_takes_its_lists_kind(void **state)
{
	static const struct {
		const char *list_kind, *list_version, *yaml;
		int rc;
	} cases[] = {
		{"PodList", "v1", "metadata: {name: p}", 0},
		{"PodList", "v1", "{kind: Pod, apiVersion: v1, metadata: {name: p}}", 0},
		{"PodList", NULL, "{apiVersion: v1, metadata: {name: p}}", 0},
		{"PodList", NULL, "metadata: {name: p}", -EINVAL},
		{"List", "v1", "metadata: {name: p}", -EINVAL},
		{"Pod", "v1", "metadata: {name: p}", -EINVAL},
		{NULL, NULL, "metadata: {name: p}", -EINVAL},
		{"PodList", "v1", "{kind: Pod, metadata: {name: p}}", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct faults faults = {0};
		struct intern *strings = intern_new();
		struct decoder d = {.strings = strings, .faults = &faults, .file = "a"};
		json_t *tree = unit_tree(cases[i].yaml);
		struct decoded decoded;

		assert_int_equal(decode_object(&d, tree, cases[i].list_kind, cases[i].list_version,
					       &decoded),
				 cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(decoded.objects.v[0].kind, KIND_POD);
		decoded_done(strings, &decoded);
		faults_done(&faults);
		json_decref(tree);
		intern_free(strings);
	}
}

static void very_long_kinds_and_values_are_cut(void **state)
{
	char *longer = malloc(100001), *yaml = NULL;
	struct unit_decoded u;

	(void)state;
	assert_non_null(longer);
	memset(longer, 'x', 100000);
	longer[100000] = '\0';
	assert_true(asprintf(&yaml,
			     "{apiVersion: %s/v1, kind: %sNetworkPolicy, metadata: {name: %s, "
			     "namespace: %s}}",
			     longer, longer, longer, longer) > 0);
	unit_decode(&u, "a.yaml", yaml, NULL);
	assert_int_equal(u.rc, 0);
	unit_decoded_done(&u);
	free(yaml);
	assert_true(asprintf(&yaml, "{apiVersion: v1, kind: Pod, metadata: {name: %s}}", longer) >
		    0);
	unit_decode(&u, "a.yaml", yaml, NULL);
	assert_int_equal(u.rc, -EINVAL);
	assert_true(strlen(u.faults.v[0].value) < 200);
	assert_string_equal(u.faults.v[0].value + strlen(u.faults.v[0].value) - 3, "...");
	unit_decoded_done(&u);
	free(yaml);
	free(longer);
}

/* What cannot be understood has to be closed: whatever tells where it is counts. */
static void of_an_odd_pod_what_can_be_read_is_known(void **state)
{
	static const struct {
		const char *yaml, *pod;
	} cases[] = {
		{"{metadata: {name: p, namespace: shop, labels: {a: 1}}, spec: {nodeName: n1}, "
		 "status: {podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}], podIP: 10.0.0.1}}",
		 "shop/p 10.0.0.1 fd00::1 on n1"},
		{"{metadata: {name: p}, spec: {nodeName: n1, containers: 7}, status: {podIP: odd}}",
		 "default/p on n1"},
		{"{metadata: {name: p}, spec: [], status: 7}", "default/p"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct intern *strings = intern_new();
		struct decoder d = {.strings = strings};
		json_t *tree = unit_tree(cases[i].yaml);
		struct object object;
		char *text;

		assert_int_equal(decode_stand_in(&d, tree, KIND_POD, &object), 0);
		text = describe(object.pod);
		assert_string_equal(text, cases[i].pod);
		free(text);
		object_free(strings, object);
		json_decref(tree);
		assert_int_equal(intern_count(strings), 0);
		intern_free(strings);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_an_odd_pod_what_can_be_read_is_known),
		cmocka_unit_test(what_an_api_server_says_of_interfaces_is_ignored),
		cmocka_unit_test(too_many_replicas_are_cut_with_a_warning),
		cmocka_unit_test(ordinals_at_the_end_of_numbers_do_no_harm),
		cmocka_unit_test(a_namespace_has_its_name_as_a_label_whatever_it_says),
		cmocka_unit_test(a_namespace_is_no_subdomain),
		cmocka_unit_test(of_a_nodes_addresses_those_that_are_some_count),
		cmocka_unit_test(an_item_takes_its_lists_kind),
		cmocka_unit_test(very_long_kinds_and_values_are_cut),
	};
	int failed = RUN_ROWS("pods", rows, is_decoded);

	failed += RUN_ROWS("kinds", kinds, is_of_kind);
	failed += cmocka_run_group_tests_name("objects", tests, NULL, NULL);
	return failed;
}
