/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/isolate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/task.h"

#define EVERYONES_DEPTH 16 /* NFT_JUMP_STACK_SIZE */

static bool is_refused(const struct nft_refused refused[], size_t n, enum nft_table table, bool set,
		       const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (refused[i].table == table && refused[i].set == set &&
		    strcmp(refused[i].name, name) == 0)
			return true;
	}
	return false;
}

bool nft_rule_looks_into(const struct nft_rule *rule, const char *set)
{
	for (size_t i = 0; i < rule->stmts.n; i++) {
		const char *name = nft_stmt_set(&rule->stmts.v[i]);

		if (name && strcmp(name, set) == 0)
			return true;
	}
	return false;
}

static bool has_refused_set(const struct nft_rule *rule, const struct nft_refused refused[],
			    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (refused[i].set && nft_rule_looks_into(rule, refused[i].name))
			return true;
	}
	return false;
}

static bool is_drop(const struct nft_rule *rule)
{
	const struct nft_stmt *last = rule->stmts.n > 0 ? &rule->stmts.v[rule->stmts.n - 1] : NULL;

	return last && last->kind == NFT_STMT_VERDICT && last->verdict.kind == NFT_VERDICT_DROP;
}

bool nft_rule_goes_to(const struct nft_rule *rule, const char *chain)
{
	for (size_t i = 0; i < rule->stmts.n; i++) {
		const struct nft_stmt *stmt = &rule->stmts.v[i];

		if (stmt->kind == NFT_STMT_VERDICT &&
		    (stmt->verdict.kind == NFT_VERDICT_JUMP ||
		     stmt->verdict.kind == NFT_VERDICT_GOTO) &&
		    strcmp(stmt->verdict.chain, chain) == 0)
			return true;
	}
	return false;
}

static const char *next_chain(const struct nft_rule *rule)
{
	const struct nft_stmt *last = rule->stmts.n > 0 ? &rule->stmts.v[rule->stmts.n - 1] : NULL;

	return last && last->kind == NFT_STMT_VERDICT && last->verdict.chain[0]
		       ? last->verdict.chain
		       : NULL;
}

/* Do the rules of the chain, or of one that they go to, go to the other? The kernel refuses loops,
 * and jumps beyond this depth. */
static bool leads_to(const struct ruleset *ruleset, enum nft_table table,
		     const struct nft_chain *chain, const char *name, unsigned depth)
{
	for (size_t i = 0; chain && depth > 0 && i < chain->rules.n; i++) {
		const char *next = next_chain(&chain->rules.v[i]);

		if (next && (strcmp(next, name) == 0 ||
			     leads_to(ruleset, table, ruleset_chain(ruleset, table, next), name,
				      depth - 1)))
			return true;
	}
	return false;
}

/* Do packets get to the chain whoever has sent them, by no map? */
static bool is_everyones(const struct ruleset *ruleset, enum nft_table table, const char *name)
{
	const struct nft_chain *chain;

	for (chain = ruleset->chains[table]; chain; chain = chain->hh.next) {
		if (chain->hook != NFT_HOOK_NONE &&
		    leads_to(ruleset, table, chain, name, EVERYONES_DEPTH))
			return true;
	}
	return false;
}

/* Without a set, what a rule would have allowed is closed; but what it would have dropped is open,
 * and without a rule of a base chain everything is another thing. */
static bool is_needed(const struct ruleset *ruleset, enum nft_table table, const char *set)
{
	const struct nft_chain *chain;

	for (chain = ruleset->chains[table]; chain; chain = chain->hh.next) {
		for (size_t i = 0; i < chain->rules.n; i++) {
			const struct nft_rule *rule = &chain->rules.v[i];

			if (nft_rule_looks_into(rule, set) &&
			    (chain->hook != NFT_HOOK_NONE || is_drop(rule) ||
			     is_everyones(ruleset, table, chain->name)))
				return true;
		}
	}
	return false;
}

/* Policy does without them; what they would have dropped passes. */
static bool is_antispoof(enum nft_table table, const struct nft_chain *chain)
{
	return table == NFT_TABLE_BRIDGE || chain->hook == NFT_HOOK_PREROUTING;
}

bool nft_refused_can_be_left_out(const struct ruleset *ruleset, const struct nft_refused *refused)
{
	const struct nft_chain *chain = ruleset_chain(ruleset, refused->table, refused->name);
	const struct nft_set *set = ruleset_set(ruleset, refused->name);

	if (refused->set)
		return set && !(set->map && set->type != NFT_SET_TYPE_PORT_PROTO) &&
		       !is_needed(ruleset, set->table, refused->name);
	if (chain && chain->hook != NFT_HOOK_NONE)
		return is_antispoof(refused->table, chain);
	return chain && !is_everyones(ruleset, refused->table, refused->name);
}

/* Elements come and go with pods; a set that is refused for what policies say is another then. */
static bool set_has_changed(const struct ruleset *ruleset, const char *name)
{
	const struct nft_set_before *before;

	HASH_FIND_STR(ruleset->sets_before, name, before);
	return before != NULL;
}

/* Chains are written again with their pods, mostly as they were. */
static bool chain_has_changed(const struct ruleset *ruleset, enum nft_table table, const char *name)
{
	const struct nft_chain *now = ruleset_chain(ruleset, table, name);
	const struct nft_chain_before *before;

	HASH_FIND_STR(ruleset->chains_before[table], name, before);
	return before && !(before->chain && now && nft_chain_same_head(before->chain, now) &&
			   nft_chain_same_rules(before->chain, now));
}

bool nft_refused_has_changed(const struct ruleset *ruleset, const struct nft_refused *refused)
{
	return !nft_refused_can_be_left_out(ruleset, refused) ||
	       (refused->set ? set_has_changed(ruleset, refused->name)
			     : chain_has_changed(ruleset, refused->table, refused->name));
}

static int copy_rule(struct nft_chain *to, const struct nft_rule *rule)
{
	struct nft_rule copy = {0};

	memcpy(copy.comment, rule->comment, sizeof(copy.comment));
	for (size_t i = 0; i < rule->stmts.n; i++) {
		if (nft_rule_add(&copy, &rule->stmts.v[i]) < 0) {
			nft_rule_done(&copy);
			return -ENOMEM;
		}
	}
	return nft_chain_add(to, &copy);
}

static int copy_chain(struct ruleset *to, enum nft_table table, const struct nft_chain *chain,
		      const struct nft_refused refused[], size_t n)
{
	bool closed = is_refused(refused, n, table, false, chain->name);
	struct nft_chain *copy;
	int rc = 0;

	if (closed && chain->hook != NFT_HOOK_NONE)
		return 0;
	copy = nft_chain_new(chain->name, "");
	if (!copy)
		return -ENOMEM;
	memcpy(copy->comment, chain->comment, sizeof(copy->comment));
	copy->hook = chain->hook;
	for (size_t i = 0; i < chain->rules.n && rc == 0; i++) {
		const struct nft_rule *rule = &chain->rules.v[i];

		if (closed ? is_drop(rule) : !has_refused_set(rule, refused, n))
			rc = copy_rule(copy, rule);
	}
	if (rc == 0)
		return ruleset_put_chain(to, table, copy);
	nft_chain_free(copy);
	return rc;
}

static int copy_set(struct ruleset *to, const struct nft_set *set)
{
	struct nft_set *copy = nft_set_new(set->name, set->type, "");
	const struct nft_elem *elem;
	int rc = 0;

	if (!copy)
		return -ENOMEM;
	memcpy(copy->comment, set->comment, sizeof(copy->comment));
	copy->table = set->table;
	copy->interval = set->interval;
	copy->map = set->map;
	copy->allows = set->allows;
	for (elem = set->elems; elem && rc == 0; elem = elem->hh.next) {
		rc = nft_set_add(copy, &elem->key, elem->extra);
		task_step();
	}
	if (rc == 0)
		return ruleset_put_set(to, copy);
	nft_set_free(copy);
	return rc;
}

int nft_isolate(const struct ruleset *ruleset, const struct nft_refused refused[], size_t n,
		struct ruleset *ret)
{
	int rc = 0;

	*ret = (struct ruleset){.own = ruleset->own};
	for (const struct nft_set *set = ruleset->sets; set && rc == 0; set = set->hh.next) {
		if (!is_refused(refused, n, set->table, true, set->name))
			rc = copy_set(ret, set);
	}
	for (int table = 0; table < NFT_TABLE_COUNT; table++) {
		const struct nft_chain *chain = ruleset->chains[table];

		for (; chain && rc == 0; chain = chain->hh.next)
			rc = copy_chain(ret, (enum nft_table)table, chain, refused, n);
	}
	return rc;
}

static size_t add_comment(char *to, size_t len, size_t used, const struct nft_chain *chain)
{
	const char *what = chain->comment[0] ? chain->comment : chain->name;
	int n;

	if (used >= len)
		return used;
	n = snprintf(to + used, len - used, "%s%s", used > 0 ? "; " : "", what);
	return used + (n > 0 ? (size_t)n : 0);
}

void nft_refused_describe(const struct ruleset *ruleset, const struct nft_refused *refused,
			  char *to, size_t len)
{
	const struct nft_chain *chain = ruleset->chains[refused->table];
	size_t used = 0;

	to[0] = '\0';
	for (; chain; chain = chain->hh.next) {
		bool concerned = !refused->set && strcmp(chain->name, refused->name) == 0;

		for (size_t i = 0; i < chain->rules.n && !concerned; i++) {
			const struct nft_rule *rule = &chain->rules.v[i];

			concerned = refused->set ? nft_rule_looks_into(rule, refused->name)
						 : nft_rule_goes_to(rule, refused->name);
		}
		if (concerned)
			used = add_comment(to, len, used, chain);
	}
	if (used == 0)
		(void)snprintf(to, len, "no rule uses it");
}
