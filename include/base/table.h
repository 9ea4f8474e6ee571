/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uthash, told to report a lack of memory instead of ending the process. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* After HASH_ADD*: was the element really added? */
#define table_added(elem) ((elem)->hh.tbl != NULL)

#endif
