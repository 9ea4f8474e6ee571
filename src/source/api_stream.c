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
#include "source/json_extract.h"
#include "source/json_load.h"
#include "source/json_scan.h"

#define INITIAL_END "k8s.io/initial-events-end"

/* What an object is called whose name cannot be read: no object has such names. */
#define NO_NAME      "(no name)"
#define NO_NAMESPACE "(no namespace)"
/* Bytes of names in Kubernetes; what is longer is cut. */
#define NAME_BYTES 253
#define NS_BYTES   63

struct api_stream {
	enum api_stream_kind kind;
	const struct api_resource *resource;
	struct intern *strings;
	api_item_fn fn;
	void *ctx;
	struct json_extract *extract;
	struct err *err; /* of the call that is running */
	bool ended;      /* the list's own end has been read */
	bool skipping;   /* an object without a name is to be told as well */
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

/* A text from between its quotes; NULL: it is none, or not known. Free it. */
static int read_slot(const char *written, char **ret)
{
	AUTO_FREE char *quoted = NULL;
	AUTO_JSON json_t *json = NULL;
	int rc;

	*ret = NULL;
	if (!written[0])
		return 0;
	if (asprintf(&quoted, "\"%s\"", written) < 0) {
		quoted = NULL;
		return -ENOMEM;
	}
	rc = json_load(quoted, strlen(quoted), JSON_DECODE_ANY, &json, NULL);
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	*ret = strdup(json_string_value(json));
	return *ret ? 0 : -ENOMEM;
}

/* What an object is called, and its version. NULL: not known. */
struct identity {
	const char *name, *ns, *version;
};

/* A copy, cut where it is longer than any name. "..." is the end of no name. */
static json_t *name_text(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (len <= max)
		return json_string(text);
	len = max - 3;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return json_sprintf("%.*s...", (int)len, text);
}

static int set_new(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0 ? 0 : -ENOMEM;
}

/* Metadata with a name in any case. No object has the names that stand in for what cannot be read;
 * a policy in a namespace that is none isolates nobody, as it cannot be told whom it would. */
static int set_metadata(json_t *json, const struct identity *id, bool namespaced)
{
	const json_t *old = json_object_get(json, "metadata");
	json_t *metadata = json_is_object(old) ? json_copy((json_t *)old) : json_object();
	const char *ns = id->ns || !namespaced ? id->ns : NO_NAMESPACE;
	int rc = metadata ? 0 : -ENOMEM;

	if (rc == 0)
		rc = set_new(metadata, "name",
			     name_text(id->name ? id->name : NO_NAME, NAME_BYTES));
	if (rc == 0 && ns)
		rc = set_new(metadata, "namespace", name_text(ns, NS_BYTES));
	if (rc == 0)
		return set_new(json, "metadata", metadata);
	json_decref(metadata);
	return rc;
}

static int tell_broken(struct api_stream *s, const json_t *json, const struct identity *id,
		       const char *reason)
{
	enum kind kind = s->resource->kind;
	struct api_item item = {.what = API_ITEM_BROKEN, .version = id->version, .reason = reason};
	struct decoder d = {.strings = s->strings};

	if (!id->name && !s->skipping)
		return err_set(s->err, -EINVAL, "an object without a name: %s", reason);
	AUTO_JSON json_t *named = json_is_object(json) ? json_copy((json_t *)json) : json_object();
	int rc = named ? set_metadata(named, id, kind == KIND_POD || kind == KIND_NETWORK_POLICY)
		       : -ENOMEM;

	if (rc == 0)
		rc = decode_stand_in(&d, named, kind, &item.object);
	return rc < 0 ? rc : s->fn(s->ctx, &item);
}

/* What is gone, or what is not enforced. */
static int tell_name(struct api_stream *s, enum api_item_what what, const struct identity *id)
{
	struct api_item item = {.what = what, .version = id->version};
	const char *name = id->name;
	int rc;

	if (!name && !s->skipping)
		return err_set(s->err, -EINVAL, "an object without a name");
	rc = api_object_of_name(s->resource, s->strings, id->ns, name ? name : NO_NAME,
				&item.object);
	return rc < 0 ? rc : s->fn(s->ctx, &item);
}

static bool is_named_only(const struct api_stream *s, enum api_item_what what)
{
	return s->resource->kind == KIND_UNENFORCED || what == API_ITEM_DELETE;
}

static int take_upsert(struct api_stream *s, const json_t *json, const struct identity *id)
{
	struct api_item item = {.what = API_ITEM_UPSERT, .version = id->version};
	struct faults faults = {0};
	struct decoder d = {.strings = s->strings, .faults = &faults};
	struct decoded decoded;
	char reason[ERR_TEXT_MAX];
	int rc = decode_object(&d, json, s->resource->list_kind, s->resource->version, &decoded);

	if (rc == -EINVAL)
		describe_faults(&faults, reason, sizeof(reason));
	faults_done(&faults);
	if (rc == -EINVAL)
		return tell_broken(s, json, id, reason);
	if (rc < 0)
		return rc;
	if (decoded.what == DECODED_OBJECTS && decoded.objects.n == 1 &&
	    decoded.objects.v[0].kind == s->resource->kind) {
		item.object = decoded.objects.v[0];
		decoded.objects.v[0] = (struct object){.kind = KIND_COUNT}; /* fn takes it */
		rc = s->fn(s->ctx, &item);
	} else {
		(void)snprintf(reason, sizeof(reason), "expected %s, got another kind of object",
			       kind_name(s->resource->kind));
		rc = tell_broken(s, json, id, reason);
	}
	decoded_done(s->strings, &decoded);
	return rc;
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

/* A member's tree, where it has one. */
static int load_member(const char *bytes, size_t len, const char *key, json_t **ret)
{
	const char *from = find_member(bytes, bytes + len, key);
	const char *to = from ? json_scan_value(from, bytes + len) : NULL;
	int rc = to ? json_load(from, (size_t)(to - from), JSON_DECODE_ANY, ret, NULL) : -EINVAL;

	return rc == -ENOMEM ? rc : 0;
}

/* Of the object no tree can be built; of its parts perhaps some can. */
static int take_parts(struct api_stream *s, const struct json_extracted *part,
		      const struct identity *id, const char *reason)
{
	static const char *const keys[] = {"spec", "status"};
	AUTO_JSON json_t *json = json_object();
	int rc = json ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_LEN(keys) && rc == 0; i++) {
		json_t *member = NULL;

		rc = load_member(part->bytes, part->len, keys[i], &member);
		if (rc == 0 && member)
			rc = set_new(json, keys[i], member);
	}
	return rc == 0 ? tell_broken(s, json, id, reason) : rc;
}

static int take_unreadable(struct api_stream *s, enum api_item_what what,
			   const struct json_extracted *part, const char *reason)
{
	AUTO_FREE char *name = NULL, *ns = NULL, *version = NULL;
	int rc = read_slot(part->slots[JSON_SLOT_NAME], &name);

	if (rc == 0)
		rc = read_slot(part->slots[JSON_SLOT_NAMESPACE], &ns);
	if (rc == 0)
		rc = read_slot(part->slots[JSON_SLOT_VERSION], &version);
	if (rc < 0)
		return rc;
	const struct identity id = {.name = name, .ns = ns, .version = version};
	return is_named_only(s, what) ? tell_name(s, what, &id) : take_parts(s, part, &id, reason);
}

static int take_object(struct api_stream *s, enum api_item_what what,
		       const struct json_extracted *part)
{
	AUTO_JSON json_t *json = NULL;
	struct err problem = {0};
	int rc = 0;

	if (!part->problem)
		rc = json_load(part->bytes, part->len, JSON_DECODE_ANY, &json, &problem);
	if (rc == -ENOMEM)
		return rc;
	if (!json)
		return take_unreadable(s, what, part, part->problem ? part->problem : problem.text);
	const json_t *metadata = json_object_get(json, "metadata");
	const struct identity id = {.name = text_of(metadata, "name"),
				    .ns = text_of(metadata, "namespace"),
				    .version = text_of(metadata, "resourceVersion")};
	return is_named_only(s, what) ? tell_name(s, what, &id) : take_upsert(s, json, &id);
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

static int take_word(struct api_stream *s, enum api_item_what what,
		     const struct json_extracted *part)
{
	AUTO_JSON json_t *json = NULL;
	int rc = part->problem ? err_set(s->err, -EINVAL, "%s", part->problem)
			       : json_load(part->bytes, part->len, JSON_ALLOW_NUL, &json, s->err);

	if (rc < 0 && (rc != -EINVAL || what == API_ITEM_BOOKMARK))
		return rc;
	return what == API_ITEM_BOOKMARK ? take_bookmark(s, json) : take_error(s, json);
}

/* {"type":"ADDED","object":{...}} */
static int take_event(struct api_stream *s, const struct json_extracted *part)
{
	static const struct {
		const char *type;
		enum api_item_what what;
	} types[] = {
		{"MODIFIED", API_ITEM_UPSERT}, {"ADDED", API_ITEM_UPSERT},
		{"DELETED", API_ITEM_DELETE},  {"BOOKMARK", API_ITEM_BOOKMARK},
		{"ERROR", API_ITEM_ERROR},
	};
	const char *type = part->slots[JSON_SLOT_TYPE];
	size_t i = 0;

	if (!part->has_object || !type[0])
		return err_set(s->err, -EINVAL, "expected a watch event");
	while (i < ARRAY_LEN(types) && strcmp(type, types[i].type) != 0)
		i++;
	if (i == ARRAY_LEN(types))
		return err_set(s->err, -EINVAL, "expected a watch event, got one of another type");
	if (types[i].what == API_ITEM_BOOKMARK || types[i].what == API_ITEM_ERROR)
		return take_word(s, types[i].what, part);
	return take_object(s, types[i].what, part);
}

static int tell_list(struct api_stream *s, const json_t *metadata)
{
	struct api_item item = {.what = API_ITEM_LIST,
				.version = text_of(metadata, "resourceVersion"),
				.rest = text_of(metadata, "continue")};

	if (!item.version && !item.rest)
		return err_set(s->err, -EINVAL, "a list without a version");
	s->ended = true;
	return s->fn(s->ctx, &item);
}

static int take_list(struct api_stream *s, const struct json_extracted *part)
{
	AUTO_JSON json_t *json = NULL;
	int rc = json_load(part->bytes, part->len, JSON_ALLOW_NUL, &json, s->err);

	if (rc < 0)
		return rc;
	if (!part->has_items)
		return err_set(s->err, -EINVAL, "expected a list");
	if (s->ended)
		return err_set(s->err, -EINVAL, "expected one list, got another behind it");
	return tell_list(s, json_object_get(json, "metadata"));
}

static int take_part(void *ctx, const struct json_extracted *part)
{
	struct api_stream *s = ctx;

	switch (part->what) {
	case JSON_EXTRACTED_ITEM:
		return take_object(s, API_ITEM_UPSERT, part);
	case JSON_EXTRACTED_END:
		break;
	}
	return s->kind == API_STREAM_WATCH ? take_event(s, part) : take_list(s, part);
}

static const struct json_keep *keep_of(enum api_stream_kind kind,
				       const struct api_resource *resource)
{
	const struct json_keep_answer *answer = resource->kind == KIND_UNENFORCED ? &json_keep_names
						: resource->kind == KIND_NETWORK_POLICY
							? &json_keep_policies
							: &json_keep_objects;

	return kind == API_STREAM_WATCH ? answer->event : answer->list;
}

int api_stream_new(enum api_stream_kind kind, const struct api_resource *resource,
		   struct intern *strings, api_item_fn fn, void *ctx, struct api_stream **ret)
{
	struct api_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct api_stream){
		.kind = kind, .resource = resource, .strings = strings, .fn = fn, .ctx = ctx};
	s->extract = json_extract_new(keep_of(kind, resource), take_part, s);
	if (!s->extract) {
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
	json_extract_free(s->extract);
	free(s);
}

int api_stream_feed(struct api_stream *s, const char *bytes, size_t len, struct err *err)
{
	s->err = err;
	return json_extract_feed(s->extract, bytes, len, err);
}

int api_stream_finish(struct api_stream *s, struct err *err)
{
	int rc = json_extract_finish(s->extract, err);

	if (rc == 0 && s->kind == API_STREAM_LIST && !s->ended)
		rc = err_set(err, -EINVAL, "the list has no end");
	return rc;
}

int api_stream_skip_item(struct api_stream *s, const char *reason, bool may_be_last,
			 struct err *err)
{
	AUTO_JSON json_t *metadata = NULL;
	struct json_extracted part;
	int rc;

	s->err = err;
	json_extract_rest(s->extract, &part);
	rc = load_member(part.bytes, part.len, "metadata", &metadata);
	if (rc == 0 && (s->kind != API_STREAM_LIST || s->ended || !part.has_items ||
			!(text_of(metadata, "continue") ||
			  (may_be_last && text_of(metadata, "resourceVersion")))))
		return -ENOENT;
	part.len = 0;
	s->skipping = true;
	if (rc == 0)
		rc = take_unreadable(s, API_ITEM_UPSERT, &part, reason);
	return rc == 0 ? tell_list(s, metadata) : rc;
}
