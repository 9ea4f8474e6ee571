/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements are read as the kernel has them. A set of intervals with one field is a tree of their
 * beginnings and ends (nft_set_rbtree.c), one with more has both in each element (NFTA_SET_ELEM_
 * KEY_END, nft_set_pipapo.c). */
#include "foreign_set.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/task.h"

static void free_set(struct nftnl_set **set)
{
	if (*set)
		nftnl_set_free(*set);
}

static int handle_set(const struct nlmsghdr *message, void *ctx)
{
	struct foreign_sets *sets = ctx;
	CLEANUP(free_set) struct nftnl_set *parsed = nftnl_set_alloc();
	struct foreign_set set;
	const char *table, *name;

	task_step();
	if (!parsed)
		return foreign_dump_stop();
	errno = 0;
	if (nftnl_set_nlmsg_parse(message, parsed) < 0)
		return foreign_dump_not_parsed();
	table = nftnl_set_get_str(parsed, NFTNL_SET_TABLE);
	name = nftnl_set_get_str(parsed, NFTNL_SET_NAME);
	if (!table || !name)
		return MNL_CB_OK;
	set = (struct foreign_set){.family = nftnl_set_get_u32(parsed, NFTNL_SET_FAMILY),
				   .flags = nftnl_set_get_u32(parsed, NFTNL_SET_FLAGS),
				   .key_len = nftnl_set_get_u32(parsed, NFTNL_SET_KEY_LEN),
				   .table = strdup(table),
				   .name = strdup(name)};
	if (set.table && set.name && vec_push(&sets->v, set) == 0)
		return MNL_CB_OK;
	free(set.table);
	free(set.name);
	return foreign_dump_stop();
}

int foreign_sets_read(struct foreign_sets *sets)
{
	*sets = (struct foreign_sets){.elems_left = PREFLIGHT_ELEMS_MAX};
	return foreign_dump(NFT_MSG_GETSET, NULL, handle_set, sets);
}

void foreign_sets_done(struct foreign_sets *sets)
{
	for (size_t i = 0; i < sets->v.n; i++) {
		free(sets->v.v[i].table);
		free(sets->v.v[i].name);
	}
	vec_free(&sets->v);
}

static const struct foreign_set *find_set(const struct foreign_sets *sets,
					  const struct foreign_place *place)
{
	for (size_t i = 0; i < sets->v.n; i++) {
		const struct foreign_set *set = &sets->v.v[i];

		if (set->family == place->family && strcmp(set->table, place->table) == 0 &&
		    strcmp(set->name, place->name) == 0)
			return set;
	}
	return NULL;
}

struct reading {
	struct foreign_sets *sets;
	struct foreign_elems *elems;
	size_t key_len;
	VEC(struct foreign_elem) ends; /* of a tree: what is no element by itself */
	VEC(struct foreign_elem) rest; /* for all that no other has */
};

static int decode_verdict(const struct nlattr *data, struct foreign_verdict *ret)
{
	const struct nlattr *verdict, *attr;
	const char *chain = NULL;
	uint32_t code = NFT_CONTINUE;

	mnl_attr_for_each_nested(verdict, data)
	{
		if (mnl_attr_get_type(verdict) != NFTA_DATA_VERDICT)
			continue;
		mnl_attr_for_each_nested(attr, verdict)
		{
			if (mnl_attr_get_type(attr) == NFTA_VERDICT_CODE)
				code = ntohl(mnl_attr_get_u32(attr));
			else if (mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN)
				chain = mnl_attr_get_str(attr);
		}
	}
	return foreign_verdict_make(code, chain, ret);
}

/* The bytes of NFTA_DATA_VALUE, as many as the set's keys have. */
static bool decode_key(const struct nlattr *nest, size_t len, uint8_t key[static FOREIGN_KEY_MAX])
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) != NFTA_DATA_VALUE ||
		    mnl_attr_get_payload_len(attr) < len)
			continue;
		memcpy(key, mnl_attr_get_payload(attr), len);
		return true;
	}
	return false;
}

static int parse_elem(struct reading *r, const struct nlattr *nest)
{
	struct foreign_elem elem = {.range.len = r->key_len};
	const struct nlattr *attr;
	bool has_key = false, has_last = false, is_end = false;
	int rc = 0;

	mnl_attr_for_each_nested(attr, nest)
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type == NFTA_SET_ELEM_KEY)
			has_key = decode_key(attr, r->key_len, elem.range.first);
		else if (type == NFTA_SET_ELEM_KEY_END)
			has_last = decode_key(attr, r->key_len, elem.range.last);
		else if (type == NFTA_SET_ELEM_FLAGS)
			is_end = ntohl(mnl_attr_get_u32(attr)) & NFT_SET_ELEM_INTERVAL_END;
		else if (type == NFTA_SET_ELEM_DATA && rc == 0 && !elem.verdict.target)
			rc = decode_verdict(attr, &elem.verdict);
	}
	elem.catch_all = !has_key;
	if (!has_last)
		memcpy(elem.range.last, elem.range.first, sizeof(elem.range.last));
	if (rc == 0)
		rc = is_end           ? vec_push(&r->ends, elem)
		     : elem.catch_all ? vec_push(&r->rest, elem)
				      : vec_push(&r->elems->v, elem);
	if (rc < 0)
		free(elem.verdict.target);
	return rc;
}

static int handle_elems(const struct nlmsghdr *message, void *ctx)
{
	struct reading *r = ctx;
	const struct nlattr *list, *nest;

	mnl_attr_for_each(list, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(nest, list)
		{
			if (r->sets->elems_left == 0) {
				errno = E2BIG;
				return MNL_CB_ERROR;
			}
			r->sets->elems_left--;
			task_step();
			if (parse_elem(r, nest) < 0)
				return foreign_dump_stop();
		}
	}
	return MNL_CB_OK;
}

static int compare_first(const void *left, const void *right)
{
	const struct foreign_elem *a = left, *b = right;

	return memcmp(a->range.first, b->range.first, sizeof(a->range.first));
}

/* The key before. */
static void step_back(uint8_t *key, size_t len)
{
	while (len > 0 && key[len - 1]-- == 0)
		len--;
}

static const uint8_t *first_of(const struct foreign_elem *v, size_t n, size_t i)
{
	return i < n ? v[i].range.first : NULL;
}

/* An interval ends before the next end, or before the next beginning where that follows at once, or
 * nowhere. */
static void close_intervals(struct foreign_elem *v, size_t n, struct foreign_elem *ends,
			    size_t n_ends)
{
	size_t k = 0;

	if (n > 0)
		qsort(v, n, sizeof(v[0]), compare_first);
	if (n_ends > 0)
		qsort(ends, n_ends, sizeof(ends[0]), compare_first);
	for (size_t i = 0; i < n; i++) {
		struct foreign_range *range = &v[i].range;
		const uint8_t *end, *next = first_of(v, n, i + 1);

		while (k < n_ends && compare_first(&ends[k], &v[i]) <= 0)
			k++;
		end = first_of(ends, n_ends, k);
		if (!end || (next && memcmp(next, end, FOREIGN_KEY_MAX) < 0))
			end = next;
		memset(range->last, 0xff, range->len);
		if (end) {
			memcpy(range->last, end, sizeof(range->last));
			step_back(range->last, range->len);
		}
	}
}

static int add_rest(struct reading *r)
{
	int rc = 0;

	for (; r->rest.n > 0 && rc == 0; r->rest.n -= rc == 0)
		rc = vec_push(&r->elems->v, r->rest.v[r->rest.n - 1]);
	return rc;
}

static void free_elems(struct foreign_elem *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].verdict.target);
}

int foreign_elems_read(struct foreign_sets *sets, const struct foreign_place *place,
		       struct foreign_elems *elems)
{
	const struct foreign_set *set = find_set(sets, place);
	struct reading r = {.sets = sets, .elems = elems};
	int rc;

	*elems = (struct foreign_elems){0};
	if (!set || set->key_len > FOREIGN_KEY_MAX)
		return -ENOENT;
	r.key_len = set->key_len;
	rc = foreign_dump(NFT_MSG_GETSETELEM, place, handle_elems, &r);
	if (rc == 0 && (set->flags & NFT_SET_INTERVAL) && !(set->flags & NFT_SET_CONCAT))
		close_intervals(elems->v.v, elems->v.n, r.ends.v, r.ends.n);
	if (rc == 0)
		rc = add_rest(&r);
	free_elems(r.ends.v, r.ends.n);
	free_elems(r.rest.v, r.rest.n);
	vec_free(&r.ends);
	vec_free(&r.rest);
	return rc;
}

void foreign_elems_done(struct foreign_elems *elems)
{
	free_elems(elems->v.v, elems->v.n);
	vec_free(&elems->v);
}

/* Is there an element for all that this host's pods have? */
static bool is_listed(const struct preflight_host *host, const struct foreign_key *key,
		      const struct foreign_elems *elems)
{
	for (size_t i = 0; i < elems->v.n; i++) {
		task_step();
		if (!elems->v.v[i].catch_all &&
		    foreign_within(host, key, &elems->v.v[i].range).applies)
			return true;
	}
	return false;
}

static bool all_addrs_listed(const struct preflight_host *host, const struct foreign_key *key,
			     const struct foreign_elems *elems)
{
	struct preflight_host one = *host;

	one.n_addrs = 1;
	for (size_t i = 0; i < host->n_addrs; i++) {
		one.addrs = &host->addrs[i];
		if (foreign_is_of_family(&key->parts[0], one.addrs) && !is_listed(&one, key, elems))
			return false;
	}
	return true;
}

static bool all_interfaces_listed(const struct preflight_host *host, const struct foreign_key *key,
				  const struct foreign_elems *elems)
{
	struct preflight_host one = *host;

	one.n_interfaces = 1;
	for (size_t i = 0; i < host->n_interfaces; i++) {
		one.interfaces = &host->interfaces[i];
		if (!is_listed(&one, key, elems))
			return false;
	}
	return true;
}

struct foreign_answer foreign_none_found(const struct preflight_host *host,
					 const struct foreign_key *key,
					 const struct foreign_elems *elems)
{
	struct foreign_answer answer = {.applies = true, .certain = key->n == 1};

	if (key->n != 1)
		return answer;
	switch (key->parts[0].kind) {
	case FOREIGN_VALUE_ADDR_V4:
	case FOREIGN_VALUE_ADDR_V6:
		answer.applies = !all_addrs_listed(host, key, elems);
		break;
	case FOREIGN_VALUE_IFNAME:
	case FOREIGN_VALUE_IFINDEX:
		answer.applies = !all_interfaces_listed(host, key, elems);
		break;
	case FOREIGN_VALUE_STATE:
		answer.applies = !is_listed(host, key, elems);
		break;
	case FOREIGN_VALUE_COMMON:
	case FOREIGN_VALUE_OTHER:
		break; /* some connection has yet another value */
	}
	return answer;
}

struct foreign_answer foreign_elem_found(const struct preflight_host *host,
					 const struct foreign_key *key,
					 const struct foreign_elems *elems, size_t i)
{
	const struct foreign_elem *elem = &elems->v.v[i];

	task_step();
	return elem->catch_all ? foreign_none_found(host, key, elems)
			       : foreign_within(host, key, &elem->range);
}
