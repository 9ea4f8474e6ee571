/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON trees that lack nothing: out of memory is told. */
#ifndef ANSWER_TREE_H
#define ANSWER_TREE_H

#include <jansson.h>
#include <stdbool.h>

#include "policy/graph.h"

/* Take the value over, which may be NULL. False: no memory. */
bool tree_put(json_t *object, const char *key, json_t *value);
bool tree_add(json_t *list, json_t *value);

/* The names of a profile's policies; NULL: no memory. */
json_t *tree_policies(const struct profile *profile);

#endif
