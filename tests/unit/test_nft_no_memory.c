/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every allocation fails once, see failing.h: from two rulesets to messages, and with a real
 * nf_tables in a namespace of its own from the kernel's listing to the commit. A plan is whole or
 * there is none; the kernel has the ruleset from before or the new one, never a part. */
#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "failing.h"
#include "nft/kernel.h"
#include "nft/owner.h"
#include "nft/plan.h"
#include "nft/readback.h"
#include "sample.h"

/* What is installed, and what is to come. */
static struct ruleset before, after;
static size_t expected; /* bytes of the whole plan */

static size_t plan_bytes(const struct nft_plan *plan)
{
	size_t bytes = 0;

	for (int part = 0; part < NFT_PLAN_PARTS; part++)
		bytes += plan->parts[part].len;
	return bytes;
}

static int finish(struct nft_plan *plan, int rc)
{
	if (rc == 0 && expected > 0 && plan_bytes(plan) != expected)
		rc = -EIO; /* something is missing, and nobody was told */
	nft_plan_done(plan);
	return rc;
}

static int plan_full(void)
{
	struct nft_plan plan = {0};

	return finish(&plan, nft_plan_full(&plan, &before, &after));
}

static int plan_rebuild(void)
{
	static const bool rotten[NFT_TABLE_COUNT] = {true};
	struct nft_plan plan = {0};

	return finish(&plan, nft_plan_rebuild(&plan, rotten, &before, &after));
}

static void expect(int (*build)(struct nft_plan *plan))
{
	struct nft_plan plan = {0};

	assert_int_equal(build(&plan), 0);
	expected = plan_bytes(&plan);
	assert_true(expected > 1000);
	nft_plan_done(&plan);
}

static int build_full(struct nft_plan *plan)
{
	return nft_plan_full(plan, &before, &after);
}

static int build_rebuild(struct nft_plan *plan)
{
	static const bool rotten[NFT_TABLE_COUNT] = {true};

	return nft_plan_rebuild(plan, rotten, &before, &after);
}

static void plans_survive(void **state)
{
	(void)state;
	expect(build_full);
	failing_survives(plan_full, NULL);
	expect(build_rebuild);
	failing_survives(plan_rebuild, NULL);
}

/* With a kernel. */

static int bring(const struct ruleset *to)
{
	struct nft_found found = {0};
	struct nft_plan plan = {0};
	struct nft_kernel kernel;
	struct err err = {0};
	int rc = nft_kernel_open(&kernel, &err);

	if (rc < 0)
		return rc;
	rc = nft_readback(&kernel, &found, &err);
	if (rc == 0) {
		rc = nft_plan_repair(&plan, &found, to);
		if (rc == 0)
			rc = nft_kernel_apply(&kernel, &plan, &err);
		nft_found_done(&found);
	}
	nft_plan_done(&plan);
	nft_kernel_close(&kernel);
	return rc;
}

static int commit(void)
{
	return bring(&after);
}

/* Does the kernel have this, and nothing else? */
static bool has(const struct ruleset *ruleset)
{
	struct nft_found found = {0};
	struct nft_plan plan = {0};
	struct nft_kernel kernel;
	struct err err = {0};
	bool same = false;

	if (nft_kernel_open(&kernel, &err) < 0)
		return false;
	if (nft_readback(&kernel, &found, &err) == 0) {
		same = nft_plan_repair(&plan, &found, ruleset) == 0 && nft_plan_empty(&plan);
		nft_found_done(&found);
	}
	nft_plan_done(&plan);
	nft_kernel_close(&kernel);
	return same;
}

/* And back to where it began. */
static int is_one_or_the_other(int rc)
{
	if (!has(rc == 0 ? &after : &before))
		return -EIO;
	return bring(&before);
}

static void commits_survive(void **state)
{
	(void)state;
	assert_int_equal(bring(&before), 0);
	assert_true(has(&before));
	failing_survives(commit, is_one_or_the_other);
	assert_true(has(&before));
}

/* Whose the tables are, and that they are ours. */
static int own(void)
{
	struct nft_kernel kernel;
	struct err err = {0};
	bool supported = false;
	int rc = nft_kernel_open(&kernel, &err);

	if (rc < 0)
		return rc;
	rc = nft_owner_supported(&kernel, &supported, &err);
	if (rc == 0 && supported)
		rc = nft_owner_adopt(&kernel, &err);
	if (rc == 0)
		rc = nft_owner_check(&kernel, &err);
	nft_kernel_close(&kernel);
	return rc;
}

static int is_as_before(int rc)
{
	(void)rc;
	return has(&before) ? 0 : -EIO;
}

static void owners_survive(void **state)
{
	(void)state;
	before.own = true;
	assert_int_equal(bring(&before), 0);
	before.own = false; /* who owns it is no part of what has() compares */
	failing_survives(own, is_as_before);
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		(void)close(fd);
	return written;
}

/* A network of its own, with devices for the guards of the samples; as root of a user namespace
 * where that is needed. */
static bool enter_namespace(void)
{
	struct nft_kernel kernel;
	struct err err = {0};
	char map[64];

	(void)snprintf(map, sizeof(map), "0 %d 1", (int)geteuid());
	if (unshare(CLONE_NEWNET) < 0 &&
	    (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || !write_text("/proc/self/uid_map", map)))
		return false;
	if (nft_kernel_open(&kernel, &err) < 0)
		return false;
	nft_kernel_close(&kernel);
	return true;
}

static int make_rulesets(void **state)
{
	(void)state;
	sample_random(3, &before);
	sample_random(4, &after);
	return 0;
}

static int drop_rulesets(void **state)
{
	(void)state;
	ruleset_done(&before);
	ruleset_done(&after);
	return 0;
}

int main(void)
{
	const struct CMUnitTest plans[] = {cmocka_unit_test(plans_survive)};
	const struct CMUnitTest commits[] = {cmocka_unit_test(owners_survive),
					     cmocka_unit_test(commits_survive)};
	const char *only = getenv("NETPOLD_ONLY");
	int failed;

	if (only)
		cmocka_set_test_filter(only);
	failed = cmocka_run_group_tests_name("no memory: plans", plans, make_rulesets,
					     drop_rulesets);
	if (enter_namespace())
		return failed + cmocka_run_group_tests_name("no memory: commits", commits,
							    make_rulesets, drop_rulesets);
	print_message("no network namespace with nf_tables: commits are left out\n");
	return failed;
}
