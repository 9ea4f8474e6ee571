/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the bytes of an answer to objects, as they arrive: the items of a list, or the events of a
 * watch. What policy never reads is cut away before a tree is built; an object that cannot be
 * understood is told as such, and the others are not held up by it. */
#ifndef SOURCE_API_STREAM_H
#define SOURCE_API_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/object.h"
#include "source/api_status.h"

struct intern;

/* What can be asked for. */
struct api_resource {
	const char *path;                /* "/apis/networking.k8s.io/v1/networkpolicies" */
	const char *plural;              /* "networkpolicies" */
	const char *group;               /* "networking.k8s.io", "" for the core */
	const char *list_kind, *version; /* "NetworkPolicyList", "networking.k8s.io/v1" */
	enum kind kind;
	bool optional;    /* not every cluster has it: its absence is no error */
	const char *type; /* of KIND_UNENFORCED: "ClusterNetworkPolicy.policy.networking.k8s.io" */
};

/* An object of the resource of which only the name is known, see object_of_name(). 0 or -ENOMEM. */
int api_object_of_name(const struct api_resource *resource, struct intern *strings, const char *ns,
		       const char *name, struct object *ret);

enum api_stream_kind { API_STREAM_LIST, API_STREAM_WATCH };

struct api_item {
	enum api_item_what {
		API_ITEM_UPSERT,
		API_ITEM_DELETE,   /* only kind, namespace and name of the object count */
		API_ITEM_BROKEN,   /* the object is a stand-in, `reason` says why */
		API_ITEM_BOOKMARK, /* only a version */
		API_ITEM_LIST,     /* the list is at its end */
		API_ITEM_ERROR     /* a watch's last word: `status` */
	} what;
	struct object object; /* the callee takes it over, also when it fails */
	const char *version;  /* of the object, the bookmark or the list; NULL: none was given */
	const char *rest;     /* of a list, where the next page begins; NULL: it was the last */
	bool initial_end;     /* of a bookmark: all that was there has been told */
	const char *reason;
	const struct api_status *status;
};

/* 0, or a negative errno that ends the stream. What the item points to is gone afterwards. */
typedef int (*api_item_fn)(void *ctx, const struct api_item *item);

struct api_stream;

/* 0 or -ENOMEM. `resource` and `strings` outlive the stream. */
int api_stream_new(enum api_stream_kind kind, const struct api_resource *resource,
		   struct intern *strings, api_item_fn fn, void *ctx, struct api_stream **ret);
void api_stream_free(struct api_stream *stream);

/* Takes the next bytes. 0; -EINVAL with err: this is not what was asked for; -ENOMEM; or what fn
 * returned. After an error the stream is of no more use. */
int api_stream_feed(struct api_stream *stream, const char *bytes, size_t len, struct err *err);

/* After an error within an item of a list, as its end or its name cannot be found: tells it as
 * broken, by what was read of it, then the end of the list, if its metadata came before the items
 * and says that there is more behind it, or the item may be the last. 0; -ENOENT: that is not so;
 * or as api_stream_feed(). */
int api_stream_skip_item(struct api_stream *stream, const char *reason, bool may_be_last,
			 struct err *err);

/* No more bytes. -EINVAL with err when they end within an object, or a list had no end. */
int api_stream_finish(struct api_stream *stream, struct err *err);

#endif
