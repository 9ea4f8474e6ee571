/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From an API server's bytes, as they arrive, to what is read of each object: the items of a list
 * or the objects of watch events, one by one, without the members that a table does not name. What
 * is left out costs no memory and has no limits: it may be as large and as deep as it likes, and
 * only its brackets and quotes have to match. Of an object that is beyond the limits all the same,
 * its name remains.
 *
 * It is a state machine over bytes and does not recurse. */
#ifndef SOURCE_JSON_EXTRACT_H
#define SOURCE_JSON_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "source/json_keep.h"

/* Of what is kept. An API server takes 3 MiB of an object and gives back a few times that at most;
 * jansson recurses as deep as what it parses. */
#define JSON_KEPT_MAX       (16u << 20)
#define JSON_KEPT_DEPTH_MAX 128
/* Bytes of a slot, as written between its quotes; a longer one is empty. */
#define JSON_SLOT_MAX 512

struct json_extracted {
	enum json_extracted_what {
		JSON_EXTRACTED_ITEM, /* of a list */
		JSON_EXTRACTED_END   /* of a list or an event */
	} what;
	/* Of an item or an event: the object; of a list: all but its items. It is gone when the
	 * callee returns. */
	const char *bytes;
	size_t len;
	bool has_object, has_items; /* what ends was an event, a list */
	/* As written between the quotes; "" when there is none, or it is too long. */
	const char *slots[JSON_SLOT_COUNT];
	const char *problem; /* why the bytes are not all that was to be kept; NULL: they are */
};

/* 0, or a negative errno that ends the stream. */
typedef int (*json_extracted_fn)(void *ctx, const struct json_extracted *part);

struct json_extract;

/* `keep`: the table of the outermost objects. NULL: no memory. */
struct json_extract *json_extract_new(const struct json_keep *keep, json_extracted_fn fn,
				      void *ctx);
void json_extract_free(struct json_extract *extract);

/* Takes the next bytes. 0; -EINVAL with err: what is around and between the kept members is no
 * JSON, and where the next object begins is not known; -ENOMEM; or what fn returned. After an error
 * the stream is of no more use. */
int json_extract_feed(struct json_extract *extract, const char *bytes, size_t len, struct err *err);

/* No more bytes: -EINVAL when something is left open. */
int json_extract_finish(const struct json_extract *extract, struct err *err);

/* After an error: what is known of the object and of the list in which it was. No bytes of the
 * object; those of the list may lack their end. */
void json_extract_rest(const struct json_extract *extract, struct json_extracted *ret);

#endif
