/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hash.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static inline void round_of(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void add_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	round_of(s);
	s->v0 ^= word;
}

static inline uint64_t load_word(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

/* What is left of the data, and its length in the highest byte. */
static inline uint64_t last_word(const uint8_t *bytes, size_t len)
{
	uint64_t word = (uint64_t)len << 56;

	for (size_t i = 0; i < len % 8; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

uint64_t hash_siphash13(const struct hash_key *key, const void *data, size_t len)
{
	const uint8_t *bytes = data, *end = bytes + len - len % 8;
	/* "somepseudorandomlygeneratedbytes" */
	struct sip s = {key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du,
			key->k0 ^ 0x6c7967656e657261u, key->k1 ^ 0x7465646279746573u};

	for (; bytes < end; bytes += 8)
		add_word(&s, load_word(bytes));
	add_word(&s, last_word(bytes, len));
	s.v2 ^= 0xff;
	round_of(&s);
	round_of(&s);
	round_of(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* One key for all tables: uthash hands no context to its hash. Set once, before the first use. */
static struct hash_key process_key;
static bool has_key;

static void make_key(void)
{
	/* The kernel gives each program 16 random bytes (AT_RANDOM) where there is no getrandom(2).
	 */
	if (getrandom(&process_key, sizeof(process_key), 0) != sizeof(process_key))
		memcpy(&process_key, (const void *)getauxval(AT_RANDOM), sizeof(process_key));
	has_key = true;
}

uint64_t hash_bytes(const void *data, size_t len)
{
	if (!has_key)
		make_key();
	return hash_siphash13(&process_key, data, len);
}
