/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "render/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/memstream.h"
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

/* The union of selectors as text: what the two sets are named for. */
static char *peer_set_text(const struct peer_set *set)
{
	struct memstream stream;

	if (memstream_open(&stream) < 0)
		return NULL;
	fputs("peers", stream.out);
	for (size_t i = 0; i < set->n; i++)
		fprintf(stream.out, "%s%s", i > 0 ? " | " : " ", set->selectors[i]->text);
	return memstream_text(&stream);
}

static int put_peer_sets(struct render *r, struct rendered_set *rs)
{
	char *text = peer_set_text(rs->set);
	int rc = 0;

	if (!text)
		return -ENOMEM;
	rs->name = names_get(r->names, text);
	if (!rs->name)
		rc = -ENOMEM;
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		char name[NFT_NAME_MAX];
		struct nft_set *set;

		set_name(name, pods_prefix[family], rs->name->id);
		set = nft_set_new(name, addr_set_type[family], text + strlen("peers "));
		if (set)
			set->allows = true;
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

		set_name(name, pods_prefix[family], rs->name->id);
		drop_set(r, name);
	}
	DL_DELETE(r->sets, rs);
	names_put(r->names, rs->name);
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

struct render *render_new(void)
{
	struct render *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->names = names_new();
	if (r->names && render_base(r) == 0)
		return r;
	render_free(r);
	return NULL;
}

void render_free(struct render *r)
{
	struct rendered_profile *rp, *rp_next;
	struct rendered_set *rs, *rs_next;

	if (!r)
		return;
	DL_FOREACH_SAFE (r->profiles, rp, rp_next) {
		free(rp->chains);
		free(rp);
	}
	DL_FOREACH_SAFE (r->sets, rs, rs_next)
		free(rs);
	free(r->unknown);
	free_local_pods(r);
	vec_free(&r->allowed);
	names_free(r->names);
	ruleset_done(&r->ruleset);
	free(r);
}

void render_own_tables(struct render *r, bool own)
{
	r->ruleset.own = own;
}

struct graph_listener render_listener(struct render *r)
{
	return (struct graph_listener){
		.ctx = r,
		.peer_set = listen_peer_set,
		.peer = listen_peer,
		.profile = listen_profile,
		.profile_open = listen_profile_open,
		.named = listen_named,
		.endpoint = listen_endpoint,
		.node_addr = listen_node_addr,
	};
}

int render_error(const struct render *r)
{
	return r->failed ? -ENOMEM : 0;
}

const struct ruleset *render_ruleset(const struct render *r)
{
	return &r->ruleset;
}

void render_committed(struct render *r)
{
	ruleset_committed(&r->ruleset);
}
