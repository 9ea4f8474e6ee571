/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "render/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "internal.h"

void drop_chain(struct render *r, enum nft_table table, const char *name)
{
	if (ruleset_drop_chain(&r->ruleset, table, name) < 0)
		r->failed = true;
}

void drop_set(struct render *r, const char *name)
{
	if (ruleset_drop_set(&r->ruleset, name) < 0)
		r->failed = true;
}

void drop_elem(struct render *r, struct nft_set *set, const struct nft_key *key)
{
	if (nft_set_remove(set, key) < 0)
		r->failed = true;
}

void rename_set(struct render *r, const char *prefix, const struct name *name, bool to_final)
{
	char from[NFT_NAME_MAX], to[NFT_NAME_MAX], between[NFT_NAME_MAX];

	if (!name || strcmp(name->used, name->id) == 0)
		return;
	set_name(from, prefix, name->used);
	set_name(to, prefix, name->id);
	(void)snprintf(between, sizeof(between), "moving_%.40s", to);
	if (ruleset_rename_set(&r->ruleset, to_final ? between : from, to_final ? to : between) < 0)
		r->failed = true;
}

static void rename_sets(struct render *r, bool to_final)
{
	struct rendered_set *rs;

	DL_FOREACH (r->sets, rs) {
		for (int family = 0; family < FAMILY_COUNT; family++)
			rename_set(r, pods_prefix[family], rs->name, to_final);
	}
	rename_profile_sets(r, to_final);
}

static void settle_name(struct name *name)
{
	if (name && name->used[0])
		memcpy(name->used, name->id, sizeof(name->used));
}

static void settle_names(struct render *r)
{
	struct rendered_profile *rp;
	struct rendered_set *rs;

	DL_FOREACH (r->sets, rs)
		settle_name(rs->name);
	DL_FOREACH (r->profiles, rp) {
		settle_name(rp->name);
		for (int family = 0; family < FAMILY_COUNT; family++) {
			settle_name(rp->every.blocks[family]);
			for (size_t i = 0; rp->classes && i < rp->profile->n_classes; i++)
				settle_name(rp->classes[i].blocks[family]);
		}
	}
}

/* Sets keep their elements and move at once, over names that nobody has, since one may want the
 * name that another leaves. Chains are written again when the change is complete. */
static void follow_names(struct render *r)
{
	if (!names_moved(r->names))
		return;
	rename_sets(r, false);
	rename_sets(r, true);
	settle_names(r);
	r->stale = true;
}

struct name *get_name(struct render *r, const char *content)
{
	struct name *name = names_get(r->names, content);

	follow_names(r);
	return name;
}

void put_name(struct render *r, struct name *name)
{
	names_put(r->names, name);
	follow_names(r);
}

/* The union of selectors as text: what the two sets are named for. */
static char *peer_set_text(const struct peer_set *set)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fputs("peers", out);
	for (size_t i = 0; i < set->n; i++)
		fprintf(out, "%s%s", i > 0 ? " | " : " ", set->selectors[i]->text);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int put_peer_sets(struct render *r, struct rendered_set *rs)
{
	char *text = peer_set_text(rs->set);
	int rc = 0;

	if (!text)
		return -ENOMEM;
	rs->name = get_name(r, text);
	if (!rs->name)
		rc = -ENOMEM;
	else
		memcpy(rs->name->used, rs->name->id, sizeof(rs->name->used));
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		char name[NFT_NAME_MAX];
		struct nft_set *set;

		set_name(name, pods_prefix[family], rs->name->id);
		set = nft_set_new(name, addr_set_type[family], text + strlen("peers "));
		rc = set ? ruleset_put_set(&r->ruleset, set) : -ENOMEM;
		rs->sets[family] = rc == 0 ? set : NULL;
	}
	free(text);
	return rc;
}

static void rendered_set_free(struct render *r, struct rendered_set *rs)
{
	for (int family = 0; rs->name && family < FAMILY_COUNT; family++) {
		char name[NFT_NAME_MAX];

		set_name(name, pods_prefix[family], rs->name->used);
		drop_set(r, name);
	}
	DL_DELETE(r->sets, rs);
	put_name(r, rs->name);
	free(rs);
}

static void listen_peer_set(void *ctx, struct peer_set *set, bool exists)
{
	struct render *r = ctx;
	struct rendered_set *rs = set->listener_data;

	if (!exists) {
		if (rs)
			rendered_set_free(r, rs);
		set->listener_data = NULL;
		return;
	}
	rs = r->failed ? NULL : calloc(1, sizeof(*rs));
	if (!rs) {
		r->failed = true;
		return;
	}
	rs->set = set;
	set->listener_data = rs;
	if (put_peer_sets(r, rs) < 0)
		r->failed = true;
	DL_APPEND(r->sets, rs);
}

static void listen_peer(void *ctx, struct peer_set *set, const struct addr *addr, bool present)
{
	struct render *r = ctx;
	const struct rendered_set *rs = set->listener_data;
	struct nft_key key = {0};

	if (r->failed)
		return;
	memcpy(key.bytes, addr->b, sizeof(key.bytes));
	if (!present)
		drop_elem(r, rs->sets[addr->family], &key);
	else if (nft_set_add(rs->sets[addr->family], &key, NULL) < 0)
		r->failed = true;
}

struct render *render_new(unsigned name_digits)
{
	struct render *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->names = names_new(name_digits);
	if (r->names && render_base(r) == 0)
		return r;
	render_free(r);
	return NULL;
}

void render_free(struct render *r)
{
	struct rendered_endpoint *re, *re_next;
	struct rendered_profile *rp, *rp_next;
	struct rendered_set *rs, *rs_next;

	if (!r)
		return;
	DL_FOREACH_SAFE (r->endpoints, re, re_next)
		free(re);
	DL_FOREACH_SAFE (r->profiles, rp, rp_next) {
		free(rp->classes);
		free(rp);
	}
	DL_FOREACH_SAFE (r->sets, rs, rs_next)
		free(rs);
	free(r->unknown);
	names_free(r->names);
	ruleset_done(&r->ruleset);
	free(r);
}

struct graph_listener render_listener(struct render *r)
{
	return (struct graph_listener){
		.ctx = r,
		.peer_set = listen_peer_set,
		.peer = listen_peer,
		.profile = listen_profile,
		.named = listen_named,
		.endpoint = listen_endpoint,
	};
}

/* All but the base chain and the dispatch: under other names, all refers to something else. */
static void drop_written(struct render *r)
{
	struct nft_chain *chain, *next_chain;
	struct nft_set *set, *next_set;

	HASH_ITER (hh, r->ruleset.chains[NFT_TABLE_POLICY], chain, next_chain) {
		if (chain->hook == NFT_HOOK_NONE && strcmp(chain->name, CHAIN_TO_POD) != 0 &&
		    strcmp(chain->name, CHAIN_UNKNOWN) != 0)
			drop_chain(r, NFT_TABLE_POLICY, chain->name);
	}
	HASH_ITER (hh, r->ruleset.sets, set, next_set) {
		if (set->type == NFT_SET_TYPE_PORT_PROTO)
			drop_set(r, set->name);
	}
}

int render_settle(struct render *r)
{
	struct rendered_profile *rp;
	struct rendered_endpoint *re;
	int rc = r->failed ? -ENOMEM : 0;

	if (rc < 0 || !r->stale)
		return rc;
	r->stale = false;
	drop_written(r);
	DL_FOREACH (r->profiles, rp) {
		if (rc == 0)
			rc = write_profile(r, rp);
	}
	DL_FOREACH (r->endpoints, re) {
		if (rc == 0)
			rc = write_endpoint(r, re->pod);
	}
	if (rc < 0)
		r->failed = true;
	return rc;
}

const struct ruleset *render_ruleset(const struct render *r)
{
	return &r->ruleset;
}

void render_committed(struct render *r)
{
	ruleset_committed(&r->ruleset);
}
