/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for what is named by its content: short, readable, and the same on every run whatever the
 * order of events, so that a restart finds its own objects. The name is a hash of the content;
 * tenants write the content, so contents that collide are told apart by rank. */
#ifndef RENDER_NAMES_H
#define RENDER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_ID_MAX 24
#define NAME_DIGITS 10 /* of the hash, in hexadecimal */

struct name {
	char id[NAME_ID_MAX];   /* "1f0c33d0aa", or "1f0c33d0aa.1" for the second of that hash */
	char used[NAME_ID_MAX]; /* the owner's: the id under which its objects stand now */
	char *content;
	size_t refs;
	struct name *next; /* of the same hash, by content */
};

struct names;

/* `digits`: of the hash; tests take few, to make it collide. NULL: no memory. */
struct names *names_new(unsigned digits);
void names_free(struct names *names);

/* The name of the content, with one more reference; NULL: no memory. */
struct name *names_get(struct names *names, const char *content);

/* Gives a reference back. NULL is fine. */
void names_put(struct names *names, struct name *name);

/* Have ids of names in use changed since the last call? (A collision came or went.) */
bool names_moved(struct names *names);

#endif
