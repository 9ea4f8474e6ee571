/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/antispoof.h"

#include "local.h"

/* false: it is not kept from spoofing, or its chain is not in the kernel yet. */
static bool read_dropped(struct daemon *d, const struct graph_pod *pod, uint64_t *ret_dropped)
{
	char chain[NFT_NAME_MAX];
	enum nft_table table;

	return render_antispoof_chain(d->render, pod, &table, chain) &&
	       nft_kernel_counted(&d->apply.reader, table, chain, ret_dropped) == 0;
}

void antispoof_each(struct daemon *d, antispoof_fn fn, void *ctx)
{
	size_t n = 0;

	for (const struct local_pod *local = d->local; local && d->can_apply;
	     local = local->hh.next) {
		const struct graph_pod *pod =
			graph_find_pod(d->graph, local->pod->ns, local->pod->name);
		uint64_t dropped = 0;

		if (!pod || !pod->is_endpoint)
			continue;
		if (n++ >= ANTISPOOF_PODS_MAX)
			return;
		if (read_dropped(d, pod, &dropped))
			fn(ctx, pod, dropped);
	}
}
