/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver of the reflectors: their requests, their waits, their credentials. */
#include "source/api.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "source/credentials.h"
#include "source/http.h"

#define CONNECT_MS   10000
#define NO_MEMORY_MS 1000 /* before trying again */
#define FAILURES_MAX 3    /* of a command that runs once */
#define USER_AGENT   "netpold"

#define POLICY_API   "policy.networking.k8s.io"

/* One of the policy kinds that sig-network defines as custom resources: not enforced, but said. */
#define UNENFORCED(kind_, plural_, version_)                                                   \
	{                                                                                      \
		.path = "/apis/" POLICY_API "/" version_ "/" plural_, .plural = plural_,       \
		.group = POLICY_API, .list_kind = kind_ "List",                                \
		.version = POLICY_API "/" version_, .kind = KIND_UNENFORCED, .optional = true, \
		.type = kind_ "." POLICY_API                                                   \
	}

/* Pods of all nodes are needed: they are peers of ours. */
static const struct api_resource resources[] = {
	{"/api/v1/namespaces", "namespaces", "", "NamespaceList", "v1", KIND_NAMESPACE, false,
	 NULL},
	{"/api/v1/nodes", "nodes", "", "NodeList", "v1", KIND_NODE, false, NULL},
	{"/api/v1/pods", "pods", "", "PodList", "v1", KIND_POD, false, NULL},
	{"/apis/networking.k8s.io/v1/networkpolicies", "networkpolicies", "networking.k8s.io",
	 "NetworkPolicyList", "networking.k8s.io/v1", KIND_NETWORK_POLICY, false, NULL},
	UNENFORCED("ClusterNetworkPolicy", "clusternetworkpolicies", "v1alpha2"),
	UNENFORCED("AdminNetworkPolicy", "adminnetworkpolicies", "v1alpha1"),
	UNENFORCED("BaselineAdminNetworkPolicy", "baselineadminnetworkpolicies", "v1alpha1"),
};

/* One reflector and what it waits for. */
struct feed {
	struct api_source *source;
	struct reflector reflector;
	struct event *timer, *deadline;
	bool stalled;
	struct http_request *request;
	unsigned generation; /* of the credential that the request has */
	bool waits_for_credentials;
};

struct api_source {
	struct event_base *base;
	const struct api_config *config;
	event_fn fn;
	void *ctx;
	struct http *http;
	struct credentials *credentials;
	char *url, *connect_to; /* what paths are added to; where that is, if elsewhere */
	struct feed feeds[ARRAY_LEN(resources)];
	api_stalled_fn stalled_fn; /* NULL: nobody asks */
	void *stalled_ctx;
	int64_t deadline_ms;
	bool synced;
	bool once; /* gives up */
	int rc;    /* why it gave up, or what fn returned */
	struct err *err;
};

const struct reflector *api_source_reflector(const struct api_source *source, size_t i)
{
	return i < ARRAY_LEN(source->feeds) ? &source->feeds[i].reflector : NULL;
}

/* A certificate for another name: the URL has that name, the connection goes to the server. */
static int build_target(struct api_source *s)
{
	const struct api_config *config = s->config;
	const char *name = config->tls_server_name, *rest, *port;

	if (!name) {
		s->url = strdup(config->server);
		return s->url ? 0 : -ENOMEM;
	}
	rest = strstr(config->server, config->host) + strlen(config->host);
	port = strrchr(config->host, ':');
	if (port && strchr(port, ']')) /* of an IPv6 address, and no port behind it */
		port = NULL;
	if (asprintf(&s->url, "%.*s://%s%s%s%s%s", strncmp(config->server, "https", 5) ? 4 : 5,
		     config->server, strchr(name, ':') ? "[" : "", name,
		     strchr(name, ':') ? "]" : "", port ? port : "", rest) < 0) {
		s->url = NULL;
		return -ENOMEM;
	}
	if (asprintf(&s->connect_to, "::%s%s", config->host, port ? "" : ":") < 0) {
		s->connect_to = NULL;
		return -ENOMEM;
	}
	return 0;
}

static void give_up(struct api_source *s, int rc, const char *text)
{
	if (s->rc == 0)
		s->rc = text ? err_set(s->err, rc, "%s: %s", s->config->server, text) : rc;
	(void)event_base_loopbreak(s->base); /* it is running: we are in it */
}

static void feed_step(struct feed *f);

static int tell_synced(struct api_source *s)
{
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(s->feeds); i++) {
		if (!reflector_settled(&s->feeds[i].reflector))
			return 0;
	}
	rc = s->fn(s->ctx, &(struct event){.type = EVENT_SYNCED});
	s->synced = rc == 0;
	if (s->once)
		give_up(s, rc, NULL);
	return rc;
}

/* Where it makes no progress, the deadline runs; once it is over, each failure is told. */
static void watch_progress(struct feed *f)
{
	struct api_source *s = f->source;
	int64_t since_ms = reflector_failing_since(&f->reflector);
	int64_t left_ms = since_ms + s->deadline_ms - clock_monotonic_ms();

	if (!s->stalled_fn || f->reflector.resource->optional)
		return;
	if (since_ms == 0 && f->stalled) {
		f->stalled = false;
		s->stalled_fn(s->stalled_ctx, &f->reflector, 0);
	} else if (since_ms == 0) {
		(void)event_del(f->deadline); /* it may not run */
	} else if (left_ms <= 0) {
		f->stalled = true;
		s->stalled_fn(s->stalled_ctx, &f->reflector, since_ms);
	} else if (!evtimer_pending(f->deadline, NULL)) {
		struct timeval after = {.tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000};

		(void)event_add(f->deadline, &after); /* without it the next failure tells */
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	watch_progress(ctx);
}

static int on_body(void *ctx, int status, const char *bytes, size_t len)
{
	struct feed *f = ctx;
	int rc = reflector_take(&f->reflector, clock_monotonic_ms(), status, bytes, len);

	if (reflector_failing_since(&f->reflector) == 0)
		watch_progress(f);
	http_set_silence(f->request, reflector_silence_ms(&f->reflector));
	if (rc == 0 && !f->source->synced)
		rc = tell_synced(f->source);
	return rc;
}

/* A command that runs once does not wait for ever. */
static void consider_giving_up(struct feed *f)
{
	const struct reflector *r = &f->reflector;

	if (!f->source->once || r->stats.failures == 0 || r->settled)
		return;
	if (reflector_definite(r) || r->stats.failures >= FAILURES_MAX)
		give_up(f->source, -EIO, r->stats.error);
}

static void on_end(void *ctx, const struct http_end *end)
{
	struct feed *f = ctx;

	f->request = NULL;
	reflector_end(&f->reflector, clock_monotonic_ms(), end);
	if (reflector_refused(&f->reflector))
		credentials_refused(f->source->credentials, f->generation);
	if (!f->source->synced)
		(void)tell_synced(f->source); /* tried again at the next end */
	consider_giving_up(f);
	feed_step(f);
	watch_progress(f);
}

static void wait(struct feed *f, unsigned ms)
{
	struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (event_add(f->timer, &after) < 0)
		log_err("api", "watch of %s: no memory for a timer; nothing more is read",
			f->reflector.resource->plural);
}

static int send_request(struct feed *f, const struct reflector_step *step,
			const struct credential *credential, struct err *err)
{
	struct api_source *s = f->source;
	const struct http_handlers handlers = {.body = on_body, .end = on_end, .ctx = f};
	AUTO_FREE char *url = NULL;

	if (asprintf(&url, "%s%s", s->url, step->path) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	const struct http_call call = {
		.url = url,
		.host = s->connect_to ? s->config->host : NULL,
		.connect_to = s->connect_to,
		.proxy = s->config->proxy,
		.user_agent = USER_AGENT,
		.insecure = s->config->insecure,
		.token = &credential->token,
		.ca = &credential->ca,
		.cert = &credential->cert,
		.key = &credential->key,
		.fresh = step->fresh,
		.connect_ms = CONNECT_MS,
		.silence_ms = step->silence_ms,
		.total_ms = step->total_ms,
	};
	f->generation = credential->generation;
	return http_start(s->http, &call, &handlers, &f->request, err);
}

/* Credentials first: they may be a while in coming. */
static int try_request(struct feed *f, const struct reflector_step *step)
{
	const struct credential *credential;
	struct err err = {0};
	int rc = credentials_get(f->source->credentials, &credential, &err);

	f->waits_for_credentials = rc == -EINPROGRESS;
	if (rc == -EINPROGRESS)
		return 0;
	if (rc == 0)
		rc = send_request(f, step, credential, &err);
	if (rc < 0)
		reflector_failed(&f->reflector, rc == -ENOMEM ? "no memory" : err.text);
	return rc;
}

/* Whatever the reflector wants now. */
static void feed_step(struct feed *f)
{
	struct reflector_step step;
	int rc;

	do {
		rc = reflector_next(&f->reflector, clock_monotonic_ms(), &step);
		if (rc < 0) {
			wait(f, NO_MEMORY_MS);
			return;
		}
		if (step.what == REFLECTOR_WAIT) {
			wait(f, step.wait_ms);
			return;
		}
		rc = try_request(f, &step);
		if (rc < 0)
			consider_giving_up(f);
	} while (rc < 0); /* it knows how long to wait */
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	feed_step(ctx);
	watch_progress(ctx);
}

static void on_credentials(void *ctx)
{
	struct api_source *s = ctx;

	for (size_t i = 0; i < ARRAY_LEN(s->feeds); i++) {
		if (s->feeds[i].waits_for_credentials)
			feed_step(&s->feeds[i]);
	}
}

static int set_up(struct api_source *s, struct intern *strings)
{
	int rc = build_target(s);

	if (rc == 0)
		rc = http_new(s->base, &s->http);
	if (rc == 0)
		rc = credentials_new(s->base, s->config, on_credentials, s, &s->credentials);
	for (size_t i = 0; i < ARRAY_LEN(s->feeds) && rc == 0; i++) {
		struct feed *f = &s->feeds[i];

		f->source = s;
		reflector_init(&f->reflector, &resources[i], strings, s->fn, s->ctx, 0);
		f->timer = evtimer_new(s->base, on_timer, f);
		f->deadline = evtimer_new(s->base, on_deadline, f);
		rc = f->timer && f->deadline ? 0 : -ENOMEM;
	}
	return rc;
}

int api_source_new(struct event_base *base, const struct api_config *config, struct intern *strings,
		   event_fn fn, void *ctx, struct api_source **ret)
{
	struct api_source *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->base = base;
	s->config = config;
	s->fn = fn;
	s->ctx = ctx;
	rc = set_up(s, strings);
	if (rc < 0)
		api_source_free(s);
	else
		*ret = s;
	return rc;
}

void api_source_on_stalled(struct api_source *s, int64_t deadline_ms, api_stalled_fn fn, void *ctx)
{
	s->deadline_ms = deadline_ms;
	s->stalled_fn = fn;
	s->stalled_ctx = ctx;
}

static int at_once(struct feed *f)
{
	static const struct timeval now = {0};

	return event_add(f->timer, &now) == 0 ? 0 : -ENOMEM;
}

int api_source_start(struct api_source *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->feeds); i++) {
		if (at_once(&s->feeds[i]) < 0)
			return -ENOMEM;
	}
	log_notice("api", "reading from %s%s%s", s->config->server,
		   s->config->context ? ", context " : "",
		   s->config->context ? s->config->context : "");
	return 0;
}

void api_source_hurry(struct api_source *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->feeds); i++) {
		if (evtimer_pending(s->feeds[i].timer, NULL))
			(void)at_once(&s->feeds[i]); /* it has a time: that stays */
	}
}

void api_source_pause(struct api_source *s, bool pause)
{
	http_hold(s->http, pause);
}

void api_source_free(struct api_source *s)
{
	if (!s)
		return;
	http_free(s->http);
	credentials_free(s->credentials);
	for (size_t i = 0; i < ARRAY_LEN(s->feeds); i++) {
		reflector_done(&s->feeds[i].reflector);
		if (s->feeds[i].timer)
			event_free(s->feeds[i].timer);
		if (s->feeds[i].deadline)
			event_free(s->feeds[i].deadline);
	}
	free(s->url);
	free(s->connect_to);
	free(s);
}

/* What fn returns ends a command that runs once. */
struct once {
	event_fn fn;
	void *ctx;
	struct api_source *source;
};

static int take_once(void *ctx, const struct event *event)
{
	struct once *once = ctx;
	int rc = once->fn(once->ctx, event);

	if (rc < 0)
		give_up(once->source, rc, NULL);
	return rc;
}

int api_load_once(const struct api_config *config, struct intern *strings, event_fn fn, void *ctx,
		  struct err *err)
{
	struct event_base *base = event_base_new();
	struct once once = {.fn = fn, .ctx = ctx};
	int rc = base ? api_source_new(base, config, strings, take_once, &once, &once.source)
		      : -ENOMEM;

	if (rc == 0) {
		once.source->once = true;
		once.source->err = err;
		rc = api_source_start(once.source);
	}
	if (rc == 0 && event_base_dispatch(base) < 0)
		rc = -EIO;
	if (rc == 0)
		rc = once.source->rc;
	if (rc == 0 && !once.source->synced)
		rc = err_set(err, -EIO, "%s: nothing more to wait for", config->server);
	api_source_free(once.source);
	if (base)
		event_base_free(base);
	return rc;
}
