/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Follows an API server and prints what it tells, a line for each event, for the tests in
 * tests/api. usage: apidump [--once] [--context NAME] [--deadline MS] [KUBECONFIG] Without a
 * kubeconfig it looks where netpold does. Each line on standard input asks for a line of status,
 * each ! ends the waits; its end is ours. */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/intern.h"
#include "base/log.h"
#include "source/api.h"

struct dump {
	struct intern *strings;
	struct event_base *base;
	struct api_source *source;
};

static void print_policy(const struct network_policy *policy)
{
	printf(" isolates=%d%d rules=%zu,%zu selects=%zu", policy->isolates[DIR_INGRESS],
	       policy->isolates[DIR_EGRESS], policy->n_rules[DIR_INGRESS],
	       policy->n_rules[DIR_EGRESS], policy->subject.n);
}

static int take(void *ctx, const struct event *event)
{
	static const char *const words[] = {
		[EVENT_UPSERT] = "upsert",
		[EVENT_DELETE] = "delete",
		[EVENT_BROKEN] = "broken",
		[EVENT_SYNCED] = "synced",
	};
	struct dump *dump = ctx;
	char name[OBJECT_NAME_MAX];

	printf("%s", words[event->type]);
	if (event->type != EVENT_SYNCED) {
		printf(" %s %s",
		       event->object.kind == KIND_UNENFORCED ? event->object.unenforced->type
							     : kind_name(event->object.kind),
		       object_name(&event->object, name));
		if (event->object.kind == KIND_NETWORK_POLICY && event->type != EVENT_DELETE)
			print_policy(event->object.policy);
		if (event->object.kind == KIND_POD && event->type == EVENT_UPSERT)
			printf(" interface=%s",
			       event->object.pod->interface ? event->object.pod->interface : "");
		object_free(dump->strings, event->object);
	}
	printf("%s%s\n", event->reason ? " reason=" : "", event->reason ? event->reason : "");
	return 0;
}

static void print_status(const struct api_source *source)
{
	const struct reflector *r;

	printf("status");
	for (size_t i = 0; (r = api_source_reflector(source, i)); i++)
		printf(" %s=%s,%s,objects:%zu,lists:%ju,watches:%ju,failures:%ju",
		       r->resource->plural, reflector_state_name(r->stats.state), r->stats.version,
		       r->stats.objects, (uintmax_t)r->stats.lists, (uintmax_t)r->stats.watches,
		       (uintmax_t)r->stats.failures);
	printf("\n");
}

static void on_input(evutil_socket_t fd, short what, void *ctx)
{
	struct dump *dump = ctx;
	char bytes[256];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)what;
	if (n <= 0)
		(void)event_base_loopbreak(dump->base);
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			print_status(dump->source);
		if (bytes[i] == '!')
			api_source_hurry(dump->source);
	}
}

static void on_stalled(void *ctx, const struct reflector *r, int64_t since_ms)
{
	(void)ctx;
	printf("%s %s: %s\n", since_ms ? "stalled" : "moving", r->resource->plural, r->stats.error);
}

static int follow(struct dump *dump, const struct api_config *config, int deadline_ms)
{
	struct event *input;
	int rc;

	dump->base = event_base_new();
	rc = dump->base
		     ? api_source_new(dump->base, config, dump->strings, take, dump, &dump->source)
		     : -1;
	if (rc == 0 && deadline_ms > 0)
		api_source_on_stalled(dump->source, deadline_ms, on_stalled, dump);
	input = rc == 0 ? event_new(dump->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, dump)
			: NULL;
	if (input && event_add(input, NULL) == 0 && api_source_start(dump->source) == 0)
		(void)event_base_dispatch(dump->base);
	if (input)
		event_free(input);
	api_source_free(dump->source);
	if (dump->base)
		event_base_free(dump->base);
	return rc;
}

static int run(const char *path, const char *context, bool once, int deadline_ms)
{
	struct dump dump = {.strings = intern_new()};
	struct faults faults = {0};
	struct api_config config = {0};
	struct err err = {0};
	int rc = api_config_find(path, context, &faults, &config);

	faults_print(&faults, stderr);
	faults_done(&faults);
	if (rc < 0) {
		intern_free(dump.strings);
		return 2;
	}
	if (once)
		rc = api_load_once(&config, dump.strings, take, &dump, &err);
	else
		rc = follow(&dump, &config, deadline_ms);
	if (rc < 0)
		fprintf(stderr, "failed: %s\n", err.text[0] ? err.text : strerror(-rc));
	api_config_done(&config);
	if (intern_count(dump.strings) > 0)
		fprintf(stderr, "strings left behind: %zu\n", intern_count(dump.strings));
	intern_free(dump.strings);
	return rc < 0 ? 1 : 0;
}

int main(int argc, char *argv[])
{
	const char *path = NULL, *context = NULL;
	bool once = false;
	int deadline_ms = 0;

	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* the test waits for lines */
	log_set_level(LOG_LEVEL_DEBUG);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--once") == 0)
			once = true;
		else if (strcmp(argv[i], "--context") == 0 && i + 1 < argc)
			context = argv[++i];
		else if (strcmp(argv[i], "--deadline") == 0 && i + 1 < argc)
			deadline_ms = atoi(argv[++i]);
		else
			path = argv[i];
	}
	return run(path, context, once, deadline_ms);
}
