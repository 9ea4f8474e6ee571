/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every source of objects emits, be it files or an API server. */
#ifndef SOURCE_EVENT_H
#define SOURCE_EVENT_H

#include "model/object.h"

enum event_type {
	EVENT_UPSERT, /* the object is new or replaces the one of its name */
	EVENT_DELETE, /* only kind, namespace and name of the object count */
	EVENT_BROKEN, /* the object is there and cannot be understood: see decode_stand_in() for
		       * what is told of it. Upserted or deleted later like any other */
	EVENT_SYNCED, /* all that was there at the start has been told; no object */
};

struct event {
	enum event_type type;
	struct object object;
	const char *reason; /* EVENT_BROKEN: what was wrong, one line; gone after the call */
};

/* Takes the object over, also when it fails: 0 or a negative errno, which ends the run. */
typedef int (*event_fn)(void *ctx, const struct event *event);

#endif
