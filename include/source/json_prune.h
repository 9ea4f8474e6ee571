/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cuts what we never read out of an object's bytes before jansson builds a tree of it: of a real
 * pod nine parts in ten, managedFields alone are four. Line breaks stay: lines still count.
 * Policies are left whole, so that members that nobody knows are still seen. */
#ifndef SOURCE_JSON_PRUNE_H
#define SOURCE_JSON_PRUNE_H

#include <stddef.h>

/* What goes is checked for being JSON (not for members that stand twice): what is none stays, for
 * the parser to refuse.
 *
 * In place; returns the new length. `list_kind`: of the typed list that it is an item of, or NULL.
 */
size_t json_prune(char *bytes, size_t len, const char *list_kind);

#endif
