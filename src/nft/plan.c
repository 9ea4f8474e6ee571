/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/plan.h"

#include <errno.h>
#include <string.h>

#include "keys.h"
#include "nft/encode.h"

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
	return rc;
}

/* A base chain is live at once: chain and rules belong to the change. */
static int plan_new_chain(struct nft_plan *plan, enum nft_table table,
			  const struct nft_chain *chain)
{
	bool base = chain->hook != NFT_HOOK_NONE;
	enum nft_plan_part head = base ? NFT_PLAN_CHAINS : NFT_PLAN_NEW_CHAINS;
	enum nft_plan_part rules = base ? NFT_PLAN_CHAINS : NFT_PLAN_NEW_RULES;
	int rc = BUILD(plan, head, nft_build_chain, table, chain);

	return rc == 0 ? plan_rules(plan, rules, table, chain) : rc;
}

static int plan_dropped_chain(struct nft_plan *plan, enum nft_table table,
			      const struct nft_chain *chain)
{
	int rc = 0;

	if (chain->rules.n > 0)
		rc = BUILD(plan, NFT_PLAN_FLUSH, nft_build_rules_flush, table, chain->name);
	return rc == 0 ? BUILD(plan, NFT_PLAN_DROP_CHAINS, nft_build_chain_delete, table,
			       chain->name)
		       : rc;
}

/* A chain's comment cannot be changed: it is remade under its name, within the transaction. */
static int plan_changed_chain(struct nft_plan *plan, enum nft_table table,
			      const struct nft_chain *old, const struct nft_chain *new)
{
	bool same_head = nft_chain_same_head(old, new);
	int rc = 0;

	if (same_head && nft_chain_same_rules(old, new))
		return 0;
	if (old->rules.n > 0)
		rc = BUILD(plan, NFT_PLAN_CHAINS, nft_build_rules_flush, table, old->name);
	if (rc == 0 && !same_head)
		rc = BUILD(plan, NFT_PLAN_CHAINS, nft_build_chain_delete, table, old->name);
	if (rc == 0 && !same_head)
		rc = BUILD(plan, NFT_PLAN_CHAINS, nft_build_chain, table, new);
	return rc == 0 ? plan_rules(plan, NFT_PLAN_CHAINS, table, new) : rc;
}

static int plan_chain(struct nft_plan *plan, enum nft_table table, const struct nft_chain *old,
		      const struct nft_chain *new)
{
	if (old && new)
		return plan_changed_chain(plan, table, old, new);
	if (new)
		return plan_new_chain(plan, table, new);
	return old ? plan_dropped_chain(plan, table, old) : 0;
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

/* Replacing an element is dropping and adding it. */
static int compare_elem(struct changes *changes, const struct nft_set *set,
			const struct nft_elem *old, const struct nft_elem *new)
{
	if (old && new &&nft_extra_same(set, old->extra, new->extra))
		return 0;
	if (old && vec_push(&changes->dropped, old) < 0)
		return -ENOMEM;
	return new ? vec_push(&changes->added, new) : 0;
}

static int build_changes(struct nft_plan *plan, const struct nft_set *set,
			 const struct changes *changes)
{
	enum nft_plan_part drop = set->map ? NFT_PLAN_DROP_MAP_ELEMS : NFT_PLAN_DROP_ELEMS;
	enum nft_plan_part add = set->map ? NFT_PLAN_MAP_ELEMS : NFT_PLAN_ELEMS;
	int rc = 0;

	if (changes->dropped.n > 0)
		rc = BUILD(plan, drop, nft_build_elems, set, changes->dropped.v, changes->dropped.n,
			   false);
	if (rc == 0 && changes->added.n > 0)
		rc = BUILD(plan, add, nft_build_elems, set, changes->added.v, changes->added.n,
			   true);
	return rc;
}

static int all_elems(const struct nft_set *set, struct changes *changes)
{
	const struct nft_elem **sorted = nft_set_sorted(set);
	size_t n = HASH_COUNT(set->elems);
	int rc = n > 0 && !sorted ? -ENOMEM : 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = vec_push(&changes->added, sorted[i]);
	free(sorted);
	return rc;
}

static int plan_new_set(struct nft_plan *plan, const struct nft_set *set)
{
	enum nft_plan_part elems = set->map ? NFT_PLAN_NEW_MAP_ELEMS : NFT_PLAN_NEW_ELEMS;
	struct changes changes = {0};
	int rc = BUILD(plan, NFT_PLAN_NEW_SETS, nft_build_set, set);

	if (rc == 0)
		rc = all_elems(set, &changes);
	if (rc == 0 && changes.added.n > 0)
		rc = BUILD(plan, elems, nft_build_elems, set, changes.added.v, changes.added.n,
			   true);
	changes_done(&changes);
	return rc;
}

/* Intervals of a tree cannot be told apart once they have ends: the set is emptied and filled. */
static int plan_refilled_set(struct nft_plan *plan, const struct nft_set *set)
{
	struct changes changes = {0};
	int rc = BUILD(plan, NFT_PLAN_DROP_ELEMS, nft_build_elems_flush, set->name);

	if (rc == 0)
		rc = all_elems(set, &changes);
	if (rc == 0 && changes.added.n > 0)
		rc = BUILD(plan, NFT_PLAN_ELEMS, nft_build_elems, set, changes.added.v,
			   changes.added.n, true);
	changes_done(&changes);
	return rc;
}

static int plan_changed_set(struct nft_plan *plan, const struct nft_set *old,
			    const struct nft_set *new)
{
	struct changes changes = {0};
	int rc = 0;

	for (const struct nft_elem *elem = old->elems; elem && rc == 0; elem = elem->hh.next)
		rc = compare_elem(&changes, new, elem, find(new, &elem->key));
	for (const struct nft_elem *elem = new->elems; elem &&rc == 0; elem = elem->hh.next) {
		if (!find(old, &elem->key))
			rc = vec_push(&changes.added, elem);
	}
	if (rc == 0 && changes.dropped.n + changes.added.n > 0 && new->interval &&
	    nft_key_fields(new->type, NULL) == 1)
		rc = plan_refilled_set(plan, new);
	else if (rc == 0)
		rc = build_changes(plan, new, &changes);
	changes_done(&changes);
	return rc;
}

static int plan_set(struct nft_plan *plan, const struct nft_set *old, const struct nft_set *new)
{
	if (old && new)
		return plan_changed_set(plan, old, new);
	if (new)
		return plan_new_set(plan, new);
	return old ? BUILD(plan, NFT_PLAN_DROP_SETS, nft_build_set_delete, old->name) : 0;
}

/* The elements of a set in the kernel that have changed. */
static int plan_touched_set(struct nft_plan *plan, const struct nft_set *set)
{
	size_t n = HASH_COUNT(set->before), used = 0;
	struct nft_elem *old = calloc(n + 1, sizeof(old[0]));
	struct changes changes = {0};
	int rc = old ? 0 : -ENOMEM;

	for (const struct nft_elem_before *before = set->before; before && rc == 0;
	     before = before->hh.next) {
		old[used].key = before->key;
		old[used].extra = before->extra;
		rc = compare_elem(&changes, set, before->present ? &old[used] : NULL,
				  find(set, &before->key));
		used++;
	}
	if (rc == 0)
		rc = build_changes(plan, set, &changes);
	changes_done(&changes);
	free(old);
	return rc;
}

/* Not even both as nothing: the guard's table is made with its first chain. */
static int plan_tables(struct nft_plan *plan, const struct ruleset *from, const struct ruleset *to)
{
	int rc = 0;

	for (int table = 0; table < NFT_TABLE_COUNT && rc == 0; table++) {
		bool wanted = table == NFT_TABLE_POLICY || to->chains[table];

		if (wanted && !from->in_kernel[table])
			rc = BUILD(plan, NFT_PLAN_TABLES, nft_build_table, (enum nft_table)table);
	}
	return rc;
}

int nft_plan_full(struct nft_plan *plan, const struct ruleset *old, const struct ruleset *new)
{
	int rc = plan_tables(plan, old, new);

	for (int t = 0; t < NFT_TABLE_COUNT && rc == 0; t++) {
		enum nft_table table = (enum nft_table)t;

		for (const struct nft_chain *chain = new->chains[t]; chain &&rc == 0;
		     chain = chain->hh.next)
			rc = plan_chain(plan, table, ruleset_chain(old, table, chain->name), chain);
		for (const struct nft_chain *chain = old->chains[t]; chain && rc == 0;
		     chain = chain->hh.next) {
			if (!ruleset_chain(new, table, chain->name))
				rc = plan_chain(plan, table, chain, NULL);
		}
	}
	for (const struct nft_set *set = new->sets; set &&rc == 0; set = set->hh.next)
		rc = plan_set(plan, ruleset_set(old, set->name), set);
	for (const struct nft_set *set = old->sets; set && rc == 0; set = set->hh.next) {
		if (!ruleset_set(new, set->name))
			rc = plan_set(plan, set, NULL);
	}
	return rc;
}

int nft_plan_changes(struct nft_plan *plan, const struct ruleset *ruleset)
{
	int rc = plan_tables(plan, ruleset, ruleset);

	for (int t = 0; t < NFT_TABLE_COUNT && rc == 0; t++) {
		for (const struct nft_chain_before *before = ruleset->chains_before[t];
		     before && rc == 0; before = before->hh.next)
			rc = plan_chain(plan, before->table, before->chain,
					ruleset_chain(ruleset, before->table, before->name));
	}
	for (const struct nft_set_before *before = ruleset->sets_before; before && rc == 0;
	     before = before->hh.next)
		rc = plan_set(plan, before->set, ruleset_set(ruleset, before->name));
	for (const struct nft_set *set = ruleset->touched; set && rc == 0; set = set->next_touched)
		rc = plan_touched_set(plan, set);
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
