/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tenants write has bounds: each is reached exactly, and beyond it the profile is closed and
 * nothing else. Work is counted in units, not in seconds. */
#include "unit.h"

static struct cluster cluster;

static int setup(void **state)
{
	(void)state;
	unit_cluster_start(&cluster, "n1", true);
	unit_put(&cluster,
		 "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: evil}, spec: "
		 "{nodeName: n1}, status: {phase: Running, podIP: 10.0.0.1}}");
	unit_put(&cluster,
		 "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: good}, spec: "
		 "{nodeName: n1}, status: {phase: Running, podIP: 10.0.0.2}}");
	unit_put(&cluster, "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: "
			   "{name: one, namespace: good}, spec: {podSelector: {}, ingress: [{from: "
			   "[{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: 80}]}]}}");
	assert_int_equal(graph_sync(cluster.graph), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unit_cluster_stop(&cluster);
	return 0;
}

/* A document that is written piece by piece. */
struct text {
	char *text;
	size_t len;
	FILE *out;
};

static FILE *text_open(struct text *text)
{
	text->out = open_memstream(&text->text, &text->len);
	assert_non_null(text->out);
	return text->out;
}

static void text_put(struct text *text)
{
	assert_int_equal(fclose(text->out), 0);
	unit_put(&cluster, text->text);
	free(text->text);
}

/* With one warning. */
static void text_put_warned(struct text *text)
{
	struct faults faults = {0};
	struct err err = {0};

	assert_int_equal(fclose(text->out), 0);
	assert_int_equal(cluster_put_yaml(&cluster, text->text, text->len, &faults, &err, NULL), 0);
	assert_int_equal(faults.errors, 0);
	assert_int_equal(faults.n, 1);
	faults_done(&faults);
	free(text->text);
}

static void policy_begin(FILE *out, size_t number)
{
	fprintf(out,
		"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p%zu, "
		"namespace: evil}, spec: {podSelector: {}, policyTypes: [Ingress, Egress], "
		"ingress: [",
		number);
}

static void policy_end(FILE *out)
{
	fputs("]}}\n", out);
}

static const struct profile *profile_of(const char *ns, enum direction dir)
{
	return graph_find_pod(cluster.graph, ns, "p")->profiles[dir];
}

/* Each writes what comes to n of something. */

static void write_policies(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct text text;

		policy_begin(text_open(&text), i);
		policy_end(text.out);
		text_put(&text);
	}
}

static void write_rules(size_t n)
{
	struct text text;

	policy_begin(text_open(&text), 0);
	for (size_t i = 0; i < n; i++)
		fputs("{ports: [{port: 80}]}, ", text.out);
	policy_end(text.out);
	text_put(&text);
}

static void write_selectors(size_t n)
{
	struct text text;

	policy_begin(text_open(&text), 0);
	fputs("{from: [", text.out);
	for (size_t i = 0; i < n; i++)
		fprintf(text.out, "{podSelector: {matchLabels: {a: \"%zu\"}}}, ", i % 100);
	fputs("]}", text.out);
	policy_end(text.out);
	text_put(&text);
}

static void write_blocks(size_t n)
{
	struct text text;

	policy_begin(text_open(&text), 0);
	fputs("{from: [{ipBlock: {cidr: 11.0.0.0/8, except: [11.0.0.1/32]}}", text.out);
	for (size_t i = 2; i < n; i++)
		fprintf(text.out, ", {ipBlock: {cidr: 10.%zu.%zu.%zu/32}}", i >> 15, i >> 7 & 255,
			(i & 127) * 2);
	fputs("]}", text.out);
	policy_end(text.out);
	text_put(&text);
}

static void write_ports(size_t n)
{
	struct text text;

	policy_begin(text_open(&text), 0);
	fputs("{ports: [{port: 1}", text.out);
	for (size_t i = 1; i < n; i++)
		fprintf(text.out, ", {port: %zu}", 1 + i % 2);
	fputs("]}", text.out);
	policy_end(text.out);
	text_put(&text);
}

/* 498 rules that hold everywhere, cut into 501 stretches by another; and single ports for the rest.
 */
static void write_pairs(size_t n)
{
	struct text text;
	size_t rest = n - (498 * 501 + 250);

	policy_begin(text_open(&text), 0);
	for (size_t rule = 0; rule < 498; rule++)
		fputs("{ports: [{port: 1, endPort: 65535}]}, ", text.out);
	fputs("{ports: [", text.out);
	for (size_t i = 1; i <= 250; i++)
		fprintf(text.out, "{port: %zu}, ", 2 * i);
	for (size_t i = 1; i <= rest; i++)
		fprintf(text.out, "{port: %zu, protocol: UDP}, ", 2 * i);
	fputs("]}", text.out);
	policy_end(text.out);
	text_put(&text);
}

/* The rules that hold at a port: no two ports have the same, and neighbours differ in one. */
static size_t rules_at(size_t port)
{
	return port ^ port >> 1;
}

#define GRAY_RULES 15

/* Ports 1 to n, with 15 rules that have the peers given. */
static void write_gray(FILE *out, size_t n, bool blocks)
{
	for (size_t bit = 0; bit < GRAY_RULES && (size_t)1 << bit <= n; bit++) {
		if (blocks)
			fprintf(out, "{from: [{ipBlock: {cidr: 10.0.0.%zu/32}}], ports: [",
				2 * bit);
		else
			fputs("{ports: [", out);
		for (size_t port = 1; port <= n; port++) {
			if (!(rules_at(port) >> bit & 1))
				continue;
			fprintf(out, "{port: %zu, ", port);
			while (port < n && rules_at(port + 1) >> bit & 1)
				port++;
			fprintf(out, "endPort: %zu}, ", port);
		}
		fputs("]}, ", out);
	}
}

static void write_classes(size_t n)
{
	struct text text;

	policy_begin(text_open(&text), 0);
	write_gray(text.out, n, false);
	policy_end(text.out);
	text_put(&text);
}

/* One rule everywhere, cut by another; and single ports. */
static void write_ranges(size_t n)
{
	struct text text;

	policy_begin(text_open(&text), 0);
	fputs("{ports: [{port: 1, endPort: 65535}]}, {ports: [", text.out);
	for (size_t i = 1; i <= PROFILE_RANGES_MAX / 2 - 1; i++)
		fprintf(text.out, "{port: %zu}, ", 2 * i);
	for (size_t i = PROFILE_RANGES_MAX - 1; i < n; i++)
		fprintf(text.out, "{port: %zu, protocol: UDP}, ", 2 * (i - PROFILE_RANGES_MAX + 2));
	fputs("]}", text.out);
	policy_end(text.out);
	text_put(&text);
}

/* As many ports as fit, where each class looks into the sets of all its rules; single ones for the
 * rest. */
static void write_chain_rules(size_t n)
{
	struct text text;
	size_t port = 0, rules = 0;

	while (rules + (size_t)__builtin_popcountll(rules_at(port + 1)) <= n)
		rules += (size_t)__builtin_popcountll(rules_at(++port));
	policy_begin(text_open(&text), 0);
	write_gray(text.out, port, true);
	for (size_t i = 1; rules < n; rules++, i++)
		fprintf(text.out,
			"{from: [{ipBlock: {cidr: 10.0.1.%zu/32}}], ports: [{port: %zu, protocol: "
			"UDP}]}, ",
			2 * i, 2 * i);
	policy_end(text.out);
	text_put(&text);
}

static const struct limit_row {
	const char *name;
	enum profile_limit limit;
	size_t max;
	void (*write)(size_t n);
} limit_rows[] = {
	{"policies", PROFILE_LIMIT_POLICIES, PROFILE_POLICIES_MAX, write_policies},
	{"rules", PROFILE_LIMIT_RULES, PROFILE_RULES_MAX, write_rules},
	{"selectors", PROFILE_LIMIT_SELECTORS, PROFILE_SELECTORS_MAX, write_selectors},
	{"blocks", PROFILE_LIMIT_BLOCKS, PROFILE_BLOCKS_MAX, write_blocks},
	{"ports", PROFILE_LIMIT_PORTS, PROFILE_PORTS_MAX, write_ports},
	{"pairs", PROFILE_LIMIT_PAIRS, PROFILE_PAIRS_MAX, write_pairs},
	{"classes", PROFILE_LIMIT_CLASSES, PROFILE_CLASSES_MAX, write_classes},
	{"ranges", PROFILE_LIMIT_RANGES, PROFILE_RANGES_MAX, write_ranges},
	{"rules of classes' chains", PROFILE_LIMIT_CHAIN_RULES, PROFILE_CHAIN_RULES_MAX,
	 write_chain_rules},
};

static void check_limit(void **state)
{
	const struct limit_row *row = *state;
	struct graph_counts counts;

	(void)setup(NULL);
	row->write(row->max);
	assert_int_equal(profile_of("evil", DIR_INGRESS)->over, PROFILE_LIMIT_NONE);
	assert_int_equal(graph_counts(cluster.graph).over_limit, 0);

	row->write(row->max + 1);
	assert_int_equal(profile_of("evil", DIR_INGRESS)->over, row->limit);
	assert_int_equal(profile_of("evil", DIR_INGRESS)->n_rules, 0);
	assert_int_equal(profile_of("good", DIR_INGRESS)->over, PROFILE_LIMIT_NONE);
	counts = graph_counts(cluster.graph);
	/* Policies beyond their number isolate both ways. */
	assert_int_equal(counts.over_limit, row->limit == PROFILE_LIMIT_POLICIES ? 2 : 1);
	assert_true(strlen(profile_limit_text(row->limit)) > strlen("more than 1000"));
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "evil/p", "tcp/80"), "deny");
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "good/p", "tcp/80"), "allow");
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "good/p", "tcp/81"), "deny");

	/* And it opens again. */
	assert_int_equal(graph_remove(cluster.graph, KIND_NETWORK_POLICY, "evil", "p0"), 0);
	assert_int_equal(graph_counts(cluster.graph).over_limit, 0);
	(void)teardown(NULL);
}

static size_t elements_of(const char *prefix)
{
	const struct nft_set *set = render_ruleset(cluster.render)->sets;
	size_t n = 0;

	for (; set; set = set->hh.next) {
		if (strncmp(set->name, prefix, strlen(prefix)) == 0)
			n += HASH_COUNT(set->elems);
	}
	return n;
}

static size_t rules_of_chains(const char *prefix)
{
	const struct nft_chain *chain = render_ruleset(cluster.render)->chains[NFT_TABLE_POLICY];
	size_t n = 0;

	for (; chain; chain = chain->hh.next) {
		if (strncmp(chain->name, prefix, strlen(prefix)) == 0)
			n += chain->rules.n;
	}
	return n;
}

/* 50 policies with 300 CIDRs and 500 of 2,000 ports each: as unions they were seven million
 * elements. */
static void overlap_is_linear(void **state)
{
	struct unit_random random = unit_random_start("limits");
	struct graph_counts before = graph_counts(cluster.graph), after;

	(void)state;
	for (size_t i = 0; i < 50; i++) {
		struct text text;

		policy_begin(text_open(&text), i);
		fputs("{from: [", text.out);
		for (size_t j = 0; j < 300; j++)
			fprintf(text.out, "{ipBlock: {cidr: %zu.%u.%u.%u/32}}, ", 11 + i,
				unit_random(&random, 256), unit_random(&random, 256),
				unit_random(&random, 256));
		fputs("], ports: [", text.out);
		for (size_t j = 0; j < 500; j++)
			fprintf(text.out, "{port: %u}, ", 1 + unit_random(&random, 2000));
		fputs("]}", text.out);
		policy_end(text.out);
		text_put(&text);
	}
	after = graph_counts(cluster.graph);
	assert_int_equal(after.over_limit, 0);
	assert_true(profile_of("evil", DIR_INGRESS)->n_classes > 1000);
	assert_true(elements_of("b4_") <= 50 * 300);
	assert_true(rules_of_chains("ci_") <= 50 * 500);
	/* Each policy that comes builds the profile anew: half of the last one's work on average.
	 */
	assert_true(after.pairs_passed - before.pairs_passed < 50 * 50 * 500);
	assert_true(after.ranges_united - before.ranges_united < 2 * 50 * (50 * 300 + 16384));
	for (size_t i = 0; i < 20; i++) {
		char from[40], proto[16];

		(void)snprintf(from, sizeof(from), "%u.%u.%u.%u", 11 + unit_random(&random, 50),
			       unit_random(&random, 256), unit_random(&random, 256),
			       unit_random(&random, 256));
		(void)snprintf(proto, sizeof(proto), "tcp/%u", 1 + unit_random(&random, 2000));
		(void)unit_verdict(&cluster, from, "evil/p", proto);
	}
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "good/p", "tcp/80"), "allow");
}

/* What the last element of the first policy's list lets in is let in at one of its ports. */
static void a_class_of_parts_lets_in_what_its_rules_do(void **state)
{
	(void)state;
	write_chain_rules(PROFILE_CHAIN_RULES_MAX);
	assert_true(profile_of("evil", DIR_INGRESS)->classes[100].n_parts > 1);
	for (unsigned bit = 0; bit < 12; bit += 3) {
		for (unsigned port = 1; port < 4000; port += 1111) {
			char from[40], proto[16];

			(void)snprintf(from, sizeof(from), "10.0.0.%u", 2 * bit);
			(void)snprintf(proto, sizeof(proto), "tcp/%u", port);
			assert_string_equal(unit_verdict(&cluster, from, "evil/p", proto),
					    rules_at(port) >> bit & 1 ? "allow" : "deny");
		}
	}
}

/* The pod that has all ports that are written in between. */

static FILE *ports_begin(struct text *text)
{
	FILE *out = text_open(text);

	fputs("{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: evil}, spec: {nodeName: "
	      "n1, containers: [{ports: [",
	      out);
	return out;
}

static void ports_end(FILE *out)
{
	fputs("]}]}, status: {phase: Running, podIP: 10.0.0.1}}", out);
}

/* 20,000 of them took minutes. */
static void ports_of_one_name_count_up_to_a_bound(void **state)
{
	struct text text;
	FILE *out = ports_begin(&text);

	(void)state;
	for (unsigned i = 20000; i > 0; i--)
		fprintf(out, "{name: http, containerPort: %u}, ", i);
	ports_end(out);
	text_put_warned(&text);

	policy_begin(text_open(&text), 0);
	for (unsigned i = 0; i < 500; i++)
		fputs("{ports: [{port: http}]}, ", text.out);
	fputs("], egress: [", text.out);
	for (unsigned i = 0; i < 500; i++)
		fputs("{to: [{podSelector: {}}], ports: [{port: http}]}, ", text.out);
	policy_end(text.out);
	text_put(&text);
	assert_int_equal(graph_counts(cluster.graph).over_limit, 0);
	assert_int_equal(profile_of("evil", DIR_INGRESS)->n_ranges, 1);
	assert_int_equal(elements_of("n4_"), POD_PORT_NUMBERS_MAX);
	assert_true(graph_counts(cluster.graph).pairs_passed <= 500 * POD_PORT_NUMBERS_MAX + 100);
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "evil/p", "tcp/16"), "allow");
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "evil/p", "tcp/17"), "deny");
}

/* As many names as a pod can have, under a policy that uses as many others as it may: they were
 * held against each other, 12 ms for each pod. */
static void names_of_ports_cost_as_much_as_rules_use(void **state)
{
	const unsigned names = 30000;
	struct text text;
	FILE *out = ports_begin(&text);

	(void)state;
	for (unsigned i = 1; i <= POD_PORTS_MAX; i++)
		fprintf(out, "{name: n%u, containerPort: %u}, ", i, i);
	ports_end(out);
	text_put(&text);
	policy_begin(text_open(&text), 0);
	fputs("{ports: [{port: n7}, ", text.out);
	for (unsigned i = 0; i < names; i++)
		fprintf(text.out, "{port: x%u}, ", i);
	fputs("]}", text.out);
	policy_end(text.out);
	text_put(&text);
	assert_int_equal(graph_counts(cluster.graph).over_limit, 0);
	assert_true(graph_counts(cluster.graph).port_names_passed <= 4 * names);
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "evil/p", "tcp/7"), "allow");
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "evil/p", "tcp/8"), "deny");
}

static void put_elsewhere(unsigned number)
{
	unit_putf(&cluster,
		  "{apiVersion: v1, kind: Pod, metadata: {name: p%u, namespace: many}, spec: "
		  "{nodeName: n2}, status: {phase: Running, podIP: 10.%u.%u.%u}}",
		  number, 100 + (number >> 16), number >> 8 & 255, number & 255);
}

/* Of one namespace, each of which selects every pod: each of them made a profile, and every pod of
 * the node was written anew for it. */
static void policies_that_come_together_make_one_profile(void **state)
{
	size_t before;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		unit_putf(&cluster,
			  "{apiVersion: v1, kind: Pod, metadata: {name: q%u, namespace: evil}, "
			  "spec: {nodeName: n1}, status: {phase: Running, podIP: 10.0.1.%u}}",
			  i, i + 1);
	graph_hold_policies(cluster.graph);
	before = graph_counts(cluster.graph).profiles_built;
	for (unsigned i = 0; i < 900; i++)
		unit_putf(&cluster,
			  "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: "
			  "{name: m%u, namespace: evil}, spec: {podSelector: {}, ingress: [{ports: "
			  "[{port: %u}]}]}}",
			  i, i + 1);
	assert_true(graph_is_held(cluster.graph));
	assert_int_equal(graph_counts(cluster.graph).profiles_built, before);
	assert_int_equal(graph_flush(cluster.graph), 0);
	assert_false(graph_is_held(cluster.graph));
	assert_true(graph_counts(cluster.graph).profiles_built <= before + 4);
	assert_int_equal(graph_counts(cluster.graph).over_limit, 0);
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "evil/q7", "tcp/900"), "allow");
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "evil/q7", "tcp/901"), "deny");
}

#define MANY 16384

/* Selectors that mean every pod of the cluster, and are all different. */
static void put_wide_policy(const char *name, const char *subject, unsigned n)
{
	struct text text;
	FILE *out = text_open(&text);

	fprintf(out,
		"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: %s, "
		"namespace: evil}, spec: {podSelector: %s, ingress: [",
		name, subject);
	for (unsigned i = 0; i < n; i++)
		fprintf(out,
			"{from: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: "
			"no%u, operator: DoesNotExist}]}}], ports: [{port: %u}]}, ",
			i, 1 + i);
	policy_end(out);
	text_put(&text);
}

static void members_of_sets_count_against_the_namespace(void **state)
{
	size_t tested;

	(void)state;
	for (unsigned i = 1; i < MANY - 2; i++) /* with the two of setup() */
		put_elsewhere(i);
	unit_put(&cluster, "{apiVersion: v1, kind: Pod, metadata: {name: q, namespace: evil, "
			   "labels: {app: q}}, spec: {nodeName: n1}, status: {phase: Running, "
			   "podIP: 10.0.0.3}}");
	put_wide_policy("wide", "{matchExpressions: [{key: app, operator: DoesNotExist}]}", 30);
	put_wide_policy("narrow", "{matchLabels: {app: q}}", 1);
	assert_int_equal(graph_counts(cluster.graph).over_limit, 0);
	assert_int_equal(elements_of("p4_"), 30 * MANY);
	assert_string_equal(unit_verdict(&cluster, "many/p1", "evil/p", "tcp/30"), "allow");

	/* One more, anywhere: the dearer of the two profiles is closed, and nothing else. */
	put_elsewhere(MANY);
	assert_int_equal(graph_counts(cluster.graph).over_limit, 1);
	assert_int_equal(profile_of("evil", DIR_INGRESS)->over, PROFILE_LIMIT_NAMESPACE);
	assert_int_equal(elements_of("p4_"), MANY + 1);
	assert_string_equal(unit_verdict(&cluster, "many/p1", "evil/p", "tcp/30"), "deny");
	assert_string_equal(unit_verdict(&cluster, "many/p1", "evil/q", "tcp/1"), "allow");
	assert_string_equal(unit_verdict(&cluster, "192.0.2.1", "good/p", "tcp/80"), "allow");

	/* Meanwhile pods come and go, and are counted. */
	tested = graph_counts(cluster.graph).selectors_tested;
	put_elsewhere(MANY + 1);
	assert_int_equal(graph_counts(cluster.graph).over_limit, 1);
	assert_true(graph_counts(cluster.graph).selectors_tested - tested <= 2 * 30);
	assert_int_equal(graph_remove(cluster.graph, KIND_POD, "many", "p1"), 0);
	assert_int_equal(graph_counts(cluster.graph).over_limit, 1);
	assert_int_equal(graph_remove(cluster.graph, KIND_POD, "many", "p2"), 0);
	assert_int_equal(graph_counts(cluster.graph).over_limit, 0);
	assert_int_equal(elements_of("p4_"), 30 * MANY);
	assert_string_equal(unit_verdict(&cluster, "many/p3", "evil/p", "tcp/30"), "allow");
}

/* How many errors the pod, or the policy that has the selector, is refused with. */
static size_t count_errors(bool labels, size_t requirements, size_t values)
{
	struct faults faults = {0};
	struct err err = {0};
	struct text text;
	FILE *out = text_open(&text);
	size_t errors;

	fputs(labels ? "{apiVersion: v1, kind: Pod, metadata: {name: l, namespace: evil, labels: {"
		     : "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: "
		       "l, namespace: evil}, spec: {podSelector: {matchLabels: {",
	      out);
	for (size_t i = 0; i < requirements; i++)
		fprintf(out, "k%zu: v, ", i);
	if (!labels) {
		fputs("}, matchExpressions: [{key: k, operator: In, values: [", out);
		for (size_t i = 0; i < values; i++)
			fprintf(out, "v%zu, ", i);
		fputs("]}]", out);
	}
	fputs("}}}", out);
	assert_int_equal(fclose(out), 0);
	/* What is refused ends the reading of it. */
	(void)cluster_put_yaml(&cluster, text.text, text.len, &faults, &err, NULL);
	errors = faults.errors;
	faults_done(&faults);
	free(text.text);
	return errors;
}

static void objects_with_too_much_are_invalid(void **state)
{
	(void)state;
	assert_int_equal(count_errors(true, LABELS_MAX, 0), 0);
	assert_int_equal(count_errors(true, LABELS_MAX + 1, 0), 1);
	assert_int_equal(count_errors(false, SELECTOR_REQUIREMENTS_MAX - 1, 1), 0);
	assert_int_equal(count_errors(false, SELECTOR_REQUIREMENTS_MAX, 1), 1);
	assert_int_equal(count_errors(false, 0, SELECTOR_VALUES_MAX), 0);
	assert_int_equal(count_errors(false, 0, SELECTOR_VALUES_MAX + 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(objects_with_too_much_are_invalid, setup, teardown),
		cmocka_unit_test_setup_teardown(overlap_is_linear, setup, teardown),
		cmocka_unit_test_setup_teardown(members_of_sets_count_against_the_namespace, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_class_of_parts_lets_in_what_its_rules_do, setup,
						teardown),
		cmocka_unit_test_setup_teardown(policies_that_come_together_make_one_profile, setup,
						teardown),
		cmocka_unit_test_setup_teardown(names_of_ports_cost_as_much_as_rules_use, setup,
						teardown),
		cmocka_unit_test_setup_teardown(ports_of_one_name_count_up_to_a_bound, setup,
						teardown),
	};

	return RUN_ROWS("limits", limit_rows, check_limit) +
	       cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
