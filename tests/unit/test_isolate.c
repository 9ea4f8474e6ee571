/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel refuses is left out, and that closes. */
#include "nft/isolate.h"
#include "nft/print.h"
#include "unit.h"

static const char yaml[] =
	"apiVersion: v1\nkind: Pod\n"
	"metadata: {name: a, namespace: t, labels: {app: a}, annotations: {netpold.io/interface: "
	"v1}}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.0.0.1}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: t, labels: {app: b}}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.0.0.2}\n---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: t}\n"
	"spec: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: "
	"{matchLabels: "
	"{app: b}}}]}, {from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]}\n";

static struct cluster cluster;

static int setup(void **state)
{
	struct faults faults = {0};
	struct err err = {0};

	(void)state;
	unit_cluster_start(&cluster, "n1", true);
	assert_int_equal(cluster_put_yaml(&cluster, yaml, strlen(yaml), &faults, &err, NULL), 0);
	assert_int_equal(faults.errors, 0);
	assert_int_equal(graph_sync(cluster.graph), 0);
	return render_error(cluster.render);
}

static int teardown(void **state)
{
	(void)state;
	cluster_stop(&cluster);
	return 0;
}

static struct nft_refused of(enum nft_table table, bool set, const char *name)
{
	struct nft_refused refused;

	memset(&refused, 0, sizeof(refused));
	refused.table = table;
	refused.set = set;
	(void)snprintf(refused.name, sizeof(refused.name), "%s", name);
	return refused;
}

static size_t rules_of(const struct ruleset *ruleset, const char *name)
{
	const struct nft_chain *chain = ruleset_chain(ruleset, NFT_TABLE_POLICY, name);

	assert_non_null(chain);
	return chain->rules.n;
}

/* The first chain or set whose name begins so. */
static const char *chain_like(const char *prefix)
{
	const struct nft_chain *chain = render_ruleset(cluster.render)->chains[NFT_TABLE_POLICY];

	while (chain && strncmp(chain->name, prefix, strlen(prefix)) != 0)
		chain = chain->hh.next;
	assert_non_null(chain);
	return chain->name;
}

static const char *set_like(const char *prefix)
{
	const struct nft_set *set = render_ruleset(cluster.render)->sets;

	while (set && strncmp(set->name, prefix, strlen(prefix)) != 0)
		set = set->hh.next;
	assert_non_null(set);
	return set->name;
}

static void nothing_refused_is_a_copy(void **state)
{
	const struct ruleset *whole = render_ruleset(cluster.render);
	char *a = NULL, *b = NULL;
	size_t len;
	struct ruleset copy;
	FILE *out = open_memstream(&a, &len);

	(void)state;
	render_own_tables(cluster.render, true);
	assert_int_equal(nft_isolate(whole, NULL, 0, &copy), 0);
	assert_true(copy.own); /* or a part that is refused would cost the owner */
	assert_int_equal(ruleset_print(whole, out), 0);
	(void)fclose(out);
	out = open_memstream(&b, &len);
	assert_int_equal(ruleset_print(&copy, out), 0);
	(void)fclose(out);
	assert_string_equal(a, b);
	free(a);
	free(b);
	ruleset_done(&copy);
}

static void a_pods_chain_keeps_its_drop_alone(void **state)
{
	const struct ruleset *whole = render_ruleset(cluster.render);
	struct nft_refused refused = of(NFT_TABLE_POLICY, false, "i_v1");
	const struct nft_rule *last;
	struct ruleset left;

	(void)state;
	assert_true(rules_of(whole, "i_v1") > 1);
	assert_true(nft_refused_can_be_left_out(whole, &refused));
	assert_int_equal(nft_isolate(whole, &refused, 1, &left), 0);
	assert_int_equal(rules_of(&left, "i_v1"), 1);
	last = &ruleset_chain(&left, NFT_TABLE_POLICY, "i_v1")->rules.v[0];
	assert_int_equal(last->stmts.v[last->stmts.n - 1].verdict.kind, NFT_VERDICT_DROP);
	ruleset_done(&left);
}

static void a_profiles_chain_is_empty_and_still_there(void **state)
{
	const struct ruleset *whole = render_ruleset(cluster.render);
	struct nft_refused refused = of(NFT_TABLE_POLICY, false, chain_like("pi_"));
	struct ruleset left;
	char whom[200];

	(void)state;
	assert_true(nft_refused_can_be_left_out(whole, &refused));
	assert_int_equal(nft_isolate(whole, &refused, 1, &left), 0);
	assert_int_equal(rules_of(&left, refused.name), 0);
	assert_int_equal(rules_of(&left, "i_v1"), rules_of(whole, "i_v1"));
	nft_refused_describe(whole, &refused, whom, sizeof(whom));
	assert_non_null(strstr(whom, "t: p"));
	assert_non_null(strstr(whom, "t/a"));
	ruleset_done(&left);
}

static void a_set_goes_with_the_rules_that_look_into_it(void **state)
{
	const struct ruleset *whole = render_ruleset(cluster.render);
	struct nft_refused refused = of(NFT_TABLE_POLICY, true, set_like("p4_"));
	const char *profile = chain_like("pi_");
	struct ruleset left;
	char whom[200];

	(void)state;
	assert_true(nft_refused_can_be_left_out(whole, &refused));
	assert_int_equal(nft_isolate(whole, &refused, 1, &left), 0);
	assert_null(ruleset_set(&left, refused.name));
	assert_int_equal(rules_of(&left, profile), rules_of(whole, profile) - 1);
	nft_refused_describe(whole, &refused, whom, sizeof(whom));
	assert_non_null(strstr(whom, "t: p"));
	ruleset_done(&left);
}

static void what_nothing_refers_to_is_not_described_by_nothing(void **state)
{
	struct nft_refused refused = of(NFT_TABLE_POLICY, true, "unknown");
	char whom[200];

	(void)state;
	nft_refused_describe(render_ruleset(cluster.render), &refused, whom, sizeof(whom));
	assert_string_equal(whom, "no rule uses it");
}

static void an_antispoofing_chain_keeps_its_drop_alone(void **state)
{
	const struct ruleset *whole = render_ruleset(cluster.render);
	struct nft_refused refused = of(NFT_TABLE_POLICY, false, "s_v1");
	struct ruleset left;

	(void)state;
	assert_true(nft_refused_can_be_left_out(whole, &refused));
	assert_int_equal(nft_isolate(whole, &refused, 1, &left), 0);
	assert_int_equal(rules_of(&left, "s_v1"), 1);
	ruleset_done(&left);
}

/* Nine ports with peers of their own: a map leads to the chain of each. */
static void whoever_leads_to_it_is_concerned(void **state)
{
	static const char head[] = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
				   "metadata: {name: many, namespace: t}\n"
				   "spec: {podSelector: {}, ingress: [";
	char text[2000], named[200];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s", head);
	struct faults faults = {0};
	struct err err = {0};
	struct nft_pods pods = {0};
	struct nft_refused refused;

	(void)state;
	for (unsigned i = 1; i <= 9; i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used,
			"{from: [{ipBlock: {cidr: 198.51.%u.0/24, except: [198.51.%u.1/32]}}], "
			"ports: [{port: %u}]}, ",
			i, i, i);
	(void)snprintf(text + used, sizeof(text) - used, "]}\n");
	assert_int_equal(cluster_put_yaml(&cluster, text, strlen(text), &faults, &err, NULL), 0);
	assert_int_equal(faults.errors, 0);
	assert_int_equal(render_error(cluster.render), 0);

	refused = of(NFT_TABLE_POLICY, false, chain_like("ci_"));
	assert_int_equal(nft_refused_pods(render_ruleset(cluster.render), &refused, &pods), 0);
	assert_int_equal(pods.names.n, 2);
	refused = of(NFT_TABLE_POLICY, true, "ingress_if"); /* each is told once */
	assert_int_equal(nft_refused_pods(render_ruleset(cluster.render), &refused, &pods), 0);
	nft_pods_print(&pods, named, sizeof(named));
	assert_true(strcmp(named, "t/a, t/b") == 0 || strcmp(named, "t/b, t/a") == 0);
	nft_pods_done(&pods);

	refused = of(NFT_TABLE_POLICY, false, "s_v1");
	assert_int_equal(nft_refused_pods(render_ruleset(cluster.render), &refused, &pods), 0);
	assert_int_equal(pods.names.n, 1);
	assert_string_equal(pods.names.v[0], "t/a");
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(vec_push(&pods.names, "t/z"), 0);
	nft_pods_print(&pods, named, sizeof(named));
	assert_string_equal(named, "t/a, t/z, t/z, t/z, t/z, t/z, t/z, t/z, t/z, t/z and 3 more");
	nft_pods_done(&pods);
}

static void without_what_finds_the_pods_there_is_no_policy(void **state)
{
	static const struct {
		bool set;
		const char *name;
	} rows[] = {{false, "forward"},   {false, "to_pod"},  {true, "ingress_if"},
		    {false, "dispatch"},  {false, "not_tcp"}, {true, "tunnel_ports"},
		    {true, "egress_ip4"}, {false, "nothing"}, {true, "nothing"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct nft_refused refused = of(NFT_TABLE_POLICY, rows[i].set, rows[i].name);

		assert_false(nft_refused_can_be_left_out(render_ruleset(cluster.render), &refused));
	}
}

/* Whoever has mended what was refused does not wait. */
static void what_has_changed_is_tried_again(void **state)
{
	static const char other[] =
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
		"metadata: {name: p, namespace: t}\n"
		"spec: {podSelector: {matchLabels: {app: a}}, ingress: [{ports: [{port: 80}]}]}\n";
	const struct ruleset *whole = render_ruleset(cluster.render);
	struct nft_refused profile = of(NFT_TABLE_POLICY, false, chain_like("pi_"));
	struct nft_refused own = of(NFT_TABLE_POLICY, false, "i_v1");
	struct nft_refused set = of(NFT_TABLE_POLICY, true, set_like("p4_"));
	struct nft_refused antispoof = of(NFT_TABLE_POLICY, false, "s_v1");
	struct faults faults = {0};
	struct err err = {0};

	(void)state;
	render_committed(cluster.render);
	assert_false(nft_refused_has_changed(whole, &profile));
	assert_false(nft_refused_has_changed(whole, &own));
	assert_false(nft_refused_has_changed(whole, &set));
	assert_false(nft_refused_has_changed(whole, &antispoof));
	assert_int_equal(cluster_put_yaml(&cluster, other, strlen(other), &faults, &err, NULL), 0);
	assert_int_equal(render_error(cluster.render), 0);
	assert_true(nft_refused_has_changed(whole, &profile));
	assert_true(nft_refused_has_changed(whole, &set)); /* nobody looks into it any more */
	assert_false(nft_refused_has_changed(whole, &antispoof));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_refused_is_a_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pods_chain_keeps_its_drop_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_profiles_chain_is_empty_and_still_there, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_nothing_refers_to_is_not_described_by_nothing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_set_goes_with_the_rules_that_look_into_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_antispoofing_chain_keeps_its_drop_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(whoever_leads_to_it_is_concerned, setup, teardown),
		cmocka_unit_test_setup_teardown(without_what_finds_the_pods_there_is_no_policy,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_has_changed_is_tried_again, setup, teardown),
	};

	return cmocka_run_group_tests_name("refused", tests, NULL, NULL);
}
