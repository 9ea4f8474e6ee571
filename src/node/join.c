/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results claim interfaces and addresses, newest first. What none of them claims is then looked for
 * where the kernel would send it: routes first, which only the host can make; what bridges and
 * neighbours say last, for a pod can make that up. */
#include "join.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/task.h"

struct sighting {
	struct addr addr;
	unsigned index;
	bool has_mac;
	uint8_t mac[MAC_BYTES];
};

struct taken {
	unsigned index;
	struct cni_result *result; /* who has it; NULL: one without a result */
};

struct builder {
	const struct links *links;
	const struct neigh *neigh;
	struct join *join;
	VEC(struct cni_result *) results; /* those that count, newest first */
	VEC(struct taken) taken;          /* interfaces that somebody has, by index */
	VEC(struct sighting) sightings;
	bool no_memory;
};

static int note(struct builder *b, enum join_note_kind kind, struct cni_result *result,
		struct cni_result *other, const char *what)
{
	struct join_note one = {.kind = kind, .result = result, .other = other};

	(void)snprintf(one.what, sizeof(one.what), "%s", what);
	if (vec_push(&b->join->notes, one) < 0)
		return -ENOMEM;
	(void)cni_result_ref(result);
	(void)cni_result_ref(other);
	return 0;
}

static int compare_pointers(const void *a, const void *b)
{
	return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

/* By the names of files, as they are said in this order; then by what makes them the same. */
int join_note_compare(const void *x, const void *y)
{
	const struct join_note *a = x, *b = y;
	int order = strcmp(a->result->file, b->result->file);

	task_step();
	if (order == 0)
		order = (int)a->kind - (int)b->kind;
	if (order == 0)
		order = strcmp(a->what, b->what);
	if (order == 0)
		order = compare_pointers(a->result, b->result);
	return order != 0 ? order : compare_pointers(a->other, b->other);
}

static int compare_pods(const struct cni_result *a, const struct cni_result *b)
{
	int order = strcmp(a->ns, b->ns);

	return order != 0 ? order : strcmp(a->name, b->name);
}

static int compare_age(const struct cni_result *a, const struct cni_result *b)
{
	return cni_result_newer(a, b) ? -1 : cni_result_newer(b, a);
}

/* The networks of a container beside each other, the pod network first: eth0, or else the first by
 * name. */
static int by_container(const void *x, const void *y)
{
	const struct cni_result *a = *(struct cni_result *const *)x;
	const struct cni_result *b = *(struct cni_result *const *)y;
	bool a_eth0 = strcmp(a->ifname, "eth0") == 0, b_eth0 = strcmp(b->ifname, "eth0") == 0;
	int order = strcmp(a->container, b->container);

	task_step();
	if (order == 0)
		order = compare_pods(a, b);
	if (order == 0)
		order = (int)b_eth0 - (int)a_eth0;
	if (order == 0)
		order = strcmp(a->ifname, b->ifname);
	return order != 0 ? order : compare_age(a, b);
}

static int by_pod_and_age(const void *x, const void *y)
{
	const struct cni_result *a = *(struct cni_result *const *)x;
	const struct cni_result *b = *(struct cni_result *const *)y;
	int order = compare_pods(a, b);

	task_step();
	if (order == 0)
		order = strcmp(a->uid, b->uid);
	return order != 0 ? order : compare_age(a, b);
}

static int by_age(const void *x, const void *y)
{
	task_step();
	return compare_age(*(struct cni_result *const *)x, *(struct cni_result *const *)y);
}

static void sort(struct builder *b, int (*order)(const void *, const void *))
{
	if (b->results.n > 0)
		qsort(b->results.v, b->results.n, sizeof(struct cni_result *), order);
}

/* One network of each container; of each pod the container that was made last. Files of the others
 * are what nobody cleaned up. */
static int choose_results(struct builder *b)
{
	struct cni_result **v = b->results.v, *first = NULL;
	size_t kept = 0, n = b->results.n;
	int rc = 0;

	sort(b, by_container);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (!first || strcmp(v[i]->container, first->container) != 0 ||
		    compare_pods(v[i], first) != 0)
			first = v[kept++] = v[i];
		else if (strcmp(v[i]->ifname, first->ifname) != 0)
			rc = note(b, JOIN_NOTE_UNCOVERED, v[i], first, v[i]->ifname);
	}
	b->results.n = kept;
	sort(b, by_pod_and_age);
	first = NULL;
	n = kept;
	kept = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (!first || compare_pods(v[i], first) != 0 || strcmp(v[i]->uid, first->uid) != 0)
			first = v[kept++] = v[i];
	}
	b->results.n = kept;
	sort(b, by_age);
	return rc;
}

static size_t place_of(const struct builder *b, unsigned index)
{
	size_t low = 0, high = b->taken.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (b->taken.v[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_taken(const struct builder *b, unsigned index)
{
	size_t at = place_of(b, index);

	return at < b->taken.n && b->taken.v[at].index == index;
}

static int take(struct builder *b, unsigned index, struct cni_result *result)
{
	size_t at = place_of(b, index);
	struct taken one = {.index = index, .result = result};

	if (vec_push(&b->taken, one) < 0)
		return -ENOMEM;
	memmove(&b->taken.v[at + 1], &b->taken.v[at],
		(b->taken.n - 1 - at) * sizeof(b->taken.v[0]));
	b->taken.v[at] = one;
	return 0;
}

static void set_link(const struct builder *b, struct attachment *a, const struct link *link)
{
	const struct link *master = link->master ? links_by_index(b->links, link->master) : NULL;

	a->index = link->index;
	(void)snprintf(a->ifname, sizeof(a->ifname), "%s", link->name);
	if (master)
		(void)snprintf(a->master, sizeof(a->master), "%s", master->name);
	if (link->master == 0)
		a->kind = ATTACH_ROUTED;
	else
		a->kind = master && master->kind == LINK_KIND_BRIDGE ? ATTACH_BRIDGED
								     : ATTACH_FOREIGN;
}

/* The interface that the plugin named: the first that is there, is no bridge, and is not another's.
 * Never the host's way out, whatever a plugin says. */
static int claim_link(struct builder *b, struct attachment *a)
{
	for (size_t i = 0; i < a->result->n_links; i++) {
		const struct link *link = links_by_name(b->links, a->result->links[i]);
		int rc;

		if (!link || link->kind == LINK_KIND_BRIDGE ||
		    links_is_uplink(b->links, link->index))
			continue;
		if (is_taken(b, link->index)) {
			rc = note(b, JOIN_NOTE_LINK, a->result,
				  b->taken.v[place_of(b, link->index)].result, link->name);
			if (rc < 0)
				return rc;
			continue;
		}
		set_link(b, a, link);
		return take(b, link->index, a->result);
	}
	return 0;
}

static int add_result(struct builder *b, struct cni_result *result)
{
	struct attachment a = {.ns = result->ns,
			       .name = result->name,
			       .uid = result->uid,
			       .has_mac = result->has_mac,
			       .result = result};

	memcpy(a.mac, result->mac, sizeof(a.mac));
	memcpy(a.addrs, result->addrs, sizeof(a.addrs));
	a.n_addrs = result->n_addrs;
	if (vec_push(&b->join->attachments, a) < 0)
		return -ENOMEM;
	(void)cni_result_ref(result);
	return claim_link(b, &b->join->attachments.v[b->join->attachments.n - 1]);
}

static int by_addr_and_place(const void *x, const void *y)
{
	const struct join_addr *a = x, *b = y;
	int order = addr_compare(&a->addr, &b->addr);

	task_step();
	return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

/* Makes join->addrs of the addresses of all attachments. */
static int index_addrs(struct join *join)
{
	join->addrs.n = 0;
	for (size_t i = 0; i < join->attachments.n; i++) {
		const struct attachment *a = &join->attachments.v[i];

		for (size_t k = 0; k < a->n_addrs; k++) {
			struct join_addr one = {.addr = a->addrs[k], .at = i};

			if (vec_push(&join->addrs, one) < 0)
				return -ENOMEM;
		}
		task_step();
	}
	if (join->addrs.n > 0)
		qsort(join->addrs.v, join->addrs.n, sizeof(join->addrs.v[0]), by_addr_and_place);
	return 0;
}

static void lose_addr(struct attachment *a, const struct addr *addr)
{
	for (size_t i = 0; i < a->n_addrs; i++) {
		if (addr_compare(&a->addrs[i], addr) != 0)
			continue;
		memmove(&a->addrs[i], &a->addrs[i + 1], (a->n_addrs - i - 1) * sizeof(a->addrs[0]));
		a->n_addrs--;
		return;
	}
}

/* Attachments are in the order of their age here: the first one has the address. */
static int settle_addrs(struct builder *b)
{
	struct join *join = b->join;
	size_t kept = 0;
	int rc = index_addrs(join);

	for (size_t i = 0; i < join->addrs.n && rc == 0; i++) {
		const struct join_addr *one = &join->addrs.v[i];
		struct attachment *a = &join->attachments.v[one->at];
		char text[ADDR_TEXT_MAX];

		task_step();
		if (kept == 0 || addr_compare(&join->addrs.v[kept - 1].addr, &one->addr) != 0) {
			join->addrs.v[kept++] = *one;
			continue;
		}
		rc = note(b, JOIN_NOTE_ADDR, a->result,
			  join->attachments.v[join->addrs.v[kept - 1].at].result,
			  addr_format(&one->addr, text));
		lose_addr(a, &one->addr);
	}
	join->addrs.n = kept;
	return rc;
}

static void see(struct builder *b, const struct addr *addr, const struct link *link,
		const uint8_t *mac)
{
	struct sighting one = {.addr = *addr, .index = link->index, .has_mac = mac != NULL};

	task_step();
	if (mac)
		memcpy(one.mac, mac, MAC_BYTES);
	if (vec_push(&b->sightings, one) < 0)
		b->no_memory = true;
}

static void see_route(void *ctx, const struct addr *addr, unsigned index)
{
	struct builder *b = ctx;
	const struct link *link = links_by_index(b->links, index);

	if (link && link->kind == LINK_KIND_PAIR && !links_is_uplink(b->links, index))
		see(b, addr, link, NULL);
}

/* The port of a bridge where the hardware address was seen, when it can be a pod's. */
static const struct link *find_port(const struct builder *b, unsigned bridge,
				    const uint8_t mac[MAC_BYTES])
{
	const struct link *link = links_by_index(b->links, bridge);

	if (!link || link->kind != LINK_KIND_BRIDGE || links_is_uplink(b->links, bridge))
		return NULL;
	link = links_by_index(b->links, neigh_port(b->neigh, bridge, mac));
	return link && link->kind == LINK_KIND_PAIR && link->master == bridge ? link : NULL;
}

static void see_neighbour(void *ctx, const struct addr *addr, unsigned index,
			  const uint8_t mac[MAC_BYTES])
{
	struct builder *b = ctx;
	const struct link *port = find_port(b, index, mac);

	if (port)
		see(b, addr, port, mac);
}

static int by_addr_and_link(const void *x, const void *y)
{
	const struct sighting *a = x, *b = y;
	int order = addr_compare(&a->addr, &b->addr);

	task_step();
	return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Nobody has said whose it is. */
static int add_sighting(struct builder *b, const struct sighting *one)
{
	struct attachment a = {.ns = "", .name = "", .uid = "", .n_addrs = 1};

	a.addrs[0] = one->addr;
	a.has_mac = one->has_mac;
	a.routed_to = !one->has_mac;
	memcpy(a.mac, one->mac, sizeof(a.mac));
	set_link(b, &a, links_by_index(b->links, one->index));
	return vec_push(&b->join->attachments, a);
}

static int take_sighting(struct builder *b, const struct sighting *one)
{
	struct attachment *a = (struct attachment *)(uintptr_t)join_by_addr(b->join, &one->addr);

	if (!a)
		return add_sighting(b, one);
	if (a->kind != ATTACH_NONE || is_taken(b, one->index))
		return 0;
	set_link(b, a, links_by_index(b->links, one->index));
	return take(b, one->index, a->result);
}

/* What was seen, in an order of its own: the first of an address counts. New attachments come
 * behind the others, and are found by their address only after the round. */
static int take_sightings(struct builder *b)
{
	int rc = b->no_memory ? -ENOMEM : 0;

	if (b->sightings.n > 0)
		qsort(b->sightings.v, b->sightings.n, sizeof(b->sightings.v[0]), by_addr_and_link);
	for (size_t i = 0; i < b->sightings.n && rc == 0; i++) {
		if (i == 0 ||
		    addr_compare(&b->sightings.v[i - 1].addr, &b->sightings.v[i].addr) != 0)
			rc = take_sighting(b, &b->sightings.v[i]);
	}
	b->sightings.n = 0;
	return rc;
}

/* A pod whose interface has another name by now: its bridge knows where its hardware address is. */
static int find_by_mac(struct builder *b, struct attachment *a)
{
	for (size_t i = 0; a->kind == ATTACH_NONE && a->has_mac && i < a->result->n_links; i++) {
		const struct link *bridge = links_by_name(b->links, a->result->links[i]);
		const struct link *port = bridge ? find_port(b, bridge->index, a->mac) : NULL;

		if (!port || is_taken(b, port->index))
			continue;
		set_link(b, a, port);
		return take(b, port->index, a->result);
	}
	return 0;
}

/* A plugin need not say which hardware address the pod has. */
static void find_mac(struct builder *b, struct attachment *a)
{
	const struct link *link = a->index ? links_by_index(b->links, a->index) : NULL;

	for (size_t i = 0; link && link->master && !a->has_mac && i < a->n_addrs; i++)
		a->has_mac = neigh_mac(b->neigh, link->master, &a->addrs[i], a->mac);
}

static void drop_attachment(struct attachment *a)
{
	cni_result_put(a->result);
}

static int by_name_and_addr(const void *x, const void *y)
{
	const struct attachment *a = x, *b = y;
	int order = (int)(*a->name == '\0') - (int)(*b->name == '\0');

	task_step();
	if (order == 0)
		order = strcmp(a->ns, b->ns);
	if (order == 0)
		order = strcmp(a->name, b->name);
	if (order == 0)
		order = strcmp(a->uid, b->uid);
	if (order == 0 && a->n_addrs > 0 && b->n_addrs > 0)
		order = addr_compare(&a->addrs[0], &b->addrs[0]);
	return order;
}

/* Who has lost all to others is no more; the rest in order. */
static int finish(struct builder *b)
{
	struct join *join = b->join;
	size_t kept = 0;

	for (size_t i = 0; i < join->attachments.n; i++) {
		struct attachment *a = &join->attachments.v[i];

		task_step();
		if (a->kind == ATTACH_NONE && a->n_addrs == 0) {
			drop_attachment(a);
			continue;
		}
		find_mac(b, a);
		join->attachments.v[kept++] = *a;
	}
	join->attachments.n = kept;
	if (kept > 0)
		qsort(join->attachments.v, kept, sizeof(join->attachments.v[0]), by_name_and_addr);
	return index_addrs(join);
}

static int build(struct builder *b)
{
	int rc = choose_results(b);

	for (size_t i = 0; i < b->results.n && rc == 0; i++) {
		rc = add_result(b, b->results.v[i]);
		task_step();
	}
	if (rc == 0)
		rc = settle_addrs(b);
	if (rc < 0)
		return rc;
	links_each_route(b->links, see_route, b);
	rc = take_sightings(b);
	if (rc == 0)
		rc = index_addrs(b->join);
	for (size_t i = 0; i < b->join->attachments.n && rc == 0; i++) {
		rc = find_by_mac(b, &b->join->attachments.v[i]);
		task_step();
	}
	if (rc < 0)
		return rc;
	neigh_each(b->neigh, see_neighbour, b);
	rc = take_sightings(b);
	if (rc == 0)
		rc = finish(b);
	if (rc == 0)
		rc = join_unseen(b->join, b->results.v, b->results.n, b->links);
	if (b->join->notes.n > 0)
		qsort(b->join->notes.v, b->join->notes.n, sizeof(b->join->notes.v[0]),
		      join_note_compare);
	return rc;
}

int join_build(struct cni_result *const *results, size_t n, const struct links *links,
	       const struct neigh *neigh, struct join *ret_join)
{
	struct join join = {0};
	struct builder b = {.links = links, .neigh = neigh, .join = &join};
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = vec_push(&b.results, results[i]);
	if (rc == 0)
		rc = build(&b);
	vec_free(&b.results);
	vec_free(&b.taken);
	vec_free(&b.sightings);
	if (rc < 0)
		join_done(&join);
	else
		*ret_join = join;
	return rc;
}

void join_done(struct join *join)
{
	for (size_t i = 0; i < join->attachments.n; i++) {
		drop_attachment(&join->attachments.v[i]);
		task_step();
	}
	for (size_t i = 0; i < join->notes.n; i++) {
		cni_result_put(join->notes.v[i].result);
		cni_result_put(join->notes.v[i].other);
		task_step();
	}
	for (size_t i = 0; i < join->unseen.n; i++)
		cni_result_put(join->unseen.v[i].result);
	vec_free(&join->unseen);
	vec_free(&join->attachments);
	vec_free(&join->addrs);
	vec_free(&join->notes);
}
