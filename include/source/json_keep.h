/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which members of an object are read: all else is cut out before a tree is built. */
#ifndef SOURCE_JSON_KEEP_H
#define SOURCE_JSON_KEEP_H

#include <stdbool.h>
#include <stddef.h>

/* Short texts that are remembered apart, whatever becomes of the object. */
enum json_slot {
	JSON_SLOT_NONE,
	JSON_SLOT_TYPE, /* of a watch event */
	JSON_SLOT_NAME,
	JSON_SLOT_NAMESPACE,
	JSON_SLOT_VERSION,
	JSON_SLOT_COUNT
};

/* A member that is kept; the others of its object go, unless the entry that ends the table says
 * otherwise. Lists take the rules of their elements. */
struct json_keep {
	const char *key;                /* NULL ends the table */
	const struct json_keep *within; /* NULL: all of the value */
	enum json_slot slot;
	enum json_role {
		JSON_ROLE_KEEP,
		JSON_ROLE_DROP,
		JSON_ROLE_OBJECT, /* the object of a watch event */
		JSON_ROLE_ITEMS   /* a list's items */
	} role;
	bool others; /* in the entry that ends the table: the other members are kept */
};

/* The members that policy reads of any kind but policies, those of a workload's template too. */
extern const struct json_keep json_keep_object[];

/* What an API server sends: a watch event, and a list. */
struct json_keep_answer {
	const struct json_keep *event, *list;
};

extern const struct json_keep_answer json_keep_objects;  /* namespaces, nodes and pods */
extern const struct json_keep_answer json_keep_policies; /* all but metadata and status counts */
extern const struct json_keep_answer json_keep_names;    /* only what they are called */

#endif
