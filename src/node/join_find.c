/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look-ups in what was joined. */
#include "join.h"

#include <stdlib.h>
#include <string.h>

/* The first of the pod's, or where it would be. */
static size_t first_of(const struct join *join, const char *ns, const char *name)
{
	size_t low = 0, high = join->attachments.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct attachment *a = &join->attachments.v[middle];
		int order = strcmp(a->ns, ns);

		if (*a->name == '\0')
			order = 1;
		else if (order == 0)
			order = strcmp(a->name, name);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct attachment *join_by_pod(const struct join *join, const char *ns, const char *name,
				     const char *uid)
{
	const struct attachment *best = NULL;

	for (size_t i = first_of(join, ns, name); i < join->attachments.n; i++) {
		const struct attachment *a = &join->attachments.v[i];

		if (*name == '\0' || strcmp(a->ns, ns) != 0 || strcmp(a->name, name) != 0)
			break;
		if (*uid != '\0' && *a->uid != '\0' && strcmp(a->uid, uid) != 0)
			continue;
		if (*uid != '\0' && strcmp(a->uid, uid) == 0)
			return a;
		if (!best || cni_result_newer(a->result, best->result))
			best = a;
	}
	return best;
}

static int by_addr(const void *x, const void *y)
{
	const struct join_addr *a = x, *b = y;

	return addr_compare(&a->addr, &b->addr);
}

const struct attachment *join_by_addr(const struct join *join, const struct addr *addr)
{
	struct join_addr key = {.addr = *addr};
	const struct join_addr *found = NULL;

	if (join->addrs.n > 0)
		found = bsearch(&key, join->addrs.v, join->addrs.n, sizeof(key), by_addr);
	return found ? &join->attachments.v[found->at] : NULL;
}
