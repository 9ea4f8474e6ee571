/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Label selectors: what they match, and when two are one. */
#include "unit.h"

#define POLICY                                                                         \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n" \
	"spec: {podSelector: %s}\n"
#define PODS "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: %s}\n"

/* Kubernetes' labels.Requirement.Matches. */
struct row {
	const char *name;
	const char *selector, *labels;
	bool matches;
};

static const struct row rows[] = {
	{"nothing matches everything", "{}", "{a: b}", true},
	{"nothing matches nothing", "{}", "{}", true},
	{"a label and its value", "{matchLabels: {a: b}}", "{a: b, c: d}", true},
	{"a label and another value", "{matchLabels: {a: b}}", "{a: c}", false},
	{"a label that is absent", "{matchLabels: {a: b}}", "{c: b}", false},
	{"an empty value needs the key", "{matchLabels: {a: ''}}", "{}", false},
	{"an empty value matches an empty one", "{matchLabels: {a: ''}}", "{a: ''}", true},
	{"an empty value matches no other", "{matchLabels: {a: ''}}", "{a: b}", false},
	{"two labels are both wanted", "{matchLabels: {a: b, c: d}}", "{a: b}", false},
	{"case counts", "{matchLabels: {a: B}}", "{a: b}", false},
	{"In with the value", "{matchExpressions: [{key: a, operator: In, values: [b, c]}]}",
	 "{a: c}", true},
	{"In without the value", "{matchExpressions: [{key: a, operator: In, values: [b, c]}]}",
	 "{a: d}", false},
	{"In without the key", "{matchExpressions: [{key: a, operator: In, values: [b]}]}", "{}",
	 false},
	{"In with an empty value wants the key",
	 "{matchExpressions: [{key: a, operator: In, values: ['']}]}", "{}", false},
	{"NotIn with the value", "{matchExpressions: [{key: a, operator: NotIn, values: [b, c]}]}",
	 "{a: c}", false},
	{"NotIn with another value",
	 "{matchExpressions: [{key: a, operator: NotIn, values: [b, c]}]}", "{a: d}", true},
	{"NotIn without the key holds",
	 "{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}", "{}", true},
	{"NotIn with an empty value holds without the key",
	 "{matchExpressions: [{key: a, operator: NotIn, values: ['']}]}", "{}", true},
	{"NotIn with an empty value fails with it",
	 "{matchExpressions: [{key: a, operator: NotIn, values: ['']}]}", "{a: ''}", false},
	{"Exists with the key", "{matchExpressions: [{key: a, operator: Exists}]}", "{a: b}", true},
	{"Exists with an empty value", "{matchExpressions: [{key: a, operator: Exists}]}",
	 "{a: ''}", true},
	{"Exists without the key", "{matchExpressions: [{key: a, operator: Exists}]}", "{b: a}",
	 false},
	{"DoesNotExist with the key", "{matchExpressions: [{key: a, operator: DoesNotExist}]}",
	 "{a: ''}", false},
	{"DoesNotExist without it", "{matchExpressions: [{key: a, operator: DoesNotExist}]}",
	 "{b: a}", true},
	{"labels and expressions are all wanted",
	 "{matchLabels: {a: b}, matchExpressions: [{key: c, operator: Exists}, {key: d, operator: "
	 "DoesNotExist}]}",
	 "{a: b, c: d}", true},
	{"one that fails is enough",
	 "{matchLabels: {a: b}, matchExpressions: [{key: c, operator: Exists}, {key: d, operator: "
	 "DoesNotExist}]}",
	 "{a: b, c: d, d: e}", false},
	{"a contradiction matches nothing",
	 "{matchExpressions: [{key: a, operator: Exists}, {key: a, operator: DoesNotExist}]}",
	 "{a: b}", false},
	{"many labels are searched", "{matchLabels: {k07: v, k19: v}}",
	 "{k00: v, k01: v, k02: v, k03: v, k04: v, k05: v, k06: v, k07: v, k08: v, k09: v, k10: v, "
	 "k11: v, k12: v, k13: v, k14: v, k15: v, k16: v, k17: v, k18: v, k19: v}",
	 true},
	{"many labels that lack one", "{matchLabels: {k07: v, k20: v}}",
	 "{k00: v, k01: v, k02: v, k03: v, k04: v, k05: v, k06: v, k07: v, k08: v, k09: v, k10: v, "
	 "k11: v, k12: v, k13: v, k14: v, k15: v, k16: v, k17: v, k18: v, k19: v}",
	 false},
	{"many values are searched",
	 "{matchExpressions: [{key: a, operator: In, values: [z, b, c, d, e, f, g, h, i, j, k, l, "
	 "m, o, p, q, r, s, t, u]}]}",
	 "{a: r}", true},
	{"many values that lack one",
	 "{matchExpressions: [{key: a, operator: NotIn, values: [z, b, c, d, e, f, g, h, i, j, k, "
	 "l, m, o, p, q, r, s, t, u]}]}",
	 "{a: rr}", true},
};

static void matches(void **state)
{
	const struct row *row = *state;
	struct unit_decoded policy;
	struct decoded pod;
	char *yaml = NULL;
	json_t *tree;

	unit_decode(&policy, "a.yaml", POLICY, row->selector);
	if (policy.rc < 0)
		fail_msg("%s", policy.faults.v[0].text);
	assert_true(asprintf(&yaml, PODS, row->labels) > 0);
	tree = unit_tree(yaml);
	assert_int_equal(decode_object(&policy.decoder, tree, NULL, NULL, &pod), 0);
	assert_int_equal(label_selector_matches(&policy.decoded.objects.v[0].policy->subject,
						&pod.objects.v[0].pod->labels),
			 row->matches);
	decoded_done(policy.strings, &pod);
	unit_decoded_done(&policy);
	json_decref(tree);
	free(yaml);
}

/* Written in different ways: one selector, which is to say one set in the kernel? */
struct pair_row {
	const char *name;
	const char *a, *b;
	bool same;
};

static const struct pair_row pairs[] = {
	{"labels in another order", "{matchLabels: {a: b, c: d}}", "{matchLabels: {c: d, a: b}}",
	 true},
	{"a label as an expression", "{matchLabels: {a: b}}",
	 "{matchExpressions: [{key: a, operator: In, values: [b]}]}", true},
	{"values in another order, one twice",
	 "{matchExpressions: [{key: a, operator: In, values: [b, c]}]}",
	 "{matchExpressions: [{key: a, operator: In, values: [c, b, c]}]}", true},
	{"expressions in another order",
	 "{matchExpressions: [{key: a, operator: Exists}, {key: a, operator: NotIn, values: [b]}]}",
	 "{matchExpressions: [{key: a, operator: NotIn, values: [b]}, {key: a, operator: Exists}]}",
	 true},
	{"an expression twice", "{matchExpressions: [{key: a, operator: Exists}]}",
	 "{matchExpressions: [{key: a, operator: Exists}, {key: a, operator: Exists}]}", true},
	{"a label that is an expression too", "{matchLabels: {a: b}}",
	 "{matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [b]}]}", true},
	{"empty lists", "{}", "{matchLabels: {}, matchExpressions: []}", true},
	{"null members", "{}", "{matchLabels: null, matchExpressions: null}", true},
	{"no values and null", "{matchExpressions: [{key: a, operator: Exists}]}",
	 "{matchExpressions: [{key: a, operator: Exists, values: null}]}", true},
	{"another value", "{matchLabels: {a: b}}", "{matchLabels: {a: c}}", false},
	{"key and value exchanged", "{matchLabels: {a: b}}", "{matchLabels: {b: a}}", false},
	{"another operator", "{matchExpressions: [{key: a, operator: In, values: [b]}]}",
	 "{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}", false},
	{"one value more", "{matchExpressions: [{key: a, operator: In, values: [b]}]}",
	 "{matchExpressions: [{key: a, operator: In, values: [b, c]}]}", false},
	{"one requirement more", "{matchLabels: {a: b}}", "{matchLabels: {a: b, c: d}}", false},
	{"values of two are not values of one",
	 "{matchExpressions: [{key: a, operator: NotIn, values: [b]}, {key: a, operator: NotIn, "
	 "values: [c]}]}",
	 "{matchExpressions: [{key: a, operator: NotIn, values: [b, c]}]}", false},
};

static bool equal(const struct label_selector *a, const struct label_selector *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct requirement *x = &a->v[i], *y = &b->v[i];

		if (x->key != y->key || x->op != y->op || x->n_values != y->n_values)
			return false;
		for (size_t j = 0; j < x->n_values; j++) {
			if (x->values[j] != y->values[j])
				return false;
		}
	}
	return true;
}

static void is_the_same(void **state)
{
	const struct pair_row *row = *state;
	struct unit_decoded a;
	struct decoded b;
	char *yaml = NULL;
	json_t *tree;

	unit_decode(&a, "a.yaml", POLICY, row->a);
	assert_true(asprintf(&yaml, POLICY, row->b) > 0);
	tree = unit_tree(yaml);
	assert_int_equal(decode_object(&a.decoder, tree, NULL, NULL, &b), 0);
	assert_int_equal(
		equal(&a.decoded.objects.v[0].policy->subject, &b.objects.v[0].policy->subject),
		row->same);
	decoded_done(a.strings, &b);
	unit_decoded_done(&a);
	json_decref(tree);
	free(yaml);
}

/* The canonical text tells selectors apart, also those with values that only older servers let in.
 */
static void no_two_selectors_share_a_text(void **state)
{
	static const char *const values[] = {"['a,b']", "[a, b]",    "['a)']",      "['a', ')']",
					     "['']",    "['\\x20']", "[' ']",       "['a b']",
					     "['=a']",  "['(a']",    "['\xc3\xa9']"};
	struct graph_counts counts;
	struct cluster c;
	char *text;
	size_t sets = 0;

	(void)state;
	unit_cluster_start(&c, NULL, true);
	unit_put(&c, "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nstatus: {podIP: 10.0.0.1}\n");
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		unit_putf(&c,
			  "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
			  "metadata: {name: p%zu, uid: u}\n"
			  "spec: {ingress: [{from: [{podSelector: {matchExpressions: [{key: a, "
			  "operator: In, values: %s}]}}], ports: [{port: %zu}]}]}\n",
			  i, values[i], i + 1);
	assert_int_equal(graph_sync(c.graph), 0);
	text = unit_text(&c);
	for (const char *at = text; (at = strstr(at, "\nselector ")); at++)
		sets++;
	counts = graph_counts(c.graph);
	assert_int_equal(counts.policies, ARRAY_LEN(values));
	assert_int_equal(sets, ARRAY_LEN(values));
	free(text);
	unit_cluster_stop(&c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_two_selectors_share_a_text),
	};
	int failed = RUN_ROWS("matches", rows, matches);

	failed += RUN_ROWS("canonical form", pairs, is_the_same);
	failed += cmocka_run_group_tests_name("texts", tests, NULL, NULL);
	return failed;
}
