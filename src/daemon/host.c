/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the ruleset and the answers need to know of this host itself: its addresses, the ports of
 * its tunnels, and who is attached to it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/task.h"
#include "internal.h"

struct host_addrs {
	VEC(struct addr) all;
	bool failed;
};

static void add_addr(void *ctx, const struct addr *addr)
{
	struct host_addrs *addrs = ctx;

	addrs->failed |= vec_push(&addrs->all, *addr) < 0;
}

static int update_addrs(struct daemon *d)
{
	struct host_addrs addrs = {0};
	int rc;

	links_each_host(attach_links(d->attach), add_addr, &addrs);
	rc = addrs.failed ? -ENOMEM : graph_set_host_addrs(d->graph, addrs.all.v, addrs.all.n);
	vec_free(&addrs.all);
	return rc;
}

static int update_tunnels(struct daemon *d)
{
	uint16_t ports[LINKS_TUNNELS_MAX];
	size_t n = links_tunnel_ports(attach_links(d->attach), ports);

	return render_tunnel_ports(d->render, ports, n);
}

/* Does IPVS forward Services? kube-proxy has a device of this name for their addresses; others than
 * kube-proxy use it too. Behind headings, services begin with their protocol
 * (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_info_seq_show()). */
static bool uses_ipvs(const struct daemon *d)
{
	static const char *const starts[] = {"TCP ", "UDP ", "SCTP ", "FWM "};
	char line[256];
	bool found = links_by_name(attach_links(d->attach), "kube-ipvs0");
	FILE *in = found ? NULL : fopen("/proc/net/ip_vs", "re");

	while (in && !found && fgets(line, sizeof(line), in)) {
		for (size_t i = 0; i < ARRAY_LEN(starts); i++)
			found |= strncmp(line, starts[i], strlen(starts[i])) == 0;
	}
	if (in)
		(void)fclose(in); /* only read */
	return found;
}

static int update_ipvs(struct daemon *d)
{
	struct render_options options = daemon_options(d);

	options.ipvs = uses_ipvs(d);
	if (options.ipvs == d->ipvs)
		return 0;
	d->ipvs = options.ipvs;
	log_notice("node", "Services are forwarded by IPVS%s", d->ipvs ? "" : " no more");
	return render_configure(d->render, &options);
}

struct attached_list {
	VEC(struct render_unknown) all;
};

/* Neighbours of a bridge may be anybody's word: only what a CNI plugin or a route has said counts,
 * or a pod could have packets of another node taken for its own. */
static int add_attached(struct attached_list *list, const struct attachment *attachment)
{
	struct render_unknown one = {0};
	int rc = 0;

	if (!attachment->name[0] && attachment->kind != ATTACH_ROUTED)
		return 0;
	for (size_t i = 0; i < attachment->n_addrs && rc == 0; i++) {
		one.addr = attachment->addrs[i];
		rc = vec_push(&list->all, one);
	}
	if (attachment->kind == ATTACH_ROUTED && rc == 0) {
		memcpy(one.interface, attachment->ifname, sizeof(one.interface));
		rc = vec_push(&list->all, one);
	}
	return rc;
}

static int update_attached(struct daemon *d)
{
	struct attached_list list = {0};
	const struct attachment *all;
	size_t n = 0;
	int rc = 0;

	all = attach_all(d->attach, &n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = add_attached(&list, &all[i]);
		task_step();
	}
	if (rc == 0)
		rc = render_attached(d->render, list.all.v, list.all.n);
	vec_free(&list.all);
	return rc;
}

int host_update(struct daemon *d)
{
	bool pending = ruleset_changed(render_ruleset(d->render)); /* that has its own time */
	uint64_t generation = attach_generation(d->attach) + 1;
	bool changed = d->host_generation != generation;
	int rc = changed ? update_addrs(d) : 0;

	if (rc == 0 && changed)
		rc = update_tunnels(d);
	if (rc == 0)
		rc = update_ipvs(d);
	if (rc == 0 && changed)
		rc = update_attached(d);
	if (rc == 0)
		d->host_generation = generation;
	if (rc == 0 && !pending && ruleset_changed(render_ruleset(d->render)))
		reconcile_urgent(d);
	return rc;
}
