/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cuts a stream of JSON into objects as the bytes arrive: documents one after another, and a list's
 * `items` one by one, so that memory follows the largest object and not the list. It tracks strings
 * and brackets only; what it hands out is for jansson to judge. */
#ifndef SOURCE_JSON_SPLIT_H
#define SOURCE_JSON_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define JSON_OBJECT_MAX (16u << 20) /* bytes; an API server takes 3 MiB at most */
#define JSON_DEPTH_MAX  128

struct json_part {
	char *bytes; /* the callee may scribble on them; gone when it returns */
	size_t len;
	unsigned line; /* 1-based, where it begins */
	enum json_part_kind {
		JSON_PART_DOCUMENT, /* stands alone */
		JSON_PART_ITEM,     /* of a list whose header follows */
		JSON_PART_LIST      /* a list, its items cut out */
	} kind;
	/* Of the list, as far as they have been seen before this item; NULL: not yet. */
	const char *list_kind, *list_version;
};

/* 0, or a negative errno that ends the stream. */
typedef int (*json_part_fn)(void *ctx, const struct json_part *part);

struct json_splitter;

/* NULL: no memory. */
struct json_splitter *json_splitter_new(json_part_fn fn, void *ctx);
void json_splitter_free(struct json_splitter *splitter);

/* Takes the next bytes. 0; -EINVAL with err; -ENOMEM; or what fn returned. After an error the
 * stream is of no more use. */
int json_splitter_feed(struct json_splitter *splitter, const char *bytes, size_t len,
		       struct err *err);

/* No more bytes: -EINVAL when something is left open. */
int json_splitter_finish(struct json_splitter *splitter, struct err *err);

/* The line that was reached. */
unsigned json_splitter_line(const struct json_splitter *splitter);

#endif
