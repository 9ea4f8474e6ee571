/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_nf_tables.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/nft/decode.h"

static void complain(struct fake *fake, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The first complaint is kept. */
static void complain(struct fake *fake, const char *fmt, ...)
{
	va_list args;

	if (fake->complaint[0])
		return;
	va_start(args, fmt);
	(void)vsnprintf(fake->complaint, sizeof(fake->complaint), fmt, args);
	va_end(args);
}

static void check_memory(int rc)
{
	if (rc < 0)
		abort();
}

/* Whether the names in a message are there, as the kernel has to find them. */

static const char *text(const struct nlmsghdr *message, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == type)
			return mnl_attr_get_str(attr);
	}
	return "";
}

static void need_chain(struct fake *fake, enum nft_table table, const char *name)
{
	if (!ruleset_chain(&fake->ruleset, table, name))
		complain(fake, "no chain %s", name);
}

static void need_set(struct fake *fake, const char *name)
{
	if (!ruleset_set(&fake->ruleset, name))
		complain(fake, "no set %s", name);
}

static bool leads_to(const struct nft_verdict *verdict, const char *chain)
{
	return verdict->kind >= NFT_VERDICT_JUMP && strcmp(verdict->chain, chain) == 0;
}

static bool looks_up(const struct nft_stmt *stmt, const char *set)
{
	switch (stmt->kind) {
	case NFT_STMT_ADDR_SET:
	case NFT_STMT_TUPLE_SET:
	case NFT_STMT_FLOW_SET:
	case NFT_STMT_INTERFACE_MAP:
	case NFT_STMT_INDEX_MAP:
	case NFT_STMT_ADDR_MAP:
	case NFT_STMT_PORT_MAP:
		return !set || strcmp(stmt->name, set) == 0;
	default:
		return false;
	}
}

/* NULL for what is not asked for. */
static bool rule_refers(const struct nft_rule *rule, const char *chain, const char *set)
{
	for (size_t i = 0; i < rule->stmts.n; i++) {
		const struct nft_stmt *stmt = &rule->stmts.v[i];

		if (chain && stmt->kind == NFT_STMT_VERDICT && leads_to(&stmt->verdict, chain))
			return true;
		if (set && looks_up(stmt, set))
			return true;
	}
	return false;
}

static bool is_busy(const struct fake *fake, enum nft_table table, const char *name_of_chain,
		    const char *name_of_set)
{
	for (const struct nft_chain *chain = fake->ruleset.chains[table]; chain;
	     chain = chain->hh.next) {
		for (size_t i = 0; i < chain->rules.n; i++) {
			if (rule_refers(&chain->rules.v[i], name_of_chain, name_of_set))
				return true;
		}
	}
	for (const struct nft_set *set = fake->ruleset.sets; set && name_of_chain;
	     set = set->hh.next) {
		if (set->table != table)
			continue;
		for (const struct nft_elem *elem = set->elems; elem; elem = elem->hh.next) {
			if (set->map && leads_to(&elem->extra->verdict, name_of_chain))
				return true;
		}
	}
	return false;
}

static void take_chain(struct fake *fake, enum nft_table table, const struct nlmsghdr *message)
{
	struct nftnl_chain *object = nftnl_chain_alloc();
	struct nft_chain *chain, *old;

	if (!object || nftnl_chain_nlmsg_parse(message, object) < 0)
		abort();
	chain = decode_chain(table, object);
	old = chain ? ruleset_chain(&fake->ruleset, table, chain->name) : NULL;
	if (chain && chain->other)
		complain(fake, "chain %s is none of ours", chain->name);
	if (old && !nft_chain_same_head(old, chain))
		complain(fake, "chain %s is there and another", chain->name);
	if (old)
		nft_chain_free(chain);
	else
		check_memory(chain ? ruleset_put_chain(&fake->ruleset, table, chain) : -ENOMEM);
	nftnl_chain_free(object);
}

static void drop_chain(struct fake *fake, enum nft_table table, const char *name)
{
	const struct nft_chain *chain = ruleset_chain(&fake->ruleset, table, name);

	need_chain(fake, table, name);
	if (is_busy(fake, table, name, NULL) || (chain && chain->rules.n > 0))
		complain(fake, "chain %s is busy", name);
	check_memory(ruleset_drop_chain(&fake->ruleset, table, name));
}

static void flush_chain(struct fake *fake, enum nft_table table, const char *name)
{
	struct nft_chain *chain = ruleset_chain(&fake->ruleset, table, name);

	need_chain(fake, table, name);
	for (size_t i = 0; chain && i < chain->rules.n; i++)
		nft_rule_done(&chain->rules.v[i]);
	if (chain)
		vec_free(&chain->rules);
}

/* The kernel gives anonymous sets names of their own; here they are numbered, rule by rule. They
 * and their lookups come in the same order. */
static void name_lookups(struct nlmsghdr *message)
{
	char *at = (char *)message, *end = at + message->nlmsg_len;

	for (char n = '0'; (at = memmem(at, (size_t)(end - at), "__set%d", 7)); n++)
		at[6] = n;
}

static void forget_lists(struct fake *fake)
{
	struct decoded_list *list, *tmp;

	HASH_ITER (hh, fake->lists, list, tmp) {
		HASH_DEL(fake->lists, list);
		decoded_list_free(list);
	}
}

static void take_rule(struct fake *fake, enum nft_table table, struct nlmsghdr *message)
{
	struct nftnl_rule *object = nftnl_rule_alloc();
	const char *name = text(message, NFTA_RULE_CHAIN);
	struct nft_chain *chain = ruleset_chain(&fake->ruleset, table, name);
	struct nft_rule rule = {0};

	name_lookups(message);
	if (!object || nftnl_rule_nlmsg_parse(message, object) < 0)
		abort();
	need_chain(fake, table, name);
	check_memory(decode_rule(table, fake->lists, object, &rule));
	if (rule.stmts.n == 0)
		complain(fake, "a rule of chain %s cannot be read", name);
	for (size_t i = 0; i < rule.stmts.n; i++) {
		const struct nft_stmt *stmt = &rule.stmts.v[i];

		if (looks_up(stmt, NULL))
			need_set(fake, stmt->name);
		if (stmt->kind == NFT_STMT_VERDICT && stmt->verdict.kind >= NFT_VERDICT_JUMP)
			need_chain(fake, table, stmt->verdict.chain);
	}
	if (chain)
		check_memory(nft_chain_add(chain, &rule));
	else
		nft_rule_done(&rule);
	nftnl_rule_free(object);
	forget_lists(fake);
}

static void take_list(struct fake *fake, const struct nftnl_set *object)
{
	struct decoded_list *list = decode_list(object);

	if (!list)
		abort();
	(void)snprintf(list->name, sizeof(list->name), "__set%%%u", HASH_COUNT(fake->lists));
	HASH_ADD_STR(fake->lists, name, list);
}

static void take_set(struct fake *fake, enum nft_table table, const struct nlmsghdr *message)
{
	struct nftnl_set *object = nftnl_set_alloc();
	struct nft_set *set;

	if (!object || nftnl_set_nlmsg_parse(message, object) < 0)
		abort();
	if (nftnl_set_get_u32(object, NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS) {
		take_list(fake, object);
	} else {
		set = decode_set(object);
		if (!set || set->other)
			abort();
		set->table = table;
		if (ruleset_set(&fake->ruleset, set->name))
			complain(fake, "set %s is there", set->name);
		check_memory(ruleset_put_set(&fake->ruleset, set));
	}
	nftnl_set_free(object);
}

static void drop_set(struct fake *fake, enum nft_table table, const char *name)
{
	const struct nft_set *set = ruleset_set(&fake->ruleset, name);

	need_set(fake, name);
	if (set && set->table != table)
		complain(fake, "set %s is of another table", name);
	if (is_busy(fake, table, NULL, name))
		complain(fake, "set %s is busy", name);
	check_memory(ruleset_drop_set(&fake->ruleset, name));
}

/* What a message says of a set's elements, as a set of its own. */
static struct nft_set *elems_of(const struct nft_set *set, const struct nlmsghdr *message, bool map)
{
	struct nft_set *elems = nft_set_new(set->name, set->type, "");
	struct decoded_elems decoded;

	if (!elems)
		abort();
	elems->map = map;
	elems->interval = set->interval;
	decode_set_start(elems, &decoded);
	check_memory(decode_elems(message, &decoded));
	check_memory(decode_set_end(elems, &decoded));
	return elems;
}

/* The elements of the anonymous set that came last. */
static void take_list_elems(struct fake *fake, const struct nlmsghdr *message)
{
	struct decoded_list *list = fake->lists;
	struct decoded_elems elems = {0};

	while (list && list->hh.next)
		list = list->hh.next;
	if (!list) {
		complain(fake, "elements of an anonymous set that is not there");
		return;
	}
	elems.key_len = list->key_len;
	check_memory(decode_elems(message, &elems));
	check_memory(decode_list_end(list, &elems));
}

static void take_elem(struct fake *fake, struct nft_set *set, const struct nft_elem *elem)
{
	const struct nft_elem *old;

	HASH_FIND(hh, set->elems, &elem->key, sizeof(elem->key), old);
	if (old && !nft_extra_same(set, old->extra, elem->extra))
		complain(fake, "an element of %s is there and another", set->name);
	if (set->map && elem->extra->verdict.kind >= NFT_VERDICT_JUMP)
		need_chain(fake, set->table, elem->extra->verdict.chain);
	check_memory(nft_set_add(set, &elem->key, elem->extra));
}

static void take_elems(struct fake *fake, const struct nlmsghdr *message)
{
	struct nft_set *set = ruleset_set(&fake->ruleset, text(message, NFTA_SET_ELEM_LIST_SET));
	struct nft_set *elems;

	if (strcmp(text(message, NFTA_SET_ELEM_LIST_SET), "__set%d") == 0) {
		take_list_elems(fake, message);
		return;
	}
	need_set(fake, text(message, NFTA_SET_ELEM_LIST_SET));
	if (!set)
		return;
	elems = elems_of(set, message, set->map);
	for (const struct nft_elem *elem = elems->elems; elem; elem = elem->hh.next)
		take_elem(fake, set, elem);
	nft_set_free(elems);
}

static void drop_elem(struct fake *fake, struct nft_set *set, const struct nft_key *key)
{
	const struct nft_elem *old;

	HASH_FIND(hh, set->elems, key, sizeof(*key), old);
	if (!old)
		complain(fake, "an element of %s is not there", set->name);
	check_memory(nft_set_remove(set, key));
}

static void drop_elems(struct fake *fake, const struct nlmsghdr *message)
{
	struct nft_set *set = ruleset_set(&fake->ruleset, text(message, NFTA_SET_ELEM_LIST_SET));
	struct nft_set *elems;

	need_set(fake, text(message, NFTA_SET_ELEM_LIST_SET));
	if (!set)
		return;
	/* Keys alone: what a map's lead to is not said. None: all of them. */
	elems = elems_of(set, message, false);
	while (!elems->elems && set->elems)
		drop_elem(fake, set, &set->elems->key);
	for (const struct nft_elem *elem = elems->elems; elem; elem = elem->hh.next)
		drop_elem(fake, set, &elem->key);
	nft_set_free(elems);
}

static void drop_table(struct fake *fake, enum nft_table table)
{
	struct nft_set *set, *next;

	if (!fake->ruleset.in_kernel[table])
		complain(fake, "no such table");
	while (fake->ruleset.chains[table])
		check_memory(ruleset_drop_chain(&fake->ruleset, table,
						fake->ruleset.chains[table]->name));
	HASH_ITER (hh, fake->ruleset.sets, set, next) {
		if (set->table == table)
			check_memory(ruleset_drop_set(&fake->ruleset, set->name));
	}
	fake->ruleset.in_kernel[table] = false;
}

static void take_message(struct fake *fake, struct nlmsghdr *message)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	enum nft_table table = NFT_TABLE_POLICY;
	uint16_t type = NFNL_MSG_TYPE(message->nlmsg_type);

	if (!nft_table_of_family(header->nfgen_family, &table))
		complain(fake, "a message about family %u", header->nfgen_family);
	if (strcmp(text(message, NFTA_TABLE_NAME), NFT_TABLE_NAME) != 0 &&
	    type != NFT_MSG_NEWSETELEM && type != NFT_MSG_DELSETELEM)
		complain(fake, "a message of type %u is not about our table", type);
	if (type != NFT_MSG_NEWTABLE && !fake->ruleset.in_kernel[table])
		complain(fake, "no table yet for a message of type %u", type);
	switch (type) {
	case NFT_MSG_NEWTABLE:
		fake->ruleset.in_kernel[table] = true;
		break;
	case NFT_MSG_DELTABLE:
		drop_table(fake, table);
		break;
	case NFT_MSG_NEWCHAIN:
		take_chain(fake, table, message);
		break;
	case NFT_MSG_DELCHAIN:
		drop_chain(fake, table, text(message, NFTA_CHAIN_NAME));
		break;
	case NFT_MSG_NEWRULE:
		take_rule(fake, table, message);
		break;
	case NFT_MSG_DELRULE:
		flush_chain(fake, table, text(message, NFTA_RULE_CHAIN));
		break;
	case NFT_MSG_NEWSET:
		take_set(fake, table, message);
		break;
	case NFT_MSG_DELSET:
		drop_set(fake, table, text(message, NFTA_SET_NAME));
		break;
	case NFT_MSG_NEWSETELEM:
		take_elems(fake, message);
		break;
	case NFT_MSG_DELSETELEM:
		drop_elems(fake, message);
		break;
	default:
		complain(fake, "a message of type %u", type);
	}
}

void fake_apply(struct fake *fake, const struct nft_plan *plan, int from, int to)
{
	for (int part = from; part < to; part++) {
		const struct nft_batch *batch = &plan->parts[part];

		for (size_t i = 0; i < batch->messages.n; i++)
			take_message(fake, (struct nlmsghdr *)(batch->bytes +
							       batch->messages.v[i].offset));
	}
	if (fake->lists)
		complain(fake, "an anonymous set without its rule");
	forget_lists(fake);
}

void fake_done(struct fake *fake)
{
	ruleset_done(&fake->ruleset);
}
