/* SPDX-License-Identifier: GPL-2.0-or-later */
/* networking.k8s.io/v1 NetworkPolicy: defaults of pkg/apis/networking/v1/defaults.go, validation of
 * pkg/apis/networking/validation, as of Kubernetes 1.36. */
#include <string.h>

#include "base/intern.h"
#include "fields.h"

#define PORT_MAX 65535

uint8_t decode_protocol(struct decoder *d, const json_t *parent, bool empty_is_tcp)
{
	static const char *const words[] = {"TCP", "UDP", "SCTP"};
	const char *word = get_string(d, parent, "protocol");

	if (!word || (empty_is_tcp && !word[0]))
		return PROTO_TCP;
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i]) == 0)
			return (uint8_t)i;
	}
	path_key(d, "protocol");
	refuse(d, json_object_get(parent, "protocol"), "expected TCP, UDP or SCTP");
	path_pop(d);
	return PROTO_TCP;
}

static void decode_port_value(struct decoder *d, const json_t *value, struct policy_port *port)
{
	path_key(d, "port");
	if (json_is_string(value)) {
		if (valid_port_name(json_string_value(value)))
			port->name = decode_intern(d, json_string_value(value));
		else
			refuse(d, value,
			       "expected a port name (at most 15 of a-z 0-9 -, at least one "
			       "letter, "
			       "no - at either end or doubled), or a number without quotes");
	} else if (!json_is_integer(value)) {
		refuse(d, value, "expected a number or a port name");
	} else if (json_integer_value(value) < 1 || json_integer_value(value) > PORT_MAX) {
		refuse(d, value, "expected 1 to 65535");
	} else {
		port->first = port->last = (uint16_t)json_integer_value(value);
	}
	path_pop(d);
}

static void decode_end_port(struct decoder *d, const json_t *json, const json_t *port_value,
			    struct policy_port *port)
{
	const json_t *end = get_any(json, "endPort");

	if (!end)
		return;
	path_key(d, "endPort");
	if (!json_is_integer(end))
		refuse(d, end, "expected a number");
	else if (!port_value)
		refuse(d, end, "expected `port` beside it: a range needs its beginning");
	else if (json_is_string(port_value))
		refuse(d, end, "expected a numeric `port` beside it: a named port has no range");
	else if (json_integer_value(end) < port->first || json_integer_value(end) > PORT_MAX)
		refuse(d, end, "expected at least `port` and at most 65535");
	else
		port->last = (uint16_t)json_integer_value(end);
	path_pop(d);
}

static void decode_port(struct decoder *d, const json_t *json, struct policy_port *port)
{
	static const char *const known[] = {"protocol", "port", "endPort", NULL};
	const json_t *value = get_any(json, "port");

	refuse_unknown(d, json, known);
	port->proto = decode_protocol(d, json, false);
	port->first = 0;
	port->last = PORT_MAX;
	if (value)
		decode_port_value(d, value, port);
	decode_end_port(d, json, value, port);
}

/* What a strict API server refuses and an older one let in. */
static void judge_sloppy(struct decoder *d, const json_t *value, unsigned sloppy,
			 const struct prefix *prefix)
{
	char text[PREFIX_TEXT_MAX];
	const char *what = NULL;

	if (sloppy & SLOPPY_ZEROS)
		what = "no leading zeros";
	else if (sloppy & SLOPPY_MAPPED)
		what = "no IPv4-mapped IPv6 address";
	else if (sloppy & SLOPPY_HOST)
		what = "no bits set beyond the prefix length";
	if (!what)
		return;
	if (d->accepted)
		warn(d, value,
		     "read as %s; Kubernetes 1.36 refuses this in new objects: expected %s",
		     prefix_format(prefix, text), what);
	else
		refuse(d, value, "expected %s: write %s", what, prefix_format(prefix, text));
}

static bool decode_cidr(struct decoder *d, const json_t *value, struct prefix *ret)
{
	unsigned sloppy;

	if (!json_is_string(value)) {
		refuse(d, value, "expected a CIDR in a string, such as \"10.0.0.0/8\"");
		return false;
	}
	if (!prefix_parse(json_string_value(value), ret, &sloppy)) {
		refuse(d, value, "expected a CIDR, such as 10.0.0.0/8 or 2001:db8::/64");
		return false;
	}
	judge_sloppy(d, value, sloppy, ret);
	return true;
}

static void decode_block(struct decoder *d, const json_t *json, struct ip_block *block)
{
	static const char *const known[] = {"cidr", "except", NULL};
	const json_t *cidr = get_any(json, "cidr"), *except = get_array(d, json, "except");

	refuse_unknown(d, json, known);
	path_key(d, "cidr");
	bool whole = decode_cidr(d, cidr, &block->cidr);
	path_pop(d);

	block->except = decode_alloc(d, json_array_size(except), sizeof(block->except[0]));
	path_key(d, "except");
	for (size_t i = 0; block->except && i < json_array_size(except); i++) {
		const json_t *value = json_array_get(except, i);
		struct prefix *hole = &block->except[block->n_except];

		path_index(d, i);
		if (decode_cidr(d, value, hole)) {
			if (whole && (hole->len <= block->cidr.len ||
				      !prefix_contains(&block->cidr, &hole->addr)))
				refuse(d, value, "expected a strict subset of `cidr`, %s",
				       json_string_value(cidr));
			block->n_except++;
		}
		path_pop(d);
	}
	path_pop(d);
}

static bool peer_selector(struct decoder *d, const json_t *json, const char *key,
			  struct label_selector *ret)
{
	const json_t *selector = get_object(d, json, key);

	if (!selector)
		return false;
	path_key(d, key);
	decode_selector(d, selector, ret);
	path_pop(d);
	return true;
}

static void decode_peer(struct decoder *d, const json_t *json, struct policy_peer *peer)
{
	static const char *const known[] = {"podSelector", "namespaceSelector", "ipBlock", NULL};
	size_t before = d->errors;
	const json_t *block = get_object(d, json, "ipBlock");

	refuse_unknown(d, json, known);
	peer->has_pod_selector = peer_selector(d, json, "podSelector", &peer->pod_selector);
	peer->has_ns_selector = peer_selector(d, json, "namespaceSelector", &peer->ns_selector);
	peer->has_block = block != NULL;
	if (block) {
		path_key(d, "ipBlock");
		if (peer->has_pod_selector || peer->has_ns_selector)
			refuse(d, NULL,
			       "expected to stand alone: a peer is an ipBlock or selectors, not "
			       "both");
		decode_block(d, block, &peer->block);
		path_pop(d);
	}
	if (d->errors == before && !block && !peer->has_pod_selector && !peer->has_ns_selector)
		refuse(d, json,
		       "expected a peer: podSelector, namespaceSelector, both, or ipBlock (for any "
		       "peer leave the list out)");
}

static void decode_rule(struct decoder *d, const json_t *json, enum direction dir,
			struct policy_rule *rule)
{
	static const char *const known[DIR_COUNT][3] = {
		[DIR_INGRESS] = {"ports", "from", NULL},
		[DIR_EGRESS] = {"ports", "to", NULL},
	};
	const char *peer_key = known[dir][1];
	const json_t *ports = get_array(d, json, "ports"), *peers = get_array(d, json, peer_key);

	refuse_unknown(d, json, known[dir]);
	rule->line = path_line(d);
	rule->ports = decode_alloc(d, json_array_size(ports), sizeof(rule->ports[0]));
	path_key(d, "ports");
	for (size_t i = 0; rule->ports && i < json_array_size(ports); i++) {
		path_index(d, i);
		decode_port(d, element_object(d, ports, i), &rule->ports[rule->n_ports++]);
		path_pop(d);
	}
	path_pop(d);

	rule->peers = decode_alloc(d, json_array_size(peers), sizeof(rule->peers[0]));
	path_key(d, peer_key);
	for (size_t i = 0; rule->peers && i < json_array_size(peers); i++) {
		path_index(d, i);
		decode_peer(d, element_object(d, peers, i), &rule->peers[rule->n_peers++]);
		path_pop(d);
	}
	path_pop(d);
}

static void decode_rules(struct decoder *d, const json_t *spec, enum direction dir,
			 struct network_policy *policy)
{
	const char *key = direction_name(dir);
	const json_t *rules = get_array(d, spec, key);
	size_t n = json_array_size(rules);

	policy->rules[dir] = decode_alloc(d, n, sizeof(policy->rules[dir][0]));
	if (!policy->rules[dir])
		return;
	path_key(d, key);
	for (size_t i = 0; i < n; i++) {
		path_index(d, i);
		decode_rule(d, element_object(d, rules, i), dir,
			    &policy->rules[dir][policy->n_rules[dir]++]);
		path_pop(d);
	}
	path_pop(d);
}

static void decode_types(struct decoder *d, const json_t *spec, struct network_policy *policy)
{
	const json_t *types = get_array(d, spec, "policyTypes");

	path_key(d, "policyTypes");
	if (json_array_size(types) > 2)
		refuse(d, types, "expected at most two");
	for (size_t i = 0; i < json_array_size(types); i++) {
		const json_t *type = json_array_get(types, i);
		const char *word = json_string_value(type);

		path_index(d, i);
		if (word && strcmp(word, "Ingress") == 0)
			policy->isolates[DIR_INGRESS] = true;
		else if (word && strcmp(word, "Egress") == 0)
			policy->isolates[DIR_EGRESS] = true;
		else
			refuse(d, type, "expected Ingress or Egress");
		path_pop(d);
	}
	path_pop(d);
	if (json_array_size(types) == 0) {
		/* An egress-only policy without policyTypes isolates ingress too. */
		policy->isolates[DIR_INGRESS] = true;
		policy->isolates[DIR_EGRESS] = policy->n_rules[DIR_EGRESS] > 0;
	}
}

/* Nothing in it has a meaning for us; what an API server refuses is refused all the same. */
static void check_metadata(struct decoder *d, const json_t *metadata)
{
	static const char *const known[] = {"name",
					    "generateName",
					    "namespace",
					    "selfLink",
					    "uid",
					    "resourceVersion",
					    "generation",
					    "creationTimestamp",
					    "deletionTimestamp",
					    "deletionGracePeriodSeconds",
					    "labels",
					    "annotations",
					    "ownerReferences",
					    "finalizers",
					    "managedFields",
					    NULL};
	const json_t *annotations;
	struct labels labels = {0};
	const char *key;
	json_t *value;

	path_key(d, "metadata");
	refuse_unknown(d, metadata, known);
	decode_labels(d, metadata, "labels", &labels);
	labels_done(d->strings, &labels);
	annotations = get_object(d, metadata, "annotations");
	path_key(d, "annotations");
	json_object_foreach ((json_t *)annotations, key, value) {
		path_map_key(d, key);
		if (!json_is_string(value) && !json_is_null(value))
			refuse(d, value, "expected a string (quote it)");
		path_pop(d);
	}
	path_pop(d);
	path_pop(d);
}

struct network_policy *decode_network_policy(struct decoder *d, const json_t *json, const char *ns,
					     const char *name)
{
	static const char *const known_top[] = {"apiVersion", "kind",   "metadata",
						"spec",       "status", NULL};
	static const char *const known_spec[] = {"podSelector", "ingress", "egress", "policyTypes",
						 NULL};
	struct network_policy *policy = decode_alloc(d, 1, sizeof(*policy));
	const json_t *spec = get_object(d, json, "spec");

	if (!policy)
		return NULL;
	check_metadata(d, get_any(json, "metadata"));
	policy->ns = decode_intern(d, ns);
	policy->name = decode_strdup(d, name);

	refuse_unknown(d, json, known_top);
	path_key(d, "spec");
	refuse_unknown(d, spec, known_spec);
	path_key(d, "podSelector");
	const json_t *subject = get_any(spec, "podSelector");
	if (subject && !json_is_object(subject))
		refuse(d, subject, "expected an object");
	else
		decode_selector(d, subject, &policy->subject);
	path_pop(d);
	for (int dir = 0; dir < DIR_COUNT; dir++)
		decode_rules(d, spec, (enum direction)dir, policy);
	decode_types(d, spec, policy);
	path_pop(d);
	return policy;
}

void decode_closed_policy(struct decoder *d, const json_t *json, struct network_policy *policy)
{
	const json_t *spec = get_object(d, json, "spec"), *egress = get_any(spec, "egress");
	bool speaks_of_egress = egress && (!json_is_array(egress) || json_array_size(egress) > 0);
	size_t before = d->errors;

	decode_selector(d, get_object(d, spec, "podSelector"), &policy->subject);
	if (d->errors > before) {
		label_selector_done(d->strings, &policy->subject);
		policy->subject = (struct label_selector){0};
	}
	before = d->errors;
	decode_types(d, spec, policy);
	if (speaks_of_egress && json_array_size(get_any(spec, "policyTypes")) == 0)
		policy->isolates[DIR_EGRESS] = true;
	if (d->errors > before || !spec)
		policy->isolates[DIR_INGRESS] = policy->isolates[DIR_EGRESS] = true;
}
