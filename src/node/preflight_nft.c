/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other people's tables, as far as they stand in the way of what is forwarded: an accept of ours is
 * not final for them. */
#include "preflight_nft.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/flowtable.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/task.h"
#include "foreign_dump.h"
#include "foreign_rule.h"
#include "foreign_set.h"

#define TRIES 8
/* The kernel's own bound of jumps, include/net/netfilter/nf_tables.h. */
#define NFT_JUMP_STACK_SIZE 16

/* A base chain at a hook that pods' packets pass. */
struct base {
	uint32_t family, hook;
	bool drops; /* its policy does */
	char *table, *chain;
};

struct scan {
	const struct preflight_host *host;
	VEC(struct base) bases;
	VEC(char *) flowtables;         /* "FAMILY TABLE NAME" */
	VEC(char *) visited;            /* chains that a base chain leads to */
	VEC(struct foreign_rule) rules; /* of the chain that is being read */
	struct foreign_sets sets;
};

static void free_chain(struct nftnl_chain **chain)
{
	if (*chain)
		nftnl_chain_free(*chain);
}

static void free_rule(struct nftnl_rule **rule)
{
	if (*rule)
		nftnl_rule_free(*rule);
}

static void free_flowtable(struct nftnl_flowtable **flowtable)
{
	if (*flowtable)
		nftnl_flowtable_free(*flowtable);
}

static const char *family_name(uint32_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_BRIDGE:
		return "bridge";
	default:
		return "other";
	}
}

/* The chains of this family see what pods send. */
static bool matters(const struct preflight_host *host, uint32_t family)
{
	return (family == NFPROTO_IPV4 && host->v4) || (family == NFPROTO_IPV6 && host->v6) ||
	       family == NFPROTO_INET || (family == NFPROTO_BRIDGE && host->n_bridges > 0);
}

/* NF_BR_* have the same numbers as NF_INET_*. */
static const struct {
	uint32_t hook;
	const char *id, *drops; /* "Another firewall drops ..." */
} hooks[] = {
	{NF_INET_PRE_ROUTING, "prerouting-drop", "what comes in"},
	{NF_INET_FORWARD, "forward-drop", "what is forwarded"},
	{NF_INET_POST_ROUTING, "postrouting-drop", "what goes out"},
};

static bool is_hook(uint32_t hook)
{
	for (size_t i = 0; i < ARRAY_LEN(hooks); i++) {
		if (hooks[i].hook == hook)
			return true;
	}
	return false;
}

static int handle_chain(const struct nlmsghdr *message, void *ctx)
{
	struct scan *scan = ctx;
	CLEANUP(free_chain) struct nftnl_chain *chain = nftnl_chain_alloc();
	struct base base;
	const char *table, *type;

	task_step();
	if (!chain)
		return foreign_dump_stop();
	errno = 0;
	if (nftnl_chain_nlmsg_parse(message, chain) < 0)
		return foreign_dump_not_parsed();
	if (!nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM) ||
	    !is_hook(nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM)))
		return MNL_CB_OK;
	table = nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE);
	type = nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE);
	base = (struct base){.family = nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY),
			     .hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM)};
	if (!table || !type || strcmp(table, scan->host->table) == 0 ||
	    strcmp(type, "filter") != 0 || !matters(scan->host, base.family))
		return MNL_CB_OK;
	base.drops = nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) == NF_DROP;
	base.table = strdup(table);
	base.chain = strdup(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
	if (base.table && base.chain && vec_push(&scan->bases, base) == 0)
		return MNL_CB_OK;
	free(base.table);
	free(base.chain);
	return foreign_dump_stop();
}

static int handle_rule(const struct nlmsghdr *message, void *ctx)
{
	struct scan *scan = ctx;
	CLEANUP(free_rule) struct nftnl_rule *rule = nftnl_rule_alloc();
	struct foreign_rule parsed;

	task_step();
	if (!rule)
		return foreign_dump_stop();
	errno = 0;
	if (nftnl_rule_nlmsg_parse(message, rule) < 0)
		return foreign_dump_not_parsed();
	if (foreign_rule_parse(scan->host, rule, &parsed) < 0)
		return foreign_dump_stop();
	if (vec_push(&scan->rules, parsed) == 0)
		return MNL_CB_OK;
	foreign_rule_done(&parsed);
	return foreign_dump_stop();
}

static int handle_flowtable(const struct nlmsghdr *message, void *ctx)
{
	struct scan *scan = ctx;
	CLEANUP(free_flowtable) struct nftnl_flowtable *flowtable = nftnl_flowtable_alloc();
	const char *table, *name;
	char *text = NULL;

	if (!flowtable)
		return foreign_dump_stop();
	errno = 0;
	if (nftnl_flowtable_nlmsg_parse(message, flowtable) < 0)
		return foreign_dump_not_parsed();
	table = nftnl_flowtable_get_str(flowtable, NFTNL_FLOWTABLE_TABLE);
	name = nftnl_flowtable_get_str(flowtable, NFTNL_FLOWTABLE_NAME);
	if (!table || !name || strcmp(table, scan->host->table) == 0)
		return MNL_CB_OK;
	if (asprintf(&text, "%s %s %s",
		     family_name(nftnl_flowtable_get_u32(flowtable, NFTNL_FLOWTABLE_FAMILY)), table,
		     name) < 0)
		return foreign_dump_stop();
	if (vec_push(&scan->flowtables, text) == 0)
		return MNL_CB_OK;
	free(text);
	return foreign_dump_stop();
}

/* "table ip x, chain y, which chain z leads to, HOW" */
static void describe(const struct base *base, const char *chain, const char *how,
		     char text[static PREFLIGHT_TEXT_MAX])
{
	bool own = strcmp(chain, base->chain) == 0;

	(void)snprintf(text, PREFLIGHT_TEXT_MAX, "table %s %.100s, chain %.100s%s%.100s%s, %s",
		       family_name(base->family), base->table, chain, own ? "" : ", which chain ",
		       own ? "" : base->chain, own ? "" : " leads to", how);
}

static int add_drop(struct preflight *preflight, const struct base *base, const char *chain,
		    const char *how)
{
	char todo[PREFLIGHT_TEXT_MAX], subject[PREFLIGHT_SUBJECT_MAX], where[PREFLIGHT_TEXT_MAX];
	size_t i = 0;

	while (hooks[i].hook != base->hook)
		i++;
	describe(base, chain, how, where);
	(void)snprintf(subject, sizeof(subject), "%s %s %s", family_name(base->family), base->table,
		       chain);
	(void)snprintf(todo, sizeof(todo),
		       "Unless a rule of it accepts the pods' traffic before, add one, or let it "
		       "accept: see \"nft list chain %s %.200s %.200s\".",
		       family_name(base->family), base->table, chain);
	return preflight_add(preflight, hooks[i].id, PREFLIGHT_WARNING, subject, todo,
			     "Another firewall drops %s: %s. It can drop what policy allows.",
			     hooks[i].drops, where);
}

static int add_notrack(struct preflight *preflight, const struct base *base, const char *chain)
{
	char subject[PREFLIGHT_SUBJECT_MAX], where[PREFLIGHT_TEXT_MAX];

	describe(base, chain, "by a rule", where);
	(void)snprintf(subject, sizeof(subject), "%s %s %s", family_name(base->family), base->table,
		       chain);
	return preflight_add(preflight, "notrack", PREFLIGHT_WARNING, subject,
			     "Restrict the rule to traffic that is not of pods.",
			     "Another firewall keeps traffic of pods from connection tracking: %s. "
			     "Replies to what policy allows are then dropped like connections of "
			     "their own.",
			     where);
}

/* Where a rule is that is being looked at. */
struct position {
	const struct base *base;
	const char *chain;
	bool certain; /* all conditions on the way here are understood */
	unsigned depth;
};

static int walk(struct scan *scan, struct preflight *preflight, const struct position *at);

/* What drops only packets that are not like any other, invalid ones or those to one port, is
 * somebody's decision and no finding. `certain`: the conditions of the rule are understood. 0; 1:
 * nothing behind the rule is reached if it matches; or an error. */
static int walk_verdict(struct scan *scan, struct preflight *preflight, const struct position *at,
			const struct foreign_verdict *verdict, bool certain)
{
	struct position next = {.base = at->base,
				.chain = verdict->target,
				.certain = at->certain && certain,
				.depth = at->depth + 1};
	int rc;

	switch (verdict->effect) {
	case FOREIGN_NONE:
	case FOREIGN_MAP:
		return 0;
	case FOREIGN_DROP:
		rc = next.certain ? add_drop(preflight, at->base, at->chain, "by a rule") : 0;
		return rc < 0 ? rc : 1;
	case FOREIGN_NOTRACK:
		return add_notrack(preflight, at->base, at->chain);
	case FOREIGN_JUMP:
	case FOREIGN_GOTO:
		rc = walk(scan, preflight, &next);
		return rc < 0 ? rc : verdict->effect == FOREIGN_GOTO;
	case FOREIGN_ACCEPT:
	case FOREIGN_RETURN:
		return 1;
	}
	return 0;
}

/* Each element that packets of pods find is like a rule of its own. */
static int walk_map(struct scan *scan, struct preflight *preflight, const struct position *at,
		    const struct foreign_rule *rule, const struct foreign_elems *elems)
{
	int rc = 0;

	for (size_t i = 0; i < elems->v.n && rc >= 0; i++) {
		struct foreign_answer found = foreign_elem_found(scan->host, &rule->key, elems, i);

		if (found.applies)
			rc = walk_verdict(scan, preflight, at, &elems->v.v[i].verdict,
					  rule->certain && found.certain);
	}
	return rc < 0 ? rc : 0;
}

/* An element that matches for certain will do. */
static struct foreign_answer is_member(const struct preflight_host *host,
				       const struct foreign_rule *rule,
				       const struct foreign_elems *elems)
{
	struct foreign_answer all = {0};

	if (rule->negate)
		return foreign_none_found(host, &rule->key, elems);
	for (size_t i = 0; i < elems->v.n && !all.certain; i++) {
		struct foreign_answer found = foreign_elem_found(host, &rule->key, elems, i);

		all.applies |= found.applies;
		all.certain |= found.applies && found.certain;
	}
	return all;
}

static int walk_member(struct scan *scan, struct preflight *preflight, const struct position *at,
		       const struct foreign_rule *rule, const struct foreign_elems *elems)
{
	struct foreign_answer all = is_member(scan->host, rule, elems);
	int rc = 0;

	if (all.applies)
		rc = walk_verdict(scan, preflight, at, &rule->verdict,
				  rule->certain && all.certain);
	return rc < 0 ? rc : 0;
}

/* A set that is gone, or too large, is none that is known to match. */
static int walk_set(struct scan *scan, struct preflight *preflight, const struct position *at,
		    const struct foreign_rule *rule)
{
	struct foreign_place place = {at->base->family, at->base->table, rule->set};
	struct foreign_elems elems;
	int rc = foreign_elems_read(&scan->sets, &place, &elems);

	if (rc == 0)
		rc = rule->verdict.effect == FOREIGN_MAP
			     ? walk_map(scan, preflight, at, rule, &elems)
			     : walk_member(scan, preflight, at, rule, &elems);
	foreign_elems_done(&elems);
	return rc == -ENOENT || rc == -E2BIG ? 0 : rc;
}

/* 0; 1: nothing behind the rule is reached; or an error. */
static int walk_rule(struct scan *scan, struct preflight *preflight, const struct position *at,
		     const struct foreign_rule *rule)
{
	int rc;

	if (!rule->applies || rule->verdict.effect == FOREIGN_NONE)
		return 0;
	if (rule->set)
		return walk_set(scan, preflight, at, rule);
	rc = walk_verdict(scan, preflight, at, &rule->verdict, rule->certain);
	return rc < 0 ? rc : rc > 0 && rule->always;
}

/* Once for each base chain and certainty. 0, 1: not again, or -ENOMEM. */
static int visit(struct scan *scan, const char *chain, bool certain)
{
	char *copy = NULL, key[NFT_CHAIN_MAXNAMELEN + 1];

	(void)snprintf(key, sizeof(key), "%c%s", certain ? '+' : '-', chain);
	for (size_t i = 0; i < scan->visited.n; i++) {
		if (strcmp(scan->visited.v[i], key) == 0)
			return 1;
	}
	if (scan->visited.n >= PREFLIGHT_CHAINS_MAX)
		return 1;
	copy = strdup(key);
	if (copy && vec_push(&scan->visited, copy) == 0)
		return 0;
	free(copy);
	return -ENOMEM;
}

static void free_rules(struct scan *scan)
{
	for (size_t i = 0; i < scan->rules.n; i++)
		foreign_rule_done(&scan->rules.v[i]);
	vec_free(&scan->rules);
}

static int walk(struct scan *scan, struct preflight *preflight, const struct position *at)
{
	struct foreign_place place = {at->base->family, at->base->table, at->chain};
	struct scan own = {.host = scan->host};
	int rc = at->depth > NFT_JUMP_STACK_SIZE ? 1 : visit(scan, at->chain, at->certain);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = foreign_dump(NFT_MSG_GETRULE, &place, handle_rule, &own);
	for (size_t i = 0; i < own.rules.n && rc == 0; i++)
		rc = walk_rule(scan, preflight, at, &own.rules.v[i]);
	free_rules(&own);
	return rc == -ENOENT || rc > 0 ? 0 : rc; /* gone meanwhile */
}

static void forget_visited(struct scan *scan)
{
	for (size_t i = 0; i < scan->visited.n; i++)
		free(scan->visited.v[i]);
	vec_free(&scan->visited);
}

static int check_base(struct scan *scan, struct preflight *preflight, const struct base *base)
{
	struct position at = {.base = base, .chain = base->chain, .certain = true};
	int rc = base->drops ? add_drop(preflight, base, base->chain, "by its policy") : 0;

	if (rc == 0)
		rc = walk(scan, preflight, &at);
	forget_visited(scan);
	return rc;
}

static void clear(struct scan *scan)
{
	for (size_t i = 0; i < scan->bases.n; i++) {
		free(scan->bases.v[i].table);
		free(scan->bases.v[i].chain);
	}
	for (size_t i = 0; i < scan->flowtables.n; i++)
		free(scan->flowtables.v[i]);
	vec_free(&scan->bases);
	vec_free(&scan->flowtables);
	foreign_sets_done(&scan->sets);
}

static int look(struct scan *scan, struct preflight *preflight)
{
	int rc = foreign_dump(NFT_MSG_GETCHAIN, NULL, handle_chain, scan);

	if (rc == 0)
		rc = foreign_sets_read(&scan->sets);
	for (size_t i = 0; i < scan->bases.n && rc == 0; i++)
		rc = check_base(scan, preflight, &scan->bases.v[i]);
	if (rc == 0)
		rc = foreign_dump(NFT_MSG_GETFLOWTABLE, NULL, handle_flowtable, scan);
	for (size_t i = 0; i < scan->flowtables.n && rc == 0; i++)
		rc = preflight_add(
			preflight, "flowtable", PREFLIGHT_WARNING, scan->flowtables.v[i],
			"Keep the pods' connections out of it, or remove it.",
			"Flowtable %s lets established connections pass by the forward hook: "
			"they are not counted, and a stricter policy does not reach them.",
			scan->flowtables.v[i]);
	return rc;
}

static int cannot_look(struct preflight *preflight, int code)
{
	if (code == -ENOMEM)
		return code;
	if (code == -EPERM || code == -EACCES)
		return preflight_add(preflight, "no-privileges", PREFLIGHT_OPEN, "nftables",
				     "Run netpold with the capability CAP_NET_ADMIN.",
				     "nftables may not be read: no policy is enforced.");
	if (code == -EINTR)
		return preflight_add(
			preflight, "nftables-busy", PREFLIGHT_WARNING, "nftables",
			"Look again later.",
			"Others change nftables faster than it can be read: whether another "
			"firewall drops what is forwarded is not known.");
	return preflight_add(preflight, "nf-tables-missing", PREFLIGHT_OPEN, "nftables",
			     "Run a kernel that has nf_tables, or load that module.",
			     "nftables cannot be read (%s): no policy is enforced.",
			     strerror(-code));
}

int preflight_nft(const struct preflight_host *host, struct preflight *preflight)
{
	struct scan scan = {.host = host};
	size_t before = preflight->findings.n;
	int rc = -EINTR;

	for (int i = 0; i < TRIES && rc == -EINTR; i++) {
		clear(&scan);
		preflight->findings.n = before;
		rc = look(&scan, preflight);
	}
	clear(&scan);
	return rc < 0 ? cannot_look(preflight, rc) : 0;
}
