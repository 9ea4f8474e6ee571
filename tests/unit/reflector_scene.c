/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reflector_scene.h"

const struct api_resource pods = {"/api/v1/pods", "pods",   "",    "PodList",
				  "v1",           KIND_POD, false, NULL};
const struct api_resource optional = {"/apis/x/v1/pods", "pods", "x", "PodList", "v1",
				      KIND_POD,          true,   NULL};

static int take(void *ctx, const struct event *event)
{
	static const char *const words[] = {
		[EVENT_UPSERT] = "+",
		[EVENT_DELETE] = "-",
		[EVENT_BROKEN] = "?",
		[EVENT_SYNCED] = "synced",
	};
	struct scene *s = ctx;
	int rc = s->fail_with;

	s->fail_with = 0;
	assert_true(event->type != EVENT_SYNCED);
	strcat(s->events, words[event->type]);
	strcat(s->events, object_own_name(&event->object));
	strcat(s->events, " ");
	object_free(s->strings, event->object);
	return rc;
}

void start(struct scene *s, const struct api_resource *resource)
{
	*s = (struct scene){.strings = intern_new(), .now_ms = 1000};
	assert_non_null(s->strings);
	reflector_init(&s->r, resource, s->strings, take, s, 7);
}

void stop(struct scene *s)
{
	reflector_done(&s->r);
	assert_int_equal(intern_count(s->strings), 0);
	intern_free(s->strings);
}

void emitted(struct scene *s, const char *events)
{
	assert_string_equal(s->events, events);
	s->events[0] = '\0';
}

unsigned requests(struct scene *s, const char *with, const char *without)
{
	unsigned waited_ms = 0;

	for (;;) {
		assert_int_equal(reflector_next(&s->r, s->now_ms, &s->step), 0);
		if (s->step.what == REFLECTOR_REQUEST)
			break;
		assert_true(s->step.wait_ms > 0);
		waited_ms += s->step.wait_ms;
		s->now_ms += s->step.wait_ms;
	}
	if (!strstr(s->step.path, with))
		fail_msg("%s: expected %s", s->step.path, with);
	if (without && strstr(s->step.path, without))
		fail_msg("%s: unexpected %s", s->step.path, without);
	return waited_ms;
}

int answer(struct scene *s, int status, const char *bytes)
{
	return reflector_take(&s->r, s->now_ms, status, bytes, strlen(bytes));
}

void ends(struct scene *s, enum http_outcome outcome, int status, unsigned after_ms)
{
	s->now_ms += after_ms;
	reflector_end(
		&s->r, s->now_ms,
		&(struct http_end){
			.outcome = outcome, .sent = status > 0, .status = status, .text = "why"});
}

void synced(struct scene *s)
{
	(void)requests(s, "sendInitialEvents=true", "resourceVersion=");
	assert_int_equal(
		answer(s, 200, EVENT("ADDED", POD("p", "5")) EVENT("ADDED", POD("q", "6"))), 0);
	assert_false(reflector_settled(&s->r));
	assert_int_equal(answer(s, 200, INITIAL_END("9")), 0);
	assert_true(reflector_settled(&s->r));
	emitted(s, "+p +q ");
	assert_int_equal(s->r.stats.state, REFLECTOR_WATCHING);
}
