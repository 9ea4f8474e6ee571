/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules say of addresses, and of the rest of the headers that have them. */
#include "reader.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

int decode_mask(const uint8_t *mask, size_t bytes)
{
	int len = 0;

	while ((size_t)len < bytes * 8 && (mask[len / 8] & (0x80u >> (len % 8))))
		len++;
	for (size_t bit = (size_t)len; bit < bytes * 8; bit++) {
		if (mask[bit / 8] & (0x80u >> (bit % 8)))
			return UNKNOWN;
	}
	return len;
}

static int take_prefix(struct reader *r, size_t exprs, struct nft_stmt *stmt, const uint8_t *bytes,
		       size_t n, int len)
{
	struct prefix prefix = {.len = (uint8_t)len};
	struct nft_stmt one = *stmt;

	prefix.addr.family = (uint8_t)stmt->family;
	memcpy(prefix.addr.b, bytes, n);
	one.prefixes = &prefix;
	one.n = 1;
	return len == UNKNOWN ? 0 : reader_take(r, exprs, &one);
}

/* A range as a prefix. */
static bool range_prefix(const struct nft_anonymous_elem *range, enum family family,
			 struct prefix *ret)
{
	size_t bytes = addr_bytes(family);
	uint8_t mask[16] = {0};
	int len;

	*ret = (struct prefix){.addr = {.family = (uint8_t)family}};
	for (size_t i = 0; i < bytes; i++) {
		mask[i] = (uint8_t) ~(range->first[i] ^ range->last[i]);
		if ((range->first[i] & mask[i]) != range->first[i])
			return false;
	}
	len = decode_mask(mask, bytes);
	memcpy(ret->addr.b, range->first, bytes);
	ret->len = (uint8_t)len;
	return len != UNKNOWN;
}

static int take_prefixes(struct reader *r, size_t exprs, struct nft_stmt *stmt,
			 const struct decoded_list *list)
{
	bool sound = true;
	int rc;

	stmt->n = list->elems.n;
	stmt->prefixes = calloc(stmt->n + 1, sizeof(stmt->prefixes[0]));
	if (!stmt->prefixes)
		return -ENOMEM;
	for (size_t i = 0; i < stmt->n; i++)
		sound &= range_prefix(&list->elems.v[i], stmt->family, &stmt->prefixes[i]);
	rc = sound ? reader_take(r, exprs, stmt) : 0;
	free(stmt->prefixes);
	return rc;
}

/* ip daddr . meta l4proto . th dport @named: the first field is in the register. */
static int read_tuple(struct reader *r, struct nft_stmt *stmt)
{
	uint32_t proto = stmt->family == FAMILY_V4 ? NFT_REG32_01 : NFT_REG32_04;
	struct payload port;
	struct lookup lookup;

	if (!reader_meta(r, 1, NFT_META_L4PROTO, proto) ||
	    !reader_payload(r, 2, proto + 1, &port) || port.base != NFT_PAYLOAD_TRANSPORT_HEADER ||
	    port.offset != TH_DPORT || port.len != 2 || !reader_lookup(r, 3, &lookup) ||
	    lookup.verdicts)
		return 0;
	stmt->kind = NFT_STMT_TUPLE_SET;
	return reader_take_named(r, 4, &lookup, stmt);
}

/* Is a port loaded into the register? */
static bool loads_port(const struct reader *r, size_t ahead, uint32_t reg, uint32_t offset)
{
	struct payload port;

	return reader_payload(r, ahead, reg, &port) && port.base == NFT_PAYLOAD_TRANSPORT_HEADER &&
	       port.offset == offset && port.len == 2;
}

/* ip saddr . ip daddr . meta l4proto . th sport . th dport @flows: the first field is in the
 * register. */
static int read_flow(struct reader *r, struct nft_stmt *stmt)
{
	bool v4 = stmt->family == FAMILY_V4;
	uint32_t reg = v4 ? NFT_REG32_01 : NFT_REG32_04, bytes = (uint32_t)addr_bytes(stmt->family);
	struct payload peer;
	struct lookup lookup;

	if (stmt->dir != NFT_DIR_SOURCE || !reader_payload(r, 1, reg, &peer) ||
	    peer.base != NFT_PAYLOAD_NETWORK_HEADER || peer.offset != (v4 ? IP_DADDR : IP6_DADDR) ||
	    peer.len != bytes)
		return 0;
	reg += bytes / 4;
	if (!reader_meta(r, 2, NFT_META_L4PROTO, reg) || !loads_port(r, 3, reg + 1, TH_SPORT) ||
	    !loads_port(r, 4, reg + 2, TH_DPORT) || !reader_lookup(r, 5, &lookup) ||
	    lookup.verdicts)
		return 0;
	stmt->kind = NFT_STMT_FLOW_SET;
	return reader_take_named(r, 6, &lookup, stmt);
}

/* An address is in the register, or its first bytes: what is done with it. */
static int read_addr_use(struct reader *r, struct nft_stmt *stmt, uint32_t len)
{
	uint32_t type = stmt->family == FAMILY_V4 ? NFT_TYPE_ID_IPADDR : NFT_TYPE_ID_IP6ADDR;
	const uint8_t *mask = reader_mask(r, 1, len);
	const uint8_t *bytes = reader_match(r, mask ? 2 : 1, len, &stmt->negate);
	const struct decoded_list *list;
	struct lookup lookup;

	if (bytes)
		return take_prefix(r, mask ? 3 : 2, stmt, bytes, len,
				   mask ? decode_mask(mask, len) : (int)len * 8);
	if (len != addr_bytes(stmt->family))
		return 0;
	list = reader_list(r, 1, type, &stmt->negate);
	if (list)
		return take_prefixes(r, 2, stmt, list);
	stmt->negate = false;
	if (r->arp)
		return 0;
	if (reader_payload(r, 1, stmt->family == FAMILY_V4 ? NFT_REG32_01 : NFT_REG32_04,
			   &(struct payload){0}))
		return read_flow(r, stmt);
	if (!reader_lookup(r, 1, &lookup))
		return read_tuple(r, stmt);
	stmt->kind = lookup.verdicts ? NFT_STMT_ADDR_MAP : NFT_STMT_ADDR_SET;
	return reader_take_named(r, 2, &lookup, stmt);
}

/* Where in its header an address stands. */
static bool find_addr(const struct reader *r, const struct payload *payload, struct nft_stmt *ret)
{
	static const uint32_t offsets[FAMILY_COUNT][2] = {
		[FAMILY_V4] = {[NFT_DIR_SOURCE] = IP_SADDR, [NFT_DIR_DESTINATION] = IP_DADDR},
		[FAMILY_V6] = {[NFT_DIR_SOURCE] = IP6_SADDR, [NFT_DIR_DESTINATION] = IP6_DADDR},
	};

	*ret = (struct nft_stmt){.kind = r->arp ? NFT_STMT_ARP_SOURCE : NFT_STMT_ADDR};
	if (r->arp)
		return payload->offset == ARP_SADDR_IP && payload->len <= 4;
	if (r->family == UNKNOWN)
		return false;
	ret->family = (enum family)r->family;
	ret->dir = payload->offset == offsets[ret->family][NFT_DIR_SOURCE] ? NFT_DIR_SOURCE
									   : NFT_DIR_DESTINATION;
	return payload->offset == offsets[ret->family][ret->dir] &&
	       payload->len <= addr_bytes(ret->family);
}

int reader_network(struct reader *r)
{
	struct payload payload;
	const uint8_t *hops;
	struct nft_stmt stmt;

	if (!reader_payload(r, 0, NFT_REG32_00, &payload) ||
	    payload.base != NFT_PAYLOAD_NETWORK_HEADER)
		return 0;
	if (r->family == FAMILY_V6 && payload.offset == IP6_HOPLIMIT && payload.len == 1) {
		hops = reader_cmp(r, 1, NFT_CMP_EQ, 1);
		return hops ? reader_take(r, 2,
					  &(struct nft_stmt){.kind = NFT_STMT_HOPLIMIT,
							     .hoplimit = *hops})
			    : 0;
	}
	return find_addr(r, &payload, &stmt) ? read_addr_use(r, &stmt, payload.len) : 0;
}
