/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interned strings: equal text is one pointer, so that labels compare by address. Counted: what
 * churns (pod template hashes, names) goes away again. */
#ifndef BASE_INTERN_H
#define BASE_INTERN_H

#include <stddef.h>

struct intern;

/* A new table, or NULL (no memory). */
struct intern *intern_new(void);

/* Frees the table and every string still in it. */
void intern_free(struct intern *table);

/* The one copy of `text`, with one more reference; NULL: no memory. The caller gives the reference
 * back with intern_put(). */
const char *intern_get(struct intern *table, const char *text);

/* One more reference to a string that is interned already. NULL passes through. */
const char *intern_ref(const char *interned);

/* Gives one reference back. NULL is fine. */
void intern_put(struct intern *table, const char *interned);

/* Strings held now (tests and metrics). */
size_t intern_count(const struct intern *table);

#endif
