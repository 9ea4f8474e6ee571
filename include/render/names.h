/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for what is named by its content: the same on every run whatever the order of events, so
 * that a restart finds its own objects. A name is SHA-256 of the content, truncated: tenants write
 * the content, and nobody finds two contents of one name (2^64 tries for any two, 2^128 for one
 * more of a given name). */
#ifndef RENDER_NAMES_H
#define RENDER_NAMES_H

#include <stddef.h>

#include "base/table.h"

#define NAME_DIGEST_BYTES 16
#define NAME_ID_MAX       (2 * NAME_DIGEST_BYTES + 1)

struct name {
	char id[NAME_ID_MAX]; /* of the content, in hexadecimal */
	size_t refs;
	UT_hash_handle hh;
};

struct names;

/* NULL: no memory. */
struct names *names_new(void);
void names_free(struct names *names);

/* The name of the content, with one more reference: the first if refs is 1. NULL: no memory. */
struct name *names_get(struct names *names, const char *content);

/* Gives a reference back. NULL is fine. */
void names_put(struct names *names, struct name *name);

#endif
