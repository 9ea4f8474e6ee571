/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An API server as a source of objects: pods, namespaces, network policies and nodes, all that are
 * there and then whatever changes. It keeps trying; what was told stays good meanwhile. */
#ifndef SOURCE_API_H
#define SOURCE_API_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "source/api_config.h"
#include "source/event.h"
#include "source/reflector.h"

struct api_source;
struct event_base;

/* A resource that every cluster has makes no progress: not one object or bookmark, nor a complete
 * list, since the first failure or the start, for this long. Longer than an API server takes to be
 * replaced, or a watch to be found silent and resumed. */
#define API_PROGRESS_DEADLINE_MS 300000

/* since_ms by CLOCK_MONOTONIC; 0: it makes progress again. It is also called when such a resource
 * fails again: r->stats.error has changed. */
typedef void (*api_stalled_fn)(void *ctx, const struct reflector *r, int64_t since_ms);

/* `fn` is called from the loop: for each object, and with EVENT_SYNCED once all that was there at
 * the start has been told. When it fails, all is told again later. Objects come in any order; those
 * of an API server are never trusted to name interfaces.
 * 0; -ENOMEM. The base, `config` and `strings` outlive the source. */
int api_source_new(struct event_base *base, const struct api_config *config, struct intern *strings,
		   event_fn fn, void *ctx, struct api_source **ret);

/* Before it begins: whom to tell of resources that make no progress for so long. */
void api_source_on_stalled(struct api_source *source, int64_t deadline_ms, api_stalled_fn fn,
			   void *ctx);

/* Begins. 0 or -ENOMEM. */
int api_source_start(struct api_source *source);

/* Ends all requests. Not from `fn`. NULL is fine. */
void api_source_free(struct api_source *source);

/* Ends the waits: what failed, or was not there, is asked for again now. */
void api_source_hurry(struct api_source *source);

/* Until it goes on, `fn` is not called but for the rest of what has been read; what the server
 * sends waits there. May be called from `fn`. */
void api_source_pause(struct api_source *source, bool pause);

/* One after another; NULL: there are no more. For status and metrics: see r->resource, r->stats,
 * whose clock is CLOCK_MONOTONIC. */
const struct reflector *api_source_reflector(const struct api_source *source, size_t i);

/* Tells all that is there now, and EVENT_SYNCED, without a loop of the caller's: for commands that
 * run once. Gives up when waiting will not help, or did not.
 * 0; -ENOMEM; what `fn` returned; another negative errno with err. */
int api_load_once(const struct api_config *config, struct intern *strings, event_fn fn, void *ctx,
		  struct err *err);

#endif
