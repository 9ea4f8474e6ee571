/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as JSON: cut into objects in chunks that the first byte chooses, pruned, parsed, decoded.
 * Pruning changes nothing for the decoder. */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/intern.h"
#include "fuzz.h"
#include "model/decode.h"
#include "source/json_lines.h"
#include "source/json_prune.h"
#include "source/json_split.h"

struct total {
	struct intern *strings;
	size_t parts, bytes;
	uint64_t sum; /* of all that was handed out */
};

static json_t *load(const char *bytes, size_t len)
{
	json_error_t error;

	return json_loadb(bytes, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
}

static int decode(struct total *total, const json_t *json, const char *list_kind,
		  struct json_lines *lines, unsigned *ret_line)
{
	struct faults faults = {0};
	struct decoder d = {.strings = total->strings,
			    .faults = &faults,
			    .file = "fuzz.json",
			    .line_of = json_line_of,
			    .line_ctx = lines,
			    .trusted = true};
	struct decoded decoded;
	int rc = decode_object(&d, json, list_kind, "v1", &decoded);

	REQUIRE(rc == 0 || rc == -EINVAL);
	*ret_line = faults.n > 0 ? faults.v[0].line : 0;
	decoded_done(total->strings, &decoded);
	faults_done(&faults);
	return rc;
}

static int take(void *ctx, const struct json_part *part)
{
	struct total *total = ctx;
	const char *list_kind = part->kind == JSON_PART_ITEM ? part->list_kind : NULL;
	struct json_lines lines = {.bytes = part->bytes, .len = part->len, .first = part->line};
	unsigned line = 0, pruned_line = 0;
	/* jansson passes over a NUL between tokens, which RFC 8259 section 2 does not know. */
	bool strange = memchr(part->bytes, '\0', part->len);
	json_t *json = load(part->bytes, part->len), *pruned;
	int rc = json ? decode(total, json, list_kind, &lines, &line) : 0;

	total->parts++;
	total->bytes += part->len;
	for (size_t i = 0; i < part->len; i++)
		total->sum = total->sum * 31 + (unsigned char)part->bytes[i];
	total->sum += part->line + (unsigned)part->kind;
	json_lines_done(&lines);

	lines = (struct json_lines){.bytes = part->bytes, .first = part->line};
	lines.len = json_prune(part->bytes, part->len, list_kind);
	REQUIRE(lines.len <= part->len);
	pruned = load(part->bytes, lines.len);
	/* What can be read before can be read after, and means the same. */
	REQUIRE(!json || pruned || strange);
	if (json && pruned) {
		REQUIRE(decode(total, pruned, list_kind, &lines, &pruned_line) == rc);
		REQUIRE(line == pruned_line);
	}
	json_lines_done(&lines);
	json_decref(json);
	json_decref(pruned);
	return 0;
}

/* Chunks of exactly their size, so that reading beyond one is seen. */
static int feed(struct json_splitter *splitter, const uint8_t *data, size_t size, size_t chunk,
		struct err *err)
{
	int rc = 0;

	for (size_t at = 0; at < size && rc == 0; at += chunk) {
		size_t n = chunk < size - at ? chunk : size - at;
		char *bytes = malloc(n);

		if (!bytes)
			return -ENOMEM;
		memcpy(bytes, data + at, n);
		rc = json_splitter_feed(splitter, bytes, n, err);
		free(bytes);
	}
	return rc;
}

static int run(struct total *total, const uint8_t *data, size_t size, size_t chunk)
{
	struct json_splitter *splitter = json_splitter_new(take, total);
	struct err err = {0};
	int rc = splitter ? feed(splitter, data, size, chunk, &err) : -ENOMEM;

	if (rc == 0)
		rc = json_splitter_finish(splitter, &err);
	REQUIRE(rc == 0 || (rc == -EINVAL && err.text[0]));
	json_splitter_free(splitter);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct intern *strings = intern_new();
	struct total whole = {.strings = strings}, chunked = {.strings = strings};

	if (size < 2) {
		intern_free(strings);
		return 0;
	}
	REQUIRE(run(&whole, data + 1, size - 1, size) ==
		run(&chunked, data + 1, size - 1, 1 + data[0] % 64));
	REQUIRE(whole.parts == chunked.parts && whole.bytes == chunked.bytes &&
		whole.sum == chunked.sum);
	REQUIRE(intern_count(strings) == 0);
	intern_free(strings);
	return 0;
}
