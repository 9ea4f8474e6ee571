/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of sets as the kernel has them: fields in network order, padded to four bytes where there
 * are several. */
#ifndef NFT_KEYS_H
#define NFT_KEYS_H

#include "nft/ruleset.h"

#define NFT_KEY_BYTES_MAX  44
#define NFT_KEY_FIELDS_MAX 5

/* nft's number of the type: fields folded six bits each. */
uint32_t nft_key_type(enum nft_set_type type);

/* Bytes of a key. */
size_t nft_key_len(enum nft_set_type type);

/* How many fields; their bytes without padding in `ret` (NULL: not wanted). */
size_t nft_key_fields(enum nft_set_type type, uint8_t ret[NFT_KEY_FIELDS_MAX]);

/* What is said of how many elements it may have; 0: nothing. */
uint32_t nft_set_size(enum nft_set_type type);

/* The flags of a set of ours. */
uint32_t nft_set_flags(const struct nft_set *set);

/* Both return the bytes of a key. */
size_t nft_key_encode(enum nft_set_type type, const struct nft_key *key,
		      uint8_t to[NFT_KEY_BYTES_MAX]);
size_t nft_key_decode(enum nft_set_type type, const uint8_t *from, struct nft_key *ret);

#endif
