/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is a pod of this node, isolated or not, known or not: the sets that the drop of encapsulated
 * packets goes by. A pod is in them as often as somebody says so: the graph, and the node. */
#include <stdlib.h>
#include <string.h>

#include "base/task.h"
#include "internal.h"

struct pod_key {
	struct pod_key_value {
		struct nft_key key;
		int kind; /* enum family, or an interface */
	} value;
	size_t refs;
	UT_hash_handle hh;
};

#define KIND_INTERFACE FAMILY_COUNT

const char *pod_set_name(enum family family)
{
	return family == FAMILY_V4 ? "pod_ip4" : "pod_ip6";
}

const char *node_set_name(enum family family)
{
	return family == FAMILY_V4 ? "node_ip4" : "node_ip6";
}

static struct nft_set *set_of(const struct render *r, int kind)
{
	return ruleset_set(&r->ruleset, kind == KIND_INTERFACE ? SET_POD_INTERFACES
							       : pod_set_name((enum family)kind));
}

static struct pod_key_value value_of_addr(const struct addr *addr)
{
	struct pod_key_value value;

	memset(&value, 0, sizeof(value)); /* it is hashed */
	value.kind = addr->family;
	memcpy(value.key.bytes, addr->b, sizeof(value.key.bytes));
	return value;
}

static struct pod_key_value value_of_interface(const char *name)
{
	struct pod_key_value value;

	memset(&value, 0, sizeof(value));
	value.kind = KIND_INTERFACE;
	memcpy(value.key.bytes, name, strlen(name));
	return value;
}

static void add(struct render *r, struct pod_key_value value)
{
	struct pod_key *entry;

	HASH_FIND(hh, r->pods, &value, sizeof(value), entry);
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry) {
			r->failed = true;
			return;
		}
		entry->value = value;
		HASH_ADD(hh, r->pods, value, sizeof(entry->value), entry);
		if (!table_added(entry)) {
			free(entry);
			r->failed = true;
			return;
		}
	}
	if (entry->refs++ == 0 && nft_set_add(set_of(r, value.kind), &value.key, NULL) < 0)
		r->failed = true;
}

static void drop(struct render *r, struct pod_key_value value)
{
	struct pod_key *entry;

	HASH_FIND(hh, r->pods, &value, sizeof(value), entry);
	if (!entry || --entry->refs > 0)
		return; /* not there: there was no memory for it */
	drop_elem(r, set_of(r, value.kind), &value.key);
	HASH_DEL(r->pods, entry);
	free(entry);
}

static void each_value(struct render *r, const struct graph_pod *pod,
		       void (*fn)(struct render *r, struct pod_key_value value))
{
	const char *interface = graph_pod_interface(pod);
	struct addr link_local;

	if (interface)
		fn(r, value_of_interface(interface));
	for (int family = 0; family < FAMILY_COUNT; family++) {
		if (graph_pod_owns(pod, (enum family)family))
			fn(r, value_of_addr(pod_addr(pod->object, (enum family)family)));
	}
	if (graph_pod_device(pod) && bridged_link_local(pod->object, &link_local))
		fn(r, value_of_addr(&link_local));
}

void add_local_pod(struct render *r, const struct graph_pod *pod)
{
	each_value(r, pod, add);
}

void drop_local_pod(struct render *r, const struct graph_pod *pod)
{
	each_value(r, pod, drop);
}

static struct pod_key_value value_of(const struct render_unknown *one)
{
	return one->interface[0] ? value_of_interface(one->interface) : value_of_addr(&one->addr);
}

int render_attached(struct render *r, const struct render_unknown list[], size_t n)
{
	struct render_unknown *copy = malloc((n + 1) * sizeof(copy[0]));

	if (!copy) {
		r->failed = true;
		return -ENOMEM;
	}
	if (n > 0)
		memcpy(copy, list, n * sizeof(copy[0]));
	for (size_t i = 0; i < n; i++) {
		add(r, value_of(&list[i]));
		task_step();
	}
	for (size_t i = 0; i < r->n_attached; i++) {
		drop(r, value_of(&r->attached[i]));
		task_step();
	}
	free(r->attached);
	r->attached = copy;
	r->n_attached = n;
	return r->failed ? -ENOMEM : 0;
}

void listen_node_addr(void *ctx, const struct addr *addr, bool exists)
{
	struct render *r = ctx;
	struct pod_key_value value = value_of_addr(addr);
	struct nft_set *set;

	if (r->failed || !r->options.pod_tunnels)
		return;
	set = ruleset_set(&r->ruleset, node_set_name((enum family)addr->family));
	if (!exists)
		drop_elem(r, set, &value.key);
	else if (nft_set_add(set, &value.key, NULL) < 0)
		r->failed = true;
}

void free_local_pods(struct render *r)
{
	struct pod_key *entry, *next;

	HASH_ITER (hh, r->pods, entry, next) {
		HASH_DEL(r->pods, entry);
		free(entry);
	}
	free(r->attached);
}
