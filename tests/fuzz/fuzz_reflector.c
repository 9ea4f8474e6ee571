/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as the history of a cluster, hostile objects in it, and all that goes wrong on the way from
 * its API server. When nothing goes wrong any more, who listens to the reflector has what the
 * server has: each ordinary object as it is, whatever stood before or behind it. */
#include <errno.h>
#include <string.h>

#include "base/intern.h"
#include "base/log.h"
#include "base/vec.h"
#include "fuzz.h"
#include "list_server.h"
#include "source/reflector.h"

#define STEPS_MAX   40  /* while things go wrong */
#define QUIET_MAX   200 /* requests until all is well again */
#define WAIT_MS_MAX 420000

static const struct api_resource pods = {"/api/v1/pods", "pods",   "",    "PodList",
					 "v1",           KIND_POD, false, NULL};

/* What a listener knows of a name. */
enum known { KNOWN_NOT, KNOWN_WHOLE, KNOWN_BROKEN };

struct scene {
	struct choices choices;
	struct intern *strings;
	struct list_server server;
	struct reflector r;
	int64_t now_ms;
	enum known known[SERVER_NAMES];
	bool offered[SERVER_NAMES]; /* it was told, and perhaps not taken */
	char uid[SERVER_NAMES][16];
	bool fail_next; /* the listener does not take the next event */
	bool quiet;     /* nothing goes wrong any more */
};

static int slot_of(const struct object *object)
{
	const char *name = object_own_name(object);

	return strlen(name) == 2 && name[0] == 'p' && name[1] >= '0' &&
			       name[1] < '0' + SERVER_NAMES && object_ns(object) &&
			       strcmp(object_ns(object), "a") == 0
		       ? name[1] - '0'
		       : -1;
}

static int take(void *ctx, const struct event *event)
{
	struct scene *s = ctx;
	int slot = slot_of(&event->object), rc = s->fail_next ? -ENOMEM : 0;

	REQUIRE(event->type != EVENT_SYNCED && event->object.kind == KIND_POD);
	REQUIRE((event->type == EVENT_BROKEN) == (event->reason != NULL));
	s->fail_next = false;
	if (slot >= 0) {
		/* Only what was told goes. */
		REQUIRE(event->type != EVENT_DELETE || s->offered[slot]);
		s->offered[slot] = event->type != EVENT_DELETE || rc < 0;
	}
	if (slot >= 0 && rc == 0) {
		s->known[slot] = event->type == EVENT_UPSERT   ? KNOWN_WHOLE
				 : event->type == EVENT_BROKEN ? KNOWN_BROKEN
							       : KNOWN_NOT;
		if (event->type == EVENT_UPSERT)
			(void)snprintf(s->uid[slot], sizeof(s->uid[slot]), "%s",
				       event->object.pod->uid ? event->object.pod->uid : "");
	}
	object_free(s->strings, event->object);
	return rc;
}

/* In pieces of exactly their size, so that reading beyond one is seen. */
static int deliver(struct scene *s, int status, const char *bytes, size_t len)
{
	size_t piece =
		s->quiet || choose(&s->choices, 3) == 0 ? len : 1u + choose_byte(&s->choices);
	int rc = 0;

	for (size_t at = 0; at < len && rc == 0; at += piece) {
		size_t n = piece < len - at ? piece : len - at;
		char *copy = malloc(n);

		REQUIRE(copy);
		memcpy(copy, bytes + at, n);
		rc = reflector_take(&s->r, s->now_ms, status, copy, n);
		free(copy);
	}
	return rc;
}

static void end(struct scene *s, enum http_outcome outcome, int status, int error)
{
	s->now_ms += s->quiet || choose(&s->choices, 2) ? 20000 : choose_byte(&s->choices);
	reflector_end(&s->r, s->now_ms,
		      &(struct http_end){.outcome = outcome,
					 .sent = outcome != HTTP_FAILED || status > 0,
					 .status = status,
					 .error = error,
					 .retry_after_s = status == 429 ? 7 : 0,
					 .text = "why"});
}

static void answer(struct scene *s, int status, const char *bytes, size_t len)
{
	int rc = deliver(s, status, bytes, len);

	end(s, rc < 0 ? HTTP_ABORTED : HTTP_DONE, status, rc);
}

/* Instead of the answer, or behind a part of it. */
static void go_wrong(struct scene *s, const char *bytes, size_t len)
{
	static const int codes[] = {400, 401, 403, 404, 410, 422, 429, 500, 503, 200, 0, 999};
	int code = codes[choose(&s->choices, ARRAY_LEN(codes))], rc;
	char text[160];
	size_t cut = len > 0 ? (size_t)choose_byte(&s->choices) * 97 % len : 0;

	switch (choose(&s->choices, 6)) {
	case 0: /* the connection breaks within it */
		rc = deliver(s, 200, bytes, cut);
		end(s, rc < 0 ? HTTP_ABORTED : HTTP_FAILED, 200, rc);
		break;
	case 1:
		end(s, HTTP_FAILED, 0, 0);
		break;
	case 2:
		rc = deliver(s, 200, bytes, cut);
		end(s, rc < 0 ? HTTP_ABORTED : HTTP_SILENT, 200, rc);
		break;
	case 3: /* whole, as far as HTTP can tell; but when one object was asked for, where twice
		 * the same is taken for what the object is */
		rc = deliver(s, 200, bytes, cut);
		end(s, rc < 0 ? HTTP_ABORTED : s->r.page == 1 ? HTTP_FAILED : HTTP_DONE, 200, rc);
		break;
	case 4:
		(void)snprintf(text, sizeof(text),
			       "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":%d,"
			       "\"message\":\"m\"}}\n",
			       code);
		rc = deliver(s, 200, text, strlen(text));
		end(s, rc < 0 ? HTTP_ABORTED : HTTP_DONE, 200, rc);
		break;
	default: /* an error, with whatever body */
		cut = (size_t)(s->choices.end - s->choices.p) % 64;
		code = code == 200 || code == 0 ? 500 : code;
		answer(s, code, (const char *)s->choices.p, cut);
		break;
	}
}

static void request(struct scene *s, const char *path)
{
	char *bytes = NULL;
	size_t len;
	FILE *body = open_memstream(&bytes, &len);
	int status;

	REQUIRE(body);
	status = server_answer(&s->server, path, body);
	REQUIRE(fclose(body) == 0);
	if (!s->quiet && choose(&s->choices, 4) == 0)
		go_wrong(s, bytes, len);
	else
		answer(s, status, bytes, len);
	free(bytes);
}

/* One request, and the waits before it. */
static void step(struct scene *s)
{
	struct reflector_step next;

	for (int waits = 0;; waits++) {
		REQUIRE(reflector_next(&s->r, s->now_ms, &next) == 0);
		if (next.what == REFLECTOR_REQUEST)
			break;
		REQUIRE(waits == 0 && next.wait_ms > 0 && next.wait_ms <= WAIT_MS_MAX);
		s->now_ms += next.wait_ms;
	}
	REQUIRE(strncmp(next.path, pods.path, strlen(pods.path)) == 0);
	request(s, next.path);
	REQUIRE(strlen(s->r.stats.error) < sizeof(s->r.stats.error));
	REQUIRE(s->r.body_len <= REFLECTOR_BODY_MAX);
}

static bool is_up_to_date(const struct scene *s)
{
	char version[16];

	(void)snprintf(version, sizeof(version), "%u", s->server.n);
	return reflector_settled(&s->r) && s->r.phase == REFLECTOR_WATCH && s->r.live &&
	       s->r.stats.state == REFLECTOR_WATCHING && reflector_failing_since(&s->r) == 0 &&
	       strcmp(s->r.stats.version, version) == 0;
}

static void check_known(const struct scene *s)
{
	for (unsigned name = 0; name < SERVER_NAMES; name++) {
		unsigned version;
		enum server_form form = server_form(&s->server, name, &version);
		char uid[16];

		(void)snprintf(uid, sizeof(uid), "u%u", version);
		switch (form) {
		case SERVER_GONE:
			REQUIRE(s->known[name] == KNOWN_NOT);
			break;
		case SERVER_PLAIN:
			REQUIRE(s->known[name] == KNOWN_WHOLE);
			REQUIRE(strcmp(s->uid[name], uid) == 0);
			break;
		case SERVER_HOSTILE:
			REQUIRE(s->known[name] != KNOWN_NOT);
			break;
		case SERVER_UNKNOWN:
			break;
		}
	}
}

/* However bad it was: what is there is known after a bounded number of requests. */
static void calm_down(struct scene *s)
{
	s->quiet = true;
	s->fail_next = false;
	server_put_plain(&s->server, 0);
	for (int i = 0; !is_up_to_date(s); i++) {
		REQUIRE(i < QUIET_MAX);
		step(s);
	}
	check_known(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scene s = {.choices = {data, data + size}, .strings = intern_new(), .now_ms = 1000};

	log_set_level(LOG_LEVEL_ERR);
	REQUIRE(s.strings);
	server_put_plain(&s.server, 0);
	server_put_plain(&s.server, SERVER_NAMES - 1);
	reflector_init(&s.r, &pods, s.strings, take, &s, 7);
	for (int i = 0; i < STEPS_MAX && s.choices.p < s.choices.end; i++) {
		for (uint32_t n = choose(&s.choices, 3); n > 0 && s.server.n < SERVER_CHANGES - 1;
		     n--)
			server_change(&s.server, &s.choices);
		s.fail_next = choose(&s.choices, 16) == 0;
		step(&s);
	}
	calm_down(&s);
	reflector_done(&s.r);
	REQUIRE(intern_count(s.strings) == 0);
	intern_free(s.strings);
	server_done(&s.server);
	return 0;
}
