/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the decoders of this room share: the path, typed members, faults. */
#ifndef MODEL_FIELDS_H
#define MODEL_FIELDS_H

#include "model/decode.h"

/* The path; every push has its pop. */
void path_key(struct decoder *d, const char *key);
void path_map_key(struct decoder *d, const char *key);
void path_index(struct decoder *d, size_t index);
void path_pop(struct decoder *d);

/* The line of the current path. */
unsigned path_line(const struct decoder *d);

/* A fault at the current path. `value` (may be NULL) is shown as JSON, cut where long. */
void refuse(struct decoder *d, const json_t *value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void warn(struct decoder *d, const json_t *value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Typed members of `parent` (may be NULL). Absent and null are the same, as in Kubernetes: NULL, or
 * the fallback. A wrong type is a fault and then the same as absent. */
const json_t *get_object(struct decoder *d, const json_t *parent, const char *key);
const json_t *get_array(struct decoder *d, const json_t *parent, const char *key);
const char *get_string(struct decoder *d, const json_t *parent, const char *key);
bool get_bool(struct decoder *d, const json_t *parent, const char *key);
const json_t *get_any(const json_t *parent, const char *key);

/* An element of a list of objects: null is the empty object, as Go has it; NULL after a fault. */
const json_t *element_object(struct decoder *d, const json_t *array, size_t index);

/* Refuses members that are not in `known` (NULL-terminated), as kubectl's strict decoding does. */
void refuse_unknown(struct decoder *d, const json_t *object, const char *const known[]);

/* calloc and intern_get that remember a lack of memory in d->no_memory. */
void *decode_alloc(struct decoder *d, size_t n, size_t size);
char *decode_strdup(struct decoder *d, const char *text);
const char *decode_intern(struct decoder *d, const char *text);

/* metadata.labels, or the like: a map of valid label keys and values. */
void decode_labels(struct decoder *d, const json_t *parent, const char *key, struct labels *ret);
/* metadata.labels of a pod or a namespace, which are at most LABELS_MAX. */
void decode_own_labels(struct decoder *d, const json_t *metadata, struct labels *ret);

/* Adds or replaces a label; keeps the order. */
void labels_set(struct decoder *d, struct labels *labels, const char *key, const char *value);

/* A LabelSelector, at the current path. */
void decode_selector(struct decoder *d, const json_t *json, struct label_selector *ret);

/* TCP, UDP, SCTP; absent is TCP. An empty one is defaulted in a container's ports, refused in a
 * policy's. */
uint8_t decode_protocol(struct decoder *d, const json_t *parent, bool empty_is_tcp);

/* Names as Kubernetes has them. */
bool valid_dns_label(const char *text);
bool valid_dns_subdomain(const char *text);
bool valid_label_key(const char *text);
bool valid_label_value(const char *text);
bool valid_port_name(const char *text);

/* kinds.c: of an API group ("": the core's) that Kubernetes itself has. */
enum kind_known {
	KIND_KNOWN,    /* or of another group */
	KIND_DOUBTFUL, /* no kind of its group */
	KIND_WRONG     /* the same, and the group has network policies */
};
enum kind_known kind_known(const char *group, const char *kind);

/* One kind each; NULL after a fault or without memory. The object is the caller's. */
struct namespace_ *decode_namespace(struct decoder *d, const json_t *json, const char *name);
struct node *decode_node(struct decoder *d, const json_t *json, const char *name);
struct pod *decode_pod(struct decoder *d, const json_t *json, const char *ns, const char *name);
struct network_policy *decode_network_policy(struct decoder *d, const json_t *json, const char *ns,
					     const char *name);

/* Whom a policy selects and where it isolates, as far as it can be read: fails closed. */
void decode_closed_policy(struct decoder *d, const json_t *json, struct network_policy *policy);

/* The parts of a pod that a template has too: labels, hostNetwork, named ports. */
void decode_pod_template(struct decoder *d, const json_t *template, struct pod *pod);

/* The stand-ins for the pods of a workload, appended to ret->objects. */
bool is_workload(const char *group, const char *kind);
void decode_workload(struct decoder *d, const json_t *json, const char *kind, const char *ns,
		     const char *name, struct decoded *ret);

#endif
