/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keys.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "encode_expr.h"

enum part { PART_IPV4, PART_IPV6, PART_INTERFACE, PART_INDEX, PART_PROTO, PART_PORT };

static const struct {
	uint32_t id; /* nft's */
	uint8_t bytes;
} parts[] = {
	[PART_IPV4] = {NFT_TYPE_ID_IPADDR, 4},       [PART_IPV6] = {NFT_TYPE_ID_IP6ADDR, 16},
	[PART_INTERFACE] = {NFT_TYPE_ID_IFNAME, 16}, [PART_INDEX] = {NFT_TYPE_ID_IFINDEX, 4},
	[PART_PROTO] = {NFT_TYPE_ID_INET_PROTO, 1},  [PART_PORT] = {NFT_TYPE_ID_INET_SERVICE, 2},
};

static const struct {
	enum part parts[NFT_KEY_FIELDS_MAX];
	size_t n;
} types[] = {
	[NFT_SET_TYPE_IPV4] = {{PART_IPV4}, 1},
	[NFT_SET_TYPE_IPV6] = {{PART_IPV6}, 1},
	[NFT_SET_TYPE_INTERFACE] = {{PART_INTERFACE}, 1},
	[NFT_SET_TYPE_INDEX] = {{PART_INDEX}, 1},
	[NFT_SET_TYPE_PORT] = {{PART_PORT}, 1},
	[NFT_SET_TYPE_PORT_PROTO] = {{PART_PORT, PART_PROTO}, 2},
	[NFT_SET_TYPE_IPV4_TUPLE] = {{PART_IPV4, PART_PROTO, PART_PORT}, 3},
	[NFT_SET_TYPE_IPV6_TUPLE] = {{PART_IPV6, PART_PROTO, PART_PORT}, 3},
};

/* A field that stands alone is not padded. */
static size_t padded(enum nft_set_type type, size_t bytes)
{
	return types[type].n > 1 ? (bytes + 3) / 4 * 4 : bytes;
}

uint32_t nft_key_type(enum nft_set_type type)
{
	uint32_t id = 0;

	for (size_t i = 0; i < types[type].n; i++)
		id = id << 6 | parts[types[type].parts[i]].id;
	return id;
}

size_t nft_key_len(enum nft_set_type type)
{
	size_t len = 0;

	for (size_t i = 0; i < types[type].n; i++)
		len += padded(type, parts[types[type].parts[i]].bytes);
	return len;
}

size_t nft_key_fields(enum nft_set_type type, uint8_t ret[NFT_KEY_FIELDS_MAX])
{
	for (size_t i = 0; ret && i < types[type].n; i++)
		ret[i] = parts[types[type].parts[i]].bytes;
	return types[type].n;
}

uint32_t nft_set_size(enum nft_set_type type)
{
	return type == NFT_SET_TYPE_INDEX ? NFT_INDEX_MAX : 0;
}

uint32_t nft_set_flags(const struct nft_set *set)
{
	uint32_t flags = 0;

	if (set->map)
		flags |= NFT_SET_MAP;
	if (set->interval)
		flags |= NFT_SET_INTERVAL;
	if (set->interval && nft_key_fields(set->type, NULL) > 1)
		flags |= NFT_SET_CONCAT;
	return flags;
}

size_t nft_key_encode(enum nft_set_type type, const struct nft_key *key,
		      uint8_t to[NFT_KEY_BYTES_MAX])
{
	size_t at = 0;

	memset(to, 0, NFT_KEY_BYTES_MAX);
	for (size_t i = 0; i < types[type].n; i++) {
		enum part part = types[type].parts[i];

		if (part == PART_PORT) {
			to[at] = (uint8_t)(key->port >> 8);
			to[at + 1] = (uint8_t)key->port;
		} else if (part == PART_PROTO) {
			to[at] = key->proto;
		} else {
			memcpy(to + at, key->bytes, parts[part].bytes);
		}
		at += padded(type, parts[part].bytes);
	}
	return at;
}

size_t nft_key_decode(enum nft_set_type type, const uint8_t *from, struct nft_key *ret)
{
	size_t at = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < types[type].n; i++) {
		enum part part = types[type].parts[i];

		if (part == PART_PORT)
			ret->port = (uint16_t)(from[at] << 8 | from[at + 1]);
		else if (part == PART_PROTO)
			ret->proto = from[at];
		else
			memcpy(ret->bytes, from + at, parts[part].bytes);
		at += padded(type, parts[part].bytes);
	}
	return at;
}
