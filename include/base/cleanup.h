/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locals that free themselves, and the one way out of a scope for what they own. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* read side only: nothing to lose */
}

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}

#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define AUTO_FREE   CLEANUP(cleanup_free)
#define AUTO_CLOSE  CLEANUP(cleanup_close)
#define AUTO_JSON   CLEANUP(cleanup_json)

static inline void *cleanup_take(void *p)
{
	void **slot = p;
	void *value = *slot;

	*slot = NULL;
	return value;
}

/* Moves a pointer out of a local that would free it. */
#define TAKE(ptr) cleanup_take(&(ptr))

#endif
