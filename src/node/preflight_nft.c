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

#define READ_BYTES 32768
#define TRIES      8

/* A base chain at the hook. */
struct forward {
	uint32_t family;
	bool drops; /* its policy does */
	char *table, *chain;
};

struct scan {
	const struct preflight_host *host;
	VEC(struct forward) forwards;
	VEC(char *) flowtables; /* "FAMILY TABLE NAME" */
	bool last_drops;        /* the last rule seen does, whatever the packet */
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

static int take_chain(const struct nlmsghdr *message, void *ctx)
{
	struct scan *scan = ctx;
	CLEANUP(free_chain) struct nftnl_chain *chain = nftnl_chain_alloc();
	struct forward forward;
	const char *table, *type;

	if (!chain)
		return stop();
	if (nftnl_chain_nlmsg_parse(message, chain) < 0 ||
	    !nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM) ||
	    nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM) != NF_INET_FORWARD)
		return MNL_CB_OK;
	table = nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE);
	type = nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE);
	forward = (struct forward){.family = nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY)};
	if (!table || !type || strcmp(table, scan->host->table) == 0 ||
	    strcmp(type, "filter") != 0 || !matters(scan->host, forward.family))
		return MNL_CB_OK;
	forward.drops = nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) == NF_DROP;
	forward.table = strdup(table);
	forward.chain = strdup(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
	if (forward.table && forward.chain && vec_push(&scan->forwards, forward) == 0)
		return MNL_CB_OK;
	free(forward.table);
	free(forward.chain);
	return stop();
}

enum effect { EFFECT_NONE, EFFECT_DROP, EFFECT_OTHER };

/* What a statement does to every packet. */
static enum effect effect_of(const struct nftnl_expr *expr)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);

	if (strcmp(name, "counter") == 0 || strcmp(name, "log") == 0)
		return EFFECT_NONE;
	if (strcmp(name, "reject") == 0)
		return EFFECT_DROP;
	if (strcmp(name, "target") == 0 && nftnl_expr_is_set(expr, NFTNL_EXPR_TG_NAME))
		return strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_TG_NAME), "REJECT") == 0
			       ? EFFECT_DROP
			       : EFFECT_OTHER;
	if (strcmp(name, "immediate") == 0 && nftnl_expr_is_set(expr, NFTNL_EXPR_IMM_VERDICT) &&
	    nftnl_expr_get_u32(expr, NFTNL_EXPR_IMM_VERDICT) == NF_DROP)
		return EFFECT_DROP;
	return EFFECT_OTHER;
}

static int take_rule(const struct nlmsghdr *message, void *ctx)
{
	struct scan *scan = ctx;
	CLEANUP(free_rule) struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nftnl_expr_iter *exprs;
	struct nftnl_expr *expr;
	enum effect effect = EFFECT_NONE;

	if (!rule)
		return stop();
	scan->last_drops = false;
	if (nftnl_rule_nlmsg_parse(message, rule) < 0)
		return MNL_CB_OK;
	exprs = nftnl_expr_iter_create(rule);
	if (!exprs)
		return stop();
	while (effect == EFFECT_NONE && (expr = nftnl_expr_iter_next(exprs)))
		effect = effect_of(expr);
	nftnl_expr_iter_destroy(exprs);
	scan->last_drops = effect == EFFECT_DROP;
	return MNL_CB_OK;
}

static int take_flowtable(const struct nlmsghdr *message, void *ctx)
{
	struct scan *scan = ctx;
	CLEANUP(free_flowtable) struct nftnl_flowtable *flowtable = nftnl_flowtable_alloc();
	const char *table, *name;
	char *text = NULL;

	if (!flowtable)
		return stop();
	if (nftnl_flowtable_nlmsg_parse(message, flowtable) < 0)
		return MNL_CB_OK;
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
static int dump(struct scan *scan, uint16_t type, const struct forward *of, mnl_cb_t take)
{
	_Alignas(struct nlmsghdr) char buffer[READ_BYTES];
	CLEANUP(close_socket)
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct nlmsghdr *message;
	ssize_t n;
	int rc = MNL_CB_OK;

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	message = nftnl_nlmsg_build_hdr(buffer, type, of ? (uint16_t)of->family : NFPROTO_UNSPEC,
					NLM_F_DUMP, 1);
	if (of) {
		mnl_attr_put_strz(message, NFTA_RULE_TABLE, of->table);
		mnl_attr_put_strz(message, NFTA_RULE_CHAIN, of->chain);
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

static int add_chain(struct preflight *preflight, const struct forward *forward, const char *how)
{
	char todo[PREFLIGHT_TEXT_MAX], subject[PREFLIGHT_SUBJECT_MAX];

	(void)snprintf(subject, sizeof(subject), "%s %s %s", family_name(forward->family),
		       forward->table, forward->chain);
	(void)snprintf(
		todo, sizeof(todo),
		"Unless a rule of it accepts the pods' traffic before, add one, or let it accept: "
		"see \"nft list chain %s %s %s\".",
		family_name(forward->family), forward->table, forward->chain);
	return preflight_add(
		preflight, "forward-drop", PREFLIGHT_WARNING, subject, todo,
		"Another firewall drops what is forwarded: table %s %s, chain %s, %s. It can "
		"drop what policy allows.",
		family_name(forward->family), forward->table, forward->chain, how);
}

static int check_chain(struct scan *scan, struct preflight *preflight,
		       const struct forward *forward)
{
	int rc;

	if (forward->drops)
		return add_chain(preflight, forward, "by its policy");
	scan->last_drops = false;
	rc = dump(scan, NFT_MSG_GETRULE, forward, take_rule);
	if (rc == -ENOENT) /* gone meanwhile */
		return 0;
	return rc == 0 && scan->last_drops ? add_chain(preflight, forward, "by its last rule") : rc;
}

static void clear(struct scan *scan)
{
	for (size_t i = 0; i < scan->forwards.n; i++) {
		free(scan->forwards.v[i].table);
		free(scan->forwards.v[i].chain);
	}
	for (size_t i = 0; i < scan->flowtables.n; i++)
		free(scan->flowtables.v[i]);
	vec_free(&scan->forwards);
	vec_free(&scan->flowtables);
}

static int look(struct scan *scan, struct preflight *preflight)
{
	int rc = dump(scan, NFT_MSG_GETCHAIN, NULL, take_chain);

	for (size_t i = 0; i < scan->forwards.n && rc == 0; i++)
		rc = check_chain(scan, preflight, &scan->forwards.v[i]);
	if (rc == 0)
		rc = dump(scan, NFT_MSG_GETFLOWTABLE, NULL, take_flowtable);
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
