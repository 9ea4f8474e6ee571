/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FNV-1a, finalized, 64 bits: stable names for things named by their content. Not a defence against
 * collisions; whoever uses it compares the content too. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *data, size_t len);

#endif
