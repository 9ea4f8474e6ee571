/* SPDX-License-Identifier: GPL-2.0-or-later */
<<<<<<< HEAD
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
=======
/* How fast an API server's answer becomes objects: decode FILE, a list of pods. Prints MB/s and,
 * for comparison, those of jansson alone building trees of all of it; medians of turns. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "source/api_stream.h"

#define TURNS 31
#define CHUNK (16u << 10) /* what curl hands out at a time */

static int on_item(void *ctx, const struct api_item *item)
{
	if (item->what == API_ITEM_BROKEN || item->what == API_ITEM_ERROR)
		measure_fail("an object that cannot be understood");
	if (item->what == API_ITEM_UPSERT)
		object_free(ctx, item->object);
	return 0;
}

static double decode_us(const char *bytes, size_t len)
{
	static const struct api_resource pods = {.path = "/api/v1/pods",
						 .plural = "pods",
						 .group = "",
						 .list_kind = "PodList",
						 .version = "v1",
						 .kind = KIND_POD};
	struct intern *strings = intern_new();
	struct api_stream *stream = NULL;
	struct err err = {0};
	double start = measure_now_us(), us;

	if (!strings ||
	    api_stream_new(API_STREAM_LIST, &pods, strings, on_item, strings, &stream) < 0)
		measure_fail("out of memory");
	for (size_t at = 0; at < len; at += CHUNK) {
		if (api_stream_feed(stream, bytes + at, len - at < CHUNK ? len - at : CHUNK, &err) <
		    0)
			measure_fail(err.text);
	}
	if (api_stream_finish(stream, &err) < 0)
		measure_fail(err.text);
	us = measure_now_us() - start;
	api_stream_free(stream);
	intern_free(strings);
	return us;
}

static double jansson_us(const char *bytes, size_t len)
{
	double start = measure_now_us(), us;
	json_t *json = json_loadb(bytes, len, 0, NULL);

	if (!json)
		measure_fail("this is not JSON");
	us = measure_now_us() - start;
	json_decref(json);
	return us;
}

static char *read_file(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "rb");
	char *bytes = NULL;
	long len = -1;

	if (file && fseek(file, 0, SEEK_END) == 0)
		len = ftell(file);
	if (len > 0)
		bytes = malloc((size_t)len);
	if (!bytes || fseek(file, 0, SEEK_SET) != 0 ||
	    fread(bytes, 1, (size_t)len, file) != (size_t)len)
		measure_fail("cannot read the file");
	(void)fclose(file); /* it was only read */
	*ret_len = (size_t)len;
	return bytes;
>>>>>>> aedbae8 (bench: what commits cost, and how fast an API server's answer becomes objects)
}

int main(int argc, char *argv[])
{
<<<<<<< HEAD
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
=======
	bool objects = argc == 3 && strcmp(argv[1], "objects") == 0;
	struct series turns = {0};
	size_t len;
	char *bytes;

	if (!objects && (argc != 3 || strcmp(argv[1], "trees") != 0)) {
		fprintf(stderr, "usage: decode objects|trees FILE\n");
		return 2;
	}
	bytes = read_file(argv[2], &len);
	for (unsigned turn = 0; turn < TURNS; turn++)
		series_add(&turns, objects ? decode_us(bytes, len) : jansson_us(bytes, len));
	printf("%.1f\n", (double)len / series_percentile(&turns, 50));
	series_done(&turns);
	free(bytes);
	return 0;
>>>>>>> aedbae8 (bench: what commits cost, and how fast an API server's answer becomes objects)
}
