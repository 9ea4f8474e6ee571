/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which cut connections stay in the ruleset when there are more than it has room for. */
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <netinet/in.h>

#include "cuts.h"
#include "failing.h"
#include "unit.h"

/* Two tenants, and a node. */
static const char cluster_yaml[] =
	"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: greedy}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.0.0.1}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: modest}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.0.0.2}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: c, namespace: third}\n"
	"spec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.0.0.3}\n---\n"
	"apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n"
	"status: {addresses: [{address: 192.168.0.1}]}\n";

#define GREEDY   "10.0.0.1"
#define MODEST   "10.0.0.2"
#define THIRD    "10.0.0.3"
#define NODE     "192.168.0.1"
#define OUTSIDE  "198.51.100.1"
#define ANYWHERE "198.51.100.2"

static struct nf_conntrack *raw; /* of all entries: only the kernel would look at it */

struct scene {
	struct cluster cluster;
	struct cuts cuts;
};

static void start(struct scene *s)
{
	unit_cluster_start(&s->cluster, "n1", true);
	unit_put(&s->cluster, cluster_yaml);
	assert_int_equal(graph_sync(s->cluster.graph), 0);
	cuts_init(&s->cuts, s->cluster.render, s->cluster.graph);
}

static void stop(struct scene *s)
{
	cuts_done(&s->cuts);
	unit_cluster_stop(&s->cluster);
}

static struct conntrack_entry entry_of(const char *from, const char *to, uint16_t port)
{
	struct conntrack_entry entry = {
		.proto = IPPROTO_TCP, .from_port = port, .to_port = 80, .raw = raw};

	assert_true(addr_parse(from, &entry.from));
	assert_true(addr_parse(to, &entry.to));
	return entry;
}

/* Through all three stages. */
static int cut(struct cuts *cuts, const struct conntrack_entry *entry)
{
	int rc = cuts_add(cuts, entry);

	if (rc == 0)
		rc = cuts_render(cuts);
	if (rc < 0)
		return rc;
	cuts_committed(cuts);
	cuts_drop_next(cuts);
	return 0;
}

static void cut_many(struct scene *s, const char *from, const char *to, uint16_t first, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct conntrack_entry entry = entry_of(from, to, (uint16_t)(first + i));

		assert_int_equal(cut(&s->cuts, &entry), 0);
	}
}

struct wanted {
	struct addr from, to;
	uint16_t port; /* 0: any */
	size_t n;
};

static int count(void *ctx, const struct render_cut *cut)
{
	struct wanted *wanted = ctx;

	wanted->n += addr_compare(&cut->from, &wanted->from) == 0 &&
		     addr_compare(&cut->to, &wanted->to) == 0 &&
		     (wanted->port == 0 || cut->from_port == wanted->port);
	return 0;
}

/* How many of these the ruleset has. */
static size_t held(const struct scene *s, const char *from, const char *to, uint16_t port)
{
	struct wanted wanted = {.port = port};

	assert_true(addr_parse(from, &wanted.from));
	assert_true(addr_parse(to, &wanted.to));
	assert_int_equal(render_each_cut(render_ruleset(s->cluster.render), count, &wanted), 0);
	return wanted.n;
}

static void who_has_few_keeps_them(void **state)
{
	struct scene s;

	(void)state;
	start(&s);
	cut_many(&s, MODEST, OUTSIDE, 1, 3);
	cut_many(&s, GREEDY, OUTSIDE, 1, CUTS_MAX + 10);
	assert_int_equal(cuts_count(&s.cuts), CUTS_MAX);
	assert_int_equal(held(&s, MODEST, OUTSIDE, 0), 3);
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 0), CUTS_MAX - 3);
	/* Of its own the oldest. */
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 13), 0);
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 14), 1);
	stop(&s);
}

/* Whoever comes late has a share, and takes it from whoever has most. */
static void shares_become_equal(void **state)
{
	struct scene s;

	(void)state;
	start(&s);
	cut_many(&s, GREEDY, OUTSIDE, 1, CUTS_MAX);
	cut_many(&s, MODEST, OUTSIDE, 1, 100);
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 0), CUTS_MAX - 100);
	cut_many(&s, THIRD, OUTSIDE, 1, CUTS_MAX);
	assert_int_equal(held(&s, MODEST, OUTSIDE, 0), 100);
	assert_in_range(held(&s, GREEDY, OUTSIDE, 0), (CUTS_MAX - 100) / 2 - 1,
			(CUTS_MAX - 100) / 2 + 1);
	assert_in_range(held(&s, THIRD, OUTSIDE, 0), (CUTS_MAX - 100) / 2 - 1,
			(CUTS_MAX - 100) / 2 + 1);
	assert_int_equal(cuts_count(&s.cuts), CUTS_MAX);
	stop(&s);
}

/* Whoever opened it: a tenant that has its pods connect to others' does not use up their room. What
 * comes from no pod is the server's. */
static void the_client_counts(void **state)
{
	struct scene s;

	(void)state;
	start(&s);
	cut_many(&s, THIRD, MODEST, 1, 5);
	cut_many(&s, NODE, MODEST, 1, 5);
	cut_many(&s, OUTSIDE, MODEST, 1, 5);
	cut_many(&s, OUTSIDE, ANYWHERE, 1, 5);
	cut_many(&s, GREEDY, MODEST, 1, CUTS_MAX / 2);
	cut_many(&s, OUTSIDE, GREEDY, 1, CUTS_MAX / 2);
	assert_int_equal(held(&s, THIRD, MODEST, 0), 5);
	assert_int_equal(held(&s, NODE, MODEST, 0), 5);
	assert_int_equal(held(&s, OUTSIDE, MODEST, 0), 5);
	assert_int_equal(held(&s, OUTSIDE, ANYWHERE, 0), 5);
	assert_int_equal(held(&s, GREEDY, MODEST, 0), CUTS_MAX / 2 - 20);
	stop(&s);
}

/* One that is cut again is the newest, and of whoever has the address now. */
static void again_is_anew(void **state)
{
	struct conntrack_entry entry;
	struct scene s;

	(void)state;
	start(&s);
	cut_many(&s, GREEDY, OUTSIDE, 1, CUTS_MAX);
	entry = entry_of(GREEDY, OUTSIDE, 1);
	assert_int_equal(cut(&s.cuts, &entry), 0);
	cut_many(&s, GREEDY, OUTSIDE, CUTS_MAX + 1, 1);
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 1), 1);
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 2), 0);
	assert_true(graph_remove(s.cluster.graph, KIND_POD, "greedy", "a") >= 0);
	unit_put(&s.cluster, "apiVersion: v1\nkind: Pod\nmetadata: {name: d, namespace: third}\n"
			     "spec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.0.0.1}\n");
	assert_int_equal(cut(&s.cuts, &entry), 0);
	cut_many(&s, MODEST, OUTSIDE, 1, CUTS_MAX / 4);
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 1), 1);
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 3 + CUTS_MAX / 4 - 1), 0);
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 3 + CUTS_MAX / 4), 1);
	stop(&s);
}

static int every_other(void *ctx, const struct conntrack_entry *entry)
{
	(void)ctx;
	return entry->from_port % 2;
}

/* Room that becomes free is anybody's. */
static void what_is_swept_makes_room(void **state)
{
	struct scene s;

	(void)state;
	start(&s);
	cut_many(&s, GREEDY, OUTSIDE, 1, CUTS_MAX - 100);
	cut_many(&s, MODEST, OUTSIDE, 1, 100);
	assert_int_equal(cuts_sweep(&s.cuts, every_other, NULL), 1);
	assert_int_equal(cuts_count(&s.cuts), CUTS_MAX / 2);
	cut_many(&s, MODEST, OUTSIDE, 1001, CUTS_MAX / 2);
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 0), CUTS_MAX / 2 - 50);
	assert_int_equal(held(&s, MODEST, OUTSIDE, 0), CUTS_MAX / 2 + 50);
	cut_many(&s, THIRD, OUTSIDE, 1, 100);
	assert_int_equal(held(&s, GREEDY, OUTSIDE, 0), CUTS_MAX / 2 - 50);
	assert_int_equal(held(&s, MODEST, OUTSIDE, 0), CUTS_MAX / 2 - 50);
	stop(&s);
}

/* A restart finds the same shares. */
static void the_kernels_are_shared_out_too(void **state)
{
	struct scene s, next;

	(void)state;
	start(&s);
	start(&next);
	cut_many(&s, MODEST, OUTSIDE, 1, 3);
	cut_many(&s, GREEDY, OUTSIDE, 1, CUTS_MAX);
	assert_int_equal(cuts_adopt(&next.cuts, render_ruleset(s.cluster.render)), 0);
	assert_int_equal(cuts_count(&next.cuts), CUTS_MAX);
	cut_many(&next, GREEDY, OUTSIDE, CUTS_MAX + 1, CUTS_MAX);
	assert_int_equal(held(&next, MODEST, OUTSIDE, 0), 3);
	stop(&next);
	stop(&s);
}

static struct conntrack_entry one, other;

static int two_tenants(void)
{
	struct cluster c;
	struct cuts cuts;
	int rc;

	if (!cluster_start(&c, "n1", true))
		return -ENOMEM;
	cuts_init(&cuts, c.render, c.graph);
	rc = cut(&cuts, &one);
	if (rc == 0)
		rc = cut(&cuts, &other);
	if (rc == 0)
		rc = cut(&cuts, &one);
	cuts_done(&cuts);
	cluster_stop(&c);
	return rc;
}

static void every_allocation_fails_once(void **state)
{
	(void)state;
	one = entry_of(GREEDY, OUTSIDE, 1);
	other = entry_of(MODEST, "fd00::1", 2);
	other.from = other.to;
	failing_survives(two_tenants, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_few_keeps_them),
		cmocka_unit_test(shares_become_equal),
		cmocka_unit_test(the_client_counts),
		cmocka_unit_test(again_is_anew),
		cmocka_unit_test(what_is_swept_makes_room),
		cmocka_unit_test(the_kernels_are_shared_out_too),
		cmocka_unit_test(every_allocation_fails_once),
	};

	int failed;

	raw = nfct_new();
	if (!raw)
		return 1;
	failed = cmocka_run_group_tests_name("connections that are cut", tests, NULL, NULL);
	nfct_destroy(raw);
	return failed;
}
