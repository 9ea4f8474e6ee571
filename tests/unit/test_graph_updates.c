/* SPDX-License-Identifier: GPL-2.0-or-later */
/* However it came about, a graph is the one that its objects alone would have given; and the
 * ruleset is. */
#include "unit.h"

#include "world.h"

#define SEQUENCES  2000
#define EVENTS_MAX 24

static uint32_t pick_random(void *ctx, uint32_t below)
{
	return unit_random(ctx, below);
}

/* With the sets of nodes' addresses. */
static void start(struct cluster *c, const char *node)
{
	unit_cluster_start(c, node, true);
	assert_int_equal(render_configure(c->render, &(struct render_options){.pod_tunnels = true}),
			 0);
}

static void apply(const struct world *world, size_t slot, struct cluster *c)
{
	struct faults faults = {0};

	if (world_apply(world, slot, c, &faults) < 0)
		fail_msg("%s: %s in:\n%s", faults.n ? faults.v[0].field : "?",
			 faults.n ? faults.v[0].text : "?", world->yaml[slot]);
	faults_done(&faults);
}

/* The same objects put in another order, before or after graph_sync(). */
static char *text_from_scratch(const struct world *world, const char *node,
			       struct unit_random *random)
{
	size_t shift = unit_random(random, WORLD_SLOTS), sync_at = unit_random(random, WORLD_SLOTS);
	struct cluster c;
	char *text;

	start(&c, node);
	for (size_t i = 0; i < WORLD_SLOTS; i++) {
		size_t slot = (i * 7 + shift) % WORLD_SLOTS; /* 7 does not divide it */

		if (i == sync_at)
			assert_int_equal(graph_sync(c.graph), 0);
		if (world->yaml[slot])
			apply(world, slot, &c);
	}
	assert_int_equal(graph_sync(c.graph), 0);
	text = unit_text(&c);
	unit_cluster_stop(&c);
	return text;
}

static void print_world(const struct world *world)
{
	for (size_t i = 0; i < WORLD_SLOTS; i++) {
		if (world->yaml[i])
			print_error("---\n%s", world->yaml[i]);
	}
}

static void compare(struct cluster *c, const struct world *world, const char *node,
		    struct unit_random *random, uint64_t seed)
{
	int rc = graph_flush(c->graph); /* of policies, where they are held */
	char *updated = unit_text(c);
	char *scratch = text_from_scratch(world, node, random);
	size_t at = 0, from;

	assert_int_equal(rc, 0);
	while (updated[at] && updated[at] == scratch[at])
		at++;
	if (updated[at] != scratch[at]) {
		from = at > 200 ? at - 200 : 0;
		print_world(world);
		fail_msg("NETPOLD_SEED=%llu: updated:\n...%.700s\nfrom scratch:\n...%.700s",
			 (unsigned long long)seed, updated + from, scratch + from);
	}
	free(updated);
	free(scratch);
}

static void compare_flows(struct cluster *c, const struct world *world, const struct picker *picker,
			  uint64_t seed)
{
	for (int i = 0; i < 12; i++) {
		struct flow flow;
		char *detail;

		world_flow(picker, &flow);
		if (cluster_agrees(c, &flow, &detail))
			continue;
		print_world(world);
		fail_msg("NETPOLD_SEED=%llu: %s to %s: %s", (unsigned long long)seed, flow.from,
			 flow.to, detail ? detail : "?");
	}
}

/* Of the comparisons: in how many some were closed, and in how many of these not all. */
static size_t n_compared, n_closed, n_partly;

static void count_closed(const struct cluster *c)
{
	struct graph_counts counts = graph_counts(c->graph);

	n_compared++;
	n_closed += counts.over_limit > 0;
	n_partly += counts.over_limit > 0 &&
		    counts.over_limit < counts.isolated[DIR_INGRESS] + counts.isolated[DIR_EGRESS];
}

static void run_sequence(struct unit_random *random, uint64_t seed)
{
	struct picker picker = {pick_random, random};
	const char *node = unit_random(random, 2) ? "n1" : NULL;
	size_t events = 4 + unit_random(random, EVENTS_MAX - 4);
	size_t sync_at = unit_random(random, 4) ? 0 : unit_random(random, (uint32_t)events);
	struct world world = {0};
	struct cluster c;

	start(&c, node);
	if (unit_random(random, 2))
		graph_hold_policies(c.graph);
	for (size_t i = 0; i < events; i++) {
		size_t slot;

		if (i == sync_at)
			assert_int_equal(graph_sync(c.graph), 0);
		slot = world_change(&world, &picker);
		apply(&world, slot, &c);
		if (unit_random(random, 8) == 0) /* again, unchanged */
			apply(&world, slot, &c);
		if (i >= sync_at && unit_random(random, 5) == 0) {
			compare(&c, &world, node, random, seed);
			compare_flows(&c, &world, &picker, seed);
			count_closed(&c);
		}
	}
	compare(&c, &world, node, random, seed);
	compare_flows(&c, &world, &picker, seed);
	/* Away with all of it: nothing may stay. */
	for (size_t slot = 0; slot < WORLD_SLOTS; slot++) {
		free(world.yaml[slot]);
		world.yaml[slot] = NULL;
		apply(&world, slot, &c);
	}
	compare(&c, &world, node, random, seed);
	unit_cluster_stop(&c);
	world_done(&world);
}

static void single_events_lead_to_the_graph_of_the_objects_alone(void **state)
{
	struct unit_random seeds = unit_random_start("graph_updates");
	const char *many = getenv("NETPOLD_SEQUENCES");
	size_t n = many ? strtoul(many, NULL, 10) : SEQUENCES;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		/* Each has a seed of its own, so that it can be run alone. */
		struct unit_random random = {.state = seeds.state + i};

		run_sequence(&random, seeds.state + i);
	}
	if (NAMESPACE_BYTES_MAX < 1u << 20 && n >= SEQUENCES) {
		print_message("%zu compared, %zu with closed profiles, %zu with open ones too\n",
			      n_compared, n_closed, n_partly);
		assert_true(n_closed > n_compared / 20 && n_partly > n_compared / 40);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_events_lead_to_the_graph_of_the_objects_alone),
	};

	return cmocka_run_group_tests_name("graph updates", tests, NULL, NULL);
}
