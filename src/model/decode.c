/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kind an object is, what it is called, and whose decoder reads it. */
#include "model/decode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/intern.h"
#include "fields.h"

#define POLICY_GROUP   "networking.k8s.io"
#define POLICY_VERSION "networking.k8s.io/v1"

struct identity {
	char kind[64], version[128], group[128];
	const char *ns, *name;
	char generated[OBJECT_NAME_MAX]; /* what `name` points to where metadata has generateName */
};

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* kind and apiVersion, from the object or from the typed list around it. */
static bool identify_kind(struct decoder *d, const json_t *json, const char *list_kind,
			  const char *list_version, struct identity *id)
{
	const char *kind = get_string(d, json, "kind");
	const char *version = get_string(d, json, "apiVersion");
	size_t list_len = list_kind ? strlen(list_kind) : 0;

	if (!kind && list_kind && list_len > 4 && ends_with(list_kind, "List")) {
		(void)snprintf(id->kind, sizeof(id->kind), "%.*s", (int)(list_len - 4), list_kind);
		version = version ? version : list_version;
	} else if (kind) {
		(void)snprintf(id->kind, sizeof(id->kind), "%s", kind);
	}
	if (!id->kind[0]) {
		refuse(d, NULL, "`kind` is missing: expected a Kubernetes object");
		return false;
	}
	if (!version || !version[0]) {
		refuse(d, NULL, "`apiVersion` is missing: expected a Kubernetes object");
		return false;
	}
	(void)snprintf(id->version, sizeof(id->version), "%s", version);
	const char *slash = strchr(id->version, '/');
	if (slash)
		(void)snprintf(id->group, sizeof(id->group), "%.*s", (int)(slash - id->version),
			       id->version);
	return true;
}

/* Is the kind one of ours? -1: no; KIND_COUNT: a workload. */
static int our_kind(const struct identity *id)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		const char *group = kind == KIND_NETWORK_POLICY ? POLICY_GROUP : "";

		if (strcmp(id->kind, kind_name((enum kind)kind)) == 0 &&
		    strcmp(id->group, group) == 0)
			return kind;
	}
	/* Before 1.16 it was in extensions too; to ignore it would open what it closes. */
	if (strcmp(id->kind, "NetworkPolicy") == 0 && strcmp(id->group, "extensions") == 0)
		return KIND_NETWORK_POLICY;
	return is_workload(id->group, id->kind) ? KIND_COUNT : -1;
}

static void check_name(struct decoder *d, const json_t *metadata, int kind,
		       const struct identity *id)
{
	path_key(d, "name");
	if (kind == KIND_NAMESPACE && !valid_dns_label(id->name))
		refuse(d, json_object_get(metadata, "name"),
		       "expected at most 63 of a-z 0-9 - beginning and ending with a letter or "
		       "digit");
	else if (!valid_dns_subdomain(id->name))
		refuse(d, json_object_get(metadata, "name"),
		       "expected at most 253 of a-z 0-9 - . beginning and ending with a letter or "
		       "digit");
	path_pop(d);
}

/* metadata.name and .namespace; a pod or workload may have only generateName. */
static bool identify_name(struct decoder *d, const json_t *json, int kind, struct identity *id)
{
	const json_t *metadata = get_object(d, json, "metadata");
	size_t before = d->errors;

	path_key(d, "metadata");
	id->name = get_string(d, metadata, "name");
	id->ns = get_string(d, metadata, "namespace");
	const char *prefix = get_string(d, metadata, "generateName");
	if ((!id->name || !id->name[0]) && prefix && prefix[0] &&
	    (kind == KIND_POD || kind == KIND_COUNT)) {
		size_t len = strnlen(prefix, sizeof(id->generated) - 1);

		while (len > 1 && prefix[len - 1] == '-')
			len--;
		memcpy(id->generated, prefix, len);
		id->generated[len] = '\0';
		id->name = id->generated;
	}
	if (d->errors == before && (!id->name || !id->name[0])) {
		path_key(d, "name");
		refuse(d, NULL, "expected a name");
		path_pop(d);
	}
	if (d->errors == before)
		check_name(d, metadata, kind, id);
	if (d->errors == before && id->ns && id->ns[0] && !valid_dns_label(id->ns)) {
		path_key(d, "namespace");
		refuse(d, json_object_get(metadata, "namespace"),
		       "expected at most 63 of a-z 0-9 - beginning and ending with a letter or "
		       "digit");
		path_pop(d);
	}
	path_pop(d);
	if (!id->ns || !id->ns[0])
		id->ns = "default";
	d->accepted = !d->file || get_any(metadata, "uid");
	return d->errors == before;
}

static void name_object(struct decoder *d, const json_t *json, const char *kind, bool namespaced)
{
	const json_t *metadata = json_object_get(json, "metadata");
	const char *name = json_string_value(json_object_get(metadata, "name"));
	const char *ns = json_string_value(json_object_get(metadata, "namespace"));

	if (!name)
		name = json_string_value(json_object_get(metadata, "generateName"));
	if (!name)
		name = "(no name)";
	if (namespaced)
		(void)snprintf(d->object, sizeof(d->object), "%.63s %.63s/%.253s", kind,
			       ns && ns[0] ? ns : "default", name);
	else
		(void)snprintf(d->object, sizeof(d->object), "%.63s %.253s", kind, name);
}

static void set_origin(struct decoder *d, struct origin *origin)
{
	origin->file = decode_intern(d, d->file);
	origin->line = path_line(d);
}

static void decode_ours(struct decoder *d, const json_t *json, int kind, const struct identity *id,
			struct decoded *ret)
{
	struct object object = {.kind = (enum kind)kind};

	switch (object.kind) {
	case KIND_NAMESPACE:
		object.namespace_ = decode_namespace(d, json, id->name);
		break;
	case KIND_NODE:
		object.node = decode_node(d, json, id->name);
		break;
	case KIND_POD:
		object.pod = decode_pod(d, json, id->ns, id->name);
		break;
	case KIND_NETWORK_POLICY:
		if (strcmp(id->version, POLICY_VERSION) != 0) {
			path_key(d, "apiVersion");
			refuse(d, json_object_get(json, "apiVersion"), "expected %s",
			       POLICY_VERSION);
			path_pop(d);
			return;
		}
		object.policy = decode_network_policy(d, json, id->ns, id->name);
		break;
	case KIND_COUNT:
		decode_workload(d, json, id->kind, id->ns, id->name, ret);
		return;
	case KIND_UNENFORCED:
		return; /* not what our_kind() returns */
	}
	if (!object.pod)
		return;
	if (vec_push(&ret->objects, object) < 0) {
		d->no_memory = true;
		object_free(d->strings, object);
	}
}

static void set_origins(struct decoder *d, struct decoded *ret)
{
	for (size_t i = 0; i < ret->objects.n; i++)
		set_origin(d, (struct origin *)object_origin(&ret->objects.v[i]));
}

/* One that is passed over: is it there at all, or a kind of ours misspelt? False after a fault. */
static bool check_kind(struct decoder *d, const json_t *json, const struct identity *id)
{
	const json_t *kind = json_object_get(json, "kind");
	enum kind_known known = d->file ? kind_known(id->group, id->kind) : KIND_KNOWN;

	if (known == KIND_KNOWN || (known == KIND_DOUBTFUL && ends_with(id->kind, "NetworkPolicy")))
		return true; /* whatever is called a policy is named later */
	name_object(d, json, id->kind, true);
	path_key(d, "kind");
	if (known == KIND_WRONG)
		refuse(d, kind, "no kind of %s: expected NetworkPolicy, Ingress or another of its",
		       id->version);
	else
		warn(d, kind, "no kind of %s, ignored: expected one as it is spelt there",
		     id->version);
	path_pop(d);
	return known != KIND_WRONG;
}

static void set_unused(struct decoder *d, const json_t *json, const struct identity *id,
		       struct decoded *ret)
{
	const json_t *metadata = json_object_get(json, "metadata");
	const char *name = json_string_value(json_object_get(metadata, "name"));
	const char *ns = json_string_value(json_object_get(metadata, "namespace"));
	bool policy = ends_with(id->kind, "NetworkPolicy");

	ret->what = policy ? DECODED_UNENFORCED : DECODED_UNUSED;
	if (policy && id->group[0])
		(void)snprintf(ret->kind, sizeof(ret->kind), "%s.%s", id->kind, id->group);
	else
		(void)snprintf(ret->kind, sizeof(ret->kind), "%s", id->kind);
	(void)snprintf(ret->name, sizeof(ret->name), "%.63s%s%.253s", ns ? ns : "", ns ? "/" : "",
		       name ? name : "");
	ret->line = path_line(d);
}

int decode_object(struct decoder *d, const json_t *json, const char *list_kind,
		  const char *list_version, struct decoded *ret)
{
	struct identity id = {0};

	*ret = (struct decoded){0};
	d->depth = 0;
	d->errors = d->template_errors = 0;
	d->no_memory = false;
	d->object[0] = '\0';

	if (!json_is_object(json)) {
		refuse(d, json, "expected a Kubernetes object");
		return -EINVAL;
	}
	if (!identify_kind(d, json, list_kind, list_version, &id))
		return -EINVAL;

	int kind = our_kind(&id);
	if (kind < 0) {
		if (!check_kind(d, json, &id))
			return -EINVAL;
		set_unused(d, json, &id, ret);
		return 0;
	}
	name_object(d, json, id.kind, kind != KIND_NAMESPACE && kind != KIND_NODE);
	if (!identify_name(d, json, kind, &id))
		return -EINVAL;

	decode_ours(d, json, kind, &id, ret);
	if (!d->no_memory && d->errors == 0)
		set_origins(d, ret);
	if (!d->no_memory && d->errors == 0)
		return 0;
	decoded_done(d->strings, ret);
	return d->no_memory ? -ENOMEM : -EINVAL;
}

int decode_stand_in(const struct decoder *d, const json_t *json, enum kind kind, struct object *ret)
{
	struct faults unheard = {0};
	struct decoder own = {.strings = d->strings, .faults = &unheard, .accepted = true};
	const json_t *metadata = json_object_get(json, "metadata");
	const char *name = json_string_value(json_object_get(metadata, "name"));
	const char *ns = json_string_value(json_object_get(metadata, "namespace"));
	struct object object;
	int rc;

	if (!name || !name[0])
		return -EINVAL;
	rc = object_of_name(d->strings, kind, ns && ns[0] ? ns : "default", name, &object);
	if (rc < 0)
		return rc;
	if (kind == KIND_NETWORK_POLICY) {
		decode_closed_policy(&own, json, object.policy);
	} else if (kind == KIND_POD) {
		struct pod *pod = decode_pod(&own, json, object.pod->ns, object.pod->name);

		pod_free(d->strings, object.pod);
		object.pod = pod;
	}
	faults_done(&unheard);
	if (own.no_memory) {
		object_free(d->strings, object);
		return -ENOMEM;
	}
	*ret = object;
	return 0;
}

void decoded_done(struct intern *strings, struct decoded *decoded)
{
	for (size_t i = 0; i < decoded->objects.n; i++)
		object_free(strings, decoded->objects.v[i]);
	vec_free(&decoded->objects);
}
