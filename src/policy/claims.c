/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has an address or an interface when several pods say that they do. What the node has seen
 * decides; where it has seen nothing, a dying pod's address may have been given to the next one
 * already. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/intern.h"
#include "claims.h"

bool graph_pod_is_peer(const struct pod *pod)
{
	return !pod->host_network && !pod_finished(pod);
}

bool is_local(const struct graph *g, const struct pod *pod)
{
	return !g->node || pod->node == g->node;
}

const struct addr *pod_addr(const struct pod *pod, enum family family)
{
	for (size_t i = 0; i < pod->n_addrs; i++) {
		if (pod->addrs[i].family == family)
			return &pod->addrs[i];
	}
	return NULL;
}

static bool owns(const struct graph_pod *pod, size_t kind)
{
	const struct claim_link *link = &pod->claims[kind];

	return link->claim && link->claim->owner == pod;
}

bool graph_pod_owns(const struct graph_pod *pod, enum family family)
{
	return owns(pod, family);
}

const char *graph_pod_device(const struct graph_pod *pod)
{
	return owns(pod, CLAIM_INTERFACE) ? pod->object->interface : NULL;
}

const char *graph_pod_interface(const struct graph_pod *pod)
{
	return pod->object->bridged ? NULL : graph_pod_device(pod);
}

/* Those that the node has at a device before all others; the living before the dying, running
 * before starting, young before old; then by name, so that the order of events decides nothing. */
static bool goes_first(const struct graph_pod *left, const struct graph_pod *right, size_t kind)
{
	const struct pod *a = left->object, *b = right->object;
	bool a_runs = a->phase == POD_RUNNING, b_runs = b->phase == POD_RUNNING;
	unsigned bit = 1u << kind;

	if ((a->observed & bit) != (b->observed & bit))
		return a->observed & bit;
	if (a->terminating != b->terminating)
		return b->terminating;
	if (a_runs != b_runs)
		return a_runs;
	if (a->created != b->created)
		return a->created > b->created;

	char a_name[OBJECT_NAME_MAX], b_name[OBJECT_NAME_MAX];
	struct object a_object = {.kind = KIND_POD, .pod = left->object};
	struct object b_object = {.kind = KIND_POD, .pod = right->object};
	return strcmp(object_name(&a_object, a_name), object_name(&b_object, b_name)) < 0;
}

static struct claim_key claim_key(const struct pod *pod, size_t kind)
{
	struct claim_key key = {.kind = (uint8_t)kind};

	if (kind == CLAIM_INTERFACE)
		memcpy(key.bytes, pod->interface, strlen(pod->interface));
	else
		memcpy(key.bytes, pod_addr(pod, (enum family)kind)->b, sizeof(key.bytes));
	return key;
}

/* Addresses that are no pod's alone: 0.0.0.0/8, loopback, link-local of IPv6, multicast and
 * broadcast. The API server takes them in a pod's status all the same. The rest of 240.0.0.0/4 is
 * unicast to Linux (include/linux/in.h), and clusters use it for pods. */
static bool is_usable(const struct addr *addr)
{
	static const struct addr loopback = {.family = FAMILY_V6, .b = {[15] = 1}};
	static const struct addr unspecified = {.family = FAMILY_V6};
	static const struct addr broadcast = {.family = FAMILY_V4, .b = {255, 255, 255, 255}};
	const uint8_t *b = addr->b;

	if (addr->family == FAMILY_V4)
		return b[0] != 0 && b[0] != 127 && b[0] >> 4 != 14 &&
		       addr_compare(addr, &broadcast) != 0;
	return b[0] != 0xff && (b[0] != 0xfe || b[1] >> 6 != 2) &&
	       addr_compare(addr, &loopback) != 0 && addr_compare(addr, &unspecified) != 0;
}

/* Interfaces are this node's: only its pods can have one. */
static bool claims_kind(const struct graph *g, const struct pod *pod, size_t kind)
{
	if (kind == CLAIM_INTERFACE)
		return pod->interface && is_local(g, pod);
	return pod_addr(pod, (enum family)kind) && is_usable(pod_addr(pod, (enum family)kind));
}

static struct claim *find_claim(const struct graph *g, const struct claim_key *key)
{
	struct claim *claim;

	HASH_FIND(hh, g->claims, key, sizeof(*key), claim);
	return claim;
}

static bool is_uid(const char *observed, const char *uid)
{
	return !observed[0] || !uid || strcmp(observed, uid) == 0;
}

/* May the pod have what it claims, by what the node has seen of it? */
static bool may_own(const struct graph *g, const struct observed_addr *observed,
		    const struct graph_pod *pod)
{
	const struct pod *object = pod->object;

	if (!observed)
		return true;
	if (!is_local(g, object))
		return false;
	return !observed->name ||
	       (observed->ns == object->ns && strcmp(observed->name, object->name) == 0 &&
		is_uid(observed->uid, object->uid));
}

/* The first who may have it; `except` is on the way out, NULL: nobody is. */
static struct graph_pod *find_owner(const struct graph *g, const struct claim *claim,
				    const struct observed_addr *observed,
				    const struct graph_pod *except)
{
	for (const struct claim_link *link = claim->holders; link; link = link->next) {
		if (link->pod != except && may_own(g, observed, link->pod))
			return link->pod;
	}
	return NULL;
}

static void settle(struct graph *g, struct claim *claim)
{
	bool contested;

	claim->owner = find_owner(g, claim, claim->observed, NULL);
	contested = claim->holders && (claim->holders->next || !claim->owner);
	if (contested && !claim->contested)
		DL_APPEND(g->contested, claim);
	else if (!contested && claim->contested)
		DL_DELETE(g->contested, claim);
	claim->contested = contested;
}

size_t claims_rivals(const struct graph *g, const struct graph_pod *pod,
		     struct graph_pod *rivals[CLAIMS_MAX])
{
	size_t n = 0;

	for (size_t kind = 0; kind < CLAIMS_MAX; kind++) {
		struct graph_pod *rival = NULL;

		if (pod->claims[kind].claim) {
			/* Leaving: who has it next. */
			const struct claim *claim = pod->claims[kind].claim;

			if (owns(pod, kind))
				rival = find_owner(g, claim, claim->observed, pod);
		} else if (claims_kind(g, pod->object, kind)) {
			/* Coming: who has it now and will not any more. */
			struct claim_key key = claim_key(pod->object, kind);
			const struct claim *claim = find_claim(g, &key);

			if (claim && claim->owner && may_own(g, claim->observed, pod) &&
			    goes_first(pod, claim->owner, kind))
				rival = claim->owner;
		}
		for (size_t i = 0; rival && i < n; i++) {
			if (rivals[i] == rival)
				rival = NULL;
		}
		if (rival)
			rivals[n++] = rival;
	}
	return n;
}

static struct claim *get_claim(struct graph *g, const struct pod *pod, size_t kind)
{
	struct claim_key key = claim_key(pod, kind);
	struct claim *claim = find_claim(g, &key);

	if (claim)
		return claim;
	claim = calloc(1, sizeof(*claim));
	if (!claim)
		return NULL;
	claim->key = key;
	if (kind != CLAIM_INTERFACE)
		claim->observed = graph_observed(g, pod_addr(pod, (enum family)kind));
	HASH_ADD(hh, g->claims, key, sizeof(claim->key), claim);
	if (table_added(claim))
		return claim;
	free(claim);
	return NULL;
}

static int add_claim(struct graph *g, struct graph_pod *pod, size_t kind)
{
	struct claim *claim = get_claim(g, pod->object, kind);
	struct claim_link *link = &pod->claims[kind], **place;

	if (!claim)
		return -ENOMEM;
	for (place = &claim->holders; *place; place = &(*place)->next) {
		if (goes_first(pod, (*place)->pod, kind))
			break;
	}
	link->claim = claim;
	link->pod = pod;
	link->next = *place;
	*place = link;
	settle(g, claim);
	return 0;
}

int claims_add(struct graph *g, struct graph_pod *pod)
{
	for (size_t kind = 0; kind < CLAIMS_MAX; kind++) {
		if (claims_kind(g, pod->object, kind) && add_claim(g, pod, kind) < 0)
			return -ENOMEM;
	}
	return 0;
}

void claims_remove(struct graph *g, struct graph_pod *pod)
{
	for (size_t kind = 0; kind < CLAIMS_MAX; kind++) {
		struct claim_link *link = &pod->claims[kind], **place;
		struct claim *claim = link->claim;

		if (!claim)
			continue;
		for (place = &claim->holders; *place != link;)
			place = &(*place)->next;
		*place = link->next;
		*link = (struct claim_link){0};
		settle(g, claim);
		if (!claim->holders) {
			HASH_DEL(g->claims, claim);
			free(claim);
		}
	}
}

static struct claim *find_addr_claim(const struct graph *g, const struct addr *addr)
{
	struct claim_key key = {.kind = addr->family};

	memcpy(key.bytes, addr->b, sizeof(key.bytes));
	return find_claim(g, &key);
}

int claims_follow(struct graph *g, const struct addr *addr, const struct observed_addr *observed)
{
	struct claim *claim = find_addr_claim(g, addr);
	struct graph_pod *before, *after;
	int rc = 0;

	if (!claim)
		return 0;
	before = claim->owner;
	after = find_owner(g, claim, observed, NULL);
	if (before && before != after)
		unpublish(g, before);
	if (after && before != after)
		unpublish(g, after);
	claim->observed = observed;
	settle(g, claim);
	if (before && before != after)
		rc = publish(g, before);
	if (rc == 0 && after && before != after)
		rc = publish(g, after);
	return rc;
}

struct graph_pod *graph_addr_owner(const struct graph *g, const struct addr *addr)
{
	const struct claim *claim = find_addr_claim(g, addr);

	return claim ? claim->owner : NULL;
}

void graph_each_contested(const struct graph *g,
			  void (*fn)(void *ctx, const struct addr *addr, const struct claim *claim,
				     const struct graph_pod *pod),
			  void *ctx)
{
	for (const struct claim *claim = g->contested; claim; claim = claim->next) {
		struct addr addr = {.family = claim->key.kind};

		if (claim->key.kind == CLAIM_INTERFACE)
			continue;
		memcpy(addr.b, claim->key.bytes, sizeof(addr.b));
		for (const struct claim_link *link = claim->holders; link; link = link->next) {
			if (link->pod != claim->owner)
				fn(ctx, &addr, claim, link->pod);
		}
	}
}
