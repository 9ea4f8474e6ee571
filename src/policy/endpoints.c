/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Endpoints: what of a pod is in the kernel. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

bool pod_link_local(const struct pod *pod, struct addr *ret)
{
	static const uint8_t unknown[sizeof(pod->mac)];

	if (memcmp(pod->mac, unknown, sizeof(unknown)) == 0)
		return false;
	*ret = (struct addr){.family = FAMILY_V6,
			     .b = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, pod->mac[0] ^ 2, pod->mac[1],
				   pod->mac[2], 0xff, 0xfe, pod->mac[3], pod->mac[4], pod->mac[5]}};
	return true;
}

static struct link_local *find_link_local(const struct graph *g, const struct addr *addr)
{
	struct link_local *entry;

	HASH_FIND(hh, g->link_locals, addr, sizeof(*addr), entry);
	return entry;
}

struct graph_pod *graph_link_local_owner(const struct graph *g, const struct addr *addr)
{
	const struct link_local *entry = find_link_local(g, addr);

	return entry ? entry->pod : NULL;
}

/* Of several with one hardware address, the first. */
static int add_link_local(struct graph *g, struct graph_pod *pod)
{
	struct link_local *entry;
	struct addr addr;

	if (!pod_link_local(pod->object, &addr) || find_link_local(g, &addr))
		return 0;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->addr = addr;
	entry->pod = pod;
	HASH_ADD(hh, g->link_locals, addr, sizeof(entry->addr), entry);
	if (table_added(entry))
		return 0;
	free(entry);
	return -ENOMEM;
}

static void remove_link_local(struct graph *g, const struct graph_pod *pod)
{
	struct link_local *entry;
	struct addr addr;

	if (!pod_link_local(pod->object, &addr))
		return;
	entry = find_link_local(g, &addr);
	if (!entry || entry->pod != pod)
		return;
	HASH_DEL(g->link_locals, entry);
	free(entry);
}

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
	remove_link_local(g, pod);
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
	if (add_link_local(g, pod) < 0) {
		leave_profiles(g, pod);
		return -ENOMEM;
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
