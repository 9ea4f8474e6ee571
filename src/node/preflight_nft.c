/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other people's tables, as far as they stand in the way of what is forwarded: an accept of ours is
 * not final for them. */
#include "preflight_nft.h"

#include <errno.h>
#include <libmnl/libmnl.h>
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
#include "foreign_rule.h"

#define READ_BYTES 32768
#define TRIES      8
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
};

static void close_socket(struct mnl_socket **socket)
{
	if (*socket)
		(void)mnl_socket_close(*socket); /* nothing to lose */
}

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

static int stop(void)
{
	errno = ENOMEM;
	return MNL_CB_ERROR;
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

/* What libnftnl does not know is passed over; without memory it is not known what it was. */
static int not_parsed(void)
{
	return errno == ENOMEM ? stop() : MNL_CB_OK;
}

static int take_chain(const struct nlmsghdr *message, void *ctx)
{
	struct scan *scan = ctx;
	CLEANUP(free_chain) struct nftnl_chain *chain = nftnl_chain_alloc();
	struct base base;
	const char *table, *type;

	task_step();
	if (!chain)
		return stop();
	errno = 0;
	if (nftnl_chain_nlmsg_parse(message, chain) < 0)
		return not_parsed();
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
	return stop();
}

static int take_rule(const struct nlmsghdr *message, void *ctx)
{
	struct scan *scan = ctx;
	CLEANUP(free_rule) struct nftnl_rule *rule = nftnl_rule_alloc();
	struct foreign_rule parsed;

	task_step();
	if (!rule)
		return stop();
	errno = 0;
	if (nftnl_rule_nlmsg_parse(message, rule) < 0)
		return not_parsed();
	if (foreign_rule_parse(scan->host, rule, &parsed) < 0)
		return stop();
	if (vec_push(&scan->rules, parsed) == 0)
		return MNL_CB_OK;
	free(parsed.target);
	return stop();
}

static int take_flowtable(const struct nlmsghdr *message, void *ctx)
{
	struct scan *scan = ctx;
	CLEANUP(free_flowtable) struct nftnl_flowtable *flowtable = nftnl_flowtable_alloc();
	const char *table, *name;
	char *text = NULL;

	if (!flowtable)
		return stop();
	errno = 0;
	if (nftnl_flowtable_nlmsg_parse(message, flowtable) < 0)
		return not_parsed();
	table = nftnl_flowtable_get_str(flowtable, NFTNL_FLOWTABLE_TABLE);
	name = nftnl_flowtable_get_str(flowtable, NFTNL_FLOWTABLE_NAME);
	if (!table || !name || strcmp(table, scan->host->table) == 0)
		return MNL_CB_OK;
	if (asprintf(&text, "%s %s %s",
		     family_name(nftnl_flowtable_get_u32(flowtable, NFTNL_FLOWTABLE_FAMILY)), table,
		     name) < 0)
		return stop();
	if (vec_push(&scan->flowtables, text) == 0)
		return MNL_CB_OK;
	free(text);
	return stop();
}

/* 0; -EINTR: somebody changed something meanwhile; other errors. A rule's table and chain narrow
 * the dump. */
static int dump(struct scan *scan, uint16_t type, const struct base *of, const char *chain,
		mnl_cb_t take)
{
	_Alignas(struct nlmsghdr) char buffer[READ_BYTES];
	CLEANUP(close_socket)
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct nlmsghdr *message;
	ssize_t n;
	int rc = MNL_CB_OK;

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	memset(buffer, 0, sizeof(buffer)); /* libmnl leaves out padding */
	message = nftnl_nlmsg_build_hdr(buffer, type, of ? (uint16_t)of->family : NFPROTO_UNSPEC,
					NLM_F_DUMP, 1);
	if (of) {
		mnl_attr_put_strz(message, NFTA_RULE_TABLE, of->table);
		mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain);
	}
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (rc > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(socket), take, scan);
	}
	return rc < 0 ? -errno : 0;
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

static int walk(struct scan *scan, struct preflight *preflight, const struct base *base,
		const char *chain, bool certain, unsigned depth);

/* `certain`: all conditions on the way here are understood. What drops only packets that are not
 * like any other, invalid ones or those to one port, is somebody's decision and no finding. 0; 1:
 * nothing behind the rule is reached; or an error. */
static int walk_rule(struct scan *scan, struct preflight *preflight, const struct base *base,
		     const char *chain, const struct foreign_rule *rule, bool certain,
		     unsigned depth)
{
	int rc = 0;

	if (!rule->applies)
		return 0;
	switch (rule->effect) {
	case FOREIGN_NONE:
		return 0;
	case FOREIGN_DROP:
		if (certain && rule->certain)
			rc = add_drop(preflight, base, chain, "by a rule");
		return rc < 0 ? rc : rule->always;
	case FOREIGN_NOTRACK:
		return add_notrack(preflight, base, chain);
	case FOREIGN_JUMP:
	case FOREIGN_GOTO:
		rc = walk(scan, preflight, base, rule->target, certain && rule->certain, depth + 1);
		return rc < 0 ? rc : rule->always && rule->effect == FOREIGN_GOTO;
	case FOREIGN_ACCEPT:
	case FOREIGN_RETURN:
		return rule->always;
	}
	return 0;
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
		free(scan->rules.v[i].target);
	vec_free(&scan->rules);
}

static int walk(struct scan *scan, struct preflight *preflight, const struct base *base,
		const char *chain, bool certain, unsigned depth)
{
	struct scan own = {.host = scan->host};
	int rc = depth > NFT_JUMP_STACK_SIZE ? 1 : visit(scan, chain, certain);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = dump(&own, NFT_MSG_GETRULE, base, chain, take_rule);
	for (size_t i = 0; i < own.rules.n && rc == 0; i++)
		rc = walk_rule(scan, preflight, base, chain, &own.rules.v[i], certain, depth);
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
	int rc = base->drops ? add_drop(preflight, base, base->chain, "by its policy") : 0;

	if (rc == 0)
		rc = walk(scan, preflight, base, base->chain, true, 0);
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
}

static int look(struct scan *scan, struct preflight *preflight)
{
	int rc = dump(scan, NFT_MSG_GETCHAIN, NULL, NULL, take_chain);

	for (size_t i = 0; i < scan->bases.n && rc == 0; i++)
		rc = check_base(scan, preflight, &scan->bases.v[i]);
	if (rc == 0)
		rc = dump(scan, NFT_MSG_GETFLOWTABLE, NULL, NULL, take_flowtable);
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
