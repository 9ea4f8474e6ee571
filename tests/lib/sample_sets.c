/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sample_parts.h"

#define ELEMS_MAX 12

void sample_check(int rc)
{
	if (rc == 0)
		return;
	fputs("no memory for a sample\n", stderr);
	abort();
}

/* splitmix64 */
uint32_t sample_pick(uint64_t *state, uint32_t below)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (uint32_t)((z >> 32) * below >> 32);
}

bool sample_chance(uint64_t *state, uint32_t one_in)
{
	return sample_pick(state, one_in) == 0;
}

void sample_comment(uint64_t *state, char to[static NFT_COMMENT_MAX + 1])
{
	char text[NFT_COMMENT_MAX * 2];

	to[0] = '\0';
	if (sample_chance(state, 2))
		return;
	(void)snprintf(text, sizeof(text), "shop/pod-%u: p[%u]%*s", sample_pick(state, 3),
		       sample_pick(state, 3), sample_chance(state, 10) ? 150 : 0, "");
	nft_comment(to, text);
}

enum family sample_family(uint64_t *state)
{
	return sample_chance(state, 2) ? FAMILY_V4 : FAMILY_V6;
}

uint8_t sample_proto(uint64_t *state)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

	return protos[sample_pick(state, 3)];
}

struct addr sample_addr(enum family family, uint32_t n)
{
	struct addr addr = {.family = (uint8_t)family};
	size_t bytes = addr_bytes(family);

	addr.b[0] = family == FAMILY_V4 ? 10 : 0xfd;
	for (size_t i = 1; i <= 3; i++)
		addr.b[bytes - i] = (uint8_t)(n >> (8 * (i - 1)));
	return addr;
}

struct nft_verdict sample_verdict(uint64_t *state)
{
	struct nft_verdict verdict = {.kind = NFT_VERDICT_ACCEPT};

	if (sample_chance(state, 4))
		return verdict;
	verdict.kind = sample_chance(state, 2) ? NFT_VERDICT_JUMP : NFT_VERDICT_GOTO;
	(void)snprintf(verdict.chain, sizeof(verdict.chain), "leaf_%u", sample_pick(state, LEAVES));
	return verdict;
}

struct nft_key sample_key(uint64_t *state, enum nft_set_type type, uint32_t n)
{
	struct nft_key key = {0};
	struct addr addr =
		sample_addr(type == NFT_SET_TYPE_IPV4 || type == NFT_SET_TYPE_IPV4_TUPLE ||
					    type == NFT_SET_TYPE_IPV4_FLOW
				    ? FAMILY_V4
				    : FAMILY_V6,
			    n);

	switch (type) {
	case NFT_SET_TYPE_IPV4_TUPLE:
	case NFT_SET_TYPE_IPV6_TUPLE:
		key.port = (uint16_t)(8000 + sample_pick(state, 3));
		key.proto = sample_proto(state);
		memcpy(key.bytes, addr.b, sizeof(key.bytes));
		break;
	case NFT_SET_TYPE_IPV4_FLOW:
	case NFT_SET_TYPE_IPV6_FLOW:
		key.port = (uint16_t)(8000 + sample_pick(state, 3));
		key.peer_port = (uint16_t)(40000 + sample_pick(state, 3));
		key.proto = sample_proto(state);
		memcpy(key.bytes, addr.b, sizeof(key.bytes));
		memcpy(key.peer, addr.b, sizeof(key.peer));
		break;
	case NFT_SET_TYPE_IPV4:
	case NFT_SET_TYPE_IPV6:
		memcpy(key.bytes, addr.b, sizeof(key.bytes));
		break;
	case NFT_SET_TYPE_INDEX:
		n++;
		memcpy(key.bytes, &n, sizeof(n));
		break;
	case NFT_SET_TYPE_INTERFACE:
		(void)snprintf((char *)key.bytes, sizeof(key.bytes), "cali+%u@b", n);
		break;
	case NFT_SET_TYPE_PORT:
		key.port = (uint16_t)(4780 + n);
		break;
	case NFT_SET_TYPE_PORT_PROTO:
		key.port = (uint16_t)(n * 10);
		key.proto = sample_proto(state);
		break;
	}
	return key;
}

/* The end of an interval that begins with `first`, before the next tenth. */
static struct nft_key pick_last(uint64_t *state, enum nft_set_type type, struct nft_key first)
{
	uint32_t more = sample_chance(state, 3) ? 0 : sample_pick(state, 8);
	size_t at = type == NFT_SET_TYPE_IPV4 ? 3 : 15;

	if (type == NFT_SET_TYPE_PORT_PROTO)
		first.port = (uint16_t)(first.port + more);
	else
		first.bytes[at] = (uint8_t)(first.bytes[at] + more);
	return first;
}

void sample_elem(uint64_t *state, struct nft_set *set)
{
	uint32_t n = sample_pick(state, ELEMS_MAX);
	/* Intervals begin at multiples of ten: none overlaps another. */
	struct nft_key key =
		sample_key(state, set->type,
			   set->interval && set->type != NFT_SET_TYPE_PORT_PROTO ? 10 * n : n);
	struct nft_elem_extra extra = {0};

	if (set->interval)
		extra.last = pick_last(state, set->type, key);
	if (set->map) {
		extra.verdict = sample_verdict(state);
		if (set->table == NFT_TABLE_BRIDGE && extra.verdict.chain[0])
			(void)snprintf(extra.verdict.chain, sizeof(extra.verdict.chain), PORT_LEAF);
		sample_comment(state, extra.comment);
	}
	sample_check(nft_set_add(set, &key, set->interval || set->map ? &extra : NULL));
}

/* The last addresses and the first: an interval without an end, one without a gap before it. */
static void pick_edges(uint64_t *state, struct nft_set *set)
{
	size_t bytes = set->type == NFT_SET_TYPE_IPV4 ? 4 : 16;
	struct nft_elem_extra extra = {0};
	struct nft_key key = {0};

	if (sample_chance(state, 2)) {
		extra.last.bytes[bytes - 1] = 9;
		sample_check(nft_set_add(set, &key, &extra));
	}
	memset(key.bytes, 0xff, bytes);
	extra.last = key;
	key.bytes[bytes - 1] = 0xf0;
	if (sample_chance(state, 2))
		sample_check(nft_set_add(set, &key, &extra));
}

static const struct sample_form sample_forms[] = {
	{"p4_0", NFT_SET_TYPE_IPV4, false, false, NFT_TABLE_POLICY},
	{"p4_1", NFT_SET_TYPE_IPV4, false, false, NFT_TABLE_POLICY},
	{"p6_0", NFT_SET_TYPE_IPV6, false, false, NFT_TABLE_POLICY},
	{"p6_1", NFT_SET_TYPE_IPV6, false, false, NFT_TABLE_POLICY},
	{"b4_0", NFT_SET_TYPE_IPV4, true, false, NFT_TABLE_POLICY},
	{"b4_1", NFT_SET_TYPE_IPV4, true, false, NFT_TABLE_POLICY},
	{"b6_0", NFT_SET_TYPE_IPV6, true, false, NFT_TABLE_POLICY},
	{"n4_0", NFT_SET_TYPE_IPV4_TUPLE, false, false, NFT_TABLE_POLICY},
	{"n6_0", NFT_SET_TYPE_IPV6_TUPLE, false, false, NFT_TABLE_POLICY},
	{"f4_0", NFT_SET_TYPE_IPV4_FLOW, false, false, NFT_TABLE_POLICY},
	{"f6_0", NFT_SET_TYPE_IPV6_FLOW, false, false, NFT_TABLE_POLICY},
	{"ports_0", NFT_SET_TYPE_PORT_PROTO, false, true, NFT_TABLE_POLICY},
	{"ranges_0", NFT_SET_TYPE_PORT_PROTO, true, true, NFT_TABLE_POLICY},
	{"pod_if", NFT_SET_TYPE_INTERFACE, false, false, NFT_TABLE_POLICY},
	{"tunnel_ports", NFT_SET_TYPE_PORT, false, false, NFT_TABLE_POLICY},
	{"egress_if", NFT_SET_TYPE_INTERFACE, false, true, NFT_TABLE_POLICY},
	{"egress_ip4", NFT_SET_TYPE_IPV4, false, true, NFT_TABLE_POLICY},
	{"egress_ip6", NFT_SET_TYPE_IPV6, false, true, NFT_TABLE_POLICY},
	{"ports_of_bridges", NFT_SET_TYPE_INDEX, false, true, NFT_TABLE_BRIDGE},
	{"by_index", NFT_SET_TYPE_INDEX, false, true, NFT_TABLE_POLICY},
};

/* `x` has another form each time: the name is the same, the set is not. */
struct sample_form sample_set(uint64_t *state, size_t i)
{
	struct sample_form set;

	if (i < ARRAY_LEN(sample_forms))
		return sample_forms[i];
	set = sample_forms[sample_pick(state, ARRAY_LEN(sample_forms))];
	set.name = "x";
	return set;
}

struct nft_set *sample_new_set(uint64_t *state, const struct sample_form *sample)
{
	char comment[NFT_COMMENT_MAX + 1];
	struct nft_set *set;

	sample_comment(state, comment);
	set = nft_set_new(sample->name, sample->type, sample_chance(state, 4) ? comment : "");
	if (!set)
		sample_check(-1);
	set->table = sample->table;
	set->interval = sample->interval;
	set->map = sample->map;
	for (uint32_t i = sample_pick(state, ELEMS_MAX); i > 0; i--)
		sample_elem(state, set);
	if (set->interval && set->type != NFT_SET_TYPE_PORT_PROTO)
		pick_edges(state, set);
	return set;
}
