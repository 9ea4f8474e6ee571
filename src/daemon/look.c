/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What on this host is in the way of enforcing. */
#include <stdio.h>
#include <string.h>

#include "local.h"

/* After a pod's device has been found: how long until the host is looked at again. Who asks for
 * numbers gets none older: anybody may ask, all the time. */
#define LOOK_MS 1000

/* The part of these findings. */
#define HOST "host"

static bool has_bridge(const char *const *bridges, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(bridges[i], name) == 0)
			return true;
	}
	return false;
}

/* Pods that run here, and how many of them the node can know before the API server tells. */
static void count_results(const struct daemon *d, struct preflight_host *host)
{
	for (const struct local_pod *local = d->local; local; local = local->hh.next) {
		const struct pod *pod = local->pod;

		if (pod->n_addrs == 0 || pod->host_network || pod->terminating || pod_finished(pod))
			continue;
		host->pods++;
		if (attach_by_pod(d->attach, pod->ns, pod->name, pod->uid ? pod->uid : ""))
			host->with_result++;
	}
}

static int report(struct findings *findings, const struct preflight *found)
{
	int rc = 0;

	findings_mark(findings, HOST);
	for (size_t i = 0; i < found->findings.n && rc == 0; i++) {
		const struct preflight_finding *one = &found->findings.v[i];

		rc = findings_set(findings,
				  &(struct finding){
					  .part = HOST,
					  .id = one->id,
					  .level = one->level == PREFLIGHT_WARNING ? FINDING_WARNING
										   : FINDING_ERROR,
					  .open = one->level == PREFLIGHT_OPEN,
					  .subject = one->subject,
					  .what = one->what,
					  .todo = one->todo,
				  });
	}
	return rc;
}

void look_at_host(struct daemon *d)
{
	const char *bridges[PREFLIGHT_MAX];
	struct preflight_host host = {.proc = "/proc",
				      .sys = "/sys",
				      .table = NFT_TABLE_NAME,
				      .cni_results = d->settings->cni_results};
	struct preflight found = {0};
	size_t n = 0;
	const struct attachment *all = attach_all(d->attach, &n);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < all[i].n_addrs; j++) {
			host.v4 |= all[i].addrs[j].family == FAMILY_V4;
			host.v6 |= all[i].addrs[j].family == FAMILY_V6;
		}
		if (all[i].kind == ATTACH_BRIDGED && host.n_bridges < PREFLIGHT_MAX &&
		    !has_bridge(bridges, host.n_bridges, all[i].master))
			bridges[host.n_bridges++] = all[i].master;
	}
	host.bridges = bridges;
	d->looked_ms = monotonic_ms();
	interfaces_check(d);
	if (d->api)
		count_results(d, &host);
	if (preflight_run(&host, &found) < 0) {
		preflight_done(&found);
		return; /* what was found before stays */
	}
	if (report(&d->findings, &found) == 0)
		findings_sweep(&d->findings, HOST);
	preflight_done(&found);
}

void look_again(struct daemon *d)
{
	if (d->ready && monotonic_ms() - d->looked_ms >= LOOK_MS)
		look_at_host(d);
}

static void on_look(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	look_at_host(ctx);
}

void look_soon(struct daemon *d)
{
	if (!evtimer_pending(d->look, NULL))
		arm(d->look, LOOK_MS);
}

int look_start(struct daemon *d)
{
	d->look = evtimer_new(d->base, on_look, d);
	return d->look ? 0 : -ENOMEM;
}

void look_stop(struct daemon *d)
{
	if (d->look)
		event_free(d->look);
}
