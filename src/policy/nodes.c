/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which addresses are which node's: its object says so, and so do its pods (status.hostIPs, and the
 * addresses of pods on the host network). A node's traffic with its own pods is always allowed. */
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "nodes.h"

static struct node_addr *find_addr(const struct graph *g, const struct addr *addr)
{
	struct node_addr *entry;

	HASH_FIND(hh, g->node_addrs, addr, sizeof(*addr), entry);
	return entry;
}

static struct node_addr *get_addr(struct graph *g, const struct addr *addr)
{
	struct node_addr *entry = find_addr(g, addr);

	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->addr = *addr;
	HASH_ADD(hh, g->node_addrs, addr, sizeof(entry->addr), entry);
	if (table_added(entry))
		return entry;
	free(entry);
	return NULL;
}

static void drop_if_empty(struct graph *g, struct node_addr *entry)
{
	if (entry->nodes.n > 0)
		return;
	HASH_DEL(g->node_addrs, entry);
	vec_free(&entry->nodes);
	vec_free(&entry->refs);
	free(entry);
}

/* The listener hears of those that a node or this host says it has: a pod can claim any, and so can
 * a node what this node has seen at a pod. */
static void follow(struct graph *g, struct node_addr *entry)
{
	bool firm = entry->firm > 0 && !graph_observed(g, &entry->addr);

	if (!g->listening || !g->synced || entry->told == firm)
		return;
	entry->told = firm;
	g->listener.node_addr(g->listener.ctx, &entry->addr, firm);
}

void nodes_tell(struct graph *g)
{
	for (struct node_addr *entry = g->node_addrs; entry; entry = entry->hh.next)
		follow(g, entry);
}

void nodes_observed(struct graph *g, const struct addr *addr)
{
	struct node_addr *entry = find_addr(g, addr);

	if (entry)
		follow(g, entry);
}

/* Who says it. */
enum word { WORD_OF_POD, WORD_OF_NODE };

static int add_node(struct node_addr *entry, const char *node)
{
	for (size_t i = 0; i < entry->nodes.n; i++) {
		if (entry->nodes.v[i] == node) {
			entry->refs.v[i]++;
			return 0;
		}
	}
	if (vec_push(&entry->nodes, node) < 0)
		return -ENOMEM;
	if (vec_push(&entry->refs, 1) == 0) {
		(void)intern_ref(node);
		return 0;
	}
	entry->nodes.n--;
	return -ENOMEM;
}

static int add_addr(struct graph *g, const struct addr *addr, const char *node, enum word word)
{
	struct node_addr *entry = get_addr(g, addr);

	if (!entry)
		return -ENOMEM;
	if (add_node(entry, node) < 0) {
		drop_if_empty(g, entry);
		return -ENOMEM;
	}
	entry->firm += word == WORD_OF_NODE;
	follow(g, entry);
	return 0;
}

static void remove_addr(struct graph *g, const struct addr *addr, const char *node, enum word word)
{
	struct node_addr *entry = find_addr(g, addr);

	if (!entry)
		return;
	entry->firm -= word == WORD_OF_NODE;
	follow(g, entry);
	for (size_t i = 0; i < entry->nodes.n; i++) {
		if (entry->nodes.v[i] != node)
			continue;
		if (--entry->refs.v[i] > 0)
			return;
		intern_put(g->strings, node);
		vec_remove_swap(&entry->nodes, i);
		vec_remove_swap(&entry->refs, i);
		drop_if_empty(g, entry);
		return;
	}
}

int nodes_add_pod(struct graph *g, const struct pod *pod)
{
	int rc = 0;

	for (size_t i = 0; pod->node && i < pod->n_host_addrs && rc == 0; i++)
		rc = add_addr(g, &pod->host_addrs[i], pod->node, WORD_OF_POD);
	for (size_t i = 0; pod->node && pod->host_network && i < pod->n_addrs && rc == 0; i++)
		rc = add_addr(g, &pod->addrs[i], pod->node, WORD_OF_POD);
	return rc;
}

void nodes_remove_pod(struct graph *g, const struct pod *pod)
{
	for (size_t i = 0; pod->node && i < pod->n_host_addrs; i++)
		remove_addr(g, &pod->host_addrs[i], pod->node, WORD_OF_POD);
	for (size_t i = 0; pod->node && pod->host_network && i < pod->n_addrs; i++)
		remove_addr(g, &pod->addrs[i], pod->node, WORD_OF_POD);
}

static bool same_addrs(const struct graph *g, const struct addr addrs[], size_t n)
{
	if (n != g->host_addrs.n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (addr_compare(&addrs[i], &g->host_addrs.v[i]) != 0)
			return false;
	}
	return true;
}

int graph_set_host_addrs(struct graph *g, const struct addr addrs[], size_t n)
{
	int rc = 0;

	if (!g->node || same_addrs(g, addrs, n))
		return 0;
	g->generation++;
	/* In before out: what stays is not told as gone. */
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_addr(g, &addrs[i], g->node, WORD_OF_NODE);
	for (size_t i = 0; i < g->host_addrs.n; i++)
		remove_addr(g, &g->host_addrs.v[i], g->node, WORD_OF_NODE);
	g->host_addrs.n = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = vec_push(&g->host_addrs, addrs[i]);
	return rc;
}

static struct graph_node *find_node(const struct graph *g, const char *name)
{
	struct graph_node *entry;

	HASH_FIND_STR(g->nodes, name, entry);
	return entry;
}

static void node_entry_free(struct graph *g, struct graph_node *entry)
{
	for (size_t i = 0; i < entry->object->n_addrs; i++)
		remove_addr(g, &entry->object->addrs[i], entry->object->name, WORD_OF_NODE);
	HASH_DEL(g->nodes, entry);
	node_free(g->strings, entry->object);
	free(entry);
	g->counts.nodes--;
}

void nodes_remove(struct graph *g, const char *name)
{
	struct graph_node *entry = find_node(g, name);

	if (entry)
		node_entry_free(g, entry);
}

int nodes_put(struct graph *g, struct node *node)
{
	struct graph_node *entry;
	int rc = 0;

	nodes_remove(g, node->name);
	entry = calloc(1, sizeof(*entry));
	if (!entry) {
		node_free(g->strings, node);
		return -ENOMEM;
	}
	entry->object = node;
	HASH_ADD_KEYPTR(hh, g->nodes, node->name, strlen(node->name), entry);
	if (!table_added(entry)) {
		node_free(g->strings, node);
		free(entry);
		return -ENOMEM;
	}
	g->counts.nodes++;
	for (size_t i = 0; i < node->n_addrs && rc == 0; i++)
		rc = add_addr(g, &node->addrs[i], node->name, WORD_OF_NODE);
	return rc;
}

void nodes_free(struct graph *g)
{
	struct graph_node *entry, *tmp;
	struct node_addr *addr, *next;

	HASH_ITER (hh, g->nodes, entry, tmp)
		node_entry_free(g, entry);
	vec_free(&g->host_addrs);
	HASH_ITER (hh, g->node_addrs, addr, next) {
		for (size_t i = 0; i < addr->nodes.n; i++)
			intern_put(g->strings, addr->nodes.v[i]);
		addr->nodes.n = 0;
		drop_if_empty(g, addr);
	}
}

size_t graph_addr_nodes(const struct graph *g, const struct addr *addr,
			const char *const **ret_nodes)
{
	const struct node_addr *entry = find_addr(g, addr);

	if (entry)
		*ret_nodes = entry->nodes.v;
	return entry ? entry->nodes.n : 0;
}

const struct node *graph_find_node(const struct graph *g, const char *name)
{
	const struct graph_node *entry = find_node(g, name);

	return entry ? entry->object : NULL;
}

const struct node *graph_next_node(const struct graph *g, const struct node *node)
{
	const struct graph_node *entry = node ? find_node(g, node->name)->hh.next : g->nodes;

	return entry ? entry->object : NULL;
}
