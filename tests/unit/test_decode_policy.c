/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an API server accepts in a NetworkPolicy, and what it makes of it (Kubernetes 1.36,
 * pkg/apis/networking/v1/defaults.go). */
#include "policy_text.h"
#include "unit.h"

/* What is accepted, and what it means: ingress and egress isolated? */
struct accepted {
	const char *name;
	const char *spec;
	bool ingress, egress;
	size_t n_rules[DIR_COUNT];
};

static const struct accepted accepted[] = {
	{"no spec at all isolates ingress", HEAD, true, false, {0, 0}},
	{"a spec that is null isolates ingress", "null", true, false, {0, 0}},
	{"an empty spec isolates ingress", "{}", true, false, {0, 0}},
	{"members that are null are members that are not there",
	 "{podSelector: null, ingress: null, egress: null, policyTypes: null}",
	 true,
	 false,
	 {0, 0}},
	{"empty lists are lists that are not there",
	 "{ingress: [], egress: [], policyTypes: []}",
	 true,
	 false,
	 {0, 0}},
	{"an egress rule without policyTypes isolates both", "{egress: [{}]}", true, true, {0, 1}},
	{"an ingress rule without policyTypes isolates ingress",
	 "{ingress: [{}]}",
	 true,
	 false,
	 {1, 0}},
	{"only Egress isolates egress only, whatever ingress says",
	 "{policyTypes: [Egress], ingress: [{}]}",
	 false,
	 true,
	 {1, 0}},
	{"only Ingress isolates ingress only, whatever egress says",
	 "{policyTypes: [Ingress], egress: [{}]}",
	 true,
	 false,
	 {0, 1}},
	{"both types", "{policyTypes: [Egress, Ingress]}", true, true, {0, 0}},
	{"a type that stands twice", "{policyTypes: [Ingress, Ingress]}", true, false, {0, 0}},
	{"rules that are null are empty rules", "{ingress: [null, null]}", true, false, {2, 0}},
	{"a rule whose members are null is an empty rule",
	 "{ingress: [{from: null, ports: null}]}",
	 true,
	 false,
	 {1, 0}},
	{"a status, which the API server drops",
	 HEAD "spec: {}\nstatus: {}\n",
	 true,
	 false,
	 {0, 0}},
	{"a name of 253 characters",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " LONG_250
	 "xxx}\n",
	 true,
	 false,
	 {0, 0}},
	{"a label key with a prefix",
	 SELECTOR("{matchLabels: {example.com/a_b.C: " LONG_63 "}}"),
	 true,
	 false,
	 {0, 0}},
	{"a label key of 63 characters",
	 SELECTOR("{matchLabels: {" LONG_63 ": ''}}"),
	 true,
	 false,
	 {0, 0}},
	{"labels and annotations of its own",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
	 "metadata: {name: p, labels: {a: b}, annotations: {any: 'text at all'}}\n",
	 true,
	 false,
	 {0, 0}},
	{"what an API server adds to metadata",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
	 "metadata: {name: p, uid: u, resourceVersion: '1', generation: 1, creationTimestamp: "
	 "'2026-01-01T00:00:00Z', managedFields: [{manager: kubectl}], ownerReferences: [], "
	 "finalizers: [], selfLink: /a, generateName: p-, deletionTimestamp: null, "
	 "deletionGracePeriodSeconds: null}\n",
	 true,
	 false,
	 {0, 0}},
	{"every field at once",
	 "{podSelector: {matchLabels: {a: b}, matchExpressions: [{key: c, operator: In, values: "
	 "[d]}]}, policyTypes: [Ingress, Egress], ingress: [{from: [{podSelector: {}, "
	 "namespaceSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: "
	 "[{protocol: SCTP, port: 1, endPort: 65535}]}], egress: [{to: [{podSelector: {}}], ports: "
	 "[{port: dns-tcp}]}]}",
	 true,
	 true,
	 {1, 1}},
};

static void is_accepted(void **state)
{
	const struct accepted *row = *state;
	const struct network_policy *policy;
	struct unit_decoded u;

	unit_decode(&u, "p.yaml", whole(row->spec), row->spec);
	if (u.faults.n > 0)
		fail_msg("%s: %s", u.faults.v[0].field, u.faults.v[0].text);
	assert_int_equal(u.rc, 0);
	assert_int_equal(u.decoded.objects.n, 1);
	policy = u.decoded.objects.v[0].policy;
	assert_int_equal(policy->isolates[DIR_INGRESS], row->ingress);
	assert_int_equal(policy->isolates[DIR_EGRESS], row->egress);
	for (int dir = 0; dir < DIR_COUNT; dir++)
		assert_int_equal(policy->n_rules[dir], row->n_rules[dir]);
	unit_decoded_done(&u);
}

/* One port, as it is read. */
struct port_row {
	const char *name;
	const char *port;
	enum proto proto;
	uint16_t first, last;
	const char *named;
};

static const struct port_row ports[] = {
	{"an empty port is every TCP port", "{}", PROTO_TCP, 0, 65535, NULL},
	{"a port that is null is every TCP port", "null", PROTO_TCP, 0, 65535, NULL},
	{"members that are null are not there", "{protocol: null, port: null, endPort: null}",
	 PROTO_TCP, 0, 65535, NULL},
	{"a protocol alone is all of its ports", "{protocol: UDP}", PROTO_UDP, 0, 65535, NULL},
	{"a number is TCP", "{port: 80}", PROTO_TCP, 80, 80, NULL},
	{"the first port", "{port: 1}", PROTO_TCP, 1, 1, NULL},
	{"the last port", "{port: 65535}", PROTO_TCP, 65535, 65535, NULL},
	{"a range", "{port: 80, endPort: 90}", PROTO_TCP, 80, 90, NULL},
	{"a range of one", "{port: 80, endPort: 80}", PROTO_TCP, 80, 80, NULL},
	{"the widest range", "{port: 1, endPort: 65535, protocol: SCTP}", PROTO_SCTP, 1, 65535,
	 NULL},
	{"a float that is whole, as kubectl reads it", "{port: 80.0}", PROTO_TCP, 80, 80, NULL},
	{"an exponent, as kubectl reads it", "{port: 1e3}", PROTO_TCP, 1000, 1000, NULL},
	{"a number in hexadecimal, as kubectl reads it", "{port: 0x50}", PROTO_TCP, 80, 80, NULL},
	{"a name of one letter", "{port: a}", PROTO_TCP, 0, 65535, "a"},
	{"a name of 15 characters", "{port: abcdefghijklm-1, protocol: UDP}", PROTO_UDP, 0, 65535,
	 "abcdefghijklm-1"},
	{"a name that begins with a digit", "{port: 8a}", PROTO_TCP, 0, 65535, "8a"},
};

static void reads_port(void **state)
{
	const struct port_row *row = *state;
	const struct policy_port *port;
	struct unit_decoded u;

	unit_decode(&u, "p.yaml", HEAD "spec: {ingress: [{ports: [%s]}]}\n", row->port);
	assert_int_equal(u.rc, 0);
	port = &u.decoded.objects.v[0].policy->rules[DIR_INGRESS][0].ports[0];
	assert_int_equal(port->proto, row->proto);
	if (row->named) {
		assert_string_equal(port->name, row->named);
	} else {
		assert_null(port->name);
		assert_int_equal(port->first, row->first);
		assert_int_equal(port->last, row->last);
	}
	unit_decoded_done(&u);
}

/* CIDRs that servers before 1.36 let in: fine in what such a server stores, refused in what is new.
 */
struct sloppy_row {
	const char *name;
	const char *cidr, *read_as;
	const char *warning;
};

static const struct sloppy_row sloppy[] = {
	{"leading zeros are decimal", "010.08.0.0/16", "10.8.0.0/16", "no leading zeros"},
	{"bits beyond the length are masked", "192.168.242.213/24", "192.168.242.0/24",
	 "no bits set beyond"},
	{"bits beyond the length are masked in IPv6", "2001:db8::1/32", "2001:db8::/32",
	 "no bits set beyond"},
	{"an IPv4-mapped cidr is the IPv4 one", "::ffff:1.2.3.4/120", "1.2.3.0/24",
	 "no IPv4-mapped"},
	{"an IPv4-mapped address is the IPv4 one", "::ffff:a00:1/128", "10.0.0.1/32",
	 "no IPv4-mapped"},
	{"leading zeros in the length are decimal", "10.0.0.0/08", "10.0.0.0/8",
	 "no leading zeros"},
};

static void is_read_with_a_warning(void **state)
{
	const struct sloppy_row *row = *state;
	static const char *const files[] = {"p.yaml", NULL};
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct unit_decoded u;

		unit_decode(&u, files[i],
			    OLD_HEAD "spec: {ingress: [{from: [{ipBlock: {cidr: '%s'}}]}]}\n",
			    row->cidr);
		assert_int_equal(u.rc, 0);
		assert_int_equal(u.faults.warnings, 1);
		assert_int_equal(u.faults.v[0].level, FAULT_WARNING);
		assert_string_equal(u.faults.v[0].field, "spec.ingress[0].from[0].ipBlock.cidr");
		assert_non_null(strstr(u.faults.v[0].text, row->warning));
		assert_string_equal(prefix_format(&u.decoded.objects.v[0]
							   .policy->rules[DIR_INGRESS][0]
							   .peers[0]
							   .block.cidr,
						  text),
				    row->read_as);
		unit_decoded_done(&u);
	}
}

static void without_a_uid_it_is_refused(void **state)
{
	const struct sloppy_row *row = *state;
	struct unit_decoded u;

	unit_decode(&u, "p.yaml", HEAD "spec: {ingress: [{from: [{ipBlock: {cidr: '%s'}}]}]}\n",
		    row->cidr);
	assert_int_equal(u.rc, -EINVAL);
	unit_decoded_done(&u);
}

static void a_stored_object_may_have_values_that_are_no_label_values(void **state)
{
	struct unit_decoded u;

	(void)state;
	unit_decode(&u, NULL,
		    OLD_HEAD "spec: {podSelector: {matchExpressions: [{key: a, operator: In, "
			     "values: ['not ok']}]}}\n",
		    NULL);
	assert_int_equal(u.rc, 0);
	assert_string_equal(u.decoded.objects.v[0].policy->subject.v[0].values[0], "not ok");
	unit_decoded_done(&u);
}

static void a_stored_object_is_held_to_all_else(void **state)
{
	struct unit_decoded u;

	(void)state;
	unit_decode(&u, NULL, OLD_HEAD "spec: {podSelector: {matchLabels: {a: 'not ok'}}}\n", NULL);
	assert_int_equal(u.rc, -EINVAL);
	unit_decoded_done(&u);
	unit_decode(&u, NULL,
		    OLD_HEAD "spec: {ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: "
			     "[10.0.0.0/8]}}]}]}\n",
		    NULL);
	assert_int_equal(u.rc, -EINVAL);
	unit_decoded_done(&u);
}

static void all_faults_are_told_together(void **state)
{
	struct unit_decoded u;

	(void)state;
	unit_decode(&u, "p.yaml",
		    HEAD "spec: {podSelector: {matchLabels: {a: 1, b: 2}}, policyTypes: [x, y, z], "
			 "ingress: [{from: [{}], ports: [{port: 0, protocol: x}]}]}\n",
		    NULL);
	assert_int_equal(u.rc, -EINVAL);
	assert_int_equal(u.faults.errors, 9);
	assert_string_equal(u.faults.v[0].object, "NetworkPolicy shop/p");
	unit_decoded_done(&u);
}

static void a_null_label_is_an_empty_value(void **state)
{
	const struct label_selector *subject;
	struct unit_decoded u;

	(void)state;
	unit_decode(&u, "p.yaml",
		    HEAD
		    "spec: {podSelector: {matchLabels: {app: null}, matchExpressions: [{key: b, "
		    "operator: In, values: [null, c]}]}}\n",
		    NULL);
	assert_int_equal(u.rc, 0);
	subject = &u.decoded.objects.v[0].policy->subject;
	assert_int_equal(subject->n, 2);
	assert_string_equal(subject->v[0].key, "app");
	assert_string_equal(subject->v[0].values[0], "");
	assert_int_equal(subject->v[1].n_values, 2);
	assert_string_equal(subject->v[1].values[0], "");
	unit_decoded_done(&u);
}

static void an_absent_selector_is_not_an_empty_one(void **state)
{
	const struct policy_peer *peers;
	struct unit_decoded u;

	(void)state;
	unit_decode(&u, "p.yaml",
		    HEAD "spec: {ingress: [{from: [{podSelector: {}}, {namespaceSelector: {}}, "
			 "{podSelector: {}, namespaceSelector: null}]}]}\n",
		    NULL);
	assert_int_equal(u.rc, 0);
	peers = u.decoded.objects.v[0].policy->rules[DIR_INGRESS][0].peers;
	assert_true(peers[0].has_pod_selector && !peers[0].has_ns_selector);
	assert_true(!peers[1].has_pod_selector && peers[1].has_ns_selector);
	assert_true(peers[2].has_pod_selector && !peers[2].has_ns_selector);
	unit_decoded_done(&u);
}

static void excepts_may_overlap_and_repeat(void **state)
{
	struct unit_decoded u;

	(void)state;
	unit_decode(&u, "p.yaml",
		    HEAD "spec: {egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, "
			 "10.1.2.0/24, 10.1.0.0/16, 10.0.0.0/9]}}]}]}\n",
		    NULL);
	assert_int_equal(u.rc, 0);
	assert_int_equal(
		u.decoded.objects.v[0].policy->rules[DIR_EGRESS][0].peers[0].block.n_except, 4);
	unit_decoded_done(&u);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stored_object_may_have_values_that_are_no_label_values),
		cmocka_unit_test(a_stored_object_is_held_to_all_else),
		cmocka_unit_test(all_faults_are_told_together),
		cmocka_unit_test(a_null_label_is_an_empty_value),
		cmocka_unit_test(an_absent_selector_is_not_an_empty_one),
		cmocka_unit_test(excepts_may_overlap_and_repeat),
	};
	int failed = RUN_ROWS("accepted in a policy", accepted, is_accepted);

	failed += RUN_ROWS("a policy's ports", ports, reads_port);
	failed += RUN_ROWS("CIDRs of older servers", sloppy, is_read_with_a_warning);
	failed += RUN_ROWS("the same CIDRs in new objects", sloppy, without_a_uid_it_is_refused);
	failed += cmocka_run_group_tests_name("policies", tests, NULL, NULL);
	return failed;
}
