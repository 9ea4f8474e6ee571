/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/plan.h"

#include <errno.h>
#include <string.h>

#include "base/task.h"
#include "keys.h"
#include "nft/encode.h"
#include "remade.h"

/* Messages of the whole plan are numbered through, whatever part they are in. */
static struct nft_batch *part(struct nft_plan *plan, enum nft_plan_part which)
{
	plan->parts[which].seq = plan->seq;
	return &plan->parts[which];
}

static int done(struct nft_plan *plan, enum nft_plan_part which, int rc)
{
	plan->seq = plan->parts[which].seq;
	return rc;
}

#define BUILD(plan, which, function, ...) \
	done(plan, which, function(part(plan, which), __VA_ARGS__))

static int plan_rules(struct nft_plan *plan, enum nft_plan_part which, enum nft_table table,
		      const struct nft_chain *chain)
{
	int rc = 0;

	for (size_t i = 0; i < chain->rules.n && rc == 0; i++)
		rc = BUILD(plan, which, nft_build_rule, table, chain->name, &chain->rules.v[i]);
	task_yield();
	return rc;
}

/* A base chain is live at once: chain and rules belong to the change. */
static int plan_new_chain(struct nft_plan *plan, const struct remade *remade, enum nft_table table,
			  const struct nft_chain *chain)
{
	bool base = chain->hook != NFT_HOOK_NONE;
	bool waits = base || chain_refers(remade, table, chain);
	int rc = BUILD(plan, base ? NFT_PLAN_REMAKE : NFT_PLAN_NEW_CHAINS, nft_build_chain, table,
		       chain);

	return rc == 0 ? plan_rules(plan, waits ? NFT_PLAN_RULES : NFT_PLAN_NEW_RULES, table, chain)
		       : rc;
}

static int plan_flush(struct nft_plan *plan, enum nft_plan_part which, enum nft_table table,
		      const struct nft_chain *chain)
{
	if (chain->rules.n == 0)
		return 0;
	return BUILD(plan, which, nft_build_rules_flush, table, chain->name);
}

static int plan_dropped_chain(struct nft_plan *plan, const struct remade *remade,
			      enum nft_table table, const struct nft_chain *chain)
{
	/* A base chain is in use as long as it has rules. */
	bool soon = chain->hook != NFT_HOOK_NONE || chain_refers(remade, table, chain);
	int rc = plan_flush(plan, soon ? NFT_PLAN_FLUSH_CHAINS : NFT_PLAN_FLUSH, table, chain);

	return rc == 0 ? BUILD(plan, NFT_PLAN_DROP_CHAINS, nft_build_chain_delete, table,
			       chain->name)
		       : rc;
}

static int plan_changed_chain(struct nft_plan *plan, const struct remade *remade,
			      enum nft_table table, const struct nft_chain *old,
			      const struct nft_chain *new)
{
	bool same_head = nft_chain_same_head(old, new);
	bool same_rules =
		same_head && nft_chain_same_rules(old, new) && !chain_refers(remade, table, old);
	int rc = 0;

	if (!same_rules)
		rc = plan_flush(plan, NFT_PLAN_FLUSH_CHAINS, table, old);
	if (rc == 0 && !same_head)
		rc = BUILD(plan, NFT_PLAN_REMAKE, nft_build_chain_delete, table, old->name);
	if (rc == 0 && (!same_head || old->policy_drop != new->policy_drop))
		rc = BUILD(plan, NFT_PLAN_REMAKE, nft_build_chain, table, new);
	return rc == 0 && !same_rules ? plan_rules(plan, NFT_PLAN_RULES, table, new) : rc;
}

static int plan_chain(struct nft_plan *plan, const struct remade *remade, enum nft_table table,
		      const struct nft_chain *old, const struct nft_chain *new)
{
	if (old && new)
		return plan_changed_chain(plan, remade, table, old, new);
	if (new)
		return plan_new_chain(plan, remade, table, new);
	return old ? plan_dropped_chain(plan, remade, table, old) : 0;
}

/* Elements that come and go. */
struct changes {
	VEC(const struct nft_elem *) added, dropped;
};

static void changes_done(struct changes *changes)
{
	vec_free(&changes->added);
	vec_free(&changes->dropped);
}

static const struct nft_elem *find(const struct nft_set *set, const struct nft_key *key)
{
	const struct nft_elem *elem;

	HASH_FIND(hh, set->elems, key, sizeof(*key), elem);
	return elem;
}

/* Replacing an element is dropping and adding it; so is what its chain is remade for. */
static int compare_elem(struct changes *changes, const struct remade *remade,
			const struct nft_set *set, const struct nft_elem *old,
			const struct nft_elem *new)
{
	task_step();
	if (old && new &&nft_extra_same(set, old->extra, new->extra) &&
	    !elem_refers(remade, set, old->extra))
		return 0;
	if (old && vec_push(&changes->dropped, old) < 0)
		return -ENOMEM;
	return new ? vec_push(&changes->added, new) : 0;
}

static int sorted_elems(const struct nft_set *set, struct changes *changes)
{
	const struct nft_elem **sorted = nft_set_sorted(set);
	size_t n = HASH_COUNT(set->elems);
	int rc = n > 0 && !sorted ? -ENOMEM : 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = vec_push(&changes->added, sorted[i]);
	free(sorted);
	return rc;
}

/* Only intervals need an order. */
static int all_elems(const struct nft_set *set, struct changes *changes)
{
	int rc = 0;

	if (set->interval)
		return sorted_elems(set, changes);
	for (const struct nft_elem *elem = set->elems; elem && rc == 0; elem = elem->hh.next) {
		rc = vec_push(&changes->added, elem);
		task_step();
	}
	return rc;
}

static int plan_all_elems(struct nft_plan *plan, enum nft_plan_part which,
			  const struct nft_set *set)
{
	struct changes changes = {0};
	int rc = all_elems(set, &changes);

	if (rc == 0 && changes.added.n > 0)
		rc = BUILD(plan, which, nft_build_elems, set, changes.added.v, changes.added.n,
			   true);
	changes_done(&changes);
	return rc;
}

/* Intervals of a tree cannot be told apart once they have ends: the set is emptied and filled. */
static int plan_refilled_set(struct nft_plan *plan, const struct nft_set *set)
{
	int rc = BUILD(plan, NFT_PLAN_DROP_ELEMS, nft_build_elems_flush, set);

	return rc == 0 ? plan_all_elems(plan, NFT_PLAN_ELEMS, set) : rc;
}

static int plan_elems(struct nft_plan *plan, const struct nft_set *set,
		      const struct changes *changes)
{
	enum nft_plan_part drop = set->map ? NFT_PLAN_DROP_MAP_ELEMS : NFT_PLAN_DROP_ELEMS;
	enum nft_plan_part add = set->map ? NFT_PLAN_MAP_ELEMS : NFT_PLAN_ELEMS;
	int rc = 0;

	if (changes->dropped.n + changes->added.n > 0 && set->interval &&
	    nft_key_fields(set->type, NULL) == 1)
		return plan_refilled_set(plan, set);
	if (changes->dropped.n > 0)
		rc = BUILD(plan, drop, nft_build_elems, set, changes->dropped.v, changes->dropped.n,
			   false);
	if (rc == 0 && changes->added.n > 0)
		rc = BUILD(plan, add, nft_build_elems, set, changes->added.v, changes->added.n,
			   true);
	return rc;
}

static int plan_new_set(struct nft_plan *plan, const struct remade *remade,
			const struct nft_set *set)
{
	enum nft_plan_part elems = NFT_PLAN_NEW_ELEMS;
	int rc = BUILD(plan, NFT_PLAN_NEW_SETS, nft_build_set, set);

	if (set->map)
		elems = set_refers(remade, set) ? NFT_PLAN_MAP_ELEMS : NFT_PLAN_NEW_MAP_ELEMS;
	return rc == 0 ? plan_all_elems(plan, elems, set) : rc;
}

static int plan_dropped_set(struct nft_plan *plan, const struct remade *remade,
			    const struct nft_set *set)
{
	int rc = 0;

	if (set_refers(remade, set))
		rc = BUILD(plan, NFT_PLAN_DROP_MAP_ELEMS, nft_build_elems_flush, set);
	return rc == 0 ? BUILD(plan, NFT_PLAN_DROP_SETS, nft_build_set_delete, set) : rc;
}

static int plan_remade_set(struct nft_plan *plan, const struct nft_set *old,
			   const struct nft_set *set)
{
	int rc = BUILD(plan, NFT_PLAN_REMAKE, nft_build_set_delete, old);

	if (rc == 0)
		rc = BUILD(plan, NFT_PLAN_REMAKE, nft_build_set, set);
	return rc == 0 ? plan_all_elems(plan, set->map ? NFT_PLAN_MAP_ELEMS : NFT_PLAN_ELEMS, set)
		       : rc;
}

static int plan_changed_set(struct nft_plan *plan, const struct remade *remade,
			    const struct nft_set *old, const struct nft_set *new)
{
	struct changes changes = {0};
	int rc = 0;

	for (const struct nft_elem *elem = old->elems; elem && rc == 0; elem = elem->hh.next)
		rc = compare_elem(&changes, remade, new, elem, find(new, &elem->key));
	for (const struct nft_elem *elem = new->elems; elem &&rc == 0; elem = elem->hh.next) {
		task_step();
		if (!find(old, &elem->key))
			rc = vec_push(&changes.added, elem);
	}
	if (rc == 0)
		rc = plan_elems(plan, new, &changes);
	changes_done(&changes);
	return rc;
}

static int plan_set(struct nft_plan *plan, const struct remade *remade, const struct nft_set *old,
		    const struct nft_set *new)
{
	if (old && new)
		return nft_set_same_head(old, new) ? plan_changed_set(plan, remade, old, new)
						   : plan_remade_set(plan, old, new);
	if (new)
		return plan_new_set(plan, remade, new);
	return old ? plan_dropped_set(plan, remade, old) : 0;
}

/* Not even both as nothing: the bridge table is made with its first chain. */
static int plan_tables(struct nft_plan *plan, const struct ruleset *from, const struct ruleset *to)
{
	int rc = 0;

	for (int table = 0; table < NFT_TABLE_COUNT && rc == 0; table++) {
		bool wanted = table == NFT_TABLE_POLICY || to->chains[table];

		/* An orphan becomes ours with the first transaction (nf_tables_updtable() of
		 * nf_tables_api.c); a table without flags stays as it is. */
		if (wanted && (!from->in_kernel[table] || (to->own && from->orphan[table])))
			rc = BUILD(plan, NFT_PLAN_TABLES, nft_build_table, (enum nft_table)table,
				   to->own);
	}
	return rc;
}

/* Two rulesets, side by side. Tables that are `gone` from the old one have nothing any more. */

static struct nft_set *find_old_set(const struct ruleset *old, const bool gone[NFT_TABLE_COUNT],
				    const char *name)
{
	struct nft_set *set = ruleset_set(old, name);

	return set && !gone[set->table] ? set : NULL;
}

static int note_remade(struct remade *remade, const struct ruleset *old,
		       const bool gone[NFT_TABLE_COUNT], const struct ruleset *new)
{
	int rc = 0;

	for (int t = 0; t < NFT_TABLE_COUNT; t++) {
		for (const struct nft_chain *chain = new->chains[t]; chain &&rc == 0;
		     chain = chain->hh.next)
			rc = remade_chain(remade, (enum nft_table)t,
					  ruleset_chain(old, (enum nft_table)t, chain->name),
					  chain);
	}
	for (const struct nft_set *set = new->sets; set &&rc == 0; set = set->hh.next)
		rc = remade_set(remade, find_old_set(old, gone, set->name), set);
	return rc;
}

static int compare_sets(struct nft_plan *plan, const struct remade *remade,
			const struct ruleset *old, const bool gone[NFT_TABLE_COUNT],
			const struct ruleset *new)
{
	int rc = 0;

	for (const struct nft_set *set = new->sets; set &&rc == 0; set = set->hh.next)
		rc = plan_set(plan, remade, find_old_set(old, gone, set->name), set);
	for (const struct nft_set *set = old->sets; set && rc == 0; set = set->hh.next) {
		if (!gone[set->table] && !ruleset_set(new, set->name))
			rc = plan_set(plan, remade, set, NULL);
	}
	return rc;
}

static int compare_chains(struct nft_plan *plan, const struct remade *remade, enum nft_table table,
			  const struct ruleset *old, const struct ruleset *new)
{
	int rc = 0;

	for (const struct nft_chain *chain = new->chains[table]; chain &&rc == 0;
	     chain = chain->hh.next)
		rc = plan_chain(plan, remade, table, ruleset_chain(old, table, chain->name), chain);
	for (const struct nft_chain *chain = old->chains[table]; chain && rc == 0;
	     chain = chain->hh.next) {
		if (!ruleset_chain(new, table, chain->name))
			rc = plan_chain(plan, remade, table, chain, NULL);
	}
	return rc;
}

static int plan_full(struct nft_plan *plan, const struct ruleset *old,
		     const bool gone[NFT_TABLE_COUNT], const struct ruleset *new)
{
	struct remade remade = {0};
	int rc = note_remade(&remade, old, gone, new);

	if (rc == 0)
		rc = plan_tables(plan, old, new);
	/* Sets first: a map that is remade lets go of chains that are. */
	if (rc == 0)
		rc = compare_sets(plan, &remade, old, gone, new);
	for (int table = 0; table < NFT_TABLE_COUNT && rc == 0; table++)
		rc = compare_chains(plan, &remade, (enum nft_table)table, old, new);
	remade_done(&remade);
	return rc;
}

int nft_plan_full(struct nft_plan *plan, const struct ruleset *old, const struct ruleset *new)
{
	static const bool gone[NFT_TABLE_COUNT];

	return plan_full(plan, old, gone, new);
}

int nft_plan_rebuild(struct nft_plan *plan, const bool rotten[NFT_TABLE_COUNT],
		     const struct ruleset *old, const struct ruleset *new)
{
	struct ruleset kept = *old; /* to be looked at */
	int rc = 0;

	plan->whole = true;
	for (int table = 0; table < NFT_TABLE_COUNT && rc == 0; table++) {
		if (!rotten[table] || !old->in_kernel[table])
			continue;
		rc = BUILD(plan, NFT_PLAN_TABLES, nft_build_table_delete, (enum nft_table)table);
		kept.chains[table] = NULL;
		kept.in_kernel[table] = kept.orphan[table] = false;
	}
	return rc == 0 ? plan_full(plan, &kept, rotten, new) : rc;
}

/* One ruleset, and its journal. */

static int note_remade_since(struct remade *remade, const struct ruleset *ruleset)
{
	int rc = 0;

	for (int t = 0; t < NFT_TABLE_COUNT; t++) {
		for (const struct nft_chain_before *before = ruleset->chains_before[t];
		     before && rc == 0; before = before->hh.next)
			rc = remade_chain(remade, before->table, before->chain,
					  ruleset_chain(ruleset, before->table, before->name));
	}
	for (const struct nft_set_before *before = ruleset->sets_before; before && rc == 0;
	     before = before->hh.next)
		rc = remade_set(remade, before->set, ruleset_set(ruleset, before->name));
	return rc;
}

static const struct nft_elem_before *find_before(const struct nft_set *set,
						 const struct nft_key *key)
{
	const struct nft_elem_before *before;

	HASH_FIND(hh, set->before, key, sizeof(*key), before);
	return before;
}

/* The elements of a set in the kernel that have changed, or that lead to a chain that is remade. */
static int plan_touched_set(struct nft_plan *plan, const struct remade *remade,
			    const struct nft_set *set)
{
	size_t n = HASH_COUNT(set->before), used = 0;
	struct nft_elem *old = calloc(n + 1, sizeof(old[0]));
	struct changes changes = {0};
	int rc = old ? 0 : -ENOMEM;

	for (const struct nft_elem_before *before = set->before; before && rc == 0;
	     before = before->hh.next) {
		old[used].key = before->key;
		old[used].extra = before->extra;
		rc = compare_elem(&changes, remade, set, before->present ? &old[used] : NULL,
				  find(set, &before->key));
		used++;
	}
	if (set_refers(remade, set)) {
		for (const struct nft_elem *elem = set->elems; elem && rc == 0;
		     elem = elem->hh.next) {
			if (!find_before(set, &elem->key))
				rc = compare_elem(&changes, remade, set, elem, elem);
		}
	}
	if (rc == 0)
		rc = plan_elems(plan, set, &changes);
	changes_done(&changes);
	free(old);
	return rc;
}

/* What has not changed but refers to what is remade. */
static int plan_untouched(struct nft_plan *plan, const struct remade *remade,
			  const struct ruleset *ruleset)
{
	int rc = 0;

	for (const struct nft_set *set = ruleset->sets; set && rc == 0; set = set->hh.next) {
		if (set->journal && !set->before)
			rc = plan_touched_set(plan, remade, set);
	}
	for (int t = 0; t < NFT_TABLE_COUNT; t++) {
		for (const struct nft_chain *chain = ruleset->chains[t]; chain && rc == 0;
		     chain = chain->hh.next) {
			const struct nft_chain_before *before;

			HASH_FIND_STR(ruleset->chains_before[t], chain->name, before);
			if (!before)
				rc = plan_chain(plan, remade, (enum nft_table)t, chain, chain);
		}
	}
	return rc;
}

static int plan_journal(struct nft_plan *plan, const struct remade *remade,
			const struct ruleset *ruleset)
{
	int rc = 0;

	for (const struct nft_set_before *before = ruleset->sets_before; before && rc == 0;
	     before = before->hh.next)
		rc = plan_set(plan, remade, before->set, ruleset_set(ruleset, before->name));
	for (const struct nft_set *set = ruleset->touched; set && rc == 0; set = set->next_touched)
		rc = plan_touched_set(plan, remade, set);
	for (int t = 0; t < NFT_TABLE_COUNT && rc == 0; t++) {
		for (const struct nft_chain_before *before = ruleset->chains_before[t];
		     before && rc == 0; before = before->hh.next)
			rc = plan_chain(plan, remade, before->table, before->chain,
					ruleset_chain(ruleset, before->table, before->name));
	}
	return rc;
}

int nft_plan_changes(struct nft_plan *plan, const struct ruleset *ruleset)
{
	struct remade remade = {0};
	int rc = note_remade_since(&remade, ruleset);

	if (rc == 0)
		rc = plan_tables(plan, ruleset, ruleset);
	if (rc == 0)
		rc = plan_journal(plan, &remade, ruleset);
	if (rc == 0 && remade_any(&remade))
		rc = plan_untouched(plan, &remade, ruleset);
	remade_done(&remade);
	return rc;
}

bool nft_plan_empty(const struct nft_plan *plan)
{
	for (int i = 0; i < NFT_PLAN_PARTS; i++) {
		if (plan->parts[i].len > 0)
			return false;
	}
	return true;
}

void nft_plan_done(struct nft_plan *plan)
{
	for (int i = 0; i < NFT_PLAN_PARTS; i++)
		nft_batch_done(&plan->parts[i]);
}
