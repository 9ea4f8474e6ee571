/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers in the ruleset: the interval sets that they need, and the rules that let them pass. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memstream.h"
#include "internal.h"

const char *const block_prefix[] = {[FAMILY_V4] = "b4", [FAMILY_V6] = "b6"};
const char *const pods_prefix[] = {[FAMILY_V4] = "p4", [FAMILY_V6] = "p6"};
const enum nft_set_type addr_set_type[] = {
	[FAMILY_V4] = NFT_SET_TYPE_IPV4, [FAMILY_V6] = NFT_SET_TYPE_IPV6};

static void write_ranges(FILE *out, const struct block_set *set)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < set->ranges.all.n; i++) {
		struct addr addr = {.family = set->family};

		memcpy(addr.b, set->ranges.all.v[i].lo, sizeof(addr.b));
		fprintf(out, " %s-", addr_format(&addr, text));
		memcpy(addr.b, set->ranges.all.v[i].hi, sizeof(addr.b));
		fputs(addr_format(&addr, text), out);
	}
}

static char *ranges_text(const struct block_set *set)
{
	struct memstream stream;

	if (memstream_open(&stream) < 0)
		return NULL;
	fputs(block_prefix[set->family], stream.out);
	write_ranges(stream.out, set);
	return memstream_text(&stream);
}

static int put_interval_set(struct render *r, const struct name *name, const struct block_set *from)
{
	char set_text[NFT_NAME_MAX];
	struct nft_set *set;

	set_name(set_text, block_prefix[from->family], name->id);
	set = nft_set_new(set_text, addr_set_type[from->family], "");
	if (!set)
		return -ENOMEM;
	set->interval = true;
	for (size_t i = 0; i < from->ranges.all.n; i++) {
		const struct range *range = &from->ranges.all.v[i];
		struct nft_key key = {0};
		struct nft_elem_extra extra = {0};

		memcpy(key.bytes, range->lo, sizeof(key.bytes));
		memcpy(extra.last.bytes, range->hi, sizeof(extra.last.bytes));
		if (nft_set_add(set, &key, &extra) < 0) {
			nft_set_free(set);
			return -ENOMEM;
		}
	}
	return ruleset_put_set(&r->ruleset, set);
}

/* Ranges that are a single prefix need no set. */
static bool one_prefix(const struct block_set *set, struct prefix *ret)
{
	return set->ranges.all.n == 1 &&
	       range_is_prefix(&set->ranges.all.v[0], (enum family)set->family, ret);
}

/* The graph has equal ranges once, so the name is made once and kept there. */
static int use_blocks(struct render *r, struct block_set *set)
{
	struct name *name = set->listener_data;
	struct prefix prefix;
	char *text;

	if (name) {
		name->refs++;
		return 0;
	}
	if (one_prefix(set, &prefix))
		return 0;
	text = ranges_text(set);
	if (!text)
		return -ENOMEM;
	name = names_get(r->names, text);
	free(text);
	if (!name)
		return -ENOMEM;
	set->listener_data = name;
	return put_interval_set(r, name, set);
}

static void leave_blocks(struct render *r, struct block_set *set)
{
	struct name *name = set->listener_data;
	char text[NFT_NAME_MAX];

	if (!name)
		return;
	if (name->refs == 1) {
		set_name(text, block_prefix[set->family], name->id);
		drop_set(r, text);
		set->listener_data = NULL;
	}
	names_put(r->names, name);
}

static int use_peers(struct render *r, const struct peers *peers)
{
	for (int family = 0; family < FAMILY_COUNT; family++) {
		if (!peers->blocks[family] || use_blocks(r, peers->blocks[family]) == 0)
			continue;
		while (family-- > 0) {
			if (peers->blocks[family])
				leave_blocks(r, peers->blocks[family]);
		}
		return -ENOMEM;
	}
	return 0;
}

static void leave_peers(struct render *r, const struct peers *peers)
{
	for (int family = 0; family < FAMILY_COUNT; family++) {
		if (peers->blocks[family])
			leave_blocks(r, peers->blocks[family]);
	}
}

int use_class(struct render *r, const struct port_class *class)
{
	for (size_t i = 0; i < class->n_parts; i++) {
		if (use_peers(r, class->parts[i]) == 0)
			continue;
		while (i-- > 0)
			leave_peers(r, class->parts[i]);
		return -ENOMEM;
	}
	return 0;
}

void leave_class(struct render *r, const struct port_class *class)
{
	for (size_t i = 0; i < class->n_parts; i++)
		leave_peers(r, class->parts[i]);
}

/* Sets by their names, which follow from what they hold; a single prefix as it is. */
static void write_peers(FILE *out, const struct peers *peers)
{
	const struct rendered_set *pods = peers->pods ? peers->pods->listener_data : NULL;

	if (peers->any)
		fputs(" any", out);
	if (pods)
		fprintf(out, " %s", pods->name->id);
	for (int family = 0; family < FAMILY_COUNT; family++) {
		const struct block_set *set = peers->blocks[family];
		const struct name *name = set ? set->listener_data : NULL;

		if (name)
			fprintf(out, " %s_%s", block_prefix[family], name->id);
		else if (set)
			write_ranges(out, set);
	}
}

char *class_text(const struct port_class *class, enum direction dir)
{
	struct memstream stream;

	if (memstream_open(&stream) < 0)
		return NULL;
	fprintf(stream.out, "class %s", direction_name(dir));
	for (size_t i = 0; i < class->n_parts; i++) {
		fputs(" |", stream.out);
		write_peers(stream.out, class->parts[i]);
	}
	return memstream_text(&stream);
}

static size_t count_peer_rules(const struct peers *peers)
{
	if (peers->any)
		return 1;
	return (peers->pods ? FAMILY_COUNT : 0) + (peers->blocks[FAMILY_V4] != NULL) +
	       (peers->blocks[FAMILY_V6] != NULL);
}

size_t count_class_rules(const struct port_class *class)
{
	size_t n = 0;

	for (size_t i = 0; i < class->n_parts; i++)
		n += count_peer_rules(class->parts[i]);
	return n;
}

/* BEFORE PEER accept|goto to_pod comment "..."; peer NULL: whoever. */
static int add_allow_rule(const struct rule_context *ctx, const struct nft_stmt *peer)
{
	struct nft_stmt stmts[3];
	size_t n = 0;

	if (ctx->before)
		stmts[n++] = *ctx->before;
	if (peer)
		stmts[n++] = *peer;
	stmts[n++] =
		(struct nft_stmt){.kind = NFT_STMT_VERDICT, .verdict = allowed_verdict(ctx->dir)};
	return add_rule(ctx->chain, stmts, n, ctx->comment);
}

int add_set_rules(const struct rule_context *ctx, enum nft_stmt_kind kind,
		  const char *const prefix[FAMILY_COUNT], const char *id)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct nft_stmt peer = {
			.kind = kind, .family = (enum family)family, .dir = peer_dir(ctx->dir)};

		set_name(peer.name, prefix[family], id);
		rc = add_allow_rule(ctx, &peer);
	}
	return rc;
}

static int add_block_rule(const struct rule_context *ctx, const struct block_set *set)
{
	const struct name *name = set->listener_data;
	enum family family = (enum family)set->family;
	struct nft_stmt peer = {.family = family, .dir = peer_dir(ctx->dir)};
	struct prefix prefix;

	if (name) {
		/* ip saddr @b4_ID */
		peer.kind = NFT_STMT_ADDR_SET;
		set_name(peer.name, block_prefix[family], name->id);
		return add_allow_rule(ctx, &peer);
	}
	if (!one_prefix(set, &prefix))
		return 0;
	/* ip saddr 10.0.0.0/8, or meta nfproto ipv4 for all of them */
	peer.kind = prefix.len == 0 ? NFT_STMT_FAMILY : NFT_STMT_ADDR;
	if (prefix.len > 0) {
		peer.prefixes = &prefix;
		peer.n = 1;
	}
	return add_allow_rule(ctx, &peer);
}

static int add_peer_rules(const struct rule_context *ctx, const struct peers *peers)
{
	int rc = 0;

	if (peers->any)
		return add_allow_rule(ctx, NULL);
	if (peers->pods) {
		const struct rendered_set *rendered = peers->pods->listener_data;

		/* ip saddr @p4_ID */
		rc = add_set_rules(ctx, NFT_STMT_ADDR_SET, pods_prefix, rendered->name->id);
	}
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = peers->blocks[family] ? add_block_rule(ctx, peers->blocks[family]) : 0;
	return rc;
}

int add_class_rules(const struct rule_context *ctx, const struct port_class *class)
{
	int rc = 0;

	for (size_t i = 0; i < class->n_parts && rc == 0; i++)
		rc = add_peer_rules(ctx, class->parts[i]);
	return rc;
}
