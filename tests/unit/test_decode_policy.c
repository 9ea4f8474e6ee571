/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The catalogue of what an API server makes of a NetworkPolicy (Kubernetes 1.36,
 * pkg/apis/networking/validation and v1/defaults.go). */
#include "unit.h"

#define HEAD                                                                                       \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"                                  \
	"metadata: {name: p, namespace: shop}\n"
#define OLD_HEAD                                                                                   \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"                                  \
	"metadata: {name: p, namespace: shop, uid: 1234}\n"
#define LONG_64	 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"
#define LONG_63	 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define LONG_250 LONG_63 "." LONG_63 "." LONG_63 "." "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffff"

/* What is refused: the first fault's place, and what it says. */
struct refused {
	const char *name;
	const char *spec; /* follows HEAD as `spec:`; or a whole object */
	const char *field, *text;
};

/* One peer of one ingress rule; one port; one selector of a peer. */
#define PEER(...)     "{ingress: [{from: [" __VA_ARGS__ "]}]}"
#define PORT(...)     "{ingress: [{ports: [" __VA_ARGS__ "]}]}"
#define SELECTOR(...) "{podSelector: " __VA_ARGS__ "}"
#define EXPR(...)     "{podSelector: {matchExpressions: [" __VA_ARGS__ "]}}"

static const struct refused refused[] = {
	/* The object. */
	{"a spec that is a list", "[]", "spec", "expected an object"},
	{"a spec that is text", "all", "spec", "expected an object"},
	{"a field that nobody knows", "{ingres: []}", "spec.ingres", "unknown field"},
	{"a field in another case", "{Ingress: []}", "spec.Ingress", "unknown field"},
	{"a field beside spec", HEAD "spec: {}\nspecs: {}", "specs", "unknown field"},
	{"a field of metadata that nobody knows",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
	 "metadata: {name: p, nmespace: shop}\n",
	 "metadata.nmespace", "unknown field"},
	{"no name", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: {}\n",
	 "metadata.name", "expected a name"},
	{"an empty name",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: ''}\n",
	 "metadata.name", "expected a name"},
	{"a name that is a number",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: 7}\n",
	 "metadata.name", "expected a string"},
	{"a name with a capital letter",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: Web}\n",
	 "metadata.name", "expected at most 253"},
	{"a name with an empty part",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a..b}\n",
	 "metadata.name", "expected at most 253"},
	{"a name of 254 characters",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " LONG_250
	 "xxxx}\n",
	 "metadata.name", "expected at most 253"},
	{"a namespace with a dot",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
	 "metadata: {name: p, namespace: a.b}\n",
	 "metadata.namespace", "expected at most 63"},
	{"a namespace of 64 characters",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
	 "metadata: {name: p, namespace: " LONG_64 "}\n",
	 "metadata.namespace", "expected at most 63"},
	{"a label of its own that is a boolean",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
	 "metadata: {name: p, labels: {a: yes}}\n",
	 "metadata.labels[a]", "expected a string"},
	{"a label of its own with a bad key",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
	 "metadata: {name: p, labels: {'a b': c}}\n",
	 "metadata.labels[a b]", "expected a label key"},
	{"an annotation that is a number",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
	 "metadata: {name: p, annotations: {a: 1}}\n",
	 "metadata.annotations[a]", "expected a string"},
	{"the version of before 1.7",
	 "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: p}\n", "apiVersion",
	 "expected networking.k8s.io/v1"},
	{"a version that never was",
	 "apiVersion: networking.k8s.io/v2\nkind: NetworkPolicy\nmetadata: {name: p}\n",
	 "apiVersion", "expected networking.k8s.io/v1"},

	/* policyTypes. */
	{"policyTypes that is text", "{policyTypes: Ingress}", "spec.policyTypes",
	 "expected a list"},
	{"three policyTypes", "{policyTypes: [Ingress, Egress, Ingress]}", "spec.policyTypes",
	 "expected at most two"},
	{"a policyType in lower case", "{policyTypes: [ingress]}", "spec.policyTypes[0]",
	 "expected Ingress or Egress"},
	{"a policyType that is null", "{policyTypes: [Ingress, null]}", "spec.policyTypes[1]",
	 "expected Ingress or Egress"},
	{"a policyType that is a number", "{policyTypes: [1]}", "spec.policyTypes[0]",
	 "expected Ingress or Egress"},

	/* Rules. */
	{"ingress that is an object", "{ingress: {}}", "spec.ingress", "expected a list"},
	{"a rule that is text", "{egress: [all]}", "spec.egress[0]", "expected an object"},
	{"a rule that is a list", "{egress: [[]]}", "spec.egress[0]", "expected an object"},
	{"to in an ingress rule", "{ingress: [{to: []}]}", "spec.ingress[0].to", "unknown field"},
	{"from in an egress rule", "{egress: [{from: []}]}", "spec.egress[0].from",
	 "unknown field"},
	{"from that is an object", "{ingress: [{from: {podSelector: {}}}]}", "spec.ingress[0].from",
	 "expected a list"},
	{"ports that is a number", "{ingress: [{ports: 80}]}", "spec.ingress[0].ports",
	 "expected a list"},

	/* Peers. */
	{"a peer that is empty", PEER("{}"), "spec.ingress[0].from[0]", "expected a peer"},
	{"a peer that is null", PEER("null"), "spec.ingress[0].from[0]", "expected a peer"},
	{"a peer whose members are all null",
	 PEER("{podSelector: null, namespaceSelector: null, ipBlock: null}"),
	 "spec.ingress[0].from[0]", "expected a peer"},
	{"a peer that is text", PEER("'10.0.0.0/8'"), "spec.ingress[0].from[0]",
	 "expected an object"},
	{"the second peer is the empty one", PEER("{podSelector: {}}, {}"),
	 "spec.ingress[0].from[1]", "expected a peer"},
	{"a peer with a field that nobody knows", PEER("{podSelector: {}, podselector: {}}"),
	 "spec.ingress[0].from[0].podselector", "unknown field"},
	{"an ipBlock beside a podSelector",
	 PEER("{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}"), "spec.ingress[0].from[0].ipBlock",
	 "expected to stand alone"},
	{"an ipBlock beside a namespaceSelector",
	 PEER("{ipBlock: {cidr: 10.0.0.0/8}, namespaceSelector: {}}"),
	 "spec.ingress[0].from[0].ipBlock", "expected to stand alone"},
	{"an ipBlock beside both",
	 PEER("{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}, namespaceSelector: {}}"),
	 "spec.ingress[0].from[0].ipBlock", "expected to stand alone"},
	{"a podSelector that is a list", PEER("{podSelector: []}"),
	 "spec.ingress[0].from[0].podSelector", "expected an object"},
	{"a namespaceSelector that is a name", PEER("{namespaceSelector: shop}"),
	 "spec.ingress[0].from[0].namespaceSelector", "expected an object"},
	{"labels directly in a peer's selector", PEER("{podSelector: {app: web}}"),
	 "spec.ingress[0].from[0].podSelector.app", "unknown field"},

	/* ipBlock. */
	{"an ipBlock that is text", PEER("{ipBlock: 10.0.0.0/8}"),
	 "spec.ingress[0].from[0].ipBlock", "expected an object"},
	{"an ipBlock without cidr", PEER("{ipBlock: {}}"), "spec.ingress[0].from[0].ipBlock.cidr",
	 "expected a CIDR"},
	{"an ipBlock whose cidr is null", PEER("{ipBlock: {cidr: null}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"an empty cidr", PEER("{ipBlock: {cidr: ''}}"), "spec.ingress[0].from[0].ipBlock.cidr",
	 "expected a CIDR"},
	{"a cidr that is a number", PEER("{ipBlock: {cidr: 10}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"an address without a length", PEER("{ipBlock: {cidr: 10.0.0.1}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"an IPv4 length of 33", PEER("{ipBlock: {cidr: 10.0.0.0/33}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"an IPv6 length of 129", PEER("{ipBlock: {cidr: '::/129'}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"a negative length", PEER("{ipBlock: {cidr: 10.0.0.0/-1}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"a netmask for a length", PEER("{ipBlock: {cidr: 10.0.0.0/255.0.0.0}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"an octet of 256", PEER("{ipBlock: {cidr: 10.0.0.256/32}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"three octets", PEER("{ipBlock: {cidr: 10.0.0/24}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"space in a cidr", PEER("{ipBlock: {cidr: '10.0.0.0/8 '}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"an IPv6 zone", PEER("{ipBlock: {cidr: 'fe80::%eth0/64'}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "expected a CIDR"},
	{"leading zeros in an octet", PEER("{ipBlock: {cidr: 010.0.0.0/8}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "no leading zeros: write 10.0.0.0/8"},
	{"bits beyond the length", PEER("{ipBlock: {cidr: 10.0.0.1/8}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr",
	 "no bits set beyond the prefix length: write 10.0.0.0/8"},
	{"bits beyond the length in IPv6", PEER("{ipBlock: {cidr: '2001:db8::1/64'}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "write 2001:db8::/64"},
	{"an IPv4-mapped cidr", PEER("{ipBlock: {cidr: '::ffff:10.0.0.0/104'}}"),
	 "spec.ingress[0].from[0].ipBlock.cidr", "no IPv4-mapped IPv6 address: write 10.0.0.0/8"},
	{"a field of ipBlock that nobody knows", PEER("{ipBlock: {cidr: 10.0.0.0/8, excpt: []}}"),
	 "spec.ingress[0].from[0].ipBlock.excpt", "unknown field"},
	{"an except that is text", PEER("{ipBlock: {cidr: 10.0.0.0/8, except: 10.1.0.0/16}}"),
	 "spec.ingress[0].from[0].ipBlock.except", "expected a list"},
	{"an except that is no cidr", PEER("{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.1]}}"),
	 "spec.ingress[0].from[0].ipBlock.except[0]", "expected a CIDR"},
	{"an except that is null", PEER("{ipBlock: {cidr: 10.0.0.0/8, except: [null]}}"),
	 "spec.ingress[0].from[0].ipBlock.except[0]", "expected a CIDR"},
	{"an except equal to cidr", PEER("{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}"),
	 "spec.ingress[0].from[0].ipBlock.except[0]", "expected a strict subset"},
	{"an except around cidr", PEER("{ipBlock: {cidr: 10.0.0.0/8, except: [0.0.0.0/0]}}"),
	 "spec.ingress[0].from[0].ipBlock.except[0]", "expected a strict subset"},
	{"an except beside cidr",
	 PEER("{ipBlock: {cidr: 10.0.0.0/8, except: [10.9.0.0/16, 11.0.0.0/16]}}"),
	 "spec.ingress[0].from[0].ipBlock.except[1]", "expected a strict subset"},
	{"an except of the other family",
	 PEER("{ipBlock: {cidr: 0.0.0.0/0, except: ['2001:db8::/32']}}"),
	 "spec.ingress[0].from[0].ipBlock.except[0]", "expected a strict subset"},
	{"bits beyond the length of an except",
	 PEER("{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.1/16]}}"),
	 "spec.ingress[0].from[0].ipBlock.except[0]", "no bits set beyond"},

	/* Ports. */
	{"a port that is a number in the list", "{ingress: [{ports: [80]}]}",
	 "spec.ingress[0].ports[0]", "expected an object"},
	{"port 0", PORT("{port: 0}"), "spec.ingress[0].ports[0].port", "expected 1 to 65535"},
	{"port 65536", PORT("{port: 65536}"), "spec.ingress[0].ports[0].port",
	 "expected 1 to 65535"},
	{"a negative port", PORT("{port: -1}"), "spec.ingress[0].ports[0].port",
	 "expected 1 to 65535"},
	{"a port that wraps around 32 bits", PORT("{port: 4294967376}"),
	 "spec.ingress[0].ports[0].port", "expected 1 to 65535"},
	{"a port that is a fraction", PORT("{port: 80.5}"), "spec.ingress[0].ports[0].port",
	 "expected a number or a port name"},
	{"a port that is a boolean", PORT("{port: on}"), "spec.ingress[0].ports[0].port",
	 "expected a number or a port name"},
	{"a port that is a list", PORT("{port: [80]}"), "spec.ingress[0].ports[0].port",
	 "expected a number or a port name"},
	{"a number in quotes", PORT("{port: '80'}"), "spec.ingress[0].ports[0].port",
	 "expected a port name"},
	{"an empty port name", PORT("{port: ''}"), "spec.ingress[0].ports[0].port",
	 "expected a port name"},
	{"a port name of 16 characters", PORT("{port: abcdefghijklmnop}"),
	 "spec.ingress[0].ports[0].port", "expected a port name"},
	{"a port name in capitals", PORT("{port: HTTP}"), "spec.ingress[0].ports[0].port",
	 "expected a port name"},
	{"a port name with an underscore", PORT("{port: a_b}"), "spec.ingress[0].ports[0].port",
	 "expected a port name"},
	{"a port name that begins with a hyphen", PORT("{port: -a}"),
	 "spec.ingress[0].ports[0].port", "expected a port name"},
	{"a port name that ends with a hyphen", PORT("{port: a-}"),
	 "spec.ingress[0].ports[0].port", "expected a port name"},
	{"a port name with two hyphens", PORT("{port: a--b}"), "spec.ingress[0].ports[0].port",
	 "expected a port name"},
	{"a port name without a letter", PORT("{port: 8-0}"), "spec.ingress[0].ports[0].port",
	 "expected a port name"},
	{"endPort without port", PORT("{endPort: 90}"), "spec.ingress[0].ports[0].endPort",
	 "expected `port` beside it"},
	{"endPort with a port that is null", PORT("{port: null, endPort: 90}"),
	 "spec.ingress[0].ports[0].endPort", "expected `port` beside it"},
	{"endPort with a named port", PORT("{port: http, endPort: 90}"),
	 "spec.ingress[0].ports[0].endPort", "expected a numeric `port`"},
	{"endPort below port", PORT("{port: 80, endPort: 79}"), "spec.ingress[0].ports[0].endPort",
	 "expected at least `port`"},
	{"endPort 65536", PORT("{port: 80, endPort: 65536}"), "spec.ingress[0].ports[0].endPort",
	 "at most 65535"},
	{"endPort in quotes", PORT("{port: 80, endPort: '90'}"),
	 "spec.ingress[0].ports[0].endPort", "expected a number"},
	{"endPort that is a fraction", PORT("{port: 80, endPort: 90.5}"),
	 "spec.ingress[0].ports[0].endPort", "expected a number"},
	{"a protocol in lower case", PORT("{protocol: tcp}"), "spec.ingress[0].ports[0].protocol",
	 "expected TCP, UDP or SCTP"},
	{"an empty protocol", PORT("{protocol: ''}"), "spec.ingress[0].ports[0].protocol",
	 "expected TCP, UDP or SCTP"},
	{"ICMP as a protocol", PORT("{protocol: ICMP}"), "spec.ingress[0].ports[0].protocol",
	 "expected TCP, UDP or SCTP"},
	{"a protocol that is a number", PORT("{protocol: 6}"), "spec.ingress[0].ports[0].protocol",
	 "expected a string"},
	{"a field of a port that nobody knows", PORT("{portt: 80}"),
	 "spec.ingress[0].ports[0].portt", "unknown field"},

	/* Selectors. */
	{"a selector that is a list", SELECTOR("[]"), "spec.podSelector", "expected an object"},
	{"labels directly in the selector", SELECTOR("{app: web}"), "spec.podSelector.app",
	 "unknown field"},
	{"matchLabels that is a list", SELECTOR("{matchLabels: [app]}"),
	 "spec.podSelector.matchLabels", "expected an object"},
	{"a label that is a boolean", SELECTOR("{matchLabels: {app: yes}}"),
	 "spec.podSelector.matchLabels[app]", "expected a string (quote it)"},
	{"a label that is a number", SELECTOR("{matchLabels: {app: 1}}"),
	 "spec.podSelector.matchLabels[app]", "expected a string (quote it)"},
	{"a label that is an object", SELECTOR("{matchLabels: {app: {a: b}}}"),
	 "spec.podSelector.matchLabels[app]", "expected a string (quote it)"},
	{"a label value of 64 characters", SELECTOR("{matchLabels: {app: " LONG_64 "}}"),
	 "spec.podSelector.matchLabels[app]", "expected a label value"},
	{"a label value with a space", SELECTOR("{matchLabels: {app: a b}}"),
	 "spec.podSelector.matchLabels[app]", "expected a label value"},
	{"a label value that ends with a dot", SELECTOR("{matchLabels: {app: a.}}"),
	 "spec.podSelector.matchLabels[app]", "expected a label value"},
	{"a label key that is empty", SELECTOR("{matchLabels: {'': a}}"),
	 "spec.podSelector.matchLabels[]", "expected a label key"},
	{"a label key of 64 characters", SELECTOR("{matchLabels: {" LONG_64 ": a}}"),
	 "spec.podSelector.matchLabels[" LONG_64 "]", "expected a label key"},
	{"a label key with two slashes", SELECTOR("{matchLabels: {a/b/c: d}}"),
	 "spec.podSelector.matchLabels[a/b/c]", "expected a label key"},
	{"a label key with an empty prefix", SELECTOR("{matchLabels: {/b: d}}"),
	 "spec.podSelector.matchLabels[/b]", "expected a label key"},
	{"a label key with an empty name", SELECTOR("{matchLabels: {a/: d}}"),
	 "spec.podSelector.matchLabels[a/]", "expected a label key"},
	{"a label key whose prefix has capitals", SELECTOR("{matchLabels: {A.com/b: d}}"),
	 "spec.podSelector.matchLabels[A.com/b]", "expected a label key"},
	{"a label key that begins with a hyphen", SELECTOR("{matchLabels: {-a: d}}"),
	 "spec.podSelector.matchLabels[-a]", "expected a label key"},
	{"a label key with a letter that is none of ASCII's", SELECTOR("{matchLabels: {\xc3\xa9: d}}"),
	 "spec.podSelector.matchLabels[\xc3\xa9]", "expected a label key"},
	{"matchExpressions that is an object", SELECTOR("{matchExpressions: {}}"),
	 "spec.podSelector.matchExpressions", "expected a list"},
	{"an expression that is text", EXPR("app"), "spec.podSelector.matchExpressions[0]",
	 "expected an object"},
	{"an expression without a key", EXPR("{operator: Exists}"),
	 "spec.podSelector.matchExpressions[0].key", "expected a label key"},
	{"an expression with a bad key", EXPR("{key: a b, operator: Exists}"),
	 "spec.podSelector.matchExpressions[0].key", "expected a label key"},
	{"an expression without an operator", EXPR("{key: a}"),
	 "spec.podSelector.matchExpressions[0].operator", "expected In, NotIn"},
	{"an operator in lower case", EXPR("{key: a, operator: exists}"),
	 "spec.podSelector.matchExpressions[0].operator", "expected In, NotIn"},
	{"an operator of node selectors", EXPR("{key: a, operator: Gt, values: ['1']}"),
	 "spec.podSelector.matchExpressions[0].operator", "expected In, NotIn"},
	{"In without values", EXPR("{key: a, operator: In}"),
	 "spec.podSelector.matchExpressions[0].values", "expected at least one value"},
	{"NotIn with an empty list", EXPR("{key: a, operator: NotIn, values: []}"),
	 "spec.podSelector.matchExpressions[0].values", "expected at least one value"},
	{"Exists with a value", EXPR("{key: a, operator: Exists, values: [b]}"),
	 "spec.podSelector.matchExpressions[0].values", "expected no values"},
	{"DoesNotExist with a value", EXPR("{key: a, operator: DoesNotExist, values: ['']}"),
	 "spec.podSelector.matchExpressions[0].values", "expected no values"},
	{"values that is text", EXPR("{key: a, operator: In, values: b}"),
	 "spec.podSelector.matchExpressions[0].values", "expected a list"},
	{"a value that is a number", EXPR("{key: a, operator: In, values: [b, 1]}"),
	 "spec.podSelector.matchExpressions[0].values[1]", "expected a string"},
	{"a value that is no label value", EXPR("{key: a, operator: In, values: ['b ']}"),
	 "spec.podSelector.matchExpressions[0].values[0]", "expected a label value"},
	{"a value of 64 characters", EXPR("{key: a, operator: NotIn, values: [" LONG_64 "]}"),
	 "spec.podSelector.matchExpressions[0].values[0]", "expected a label value"},
	{"a field of an expression that nobody knows",
	 EXPR("{key: a, operator: Exists, value: b}"),
	 "spec.podSelector.matchExpressions[0].value", "unknown field"},
	{"a bad selector in an egress peer",
	 "{egress: [{}, {to: [{namespaceSelector: {matchLabels: {a: 1}}}]}]}",
	 "spec.egress[1].to[0].namespaceSelector.matchLabels[a]", "expected a string"},
};

static const char *whole(const char *spec)
{
	return strstr(spec, "kind:") ? "%s" : HEAD "spec: %s\n";
}

static void is_refused(void **state)
{
	const struct refused *row = *state;
	struct unit_decoded u;

	unit_decode(&u, "p.yaml", whole(row->spec), row->spec);
	assert_int_equal(u.rc, -EINVAL);
	assert_true(u.faults.errors > 0);
	assert_int_equal(u.faults.v[0].level, FAULT_ERROR);
	assert_string_equal(u.faults.v[0].field, row->field);
	assert_non_null(strstr(u.faults.v[0].text, row->text));
	assert_string_equal(u.faults.v[0].file, "p.yaml");
	unit_decoded_done(&u);
}

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
	{"empty lists are lists that are not there", "{ingress: [], egress: [], policyTypes: []}",
	 true,
	 false,
	 {0, 0}},
	{"an egress rule without policyTypes isolates both", "{egress: [{}]}", true, true, {0, 1}},
	{"an ingress rule without policyTypes isolates ingress", "{ingress: [{}]}", true, false,
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
	{"a status, which the API server drops", HEAD "spec: {}\nstatus: {}\n", true, false, {0, 0}},
	{"a name of 253 characters",
	 "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " LONG_250
	 "xxx}\n",
	 true,
	 false,
	 {0, 0}},
	{"a label key with a prefix",
	 SELECTOR("{matchLabels: {example.com/a_b.C: " LONG_63 "}}"), true, false, {0, 0}},
	{"a label key of 63 characters", SELECTOR("{matchLabels: {" LONG_63 ": ''}}"), true, false,
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

/* CIDRs that servers before 1.36 let in: fine in what such a server stores, refused in what is new. */
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
		assert_string_equal(
			prefix_format(&u.decoded.objects.v[0]
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
		    HEAD "spec: {podSelector: {matchLabels: {app: null}, matchExpressions: [{key: b, "
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
	int failed = RUN_ROWS("refused in a policy", refused, is_refused);

	failed += RUN_ROWS("accepted in a policy", accepted, is_accepted);
	failed += RUN_ROWS("a policy's ports", ports, reads_port);
	failed += RUN_ROWS("CIDRs of older servers", sloppy, is_read_with_a_warning);
	failed += RUN_ROWS("the same CIDRs in new objects", sloppy, without_a_uid_it_is_refused);
	failed += cmocka_run_group_tests_name("policies", tests, NULL, NULL);
	return failed;
}
