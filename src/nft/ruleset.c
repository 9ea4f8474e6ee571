/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/ruleset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nft_comment(char to[static NFT_COMMENT_MAX + 1], const char *text)
{
	size_t len = strlen(text);

	if (len <= NFT_COMMENT_MAX) {
		memcpy(to, text, len + 1);
		return;
	}
	memcpy(to, text, NFT_COMMENT_MAX - 3);
	memcpy(to + NFT_COMMENT_MAX - 3, "...", 4);
}

static void stmt_done(struct nft_stmt *stmt)
{
	free(stmt->ports);
	free(stmt->prefixes);
	free(stmt->types);
}

void nft_rule_done(struct nft_rule *rule)
{
	for (size_t i = 0; i < rule->stmts.n; i++)
		stmt_done(&rule->stmts.v[i]);
	vec_free(&rule->stmts);
}

static void *copy_list(const void *list, size_t n, size_t size, bool *failed)
{
	void *copy;

	if (!list)
		return NULL;
	copy = malloc(n * size + 1);
	if (copy)
		memcpy(copy, list, n * size);
	else
		*failed = true;
	return copy;
}

int nft_rule_add(struct nft_rule *rule, const struct nft_stmt *stmt)
{
	struct nft_stmt copy = *stmt;
	bool failed = false;

	copy.ports = copy_list(stmt->ports, stmt->n, sizeof(stmt->ports[0]), &failed);
	copy.prefixes = copy_list(stmt->prefixes, stmt->n, sizeof(stmt->prefixes[0]), &failed);
	copy.types = copy_list(stmt->types, stmt->n, sizeof(stmt->types[0]), &failed);
	if (!failed && vec_push(&rule->stmts, copy) == 0)
		return 0;
	stmt_done(&copy);
	return -ENOMEM;
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

static void remove_elem(struct nft_set *set, struct nft_elem *elem)
{
	HASH_DEL(set->elems, elem);
	free(elem->extra);
	free(elem);
}

void nft_set_free(struct nft_set *set)
{
	struct nft_elem *elem, *tmp;

	if (!set)
		return;
	HASH_ITER (hh, set->elems, elem, tmp)
		remove_elem(set, elem);
	free(set);
}

static struct nft_elem *find_elem(const struct nft_set *set, const struct nft_key *key)
{
	struct nft_elem *elem;

	HASH_FIND(hh, set->elems, key, sizeof(*key), elem);
	return elem;
}

int nft_set_add(struct nft_set *set, const struct nft_key *key, const struct nft_elem_extra *extra)
{
	struct nft_elem *elem = find_elem(set, key);
	struct nft_elem_extra *copy = NULL;

	if (extra) {
		copy = malloc(sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		*copy = *extra;
	}
	if (elem) {
		free(elem->extra);
		elem->extra = copy;
		return 0;
	}
	elem = calloc(1, sizeof(*elem));
	if (elem) {
		elem->key = *key;
		elem->extra = copy;
		HASH_ADD(hh, set->elems, key, sizeof(elem->key), elem);
		if (table_added(elem))
			return 0;
	}
	free(elem);
	free(copy);
	return -ENOMEM;
}

void nft_set_remove(struct nft_set *set, const struct nft_key *key)
{
	struct nft_elem *elem = find_elem(set, key);

	if (elem)
		remove_elem(set, elem);
}

static int compare_elems(const void *left, const void *right)
{
	const struct nft_key *a = &(*(const struct nft_elem *const *)left)->key;
	const struct nft_key *b = &(*(const struct nft_elem *const *)right)->key;
	int order = memcmp(a->bytes, b->bytes, sizeof(a->bytes));

	if (order == 0)
		order = (a->proto > b->proto) - (a->proto < b->proto);
	return order != 0 ? order : (a->port > b->port) - (a->port < b->port);
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

void ruleset_drop_chain(struct ruleset *ruleset, enum nft_table table, const char *name)
{
	struct nft_chain *chain = ruleset_chain(ruleset, table, name);

	if (!chain)
		return;
	HASH_DEL(ruleset->chains[table], chain);
	nft_chain_free(chain);
}

void ruleset_drop_set(struct ruleset *ruleset, const char *name)
{
	struct nft_set *set = ruleset_set(ruleset, name);

	if (!set)
		return;
	HASH_DEL(ruleset->sets, set);
	nft_set_free(set);
}

int ruleset_put_chain(struct ruleset *ruleset, enum nft_table table, struct nft_chain *chain)
{
	ruleset_drop_chain(ruleset, table, chain->name);
	HASH_ADD_STR(ruleset->chains[table], name, chain);
	if (table_added(chain))
		return 0;
	nft_chain_free(chain);
	return -ENOMEM;
}

int ruleset_put_set(struct ruleset *ruleset, struct nft_set *set)
{
	ruleset_drop_set(ruleset, set->name);
	HASH_ADD_STR(ruleset->sets, name, set);
	if (table_added(set))
		return 0;
	nft_set_free(set);
	return -ENOMEM;
}

int ruleset_rename_set(struct ruleset *ruleset, const char *from, const char *to)
{
	struct nft_set *set = ruleset_set(ruleset, from);

	if (!set)
		return 0;
	HASH_DEL(ruleset->sets, set);
	(void)snprintf(set->name, sizeof(set->name), "%s", to);
	return ruleset_put_set(ruleset, set);
}

void ruleset_done(struct ruleset *ruleset)
{
	for (int table = 0; table < NFT_TABLE_COUNT; table++) {
		while (ruleset->chains[table])
			ruleset_drop_chain(ruleset, (enum nft_table)table,
					   ruleset->chains[table]->name);
	}
	while (ruleset->sets)
		ruleset_drop_set(ruleset, ruleset->sets->name);
}
