/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reflector without a network: answers are given by hand, and what it asks for next is read. */
#ifndef REFLECTOR_SCENE_H
#define REFLECTOR_SCENE_H

#include "unit.h"

#include "base/log.h"
#include "source/reflector.h"

#define META(name, version)                                                                      \
	"\"metadata\":{\"name\":\"" name "\",\"namespace\":\"a\",\"resourceVersion\":\"" version \
	"\"}"
#define POD(name, version)  "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"," META(name, version) "}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)   EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define INITIAL_END(version)                                              \
	EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version \
			  "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}")
#define LIST(version, rest, items)                                                \
	"{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" rest \
	"\"},\"items\":[" items "]}"
#define STATUS(code, text) "{\"kind\":\"Status\",\"code\":" #code ",\"message\":\"" text "\"}"

extern const struct api_resource pods, optional;

/* A reflector, and all that it emitted since somebody looked. */
struct scene {
	struct intern *strings;
	struct reflector r;
	char events[4096];
	int64_t now_ms;
	int fail_with; /* what the next event gets */
	struct reflector_step step;
};

void start(struct scene *s, const struct api_resource *resource);
void stop(struct scene *s);
/* What was emitted since the last look. */
void emitted(struct scene *s, const char *events);
/* The next request has to have these words in its path; waits before it are waited. Returns them.
 */
unsigned requests(struct scene *s, const char *with, const char *without);
int answer(struct scene *s, int status, const char *bytes);
void ends(struct scene *s, enum http_outcome outcome, int status, unsigned after_ms);
/* Streamed, and now watching. */
void synced(struct scene *s);

#endif
