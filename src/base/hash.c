/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hash.h"

uint64_t hash_bytes(const void *data, size_t len)
{
	const uint8_t *byte = data;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3u;
	/* FNV leaves the last bytes out of the high bits: murmur3's finalizer spreads them. */
	hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
	hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
	return hash ^ (hash >> 33);
}
