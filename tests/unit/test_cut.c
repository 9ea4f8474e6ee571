/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ends a connection for good: its server's packets are dropped, but no other's and no first
 * packet. And whose link-local address one is: not its pod's, for the peers of policies. */
#include <netinet/in.h>

#include "../lib/interp.h"
#include "unit.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"

static struct render_cut cut_of(const char *from, const char *to, uint8_t proto)
{
	struct render_cut cut;

	memset(&cut, 0, sizeof(cut));
	assert_true(addr_parse(from, &cut.from));
	assert_true(addr_parse(to, &cut.to));
	cut.from_port = 40000;
	cut.to_port = 81;
	cut.proto = proto;
	return cut;
}

/* What the server sends. */
static struct packet packet_of(const struct render_cut *cut)
{
	return (struct packet){
		.family = (enum family)cut->from.family,
		.from = cut->to,
		.to = cut->from,
		.source_port = cut->to_port,
		.port = cut->from_port,
		.proto = cut->proto,
		.hoplimit = 63,
	};
}

static bool passes(const struct render *r, enum nft_hook hook, struct packet packet)
{
	return interp_hook(render_ruleset(r), hook, &packet);
}

static void only_the_servers_packets(void **state)
{
	static const char *const pairs[][2] = {{CLIENT, SERVER}, {"fd00::1", "fd00::2"}};
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_SCTP};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs) * ARRAY_LEN(protos); i++) {
		struct render *r = render_new();
		struct render_cut cut = cut_of(pairs[i / 2][0], pairs[i / 2][1], protos[i % 2]);
		struct packet packet = packet_of(&cut), other = packet;

		assert_non_null(r);
		assert_int_equal(render_cut(r, &cut), 0);
		assert_int_equal(render_cut(r, &cut), 0);
		assert_false(passes(r, NFT_HOOK_FORWARD, packet));
		other.syn = true;
		assert_true(passes(r, NFT_HOOK_FORWARD, other));
		other = packet;
		other.established = true;
		assert_true(passes(r, NFT_HOOK_FORWARD, other));
		other = packet;
		other.port++;
		assert_true(passes(r, NFT_HOOK_FORWARD, other));
		other = packet;
		other.source_port++;
		assert_true(passes(r, NFT_HOOK_FORWARD, other));
		other = packet;
		other.proto = IPPROTO_UDP;
		assert_true(passes(r, NFT_HOOK_FORWARD, other));
		other = packet;
		other.to.b[3] ^= 1;
		assert_true(passes(r, NFT_HOOK_FORWARD, other));
		render_uncut(r, &cut);
		render_uncut(r, &cut);
		assert_true(passes(r, NFT_HOOK_FORWARD, packet));
		assert_int_equal(render_error(r), 0);
		render_free(r);
	}
}

/* The chain of the output hook is there as long as one of them needs it. */
static void the_nodes_servers(void **state)
{
	struct render_cut one = cut_of(CLIENT, "192.0.2.1", IPPROTO_TCP), two = one;
	struct render *r = render_new();

	(void)state;
	assert_non_null(r);
	one.local = two.local = true;
	two.to_port++;
	assert_null(ruleset_chain(render_ruleset(r), NFT_TABLE_POLICY, "output"));
	assert_int_equal(render_cut(r, &one), 0);
	assert_int_equal(render_cut(r, &two), 0);
	assert_false(passes(r, NFT_HOOK_OUTPUT, packet_of(&one)));
	render_uncut(r, &one);
	assert_true(passes(r, NFT_HOOK_OUTPUT, packet_of(&one)));
	assert_false(passes(r, NFT_HOOK_OUTPUT, packet_of(&two)));
	render_uncut(r, &two);
	assert_null(ruleset_chain(render_ruleset(r), NFT_TABLE_POLICY, "output"));
	render_free(r);
}

static int compare(void *ctx, const struct render_cut *cut)
{
	const struct render_cut *wanted = ctx;

	return memcmp(cut, wanted, sizeof(*cut)) == 0 ? 1 : -EINVAL;
}

static void they_are_read_as_they_were_written(void **state)
{
	struct render_cut cut = cut_of("fd00::1", "fd00::2", IPPROTO_SCTP);
	struct render *r = render_new();

	(void)state;
	assert_non_null(r);
	assert_int_equal(render_each_cut(render_ruleset(r), compare, &cut), 0);
	assert_int_equal(render_cut(r, &cut), 0);
	assert_int_equal(render_each_cut(render_ruleset(r), compare, &cut), 1);
	render_free(r);
}

static const char pods[] =
	"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: t, labels: {app: a}}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: 'fd00::1'}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: t, labels: {app: b}}\n"
	"spec: {nodeName: n1, containers: [{name: c, ports: [{name: web, containerPort: 80}]}]}\n"
	"status: {phase: Running, podIP: 'fd00::2'}\n---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: b, namespace: t}\n"
	"spec: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{podSelector: {}}]}, "
	"{ports: [{port: web}]}, {from: [{ipBlock: {cidr: 'fe80::/10'}}], ports: [{port: 81}]}]}\n";

#define LINK_LOCAL_A "fe80::858:ff:fe00:61"
#define LINK_LOCAL_B "fe80::858:ff:fe00:62"

static void give_mac(struct pod *pod)
{
	memcpy(pod->mac, (uint8_t[]){0x0a, 0x58, 0, 0, 0, (uint8_t)pod->name[0]}, sizeof(pod->mac));
}

static enum verdict ask(struct cluster *c, const char *from, const char *to, uint16_t port)
{
	struct flow flow = {.proto = FLOW_TCP, .has_port = true, .port = port};
	struct flow_result result;
	enum verdict verdict;

	(void)snprintf(flow.from, sizeof(flow.from), "%s", from);
	(void)snprintf(flow.to, sizeof(flow.to), "%s", to);
	assert_int_equal(eval_flow(c->graph, &flow, &result), 0);
	verdict = result.verdict;
	flow_result_done(&result);
	return verdict;
}

static void link_local_addresses_are_no_peers(void **state)
{
	struct cluster c;

	(void)state;
	unit_cluster_start(&c, "n1", true);
	c.prepare = give_mac;
	unit_put(&c, pods);
	assert_int_equal(graph_sync(c.graph), 0);
	assert_int_equal(ask(&c, "fd00::1", "fd00::2", 82), VERDICT_ALLOW);
	assert_int_equal(ask(&c, LINK_LOCAL_A, LINK_LOCAL_B, 82), VERDICT_DENY);
	assert_int_equal(ask(&c, LINK_LOCAL_A, LINK_LOCAL_B, 81), VERDICT_ALLOW);
	assert_int_equal(ask(&c, LINK_LOCAL_A, LINK_LOCAL_B, 80), VERDICT_ALLOW);
	assert_int_equal(ask(&c, "fd00::1", "fd00::2", 80), VERDICT_ALLOW);
	assert_int_equal(ask(&c, LINK_LOCAL_B, LINK_LOCAL_A, 82), VERDICT_ALLOW);
	assert_true(graph_remove(c.graph, KIND_POD, "t", "b") >= 0);
	assert_int_equal(ask(&c, LINK_LOCAL_A, LINK_LOCAL_B, 82), VERDICT_ALLOW);
	unit_cluster_stop(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_servers_packets),
		cmocka_unit_test(the_nodes_servers),
		cmocka_unit_test(they_are_read_as_they_were_written),
		cmocka_unit_test(link_local_addresses_are_no_peers),
	};

	return cmocka_run_group_tests_name("connections that have ended", tests, NULL, NULL);
}
