/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cut_shares.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static void free_share(struct cut_share *share)
{
	if (share)
		free(share->ns);
	free(share);
}

static struct cut_share *new_share(struct cut_shares *shares, const char *ns)
{
	struct cut_share *share = calloc(1, sizeof(*share));

	if (share)
		share->ns = strdup(ns);
	if (share && share->ns) {
		HASH_ADD_KEYPTR(hh, shares->all, share->ns, strlen(share->ns), share);
		if (table_added(share))
			return share;
	}
	free_share(share);
	return NULL;
}

static struct cut_share *share_of(struct cut_shares *shares, const char *ns)
{
	struct cut_share *share;

	HASH_FIND_STR(shares->all, ns, share);
	return share ? share : new_share(shares, ns);
}

/* A share grows and shrinks by one, so what is `most` does, too. */
static void resize(struct cut_shares *shares, struct cut_share *share, size_t n)
{
	struct cut_share **by_count = shares->by_count;

	if (share->n > 0)
		DL_DELETE(by_count[share->n], share);
	share->n = n;
	if (n > 0)
		DL_APPEND(by_count[n], share);
	if (n > shares->most)
		shares->most = n;
	else if (!by_count[shares->most])
		shares->most--;
	if (n == 0) {
		HASH_DEL(shares->all, share);
		free_share(share);
	}
}

int cut_shares_add(struct cut_shares *shares, struct cut_member *member, const char *ns, size_t max)
{
	struct cut_share *share;

	if (!shares->by_count)
		shares->by_count = calloc(max + 1, sizeof(struct cut_share *));
	share = shares->by_count ? share_of(shares, ns) : NULL;
	if (!share)
		return -ENOMEM;
	member->share = share;
	DL_APPEND(share->members, member);
	resize(shares, share, share->n + 1);
	return 0;
}

void cut_shares_remove(struct cut_shares *shares, struct cut_member *member)
{
	struct cut_share *share = member->share;

	DL_DELETE(share->members, member);
	resize(shares, share, share->n - 1);
}

struct cut_member *cut_shares_victim(const struct cut_shares *shares)
{
	return shares->by_count[shares->most]->members;
}

void cut_shares_done(struct cut_shares *shares)
{
	free(shares->by_count);
	*shares = (struct cut_shares){0};
}
