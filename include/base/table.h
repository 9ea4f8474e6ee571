/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uthash, told to report a lack of memory instead of ending the process, and to use a hash that
 * whoever writes the keys cannot make collide. Tables have no order that anything may depend on. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/hash.h"

#define HASH_NONFATAL_OOM                    1
#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)hash_bytes(keyptr, keylen))
#include <uthash.h>

/* After HASH_ADD*: was the element really added? */
#define table_added(elem) ((elem)->hh.tbl != NULL)

#endif
