/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that the node has seen behind its own devices, and whose they are. Whoever can write an
 * object can claim any address; what the node has seen itself goes before that. */
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "claims.h"
#include "nodes.h"

static struct observed_addr *find(const struct graph *g, const struct addr *addr)
{
	struct observed_addr *entry;

	HASH_FIND(hh, g->observed, addr, sizeof(*addr), entry);
	return entry;
}

const struct observed_addr *graph_observed(const struct graph *g, const struct addr *addr)
{
	return find(g, addr);
}

const struct observed_addr *graph_next_observed(const struct graph *g,
						const struct observed_addr *observed)
{
	return observed ? observed->hh.next : g->observed;
}

static void entry_free(struct graph *g, struct observed_addr *entry)
{
	if (!entry)
		return;
	intern_put(g->strings, entry->ns);
	intern_put(g->strings, entry->name);
	intern_put(g->strings, entry->uid);
	free(entry);
}

/* NULL: no memory. */
static struct observed_addr *entry_new(struct graph *g, const struct addr *addr,
				       const struct observed_pod *pod)
{
	struct observed_addr *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->addr = *addr;
	if (!pod->name)
		return entry;
	entry->ns = intern_get(g->strings, pod->ns);
	entry->name = intern_get(g->strings, pod->name);
	entry->uid = intern_get(g->strings, pod->uid ? pod->uid : "");
	if (entry->ns && entry->name && entry->uid)
		return entry;
	entry_free(g, entry);
	return NULL;
}

static bool is_same(const struct observed_addr *entry, const struct observed_pod *pod)
{
	if (!entry || !pod)
		return !entry && !pod;
	if (!entry->name || !pod->name)
		return !entry->name && !pod->name;
	return strcmp(entry->ns, pod->ns) == 0 && strcmp(entry->name, pod->name) == 0 &&
	       strcmp(entry->uid, pod->uid ? pod->uid : "") == 0;
}

static int replace(struct graph *g, struct observed_addr *old, struct observed_addr *new)
{
	if (old)
		HASH_DEL(g->observed, old);
	if (!new)
		return 0;
	HASH_ADD(hh, g->observed, addr, sizeof(new->addr), new);
	return table_added(new) ? 0 : -ENOMEM;
}

int graph_observe(struct graph *g, const struct addr *addr, const struct observed_pod *pod)
{
	struct observed_addr *old = find(g, addr), *new = NULL;
	int rc;

	if (is_same(old, pod))
		return 0;
	if (pod) {
		new = entry_new(g, addr, pod);
		if (!new)
			return -ENOMEM;
	}
	g->generation++;
	rc = profiles_settle(g, claims_follow(g, addr, new));
	if (replace(g, old, new) < 0) {
		(void)claims_follow(g, addr, NULL); /* nothing may point to it */
		entry_free(g, new);
		rc = -ENOMEM;
	}
	entry_free(g, old);
	nodes_observed(g, addr);
	return rc < 0 ? rc : 1;
}

void observed_free(struct graph *g)
{
	struct observed_addr *entry, *next;

	HASH_ITER (hh, g->observed, entry, next) {
		HASH_DEL(g->observed, entry);
		entry_free(g, entry);
	}
}
