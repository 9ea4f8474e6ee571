/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets and their elements. Elements are read by hand: there are many. */
#include "decode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/task.h"

void decode_comment(const uint8_t *notes, uint32_t len, uint8_t type,
		    char to[static NFT_COMMENT_MAX + 1])
{
	while (len >= 2 && 2u + notes[1] <= len) {
		const uint8_t *text = notes + 2;
		uint32_t bytes = notes[1];

		if (notes[0] == type) {
			if (bytes > 0 && bytes <= NFT_COMMENT_MAX + 1 && text[bytes - 1] == '\0')
				memcpy(to, text, bytes);
			else
				memcpy(to, COMMENT_NOT_OURS, sizeof(COMMENT_NOT_OURS));
		}
		len -= 2 + bytes;
		notes += 2 + bytes;
	}
}

bool decode_verdict(int32_t code, const char *chain, struct nft_verdict *ret)
{
	static const struct {
		int32_t code;
		enum nft_verdict_kind kind;
	} codes[] = {
		{NF_ACCEPT, NFT_VERDICT_ACCEPT},  {NF_DROP, NFT_VERDICT_DROP},
		{NFT_RETURN, NFT_VERDICT_RETURN}, {NFT_JUMP, NFT_VERDICT_JUMP},
		{NFT_GOTO, NFT_VERDICT_GOTO},
	};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (codes[i].code != code || (chain && strlen(chain) >= NFT_NAME_MAX))
			continue;
		*ret = (struct nft_verdict){.kind = codes[i].kind};
		if (chain)
			memcpy(ret->chain, chain, strlen(chain) + 1);
		return true;
	}
	return false;
}

/* The value in a nest of them, padded with zeros. false: none, or of another length. */
static bool decode_key(const struct nlattr *nest, size_t len, uint8_t to[NFT_KEY_BYTES_MAX])
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) != NFTA_DATA_VALUE ||
		    mnl_attr_get_payload_len(attr) != len)
			continue;
		memcpy(to, mnl_attr_get_payload(attr), len);
		return true;
	}
	return false;
}

static bool decode_elem_verdict(const struct nlattr *data, struct nft_verdict *ret)
{
	const struct nlattr *nest, *attr;
	const char *chain = NULL;
	uint32_t code = NFT_CONTINUE;

	mnl_attr_for_each_nested(nest, data)
	{
		if (mnl_attr_get_type(nest) != NFTA_DATA_VERDICT)
			continue;
		mnl_attr_for_each_nested(attr, nest)
		{
			if (mnl_attr_get_type(attr) == NFTA_VERDICT_CODE)
				code = ntohl(mnl_attr_get_u32(attr));
			else if (mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN)
				chain = mnl_attr_get_str(attr);
		}
	}
	return decode_verdict((int32_t)code, chain, ret);
}

/* An element as it is listed. */
struct elem {
	uint8_t key[NFT_KEY_BYTES_MAX], last[NFT_KEY_BYTES_MAX];
	bool has_key, has_last, has_verdict;
	bool is_end; /* of an interval that another element begins */
	bool other;  /* it has more to it than ours have, whatever its comment is */
	struct nft_elem_extra extra;
};

static void not_ours(struct elem *elem)
{
	elem->other = true;
}

static void decode_elem_attr(const struct nlattr *attr, size_t key_len, struct elem *ret)
{
	switch (mnl_attr_get_type(attr)) {
	case NFTA_SET_ELEM_KEY:
		ret->has_key = decode_key(attr, key_len, ret->key);
		break;
	case NFTA_SET_ELEM_KEY_END:
		ret->has_last = decode_key(attr, key_len, ret->last);
		break;
	case NFTA_SET_ELEM_FLAGS:
		ret->is_end = ntohl(mnl_attr_get_u32(attr)) & NFT_SET_ELEM_INTERVAL_END;
		break;
	case NFTA_SET_ELEM_DATA:
		ret->has_verdict = true;
		if (!decode_elem_verdict(attr, &ret->extra.verdict))
			not_ours(ret);
		break;
	case NFTA_SET_ELEM_USERDATA:
		decode_comment(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr),
			       NFTNL_UDATA_SET_ELEM_COMMENT, ret->extra.comment);
		break;
	case NFTA_SET_ELEM_TIMEOUT:
	case NFTA_SET_ELEM_EXPR:
	case NFTA_SET_ELEM_EXPRESSIONS:
	case NFTA_SET_ELEM_OBJREF:
		not_ours(ret);
		break;
	default:
		break;
	}
}

/* Of a tree: starts and ends of intervals. */
static int parse_end(struct decoded_elems *elems, const struct elem *elem)
{
	struct decoded_end end = {.is_end = elem->is_end};

	elems->broken |= elem->has_last || elem->has_verdict || elem->extra.comment[0];
	memcpy(end.key, elem->key, sizeof(end.key));
	return vec_push(&elems->ends, end);
}

/* Of a set where each element is one. */
static int parse_elem(struct decoded_elems *elems, struct elem *elem)
{
	struct nft_set *set = elems->set;
	bool extra = set->map || set->interval || elem->extra.comment[0];
	struct nft_key key;

	elems->broken |=
		elem->is_end || elem->has_last != set->interval || elem->has_verdict != set->map;
	(void)nft_key_decode(set->type, elem->key, &key);
	if (elem->has_last)
		(void)nft_key_decode(set->type, elem->last, &elem->extra.last);
	return nft_set_add(set, &key, extra ? &elem->extra : NULL);
}

static int decode_elem(const struct nlattr *nest, struct decoded_elems *ret)
{
	struct elem elem = {0};
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) decode_elem_attr(attr, ret->key_len, &elem);
	if (elem.other)
		memcpy(elem.extra.comment, COMMENT_NOT_OURS, sizeof(COMMENT_NOT_OURS));
	/* An element for all keys that have none: nobody can tell it from the others by its key. */
	ret->broken |= !elem.has_key;
	return ret->set ? parse_elem(ret, &elem) : parse_end(ret, &elem);
}

int decode_elems(const struct nlmsghdr *message, struct decoded_elems *ret)
{
	const struct nlattr *list, *nest;

	mnl_attr_for_each(list, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(nest, list)
		{
			if (decode_elem(nest, ret) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static int compare_ends(const void *left, const void *right)
{
	const struct decoded_end *a = left, *b = right;
	int order = memcmp(a->key, b->key, sizeof(a->key));

	task_step();
	return order != 0 ? order : b->is_end - a->is_end;
}

/* The key before. */
static void step_back(uint8_t *key, size_t len)
{
	while (len > 0 && key[len - 1]-- == 0)
		len--;
}

/* Starts and ends to intervals. An end without a start stands before the first of them. */
static int pair_ends(struct decoded_elems *elems, struct decoded_ranges *ret)
{
	struct nft_anonymous_elem range = {0};
	bool open = false;
	int rc = 0;

	if (elems->ends.n > 0)
		qsort(elems->ends.v, elems->ends.n, sizeof(elems->ends.v[0]), compare_ends);
	for (size_t i = 0; i < elems->ends.n && rc == 0; i++) {
		const struct decoded_end *end = &elems->ends.v[i];

		elems->broken |= end->is_end != open && i > 0;
		if (!end->is_end) {
			memcpy(range.first, end->key, sizeof(range.first));
		} else if (open) {
			memcpy(range.last, end->key, sizeof(range.last));
			step_back(range.last, elems->key_len);
			rc = vec_push(ret, range);
		}
		open = !end->is_end;
	}
	if (open && rc == 0) {
		memset(range.last, 0xff, elems->key_len);
		rc = vec_push(ret, range);
	}
	return rc;
}

/* What is not in order for a set of ours. */
static bool has_other_form(const struct nftnl_set *object, const struct nft_set *set)
{
	uint32_t data_type = set->map ? NFT_DATA_VERDICT : 0;

	return nftnl_set_get_u32(object, NFTNL_SET_FLAGS) != nft_set_flags(set) ||
	       nftnl_set_get_u32(object, NFTNL_SET_DATA_TYPE) != data_type ||
	       nftnl_set_get_u32(object, NFTNL_SET_POLICY) != NFT_SET_POL_PERFORMANCE ||
	       nftnl_set_get_u32(object, NFTNL_SET_DESC_SIZE) != nft_set_size(set->type);
}

struct nft_set *decode_set(const struct nftnl_set *object)
{
	uint32_t key_type = nftnl_set_get_u32(object, NFTNL_SET_KEY_TYPE);
	uint32_t key_len = nftnl_set_get_u32(object, NFTNL_SET_KEY_LEN);
	uint32_t flags = nftnl_set_get_u32(object, NFTNL_SET_FLAGS), len = 0;
	const void *notes = nftnl_set_get_data(object, NFTNL_SET_USERDATA, &len);
	struct nft_set *set =
		nft_set_new(nftnl_set_get_str(object, NFTNL_SET_NAME), NFT_SET_TYPE_IPV4, "");

	if (!set)
		return NULL;
	set->other = true;
	for (int type = 0; type < NFT_SET_TYPE_COUNT && set->other; type++) {
		set->type = (enum nft_set_type)type;
		set->other =
			nft_key_type(set->type) != key_type || nft_key_len(set->type) != key_len;
	}
	set->map = flags & NFT_SET_MAP;
	set->interval = flags & NFT_SET_INTERVAL;
	set->other |= has_other_form(object, set);
	if (notes)
		decode_comment(notes, len, NFTNL_UDATA_SET_COMMENT, set->comment);
	return set;
}

void decode_set_start(struct nft_set *set, struct decoded_elems *ret)
{
	bool tree = set->interval && nft_key_fields(set->type, NULL) == 1;

	*ret = (struct decoded_elems){.key_len = nft_key_len(set->type), .set = tree ? NULL : set};
}

int decode_set_end(struct nft_set *set, struct decoded_elems *elems)
{
	struct decoded_ranges ranges = {0};
	int rc = pair_ends(elems, &ranges);

	for (size_t i = 0; i < ranges.n && rc == 0; i++) {
		struct nft_elem_extra extra = {0};
		struct nft_key key;

		(void)nft_key_decode(set->type, ranges.v[i].first, &key);
		(void)nft_key_decode(set->type, ranges.v[i].last, &extra.last);
		rc = nft_set_add(set, &key, &extra);
	}
	set->other |= elems->broken;
	vec_free(&ranges);
	vec_free(&elems->ends);
	return rc;
}

struct decoded_list *decode_list(const struct nftnl_set *object)
{
	const uint32_t expected = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT;
	uint32_t flags = nftnl_set_get_u32(object, NFTNL_SET_FLAGS);
	struct decoded_list *list = calloc(1, sizeof(*list));

	if (!list)
		return NULL;
	(void)snprintf(list->name, sizeof(list->name), "%s",
		       nftnl_set_get_str(object, NFTNL_SET_NAME));
	list->key_type = nftnl_set_get_u32(object, NFTNL_SET_KEY_TYPE);
	list->key_len = nftnl_set_get_u32(object, NFTNL_SET_KEY_LEN);
	list->interval = flags & NFT_SET_INTERVAL;
	list->broken = (flags & ~(uint32_t)NFT_SET_INTERVAL) != expected ||
		       list->key_len > sizeof(((struct nft_anonymous_elem *)NULL)->first);
	return list;
}

static int take_single(struct decoded_list *list, const struct decoded_end *end)
{
	struct nft_anonymous_elem elem;

	memcpy(elem.first, end->key, sizeof(elem.first));
	memcpy(elem.last, end->key, sizeof(elem.last));
	list->broken |= end->is_end;
	return vec_push(&list->elems, elem);
}

int decode_list_end(struct decoded_list *list, struct decoded_elems *elems)
{
	int rc = 0;

	if (list->interval) {
		rc = pair_ends(elems, &list->elems);
	} else if (elems->ends.n > 0) {
		qsort(elems->ends.v, elems->ends.n, sizeof(elems->ends.v[0]), compare_ends);
		for (size_t i = 0; i < elems->ends.n && rc == 0; i++)
			rc = take_single(list, &elems->ends.v[i]);
	}
	list->broken |= elems->broken;
	vec_free(&elems->ends);
	return rc;
}

void decoded_list_free(struct decoded_list *list)
{
	if (!list)
		return;
	vec_free(&list->elems);
	free(list);
}
