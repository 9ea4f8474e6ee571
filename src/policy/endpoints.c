/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Endpoints: what of a pod is in the kernel. */
#include "internal.h"

static bool should_be_endpoint(const struct graph *g, const struct graph_pod *pod)
{
	if (!g->listening || !g->synced || !graph_pod_is_peer(pod->object) ||
	    !is_local(g, pod->object))
		return false;
	return graph_pod_interface(pod) || graph_pod_owns(pod, FAMILY_V4) ||
	       graph_pod_owns(pod, FAMILY_V6);
}

static void leave_profiles(struct graph *g, struct graph_pod *pod)
{
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		if (!pod->profiles[dir])
			continue;
		g->counts.over_limit -= pod->profiles[dir]->over != PROFILE_LIMIT_NONE;
		profile_deactivate(g, pod->profiles[dir]);
		pod->profiles[dir] = NULL;
		g->counts.isolated[dir]--;
	}
}

void unpublish_endpoint(struct graph *g, struct graph_pod *pod)
{
	if (!pod->is_endpoint)
		return;
	g->listener.endpoint(g->listener.ctx, pod, false);
	g->counts.endpoints--;
	pod->is_endpoint = false;
	leave_profiles(g, pod);
}

int publish_endpoint(struct graph *g, struct graph_pod *pod)
{
	if (!should_be_endpoint(g, pod))
		return 0;
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		struct profile *profile;

		if (profile_get(g, pod, (enum direction)dir, &profile) < 0 ||
		    (profile && profile_activate(g, profile) < 0)) {
			leave_profiles(g, pod);
			return -ENOMEM;
		}
		pod->profiles[dir] = profile;
		g->counts.isolated[dir] += profile != NULL;
		g->counts.over_limit += profile && profile->over != PROFILE_LIMIT_NONE;
	}
	pod->is_endpoint = true;
	g->counts.endpoints++;
	g->listener.endpoint(g->listener.ctx, pod, true);
	return 0;
}

void unpublish(struct graph *g, struct graph_pod *pod)
{
	if (!g->synced || !pod->indexed)
		return;
	unpublish_endpoint(g, pod);
	publish_peer(g, pod, false);
}

/* As a peer first: a set that the endpoint brings to life then finds the pod published. */
int publish(struct graph *g, struct graph_pod *pod)
{
	if (!g->synced || !pod->indexed)
		return 0;
	publish_peer(g, pod, true);
	return publish_endpoint(g, pod);
}
