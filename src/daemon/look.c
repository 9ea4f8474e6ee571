/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What on this host is in the way of enforcing. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/task.h"
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

		task_step();
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

/* What the host's pods are attached to. */
struct pods {
	VEC(const char *) interfaces;
	VEC(struct addr) addrs;
	const char *bridges[PREFLIGHT_MAX];
	size_t n_bridges;
};

static int add_attachment(struct pods *pods, struct preflight_host *host,
			  const struct attachment *one)
{
	int rc = one->index ? vec_push(&pods->interfaces, one->ifname) : 0;

	for (size_t i = 0; i < one->n_addrs && rc == 0; i++) {
		host->v4 |= one->addrs[i].family == FAMILY_V4;
		host->v6 |= one->addrs[i].family == FAMILY_V6;
		rc = vec_push(&pods->addrs, one->addrs[i]);
	}
	if (one->kind != ATTACH_BRIDGED || pods->n_bridges == PREFLIGHT_MAX ||
	    has_bridge(pods->bridges, pods->n_bridges, one->master))
		return rc;
	pods->bridges[pods->n_bridges++] = one->master;
	return rc == 0 ? vec_push(&pods->interfaces, one->master) : rc;
}

static int gather_pods(const struct daemon *d, struct pods *pods, struct preflight_host *host)
{
	const char *uplinks[PREFLIGHT_MAX];
	size_t n = 0, n_uplinks = attach_uplinks(d->attach, uplinks, PREFLIGHT_MAX);
	const struct attachment *all = attach_all(d->attach, &n);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = add_attachment(pods, host, &all[i]);
		task_step();
	}
	for (size_t i = 0; i < n_uplinks && rc == 0; i++)
		rc = vec_push(&pods->interfaces, uplinks[i]);
	host->bridges = pods->bridges;
	host->n_bridges = pods->n_bridges;
	host->interfaces = pods->interfaces.v;
	host->n_interfaces = pods->interfaces.n;
	host->addrs = pods->addrs.v;
	host->n_addrs = pods->addrs.n;
	return rc;
}

/* Without memory what was found before stays. */
void look_at_host(struct daemon *d)
{
	struct preflight_host host = {.proc = "/proc",
				      .sys = "/sys",
				      .table = NFT_TABLE_NAME,
				      .cni_results = d->settings->cni_results};
	struct preflight found = {0};
	struct pods pods = {0};

	d->looked_ms = clock_monotonic_ms();
	if (host_update(d) < 0)
		daemon_give_up(d);
	interfaces_check(d);
	contested_check(d);
	sysctls_follow(d);
	if (d->api)
		count_results(d, &host);
	if (gather_pods(d, &pods, &host) == 0 && preflight_run(&host, &found) == 0 &&
	    report(&d->findings, &found) == 0)
		findings_sweep(&d->findings, HOST);
	preflight_done(&found);
	vec_free(&pods.interfaces);
	vec_free(&pods.addrs);
}

/* With 10,000 rules of others, or as many pods, it takes longer than an iteration may. */
static void run_look(struct daemon *d, struct job *job)
{
	(void)job;
	d->looking = true;
	look_at_host(d);
	d->looking = false;
	if (d->log_findings)
		findings_log(&d->findings);
	d->log_findings = false;
	server_answer_status(d);
}

void look_now(struct daemon *d)
{
	work_add(d, &d->look_job);
}

bool look_goes_on(const struct daemon *d)
{
	return d->looking;
}

void look_again(struct daemon *d)
{
	if (d->ready && clock_monotonic_ms() - d->looked_ms >= LOOK_MS)
		look_now(d);
}

static void on_look(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	look_now(ctx);
}

void look_in(struct daemon *d, int64_t ms)
{
	arm(d->look, ms);
}

void look_soon(struct daemon *d)
{
	if (!evtimer_pending(d->look, NULL))
		arm(d->look, LOOK_MS);
}

int look_start(struct daemon *d)
{
	d->look_job.run = run_look;
	d->look = evtimer_new(d->base, on_look, d);
	return d->look ? sysctls_start(d) : -ENOMEM;
}

void look_stop(struct daemon *d)
{
	if (!d->look)
		return;
	sysctls_stop(d);
	event_free(d->look);
}
