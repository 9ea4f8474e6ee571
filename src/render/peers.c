/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers in the ruleset: the interval sets that they need, and the rules that let them pass. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

const char *const block_prefix[] = {[FAMILY_V4] = "b4", [FAMILY_V6] = "b6"};
const char *const pods_prefix[] = {[FAMILY_V4] = "p4", [FAMILY_V6] = "p6"};
const enum nft_set_type addr_set_type[] = {
	[FAMILY_V4] = NFT_SET_TYPE_IPV4, [FAMILY_V6] = NFT_SET_TYPE_IPV6};

static void write_ranges(FILE *out, const struct ranges *ranges, enum family family)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < ranges->all.n; i++) {
		struct addr addr = {.family = (uint8_t)family};

		memcpy(addr.b, ranges->all.v[i].lo, sizeof(addr.b));
		fprintf(out, " %s-", addr_format(&addr, text));
		memcpy(addr.b, ranges->all.v[i].hi, sizeof(addr.b));
		fputs(addr_format(&addr, text), out);
	}
}

static char *ranges_text(const struct ranges *ranges, enum family family)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fputs(block_prefix[family], out);
	write_ranges(out, ranges, family);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int put_interval_set(struct render *r, const struct name *name, const struct ranges *ranges,
			    enum family family)
{
	char set_text[NFT_NAME_MAX];
	struct nft_set *set;

	set_name(set_text, block_prefix[family], name->id);
	set = nft_set_new(set_text, addr_set_type[family], "");
	if (!set)
		return -ENOMEM;
	set->interval = true;
	for (size_t i = 0; i < ranges->all.n; i++) {
		struct nft_key key = {0};
		struct nft_elem_extra extra = {0};

		memcpy(key.bytes, ranges->all.v[i].lo, sizeof(key.bytes));
		memcpy(extra.last.bytes, ranges->all.v[i].hi, sizeof(extra.last.bytes));
		if (nft_set_add(set, &key, &extra) < 0) {
			nft_set_free(set);
			return -ENOMEM;
		}
	}
	return ruleset_put_set(&r->ruleset, set);
}

/* Ranges that are a single prefix need no set. */
static bool one_prefix(const struct ranges *ranges, enum family family, struct prefix *ret)
{
	return ranges->all.n == 1 && range_is_prefix(&ranges->all.v[0], family, ret);
}

static int name_ranges(struct render *r, const struct ranges *ranges, enum family family,
		       struct name **ret)
{
	struct prefix prefix;
	char *text;

	if (ranges->all.n == 0 || one_prefix(ranges, family, &prefix))
		return 0;
	text = ranges_text(ranges, family);
	if (!text)
		return -ENOMEM;
	*ret = names_get(r->names, text);
	free(text);
	if (!*ret)
		return -ENOMEM;
	if ((*ret)->refs > 1)
		return 0; /* another has it */
	return put_interval_set(r, *ret, ranges, family);
}

int name_blocks(struct render *r, const struct peers *peers, struct class_names *names)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = name_ranges(r, &peers->blocks[family], (enum family)family,
				 &names->blocks[family]);
	return rc;
}

void drop_blocks(struct render *r, struct class_names *names)
{
	for (int family = 0; family < FAMILY_COUNT; family++) {
		struct name *name = names->blocks[family];
		char text[NFT_NAME_MAX];

		if (name && name->refs == 1) {
			set_name(text, block_prefix[family], name->id);
			drop_set(r, text);
		}
		names_put(r->names, name);
		names->blocks[family] = NULL;
	}
}

char *class_text(const struct peers *peers, enum direction dir)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "class %s", direction_name(dir));
	for (size_t i = 0; peers->pods && i < peers->pods->n; i++)
		fprintf(out, " | %s", peers->pods->selectors[i]->text);
	for (int family = 0; family < FAMILY_COUNT; family++) {
		fprintf(out, " | %s", block_prefix[family]);
		write_ranges(out, &peers->blocks[family], (enum family)family);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

size_t count_peer_rules(const struct peers *peers)
{
	if (peers->any)
		return 1;
	return (peers->pods ? FAMILY_COUNT : 0) + (peers->blocks[FAMILY_V4].all.n > 0) +
	       (peers->blocks[FAMILY_V6].all.n > 0);
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

static int add_block_rule(const struct rule_context *ctx, const struct ranges *ranges,
			  enum family family, const struct name *name)
{
	struct nft_stmt peer = {.family = family, .dir = peer_dir(ctx->dir)};
	struct prefix prefix;

	if (ranges->all.n == 0)
		return 0;
	if (name) {
		/* ip saddr @b4_ID */
		peer.kind = NFT_STMT_ADDR_SET;
		set_name(peer.name, block_prefix[family], name->id);
		return add_allow_rule(ctx, &peer);
	}
	if (!one_prefix(ranges, family, &prefix))
		return 0;
	/* ip saddr 10.0.0.0/8, or meta nfproto ipv4 for all of them */
	peer.kind = prefix.len == 0 ? NFT_STMT_FAMILY : NFT_STMT_ADDR;
	if (prefix.len > 0) {
		peer.prefixes = &prefix;
		peer.n = 1;
	}
	return add_allow_rule(ctx, &peer);
}

int add_peer_rules(const struct rule_context *ctx, const struct peers *peers,
		   const struct class_names *names)
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
		rc = add_block_rule(ctx, &peers->blocks[family], (enum family)family,
				    names->blocks[family]);
	return rc;
}
