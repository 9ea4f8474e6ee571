/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that stand when policy changes. The first packet of each is decided by the rules of
 * its time, and all others pass as established; so after a commit the entries of those addresses
 * that it concerns are evaluated again, and those that are denied now are deleted. */
#ifndef DAEMON_ESTABLISHED_H
#define DAEMON_ESTABLISHED_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/findings.h"
#include "policy/graph.h"
#include "render/render.h"

struct established;

struct established_counts {
	uint64_t evaluated, deleted, passes;
	uint64_t reassigned; /* of deleted: entries of an address that another pod has now */
	uint64_t failures;   /* passes that could not read or delete something */
	size_t cut;          /* of which nothing may come any more, see cuts.h */
	bool available;      /* ctnetlink is there */
	bool busy;           /* some are still to be looked at */
};

/* Stands between the graph and `inner`, which is copied, and notes what each change may affect.
 * NULL: no memory. */
struct established *established_new(const struct graph_listener *inner);
struct graph_listener established_listener(struct established *established);

struct established_options {
	bool keep; /* a change of policy leaves standing connections alone */
	struct graph *graph;
	struct render *render;
	struct findings *findings;
	/* Called when established_render() is due. */
	void (*want_render)(void *ctx);
	void *ctx;
};

/* From here on it has a loop. 0 or -ENOMEM; without ctnetlink it does nothing, which is a finding.
 */
int established_start(struct established *established, struct event_base *base,
		      const struct established_options *options);

/* Within a job: what is to be dropped of connections that end goes into the ruleset, and what need
 * not be any more goes out (see cuts.h). 1: the ruleset has changed; 0: not; or -ENOMEM. */
int established_render(struct established *established);

/* What an earlier run has left in the kernel of these. 0 or -ENOMEM. */
int established_adopt(struct established *established, const struct ruleset *kernel);

/* While it is paused nothing is evaluated: the graph stands halfway through a change. NULL is fine.
 */
void established_pause(struct established *established, bool paused);

/* The kernel has what the graph means. */
enum established_since {
	ESTABLISHED_SAME, /* since the last time nothing of it has changed: a pod has come again as
			   * it was, or with labels that no policy names */
	ESTABLISHED_CHANGED,
	ESTABLISHED_ABSENT, /* some of it was not there: any connection may have been made */
};
void established_committed(struct established *established, enum established_since since);

/* Does all that is due without a loop (--once). true: there will be more after a commit. */
bool established_finish(struct established *established);

/* -ENOMEM: an address that changed hands could not be noted; only good for established_free(). */
int established_error(const struct established *established);

struct established_counts established_counts(const struct established *established);

void established_free(struct established *established);

#endif
