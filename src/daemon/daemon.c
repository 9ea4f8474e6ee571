/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop, and what starts and stops with it. */
#include "daemon/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/intern.h"
#include "base/log.h"
#include "daemon/notify.h"
#include "established.h"
#include "internal.h"
#include "nft/owner.h"

static void on_end(evutil_socket_t signal, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)what;
	log_notice("netpold", "%s: ending; the rules stay, netpold --cleanup removes them",
		   signal == SIGTERM ? "SIGTERM" : "SIGINT");
	notify_send("STOPPING=1");
	loop_end(d);
}

/* Reads everything again: the manifests, and what the kernel has. */
static void on_hup(evutil_socket_t signal, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)signal;
	(void)what;
	d->arrived_us = clock_monotonic_us();
	log_notice("netpold", "SIGHUP: reading %s the kernel's tables again",
		   d->follow ? "the manifests and" : "what the API server did not have, and");
	d->log_findings = true;
	look_now(d);
	apply_retry_refused(&d->apply);
	apply_doubt(&d->apply);
	reconcile_soon(d);
	if (d->follow)
		arm(d->read_files, 0);
	if (d->api)
		api_source_hurry(d->api);
}

static void on_watchdog(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	(void)ctx;
	notify_send("WATCHDOG=1");
}

static int start_signals(struct daemon *d)
{
	static const struct {
		int signal;
		event_callback_fn fn;
	} all[] = {{SIGTERM, on_end}, {SIGINT, on_end}, {SIGHUP, on_hup}};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		d->signals[i] = evsignal_new(d->base, all[i].signal, all[i].fn, d);
		if (!d->signals[i] || event_add(d->signals[i], NULL) < 0)
			return -ENOMEM;
	}
	(void)signal(SIGPIPE, SIG_IGN); /* whoever asked may be gone before the answer */
	/* Their default is to terminate: signal(7). Log rotation tools send them. */
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGUSR2, SIG_IGN);
	return 0;
}

static int start_watchdog(struct daemon *d)
{
	uint64_t half_us = notify_watchdog_us() / 2;
	struct timeval each = {.tv_sec = (time_t)(half_us / 1000000),
			       .tv_usec = (suseconds_t)(half_us % 1000000)};

	if (half_us == 0)
		return 0;
	d->watchdog = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
	return d->watchdog && event_add(d->watchdog, &each) == 0 ? 0 : -ENOMEM;
}

struct render_options daemon_options(const struct daemon *d)
{
	return (struct render_options){.local_node_allow = d->settings->local_node_allow,
				       .pod_tunnels = d->settings->pod_tunnels,
				       .allowed_sources = &d->settings->allowed_sources};
}

/* What policy means, held by the graph and its ruleset. */
static int start_graph(struct daemon *d)
{
	struct render_options options = daemon_options(d);
	struct graph_listener listener;

	d->strings = intern_new();
	d->render = render_new();
	if (!d->strings || !d->render || render_configure(d->render, &options) < 0)
		return -ENOMEM;
	if (d->settings->mode == MODE_DAEMON && work_start(d) < 0)
		return -ENOMEM;
	listener = render_listener(d->render);
	d->established = established_new(&listener);
	if (!d->established)
		return -ENOMEM;
	listener = established_listener(d->established);
	d->graph = graph_new(d->strings, d->node, &listener);
	if (!d->graph)
		return -ENOMEM;
	graph_allow_local_node(d->graph, d->settings->local_node_allow);
	graph_hold_policies(d->graph); /* until the next commit */
	return 0;
}

static int start_source(struct daemon *d)
{
	return d->settings->manifests.n > 0 ? files_start(d) : api_start(d);
}

static int start_kernel(struct daemon *d)
{
	struct err err = {0};
	int rc = apply_open(&d->apply, d->render, !d->settings->share_tables, &err);

	if (rc < 0)
		log_err("nft", "%s", err.text);
	d->can_apply = rc == 0;
	return rc;
}

static int adopt(void *ctx, const struct ruleset *kernel)
{
	struct daemon *d = ctx;

	return established_adopt(d->established, kernel);
}

static int start_established(struct daemon *d)
{
	d->apply.adopt = adopt;
	d->apply.adopt_ctx = d;
	return established_start(d->established, d->base,
				 &(struct established_options){
					 .keep = d->settings->keep_established,
					 .graph = d->graph,
					 .render = d->render,
					 .findings = &d->findings,
					 .want_render = reconcile_established,
					 .ctx = d,
				 });
}

/* What comes after it reads what others write. */
static int drop_rights(struct daemon *d)
{
	struct err err = {0};
	char kept[RIGHTS_TEXT_MAX];
	int rc = rights_drop(d->user, d->control_group, &err);

	if (rc < 0)
		log_err("netpold", "%s", err.text);
	else if (d->settings->mode == MODE_DAEMON)
		log_notice("netpold", "all rights given up but %s%s", rights_describe(kept),
			   geteuid() == 0 ? "; root's files are left to --user" : "");
	return rc;
}

typedef int (*start_fn)(struct daemon *d);

/* In this order; stopped in the other. Who may not change the kernel is told that first. Only a
 * port below 1024 and a directory in /run need more rights than are kept. */
static int start(struct daemon *d)
{
	static const struct {
		start_fn fn;
		bool stays; /* only of a daemon */
	} steps[] = {
		{start_graph, false},          {start_kernel, false},  {start_established, false},
		{start_signals, true},         {start_watchdog, true}, {server_open_metrics, true},
		{server_make_directory, true}, {drop_rights, false},   {server_open_control, true},
		{reconcile_start, false},      {state_start, true},    {local_start, false},
		{start_source, false},
	};
	int rc = 0;

	d->base = event_base_new();
	if (!d->base)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(steps) && rc == 0; i++) {
		if (!steps[i].stays || d->settings->mode == MODE_DAEMON)
			rc = steps[i].fn(d);
	}
	return rc;
}

static void stop(struct daemon *d)
{
	server_close(d);
	work_stop(d); /* first: what stands halfway needs all the others */
	files_stop(d);
	api_stop(d);
	local_stop(d);
	reconcile_stop(d);
	for (size_t i = 0; i < ARRAY_LEN(d->signals); i++) {
		if (d->signals[i])
			event_free(d->signals[i]);
	}
	if (d->watchdog)
		event_free(d->watchdog);
	if (d->can_apply)
		apply_close(&d->apply);
	findings_done(&d->findings);
	graph_free(d->graph);
	established_free(d->established);
	render_free(d->render);
	intern_free(d->strings);
	if (d->base)
		event_base_free(d->base);
}

/* 0, 1 or 2, as an exit status. */
static int run_once(struct daemon *d)
{
	int rc = reconcile_now(d);

	while (established_finish(d->established) && rc == 0)
		rc = reconcile_now(d);
	if (listen_answers(d->settings->control))
		log_warning("netpold",
			    "a daemon answers at %s: what it enforces is what stays; end it first",
			    d->settings->control);
	if (d->errors > 0 || d->broken || rc == -EBUSY)
		return 2;
	return rc < 0 || d->apply.refused.n > 0 ? 1 : 0;
}

/* 0; -ENOENT or -ENOMEM, said. */
static int find_user(const struct settings *settings, struct rights_user *user)
{
	struct err err = {0};
	int rc = settings->user ? rights_find_user(settings->user, user, &err) : 0;

	if (rc < 0)
		log_err("netpold", "%s", rc == -ENOMEM ? "out of memory" : err.text);
	return rc;
}

static int find_group(const struct settings *settings, gid_t *group)
{
	struct err err = {0};
	int rc = settings->control_group ? rights_find_group(settings->control_group, group, &err)
					 : 0;

	if (rc < 0)
		log_err("netpold", "%s", rc == -ENOMEM ? "out of memory" : err.text);
	return rc;
}

/* What is freed is joined with its neighbours at once. From glibc's fast bins it would be later,
 * all of it in one call (malloc_consolidate() of malloc.c): 80 ms after a document of 18 MiB. */
static void spread_heap_work(void)
{
	(void)mallopt(M_MXFAST, 0); /* else it only takes longer */
}

int daemon_run(const struct settings *settings)
{
	struct rights_user user;
	gid_t group;
	struct daemon d = {
		.settings = settings, .node = settings->node, .started_ms = clock_realtime_ms()};
	int rc;

	spread_heap_work();
	for (size_t i = 0; i < settings->manifests.n && settings->mode == MODE_DAEMON; i++) {
		if (strcmp(settings->manifests.v[i], "-") != 0)
			continue;
		print_line(stderr,
			   "netpold: -f -: standard input can be read only once: expected paths "
			   "that can be followed, or --once");
		return 2;
	}
	rc = find_user(settings, &user);
	if (rc == 0)
		rc = find_group(settings, &group);
	if (rc < 0)
		return rc == -ENOMEM ? 1 : 2;
	d.control_group = settings->control_group ? &group : NULL;
	d.user = settings->user ? &user : NULL;
	rc = start(&d);
	if (rc == -ENOMEM && !d.fatal)
		log_err("netpold", "out of memory");
	if (rc < 0)
		d.status = d.errors > 0 ? 2 : 1;
	else if (settings->mode == MODE_ONCE)
		d.status = run_once(&d);
	else if (loop_run(&d) < 0)
		d.status = 1;
	stop(&d);
	return d.status;
}

int daemon_cleanup(const struct settings *settings)
{
	struct rights_user user;
	struct nft_kernel kernel;
	struct err err = {0};
	int rc = find_user(settings, &user);

	if (rc < 0)
		return rc == -ENOMEM ? 1 : 2;
	rc = rights_drop(settings->user ? &user : NULL, NULL, &err);
	if (rc == 0)
		rc = nft_kernel_open(&kernel, &err);
	if (rc == 0) {
		rc = nft_owner_check(&kernel, &err);
		if (rc == 0)
			rc = nft_kernel_cleanup(&kernel, &err);
		nft_kernel_close(&kernel);
	}
	if (rc < 0) {
		log_err("nft", "%s", err.text);
		return 1;
	}
	log_notice("nft", "our tables are removed: nothing is enforced any more");
	if (listen_answers(settings->control))
		log_warning(
			"netpold",
			"a daemon answers at %s: it puts them back; to be rid of them end it first",
			settings->control);
	return 0;
}
