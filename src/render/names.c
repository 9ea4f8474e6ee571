/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "render/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/table.h"

struct bucket {
	uint64_t hash;
	struct name *first;
	UT_hash_handle hh;
};

struct names {
	struct bucket *buckets;
	unsigned digits;
	bool moved;
};

struct names *names_new(unsigned digits)
{
	struct names *names = calloc(1, sizeof(*names));

	if (names)
		names->digits = digits;
	return names;
}

static void name_free(struct name *name)
{
	free(name->content);
	free(name);
}

void names_free(struct names *names)
{
	struct bucket *bucket, *tmp;

	if (!names)
		return;
	HASH_ITER (hh, names->buckets, bucket, tmp) {
		while (bucket->first) {
			struct name *name = bucket->first;
			bucket->first = name->next;
			name_free(name);
		}
		HASH_DEL(names->buckets, bucket);
		free(bucket);
	}
	free(names);
}

static uint64_t name_hash(const struct names *names, const char *content)
{
	return hash_bytes(content, strlen(content)) >> (64 - 4 * names->digits);
}

static struct bucket *find_bucket(const struct names *names, uint64_t hash)
{
	struct bucket *bucket;

	HASH_FIND(hh, names->buckets, &hash, sizeof(hash), bucket);
	return bucket;
}

static struct bucket *get_bucket(struct names *names, uint64_t hash)
{
	struct bucket *bucket = find_bucket(names, hash);

	if (bucket)
		return bucket;
	bucket = calloc(1, sizeof(*bucket));
	if (!bucket)
		return NULL;
	bucket->hash = hash;
	HASH_ADD(hh, names->buckets, hash, sizeof(bucket->hash), bucket);
	if (table_added(bucket))
		return bucket;
	free(bucket);
	return NULL;
}

/* Ids by rank in the bucket. */
static void number(struct names *names, struct bucket *bucket)
{
	unsigned rank = 0;

	for (struct name *name = bucket->first; name; name = name->next, rank++) {
		char id[NAME_ID_MAX];

		if (rank == 0)
			(void)snprintf(id, sizeof(id), "%0*llx", (int)names->digits,
				       (unsigned long long)bucket->hash);
		else
			(void)snprintf(id, sizeof(id), "%0*llx.%u", (int)names->digits,
				       (unsigned long long)bucket->hash, rank);
		if (name->id[0] && strcmp(name->id, id) != 0)
			names->moved = true;
		memcpy(name->id, id, sizeof(id));
	}
}

struct name *names_get(struct names *names, const char *content)
{
	struct bucket *bucket = get_bucket(names, name_hash(names, content));
	struct name **place, *name;

	if (!bucket)
		return NULL;
	for (place = &bucket->first; *place; place = &(*place)->next) {
		int order = strcmp((*place)->content, content);

		if (order == 0) {
			(*place)->refs++;
			return *place;
		}
		if (order > 0)
			break;
	}
	name = calloc(1, sizeof(*name));
	if (name)
		name->content = strdup(content);
	if (!name || !name->content) {
		free(name);
		if (!bucket->first) {
			HASH_DEL(names->buckets, bucket);
			free(bucket);
		}
		return NULL;
	}
	name->refs = 1;
	name->next = *place;
	*place = name;
	number(names, bucket);
	return name;
}

void names_put(struct names *names, struct name *name)
{
	struct bucket *bucket;
	struct name **place;

	if (!name || --name->refs > 0)
		return;
	bucket = find_bucket(names, name_hash(names, name->content));
	for (place = &bucket->first; *place != name;)
		place = &(*place)->next;
	*place = name->next;
	name_free(name);
	if (bucket->first) {
		number(names, bucket);
		return;
	}
	HASH_DEL(names->buckets, bucket);
	free(bucket);
}

bool names_moved(struct names *names)
{
	bool moved = names->moved;

	names->moved = false;
	return moved;
}
