/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/apply.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "nft/features.h"
#include "nft/owner.h"
#include "nft/readback.h"

/* A kernel that refuses more than this one by one refuses something that all of them have. */
#define ISOLATED_MAX 64
/* How often one commit begins anew: each time something refused is isolated, or others were faster.
 */
#define ATTEMPTS_MAX (ISOLATED_MAX + 4)

/* Larger transactions are not listened to while they are sent. */
#define UNWATCHED_BYTES (256u << 10)

/* A daemon that asks while others change tables is not to end for it. */
#define OWNER_TRIES 10

static bool is_passing(int rc)
{
	return rc == -EAGAIN || rc == -EINTR || rc == -ENOBUFS;
}

/* Before the first commit, which may be long in coming: from here on nobody else can flush what an
 * earlier run has left. */
static int own_tables(struct apply *a, struct err *err)
{
	bool supported = false;
	int rc = -EAGAIN;

	for (int i = 0; i < OWNER_TRIES && is_passing(rc); i++)
		rc = nft_owner_supported(&a->kernel, &supported, err);
	if (rc < 0)
		return rc;
	a->cannot_own = !supported;
	render_own_tables(a->render, supported);
	rc = supported ? nft_owner_adopt(&a->kernel, err) : 0;
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0) /* the first commit tries again, and says so */
		log_debug("nft", "%s", err->text);
	return 0;
}

int apply_open(struct apply *a, struct render *render, bool own, struct err *err)
{
	int rc;

	*a = (struct apply){.render = render, .watch = {.fd = -1}};
	rc = nft_kernel_open(&a->kernel, err);
	if (rc < 0)
		return rc;
	if (own)
		rc = own_tables(a, err);
	if (rc == 0)
		rc = nft_kernel_open(&a->reader, err);
	if (rc < 0) {
		nft_kernel_close(&a->kernel);
		return rc;
	}
	rc = nft_watch_open(&a->watch, &a->kernel, err);
	if (rc == 0)
		return 0;
	nft_kernel_close(&a->reader);
	nft_kernel_close(&a->kernel);
	return rc;
}

void apply_close(struct apply *a)
{
	nft_watch_close(&a->watch);
	nft_kernel_close(&a->reader);
	nft_kernel_close(&a->kernel);
	vec_free(&a->refused);
}

void apply_doubt(struct apply *a)
{
	a->known = false;
	a->doubted = true;
}

void apply_retry_refused(struct apply *a)
{
	if (a->refused.n > 0)
		apply_doubt(a);
	a->refused.n = 0;
}

int apply_finds_tables(struct apply *a, bool *ret_found, struct err *err)
{
	struct nft_found found;
	int rc = nft_readback(&a->kernel, &found, err);

	if (rc < 0)
		return rc;
	*ret_found = found.ruleset.in_kernel[NFT_TABLE_POLICY];
	nft_found_done(&found);
	return 0;
}

/* Is a table somebody else's, and whose? Those that nobody owns and that stay so are noted. */
static int check_owners(struct apply *a, const struct nft_found *found, bool anew, bool own,
			struct err *err)
{
	a->not_owned = false;
	for (int t = 0; t < NFT_TABLE_COUNT; t++) {
		if (found->owner[t] && found->owner[t] != a->kernel.portid)
			return nft_owner_error((enum nft_table)t, found->owner[t], err);
		a->not_owned |= own && !anew && found->ruleset.in_kernel[t] && !found->foreign[t] &&
				!found->owner[t] && !found->ruleset.orphan[t];
	}
	return 0;
}

/* From what the kernel really has. `anew`: not in place, that has been refused. */
static int plan_from_kernel(struct apply *a, const struct ruleset *wanted, bool anew,
			    struct nft_plan *plan, struct err *err)
{
	struct nft_found found;
	int rc = nft_readback(&a->kernel, &found, err);

	if (rc < 0)
		return rc;
	a->readbacks++;
	rc = check_owners(a, &found, anew, wanted->own, err);
	if (rc == 0 && found.what[0])
		log_warning("nft", "not ours, in a table of ours: %s: writing the table anew",
			    found.what);
	if (rc == 0 && a->adopt && a->commits == 0)
		rc = a->adopt(a->adopt_ctx, &found.ruleset);
	if (rc == 0 && anew)
		rc = nft_plan_rebuild(plan, found.ruleset.in_kernel, &found.ruleset, wanted);
	else if (rc == 0)
		rc = nft_plan_repair(plan, &found, wanted);
	nft_found_done(&found);
	return rc;
}

static size_t plan_bytes(const struct nft_plan *plan)
{
	size_t bytes = 0;

	for (int part = 0; part < NFT_PLAN_PARTS; part++)
		bytes += plan->parts[part].len;
	return bytes;
}

/* A listener makes large changes many times slower (KERNEL: 110 ms become up to 2 s). */
static int send_plan(struct apply *a, const struct nft_plan *plan, struct err *err)
{
	bool pause =
		plan_bytes(plan) > UNWATCHED_BYTES && nft_watch_pause(&a->watch, &a->kernel) == 0;
	bool missed = false;
	int rc = nft_kernel_apply(&a->kernel, plan, err);

	if (pause && (nft_watch_resume(&a->watch, &a->kernel, &missed) < 0 || missed))
		a->missed = true;
	return rc;
}

enum way { WAY_CHANGES, WAY_REPAIR, WAY_ANEW };

/* One attempt. With parts left out the ruleset is another than render's, and its journal of no use.
 */
static int try_once(struct apply *a, enum way way, bool *ret_changed, struct err *err)
{
	const struct ruleset *wanted = render_ruleset(a->render);
	struct ruleset reduced = {0};
	struct nft_plan plan = {0};
	int rc = 0;

	if (a->refused.n > 0) {
		rc = nft_isolate(wanted, a->refused.v, a->refused.n, &reduced);
		wanted = &reduced;
	}
	if (rc == 0 && way == WAY_CHANGES)
		rc = nft_plan_changes(&plan, wanted);
	else if (rc == 0)
		rc = plan_from_kernel(a, wanted, way == WAY_ANEW, &plan, err);
	*ret_changed = rc == 0 && !nft_plan_empty(&plan);
	if (*ret_changed)
		rc = send_plan(a, &plan, err);
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

static int name_pods(const struct ruleset *wanted, const struct nft_refused *refused, char *to,
		     size_t len)
{
	struct nft_pods pods = {0};
	int rc = nft_refused_pods(wanted, refused, &pods);

	if (rc == 0)
		nft_pods_print(&pods, to, len);
	nft_pods_done(&pods);
	return rc;
}

static int refused_wholly(const struct nft_refusal *first, struct err *err)
{
	bool table = first->message.subject == NFT_SUBJECT_TABLE;

	return err_set(err, -EINVAL, "the kernel refuses %s%s%s: %s",
		       table ? "table " : "the transaction",
		       table ? nft_table_word(first->message.table) : "",
		       table ? " " NFT_TABLE_NAME : "", strerror(-first->code));
}

/* The first refusal is the cause, those behind it may only follow from it. */
static int isolate(struct apply *a, struct err *err)
{
	const struct ruleset *wanted = render_ruleset(a->render);
	const struct nft_refusal *first =
		a->kernel.refusals.n > 0 ? &a->kernel.refusals.v[0] : NULL;
	struct nft_refused refused;
	char whom[300], pods[300];

	if (!first)
		return -EINVAL;
	if (nft_kernel_lacks_family(&a->kernel)) {
		a->no_bridge_family = true;
		return render_without_bridges(a->render);
	}
	if (first->message.subject == NFT_SUBJECT_BATCH ||
	    first->message.subject == NFT_SUBJECT_TABLE)
		return refused_wholly(first, err);
	memset(&refused, 0, sizeof(refused));
	refused.table = first->message.table;
	refused.set = first->message.subject == NFT_SUBJECT_SET;
	memcpy(refused.name, first->message.name, sizeof(refused.name));
	nft_refused_describe(wanted, &refused, whom, sizeof(whom));
	if (name_pods(wanted, &refused, pods, sizeof(pods)) < 0)
		return -ENOMEM;
	if (!nft_refused_can_be_left_out(wanted, &refused) || already_refused(a, &refused) ||
	    a->refused.n >= ISOLATED_MAX)
		return err_set(err, -EINVAL, "the kernel refuses %s %s (%.100s): %s%s%.200s",
			       refused.set ? "set" : "chain", refused.name, whom,
			       strerror(-first->code), pods[0] ? ", for pods " : "", pods);
	if (vec_push(&a->refused, refused) < 0)
		return -ENOMEM;
	a->refusals++;
	log_err("nft", "the kernel refuses %s %s (%s): %s: %s, for pods %s; all else is enforced",
		refused.set ? "set" : "chain", refused.name, whom, strerror(-first->code),
		"what it would allow is closed", pods[0] ? pods : "that are not here");
	return 0;
}

/* A refusal of a change may come from a wrong picture: the kernel is read next. Of a repair it is
 * the fault of a part, which is left out from then on; or of something in our tables that nobody
 * thought of, which a table made anew is rid of. */
static int attempt_all(struct apply *a, bool *ret_changed, struct err *err)
{
	enum way way = a->known && a->refused.n == 0 ? WAY_CHANGES : WAY_REPAIR;

	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		int rc = try_once(a, way, ret_changed, err);

		if (rc == 0) {
			render_committed(a->render);
			a->known = a->refused.n == 0 && !a->missed && !a->doubted;
			return 0;
		}
		a->known = false;
		if (rc != -EINVAL)
			return rc;
		if (way == WAY_CHANGES)
			way = WAY_REPAIR;
		else if (isolate(a, err) < 0 && way == WAY_REPAIR)
			way = WAY_ANEW;
		else if (way == WAY_ANEW)
			return rc;
	}
	return err_set(err, -EAGAIN, "our tables change faster than they can be written");
}

/* Whoever has mended a policy does not wait for a SIGHUP. */
static void retry_changed(struct apply *a)
{
	const struct ruleset *wanted = render_ruleset(a->render);

	for (size_t i = 0; i < a->refused.n;) {
		if (nft_refused_has_changed(wanted, &a->refused.v[i]))
			vec_remove_swap(&a->refused, i);
		else
			i++;
	}
}

/* Something has been refused: does the kernel lack what it takes? */
static void find_missing(struct apply *a, int rc, bool refused, struct err *err)
{
	struct err none = {0};

	if (rc == 0 && a->refused.n == 0)
		a->missing = 0;
	if (refused)
		nft_features_explain(&a->kernel, &a->missing, rc < 0 ? err : &none);
}

int apply_commit(struct apply *a, bool *ret_changed, struct err *err)
{
	int64_t began_us = clock_monotonic_us();
	uint64_t refusals = a->refusals;
	int rc;

	a->missed = a->doubted = false;
	retry_changed(a);
	rc = attempt_all(a, ret_changed, err);
	find_missing(a, rc, rc == -EINVAL || a->refusals > refusals, err);

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
	a->last_us = (uint64_t)(clock_monotonic_us() - began_us);
	histogram_observe(&a->durations, a->last_us);
	if (a->last_us > a->longest_us)
		a->longest_us = a->last_us;
	a->committed_ms = clock_realtime_ms();
	return 0;
}
