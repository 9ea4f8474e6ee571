/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/apply.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "nft/readback.h"

/* A kernel that refuses more than this one by one refuses something that all of them have. */
#define ISOLATED_MAX 64
/* How often one commit begins anew: each time something refused is isolated, or others were faster.
 */
#define ATTEMPTS_MAX (ISOLATED_MAX + 4)

static int64_t clock_us(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now); /* both clocks exist */
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int apply_open(struct apply *a, struct render *render, struct err *err)
{
	*a = (struct apply){.render = render};
	return nft_kernel_open(&a->kernel, err);
}

void apply_close(struct apply *a)
{
	nft_kernel_close(&a->kernel);
	vec_free(&a->refused);
}

void apply_doubt(struct apply *a)
{
	a->known = false;
}

void apply_retry_refused(struct apply *a)
{
	if (a->refused.n > 0)
		a->known = false;
	a->refused.n = 0;
}

/* From what the kernel really has. */
static int plan_from_kernel(struct apply *a, const struct ruleset *wanted, struct nft_plan *plan,
			    struct err *err)
{
	struct nft_found found;
	int rc = nft_readback(&a->kernel, &found, err);

	if (rc < 0)
		return rc;
	a->readbacks++;
	if (found.foreign)
		log_warning("nft", "%s in our tables is not ours: writing both tables anew",
			    found.what);
	rc = nft_plan_repair(plan, &found, wanted);
	nft_found_done(&found);
	return rc;
}

/* One attempt. With parts left out the ruleset is another than render's, and its journal of no use.
 */
static int try_once(struct apply *a, bool *ret_changed, struct err *err)
{
	const struct ruleset *wanted = render_ruleset(a->render);
	struct ruleset reduced = {0};
	struct nft_plan plan = {0};
	int rc = 0;

	if (a->refused.n > 0) {
		rc = nft_isolate(wanted, a->refused.v, a->refused.n, &reduced);
		if (rc == 0)
			rc = plan_from_kernel(a, &reduced, &plan, err);
	} else if (a->known) {
		rc = nft_plan_changes(&plan, wanted);
	} else {
		rc = plan_from_kernel(a, wanted, &plan, err);
	}
	*ret_changed = rc == 0 && !nft_plan_empty(&plan);
	if (*ret_changed)
		rc = nft_kernel_apply(&a->kernel, &plan, err);
	nft_plan_done(&plan);
	ruleset_done(&reduced);
	return rc;
}

static bool already_refused(const struct apply *a, const struct nft_refused *refused)
{
	for (size_t i = 0; i < a->refused.n; i++) {
		if (memcmp(&a->refused.v[i], refused, sizeof(*refused)) == 0)
			return true;
	}
	return false;
}

/* The first refusal is the cause, those behind it may only follow from it. */
static int isolate(struct apply *a, struct err *err)
{
	const struct ruleset *wanted = render_ruleset(a->render);
	const struct nft_refusal *first =
		a->kernel.refusals.n > 0 ? &a->kernel.refusals.v[0] : NULL;
	struct nft_refused refused;
	char whom[300];

	if (!first)
		return -EINVAL;
	memset(&refused, 0, sizeof(refused));
	refused.table = first->message.table;
	refused.set = first->message.subject == NFT_SUBJECT_SET;
	memcpy(refused.name, first->message.name, sizeof(refused.name));
	if (first->message.subject == NFT_SUBJECT_BATCH ||
	    first->message.subject == NFT_SUBJECT_TABLE ||
	    !nft_refused_can_be_left_out(wanted, &refused) || already_refused(a, &refused) ||
	    a->refused.n >= ISOLATED_MAX)
		return err_set(err, -EINVAL, "the kernel refuses %s %s: %s",
			       refused.set ? "set" : "chain", refused.name, strerror(-first->code));
	if (vec_push(&a->refused, refused) < 0)
		return -ENOMEM;
	a->refusals++;
	nft_refused_describe(wanted, &refused, whom, sizeof(whom));
	log_err("nft", "the kernel refuses %s %s (%s): %s: %s; all else is enforced",
		refused.set ? "set" : "chain", refused.name, whom, strerror(-first->code),
		refused.table == NFT_TABLE_GUARD ? "this device is not guarded"
						 : "what it would allow is closed");
	return 0;
}

static int attempt_all(struct apply *a, bool *ret_changed, struct err *err)
{
	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		bool known = a->known && a->refused.n == 0;
		int rc = try_once(a, ret_changed, err);

		if (rc == 0) {
			render_committed(a->render);
			a->known = a->refused.n == 0;
			return 0;
		}
		a->known = false;
		/* Refused against a picture that may have been wrong: look first. */
		if (rc == -EINVAL && !known)
			rc = isolate(a, err);
		else if (rc == -EINVAL)
			rc = 0;
		if (rc < 0)
			return rc;
	}
	return err_set(err, -EAGAIN, "our tables change faster than they can be written");
}

int apply_commit(struct apply *a, bool *ret_changed, struct err *err)
{
	int64_t began_us = clock_us(CLOCK_MONOTONIC);
	int rc = attempt_all(a, ret_changed, err);

	if (rc < 0) {
		a->failures++;
		(void)snprintf(a->problem, sizeof(a->problem), "%s",
			       rc == -ENOMEM ? "out of memory" : err->text);
		return rc;
	}
	a->problem[0] = '\0';
	if (!*ret_changed)
		return 0;
	a->commits++;
	a->last_us = (uint64_t)(clock_us(CLOCK_MONOTONIC) - began_us);
	if (a->last_us > a->longest_us)
		a->longest_us = a->last_us;
	a->committed_ms = clock_us(CLOCK_REALTIME) / 1000;
	return 0;
}
