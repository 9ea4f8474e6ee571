/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keys.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "encode_expr.h"

enum part {
	PART_IPV4,
	PART_IPV6,
	PART_INTERFACE,
	PART_INDEX,
	PART_PROTO,
	PART_PORT,
	PART_PEER_IPV4,
	PART_PEER_IPV6,
	PART_PEER_PORT
};

static const struct {
	uint32_t id; /* nft's */
	uint8_t bytes;
} parts[] = {
	[PART_IPV4] = {NFT_TYPE_ID_IPADDR, 4},
	[PART_IPV6] = {NFT_TYPE_ID_IP6ADDR, 16},
	[PART_INTERFACE] = {NFT_TYPE_ID_IFNAME, 16},
	[PART_INDEX] = {NFT_TYPE_ID_IFINDEX, 4},
	[PART_PROTO] = {NFT_TYPE_ID_INET_PROTO, 1},
	[PART_PORT] = {NFT_TYPE_ID_INET_SERVICE, 2},
	[PART_PEER_IPV4] = {NFT_TYPE_ID_IPADDR, 4},
	[PART_PEER_IPV6] = {NFT_TYPE_ID_IP6ADDR, 16},
	[PART_PEER_PORT] = {NFT_TYPE_ID_INET_SERVICE, 2},
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
	[NFT_SET_TYPE_IPV4_FLOW] = {{PART_IPV4, PART_PEER_IPV4, PART_PROTO, PART_PORT,
				     PART_PEER_PORT},
				    5},
	[NFT_SET_TYPE_IPV6_FLOW] = {{PART_IPV6, PART_PEER_IPV6, PART_PROTO, PART_PORT,
				     PART_PEER_PORT},
				    5},
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

static void encode_part(enum part part, const struct nft_key *key, uint8_t *to)
{
	uint16_t port = part == PART_PORT ? key->port : key->peer_port;

	switch (part) {
	case PART_PORT:
	case PART_PEER_PORT:
		to[0] = (uint8_t)(port >> 8);
		to[1] = (uint8_t)port;
		break;
	case PART_PROTO:
		to[0] = key->proto;
		break;
	case PART_PEER_IPV4:
	case PART_PEER_IPV6:
		memcpy(to, key->peer, parts[part].bytes);
		break;
	case PART_IPV4:
	case PART_IPV6:
	case PART_INTERFACE:
	case PART_INDEX:
		memcpy(to, key->bytes, parts[part].bytes);
		break;
	}
}

static void decode_part(enum part part, const uint8_t *from, struct nft_key *key)
{
	switch (part) {
	case PART_PORT:
		key->port = (uint16_t)(from[0] << 8 | from[1]);
		break;
	case PART_PEER_PORT:
		key->peer_port = (uint16_t)(from[0] << 8 | from[1]);
		break;
	case PART_PROTO:
		key->proto = from[0];
		break;
	case PART_PEER_IPV4:
	case PART_PEER_IPV6:
		memcpy(key->peer, from, parts[part].bytes);
		break;
	case PART_IPV4:
	case PART_IPV6:
	case PART_INTERFACE:
	case PART_INDEX:
		memcpy(key->bytes, from, parts[part].bytes);
		break;
	}
}

size_t nft_key_encode(enum nft_set_type type, const struct nft_key *key,
		      uint8_t to[NFT_KEY_BYTES_MAX])
{
	size_t at = 0;

	memset(to, 0, NFT_KEY_BYTES_MAX);
	for (size_t i = 0; i < types[type].n; i++) {
		enum part part = types[type].parts[i];

		encode_part(part, key, to + at);
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

		decode_part(part, from + at, ret);
		at += padded(type, parts[part].bytes);
	}
	return at;
}
