/* SPDX-License-Identifier: GPL-2.0-or-later */
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
}

int main(int argc, char *argv[])
{
	bool objects = argc == 3 && strcmp(argv[1], "objects") == 0;
	struct series turns = {0};
	size_t len;
	char *bytes;

	if (!objects && (argc != 3 || strcmp(argv[1], "trees") != 0)) {
		fprintf(stderr, "usage: decode objects|trees FILE\n");
		return 2;
	}
	measure_first();
	bytes = read_file(argv[2], &len);
	for (unsigned turn = 0; turn < TURNS; turn++)
		series_add(&turns, objects ? decode_us(bytes, len) : jansson_us(bytes, len));
	printf("%.1f\n", (double)len / series_percentile(&turns, 50));
	series_done(&turns);
	free(bytes);
	return 0;
}
