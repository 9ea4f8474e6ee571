/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/table.h"
#include "base/vec.h"
#include "unit.h"

/* The bytes 0, 1, 2 and so on, by the key 00 01 .. 0f, as the reference's vectors.h has it and as
 * Rust's core library lists it for SipHash-1-3. */
static const uint64_t vectors[] = {
	0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb,
	0xcf75576088d38328, 0xdef9d52f49533b67, 0xc50d2b50c59f22a7, 0xd3927d989bb11140,
	0x369095118d299a8e, 0x25a48eb36c063de4, 0x79de85ee92ff097f, 0x70c118c1f94dc352,
	0x78a384b157b4d9a2, 0x306f760c1229ffa7, 0x605aa111c0f95d34, 0xd320d86d2a519956,
};

static void the_published_vectors_hold(void **state)
{
	const struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	uint8_t data[ARRAY_LEN(vectors)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		data[i] = (uint8_t)i;
		assert_true(hash_siphash13(&key, data, i) == vectors[i]);
	}
}

static uint64_t by_libcrypto(const struct hash_key *key, const void *data, size_t len)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	unsigned c_rounds = 1, d_rounds = 3;
	size_t size = sizeof(uint64_t), written = 0;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c_rounds),
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d_rounds),
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end(),
	};
	uint64_t k[2] = {htole64(key->k0), htole64(key->k1)}, out = 0;

	assert_int_equal(EVP_MAC_init(ctx, (const unsigned char *)k, sizeof(k), params), 1);
	assert_int_equal(EVP_MAC_update(ctx, data, len), 1);
	assert_int_equal(EVP_MAC_final(ctx, (unsigned char *)&out, &written, sizeof(out)), 1);
	assert_int_equal(written, sizeof(out));
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return le64toh(out);
}

/* Unaligned, and of every length around the words. */
static void libcrypto_says_the_same(void **state)
{
	struct unit_random random = unit_random_start("hash");
	uint8_t data[80];

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct hash_key key = {(uint64_t)unit_random(&random, UINT32_MAX) << 32 |
					       unit_random(&random, UINT32_MAX),
				       unit_random(&random, UINT32_MAX)};
		size_t from = unit_random(&random, 8),
		       len = unit_random(&random, sizeof(data) - (uint32_t)from);

		for (size_t j = 0; j < sizeof(data); j++)
			data[j] = (uint8_t)unit_random(&random, 256);
		assert_true(hash_siphash13(&key, data + from, len) ==
			    by_libcrypto(&key, data + from, len));
	}
}

/* This program again, told to print a hash and no more. */
static uint64_t hash_of_another_process(void)
{
	char own[4096], command[sizeof(own) + 16];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	unsigned long long hash = 0;
	FILE *out;

	assert_true(len > 0);
	own[len] = '\0';
	(void)snprintf(command, sizeof(command), "'%s' print", own);
	out = popen(command, "r");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%llx", &hash), 1);
	assert_int_equal(pclose(out), 0);
	return hash;
}

static void each_process_has_a_key_of_its_own(void **state)
{
	uint64_t own = hash_bytes("key", 3), other = hash_of_another_process();

	(void)state;
	assert_true(own == hash_bytes("key", 3));
	assert_true(own != hash_bytes("kez", 3));
	assert_true(own != other);
	assert_true(other != hash_of_another_process());
}

struct entry {
	uint64_t key;
	UT_hash_handle hh;
};

/* Keys that Bob Jenkins' hash, uthash's own, puts into one bucket of 1,024 whoever uses it. */
static void keys_made_to_collide_spread(void **state)
{
	struct entry *entries = calloc(20000, sizeof(*entries)), *table = NULL, *entry, *tmp;
	size_t n = 0, longest = 0;

	(void)state;
	assert_non_null(entries);
	for (uint64_t key = 0; n < 20000; key++) {
		unsigned hash;

		HASH_JEN(&key, sizeof(key), hash);
		if (hash % 1024 != 0)
			continue;
		entries[n].key = key;
		HASH_ADD(hh, table, key, sizeof(key), &entries[n]);
		n++;
	}
	for (unsigned i = 0; i < table->hh.tbl->num_buckets; i++) {
		if (table->hh.tbl->buckets[i].count > longest)
			longest = table->hh.tbl->buckets[i].count;
	}
	/* uthash keeps ten to a bucket on average; 60 in one is a chance of 1e-25. */
	assert_true(longest < 60);
	HASH_ITER (hh, table, entry, tmp)
		HASH_DEL(table, entry);
	free(entries);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vectors_hold),
		cmocka_unit_test(libcrypto_says_the_same),
		cmocka_unit_test(each_process_has_a_key_of_its_own),
		cmocka_unit_test(keys_made_to_collide_spread),
	};

	if (argc == 2 && strcmp(argv[1], "print") == 0)
		return printf("%llx\n", (unsigned long long)hash_bytes("key", 3)) < 0;
	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
