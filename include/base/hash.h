/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SipHash-1-3, as the hash of all tables: whoever writes the keys cannot make them collide, as the
 * hash has a random key of this process. Nothing that leaves the process may depend on it. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

/* Of the bytes, by the key of this process. */
uint64_t hash_bytes(const void *data, size_t len);

/* The same by a given key (tests): Aumasson and Bernstein, SipHash: a fast short-input PRF, with 1
 * and 3 rounds instead of 2 and 4. */
uint64_t hash_siphash13(const struct hash_key *key, const void *data, size_t len);

#endif
