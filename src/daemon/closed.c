/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pods that are closed because their policies are too complicated. */
#include <stdio.h>

#include "base/log.h"
#include "base/task.h"
#include "local.h"

static const struct profile *closed_by(const struct daemon *d, const struct local_pod *local,
				       int dir)
{
	const struct graph_pod *pod = graph_find_pod(d->graph, local->pod->ns, local->pod->name);

	return pod && pod->is_endpoint && pod->profiles[dir] && pod->profiles[dir]->over
		       ? pod->profiles[dir]
		       : NULL;
}

void closed_each(const struct daemon *d, closed_fn fn, void *ctx)
{
	if (graph_counts(d->graph).over_limit == 0)
		return;
	for (const struct local_pod *local = d->local; local; local = local->hh.next) {
		for (int dir = 0; dir < DIR_COUNT; dir++) {
			const struct profile *profile = closed_by(d, local, dir);

			if (profile)
				fn(ctx, local->key, profile);
		}
	}
}

static void tell_closed(struct local_pod *local, enum direction dir, const struct profile *profile)
{
	char policies[200] = "";
	size_t used = 0;

	if (!profile) {
		log_notice("netpold", "pod %s is closed for %s no more", local->key,
			   direction_name(dir));
		return;
	}
	for (size_t i = 0; i < profile->n_policies && used < sizeof(policies); i++)
		used += (size_t)snprintf(policies + used, sizeof(policies) - used, "%s%s/%s",
					 i > 0 ? ", " : "", profile->policies[i]->ns,
					 profile->policies[i]->name);
	log_err("netpold", "pod %s is closed for %s: %s in %s; all else is enforced", local->key,
		direction_name(dir), profile_limit_text(profile->over), policies);
}

void closed_tell(struct daemon *d)
{
	size_t closed = graph_counts(d->graph).over_limit;

	for (struct local_pod *local = d->local; local && (closed > 0 || d->over_limit_reported);
	     local = local->hh.next) {
		task_step();
		for (int dir = 0; dir < DIR_COUNT; dir++) {
			const struct profile *profile = closed_by(d, local, dir);

			if (local->over_limit_reported[dir] == (profile != NULL))
				continue;
			local->over_limit_reported[dir] = profile;
			tell_closed(local, (enum direction)dir, profile);
		}
	}
	d->over_limit_reported = closed > 0;
}
