/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what is rendered to the kernel: what is refused is isolated, and told with the pods that it
 * concerns. */
#include "daemon/apply.h"

#include <errno.h>
#include <linux/netfilter.h>

#include "fake_socket.h"
#include "nft/features.h"
#include "unit.h"

static const char yaml[] =
	"apiVersion: v1\nkind: Pod\n"
	"metadata: {name: a, namespace: t, labels: {app: a}, annotations: {netpold.io/interface: "
	"v1}}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.0.0.1}\n---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: t}\n"
	"spec: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{ipBlock: {cidr: "
	"192.0.2.0/24, except: [192.0.2.1/32]}}]}]}\n";

static struct cluster cluster;
static struct apply apply;

static int setup(void **state)
{
	struct faults faults = {0};
	struct err err = {0};

	(void)state;
	fake_socket_start();
	unit_cluster_start(&cluster, "n1", true);
	assert_int_equal(cluster_put_yaml(&cluster, yaml, strlen(yaml), &faults, &err, NULL), 0);
	assert_int_equal(graph_sync(cluster.graph), 0);
	assert_int_equal(render_error(cluster.render), 0);
	return apply_open(&apply, cluster.render, false, &err);
}

static int teardown(void **state)
{
	(void)state;
	apply_close(&apply);
	cluster_stop(&cluster);
	fake_socket_forget();
	return 0;
}

static int commit(struct err *err)
{
	bool changed;

	return apply_commit(&apply, &changed, err);
}

static void what_is_refused_is_isolated_with_its_pods(void **state)
{
	struct nft_pods pods = {0};
	struct err err = {0};
	char text[200];

	(void)state;
	fake_socket.refused_set = "b4_";
	fake_socket.refusal = -EEXIST;
	assert_int_equal(commit(&err), 0);
	assert_int_equal(apply.refused.n, 1);
	assert_true(apply.refused.v[0].set);
	assert_int_equal(
		nft_refused_pods(render_ruleset(cluster.render), &apply.refused.v[0], &pods), 0);
	nft_pods_print(&pods, text, sizeof(text));
	assert_string_equal(text, "t/a");
	nft_pods_done(&pods);
	assert_int_equal(apply.commits, 1);
}

/* A batch that stands or falls as a whole: nothing can be left out of it. */
static void a_refused_batch_names_whom_it_was_about(void **state)
{
	struct err err = {0};

	(void)state;
	fake_socket.refused_set = "ingress_if";
	fake_socket.refusal = -EEXIST;
	assert_int_equal(commit(&err), -EINVAL);
	assert_int_equal(apply.refused.n, 0);
	assert_non_null(strstr(err.text, "ingress_if"));
	assert_non_null(strstr(err.text, "for pods t/a"));
	assert_non_null(strstr(apply.problem, "ingress_if"));
}

/* A pod on a bridge, for a kernel without the family: the rest is sent, and it is known why. */
static void a_family_that_the_kernel_lacks_is_left_out(void **state)
{
	struct err err = {0};
	struct pod *pod =
		pod_copy(cluster.strings, graph_find_pod(cluster.graph, "t", "a")->object);

	(void)state;
	assert_non_null(pod);
	pod->bridged = true;
	pod->ifindex = 7;
	assert_int_equal(graph_put(cluster.graph, (struct object){.kind = KIND_POD, .pod = pod}),
			 0);
	assert_non_null(render_ruleset(cluster.render)->chains[NFT_TABLE_BRIDGE]);
	fake_socket.refused_family = NFPROTO_BRIDGE;
	fake_socket.refusal = -EOPNOTSUPP;
	assert_int_equal(commit(&err), 0);
	assert_true(apply.no_bridge_family);
	assert_int_equal(apply.refused.n, 0);
	assert_null(render_ruleset(cluster.render)->chains[NFT_TABLE_BRIDGE]);
	assert_non_null(ruleset_chain(render_ruleset(cluster.render), NFT_TABLE_POLICY, "forward"));
	/* And it can be taken away. */
	assert_int_equal(nft_kernel_cleanup(&apply.kernel, &err), 0);
}

/* Where the kernel has the flags, and where it has not: everything is enforced in either case. */
static void tables_have_an_owner_where_the_kernel_can(void **state)
{
	static const struct {
		size_t refused; /* the table, or what is refused in any case */
		int refusal;
		bool own;
	} rows[] = {{3, -ENOENT, true}, {2, -EOPNOTSUPP, false}};
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		apply_close(&apply);
		fake_socket.refused[0] = rows[i].refused;
		fake_socket.refusal = rows[i].refusal;
		assert_int_equal(apply_open(&apply, cluster.render, true, &err), 0);
		fake_socket.refused[0] = 0;
		assert_int_equal(apply.cannot_own, !rows[i].own);
		assert_int_equal(render_ruleset(cluster.render)->own, rows[i].own);
		assert_int_equal(commit(&err), 0);
		assert_false(apply.not_owned);
	}
}

/* What the kernel refuses then has no name of its own. */
static void without_the_family_inet_it_is_said(void **state)
{
	struct err err = {0};

	(void)state;
	fake_socket.refused_family = NFPROTO_INET;
	fake_socket.refusal = -EOPNOTSUPP;
	assert_int_equal(commit(&err), -EINVAL);
	assert_string_equal(err.text,
			    "the kernel refuses table inet netpold: Operation not supported; this "
			    "kernel has no family inet (CONFIG_NF_TABLES_INET)");
	assert_int_equal(apply.missing, 1u << NFT_FEATURE_INET);
	fake_socket.refused_family = 0;
	assert_int_equal(commit(&err), 0);
	assert_int_equal(apply.missing, 0);
}

/* A module that cannot be loaded: rules are refused as if a chain were missing. */
static void an_expression_that_the_kernel_lacks_is_named(void **state)
{
	static const struct {
		const char *expr, *text;
		enum nft_feature feature;
	} rows[] = {
		{"ct", "this kernel has no expression ct (CONFIG_NFT_CT", NFT_FEATURE_CT},
		{"counter", "this kernel has no expression counter (", NFT_FEATURE_COUNTER},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = {0};

		fake_socket.refused_expr = rows[i].expr;
		fake_socket.refusal = -ENOENT;
		assert_int_equal(commit(&err), -EINVAL);
		assert_non_null(strstr(err.text, rows[i].text));
		assert_int_equal(apply.missing, 1u << rows[i].feature);
	}
}

/* Before 5.6 nf_tables_newset() does not know the flag of concatenated ranges. */
static void ranges_of_ports_that_the_kernel_lacks_are_named(void **state)
{
	char policy[4096] = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
			    "metadata: {name: q, namespace: t}\nspec:\n  podSelector: {}\n"
			    "  ingress:\n";
	struct faults faults = {0};
	struct err err = {0};

	(void)state;
	for (int i = 0; i <= RENDER_INLINE_MAX; i++) { /* so many that a map has them */
		size_t used = strlen(policy);

		(void)snprintf(policy + used, sizeof(policy) - used,
			       "  - {from: [{ipBlock: {cidr: 192.0.2.%d/32}}], "
			       "ports: [{port: %d, endPort: %d}]}\n",
			       i, 10 * i + 10, 10 * i + 15);
	}
	assert_int_equal(cluster_put_yaml(&cluster, policy, strlen(policy), &faults, &err, NULL),
			 0);
	assert_int_equal(graph_sync(cluster.graph), 0);
	fake_socket.refused_set = "ranges";
	fake_socket.refusal = -EINVAL;
	assert_int_equal(commit(&err), 0);
	assert_int_equal(apply.missing, 1u << NFT_FEATURE_RANGES);
	assert_int_equal(apply.refused.n, 1);
}

/* Refused for what it is, it says nothing about the kernel. */
static void a_refusal_of_content_does_not_blame_the_kernel(void **state)
{
	struct err err = {0};

	(void)state;
	fake_socket.refused_set = "ingress_if";
	fake_socket.refusal = -EEXIST;
	assert_int_equal(commit(&err), -EINVAL);
	assert_int_equal(apply.missing, 0);
	assert_null(strstr(err.text, "this kernel"));
}

static void commits_are_counted_by_how_long_they_took(void **state)
{
	struct err err = {0};
	uint64_t n = 0;

	(void)state;
	assert_int_equal(commit(&err), 0);
	for (size_t i = 0; i < ARRAY_LEN(apply.durations.counts); i++)
		n += apply.durations.counts[i];
	assert_int_equal(n, 1);
	assert_int_equal(apply.durations.sum_us, apply.last_us);
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
		struct histogram histogram = {0};

		histogram_observe(&histogram, histogram_bounds_us[i]);
		histogram_observe(&histogram, histogram_bounds_us[i] + 1);
		assert_int_equal(histogram.counts[i], 1);
		assert_int_equal(histogram.counts[i + 1], 1);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_refused_is_isolated_with_its_pods),
		TEST(a_refused_batch_names_whom_it_was_about),
		TEST(a_family_that_the_kernel_lacks_is_left_out),
		TEST(tables_have_an_owner_where_the_kernel_can),
		TEST(without_the_family_inet_it_is_said),
		TEST(an_expression_that_the_kernel_lacks_is_named),
		TEST(ranges_of_ports_that_the_kernel_lacks_are_named),
		TEST(a_refusal_of_content_does_not_blame_the_kernel),
		TEST(commits_are_counted_by_how_long_they_took),
	};

	return cmocka_run_group_tests_name("apply", tests, NULL, NULL);
}
