/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/encode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_bridge.h>
#include <stdlib.h>
#include <string.h>

#include "base/task.h"
#include "encode_expr.h"
#include "keys.h"

/* A message has at most this many bytes of elements, and is what a transaction is not cut below. An
 * attribute's length is 16 bits, and wraps silently. */
#define ELEMS_BYTES_MAX     4000
#define ELEM_BYTES_MAX      512
#define SMALL_MESSAGE       4096
#define RULE_MESSAGE        65536

#define BYTEORDER_HOST      1
#define BYTEORDER_NETWORK   2

#define TABLE_OWNER_PERSIST (NFT_TABLE_F_OWNER | NFT_TABLE_PERSIST)

#define PROBE_TABLE         "netpold-probe"

static int build_table(struct nft_batch *batch, enum nft_table table, const char *name,
		       const uint32_t *flags)
{
	struct nlmsghdr *message = nft_batch_open(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE,
						  NFT_SUBJECT_TABLE, table, "", SMALL_MESSAGE);

	if (!message)
		return -ENOMEM;
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, name);
	if (flags)
		mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(*flags));
	return nft_batch_close(batch, message);
}

int nft_build_table(struct nft_batch *batch, enum nft_table table, bool own)
{
	uint32_t flags = own ? TABLE_OWNER_PERSIST : 0;

	return build_table(batch, table, NFT_TABLE_NAME, &flags);
}

/* nft_table_is_orphan() of nf_tables_api.c, and no other flag. */
bool nft_table_is_orphan(uint32_t flags)
{
	return flags == NFT_TABLE_PERSIST;
}

/* nf_tables_updtable() refuses other flags than the table has, and takes none for no change. */
int nft_build_table_if_absent(struct nft_batch *batch, enum nft_table table)
{
	return build_table(batch, table, NFT_TABLE_NAME, NULL);
}

int nft_build_owner_probe(struct nft_batch *batch)
{
	uint32_t flags = TABLE_OWNER_PERSIST;
	struct nlmsghdr *message;
	int rc = build_table(batch, NFT_TABLE_POLICY, PROBE_TABLE, &flags);

	if (rc < 0)
		return rc;
	message = nft_batch_open(batch, NFT_MSG_DELCHAIN, 0, NFT_SUBJECT_CHAIN, NFT_TABLE_POLICY,
				 "", SMALL_MESSAGE);
	if (!message)
		return -ENOMEM;
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, PROBE_TABLE);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, "none");
	return nft_batch_close(batch, message);
}

int nft_build_table_delete(struct nft_batch *batch, enum nft_table table)
{
	struct nlmsghdr *message = nft_batch_open(batch, NFT_MSG_DELTABLE, 0, NFT_SUBJECT_TABLE,
						  table, "", SMALL_MESSAGE);

	if (!message)
		return -ENOMEM;
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, NFT_TABLE_NAME);
	return nft_batch_close(batch, message);
}

/* A comment as nft keeps it: a type, a length, text with its NUL. */
static size_t comment_udata(uint8_t *to, uint8_t type, const char *comment)
{
	size_t len = strlen(comment) + 1;

	if (len == 1)
		return 0;
	to[0] = type;
	to[1] = (uint8_t)len; /* bounded by NFT_COMMENT_MAX */
	memcpy(to + 2, comment, len);
	return 2 + len;
}

/* Hooks of the family bridge have the same numbers, and another priority "filter". */
static const struct {
	uint32_t number;
	int32_t priority;
} hooks[] = {
	[NFT_HOOK_FORWARD] = {NF_INET_FORWARD, 0},
	[NFT_HOOK_INPUT] = {NF_INET_LOCAL_IN, NFT_INPUT_PRIORITY},
	[NFT_HOOK_POSTROUTING] = {NF_INET_POST_ROUTING, NFT_POSTROUTING_PRIORITY},
	[NFT_HOOK_PREROUTING] = {NF_INET_PRE_ROUTING, NFT_PREROUTING_PRIORITY},
	[NFT_HOOK_OUTPUT] = {NF_INET_LOCAL_OUT, 0},
};

int32_t nft_hook_priority(enum nft_table table, enum nft_hook hook)
{
	if (table == NFT_TABLE_BRIDGE && hook == NFT_HOOK_FORWARD)
		return NF_BR_PRI_FILTER_BRIDGED;
	return hooks[hook].priority;
}

uint32_t nft_hook_number(enum nft_hook hook)
{
	return hooks[hook].number;
}

/* libnftnl's setters copy texts, and its functions that free want an object. */
static bool set_hook(struct nftnl_chain *object, enum nft_table table,
		     const struct nft_chain *chain)
{
	if (nftnl_chain_set_str(object, NFTNL_CHAIN_TYPE, "filter") < 0)
		return false;
	nftnl_chain_set_u32(object, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	nftnl_chain_set_u32(object, NFTNL_CHAIN_HOOKNUM, hooks[chain->hook].number);
	nftnl_chain_set_s32(object, NFTNL_CHAIN_PRIO, nft_hook_priority(table, chain->hook));
	return true;
}

static struct nftnl_chain *chain_object(enum nft_table table, const struct nft_chain *chain)
{
	struct nftnl_chain *object = nftnl_chain_alloc();
	uint8_t udata[NFT_COMMENT_MAX + 3];
	size_t len = comment_udata(udata, NFTNL_UDATA_CHAIN_COMMENT, chain->comment);

	if (!object)
		return NULL;
	if (nftnl_chain_set_str(object, NFTNL_CHAIN_TABLE, NFT_TABLE_NAME) == 0 &&
	    nftnl_chain_set_str(object, NFTNL_CHAIN_NAME, chain->name) == 0 &&
	    (len == 0 ||
	     nftnl_chain_set_data(object, NFTNL_CHAIN_USERDATA, udata, (uint32_t)len) == 0) &&
	    (chain->hook == NFT_HOOK_NONE || set_hook(object, table, chain)))
		return object;
	nftnl_chain_free(object);
	return NULL;
}

int nft_build_chain(struct nft_batch *batch, enum nft_table table, const struct nft_chain *chain)
{
	struct nlmsghdr *message =
		nft_batch_open(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFT_SUBJECT_CHAIN, table,
			       chain->name, SMALL_MESSAGE);
	struct nftnl_chain *object = message ? chain_object(table, chain) : NULL;

	if (!object)
		return -ENOMEM;
	nftnl_chain_nlmsg_build_payload(message, object);
	nftnl_chain_free(object);
	return nft_batch_close(batch, message);
}

int nft_build_chain_delete(struct nft_batch *batch, enum nft_table table, const char *name)
{
	struct nlmsghdr *message = nft_batch_open(batch, NFT_MSG_DELCHAIN, 0, NFT_SUBJECT_CHAIN,
						  table, name, SMALL_MESSAGE);

	if (!message)
		return -ENOMEM;
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, name);
	return nft_batch_close(batch, message);
}

int nft_build_rules_flush(struct nft_batch *batch, enum nft_table table, const char *chain)
{
	struct nlmsghdr *message = nft_batch_open(batch, NFT_MSG_DELRULE, 0, NFT_SUBJECT_CHAIN,
						  table, chain, SMALL_MESSAGE);

	if (!message)
		return -ENOMEM;
	mnl_attr_put_strz(message, NFTA_RULE_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain);
	return nft_batch_close(batch, message);
}

static struct nftnl_rule *rule_object(const char *chain, const char *comment)
{
	struct nftnl_rule *object = nftnl_rule_alloc();
	uint8_t udata[NFT_COMMENT_MAX + 3];
	size_t len = comment_udata(udata, NFTNL_UDATA_RULE_COMMENT, comment);

	if (!object)
		return NULL;
	if (nftnl_rule_set_str(object, NFTNL_RULE_TABLE, NFT_TABLE_NAME) == 0 &&
	    nftnl_rule_set_str(object, NFTNL_RULE_CHAIN, chain) == 0 &&
	    (len == 0 ||
	     nftnl_rule_set_data(object, NFTNL_RULE_USERDATA, udata, (uint32_t)len) == 0))
		return object;
	nftnl_rule_free(object);
	return NULL;
}

int nft_build_rule(struct nft_batch *batch, enum nft_table table, const char *chain,
		   const struct nft_rule *rule)
{
	struct nftnl_rule *object = rule_object(chain, rule->comment);
	struct nlmsghdr *message;
	int rc = 0;

	if (!object)
		return -ENOMEM;
	/* Anonymous sets first: the rule looks them up. */
	batch->more = true;
	for (size_t i = 0; i < rule->stmts.n && rc == 0; i++)
		rc = nft_build_stmt(batch, table, object, &rule->stmts.v[i]);
	batch->more = false;
	message = rc == 0 ? nft_batch_open(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
					   NFT_SUBJECT_CHAIN, table, chain, RULE_MESSAGE)
			  : NULL;
	if (message) {
		nftnl_rule_nlmsg_build_payload(message, object);
		rc = nft_batch_close(batch, message);
	}
	nftnl_rule_free(object);
	return message ? rc : -ENOMEM;
}

/* nft reads key and data back by what it noted here. */
static int set_udata(struct nftnl_set *object, const struct nft_set *set)
{
	struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	uint32_t order = BYTEORDER_NETWORK;
	int rc;

	if (!udata)
		return -ENOMEM;
	if (set->type == NFT_SET_TYPE_INTERFACE || set->type == NFT_SET_TYPE_INDEX)
		order = BYTEORDER_HOST;
	else if (nft_key_fields(set->type, NULL) > 1)
		order = 0;
	(void)nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_KEYBYTEORDER, order); /* fits */
	if (set->map) {
		(void)nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_DATABYTEORDER, 0);
		(void)nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_DATA_INTERVAL, 0);
	}
	if (set->comment[0])
		(void)nftnl_udata_put_strz(udata, NFTNL_UDATA_SET_COMMENT, set->comment);
	rc = nftnl_set_set_data(object, NFTNL_SET_USERDATA, nftnl_udata_buf_data(udata),
				nftnl_udata_buf_len(udata));
	nftnl_udata_buf_free(udata);
	return rc == 0 ? 0 : -ENOMEM;
}

static struct nftnl_set *set_object(const struct nft_set *set, uint32_t id)
{
	struct nftnl_set *object = nftnl_set_alloc();
	uint8_t fields[NFT_KEY_FIELDS_MAX];
	size_t n = nft_key_fields(set->type, fields);

	if (!object)
		return NULL;
	nftnl_set_set_u32(object, NFTNL_SET_FLAGS, nft_set_flags(set));
	nftnl_set_set_u32(object, NFTNL_SET_KEY_TYPE, nft_key_type(set->type));
	nftnl_set_set_u32(object, NFTNL_SET_KEY_LEN, (uint32_t)nft_key_len(set->type));
	nftnl_set_set_u32(object, NFTNL_SET_ID, id);
	if (nft_set_size(set->type) > 0)
		nftnl_set_set_u32(object, NFTNL_SET_DESC_SIZE, nft_set_size(set->type));
	if (set->map) {
		nftnl_set_set_u32(object, NFTNL_SET_DATA_TYPE, NFT_DATA_VERDICT);
		nftnl_set_set_u32(object, NFTNL_SET_DATA_LEN, 0);
	}
	if (nftnl_set_set_str(object, NFTNL_SET_TABLE, NFT_TABLE_NAME) == 0 &&
	    nftnl_set_set_str(object, NFTNL_SET_NAME, set->name) == 0 &&
	    (!set->interval || n == 1 ||
	     nftnl_set_set_data(object, NFTNL_SET_DESC_CONCAT, fields, (uint32_t)n) == 0) &&
	    set_udata(object, set) == 0)
		return object;
	nftnl_set_free(object);
	return NULL;
}

int nft_build_set(struct nft_batch *batch, const struct nft_set *set)
{
	struct nlmsghdr *message =
		nft_batch_open(batch, NFT_MSG_NEWSET, NLM_F_CREATE, NFT_SUBJECT_SET, set->table,
			       set->name, SMALL_MESSAGE);
	struct nftnl_set *object = message ? set_object(set, batch->seq) : NULL;

	if (!object)
		return -ENOMEM;
	nftnl_set_nlmsg_build_payload(message, object);
	nftnl_set_free(object);
	return nft_batch_close(batch, message);
}

int nft_build_set_delete(struct nft_batch *batch, const struct nft_set *set)
{
	struct nlmsghdr *message = nft_batch_open(batch, NFT_MSG_DELSET, 0, NFT_SUBJECT_SET,
						  set->table, set->name, SMALL_MESSAGE);

	if (!message)
		return -ENOMEM;
	mnl_attr_put_strz(message, NFTA_SET_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(message, NFTA_SET_NAME, set->name);
	return nft_batch_close(batch, message);
}

/* Elements, by hand: libnftnl's objects take eight times the memory and five times the time. */

static void put_value(struct nlmsghdr *message, uint16_t type, const uint8_t *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(message, type);

	mnl_attr_put(message, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(message, nest);
}

static void put_verdict(struct nlmsghdr *message, const struct nft_verdict *verdict)
{
	static const int32_t codes[] = {NF_ACCEPT, NF_DROP, NFT_RETURN, NFT_JUMP, NFT_GOTO};
	struct nlattr *data = mnl_attr_nest_start(message, NFTA_SET_ELEM_DATA);
	struct nlattr *nest = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl((uint32_t)codes[verdict->kind]));
	if (verdict->chain[0])
		mnl_attr_put_strz(message, NFTA_VERDICT_CHAIN, verdict->chain);
	mnl_attr_nest_end(message, nest);
	mnl_attr_nest_end(message, data);
}

struct elem_parts {
	const uint8_t *key, *key_end; /* key_end NULL: none */
	size_t len;
	uint32_t flags;
	const struct nft_elem_extra *extra; /* NULL: neither verdict nor comment */
	bool map;
};

static void put_elem(struct nlmsghdr *message, const struct elem_parts *parts)
{
	struct nlattr *nest = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	uint8_t udata[NFT_COMMENT_MAX + 3];
	size_t len;

	if (parts->flags)
		mnl_attr_put_u32(message, NFTA_SET_ELEM_FLAGS, htonl(parts->flags));
	put_value(message, NFTA_SET_ELEM_KEY, parts->key, parts->len);
	if (parts->key_end)
		put_value(message, NFTA_SET_ELEM_KEY_END, parts->key_end, parts->len);
	if (parts->map && parts->extra)
		put_verdict(message, &parts->extra->verdict);
	len = parts->extra
		      ? comment_udata(udata, NFTNL_UDATA_SET_ELEM_COMMENT, parts->extra->comment)
		      : 0;
	if (len > 0)
		mnl_attr_put(message, NFTA_SET_ELEM_USERDATA, len, udata);
	mnl_attr_nest_end(message, nest);
}

/* Messages of elements, begun and ended as they fill. */
struct elem_writer {
	struct nft_batch *batch;
	const char *set; /* a name, or __set%d with its id */
	uint32_t id;
	enum nft_subject subject;
	enum nft_table table;
	const char *name; /* of the subject: of an anonymous set, its chain */
	bool add;
	struct nlmsghdr *message;
	struct nlattr *list;
	uint32_t n; /* elements in the message */
};

static int writer_open(struct elem_writer *w)
{
	w->message = nft_batch_open(w->batch, w->add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
				    w->add ? NLM_F_CREATE : 0, w->subject, w->table, w->name,
				    ELEMS_BYTES_MAX + 2 * ELEM_BYTES_MAX);
	if (!w->message)
		return -ENOMEM;
	mnl_attr_put_strz(w->message, NFTA_SET_ELEM_LIST_SET, w->set);
	if (w->id)
		mnl_attr_put_u32(w->message, NFTA_SET_ELEM_LIST_SET_ID, htonl(w->id));
	mnl_attr_put_strz(w->message, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
	w->list = mnl_attr_nest_start(w->message, NFTA_SET_ELEM_LIST_ELEMENTS);
	w->n = 0;
	return 0;
}

static int writer_close(struct elem_writer *w)
{
	if (!w->message)
		return 0;
	mnl_attr_nest_end(w->message, w->list);
	int rc = nft_batch_close(w->batch, w->message);
	w->batch->messages.v[w->batch->messages.n - 1].objects = w->n;
	w->message = NULL;
	return rc;
}

static int write_elem(struct elem_writer *w, const struct elem_parts *parts)
{
	if (w->message && w->message->nlmsg_len > ELEMS_BYTES_MAX) {
		int rc = writer_close(w);
		if (rc < 0)
			return rc;
	}
	if (!w->message && writer_open(w) < 0)
		return -ENOMEM;
	put_elem(w->message, parts);
	w->n++;
	task_step();
	return 0;
}

/* rbtree sets have a start and, exclusive, an end; the last address has none. */
static int write_interval(struct elem_writer *w, const uint8_t *first, const uint8_t *last,
			  size_t len, const struct nft_elem_extra *extra)
{
	uint8_t after[16];
	int rc = write_elem(w, &(struct elem_parts){.key = first, .len = len, .extra = extra});
	size_t i = len;

	memcpy(after, last, len);
	while (i > 0 && ++after[i - 1] == 0)
		i--;
	/* In the same message, which has room: until its end comes, an interval has none. */
	if (rc == 0 && i > 0)
		put_elem(w->message, &(struct elem_parts){.key = after,
							  .len = len,
							  .flags = NFT_SET_ELEM_INTERVAL_END});
	return rc;
}

/* Where the first interval does not begin at 0, nft marks the gap before it. */
static int write_first_gap(struct elem_writer *w, const uint8_t *first, size_t len)
{
	static const uint8_t zero[16];

	if (memcmp(first, zero, len) == 0)
		return 0;
	return write_elem(w, &(struct elem_parts){
				     .key = zero, .len = len, .flags = NFT_SET_ELEM_INTERVAL_END});
}

static int write_set_elem(struct elem_writer *w, const struct nft_set *set,
			  const struct nft_elem *elem, bool first)
{
	uint8_t key[NFT_KEY_BYTES_MAX], last[NFT_KEY_BYTES_MAX];
	size_t len = nft_key_encode(set->type, &elem->key, key);
	struct elem_parts parts = {
		.key = key, .len = len, .extra = w->add ? elem->extra : NULL, .map = set->map};
	int rc = 0;

	if (!set->interval)
		return write_elem(w, &parts);
	(void)nft_key_encode(set->type, &elem->extra->last, last);
	if (nft_key_fields(set->type, NULL) > 1) {
		parts.key_end = last;
		return write_elem(w, &parts);
	}
	if (first)
		rc = write_first_gap(w, key, len);
	return rc == 0 ? write_interval(w, key, last, len, NULL) : rc;
}

int nft_build_elems(struct nft_batch *batch, const struct nft_set *set,
		    const struct nft_elem *const elems[], size_t n, bool add)
{
	struct elem_writer w = {
		.batch = batch,
		.set = set->name,
		.subject = NFT_SUBJECT_SET,
		.table = set->table,
		.name = set->name,
		.add = add,
	};
	int rc = 0;

	batch->gate = set->map && set->type != NFT_SET_TYPE_PORT_PROTO;
	batch->allows = set->allows;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = write_set_elem(&w, set, elems[i], i == 0);
	if (rc == 0)
		rc = writer_close(&w);
	batch->gate = batch->allows = false;
	return rc;
}

int nft_build_elems_flush(struct nft_batch *batch, const struct nft_set *set)
{
	struct nlmsghdr *message = nft_batch_open(batch, NFT_MSG_DELSETELEM, 0, NFT_SUBJECT_SET,
						  set->table, set->name, SMALL_MESSAGE);

	if (!message)
		return -ENOMEM;
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set->name);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE_NAME);
	return nft_batch_close(batch, message);
}

int nft_build_anonymous_set(struct nft_batch *batch, enum nft_table table,
			    const struct nft_anonymous *set, const struct nft_anonymous_elem *elems,
			    size_t n)
{
	struct elem_writer w = {
		.batch = batch,
		.set = "__set%d",
		.id = set->id,
		.subject = NFT_SUBJECT_CHAIN,
		.table = table,
		.name = set->chain,
		.add = true,
	};
	struct nlmsghdr *message =
		nft_batch_open(batch, NFT_MSG_NEWSET, NLM_F_CREATE, NFT_SUBJECT_CHAIN, table,
			       set->chain, SMALL_MESSAGE);
	int rc;

	if (!message)
		return -ENOMEM;
	mnl_attr_put_strz(message, NFTA_SET_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(message, NFTA_SET_NAME, "__set%d");
	mnl_attr_put_u32(message, NFTA_SET_FLAGS,
			 htonl(NFT_SET_ANONYMOUS | NFT_SET_CONSTANT |
			       (set->interval ? NFT_SET_INTERVAL : 0)));
	mnl_attr_put_u32(message, NFTA_SET_KEY_TYPE, htonl(set->key_type));
	mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(set->key_len));
	mnl_attr_put_u32(message, NFTA_SET_ID, htonl(set->id));
	rc = nft_batch_close(batch, message);
	if (rc == 0 && set->interval)
		rc = write_first_gap(&w, elems[0].first, set->key_len);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (set->interval)
			rc = write_interval(&w, elems[i].first, elems[i].last, set->key_len, NULL);
		else
			rc = write_elem(&w, &(struct elem_parts){.key = elems[i].first,
								 .len = set->key_len});
	}
	return rc == 0 ? writer_close(&w) : rc;
}
