/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "render/names.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct names {
	struct name *all; /* by id */
	EVP_MD *sha256;   /* fetched once: EVP_sha256() would look for a provider at each use */
	EVP_MD_CTX *digest;
};

struct names *names_new(void)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	names->digest = EVP_MD_CTX_new();
	if (names->sha256 && names->digest)
		return names;
	names_free(names);
	return NULL;
}

void names_free(struct names *names)
{
	struct name *name, *tmp;

	if (!names)
		return;
	HASH_ITER (hh, names->all, name, tmp) {
		HASH_DEL(names->all, name);
		free(name);
	}
	EVP_MD_CTX_free(names->digest);
	EVP_MD_free(names->sha256);
	free(names);
}

/* False: no memory. */
static bool content_id(struct names *names, const char *content, char ret[static NAME_ID_MAX])
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (EVP_DigestInit_ex2(names->digest, names->sha256, NULL) != 1 ||
	    EVP_DigestUpdate(names->digest, content, strlen(content)) != 1 ||
	    EVP_DigestFinal_ex(names->digest, digest, NULL) != 1)
		return false;
	for (size_t i = 0; i < NAME_DIGEST_BYTES; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	return true;
}

struct name *names_get(struct names *names, const char *content)
{
	char id[NAME_ID_MAX];
	struct name *name;

	if (!content_id(names, content, id))
		return NULL;
	HASH_FIND_STR(names->all, id, name);
	if (name) {
		name->refs++;
		return name;
	}
	name = calloc(1, sizeof(*name));
	if (!name)
		return NULL;
	memcpy(name->id, id, sizeof(id));
	name->refs = 1;
	HASH_ADD_STR(names->all, id, name);
	if (table_added(name))
		return name;
	free(name);
	return NULL;
}

void names_put(struct names *names, struct name *name)
{
	if (!name || --name->refs > 0)
		return;
	HASH_DEL(names->all, name);
	free(name);
}
