/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/readback.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "nft/encode.h"
#include "request.h"

/* A whole listing takes milliseconds; who changes rulesets faster than that for so long? */
#define ATTEMPTS_MAX 20

struct reading {
	struct nft_kernel *kernel;
	struct nft_found *found;
	enum nft_table table;             /* the one that is being read */
	struct decoded_list *lists;       /* its anonymous sets */
	struct decoded_elems elems;       /* of the set that is being read */
	enum nf_tables_msg_types message; /* what is being listed */
};

/* Only the first is told: it is for the log. */
static void note_foreign(struct reading *r, const char *what, const char *name)
{
	struct nft_found *found = r->found;

	if (!found->what[0])
		(void)snprintf(found->what, sizeof(found->what), "%s %s in table %s %s", what, name,
			       nft_table_word(r->table), NFT_TABLE_NAME);
	found->foreign[r->table] = true;
}

static bool fits(struct reading *r, const char *what, const char *name)
{
	if (strlen(name) < NFT_NAME_MAX)
		return true;
	note_foreign(r, what, name);
	return false;
}

/* Asks for a list of what is in our table; `set`: of its elements. */
static int list(struct reading *r, uint16_t type, const char *set, nft_answer_fn answer)
{
	_Alignas(struct nlmsghdr) char buffer[NFT_REQUEST_BYTES];
	struct nlmsghdr *request =
		nft_request_start(buffer, type, nft_table_family(r->table), NLM_F_DUMP);

	/* The first attribute of all of them is the table; not all lists go by it. */
	if (type != NFT_MSG_GETTABLE)
		mnl_attr_put_strz(request, NFTA_CHAIN_TABLE, NFT_TABLE_NAME);
	if (set)
		mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, set);
	return nft_request(r->kernel, request, answer, r);
}

/* What libnftnl's parsers return, with errno 0 before: without memory it is not known what was in
 * the message, and not all of them say so (nftnl_chain_nlmsg_parse() leaves out a comment);
 * anything else that they do not understand is none of ours. */
static int parse_result(int rc)
{
	return errno == ENOMEM ? -ENOMEM : rc;
}

/* When the owner's socket is closed, the kernel takes the flag owner off (nft_rcv_nl_event() of
 * nf_tables_api.c). */
static void apply_table_flags(struct reading *r, const struct nftnl_table *object)
{
	uint32_t flags = nftnl_table_get_u32(object, NFTNL_TABLE_FLAGS);

	r->found->ruleset.orphan[r->table] = nft_table_is_orphan(flags);
	if (flags & NFT_TABLE_F_OWNER)
		r->found->owner[r->table] = nftnl_table_get_u32(object, NFTNL_TABLE_OWNER);
	if (flags & ~(NFT_TABLE_F_OWNER | NFT_TABLE_PERSIST)) /* dormant */
		note_foreign(r, "flags", "of the table");
}

static int handle_table(void *ctx, const struct nlmsghdr *message)
{
	struct reading *r = ctx;
	struct nftnl_table *object = nftnl_table_alloc();
	uint32_t len = 0;
	int rc;

	if (!object)
		return -ENOMEM;
	errno = 0;
	rc = parse_result(nftnl_table_nlmsg_parse(message, object));
	if (rc == 0 && strcmp(nftnl_table_get_str(object, NFTNL_TABLE_NAME), NFT_TABLE_NAME) == 0) {
		r->found->ruleset.in_kernel[r->table] = true;
		apply_table_flags(r, object);
		if (nftnl_table_get_data(object, NFTNL_TABLE_USERDATA, &len))
			note_foreign(r, "comment", "of the table");
	}
	nftnl_table_free(object);
	return rc == -ENOMEM ? rc : 0;
}

static int put_chain(struct reading *r, const struct nftnl_chain *object)
{
	struct nft_chain *chain;

	if (strcmp(nftnl_chain_get_str(object, NFTNL_CHAIN_TABLE), NFT_TABLE_NAME) != 0)
		return 0;
	/* A chain within a rule goes with it. */
	if (nftnl_chain_get_u32(object, NFTNL_CHAIN_FLAGS) & NFT_CHAIN_BINDING)
		return 0;
	if (!fits(r, "chain", nftnl_chain_get_str(object, NFTNL_CHAIN_NAME)))
		return 0;
	chain = decode_chain(r->table, object);
	return chain ? ruleset_put_chain(&r->found->ruleset, r->table, chain) : -ENOMEM;
}

static int handle_chain(void *ctx, const struct nlmsghdr *message)
{
	struct nftnl_chain *object = nftnl_chain_alloc();
	int rc;

	if (!object)
		return -ENOMEM;
	errno = 0;
	rc = parse_result(nftnl_chain_nlmsg_parse(message, object));
	if (rc == 0)
		rc = put_chain(ctx, object);
	nftnl_chain_free(object);
	return rc == -ENOMEM ? rc : 0;
}

static int put_list(struct reading *r, const struct nftnl_set *object)
{
	struct decoded_list *list = decode_list(object);

	if (!list)
		return -ENOMEM;
	HASH_ADD_STR(r->lists, name, list);
	if (table_added(list))
		return 0;
	decoded_list_free(list);
	return -ENOMEM;
}

static int put_set(struct reading *r, const struct nftnl_set *object)
{
	const char *name = nftnl_set_get_str(object, NFTNL_SET_NAME);
	struct nft_set *set;

	if (strcmp(nftnl_set_get_str(object, NFTNL_SET_TABLE), NFT_TABLE_NAME) != 0)
		return 0;
	if (nftnl_set_get_u32(object, NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS)
		return put_list(r, object);
	if (!fits(r, "set", name))
		return 0;
	/* One of another table has the name: there are two, and none of ours has that. */
	if (ruleset_set(&r->found->ruleset, name)) {
		note_foreign(r, "set", name);
		return 0;
	}
	set = decode_set(object);
	if (set)
		set->table = r->table;
	return set ? ruleset_put_set(&r->found->ruleset, set) : -ENOMEM;
}

static int handle_set(void *ctx, const struct nlmsghdr *message)
{
	struct nftnl_set *object = nftnl_set_alloc();
	int rc;

	if (!object)
		return -ENOMEM;
	errno = 0;
	rc = parse_result(nftnl_set_nlmsg_parse(message, object));
	if (rc == 0)
		rc = put_set(ctx, object);
	nftnl_set_free(object);
	return rc == -ENOMEM ? rc : 0;
}

static int handle_elems(void *ctx, const struct nlmsghdr *message)
{
	struct reading *r = ctx;

	return decode_elems(message, &r->elems);
}

/* A set that is gone by now: the ruleset has changed since the sets were listed. */
static int list_elems(struct reading *r, const char *set)
{
	int rc = list(r, NFT_MSG_GETSETELEM, set, handle_elems);

	return rc == -ENOENT ? -EINTR : rc;
}

static int read_elems(struct reading *r)
{
	int rc = 0, end;

	for (struct nft_set *set = r->found->ruleset.sets; set && rc == 0; set = set->hh.next) {
		if (set->other || set->table != r->table)
			continue;
		decode_set_start(set, &r->elems);
		rc = list_elems(r, set->name);
		end = decode_set_end(set, &r->elems);
		rc = rc == 0 ? end : rc;
	}
	for (struct decoded_list *anonymous = r->lists; anonymous && rc == 0;
	     anonymous = anonymous->hh.next) {
		if (anonymous->broken)
			continue;
		r->elems = (struct decoded_elems){.key_len = anonymous->key_len};
		rc = list_elems(r, anonymous->name);
		end = decode_list_end(anonymous, &r->elems);
		rc = rc == 0 ? end : rc;
	}
	return rc;
}

/* Both are the first of their kind in every message. */
static const char *rule_name(const struct nlmsghdr *message, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == type)
			return mnl_attr_get_str(attr);
	}
	return "";
}

/* Expressions that libnftnl does not know are nobody's but others'. */
static int decode_message(const struct reading *r, const struct nlmsghdr *message,
			  struct nft_rule *ret)
{
	struct nftnl_rule *object = nftnl_rule_alloc();
	int rc;

	if (!object)
		return -ENOMEM;
	errno = 0;
	rc = parse_result(nftnl_rule_nlmsg_parse(message, object));
	if (rc == 0)
		rc = decode_rule(r->table, r->lists, object, ret);
	nftnl_rule_free(object);
	return rc == -ENOMEM ? rc : 0;
}

static int handle_rule(void *ctx, const struct nlmsghdr *message)
{
	struct reading *r = ctx;
	struct nft_rule rule = {0};
	struct nft_chain *chain;
	int rc;

	if (strcmp(rule_name(message, NFTA_RULE_TABLE), NFT_TABLE_NAME) != 0)
		return 0;
	chain = ruleset_chain(&r->found->ruleset, r->table, rule_name(message, NFTA_RULE_CHAIN));
	if (!chain)
		return 0; /* it goes with its rule, or with its table */
	rc = decode_message(r, message, &rule);
	return rc == 0 ? nft_chain_add(chain, &rule) : rc;
}

static int take_object(void *ctx, const struct nlmsghdr *message)
{
	struct reading *r = ctx;

	/* The second attribute of both is the name. */
	if (strcmp(rule_name(message, NFTA_OBJ_TABLE), NFT_TABLE_NAME) == 0)
		note_foreign(r, r->message == NFT_MSG_GETOBJ ? "object" : "flowtable",
			     rule_name(message, NFTA_OBJ_NAME));
	return 0;
}

/* Kernels without them do not know the question. */
static int read_objects(struct reading *r, uint16_t type)
{
	int rc;

	r->message = type;
	rc = list(r, type, NULL, take_object);
	return rc == -EOPNOTSUPP || rc == -EINVAL ? 0 : rc;
}

static void forget_lists(struct reading *r)
{
	struct decoded_list *anonymous, *tmp;

	HASH_ITER (hh, r->lists, anonymous, tmp) {
		HASH_DEL(r->lists, anonymous);
		decoded_list_free(anonymous);
	}
}

static int read_table(struct reading *r)
{
	int rc = list(r, NFT_MSG_GETTABLE, NULL, handle_table);

	if (rc < 0 || !r->found->ruleset.in_kernel[r->table])
		return rc;
	rc = list(r, NFT_MSG_GETCHAIN, NULL, handle_chain);
	if (rc == 0)
		rc = list(r, NFT_MSG_GETSET, NULL, handle_set);
	if (rc == 0)
		rc = read_elems(r);
	if (rc == 0)
		rc = list(r, NFT_MSG_GETRULE, NULL, handle_rule);
	if (rc == 0)
		rc = read_objects(r, NFT_MSG_GETOBJ);
	if (rc == 0)
		rc = read_objects(r, NFT_MSG_GETFLOWTABLE);
	forget_lists(r);
	return rc;
}

/* All of it at one generation. -EINTR: it has changed meanwhile. */
static int read_once(struct nft_kernel *kernel, struct nft_found *found)
{
	struct reading r = {.kernel = kernel, .found = found};
	uint32_t after = 0;
	int rc = nft_kernel_generation(kernel, &found->generation);

	for (int table = 0; table < NFT_TABLE_COUNT && rc == 0; table++) {
		r.table = (enum nft_table)table;
		rc = read_table(&r);
	}
	if (rc == 0)
		rc = nft_kernel_generation(kernel, &after);
	return rc == 0 && after != found->generation ? -EINTR : rc;
}

int nft_readback(struct nft_kernel *kernel, struct nft_found *ret, struct err *err)
{
	int rc = -EINTR;

	for (int attempt = 0; attempt < ATTEMPTS_MAX && rc == -EINTR; attempt++) {
		struct nft_found found = {0};

		rc = read_once(kernel, &found);
		if (rc == 0)
			*ret = found;
		else
			nft_found_done(&found);
	}
	if (rc == -EINTR)
		return err_set(err, -EAGAIN,
			       "cannot read our tables: rulesets change all the time");
	return rc < 0 ? err_set(err, rc, "cannot read our tables: %s", strerror(-rc)) : 0;
}

void nft_found_done(struct nft_found *found)
{
	ruleset_done(&found->ruleset);
}

int nft_plan_repair(struct nft_plan *plan, const struct nft_found *found,
		    const struct ruleset *wanted)
{
	if (found->what[0])
		return nft_plan_rebuild(plan, found->foreign, &found->ruleset, wanted);
	return nft_plan_full(plan, &found->ruleset, wanted);
}
