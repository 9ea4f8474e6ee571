/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_keep.h"

#define KEEP(key_)            \
	{                     \
		.key = (key_) \
	}
#define END                 \
	{                   \
		.key = NULL \
	}
#define OTHERS                              \
	{                                   \
		.key = NULL, .others = true \
	}
#define TABLE(k, t)                       \
	{                                 \
		.key = (k), .within = (t) \
	}
#define SLOT(k, s)                      \
	{                               \
		.key = (k), .slot = (s) \
	}
#define DROP(key_)                                    \
	{                                             \
		.key = (key_), .role = JSON_ROLE_DROP \
	}

static const struct json_keep container[] = {KEEP("ports"), KEEP("restartPolicy"), END};

static const struct json_keep annotations[] = {
	KEEP("netpold.io/interface"),
	KEEP("kubernetes.io/config.hash"),
	END,
};

#define METADATA(annotations_)                                                                \
	SLOT("name", JSON_SLOT_NAME), SLOT("namespace", JSON_SLOT_NAMESPACE), KEEP("labels"), \
		KEEP("uid"), SLOT("resourceVersion", JSON_SLOT_VERSION),                      \
		KEEP("creationTimestamp"), KEEP("deletionTimestamp"), KEEP("generateName"),   \
		TABLE("annotations", annotations_), END

static const struct json_keep metadata[] = {METADATA(annotations)};

#define POD_SPEC                                                                                 \
	TABLE("containers", container), KEEP("hostNetwork"), TABLE("initContainers", container), \
		KEEP("nodeName")

static const struct json_keep template_spec[] = {POD_SPEC, END};

static const struct json_keep template[] = {
	TABLE("metadata", metadata),
	TABLE("spec", template_spec),
	END,
};

static const struct json_keep job_spec[] = {TABLE("template", template), END};
static const struct json_keep job_template[] = {TABLE("spec", job_spec), END};

static const struct json_keep spec[] = {
	POD_SPEC,
	TABLE("jobTemplate", job_template),
	KEEP("ordinals"),
	KEEP("podCIDRs"),
	KEEP("replicas"),
	TABLE("template", template),
	END,
};

static const struct json_keep status[] = {
	KEEP("phase"),     KEEP("podIP"), KEEP("podIPs"), KEEP("hostIP"), KEEP("hostIPs"),
	KEEP("addresses"), END,
};

const struct json_keep json_keep_object[] = {
	KEEP("kind"),
	KEEP("apiVersion"),
	TABLE("metadata", metadata),
	TABLE("spec", spec),
	TABLE("status", status),
	KEEP("items"),
	END,
};

/* Of an API server: annotations are not trusted, but for two that say what an event or a pod is. */
static const struct json_keep api_annotations[] = {
	KEEP("kubernetes.io/config.hash"),
	KEEP("k8s.io/initial-events-end"),
	END,
};

static const struct json_keep api_metadata[] = {METADATA(api_annotations)};

static const struct json_keep api_spec[] = {POD_SPEC, KEEP("podCIDRs"), END};

/* Beside an object's own members: those of the Status that an ERROR event has instead. */
#define API_OBJECT                                                                       \
	KEEP("kind"), KEEP("apiVersion"), TABLE("metadata", api_metadata), KEEP("code"), \
		KEEP("message"), KEEP("details")

static const struct json_keep any_object[] = {
	API_OBJECT,
	TABLE("spec", api_spec),
	TABLE("status", status),
	END,
};
static const struct json_keep policy[] = {API_OBJECT, DROP("status"), OTHERS};
static const struct json_keep named[] = {API_OBJECT, END};

#define EVENT(object_)                                                                        \
	{                                                                                     \
		SLOT("type", JSON_SLOT_TYPE),                                                 \
			{.key = "object", .within = (object_), .role = JSON_ROLE_OBJECT}, END \
	}

static const struct json_keep object_event[] = EVENT(any_object);
static const struct json_keep policy_event[] = EVENT(policy);
static const struct json_keep name_event[] = EVENT(named);

static const struct json_keep list_metadata[] = {KEEP("resourceVersion"), KEEP("continue"), END};

#define LIST(object_)                                                                       \
	{                                                                                   \
		KEEP("kind"), KEEP("apiVersion"), TABLE("metadata", list_metadata),         \
			{.key = "items", .within = (object_), .role = JSON_ROLE_ITEMS}, END \
	}

static const struct json_keep object_list[] = LIST(any_object);
static const struct json_keep policy_list[] = LIST(policy);
static const struct json_keep name_list[] = LIST(named);

const struct json_keep_answer json_keep_objects = {object_event, object_list};
const struct json_keep_answer json_keep_policies = {policy_event, policy_list};
const struct json_keep_answer json_keep_names = {name_event, name_list};
