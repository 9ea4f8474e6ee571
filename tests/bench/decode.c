/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast an API server's JSON becomes objects. usage: decode list|watch FILE [MB]
 * FILE is the body of an answer; its items or events are repeated to MB (100) megabytes and fed in
 * pieces as a connection brings them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/intern.h"
#include "source/api_stream.h"

#define PIECE 16384

struct count {
	struct intern *strings;
	size_t objects, broken;
};

static const struct api_resource pods = {"/api/v1/pods", "pods",   "",   "PodList",
					 "v1",           KIND_POD, false};

static double cpu_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int take(void *ctx, const struct api_item *item)
{
	struct count *count = ctx;

	if (item->what == API_ITEM_UPSERT || item->what == API_ITEM_DELETE ||
	    item->what == API_ITEM_BROKEN) {
		count->objects++;
		count->broken += item->what == API_ITEM_BROKEN;
		object_free(count->strings, item->object);
	}
	return 0;
}

/* What stands before the part that is repeated, that part, and what stands behind. */
struct body {
	const char *head, *part, *tail;
	size_t head_len, part_len, tail_len;
};

static int find_parts(enum api_stream_kind kind, const char *text, size_t len, struct body *body)
{
	const char *end = text + len, *part = text;

	if (kind == API_STREAM_LIST) {
		part = strstr(text, "\"items\":[");
		while (end > text && *end != ']')
			end--;
		if (!part || end <= part)
			return -1;
		part += strlen("\"items\":[");
	}
	*body = (struct body){.head = text,
			      .head_len = (size_t)(part - text),
			      .part = part,
			      .part_len = (size_t)(end - part),
			      .tail = end,
			      .tail_len = (size_t)(text + len - end)};
	return 0;
}

static int feed(struct api_stream *stream, const char *bytes, size_t len, struct err *err)
{
	int rc = 0;

	for (size_t at = 0; at < len && rc == 0; at += PIECE)
		rc = api_stream_feed(stream, bytes + at, len - at < PIECE ? len - at : PIECE, err);
	return rc;
}

static int run(enum api_stream_kind kind, const struct body *body, size_t total)
{
	struct count count = {.strings = intern_new()};
	struct api_stream *stream = NULL;
	struct err err = {0};
	double began = cpu_s(), took;
	size_t fed = 0;
	int rc = count.strings ? api_stream_new(kind, &pods, count.strings, take, &count, &stream)
			       : -1;

	if (rc == 0)
		rc = feed(stream, body->head, body->head_len, &err);
	for (; fed < total && rc == 0; fed += body->part_len) {
		if (fed > 0 && kind == API_STREAM_LIST)
			rc = feed(stream, ",", 1, &err);
		if (rc == 0)
			rc = feed(stream, body->part, body->part_len, &err);
	}
	if (rc == 0)
		rc = feed(stream, body->tail, body->tail_len, &err);
	if (rc == 0)
		rc = api_stream_finish(stream, &err);
	took = cpu_s() - began;
	api_stream_free(stream);
	intern_free(count.strings);
	if (rc < 0 || count.objects == 0) {
		fprintf(stderr, "decode: %s\n", err.text);
		return 1;
	}
	printf("%zu objects of %zu bytes, %zu broken: %.0f MB/s, %.1f us each\n", count.objects,
	       fed / count.objects, count.broken, (double)fed / took / 1e6,
	       took / (double)count.objects * 1e6);
	return 0;
}

int main(int argc, char *argv[])
{
	static char text[16u << 20];
	enum api_stream_kind kind =
		argc > 1 && strcmp(argv[1], "watch") == 0 ? API_STREAM_WATCH : API_STREAM_LIST;
	FILE *in = argc > 2 ? fopen(argv[2], "re") : NULL;
	struct body body;
	size_t len;

	if (!in) {
		fprintf(stderr, "usage: decode list|watch FILE [MB]\n");
		return 2;
	}
	len = fread(text, 1, sizeof(text) - 1, in);
	(void)fclose(in); /* only read */
	if (find_parts(kind, text, len, &body) < 0) {
		fprintf(stderr, "decode: %s: expected a list\n", argv[2]);
		return 2;
	}
	return run(kind, &body, (argc > 3 ? strtoul(argv[3], NULL, 10) : 100) * 1000000);
}
