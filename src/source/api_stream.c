/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/api_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/vec.h"
#include "model/decode.h"
#include "source/json_load.h"
#include "source/json_prune.h"
#include "source/json_scan.h"
#include "source/json_split.h"

#define INITIAL_END "k8s.io/initial-events-end"

/* Go writes NUL characters that jansson refuses by default, and tenants can make it do so. */
#define JSON_FLAGS JSON_ALLOW_NUL

struct api_stream {
	enum api_stream_kind kind;
	const struct api_resource *resource;
	struct intern *strings;
	api_item_fn fn;
	void *ctx;
	struct json_splitter *splitter;
	struct err *err; /* of the call that is running */
	bool ended;      /* the list's own end has been read */
};

static const char *text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_string_length(value) > 0 ? json_string_value(value) : NULL;
}

/* The first fault, and how many there are more. */
static void describe_faults(const struct faults *faults, char *text, size_t len)
{
	const struct fault *first = faults->n > 0 ? &faults->v[0] : NULL;
	int n;

	if (!first) {
		(void)snprintf(text, len, "refused");
		return;
	}
	n = snprintf(text, len, "%s%s%.80s%s%s", first->field ? first->field : "",
		     first->field ? ": " : "", first->value ? first->value : "",
		     first->value ? ": " : "", first->text);
	if (faults->errors > 1 && n > 0 && (size_t)n < len)
		(void)snprintf(text + n, len - (size_t)n, " (and %zu more)", faults->errors - 1);
}

int api_object_of_name(const struct api_resource *resource, struct intern *strings, const char *ns,
		       const char *name, struct object *ret)
{
	return resource->kind == KIND_UNENFORCED
		       ? object_of_unenforced(strings, resource->type, ns, name, ret)
		       : object_of_name(strings, resource->kind, ns, name, ret);
}

static int tell_broken(struct api_stream *s, const struct decoder *d, const json_t *json,
		       const char *version, const char *reason)
{
	struct api_item item = {.what = API_ITEM_BROKEN, .version = version, .reason = reason};
	int rc = decode_stand_in(d, json, s->resource->kind, &item.object);

	if (rc == -EINVAL)
		return err_set(s->err, rc, "an object without a name: %s", reason);
	return rc < 0 ? rc : s->fn(s->ctx, &item);
}

static int tell_objects(struct api_stream *s, struct decoded *decoded, const char *version)
{
	struct api_item item = {.what = API_ITEM_UPSERT, .version = version};

	if (decoded->what != DECODED_OBJECTS || decoded->objects.n != 1 ||
	    decoded->objects.v[0].kind != s->resource->kind)
		return err_set(s->err, -EINVAL, "expected %s, got another kind of object",
			       kind_name(s->resource->kind));
	item.object = decoded->objects.v[0];
	decoded->objects.v[0] = (struct object){.kind = KIND_COUNT}; /* fn takes it */
	return s->fn(s->ctx, &item);
}

static int take_upsert(struct api_stream *s, const json_t *json, const char *version)
{
	struct faults faults = {0};
	struct decoder d = {.strings = s->strings, .faults = &faults};
	struct decoded decoded;
	int rc = decode_object(&d, json, s->resource->list_kind, s->resource->version, &decoded);

	if (rc == -EINVAL) {
		char reason[ERR_TEXT_MAX];

		describe_faults(&faults, reason, sizeof(reason));
		rc = tell_broken(s, &d, json, version, reason);
	} else if (rc == 0) {
		rc = tell_objects(s, &decoded, version);
		decoded_done(s->strings, &decoded);
	}
	faults_done(&faults);
	return rc;
}

/* What is gone, or what is not enforced. */
static int take_name(struct api_stream *s, enum api_item_what what, const json_t *json,
		     const char *version)
{
	const json_t *metadata = json_object_get(json, "metadata");
	struct api_item item = {.what = what, .version = version};
	const char *name = text_of(metadata, "name");
	int rc;

	if (!name)
		return err_set(s->err, -EINVAL, "an object without a name");
	rc = api_object_of_name(s->resource, s->strings, text_of(metadata, "namespace"), name,
				&item.object);
	return rc < 0 ? rc : s->fn(s->ctx, &item);
}

/* Where the value of a member begins; NULL: there is none. */
static const char *find_member(const char *bytes, const char *end, const char *key)
{
	const char *p = json_scan_space(bytes, end), *name, *name_end, *value;
	size_t len = strlen(key);

	while (p && p < end && (*p == '{' || *p == ',') &&
	       (value = json_scan_member(p, end, &name, &name_end))) {
		if ((size_t)(name_end - name) == len && memcmp(name, key, len) == 0)
			return value;
		p = json_scan_value(value, end);
		p = p ? json_scan_space(p, end) : NULL;
	}
	return NULL;
}

/* No tree can be built of the object; of its metadata perhaps one can. */
static int take_unreadable(struct api_stream *s, const char *bytes, size_t len,
			   const struct err *problem)
{
	const char *from = find_member(bytes, bytes + len, "metadata");
	const char *to = from ? json_scan_value(from, bytes + len) : NULL;
	struct decoder d = {.strings = s->strings};
	json_t *metadata = NULL;
	int rc = to ? json_load(from, (size_t)(to - from), JSON_FLAGS, &metadata, NULL) : -EINVAL;

	if (rc < 0)
		return rc == -ENOMEM ? rc : err_set(s->err, -EINVAL, "%s", problem->text);
	AUTO_JSON json_t *json = json_pack("{s:o}", "metadata", metadata);
	if (!json)
		return -ENOMEM;
	return tell_broken(s, &d, json, text_of(metadata, "resourceVersion"), problem->text);
}

static int take_object(struct api_stream *s, enum api_item_what what, char *bytes, size_t len)
{
	bool named = s->resource->kind == KIND_UNENFORCED; /* no more of it is read than that */
	size_t pruned =
		json_prune_value(bytes, len, kind_name(named ? KIND_NAMESPACE : s->resource->kind));
	AUTO_JSON json_t *json = NULL;
	struct err problem = {0};
	int rc = json_load(bytes, pruned, JSON_FLAGS, &json, &problem);
	const char *version;

	if (rc < 0)
		return rc == -ENOMEM ? rc
		       : named       ? err_set(s->err, rc, "%s", problem.text)
				     : take_unreadable(s, bytes, pruned, &problem);
	version = text_of(json_object_get(json, "metadata"), "resourceVersion");
	return named || what == API_ITEM_DELETE ? take_name(s, what, json, version)
						: take_upsert(s, json, version);
}

static int take_bookmark(struct api_stream *s, const json_t *json)
{
	const json_t *metadata = json_object_get(json, "metadata");
	const char *end = text_of(json_object_get(metadata, "annotations"), INITIAL_END);
	struct api_item item = {.what = API_ITEM_BOOKMARK,
				.version = text_of(metadata, "resourceVersion"),
				.initial_end = end && strcmp(end, "true") == 0};

	return s->fn(s->ctx, &item);
}

static int take_error(struct api_stream *s, const json_t *json)
{
	struct api_status status;
	struct api_item item = {.what = API_ITEM_ERROR, .status = &status};

	api_status_read(json, &status);
	return s->fn(s->ctx, &item);
}

static int take_list(struct api_stream *s, const char *bytes, size_t len)
{
	AUTO_JSON json_t *json = NULL;
	int rc = json_load(bytes, len, JSON_FLAGS, &json, s->err);
	const json_t *metadata = json_object_get(json, "metadata");
	struct api_item item = {.what = API_ITEM_LIST,
				.version = text_of(metadata, "resourceVersion"),
				.rest = text_of(metadata, "continue")};

	if (rc < 0)
		return rc;
	if (s->ended)
		return err_set(s->err, -EINVAL, "expected one list, got another behind it");
	if (!item.version && !item.rest)
		return err_set(s->err, -EINVAL, "a list without a version");
	s->ended = true;
	return s->fn(s->ctx, &item);
}

static bool is_text(const char *value, const char *end, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(end - value) > len + 1 && value[0] == '"' &&
	       memcmp(value + 1, text, len) == 0 && value[len + 1] == '"';
}

static int take_word(struct api_stream *s, enum api_item_what what, const char *bytes, size_t len)
{
	AUTO_JSON json_t *json = NULL;
	int rc = json_load(bytes, len, JSON_FLAGS | JSON_DISABLE_EOF_CHECK, &json, s->err);

	if (rc < 0)
		return rc;
	return what == API_ITEM_BOOKMARK ? take_bookmark(s, json) : take_error(s, json);
}

/* {"type":"ADDED","object":{...}} */
static int take_event(struct api_stream *s, char *bytes, size_t len)
{
	static const struct {
		const char *type;
		enum api_item_what what;
	} types[] = {
		{"MODIFIED", API_ITEM_UPSERT}, {"ADDED", API_ITEM_UPSERT},
		{"DELETED", API_ITEM_DELETE},  {"BOOKMARK", API_ITEM_BOOKMARK},
		{"ERROR", API_ITEM_ERROR},
	};
	const char *end = bytes + len, *type = find_member(bytes, end, "type");
	const char *object = type ? find_member(bytes, end, "object") : NULL;
	size_t i = 0;

	if (!object)
		return err_set(s->err, -EINVAL, "expected a watch event");
	while (i < ARRAY_LEN(types) && !is_text(type, end, types[i].type))
		i++;
	if (i == ARRAY_LEN(types))
		return err_set(s->err, -EINVAL, "expected a watch event, got one of another type");
	if (types[i].what == API_ITEM_BOOKMARK || types[i].what == API_ITEM_ERROR)
		return take_word(s, types[i].what, object, (size_t)(end - object));
	return take_object(s, types[i].what, bytes + (object - bytes), (size_t)(end - object));
}

static int take_part(void *ctx, const struct json_part *part)
{
	struct api_stream *s = ctx;

	switch (part->kind) {
	case JSON_PART_ITEM:
		if (s->kind == API_STREAM_LIST)
			return take_object(s, API_ITEM_UPSERT, part->bytes, part->len);
		break;
	case JSON_PART_LIST:
		if (s->kind == API_STREAM_LIST)
			return take_list(s, part->bytes, part->len);
		break;
	case JSON_PART_DOCUMENT:
		if (s->kind == API_STREAM_WATCH)
			return take_event(s, part->bytes, part->len);
		break;
	}
	return err_set(s->err, -EINVAL, "expected %s",
		       s->kind == API_STREAM_LIST ? "a list" : "the events of a watch, got a list");
}

int api_stream_new(enum api_stream_kind kind, const struct api_resource *resource,
		   struct intern *strings, api_item_fn fn, void *ctx, struct api_stream **ret)
{
	struct api_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct api_stream){
		.kind = kind, .resource = resource, .strings = strings, .fn = fn, .ctx = ctx};
	s->splitter = json_splitter_new(take_part, s);
	if (!s->splitter) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void api_stream_free(struct api_stream *s)
{
	if (!s)
		return;
	json_splitter_free(s->splitter);
	free(s);
}

int api_stream_feed(struct api_stream *s, const char *bytes, size_t len, struct err *err)
{
	s->err = err;
	return json_splitter_feed(s->splitter, bytes, len, err);
}

int api_stream_finish(struct api_stream *s, struct err *err)
{
	int rc = json_splitter_finish(s->splitter, err);

	if (rc == 0 && s->kind == API_STREAM_LIST && !s->ended)
		rc = err_set(err, -EINVAL, "the list has no end");
	return rc;
}
