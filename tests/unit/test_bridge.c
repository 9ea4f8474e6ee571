/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ports of bridges in the ruleset: which chains a port has as pods come, change and go. What
 * the chains do is tests/netns/antispoof.py's. */
#include <netinet/in.h>

#include "interp.h"
#include "unit.h"

#define PORT_A 7
#define PORT_B 8

static struct cluster cluster;

static int setup(void **state)
{
	(void)state;
	unit_cluster_start(&cluster, "n1", true);
	return graph_sync(cluster.graph);
}

static int teardown(void **state)
{
	(void)state;
	cluster_stop(&cluster);
	return 0;
}

static void put(const char *yaml)
{
	struct faults faults = {0};
	struct err err = {0};

	assert_int_equal(cluster_put_yaml(&cluster, yaml, strlen(yaml), &faults, &err, NULL), 0);
	assert_int_equal(faults.errors, 0);
	assert_int_equal(render_error(cluster.render), 0);
}

/* The pod as it is seen at the port of a bridge. */
static void put_pod(const char *name, uint8_t last, unsigned index)
{
	char yaml[400];
	struct pod *pod;

	(void)snprintf(
		yaml, sizeof(yaml),
		"apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: t, labels: {app: %s}, "
		"annotations: {netpold.io/interface: v%u}}\nspec: {nodeName: n1}\n"
		"status: {phase: Running, podIP: 10.0.0.%u}\n",
		name, name, index, last);
	put(yaml);
	pod = pod_copy(cluster.strings, graph_find_pod(cluster.graph, "t", name)->object);
	assert_non_null(pod);
	pod->bridged = true;
	pod->ifindex = index;
	pod->mac[0] = 0x0a;
	pod->mac[5] = last;
	pod->bridge = intern_get(cluster.strings, "br0");
	assert_non_null(pod->bridge);
	assert_int_equal(graph_put(cluster.graph, (struct object){.kind = KIND_POD, .pod = pod}),
			 0);
	assert_int_equal(render_error(cluster.render), 0);
}

static void isolate(const char *name, const char *type)
{
	char yaml[300];

	(void)snprintf(yaml, sizeof(yaml),
		       "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, "
		       "namespace: t}\n"
		       "spec: {podSelector: {matchLabels: {app: %s}}, policyTypes: [%s]}\n",
		       name, type);
	put(yaml);
}

static bool passes_to(struct packet *packet, uint8_t first, uint8_t last)
{
	packet->to = (struct addr){.b = {first, 255, 255, last}};
	return interp_bridge(render_ruleset(cluster.render), packet);
}

/* UDP from A to B, or to a group. */
static bool passes(uint8_t source, bool group)
{
	struct packet packet = {.family = FAMILY_V4,
				.from = {.b = {10, 0, 0, source}},
				.to = {.b = {10, 0, 0, 2}},
				.proto = IPPROTO_UDP,
				.port = 5353,
				.ethernet = true,
				.group = group,
				.ether = {0x0a, 0, 0, 0, 0, 1},
				.index = {PORT_A, PORT_B}};

	if (group)
		packet.to = (struct addr){.b = {224, 0, 0, 1}};
	return interp_bridge(render_ruleset(cluster.render), &packet);
}

static const struct nft_chain *bridge_chain(const char *name)
{
	return ruleset_chain(render_ruleset(cluster.render), NFT_TABLE_BRIDGE, name);
}

static void without_ports_there_is_nothing(void **state)
{
	const struct ruleset *ruleset = render_ruleset(cluster.render);

	(void)state;
	put_pod("a", 1, PORT_A);
	isolate("a", "Ingress, Egress");
	assert_non_null(ruleset->chains[NFT_TABLE_BRIDGE]);
	assert_int_equal(graph_remove(cluster.graph, KIND_POD, "t", "a"), 0);
	assert_int_equal(render_error(cluster.render), 0);
	assert_null(ruleset->chains[NFT_TABLE_BRIDGE]);
	for (const struct nft_set *set = ruleset->sets; set; set = set->hh.next)
		assert_int_equal(set->table, NFT_TABLE_POLICY);
	assert_null(ruleset_chain(ruleset, NFT_TABLE_POLICY, "prerouting"));
}

static void isolation_comes_and_goes(void **state)
{
	(void)state;
	put_pod("a", 1, PORT_A);
	put_pod("b", 2, PORT_B);
	assert_true(passes(1, false));
	assert_true(passes(1, true));
	assert_false(passes(3, false));
	isolate("b", "Ingress");
	assert_true(passes(1, false));
	assert_false(passes(1, true));
	assert_false(passes(3, false));
	isolate("a", "Egress");
	assert_true(passes(1, false));
	assert_false(passes(1, true));
	assert_false(passes(3, false));
	assert_int_equal(graph_remove(cluster.graph, KIND_NETWORK_POLICY, "t", "p"), 0);
	assert_true(passes(1, true));
	assert_null(bridge_chain("group_egress"));
	assert_null(bridge_chain("rest_ingress"));
}

/* 240.0.0.0/4 is unicast, but for its last address: include/linux/in.h. */
static void reserved_addresses_are_no_group(void **state)
{
	struct packet packet = {.family = FAMILY_V4,
				.from = {.b = {10, 0, 0, 1}},
				.proto = IPPROTO_UDP,
				.port = 5353,
				.ethernet = true,
				.ether = {0x0a, 0, 0, 0, 0, 1},
				.index = {PORT_A, PORT_B}};

	(void)state;
	put_pod("a", 1, PORT_A);
	isolate("a", "Egress");
	assert_true(passes_to(&packet, 223, 255));
	assert_false(passes_to(&packet, 224, 255));
	assert_false(passes_to(&packet, 239, 255));
	assert_true(passes_to(&packet, 240, 255));
	assert_true(passes_to(&packet, 255, 254));
	assert_false(passes_to(&packet, 255, 255));
}

static void close_ports(size_t n)
{
	struct render_unknown list[2] = {{.addr = {.b = {10, 0, 0, 2}}, .port = PORT_B},
					 {.addr = {.b = {10, 0, 0, 9}}, .port = PORT_B}};

	assert_int_equal(render_unknown(cluster.render, list, n), 0);
	assert_int_equal(render_error(cluster.render), 0);
}

/* Nobody knows what its policies are. */
static void the_port_of_an_unknown_pod_is_closed(void **state)
{
	(void)state;
	put_pod("a", 1, PORT_A);
	close_ports(2);
	assert_false(passes(1, false));
	assert_false(passes(1, true));
	close_ports(1);
	assert_false(passes(1, false));
	put_pod("b", 2, PORT_B);
	assert_true(passes(1, false));
	assert_true(passes(1, true));
	assert_null(bridge_chain("unknown_port"));
	close_ports(0);
	assert_true(passes(1, true));
	assert_null(bridge_chain("rest_ingress"));
}

static void set_peers(const char *name, const char *peers)
{
	char yaml[400];

	(void)snprintf(
		yaml, sizeof(yaml),
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: "
		"%s, namespace: t}\nspec: {podSelector: {matchLabels: {app: %s}}, policyTypes: "
		"[Ingress], ingress: [%s]}\n",
		name, name, peers);
	put(yaml);
}

/* From 10.9.0.<source>, forwarded to that address by the device. */
static bool reaches(uint8_t source, const uint8_t to[static 4], const char *device)
{
	struct packet packet = {.family = FAMILY_V4,
				.from = {.b = {10, 9, 0, source}},
				.proto = IPPROTO_UDP,
				.port = 53};

	memcpy(packet.to.b, to, 4);
	(void)strcpy(packet.out, device);
	return interp_hook(render_ruleset(cluster.render), NFT_HOOK_FORWARD, &packet);
}

static void allow_sources(struct allowed_sources *allowed)
{
	struct render_options options = {.allowed_sources = allowed};

	assert_int_equal(allowed_sources_add(allowed, "t/app=a 10.8.0.0/16"), 0);
	assert_int_equal(allowed_sources_add(allowed, "t/app=b 10.8.7.0/24 0.0.0.0/0"), 0);
	assert_int_equal(render_configure(cluster.render, &options), 0);
}

#define FROM_1 "{from: [{ipBlock: {cidr: 10.9.0.1/32}}]}"
#define FROM_2 "{from: [{ipBlock: {cidr: 10.9.0.2/32}}]}"

static void allowed_addresses_are_policed(void **state)
{
	static const uint8_t own[] = {10, 0, 0, 2}, of_a[] = {10, 8, 1, 1},
			     of_both[] = {10, 8, 7, 1}, of_b[] = {8, 8, 8, 8},
			     group[] = {224, 0, 0, 1};
	struct allowed_sources allowed = {0};

	(void)state;
	allow_sources(&allowed);
	put_pod("a", 1, PORT_A);
	put_pod("b", 2, PORT_B);
	assert_true(reaches(2, of_a, "br0"));
	set_peers("a", FROM_1);
	assert_true(reaches(1, of_a, "br0"));
	assert_false(reaches(2, of_a, "br0"));
	assert_true(reaches(2, of_a, "eth0"));
	assert_true(reaches(2, own, "br0"));
	assert_true(reaches(2, of_b, "br0"));
	/* b may have any address, so all of a's could be b's. */
	set_peers("b", FROM_2);
	assert_false(reaches(1, of_a, "br0"));
	assert_false(reaches(1, of_both, "br0"));
	assert_true(reaches(2, of_b, "br0"));
	assert_false(reaches(1, of_b, "br0"));
	assert_true(reaches(1, of_b, "eth0"));
	assert_true(reaches(1, group, "br0"));
	assert_false(reaches(1, own, "br0"));
	/* Isolated alike, it does not matter whose they are. */
	set_peers("b", FROM_1);
	put("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: b, "
	    "namespace: t}\nspec: {podSelector: {}, policyTypes: [Ingress], ingress: [" FROM_1
	    "]}\n");
	assert_int_equal(graph_remove(cluster.graph, KIND_NETWORK_POLICY, "t", "a"), 0);
	assert_true(reaches(1, of_both, "br0"));
	assert_false(reaches(2, of_both, "br0"));
	assert_int_equal(graph_remove(cluster.graph, KIND_POD, "t", "b"), 0);
	assert_true(reaches(1, of_a, "br0"));
	assert_true(reaches(2, of_b, "br0"));
	assert_int_equal(graph_remove(cluster.graph, KIND_POD, "t", "a"), 0);
	assert_true(reaches(2, of_a, "br0"));
	allowed_sources_done(&allowed);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_ports_there_is_nothing),  TEST(isolation_comes_and_goes),
		TEST(reserved_addresses_are_no_group), TEST(the_port_of_an_unknown_pod_is_closed),
		TEST(allowed_addresses_are_policed),
	};

	return cmocka_run_group_tests_name("bridge", tests, NULL, NULL);
}
