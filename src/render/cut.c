/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that a stricter policy has ended. Their entries of connection tracking are deleted,
 * and then either end's next packet would begin a new one in its own direction: nf_conntrack picks
 * connections up in the middle (nf_conntrack_tcp_loose; of SCTP, at a HEARTBEAT: sctp_new() of
 * nf_conntrack_proto_sctp.c). What policy lets the server open would bring back what it denies the
 * client. So their packets from the server to the client are in these sets, and what is no
 * beginning of a connection looks there. */
#include <netinet/in.h>
#include <string.h>

#include "internal.h"

static const char *const set_names[] = {[FAMILY_V4] = "cut_ip4", [FAMILY_V6] = "cut_ip6"};
static const enum nft_set_type set_types[] = {
	[FAMILY_V4] = NFT_SET_TYPE_IPV4_FLOW, [FAMILY_V6] = NFT_SET_TYPE_IPV6_FLOW};

/* ct state established,related accept
 * ip saddr . ip daddr . meta l4proto . th sport . th dport @cut_ip4 counter drop */
static int fill_midstream(struct nft_chain *chain)
{
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_CT_ESTABLISHED},
			  verdict_stmt(NFT_VERDICT_ACCEPT, NULL));

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct nft_stmt stmts[] = {
			{.kind = NFT_STMT_FLOW_SET, .family = (enum family)family},
			{.kind = NFT_STMT_COUNTER},
			verdict_stmt(NFT_VERDICT_DROP, NULL),
		};

		memcpy(stmts[0].name, set_names[family], strlen(set_names[family]) + 1);
		rc = add_rule(chain, stmts, ARRAY_LEN(stmts), "cut");
	}
	return rc;
}

int put_cut_sets(struct render *r)
{
	struct nft_chain *chain;
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct nft_set *set = nft_set_new(set_names[family], set_types[family], "");

		rc = set ? ruleset_put_set(&r->ruleset, set) : -ENOMEM;
	}
	chain = rc == 0 ? nft_chain_new(CHAIN_MIDSTREAM, "") : NULL;
	if (!chain)
		return -ENOMEM;
	rc = fill_midstream(chain);
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
	nft_chain_free(chain);
	return rc;
}

int add_midstream(struct nft_chain *chain, enum nft_stmt_kind kind)
{
	const struct nft_stmt stmts[] = {{.kind = kind},
					 verdict_stmt(NFT_VERDICT_JUMP, CHAIN_MIDSTREAM)};

	return add_rule(chain, stmts, ARRAY_LEN(stmts), "");
}

/* What the node's own processes send, which passes no other chain: the servers that its pods were
 * connected to. */
static int put_output(struct render *r)
{
	struct nft_chain *chain = nft_chain_new(CHAIN_OUTPUT, "");
	const struct nft_stmt established[] = {{.kind = NFT_STMT_CT_ESTABLISHED},
					       verdict_stmt(NFT_VERDICT_ACCEPT, NULL)};
	int rc;

	if (!chain)
		return -ENOMEM;
	chain->hook = NFT_HOOK_OUTPUT;
	rc = add_rule(chain, established, ARRAY_LEN(established), "");
	if (rc == 0)
		rc = add_midstream(chain, NFT_STMT_TCP_NOT_SYN);
	if (rc == 0)
		rc = add_midstream(chain, NFT_STMT_SCTP_NOT_INIT);
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
	nft_chain_free(chain);
	return rc;
}

static struct nft_key key_of(const struct render_cut *cut)
{
	struct nft_key key = {
		.port = cut->to_port, .peer_port = cut->from_port, .proto = cut->proto};

	memcpy(key.bytes, cut->to.b, sizeof(key.bytes));
	memcpy(key.peer, cut->from.b, sizeof(key.peer));
	return key;
}

static const struct nft_elem *find(const struct nft_set *set, const struct nft_key *key)
{
	const struct nft_elem *elem;

	HASH_FIND(hh, set->elems, key, sizeof(*key), elem);
	return elem;
}

int render_cut(struct render *r, const struct render_cut *cut)
{
	struct nft_set *set = ruleset_set(&r->ruleset, set_names[cut->from.family]);
	struct nft_key key = key_of(cut);
	int rc = 0;

	if (find(set, &key))
		return 0;
	if (cut->local && r->local_cuts++ == 0)
		rc = put_output(r);
	if (rc == 0)
		rc = nft_set_add(set, &key, NULL);
	r->failed |= rc < 0;
	return rc;
}

void render_uncut(struct render *r, const struct render_cut *cut)
{
	struct nft_set *set = ruleset_set(&r->ruleset, set_names[cut->from.family]);
	struct nft_key key = key_of(cut);

	if (!find(set, &key))
		return;
	drop_elem(r, set, &key);
	if (cut->local && --r->local_cuts == 0)
		drop_chain(r, NFT_TABLE_POLICY, CHAIN_OUTPUT);
}

int render_each_cut(const struct ruleset *ruleset, render_cut_fn fn, void *ctx)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT; family++) {
		const struct nft_set *set = ruleset_set(ruleset, set_names[family]);
		const struct nft_elem *elem =
			set && !set->other && set->type == set_types[family] ? set->elems : NULL;

		for (; elem && rc == 0; elem = elem->hh.next) {
			struct render_cut cut = {
				.from = {.family = (uint8_t)family},
				.to = {.family = (uint8_t)family},
				.from_port = elem->key.peer_port,
				.to_port = elem->key.port,
				.proto = elem->key.proto,
			};

			memcpy(cut.from.b, elem->key.peer, sizeof(cut.from.b));
			memcpy(cut.to.b, elem->key.bytes, sizeof(cut.to.b));
			rc = fn(ctx, &cut);
		}
	}
	return rc;
}
