/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A map by which packets find a pod's chain is looked up while it has something: the lookup comes
 * and goes with the first and the last element, and no moment between lets a packet pass. */
#include <netinet/in.h>

#include "../lib/fake_nf_tables.h"
#include "../lib/interp.h"
#include "nft/plan.h"
#include "unit.h"

/* Both are isolated in both directions. */
#define POLICY                                                    \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n" \
	"metadata: {name: none, namespace: t}\n"                  \
	"spec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n---\n"
#define POD(name, address, annotations)                                                        \
	"apiVersion: v1\nkind: Pod\nmetadata: {name: " name ", namespace: t" annotations "}\n" \
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: '" address "'}\n---\n"
#define BEHIND(device) ", annotations: {netpold.io/interface: " device "}"

#define A4             "10.0.0.1"
#define B4             "10.0.0.2"
#define B6             "fd00::2"

static const char *const lookups[DIR_COUNT][3] = {
	[DIR_INGRESS] = {"ingress_if", "ingress_ip4", "ingress_ip6"},
	[DIR_EGRESS] = {"egress_if", "egress_ip4", "egress_ip6"},
};

/* Objects that are put, a pod that is removed; what is looked up then; and of which pods, which
 * were there before and still are, no packet passes at any moment. */
struct step {
	const char *put, *remove;
	bool looked_up[3]; /* interface, IPv4, IPv6 */
	bool a, b;
};

static const struct step steps[] = {
	{POLICY, NULL, {false, false, false}, false, false},
	{POD("a", A4, ""), NULL, {false, true, false}, false, false},
	{POD("b", B4, BEHIND("vb")), NULL, {true, true, false}, true, false},
	{POD("a", A4, BEHIND("va")), NULL, {true, false, false}, true, true},
	{POD("b", B4, ""), NULL, {true, true, false}, true, true},
	{POD("a", A4, ""), NULL, {false, true, false}, true, true},
	{POD("b", B6, ""), NULL, {false, true, true}, true, false},
	{NULL, "a", {false, false, true}, false, false},
	{POD("a", A4, BEHIND("va")), NULL, {true, false, true}, false, false},
	{NULL, "b", {true, false, false}, true, false},
	{NULL, "a", {false, false, false}, false, false},
};

static bool looks_up(const struct ruleset *ruleset, const char *chain_name, const char *map)
{
	const struct nft_chain *chain = ruleset_chain(ruleset, NFT_TABLE_POLICY, chain_name);

	assert_non_null(chain);
	for (size_t i = 0; i < chain->rules.n; i++) {
		const char *set = nft_stmt_set(&chain->rules.v[i].stmts.v[0]);

		if (set && strcmp(set, map) == 0)
			return true;
	}
	return false;
}

static void assert_lookups(const struct ruleset *ruleset, const struct step *step)
{
	for (size_t i = 0; i < ARRAY_LEN(step->looked_up); i++) {
		bool wanted = step->looked_up[i];

		assert_int_equal(looks_up(ruleset, "to_pod", lookups[DIR_INGRESS][i]), wanted);
		assert_int_equal(looks_up(ruleset, "dispatch", lookups[DIR_EGRESS][i]), wanted);
		assert_int_equal(looks_up(ruleset, "input", lookups[DIR_EGRESS][i]), wanted);
		assert_int_equal(looks_up(ruleset, "postrouting", lookups[DIR_EGRESS][i]), wanted);
	}
}

static void assert_denied(const struct ruleset *ruleset, const char *address, const char *device)
{
	struct packet packet = {.proto = IPPROTO_TCP, .port = 80, .syn = true, .hoplimit = 63};
	struct packet other;

	assert_true(addr_parse(address, &packet.from));
	assert_true(addr_parse("192.0.2.1", &packet.to));
	packet.family = (enum family)packet.from.family;
	(void)snprintf(packet.in, sizeof(packet.in), "%s", device);
	(void)snprintf(packet.out, sizeof(packet.out), "eth0");
	assert_false(interp_hook(ruleset, NFT_HOOK_FORWARD, &packet));
	assert_false(interp_hook(ruleset, NFT_HOOK_INPUT, &packet));
	assert_false(interp_hook(ruleset, NFT_HOOK_POSTROUTING, &packet));
	other = packet;
	other.from = packet.to;
	other.to = packet.from;
	memcpy(other.in, packet.out, sizeof(other.in));
	memcpy(other.out, packet.in, sizeof(other.out));
	assert_false(interp_hook(ruleset, NFT_HOOK_FORWARD, &other));
}

static void assert_closed(const struct ruleset *ruleset, const struct step *step)
{
	if (step->a)
		assert_denied(ruleset, A4, "va");
	if (step->b)
		assert_denied(ruleset, B4, "vb");
}

/* All but the change itself, which is one transaction, message by message. */
static void apply(struct fake *fake, const struct nft_plan *plan, const struct step *step)
{
	for (int i = 0; i < NFT_PLAN_PARTS; i++) {
		const struct nft_batch *part = &plan->parts[i];

		if (i == NFT_PLAN_CHANGE) {
			fake_apply(fake, plan, NFT_PLAN_CHANGE, NFT_PLAN_CLEANUP);
			assert_closed(&fake->ruleset, step);
			i = NFT_PLAN_CLEANUP - 1;
			continue;
		}
		for (size_t at = 0, end; at < part->messages.n; at = end) {
			struct nft_plan piece = {0};

			for (end = at + 1; part->messages.v[end - 1].more; end++)
				;
			assert_int_equal(nft_batch_append(&piece.parts[0], part, at, end), 0);
			fake_apply(fake, &piece, 0, 1);
			assert_string_equal(fake->complaint, "");
			assert_closed(&fake->ruleset, step);
			nft_plan_done(&piece);
		}
	}
	assert_string_equal(fake->complaint, "");
}

static void take_step(struct cluster *c, struct fake *fake, const struct step *step)
{
	struct nft_plan plan = {0};

	if (step->put)
		unit_put(c, step->put);
	if (step->remove)
		assert_true(graph_remove(c->graph, KIND_POD, "t", step->remove) >= 0);
	assert_int_equal(graph_sync(c->graph), 0);
	assert_int_equal(render_error(c->render), 0);
	assert_int_equal(nft_plan_changes(&plan, render_ruleset(c->render)), 0);
	apply(fake, &plan, step);
	render_committed(c->render);
	assert_lookups(render_ruleset(c->render), step);
	assert_lookups(&fake->ruleset, step);
	nft_plan_done(&plan);
}

static void maps_are_looked_up_while_they_have_something(void **state)
{
	const struct render_options options = {.ipvs = true};
	struct fake fake = {0};
	struct cluster c;

	(void)state;
	unit_cluster_start(&c, "n1", true);
	assert_int_equal(render_configure(c.render, &options), 0);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		take_step(&c, &fake, &steps[i]);
	fake_done(&fake);
	unit_cluster_stop(&c);
}

/* Pods that nobody knows yet are found by the same maps. */
static void pods_that_are_not_known_count(void **state)
{
	static const struct step one = {.looked_up = {true}}, none = {.looked_up = {false}};
	const struct render_options options = {.ipvs = true};
	struct render_unknown unknown = {.interface = "vx", .comment = "x"};
	struct cluster c;

	(void)state;
	unit_cluster_start(&c, "n1", true);
	assert_int_equal(render_configure(c.render, &options), 0);
	assert_int_equal(render_unknown(c.render, &unknown, 1), 0);
	assert_lookups(render_ruleset(c.render), &one);
	assert_denied(render_ruleset(c.render), A4, "vx");
	assert_int_equal(render_unknown(c.render, NULL, 0), 0);
	assert_lookups(render_ruleset(c.render), &none);
	unit_cluster_stop(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_are_looked_up_while_they_have_something),
		cmocka_unit_test(pods_that_are_not_known_count),
	};

	return cmocka_run_group_tests_name("lookups of pods", tests, NULL, NULL);
}
