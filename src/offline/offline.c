/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "offline/offline.h"

#include <errno.h>

#include "base/intern.h"

static int take_event(void *ctx, const struct event *event)
{
	struct graph *graph = ctx;

	switch (event->type) {
	case EVENT_UPSERT:
		return graph_put(graph, event->object);
	case EVENT_SYNCED:
		return graph_sync(graph);
	case EVENT_DELETE: /* files read once delete nothing */
		break;
	}
	return 0;
}

int offline_load(struct offline *ret, const char *const paths[], size_t n_paths, const char *node,
		 const struct graph_listener *listener)
{
	*ret = (struct offline){0};
	ret->strings = intern_new();
	if (ret->strings)
		ret->graph = graph_new(ret->strings, node, listener);
	if (!ret->graph)
		return -ENOMEM;
	return files_load(paths, n_paths, ret->strings, take_event, ret->graph, &ret->faults,
			  &ret->report);
}

void offline_done(struct offline *offline)
{
	graph_free(offline->graph);
	files_report_done(offline->strings, &offline->report);
	faults_done(&offline->faults);
	intern_free(offline->strings);
}

void offline_warn_unenforced(struct offline *offline)
{
	for (size_t i = 0; i < offline->report.unenforced.n; i++) {
		const struct unenforced *one = &offline->report.unenforced.v[i];

		faults_add(&offline->faults, FAULT_WARNING,
			   &(struct fault_place){.file = one->file,
						 .line = one->line,
						 .object = one->kind,
						 .field = one->name},
			   "not enforced: only NetworkPolicy of networking.k8s.io/v1 is");
	}
}
