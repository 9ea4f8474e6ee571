/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as a ruleset of ours in the kernel, and as what others have done to its objects: a byte of
 * some attribute that is another. What is listed as we wrote it is read as what we wrote; anything
 * else is not, and can be repaired. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/vec.h"
#include "choices.h"
#include "fuzz.h"
#include "netlink.h"
#include "nft/plan.h"
#include "nft/readback.h"
#include "sample.h"

#define EDITS_MAX    8
#define DATAGRAM_MAX 16384
#define GENERATION   7

struct listing {
	struct nft_plan plan; /* its messages are what is listed */
	struct choices choices;
	size_t at_once; /* messages in one datagram */
	int error;      /* what all lists end with */
};

/* The kernel has a name for each anonymous set, where the message of a rule says "__set%d". */
static void name_anonymous(struct nlmsghdr *message, unsigned *next)
{
	char *at = (char *)message, *end = at + message->nlmsg_len;

	while ((at = memmem(at, (size_t)(end - at), "__set%d", 7))) {
		at[5] = (char)('0' + *next / 75);
		at[6] = (char)('0' + *next % 75);
		++*next;
	}
}

/* A set and its elements come before the rule that looks it up, each in the rule's order. */
static void name_all(struct nft_plan *plan)
{
	unsigned sets = 0, elems = 0, lookups = 0;

	for (int part = 0; part < NFT_PLAN_PARTS; part++) {
		struct nft_batch *batch = &plan->parts[part];

		for (size_t i = 0; i < batch->messages.n; i++) {
			struct nlmsghdr *message =
				(struct nlmsghdr *)(batch->bytes + batch->messages.v[i].offset);
			uint16_t type = NFNL_MSG_TYPE(message->nlmsg_type);

			name_anonymous(message, type == NFT_MSG_NEWSET       ? &sets
						: type == NFT_MSG_NEWSETELEM ? &elems
									     : &lookups);
		}
	}
	REQUIRE(sets == elems && sets == lookups && sets < 75 * 10);
}

static const char *text_attr(const struct nlmsghdr *message, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == type)
			return mnl_attr_get_str(attr);
	}
	return "";
}

/* Every NFT_MSG_GETX is the number behind its NFT_MSG_NEWX. */
static bool is_listed(const struct nlmsghdr *message, const struct nlmsghdr *request)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	const struct nfgenmsg *wanted = mnl_nlmsg_get_payload(request);
	uint16_t type = NFNL_MSG_TYPE(request->nlmsg_type);

	if (NFNL_MSG_TYPE(message->nlmsg_type) != type - 1 ||
	    header->nfgen_family != wanted->nfgen_family)
		return false;
	return type != NFT_MSG_GETSETELEM ||
	       strcmp(text_attr(message, NFTA_SET_ELEM_LIST_SET),
		      text_attr(request, NFTA_SET_ELEM_LIST_SET)) == 0;
}

static void put_list(const struct listing *l, const struct nlmsghdr *request)
{
	static char datagram[DATAGRAM_MAX * 2];
	size_t len = 0, n = 0;

	for (int part = 0; part < NFT_PLAN_PARTS; part++) {
		const struct nft_batch *batch = &l->plan.parts[part];

		for (size_t i = 0; i < batch->messages.n; i++) {
			const char *bytes = batch->bytes + batch->messages.v[i].offset;
			size_t bytes_len = ((const struct nlmsghdr *)bytes)->nlmsg_len;
			struct nlmsghdr *copy = (struct nlmsghdr *)(datagram + len);

			if (!is_listed((const struct nlmsghdr *)bytes, request))
				continue;
			REQUIRE(bytes_len <= DATAGRAM_MAX);
			memcpy(copy, bytes, bytes_len);
			copy->nlmsg_seq = request->nlmsg_seq;
			copy->nlmsg_flags = NLM_F_MULTI;
			len += MNL_ALIGN(bytes_len);
			if (++n % l->at_once == 0 || len > DATAGRAM_MAX) {
				netlink_put(datagram, len);
				len = 0;
			}
		}
	}
	if (len > 0)
		netlink_put(datagram, len);
	netlink_put_end(NLMSG_DONE, NLM_F_MULTI, request->nlmsg_seq, l->error);
}

static void answer(void *ctx, const struct nlmsghdr *request)
{
	_Alignas(struct nlmsghdr) char bytes[64] = {0};
	struct nlmsghdr *message;

	if (request->nlmsg_flags & NLM_F_DUMP) {
		put_list(ctx, request);
		return;
	}
	message = mnl_nlmsg_put_header(bytes);
	message->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN;
	message->nlmsg_seq = request->nlmsg_seq;
	(void)mnl_nlmsg_put_extra_header(message, sizeof(struct nfgenmsg));
	mnl_attr_put_u32(message, NFTA_GEN_ID, htonl(GENERATION));
	netlink_put(bytes, message->nlmsg_len);
	netlink_put_end(NLMSG_ERROR, 0, request->nlmsg_seq, 0);
}

/* What has to be seen when it is another. Not: the number that a set has within its transaction,
 * which no list has; its notes, of which but for a comment only nft makes something; what was asked
 * for; and what the kernel lets be nothing else (nft_bitwise_init_bool(), nf_tables_newset() of
 * verdict maps, the padding of keys of several fields). */
static bool is_material(uint16_t message, uint16_t attr, const char *expr, size_t len)
{
	if (message == NFT_MSG_NEWSET)
		return attr == NFTA_SET_NAME || attr == NFTA_SET_FLAGS ||
		       attr == NFTA_SET_KEY_TYPE || attr == NFTA_SET_KEY_LEN;
	if (message == NFT_MSG_NEWSETELEM)
		return *expr && attr == NFTA_DATA_VALUE && (len == 2 || len == 4 || len == 16);
	return false;
}

struct leaf {
	uint8_t *bytes;
	size_t len;
	bool material;
};

struct leaves {
	struct leaf v[512];
	size_t n;
	uint16_t message;
	bool ends; /* of intervals: one ahead of all intervals means nothing, wherever it is */
};

/* The attributes of a message that have a value. `expr`: of which expression, "": of
 * none; NULL: of the message itself. */
static void find_leaves(struct leaves *leaves, struct nlattr *first, const char *end,
			const char *expr)
{
	for (struct nlattr *attr = first;
	     mnl_attr_ok(attr, (int)(end - (char *)attr)) && leaves->n < 512;
	     attr = mnl_attr_next(attr)) {
		char *payload = mnl_attr_get_payload(attr);
		size_t len = mnl_attr_get_payload_len(attr);
		bool is_list = attr->nla_type & NLA_F_NESTED;

		if (is_list)
			find_leaves(leaves, (struct nlattr *)payload, payload + len,
				    leaves->message == NFT_MSG_NEWSETELEM ? "elem"
				    : expr                                ? expr
									  : "");
		if (leaves->message == NFT_MSG_NEWSETELEM && expr &&
		    mnl_attr_get_type(attr) == NFTA_SET_ELEM_FLAGS)
			leaves->ends = true;
		if (!is_list && len > 0)
			leaves->v[leaves->n++] =
				(struct leaf){(uint8_t *)payload, len,
					      !leaves->ends && is_material(leaves->message,
									   mnl_attr_get_type(attr),
									   expr ? expr : "", len)};
		/* An expression is its name, and then its data. */
		if (!is_list && leaves->message == NFT_MSG_NEWRULE && first == attr && expr &&
		    !*expr && mnl_attr_get_type(attr) == NFTA_EXPR_NAME)
			expr = payload;
	}
}

/* One byte of one attribute. Does it matter? */
static bool edit(struct listing *l)
{
	struct leaves leaves = {.n = 0};
	uint32_t which = (uint32_t)choose_byte(&l->choices) << 8 | choose_byte(&l->choices);
	size_t n = 0;

	for (int part = 0; part < NFT_PLAN_PARTS; part++)
		n += l->plan.parts[part].messages.n;
	which %= (uint32_t)n;
	for (int part = 0; part < NFT_PLAN_PARTS; part++) {
		struct nft_batch *batch = &l->plan.parts[part];

		if (which >= batch->messages.n) {
			which -= (uint32_t)batch->messages.n;
			continue;
		}
		struct nlmsghdr *message =
			(struct nlmsghdr *)(batch->bytes + batch->messages.v[which].offset);

		leaves.message = NFNL_MSG_TYPE(message->nlmsg_type);
		find_leaves(&leaves, mnl_nlmsg_get_payload_offset(message, sizeof(struct nfgenmsg)),
			    mnl_nlmsg_get_payload_tail(message), NULL);
		REQUIRE(leaves.n > 0);
		const struct leaf *leaf = &leaves.v[((uint32_t)choose_byte(&l->choices) << 8 |
						     choose_byte(&l->choices)) %
						    leaves.n];
		leaf->bytes[choose_byte(&l->choices) % leaf->len] ^=
			(uint8_t)(1 + choose(&l->choices, 255));
		return leaf->material;
	}
	return false;
}

static bool is_short_name(const char *name)
{
	return memchr(name, '\0', NFT_NAME_MAX);
}

static void check_found(const struct nft_found *found)
{
	REQUIRE(found->generation == GENERATION);
	REQUIRE(memchr(found->what, '\0', sizeof(found->what)));
	for (int table = 0; table < NFT_TABLE_COUNT; table++) {
		for (const struct nft_chain *chain = found->ruleset.chains[table]; chain;
		     chain = chain->hh.next)
			REQUIRE(is_short_name(chain->name));
	}
	for (const struct nft_set *set = found->ruleset.sets; set; set = set->hh.next)
		REQUIRE(is_short_name(set->name));
}

/* Reads it back; the repair, or NULL: it cannot be read. */
static bool read_back(struct listing *l, const struct ruleset *wanted, uint8_t fill,
		      struct nft_plan *repair)
{
	struct nft_kernel kernel = {.fd = NETLINK_FD};
	struct nft_found found;
	struct err err = {0};
	int rc;

	netlink_start(answer, l, fill);
	rc = nft_readback(&kernel, &found, &err);
	netlink_start(NULL, NULL, 0);
	REQUIRE(rc == 0 || (rc == (l->error == -EINTR ? -EAGAIN : l->error) && err.text[0]));
	if (rc < 0)
		return false;
	check_found(&found);
	REQUIRE(nft_plan_repair(repair, &found, wanted) == 0);
	nft_found_done(&found);
	return true;
}

static bool is_same_plan(const struct nft_plan *a, const struct nft_plan *b)
{
	for (int part = 0; part < NFT_PLAN_PARTS; part++) {
		if (a->parts[part].len != b->parts[part].len ||
		    a->parts[part].messages.n != b->parts[part].messages.n)
			return false;
	}
	return true;
}

static void check(struct listing *l, const struct ruleset *wanted, bool is_ours, bool is_changed)
{
	struct nft_plan repair = {0}, again = {0};
	bool read = read_back(l, wanted, 0, &repair);

	REQUIRE(read_back(l, wanted, 0xff, &again) == read);
	REQUIRE(is_same_plan(&repair, &again));
	if (read && is_ours)
		REQUIRE(nft_plan_empty(&repair));
	if (read && is_changed)
		REQUIRE(!nft_plan_empty(&repair));
	nft_plan_done(&repair);
	nft_plan_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int errors[] = {0, 0, 0, 0, 0, 0, -EINTR, -EPERM};
	struct listing l = {.choices = {data, data + size}};
	uint64_t seed = (uint64_t)choose_byte(&l.choices) << 8 | choose_byte(&l.choices);
	struct ruleset wanted = {0};
	unsigned edits = 0;
	bool matters = false;

	sample_random(seed, &wanted);
	REQUIRE(nft_plan_changes(&l.plan, &wanted) == 0);
	name_all(&l.plan);
	l.at_once = 1 + choose(&l.choices, 32);
	l.error = errors[choose(&l.choices, sizeof(errors) / sizeof(errors[0]))];
	while (l.choices.p < l.choices.end && edits++ < EDITS_MAX)
		matters = edit(&l);
	check(&l, &wanted, edits == 0, edits == 1 && matters);
	nft_plan_done(&l.plan);
	ruleset_done(&wanted);
	return 0;
}
