/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in the kernel's sets: the addresses of members, and what named egress ports resolve to. A
 * pod is published once its addresses are in every active set it belongs to; to change a pod,
 * unpublish it, change it, publish it. */
#include <stdlib.h>
#include <string.h>

#include "base/task.h"
#include "internal.h"

static int compare_selectors(const void *a, const void *b)
{
	return strcmp((*(struct selector *const *)a)->text, (*(struct selector *const *)b)->text);
}

static void peer_set_free(struct graph *g, struct peer_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		selector_put(g, set->selectors[i]);
	free(set->selectors);
	free(set);
}

struct peer_set *peer_set_get(struct graph *g, struct selector *const selectors[], size_t n)
{
	struct selector **sorted = malloc(n * sizeof(sorted[0]));
	struct peer_set *set;
	size_t kept = 0;

	if (!sorted)
		return NULL;
	memcpy(sorted, selectors, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), compare_selectors);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || sorted[kept - 1] != sorted[i])
			sorted[kept++] = sorted[i];
	}

	HASH_FIND(hh, g->peer_sets, sorted, kept * sizeof(sorted[0]), set);
	if (set) {
		free(sorted);
		set->refs++;
		return set;
	}
	set = calloc(1, sizeof(*set));
	if (!set) {
		free(sorted);
		return NULL;
	}
	set->selectors = sorted;
	set->refs = 1;
	for (; set->n < kept; set->n++)
		sorted[set->n]->refs++;
	HASH_ADD_KEYPTR(hh, g->peer_sets, set->selectors, kept * sizeof(sorted[0]), set);
	if (table_added(set))
		return set;
	peer_set_free(g, set);
	return NULL;
}

void peer_set_put(struct graph *g, struct peer_set *set)
{
	if (--set->refs > 0)
		return;
	HASH_DEL(g->peer_sets, set);
	peer_set_free(g, set);
}

static void tell_addresses(struct graph *g, struct peer_set *set, const struct graph_pod *pod,
			   bool present)
{
	for (int family = 0; family < FAMILY_COUNT; family++) {
		if (graph_pod_owns(pod, (enum family)family))
			g->listener.peer(g->listener.ctx, set,
					 pod_addr(pod->object, (enum family)family), present);
	}
}

/* Is the pod a member by one of the selectors before `n`? */
static bool member_before(const struct peer_set *set, size_t n, const struct graph_pod *pod)
{
	for (size_t i = 0; i < n; i++) {
		if (selector_matches(set->selectors[i], pod))
			return true;
	}
	return false;
}

static int use_selector(struct graph *g, struct peer_set *set, struct selector *selector)
{
	if (selector_activate(g, selector) < 0)
		return -ENOMEM;
	if (vec_push(&selector->users, set) == 0)
		return 0;
	selector_deactivate(g, selector);
	return -ENOMEM;
}

static void leave_selector(struct graph *g, const struct peer_set *set, struct selector *selector)
{
	for (size_t i = 0; i < selector->users.n; i++) {
		if (selector->users.v[i] == set) {
			vec_remove_swap(&selector->users, i);
			break;
		}
	}
	selector_deactivate(g, selector);
}

int peer_set_activate(struct graph *g, struct peer_set *set)
{
	if (set->active++ > 0)
		return 0;
	for (size_t i = 0; i < set->n; i++) {
		if (use_selector(g, set, set->selectors[i]) == 0)
			continue;
		set->active--;
		while (i-- > 0)
			leave_selector(g, set, set->selectors[i]);
		return -ENOMEM;
	}
	g->listener.peer_set(g->listener.ctx, set, true);
	for (size_t i = 0; i < set->n; i++) {
		const struct selector *selector = set->selectors[i];

		for (size_t j = 0; j < selector->members.n; j++) {
			const struct graph_pod *pod = selector->members.v[j].pod;

			task_step();
			if (pod->published && !member_before(set, i, pod))
				tell_addresses(g, set, pod, true);
		}
	}
	return 0;
}

void peer_set_deactivate(struct graph *g, struct peer_set *set)
{
	if (--set->active > 0)
		return;
	g->listener.peer_set(g->listener.ctx, set, false);
	for (size_t i = 0; i < set->n; i++)
		leave_selector(g, set, set->selectors[i]);
}

/* The named ports of the profile that are called so: how many, and the first. */
static size_t find_named(const struct profile *profile, const char *name, uint8_t proto,
			 size_t *ret_first)
{
	size_t low = 0, high = profile->n_named, n = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct named_port *named = &profile->named[middle];
		int order = strcmp(named->name, name);

		if (order < 0 || (order == 0 && named->proto < proto))
			low = middle + 1;
		else
			high = middle;
	}
	*ret_first = low;
	while (low + n < profile->n_named && profile->named[low + n].name == name &&
	       profile->named[low + n].proto == proto)
		n++;
	return n;
}

/* Do the rules that name the port cover the pod at this address? */
static bool port_is_covered(const struct profile *profile, const struct pod_port *port,
			    const struct graph_pod *pod, const struct addr *addr)
{
	size_t first, n = find_named(profile, port->name, port->proto, &first);

	for (size_t i = first; i < first + n; i++) {
		const struct peers *peers = &profile->rules[profile->named[i].rule].peers;

		if (peers_have_pod(peers, pod) || peers_have_block(peers, addr))
			return true;
	}
	return false;
}

static int compare_elements(const void *left, const void *right)
{
	const struct endpoint_port *a = left, *b = right;
	int order = (a->proto > b->proto) - (a->proto < b->proto);

	return order != 0 ? order : (a->port > b->port) - (a->port < b->port);
}

static void tell_named_at(struct graph *g, struct profile *profile, const struct graph_pod *pod,
			  const struct addr *addr, bool present)
{
	struct endpoint_port elements[POD_PORTS_MAX];
	bool covered = false;
	size_t n = 0;

	for (size_t i = 0; i < pod->object->n_ports; i++) {
		const struct pod_port *port = &pod->object->ports[i];

		/* Several numbers of one name follow each other. */
		if (i == 0 || port[-1].name != port->name || port[-1].proto != port->proto)
			covered = port_is_covered(profile, port, pod, addr);
		if (covered)
			elements[n++] = (struct endpoint_port){*addr, port->proto, port->number};
	}
	/* Two names of one number are one element. */
	if (n > 1)
		qsort(elements, n, sizeof(elements[0]), compare_elements);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || compare_elements(&elements[i - 1], &elements[i]) != 0)
			g->listener.named(g->listener.ctx, profile, &elements[i], present);
	}
}

static void tell_named(struct graph *g, struct profile *profile, const struct graph_pod *pod,
		       bool present)
{
	for (int family = 0; family < FAMILY_COUNT; family++) {
		if (graph_pod_owns(pod, (enum family)family))
			tell_named_at(g, profile, pod, pod_addr(pod->object, (enum family)family),
				      present);
	}
}

static struct named_users *find_users(const struct graph *g, const char *name, uint8_t proto)
{
	struct posting_key key = {name, port_value((enum proto)proto)};
	struct named_users *users;

	HASH_FIND(hh, g->named_users, &key, sizeof(key), users);
	return users;
}

static int add_user(struct graph *g, struct profile *profile, const struct named_port *named)
{
	struct named_users *users = find_users(g, named->name, named->proto);

	if (!users) {
		users = calloc(1, sizeof(*users));
		if (!users)
			return -ENOMEM;
		users->key =
			(struct posting_key){named->name, port_value((enum proto)named->proto)};
		HASH_ADD(hh, g->named_users, key, sizeof(users->key), users);
		if (!table_added(users)) {
			free(users);
			return -ENOMEM;
		}
	}
	for (size_t i = 0; i < users->profiles.n; i++) {
		if (users->profiles.v[i] == profile)
			return 0;
	}
	return vec_push(&users->profiles, profile);
}

static void remove_user(struct graph *g, struct profile *profile, const struct named_port *named)
{
	struct named_users *users = find_users(g, named->name, named->proto);

	if (!users)
		return;
	for (size_t i = 0; i < users->profiles.n; i++) {
		if (users->profiles.v[i] == profile) {
			vec_remove_swap(&users->profiles, i);
			break;
		}
	}
	if (users->profiles.n == 0) {
		HASH_DEL(g->named_users, users);
		vec_free(&users->profiles);
		free(users);
	}
}

int named_activate(struct graph *g, struct profile *profile)
{
	uint64_t mark = ++g->mark;

	for (size_t i = 0; i < profile->n_named; i++) {
		if (add_user(g, profile, &profile->named[i]) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < profile->n_named; i++) {
		const struct named_port *named = &profile->named[i];
		const struct posting *posting =
			find_posting(g, named->name, port_value((enum proto)named->proto));

		for (size_t j = 0; posting && j < posting->pods.n; j++) {
			struct graph_pod *pod = posting->pods.v[j];

			task_step();

			/* tell_named() tells all of a pod at once. */
			if (pod->published && pod->mark != mark)
				tell_named(g, profile, pod, true);
			pod->mark = mark;
		}
	}
	return 0;
}

void named_deactivate(struct graph *g, struct profile *profile)
{
	for (size_t i = 0; i < profile->n_named; i++)
		remove_user(g, profile, &profile->named[i]);
}

void publish_peer(struct graph *g, struct graph_pod *pod, bool present)
{
	uint64_t mark = ++g->mark;

	pod->published = present;
	for (size_t i = 0; i < pod->memberships.n; i++) {
		const struct selector *selector = pod->memberships.v[i].selector;

		for (size_t j = 0; j < selector->users.n; j++) {
			struct peer_set *set = selector->users.v[j];

			if (set->mark != mark)
				tell_addresses(g, set, pod, present);
			set->mark = mark;
			task_yield(); /* the listener's table of a set may have grown */
		}
	}
	for (size_t i = 0; i < pod->object->n_ports && g->named_users; i++) {
		const struct pod_port *port = &pod->object->ports[i];
		const struct named_users *users = find_users(g, port->name, port->proto);

		for (size_t j = 0; users && j < users->profiles.n; j++) {
			struct profile *profile = users->profiles.v[j];

			if (profile->mark != mark)
				tell_named(g, profile, pod, present);
			profile->mark = mark;
			task_yield();
		}
	}
}
