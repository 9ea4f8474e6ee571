/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as what an API server answers: a list, a watch, an error. The first byte chooses the
 * resource and what was asked, the second how the rest is cut into pieces: pieces do not matter. */
#include <errno.h>
#include <string.h>

#include "base/intern.h"
#include "fuzz.h"
#include "source/api_stream.h"

struct total {
	struct intern *strings;
	uint64_t sum; /* of all that was told */
};

static void add_text(struct total *total, const char *text)
{
	for (; text && *text; text++)
		total->sum = total->sum * 31 + (unsigned char)*text;
	total->sum = total->sum * 31 + 7;
}

static int take(void *ctx, const struct api_item *item)
{
	struct total *total = ctx;

	total->sum = total->sum * 31 + (uint64_t)item->what + (item->initial_end ? 100 : 0);
	add_text(total, item->version);
	add_text(total, item->rest);
	add_text(total, item->reason);
	add_text(total, item->status ? item->status->text : NULL);
	if (item->what == API_ITEM_UPSERT || item->what == API_ITEM_DELETE ||
	    item->what == API_ITEM_BROKEN) {
		add_text(total, object_own_name(&item->object));
		object_free(total->strings, item->object);
	}
	return 0;
}

/* Pieces of exactly their size, so that reading beyond one is seen. */
static int run(struct total *total, unsigned kind, const uint8_t *data, size_t size, size_t piece)
{
	static const struct api_resource resources[] = {
		{"/pods", "pods", "", "PodList", "v1", KIND_POD, false, NULL},
		{"/nodes", "nodes", "", "NodeList", "v1", KIND_NODE, false, NULL},
		{"/policies", "policies", "x", "NetworkPolicyList", "networking.k8s.io/v1",
		 KIND_NETWORK_POLICY, false, NULL},
		{"/namespaces", "namespaces", "", "NamespaceList", "v1", KIND_NAMESPACE, false,
		 NULL},
	};
	struct api_stream *stream;
	struct err err = {0};
	int rc = api_stream_new(kind & 4 ? API_STREAM_LIST : API_STREAM_WATCH, &resources[kind & 3],
				total->strings, take, total, &stream);

	REQUIRE(rc == 0);
	for (size_t at = 0; at < size && rc == 0; at += piece) {
		size_t n = piece < size - at ? piece : size - at;
		char *bytes = malloc(n);

		REQUIRE(bytes);
		memcpy(bytes, data + at, n);
		rc = api_stream_feed(stream, bytes, n, &err);
		free(bytes);
	}
	if (rc == 0)
		rc = api_stream_finish(stream, &err);
	REQUIRE(rc == 0 || (rc == -EINVAL && err.text[0]));
	api_stream_free(stream);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct intern *strings = intern_new();
	struct total whole = {.strings = strings}, pieces = {.strings = strings};
	struct api_status status;

	if (size < 3) {
		intern_free(strings);
		return 0;
	}
	REQUIRE(run(&whole, data[0], data + 2, size - 2, size) ==
		run(&pieces, data[0], data + 2, size - 2, 1 + data[1] % 64));
	REQUIRE(whole.sum == pieces.sum);
	REQUIRE(intern_count(strings) == 0);
	intern_free(strings);
	api_status_parse((const char *)data, size, &status);
	for (const char *p = status.text; *p; p++)
		REQUIRE(*p == '\t' || (*p >= ' ' && *p <= '~'));
	return 0;
}
