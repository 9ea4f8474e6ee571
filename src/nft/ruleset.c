/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/ruleset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/escape.h"
#include "base/task.h"

void nft_comment(char to[static NFT_COMMENT_MAX + 1], const char *text)
{
	(void)escape_copy(to, NFT_COMMENT_MAX + 1, ESCAPE_NFT, text);
}

struct nft_chain *nft_chain_new(const char *name, const char *comment)
{
	struct nft_chain *chain = calloc(1, sizeof(*chain));

	if (!chain)
		return NULL;
	(void)snprintf(chain->name, sizeof(chain->name), "%s", name);
	nft_comment(chain->comment, comment);
	return chain;
}

void nft_chain_free(struct nft_chain *chain)
{
	if (!chain)
		return;
	for (size_t i = 0; i < chain->rules.n; i++)
		nft_rule_done(&chain->rules.v[i]);
	vec_free(&chain->rules);
	free(chain);
}

int nft_chain_add(struct nft_chain *chain, struct nft_rule *rule)
{
	int rc = vec_push(&chain->rules, *rule);

	if (rc < 0)
		nft_rule_done(rule);
	*rule = (struct nft_rule){0};
	return rc;
}

struct nft_set *nft_set_new(const char *name, enum nft_set_type type, const char *comment)
{
	struct nft_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	(void)snprintf(set->name, sizeof(set->name), "%s", name);
	nft_comment(set->comment, comment);
	set->type = type;
	return set;
}

static struct nft_elem_extra *copy_extra(const struct nft_elem_extra *extra)
{
	struct nft_elem_extra *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *extra;
	return copy;
}

static void remove_elem(struct nft_set *set, struct nft_elem *elem)
{
	HASH_DEL(set->elems, elem);
	free(elem->extra);
	free(elem);
}

static void forget_before(struct nft_set *set)
{
	struct nft_elem_before *before, *tmp;

	HASH_ITER (hh, set->before, before, tmp) {
		task_step();
		HASH_DEL(set->before, before);
		free(before->extra);
		free(before);
	}
	if (set->journal && set->prev_touched)
		DL_DELETE2(set->journal->touched, set, prev_touched, next_touched);
	set->prev_touched = set->next_touched = NULL;
}

void nft_set_free(struct nft_set *set)
{
	struct nft_elem *elem, *tmp;

	if (!set)
		return;
	forget_before(set);
	HASH_ITER (hh, set->elems, elem, tmp) {
		task_step();
		remove_elem(set, elem);
	}
	free(set);
}

static struct nft_elem *find_elem(const struct nft_set *set, const struct nft_key *key)
{
	struct nft_elem *elem;

	HASH_FIND(hh, set->elems, key, sizeof(*key), elem);
	return elem;
}

/* Before the first change of an element that the kernel has, or has not: what it has. */
static int note_elem(struct nft_set *set, const struct nft_key *key, const struct nft_elem *elem)
{
	struct nft_elem_before *before;

	if (!set->journal)
		return 0;
	HASH_FIND(hh, set->before, key, sizeof(*key), before);
	if (before)
		return 0;
	before = calloc(1, sizeof(*before));
	if (!before)
		return -ENOMEM;
	before->key = *key;
	before->present = elem != NULL;
	before->extra = elem && elem->extra ? copy_extra(elem->extra) : NULL;
	if (elem && elem->extra && !before->extra) {
		free(before);
		return -ENOMEM;
	}
	HASH_ADD(hh, set->before, key, sizeof(before->key), before);
	if (!table_added(before)) {
		free(before->extra);
		free(before);
		return -ENOMEM;
	}
	if (!set->prev_touched)
		DL_APPEND2(set->journal->touched, set, prev_touched, next_touched);
	return 0;
}

/* Adds or replaces; takes `extra` over. */
static int put_elem(struct nft_set *set, const struct nft_key *key, struct nft_elem_extra *extra)
{
	struct nft_elem *elem = find_elem(set, key);

	if (elem) {
		free(elem->extra);
		elem->extra = extra;
		return 0;
	}
	elem = calloc(1, sizeof(*elem));
	if (elem) {
		elem->key = *key;
		elem->extra = extra;
		HASH_ADD(hh, set->elems, key, sizeof(elem->key), elem);
		if (table_added(elem))
			return 0;
	}
	free(elem);
	free(extra);
	return -ENOMEM;
}

int nft_set_add(struct nft_set *set, const struct nft_key *key, const struct nft_elem_extra *extra)
{
	struct nft_elem_extra *copy = extra ? copy_extra(extra) : NULL;

	if (extra && !copy)
		return -ENOMEM;
	if (note_elem(set, key, find_elem(set, key)) < 0) {
		free(copy);
		return -ENOMEM;
	}
	return put_elem(set, key, copy);
}

int nft_set_remove(struct nft_set *set, const struct nft_key *key)
{
	struct nft_elem *elem = find_elem(set, key);

	if (!elem)
		return 0;
	if (note_elem(set, key, elem) < 0)
		return -ENOMEM;
	remove_elem(set, elem);
	return 0;
}

static int compare_elems(const void *left, const void *right)
{
	const struct nft_key *a = &(*(const struct nft_elem *const *)left)->key;
	const struct nft_key *b = &(*(const struct nft_elem *const *)right)->key;
	int order = memcmp(a->bytes, b->bytes, sizeof(a->bytes));

	task_step();
	if (order == 0)
		order = (a->proto > b->proto) - (a->proto < b->proto);
	if (order == 0)
		order = (a->port > b->port) - (a->port < b->port);
	if (order == 0)
		order = memcmp(a->peer, b->peer, sizeof(a->peer));
	return order != 0 ? order : (a->peer_port > b->peer_port) - (a->peer_port < b->peer_port);
}

const struct nft_elem **nft_set_sorted(const struct nft_set *set)
{
	size_t n = HASH_COUNT(set->elems), i = 0;
	const struct nft_elem **sorted = n > 0 ? malloc(n * sizeof(sorted[0])) : NULL;

	if (!sorted)
		return NULL;
	for (const struct nft_elem *elem = set->elems; elem; elem = elem->hh.next)
		sorted[i++] = elem;
	qsort(sorted, n, sizeof(sorted[0]), compare_elems);
	return sorted;
}

struct nft_chain *ruleset_chain(const struct ruleset *ruleset, enum nft_table table,
				const char *name)
{
	struct nft_chain *chain;

	HASH_FIND_STR(ruleset->chains[table], name, chain);
	return chain;
}

struct nft_set *ruleset_set(const struct ruleset *ruleset, const char *name)
{
	struct nft_set *set;

	HASH_FIND_STR(ruleset->sets, name, set);
	return set;
}

/* Before the first change under a name that the kernel has, or has not: what it has. Takes `chain`.
 */
static int note_chain(struct ruleset *ruleset, enum nft_table table, const char *name,
		      struct nft_chain *chain)
{
	struct nft_chain_before *before;

	HASH_FIND_STR(ruleset->chains_before[table], name, before);
	if (before) {
		nft_chain_free(chain);
		return 0;
	}
	before = calloc(1, sizeof(*before));
	if (before) {
		before->table = table;
		(void)snprintf(before->name, sizeof(before->name), "%s", name);
		before->chain = chain;
		HASH_ADD_STR(ruleset->chains_before[table], name, before);
		if (table_added(before))
			return 0;
	}
	free(before);
	nft_chain_free(chain);
	return -ENOMEM;
}

int ruleset_drop_chain(struct ruleset *ruleset, enum nft_table table, const char *name)
{
	struct nft_chain *chain = ruleset_chain(ruleset, table, name);

	if (!chain)
		return 0;
	HASH_DEL(ruleset->chains[table], chain);
	return note_chain(ruleset, table, chain->name, chain);
}

int ruleset_put_chain(struct ruleset *ruleset, enum nft_table table, struct nft_chain *chain)
{
	struct nft_chain *old = ruleset_chain(ruleset, table, chain->name);

	if (old)
		HASH_DEL(ruleset->chains[table], old);
	if (note_chain(ruleset, table, chain->name, old) == 0) {
		HASH_ADD_STR(ruleset->chains[table], name, chain);
		if (table_added(chain))
			return 0;
	}
	nft_chain_free(chain);
	return -ENOMEM;
}

/* The set as the kernel has it: what has changed is undone. */
static int revert(struct nft_set *set)
{
	struct nft_elem_before *before, *tmp;
	int rc = 0;

	HASH_ITER (hh, set->before, before, tmp) {
		struct nft_elem *elem = find_elem(set, &before->key);

		task_step();
		if (before->present) {
			if (put_elem(set, &before->key, before->extra) < 0)
				rc = -ENOMEM;
			before->extra = NULL;
		} else if (elem) {
			remove_elem(set, elem);
		}
	}
	forget_before(set);
	set->journal = NULL;
	return rc;
}

static int note_set(struct ruleset *ruleset, const char *name, struct nft_set *set)
{
	struct nft_set_before *before;

	HASH_FIND_STR(ruleset->sets_before, name, before);
	if (before) {
		nft_set_free(set);
		return 0;
	}
	before = calloc(1, sizeof(*before));
	if (before && (!set || revert(set) == 0)) {
		(void)snprintf(before->name, sizeof(before->name), "%s", name);
		before->set = set;
		HASH_ADD_STR(ruleset->sets_before, name, before);
		if (table_added(before))
			return 0;
	}
	free(before);
	nft_set_free(set);
	return -ENOMEM;
}

int ruleset_drop_set(struct ruleset *ruleset, const char *name)
{
	struct nft_set *set = ruleset_set(ruleset, name);

	if (!set)
		return 0;
	HASH_DEL(ruleset->sets, set);
	return note_set(ruleset, set->name, set);
}

int ruleset_put_set(struct ruleset *ruleset, struct nft_set *set)
{
	struct nft_set *old = ruleset_set(ruleset, set->name);

	if (old)
		HASH_DEL(ruleset->sets, old);
	if (note_set(ruleset, set->name, old) == 0) {
		HASH_ADD_STR(ruleset->sets, name, set);
		if (table_added(set))
			return 0;
	}
	nft_set_free(set);
	return -ENOMEM;
}

static void forget_changes(struct ruleset *ruleset)
{
	struct nft_chain_before *chain, *next_chain;
	struct nft_set_before *set, *next_set;

	for (int table = 0; table < NFT_TABLE_COUNT; table++) {
		HASH_ITER (hh, ruleset->chains_before[table], chain, next_chain) {
			HASH_DEL(ruleset->chains_before[table], chain);
			task_step();
			nft_chain_free(chain->chain);
			free(chain);
		}
	}
	HASH_ITER (hh, ruleset->sets_before, set, next_set) {
		HASH_DEL(ruleset->sets_before, set);
		nft_set_free(set->set);
		free(set);
	}
	while (ruleset->touched)
		forget_before(ruleset->touched);
}

void ruleset_committed(struct ruleset *ruleset)
{
	/* Those that are new are in the journal; the others have theirs already. */
	for (struct nft_set_before *before = ruleset->sets_before; before;
	     before = before->hh.next) {
		struct nft_set *set = ruleset_set(ruleset, before->name);

		if (set)
			set->journal = ruleset;
	}
	forget_changes(ruleset);
	ruleset->in_kernel[NFT_TABLE_POLICY] = true;
	ruleset->in_kernel[NFT_TABLE_BRIDGE] |= ruleset->chains[NFT_TABLE_BRIDGE] != NULL;
}

bool ruleset_changed(const struct ruleset *ruleset)
{
	for (int table = 0; table < NFT_TABLE_COUNT; table++) {
		if (ruleset->chains_before[table])
			return true;
	}
	return ruleset->sets_before || ruleset->touched;
}

void ruleset_done(struct ruleset *ruleset)
{
	for (int table = 0; table < NFT_TABLE_COUNT; table++) {
		struct nft_chain *chain, *tmp;

		HASH_ITER (hh, ruleset->chains[table], chain, tmp) {
			HASH_DEL(ruleset->chains[table], chain);
			task_step();
			nft_chain_free(chain);
		}
	}
	forget_changes(ruleset);
	while (ruleset->sets) {
		struct nft_set *set = ruleset->sets;

		HASH_DEL(ruleset->sets, set);
		nft_set_free(set);
	}
}
