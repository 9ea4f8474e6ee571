/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jansson's parser, asked so that what it says can be passed on. */
#ifndef SOURCE_JSON_LOAD_H
#define SOURCE_JSON_LOAD_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

/* A tree of one value. 0 with *ret; -ENOMEM; -EINVAL with err: "not JSON: ...", without what stands
 * near, which may be anybody's secret. `flags` are jansson's. */
int json_load(const char *bytes, size_t len, size_t flags, json_t **ret, struct err *err);

/* json_decref() for a large tree: within a task it gives way. NULL is fine. */
void json_release(json_t *json);

#endif
