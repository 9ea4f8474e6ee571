/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/seen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"

/* Namespace and name, each with its NUL. */
#define KEY_MAX 512

struct seen_name {
	UT_hash_handle hh;
	uint32_t round;
	char key[];
};

struct key {
	char text[KEY_MAX];
	unsigned len;
};

/* Names are as long as Kubernetes lets them be, or the decoder would have refused them. */
static void make_key(struct key *key, const char *ns, const char *name)
{
	int len = snprintf(key->text, sizeof(key->text), "%s%c%s", ns ? ns : "", '\0', name);

	key->len = len + 1 < KEY_MAX ? (unsigned)len + 1 : KEY_MAX;
}

void seen_begin(struct seen_set *set)
{
	set->round++;
}

int seen_mark(struct seen_set *set, const char *ns, const char *name)
{
	struct seen_name *seen;
	struct key key;

	make_key(&key, ns, name);
	HASH_FIND(hh, set->names, key.text, key.len, seen);
	if (seen) {
		seen->round = set->round;
		return 0;
	}
	seen = malloc(sizeof(*seen) + key.len);
	if (!seen)
		return -ENOMEM;
	memcpy(seen->key, key.text, key.len);
	seen->round = set->round;
	HASH_ADD(hh, set->names, key, key.len, seen);
	if (table_added(seen))
		return 0;
	free(seen);
	return -ENOMEM;
}

int seen_drop(struct seen_set *set, const char *ns, const char *name, seen_fn fn, void *ctx)
{
	struct seen_name *seen;
	struct key key;
	int rc;

	make_key(&key, ns, name);
	HASH_FIND(hh, set->names, key.text, key.len, seen);
	if (!seen)
		return 0;
	rc = fn(ctx, ns, name);
	if (rc < 0)
		return rc;
	HASH_DEL(set->names, seen);
	free(seen);
	return 0;
}

int seen_sweep(struct seen_set *set, seen_fn fn, void *ctx)
{
	struct seen_name *seen, *next;
	int rc = 0;

	HASH_ITER (hh, set->names, seen, next) {
		const char *name = seen->key + strlen(seen->key) + 1;

		if (seen->round == set->round)
			continue;
		rc = fn(ctx, seen->key[0] ? seen->key : NULL, name);
		if (rc < 0)
			break;
		HASH_DEL(set->names, seen);
		free(seen);
	}
	return rc;
}

size_t seen_count(const struct seen_set *set)
{
	return HASH_COUNT(set->names);
}

void seen_done(struct seen_set *set)
{
	struct seen_name *seen, *next;

	HASH_ITER (hh, set->names, seen, next) {
		HASH_DEL(set->names, seen);
		free(seen);
	}
}
