/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"

const char *proto_name(enum proto proto)
{
	static const char *const names[] = {"tcp", "udp", "sctp", "other"};

	return names[proto];
}

uint8_t proto_number(enum proto proto)
{
	static const uint8_t numbers[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, 0};

	return numbers[proto];
}

const char *direction_name(enum direction dir)
{
	return dir == DIR_INGRESS ? "ingress" : "egress";
}

const char *kind_name(enum kind kind)
{
	static const char *const names[] = {"Namespace", "Node", "Pod", "NetworkPolicy"};

	return names[kind];
}

static int compare_ports(const void *left, const void *right)
{
	const struct pod_port *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	if (order == 0)
		order = (a->proto > b->proto) - (a->proto < b->proto);
	return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

size_t pod_sort_ports(struct intern *strings, struct pod *pod)
{
	size_t kept = 0, same = 0, dropped = 0;

	if (pod->n_ports > 0)
		qsort(pod->ports, pod->n_ports, sizeof(pod->ports[0]), compare_ports);
	for (size_t i = 0; i < pod->n_ports; i++) {
		struct pod_port *port = &pod->ports[i], *last = kept ? &pod->ports[kept - 1] : NULL;
		bool of_last = last && last->name == port->name && last->proto == port->proto;
		bool doubled = of_last && last->number == port->number;

		same = of_last ? same + !doubled : 1;
		if (!doubled && same <= POD_PORT_NUMBERS_MAX && kept < POD_PORTS_MAX) {
			pod->ports[kept++] = *port;
			continue;
		}
		dropped += !doubled;
		intern_put(strings, port->name);
	}
	pod->n_ports = kept;
	return dropped;
}

/* Where the name and protocol are, or would be. */
static size_t port_place(const struct pod *pod, const char *name, uint8_t proto)
{
	size_t low = 0, high = pod->n_ports;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pod_port *port = &pod->ports[middle];
		int order = strcmp(port->name, name);

		if (order < 0 || (order == 0 && port->proto < proto))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t pod_ports_named(const struct pod *pod, const char *name, uint8_t proto, size_t *ret_first)
{
	size_t first = port_place(pod, name, proto), n = 0;

	while (first + n < pod->n_ports && pod->ports[first + n].name == name &&
	       pod->ports[first + n].proto == proto)
		n++;
	*ret_first = first;
	return n;
}

bool pod_finished(const struct pod *pod)
{
	return pod->phase == POD_SUCCEEDED || pod->phase == POD_FAILED;
}

void labels_done(struct intern *strings, struct labels *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		intern_put(strings, labels->v[i].key);
		intern_put(strings, labels->v[i].value);
	}
	free(labels->v);
}

void label_selector_done(struct intern *strings, struct label_selector *selector)
{
	for (size_t i = 0; i < selector->n; i++) {
		struct requirement *req = &selector->v[i];

		intern_put(strings, req->key);
		for (size_t j = 0; j < req->n_values; j++)
			intern_put(strings, req->values[j]);
		free(req->values);
	}
	free(selector->v);
}

void namespace_free(struct intern *strings, struct namespace_ *ns)
{
	if (!ns)
		return;
	labels_done(strings, &ns->labels);
	intern_put(strings, ns->name);
	intern_put(strings, ns->origin.file);
	free(ns);
}

void node_free(struct intern *strings, struct node *node)
{
	if (!node)
		return;
	labels_done(strings, &node->labels);
	intern_put(strings, node->name);
	intern_put(strings, node->origin.file);
	free(node->addrs);
	free(node->pod_cidrs);
	free(node);
}

void pod_free(struct intern *strings, struct pod *pod)
{
	if (!pod)
		return;
	labels_done(strings, &pod->labels);
	for (size_t i = 0; i < pod->n_ports; i++)
		intern_put(strings, pod->ports[i].name);
	free(pod->ports);
	intern_put(strings, pod->ns);
	intern_put(strings, pod->node);
	intern_put(strings, pod->interface);
	intern_put(strings, pod->bridge);
	intern_put(strings, pod->origin.file);
	free(pod->name);
	free(pod->uid);
	free(pod);
}

/* Lists: what cannot be copied leaves a pod that pod_free() takes. */
static int copy_lists(struct pod *copy, const struct pod *pod)
{
	copy->labels.v = malloc((pod->labels.n + 1) * sizeof(copy->labels.v[0]));
	copy->ports = malloc((pod->n_ports + 1) * sizeof(copy->ports[0]));
	copy->name = strdup(pod->name);
	copy->uid = pod->uid ? strdup(pod->uid) : NULL;
	if (!copy->labels.v || !copy->ports || !copy->name || (pod->uid && !copy->uid))
		return -ENOMEM;
	for (size_t i = 0; i < pod->labels.n; i++)
		copy->labels.v[copy->labels.n++] = (struct label){
			intern_ref(pod->labels.v[i].key), intern_ref(pod->labels.v[i].value)};
	for (size_t i = 0; i < pod->n_ports; i++) {
		copy->ports[copy->n_ports] = pod->ports[i];
		copy->ports[copy->n_ports++].name = intern_ref(pod->ports[i].name);
	}
	return 0;
}

struct pod *pod_copy(struct intern *strings, const struct pod *pod)
{
	struct pod *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *pod;
	copy->labels = (struct labels){0};
	copy->ports = NULL;
	copy->n_ports = 0;
	copy->ns = intern_ref(pod->ns);
	copy->node = intern_ref(pod->node);
	copy->interface = intern_ref(pod->interface);
	copy->bridge = intern_ref(pod->bridge);
	copy->origin.file = intern_ref(pod->origin.file);
	if (copy_lists(copy, pod) == 0)
		return copy;
	pod_free(strings, copy);
	return NULL;
}

static void rule_done(struct intern *strings, struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->n_peers; i++) {
		label_selector_done(strings, &rule->peers[i].pod_selector);
		label_selector_done(strings, &rule->peers[i].ns_selector);
		free(rule->peers[i].block.except);
	}
	for (size_t i = 0; i < rule->n_ports; i++)
		intern_put(strings, rule->ports[i].name);
	free(rule->peers);
	free(rule->ports);
}

void network_policy_free(struct intern *strings, struct network_policy *policy)
{
	if (!policy)
		return;
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		for (size_t i = 0; i < policy->n_rules[dir]; i++)
			rule_done(strings, &policy->rules[dir][i]);
		free(policy->rules[dir]);
	}
	label_selector_done(strings, &policy->subject);
	intern_put(strings, policy->ns);
	intern_put(strings, policy->origin.file);
	free(policy->name);
	free(policy);
}

static void unenforced_policy_free(struct intern *strings, struct unenforced_policy *policy)
{
	if (!policy)
		return;
	intern_put(strings, policy->type);
	intern_put(strings, policy->ns);
	free(policy->name);
	free(policy);
}

void object_free(struct intern *strings, struct object object)
{
	switch (object.kind) {
	case KIND_NAMESPACE:
		namespace_free(strings, object.namespace_);
		break;
	case KIND_NODE:
		node_free(strings, object.node);
		break;
	case KIND_POD:
		pod_free(strings, object.pod);
		break;
	case KIND_NETWORK_POLICY:
		network_policy_free(strings, object.policy);
		break;
	case KIND_UNENFORCED:
		unenforced_policy_free(strings, object.unenforced);
		break;
	case KIND_COUNT:
		break;
	}
}

const char *object_ns(const struct object *object)
{
	switch (object->kind) {
	case KIND_POD:
		return object->pod->ns;
	case KIND_NETWORK_POLICY:
		return object->policy->ns;
	case KIND_UNENFORCED:
		return object->unenforced->ns;
	case KIND_NAMESPACE:
	case KIND_NODE:
	case KIND_COUNT:
		break;
	}
	return NULL;
}

const char *object_own_name(const struct object *object)
{
	switch (object->kind) {
	case KIND_NAMESPACE:
		return object->namespace_->name;
	case KIND_NODE:
		return object->node->name;
	case KIND_POD:
		return object->pod->name;
	case KIND_NETWORK_POLICY:
		return object->policy->name;
	case KIND_UNENFORCED:
		return object->unenforced->name;
	case KIND_COUNT:
		break;
	}
	return "";
}

const char *object_name(const struct object *object, char buf[static OBJECT_NAME_MAX])
{
	const char *ns = object_ns(object);

	(void)snprintf(buf, OBJECT_NAME_MAX, "%s%s%s", ns ? ns : "", ns ? "/" : "",
		       object_own_name(object));
	return buf;
}

/* The members of a kind that make its name. */
struct name_slots {
	void *object;
	const char **ns, **interned_name;
	char **own_name;
};

static struct name_slots alloc_of_kind(enum kind kind, struct object *object)
{
	struct name_slots slots = {0};

	object->kind = kind;
	switch (kind) {
	case KIND_NAMESPACE:
		slots.object = object->namespace_ = calloc(1, sizeof(*object->namespace_));
		slots.interned_name = slots.object ? &object->namespace_->name : NULL;
		break;
	case KIND_NODE:
		slots.object = object->node = calloc(1, sizeof(*object->node));
		slots.interned_name = slots.object ? &object->node->name : NULL;
		break;
	case KIND_POD:
		slots.object = object->pod = calloc(1, sizeof(*object->pod));
		slots.ns = slots.object ? &object->pod->ns : NULL;
		slots.own_name = slots.object ? &object->pod->name : NULL;
		break;
	case KIND_NETWORK_POLICY:
		slots.object = object->policy = calloc(1, sizeof(*object->policy));
		slots.ns = slots.object ? &object->policy->ns : NULL;
		slots.own_name = slots.object ? &object->policy->name : NULL;
		break;
	case KIND_UNENFORCED:
	case KIND_COUNT:
		break;
	}
	return slots;
}

int object_of_name(struct intern *strings, enum kind kind, const char *ns, const char *name,
		   struct object *ret)
{
	struct object object = {.kind = kind};
	struct name_slots slots = alloc_of_kind(kind, &object);
	bool good = slots.object != NULL;

	if (slots.ns)
		good = (*slots.ns = intern_get(strings, ns ? ns : "default")) && good;
	if (slots.interned_name)
		good = (*slots.interned_name = intern_get(strings, name)) && good;
	if (slots.own_name)
		good = (*slots.own_name = strdup(name)) && good;
	if (!good) {
		object_free(strings, object);
		return -ENOMEM;
	}
	*ret = object;
	return 0;
}

int object_of_unenforced(struct intern *strings, const char *type, const char *ns, const char *name,
			 struct object *ret)
{
	struct object object = {.kind = KIND_UNENFORCED,
				.unenforced = calloc(1, sizeof(*object.unenforced))};
	struct unenforced_policy *policy = object.unenforced;

	if (policy) {
		policy->type = intern_get(strings, type);
		policy->ns = ns ? intern_get(strings, ns) : NULL;
		policy->name = strdup(name);
	}
	if (!policy || !policy->type || (ns && !policy->ns) || !policy->name) {
		object_free(strings, object);
		return -ENOMEM;
	}
	*ret = object;
	return 0;
}

const struct origin *object_origin(const struct object *object)
{
	switch (object->kind) {
	case KIND_NAMESPACE:
		return &object->namespace_->origin;
	case KIND_NODE:
		return &object->node->origin;
	case KIND_POD:
		return &object->pod->origin;
	case KIND_NETWORK_POLICY:
	case KIND_UNENFORCED:
	case KIND_COUNT:
		break;
	}
	return &object->policy->origin;
}

/* Interned, so a few are found fastest by walking; many (a hostile object's) by halving. */
#define WALK_MAX 16

static int compare_label_key(const void *key, const void *label)
{
	return strcmp(key, ((const struct label *)label)->key);
}

/* The value of a key (an interned string), or NULL. */
static const char *labels_find(const struct labels *labels, const char *interned_key)
{
	if (labels->n > WALK_MAX) {
		struct label *label = bsearch(interned_key, labels->v, labels->n,
					      sizeof(labels->v[0]), compare_label_key);
		return label ? label->value : NULL;
	}
	for (size_t i = 0; i < labels->n; i++) {
		if (labels->v[i].key == interned_key)
			return labels->v[i].value;
	}
	return NULL;
}

static int compare_value(const void *value, const void *listed)
{
	return strcmp(value, *(const char *const *)listed);
}

static bool value_listed(const struct requirement *req, const char *value)
{
	if (req->n_values > WALK_MAX)
		return bsearch(value, req->values, req->n_values, sizeof(req->values[0]),
			       compare_value) != NULL;
	for (size_t i = 0; i < req->n_values; i++) {
		if (req->values[i] == value)
			return true;
	}
	return false;
}

static bool requirement_matches(const struct requirement *req, const struct labels *labels)
{
	const char *value = labels_find(labels, req->key);

	switch (req->op) {
	case LABEL_IN:
		return value && value_listed(req, value);
	case LABEL_NOT_IN:
		return !value || !value_listed(req, value);
	case LABEL_EXISTS:
		return value != NULL;
	case LABEL_DOES_NOT_EXIST:
		return value == NULL;
	}
	return false;
}

bool label_selector_matches(const struct label_selector *selector, const struct labels *labels)
{
	for (size_t i = 0; i < selector->n; i++) {
		if (!requirement_matches(&selector->v[i], labels))
			return false;
	}
	return true;
}
