/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cuts what we never read out of an object's bytes before jansson builds a tree of it: managedFields
 * alone are 40% of a real pod. The value goes, its key stays (as null), and so do its line breaks:
 * unknown fields are still seen and lines still count. */
#ifndef SOURCE_JSON_PRUNE_H
#define SOURCE_JSON_PRUNE_H

#include <stddef.h>

/* In place; returns the new length. Bytes that are no JSON are left for the parser to refuse. */
size_t json_prune(char *bytes, size_t len);

#endif
