/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "interp.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16 /* the kernel's limit on jumps */

enum outcome { PASS, DROP, FALL_THROUGH };

struct run {
	const struct ruleset *ruleset;
	const struct packet *packet;
	enum nft_table table;
};

static void broken(const char *what, const char *name)
{
	fprintf(stderr, "the kernel would refuse this ruleset: %s %s\n", what, name);
	abort();
}

static const struct nft_set *set_named(const struct run *run, const char *name)
{
	const struct nft_set *set = ruleset_set(run->ruleset, name);

	if (!set || set->table != run->table)
		broken("no set", name);
	return set;
}

static const struct nft_chain *chain_named(const struct run *run, const char *name)
{
	const struct nft_chain *chain = ruleset_chain(run->ruleset, run->table, name);

	if (!chain)
		broken("no chain", name);
	return chain;
}

static const struct addr *packet_addr(const struct packet *packet, enum nft_dir dir)
{
	return dir == NFT_DIR_SOURCE ? &packet->from : &packet->to;
}

static const char *packet_interface(const struct packet *packet, enum nft_dir dir)
{
	return dir == NFT_DIR_SOURCE ? packet->in : packet->out;
}

static bool in_prefix(const struct addr *addr, const struct prefix *prefix)
{
	for (unsigned bit = 0; bit < prefix->len; bit++) {
		unsigned flag = 0x80u >> (bit % 8);

		if ((addr->b[bit / 8] & flag) != (prefix->addr.b[bit / 8] & flag))
			return false;
	}
	return true;
}

/* Bytes that the kernel compares: the whole key, in the order of the set's type. */
static bool elem_matches(const struct nft_set *set, const struct nft_elem *elem,
			 const struct nft_key *key)
{
	const struct nft_key *lo = &elem->key;
	const struct nft_key *hi = set->interval ? &elem->extra->last : &elem->key;

	return memcmp(key->bytes, lo->bytes, sizeof(key->bytes)) >= 0 &&
	       memcmp(key->bytes, hi->bytes, sizeof(key->bytes)) <= 0 && key->proto == lo->proto &&
	       key->port >= lo->port && key->port <= hi->port && key->peer_port == lo->peer_port &&
	       memcmp(key->peer, lo->peer, sizeof(key->peer)) == 0;
}

static const struct nft_elem *find_elem(const struct nft_set *set, const struct nft_key *key)
{
	const struct nft_elem *found = NULL;

	for (const struct nft_elem *elem = set->elems; elem; elem = elem->hh.next) {
		if (!elem_matches(set, elem, key))
			continue;
		if (found)
			broken("overlapping elements in", set->name);
		found = elem;
	}
	return found;
}

static struct nft_key stmt_key(const struct nft_stmt *stmt, const struct packet *packet)
{
	struct nft_key key = {0};

	switch (stmt->kind) {
	case NFT_STMT_INTERFACE_MAP:
		memcpy(key.bytes, packet_interface(packet, stmt->dir), sizeof(key.bytes));
		break;
	case NFT_STMT_INDEX_MAP:
		memcpy(key.bytes, &packet->index[stmt->dir], sizeof(packet->index[0]));
		break;
	case NFT_STMT_INTERFACE_SET:
		memcpy(key.bytes, packet_interface(packet, stmt->dir), sizeof(key.bytes));
		break;
	case NFT_STMT_PORT_SET:
		key.port = packet->port;
		break;
	case NFT_STMT_PORT_MAP:
		key.port = packet->port;
		key.proto = packet->proto;
		break;
	case NFT_STMT_TUPLE_SET:
		key.port = packet->port;
		key.proto = packet->proto;
		memcpy(key.bytes, packet_addr(packet, stmt->dir)->b, sizeof(key.bytes));
		break;
	case NFT_STMT_FLOW_SET:
		key.port = packet->source_port;
		key.peer_port = packet->port;
		key.proto = packet->proto;
		memcpy(key.bytes, packet->from.b, sizeof(key.bytes));
		memcpy(key.peer, packet->to.b, sizeof(key.peer));
		break;
	default:
		memcpy(key.bytes, packet_addr(packet, stmt->dir)->b, sizeof(key.bytes));
		break;
	}
	return key;
}

static bool lists_addr(const struct nft_stmt *stmt, const struct packet *packet)
{
	for (size_t i = 0; i < stmt->n; i++) {
		if (in_prefix(packet_addr(packet, stmt->dir), &stmt->prefixes[i]))
			return true;
	}
	return false;
}

static bool lists_port(const struct nft_stmt *stmt, const struct packet *packet)
{
	for (size_t i = 0; i < stmt->n; i++) {
		if (packet->port >= stmt->ports[i].first && packet->port <= stmt->ports[i].last)
			return true;
	}
	return false;
}

static bool lists_type(const struct nft_stmt *stmt, const struct packet *packet)
{
	return packet->proto == IPPROTO_ICMPV6 &&
	       memchr(stmt->types, packet->icmpv6_type, stmt->n) != NULL;
}

static bool is_dhcp(const struct nft_stmt *stmt, const struct packet *packet)
{
	uint16_t client = stmt->family == FAMILY_V4 ? 68 : 546;
	uint16_t server = stmt->family == FAMILY_V4 ? 67 : 547;
	bool asks = stmt->dir == NFT_DIR_SOURCE;

	return packet->proto == IPPROTO_UDP && packet->source_port == (asks ? client : server) &&
	       packet->port == (asks ? server : client);
}

/* Does a matching statement match? Lookups for verdicts are verdict_of()'s. */
static bool matches(const struct run *run, const struct nft_stmt *stmt)
{
	const struct packet *packet = run->packet;
	bool family = packet->family == stmt->family && !packet->arp;
	struct nft_key key = stmt_key(stmt, packet);

	switch (stmt->kind) {
	case NFT_STMT_CT_ESTABLISHED:
		return packet->established;
	case NFT_STMT_CT_OTHER:
		return !packet->established;
	case NFT_STMT_ICMPV6_TYPES:
		return packet->family == FAMILY_V6 && lists_type(stmt, packet);
	case NFT_STMT_HOPLIMIT:
		return packet->family == FAMILY_V6 && packet->hoplimit == stmt->hoplimit;
	case NFT_STMT_FAMILY:
		return family;
	case NFT_STMT_ADDR:
		return family && lists_addr(stmt, packet) != stmt->negate;
	case NFT_STMT_ADDR_SET:
	case NFT_STMT_TUPLE_SET:
	case NFT_STMT_FLOW_SET:
		return family && find_elem(set_named(run, stmt->name), &key);
	case NFT_STMT_PROTO:
		return (packet->proto == stmt->proto) != stmt->negate;
	case NFT_STMT_PROTOS:
		return memchr(stmt->types, packet->proto, stmt->n) != NULL;
	case NFT_STMT_TCP_NOT_SYN:
		return packet->proto == IPPROTO_TCP && !packet->syn;
	case NFT_STMT_SCTP_NOT_INIT:
		return packet->proto == IPPROTO_SCTP && !packet->syn;
	case NFT_STMT_PORT_SET:
		return (stmt->proto == 0 || packet->proto == stmt->proto) &&
		       (find_elem(set_named(run, stmt->name), &key) != NULL) != stmt->negate;
	case NFT_STMT_DHCP:
		return is_dhcp(stmt, packet);
	case NFT_STMT_LOCAL_SOURCE:
		return packet->from_host;
	case NFT_STMT_INTERFACE_SET:
		return find_elem(set_named(run, stmt->name), &key) != NULL;
	case NFT_STMT_PORTS:
		return (stmt->proto == 0 || packet->proto == stmt->proto) &&
		       lists_port(stmt, packet);
	case NFT_STMT_INTERFACE:
		return strcmp(packet_interface(packet, stmt->dir), stmt->name) == 0;
	case NFT_STMT_INTERFACE_KIND: /* of the lockdown: packets here do not say */
		return false;
	case NFT_STMT_VLAN:
		return packet->ethernet && packet->vlan;
	case NFT_STMT_ETHER_SOURCE:
		return packet->ethernet && (memcmp(packet->ether, stmt->ether,
						   sizeof(stmt->ether)) == 0) != stmt->negate;
	case NFT_STMT_ETHER_FRAME:
		return family && packet->ethernet && !packet->vlan &&
		       memcmp(packet->ether, stmt->ether, sizeof(stmt->ether)) == 0;
	case NFT_STMT_ETHER_TYPE:
		return family && packet->ethernet && !packet->vlan;
	case NFT_STMT_ETHER_GROUP:
		return packet->ethernet && packet->group;
	case NFT_STMT_ARP_SOURCE:
		return packet->arp && lists_addr(stmt, packet) != stmt->negate;
	case NFT_STMT_ND_TARGET:
		return in_prefix(&packet->nd_target, &stmt->prefixes[0]) != stmt->negate;
	case NFT_STMT_COUNTER:
	case NFT_STMT_INDEX_MAP:
	case NFT_STMT_INTERFACE_MAP:
	case NFT_STMT_ADDR_MAP:
	case NFT_STMT_PORT_MAP:
	case NFT_STMT_VERDICT:
		return true;
	}
	return false;
}

/* The verdict that a statement comes to; NULL: none. */
static const struct nft_verdict *verdict_of(const struct run *run, const struct nft_stmt *stmt)
{
	struct nft_key key = stmt_key(stmt, run->packet);
	const struct nft_elem *elem;

	switch (stmt->kind) {
	case NFT_STMT_VERDICT:
		return &stmt->verdict;
	case NFT_STMT_ADDR_MAP:
		if (run->packet->family != stmt->family)
			return NULL;
		break;
	case NFT_STMT_INDEX_MAP:
	case NFT_STMT_INTERFACE_MAP:
	case NFT_STMT_PORT_MAP:
		break;
	default:
		return NULL;
	}
	elem = find_elem(set_named(run, stmt->name), &key);
	return elem ? &elem->extra->verdict : NULL;
}

static enum outcome walk(const struct run *run, const struct nft_chain *chain, unsigned depth);

static enum outcome obey(const struct run *run, const struct nft_verdict *verdict, unsigned depth,
			 bool *ret_goto)
{
	*ret_goto = verdict->kind == NFT_VERDICT_GOTO;
	switch (verdict->kind) {
	case NFT_VERDICT_ACCEPT:
		return PASS;
	case NFT_VERDICT_DROP:
		return DROP;
	case NFT_VERDICT_RETURN:
		*ret_goto = true; /* nothing of this chain any more */
		return FALL_THROUGH;
	case NFT_VERDICT_JUMP:
	case NFT_VERDICT_GOTO:
		break;
	}
	return walk(run, chain_named(run, verdict->chain), depth + 1);
}

static enum outcome walk(const struct run *run, const struct nft_chain *chain, unsigned depth)
{
	if (depth > DEPTH_MAX)
		broken("too many jumps at", chain->name);
	for (size_t i = 0; i < chain->rules.n; i++) {
		const struct nft_rule *rule = &chain->rules.v[i];

		for (size_t j = 0; j < rule->stmts.n && matches(run, &rule->stmts.v[j]); j++) {
			const struct nft_verdict *verdict = verdict_of(run, &rule->stmts.v[j]);
			enum outcome outcome;
			bool gone;

			if (!verdict)
				continue;
			outcome = obey(run, verdict, depth, &gone);
			if (outcome != FALL_THROUGH || gone)
				return outcome;
		}
	}
	return FALL_THROUGH;
}

/* Every reference must lead somewhere, not only those that a packet takes. */
static void check_references(const struct run *run)
{
	for (const struct nft_chain *chain = run->ruleset->chains[run->table]; chain;
	     chain = chain->hh.next) {
		for (size_t i = 0; i < chain->rules.n; i++) {
			for (size_t j = 0; j < chain->rules.v[i].stmts.n; j++) {
				const struct nft_stmt *stmt = &chain->rules.v[i].stmts.v[j];

				if (stmt->kind == NFT_STMT_VERDICT &&
				    stmt->verdict.kind >= NFT_VERDICT_JUMP)
					(void)chain_named(run, stmt->verdict.chain);
				if (nft_stmt_set(stmt))
					(void)set_named(run, nft_stmt_set(stmt));
			}
		}
	}
	for (const struct nft_set *set = run->ruleset->sets; set; set = set->hh.next) {
		if (set->table != run->table)
			continue;
		for (const struct nft_elem *elem = set->elems; elem; elem = elem->hh.next) {
			if (set->map && elem->extra->verdict.kind >= NFT_VERDICT_JUMP)
				(void)chain_named(run, elem->extra->verdict.chain);
		}
	}
}

/* The verdict of a hook; without a base chain there, nothing drops. */
static bool passes(const struct ruleset *ruleset, enum nft_table table, enum nft_hook hook,
		   const struct packet *packet)
{
	struct run run = {ruleset, packet, table};

	check_references(&run);
	for (const struct nft_chain *chain = ruleset->chains[table]; chain;
	     chain = chain->hh.next) {
		if (chain->hook == hook)
			return walk(&run, chain, 0) != DROP;
	}
	return true;
}

bool interp_hook(const struct ruleset *ruleset, enum nft_hook hook, const struct packet *packet)
{
	for (const struct nft_chain *chain = ruleset->chains[NFT_TABLE_POLICY]; chain;
	     chain = chain->hh.next) {
		if (chain->hook == hook)
			return passes(ruleset, NFT_TABLE_POLICY, hook, packet);
	}
	broken("no base chain", "");
	return false;
}

bool interp_source(const struct ruleset *ruleset, const struct packet *packet)
{
	return passes(ruleset, packet->ethernet ? NFT_TABLE_BRIDGE : NFT_TABLE_POLICY,
		      NFT_HOOK_PREROUTING, packet);
}

bool interp_bridge(const struct ruleset *ruleset, const struct packet *packet)
{
	return passes(ruleset, NFT_TABLE_BRIDGE, NFT_HOOK_PREROUTING, packet) &&
	       passes(ruleset, NFT_TABLE_BRIDGE, NFT_HOOK_FORWARD, packet);
}
