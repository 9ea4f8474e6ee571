/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From JSON trees to objects: types checked, defaults applied, and everything refused that an API
 * server would refuse in a NetworkPolicy (Kubernetes 1.36, pkg/apis/networking/validation). */
#ifndef MODEL_DECODE_H
#define MODEL_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/vec.h"
#include "model/object.h"

/* One step from an object's root to a place in it: a member, or an element of a list. */
struct path_seg {
	const char *key; /* NULL: an element */
	size_t index;
	bool map_key; /* printed as [key]: the key is the user's, not the API's */
};

#define DECODE_PATH_MAX 32

/* The line of the deepest part of the path that exists; 0: unknown. */
typedef unsigned (*line_of_fn)(void *ctx, const struct path_seg *path, size_t n);

/* How the value that the path leads to was written, or with NULL the path's last key, where that is
 * not what JSON shows; cut where `to` ends. False: as JSON shows it, or nobody knows. */
typedef bool (*written_fn)(void *ctx, const struct path_seg *path, size_t n, const json_t *value,
			   char *to, size_t len);

struct decoder {
	/* Set by the caller. */
	struct intern *strings;
	struct faults *faults;
	const char *file;   /* for faults and origins; NULL: the API server */
	line_of_fn line_of; /* NULL: no lines are known */
	written_fn written; /* NULL: all is shown as JSON */
	void *line_ctx;     /* of both */
	bool trusted; /* our annotations count: files, never an API server (tenants write those) */

	/* The decoder's own. */
	struct path_seg path[DECODE_PATH_MAX];
	size_t depth;
	char object[OBJECT_NAME_MAX + 64]; /* "NetworkPolicy shop/web" */
	bool accepted;          /* by an API server before: forgive what older ones let in */
	size_t errors;          /* of this object */
	size_t template_errors; /* those of them that are actions of a template */
	bool no_memory;
};

struct decoded {
	enum decoded_what {
		DECODED_OBJECTS,
		DECODED_UNUSED,     /* a kind that has no bearing on policy */
		DECODED_UNENFORCED, /* a policy kind that we do not enforce */
	} what;
	VEC(struct object) objects;
	char kind[256];             /* as written, with its group for the unenforced */
	char name[OBJECT_NAME_MAX]; /* of the unenforced */
	unsigned line;
};

/* Decodes one object (never a List). `list_kind` is the kind of a typed list that the object is an
 * item of ("PodList"), or NULL. Objects handed out belong to the caller.
 * 0: see ret->what. -EINVAL: refused, faults say why. -ENOMEM. */
int decode_object(struct decoder *d, const json_t *json, const char *list_kind,
		  const char *list_version, struct decoded *ret);

/* What stands in for an object that decode_object() refused. Of a policy it is one that allows
 * nothing: it isolates what the policy would select, or its whole namespace where even that cannot
 * be read, in the directions that it speaks of, or both. Of a pod it is what can be read. Of other
 * kinds only kind, namespace and name are known. No faults are added.
 * 0; -EINVAL: it has not even a name; -ENOMEM. The object belongs to the caller. */
int decode_stand_in(const struct decoder *d, const json_t *json, enum kind kind,
		    struct object *ret);

void decoded_done(struct intern *strings, struct decoded *decoded);

#endif
