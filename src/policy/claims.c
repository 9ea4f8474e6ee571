/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has an address or an interface when several pods say that they do: a dying pod's address may
 * have been given to the next one already. */
#include <string.h>

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

	return link->claim && link->claim->holders == link;
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

/* The living before the dying, running before starting, young before old; then by name, so that the
 * order of events decides nothing. */
static bool goes_first(const struct graph_pod *left, const struct graph_pod *right)
{
	const struct pod *a = left->object, *b = right->object;
	bool a_runs = a->phase == POD_RUNNING, b_runs = b->phase == POD_RUNNING;

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

/* Interfaces are this node's: only its pods can have one. */
static bool claims_kind(const struct graph *g, const struct pod *pod, size_t kind)
{
	if (kind == CLAIM_INTERFACE)
		return pod->interface && is_local(g, pod);
	return pod_addr(pod, (enum family)kind) != NULL;
}

static struct claim *find_claim(const struct graph *g, const struct claim_key *key)
{
	struct claim *claim;

	HASH_FIND(hh, g->claims, key, sizeof(*key), claim);
	return claim;
}

size_t claims_rivals(const struct graph *g, const struct graph_pod *pod,
		     struct graph_pod *rivals[CLAIMS_MAX])
{
	size_t n = 0;

	for (size_t kind = 0; kind < CLAIMS_MAX; kind++) {
		struct graph_pod *rival = NULL;

		if (pod->claims[kind].claim) {
			/* Leaving: who has it next. */
			if (owns(pod, kind) && pod->claims[kind].next)
				rival = pod->claims[kind].next->pod;
		} else if (claims_kind(g, pod->object, kind)) {
			/* Coming: who has it now and will not any more. */
			struct claim_key key = claim_key(pod->object, kind);
			const struct claim *claim = find_claim(g, &key);

			if (claim && goes_first(pod, claim->holders->pod))
				rival = claim->holders->pod;
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

static int add_claim(struct graph *g, struct graph_pod *pod, size_t kind)
{
	struct claim_key key = claim_key(pod->object, kind);
	struct claim *claim = find_claim(g, &key);
	struct claim_link *link = &pod->claims[kind], **place;

	if (!claim) {
		claim = calloc(1, sizeof(*claim));
		if (!claim)
			return -ENOMEM;
		claim->key = key;
		HASH_ADD(hh, g->claims, key, sizeof(claim->key), claim);
		if (!table_added(claim)) {
			free(claim);
			return -ENOMEM;
		}
	}
	for (place = &claim->holders; *place; place = &(*place)->next) {
		if (goes_first(pod, (*place)->pod))
			break;
	}
	link->claim = claim;
	link->pod = pod;
	link->next = *place;
	*place = link;
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
		if (!claim->holders) {
			HASH_DEL(g->claims, claim);
			free(claim);
		}
	}
}

struct graph_pod *graph_addr_owner(const struct graph *g, const struct addr *addr)
{
	struct claim_key key = {.kind = addr->family};
	const struct claim *claim;

	memcpy(key.bytes, addr->b, sizeof(key.bytes));
	claim = find_claim(g, &key);
	return claim ? claim->holders->pod : NULL;
}
