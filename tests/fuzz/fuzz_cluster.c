/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as choices: events of a small world, then flows. The graph is the one that the objects
 * alone give, and the ruleset, interpreted, says what the evaluator says. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "nft/print.h"
#include "world.h"

#define EVENTS_MAX 12
#define FLOWS_MAX  4

/* Most objects of an input are those of the input that it was made from. */
static struct cluster_documents documents;

struct bytes {
	const uint8_t *p, *end;
};

static uint32_t take(void *ctx, uint32_t below)
{
	struct bytes *bytes = ctx;

	return bytes->p < bytes->end ? *bytes->p++ % below : 0;
}

static char *text_of(struct cluster *c)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out && render_error(c->render) == 0);
	REQUIRE(ruleset_print(render_ruleset(c->render), out) == 0);
	REQUIRE(graph_dump(c->graph, out) == 0);
	REQUIRE(fclose(out) == 0);
	return text;
}

static void apply(const struct world *world, size_t slot, struct cluster *c)
{
	struct faults faults = {0};

	REQUIRE(world_apply(world, slot, c, &faults) == 0);
	faults_done(&faults);
}

static void stop(struct cluster *c)
{
	graph_free(c->graph);
	REQUIRE(intern_count(c->strings) == 0);
	c->graph = NULL;
	cluster_stop(c);
}

static void compare_scratch(struct cluster *c, const struct world *world, const char *node)
{
	struct cluster scratch;
	char *a = text_of(c), *b;

	REQUIRE(cluster_start(&scratch, node, true));
	scratch.documents = &documents;
	for (size_t slot = WORLD_SLOTS; slot > 0; slot--) {
		if (world->yaml[slot - 1])
			apply(world, slot - 1, &scratch);
	}
	REQUIRE(graph_sync(scratch.graph) == 0);
	b = text_of(&scratch);
	if (strcmp(a, b) != 0)
		fprintf(stderr, "updated:\n%s\nfrom scratch:\n%s\n", a, b);
	REQUIRE(strcmp(a, b) == 0);
	free(a);
	free(b);
	stop(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = {data, data + size};
	struct picker picker = {take, &bytes};
	const char *node = take(&bytes, 2) ? "n1" : NULL;
	uint32_t sync_at = take(&bytes, EVENTS_MAX);
	struct world world = {0};
	struct cluster c;

	REQUIRE(cluster_start(&c, node, true));
	c.documents = &documents;
	for (uint32_t i = 0; i < EVENTS_MAX && bytes.p < bytes.end; i++) {
		if (i == sync_at)
			REQUIRE(graph_sync(c.graph) == 0);
		apply(&world, world_change(&world, &picker), &c);
	}
	REQUIRE(graph_sync(c.graph) == 0);
	compare_scratch(&c, &world, node);
	for (int i = 0; i < FLOWS_MAX; i++) {
		struct flow flow;
		char *detail;
		bool agrees;

		world_flow(&picker, &flow);
		agrees = cluster_agrees(&c, &flow, &detail);
		if (!agrees)
			fprintf(stderr, "%s to %s: %s\n", flow.from, flow.to, detail);
		REQUIRE(agrees);
	}
	stop(&c);
	world_done(&world);
	return 0;
}
