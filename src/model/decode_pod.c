/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces, nodes and pods. */
#include <string.h>
#include <time.h>

#include "base/intern.h"
#include "fields.h"

#define ANNOTATION_INTERFACE   "netpold.io/interface"
#define ANNOTATION_CONFIG_HASH "kubernetes.io/config.hash"
#define INTERFACE_NAME_MAX     15 /* IFNAMSIZ without its NUL */

struct namespace_ *decode_namespace(struct decoder *d, const json_t *json, const char *name)
{
	struct namespace_ *ns = decode_alloc(d, 1, sizeof(*ns));

	if (!ns)
		return NULL;
	ns->name = decode_intern(d, name);
	path_key(d, "metadata");
	decode_own_labels(d, get_object(d, json, "metadata"), &ns->labels);
	path_pop(d);
	labels_set(d, &ns->labels, LABEL_NAMESPACE_NAME, name);
	return ns;
}

static void decode_node_addresses(struct decoder *d, const json_t *addresses, struct node *node)
{
	size_t n = json_array_size(addresses);

	node->addrs = decode_alloc(d, n, sizeof(node->addrs[0]));
	for (size_t i = 0; node->addrs && i < n; i++) {
		path_index(d, i);
		const json_t *entry = element_object(d, addresses, i);
		const char *address = get_string(d, entry, "address");
		path_pop(d);
		/* Hostname, InternalDNS and ExternalDNS are in this list too. */
		if (address && addr_parse(address, &node->addrs[node->n_addrs]))
			node->n_addrs++;
	}
}

/* Only the controller manager writes them; what is none is left out. */
static void decode_pod_cidrs(struct decoder *d, const json_t *json, struct node *node)
{
	const json_t *cidrs = get_array(d, get_object(d, json, "spec"), "podCIDRs");
	size_t n = json_array_size(cidrs);

	node->pod_cidrs = decode_alloc(d, n, sizeof(node->pod_cidrs[0]));
	for (size_t i = 0; node->pod_cidrs && i < n; i++) {
		const char *text = json_string_value(json_array_get(cidrs, i));

		if (text && prefix_parse(text, &node->pod_cidrs[node->n_pod_cidrs], NULL))
			node->n_pod_cidrs++;
	}
}

struct node *decode_node(struct decoder *d, const json_t *json, const char *name)
{
	struct node *node = decode_alloc(d, 1, sizeof(*node));

	if (!node)
		return NULL;
	node->name = decode_intern(d, name);
	path_key(d, "metadata");
	decode_labels(d, get_object(d, json, "metadata"), "labels", &node->labels);
	path_pop(d);
	decode_pod_cidrs(d, json, node);
	const json_t *status = get_object(d, json, "status");
	path_key(d, "status");
	const json_t *addresses = get_array(d, status, "addresses");
	path_key(d, "addresses");
	decode_node_addresses(d, addresses, node);
	path_pop(d);
	path_pop(d);
	return node;
}

/* A container's ports; only named ones matter to policy, all are checked. */
static void decode_ports(struct decoder *d, const json_t *container, struct pod *pod)
{
	const json_t *ports = get_array(d, container, "ports");
	size_t n = json_array_size(ports);

	if (n == 0)
		return;
	struct pod_port *grown = realloc(pod->ports, (pod->n_ports + n) * sizeof(*grown));
	if (!grown) {
		d->no_memory = true;
		return;
	}
	pod->ports = grown;

	path_key(d, "ports");
	for (size_t i = 0; i < n; i++) {
		path_index(d, i);
		const json_t *port = element_object(d, ports, i);
		const json_t *number = get_any(port, "containerPort");
		const char *name = get_string(d, port, "name");
		uint8_t proto = decode_protocol(d, port, true);

		path_key(d, "containerPort");
		if (!json_is_integer(number) || json_integer_value(number) < 1 ||
		    json_integer_value(number) > 65535)
			refuse(d, number, "expected a number from 1 to 65535");
		else if (name && name[0])
			pod->ports[pod->n_ports++] =
				(struct pod_port){.name = decode_intern(d, name),
						  .number = (uint16_t)json_integer_value(number),
						  .proto = proto};
		path_pop(d);
		path_pop(d);
	}
	path_pop(d);
}

/* Ordinary init containers are gone when the pod serves; those that restart always are sidecars and
 * count, as they do for Services (endpointslice.FindPort). */
static void decode_containers(struct decoder *d, const json_t *spec, const char *key,
			      bool sidecars_only, struct pod *pod)
{
	const json_t *containers = get_array(d, spec, key);

	path_key(d, key);
	for (size_t i = 0; i < json_array_size(containers); i++) {
		path_index(d, i);
		const json_t *container = element_object(d, containers, i);
		const char *restart = get_string(d, container, "restartPolicy");

		if (!sidecars_only || (restart && strcmp(restart, "Always") == 0))
			decode_ports(d, container, pod);
		path_pop(d);
	}
	path_pop(d);
}

void decode_pod_template(struct decoder *d, const json_t *template, struct pod *pod)
{
	path_key(d, "metadata");
	decode_own_labels(d, get_object(d, template, "metadata"), &pod->labels);
	path_pop(d);

	const json_t *spec = get_object(d, template, "spec");
	path_key(d, "spec");
	pod->host_network = get_bool(d, spec, "hostNetwork");
	decode_containers(d, spec, "containers", false, pod);
	decode_containers(d, spec, "initContainers", true, pod);
	if (!d->no_memory && pod_sort_ports(d->strings, pod) > 0)
		warn(d, NULL,
		     "only the first %d named ports, and the %d lowest numbers of each, count",
		     POD_PORTS_MAX, POD_PORT_NUMBERS_MAX);
	path_pop(d);
}

/* Adds the address unless its family has one; false when it does. */
static bool add_address(struct addr addrs[FAMILY_COUNT], uint8_t *n, const struct addr *addr)
{
	for (size_t i = 0; i < *n; i++) {
		if (addrs[i].family == addr->family)
			return addr_compare(&addrs[i], addr) == 0;
	}
	addrs[(*n)++] = *addr;
	return true;
}

static void decode_address(struct decoder *d, const json_t *value, struct addr addrs[FAMILY_COUNT],
			   uint8_t *n)
{
	struct addr addr;

	if (!json_is_string(value) || !addr_parse(json_string_value(value), &addr))
		refuse(d, value, "expected an IP address");
	else if (!add_address(addrs, n, &addr))
		refuse(d, value, "expected at most one address of each family");
}

/* The plural field, else the singular one: podIPs, podIP; hostIPs, hostIP. */
static void decode_addresses(struct decoder *d, const json_t *status, const char *plural,
			     const char *singular, struct addr addrs[FAMILY_COUNT], uint8_t *n)
{
	const json_t *list = get_array(d, status, plural);
	const json_t *one = get_any(status, singular);

	path_key(d, plural);
	for (size_t i = 0; i < json_array_size(list); i++) {
		path_index(d, i);
		const json_t *ip = get_any(element_object(d, list, i), "ip");
		path_key(d, "ip");
		decode_address(d, ip, addrs, n);
		path_pop(d);
		path_pop(d);
	}
	path_pop(d);
	/* "" is how Go leaves a field that it was told to write. */
	if (json_array_size(list) > 0 || !one ||
	    (json_is_string(one) && !json_string_value(one)[0]))
		return;
	path_key(d, singular);
	decode_address(d, one, addrs, n);
	path_pop(d);
}

static void decode_phase(struct decoder *d, const json_t *status, struct pod *pod)
{
	static const char *const words[] = {
		[POD_PENDING] = "Pending", [POD_RUNNING] = "Running", [POD_SUCCEEDED] = "Succeeded",
		[POD_FAILED] = "Failed",   [POD_UNKNOWN] = "Unknown",
	};
	const char *word = get_string(d, status, "phase");

	pod->phase = POD_PENDING;
	if (!word || !word[0])
		return;
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i]) == 0) {
			pod->phase = (uint8_t)i;
			return;
		}
	}
	path_key(d, "phase");
	refuse(d, json_object_get(status, "phase"),
	       "expected Pending, Running, Succeeded, Failed or Unknown");
	path_pop(d);
}

/* RFC 3339, as the API server writes it; 0 when absent. */
static int64_t decode_time(struct decoder *d, const json_t *metadata, const char *key)
{
	const char *text = get_string(d, metadata, key);
	struct tm tm = {0};

	if (!text)
		return 0;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end && end[0] == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (end && strcmp(end, "Z") == 0)
		return timegm(&tm);
	path_key(d, key);
	refuse(d, json_object_get(metadata, key), "expected a time such as 2026-11-21T04:12:11Z");
	path_pop(d);
	return 0;
}

/* Printable, and nothing that nft reads as a pattern or a quote; the kernel forbids '/' and ':'. */
static bool valid_interface(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > INTERFACE_NAME_MAX || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~' || strchr("\"*/:\\", name[i]))
			return false;
	}
	return true;
}

static void decode_interface(struct decoder *d, const json_t *metadata, struct pod *pod)
{
	const json_t *annotations = get_object(d, metadata, "annotations");
	const json_t *value = get_any(annotations, ANNOTATION_INTERFACE);

	if (!value || !d->trusted)
		return;
	path_key(d, "annotations");
	path_map_key(d, ANNOTATION_INTERFACE);
	if (get_any(metadata, "uid"))
		warn(d, value,
		     "ignored: the object comes from an API server (it has a uid), where tenants "
		     "can "
		     "write annotations; take metadata.uid out to vouch for it");
	else if (!json_is_string(value) || !valid_interface(json_string_value(value)))
		refuse(d, value,
		       "expected the name of a network interface: 1 to 15 printable characters, "
		       "none "
		       "of \" * / : \\");
	else
		pod->interface = decode_intern(d, json_string_value(value));
	path_pop(d);
	path_pop(d);
}

/* As the kubelet and so the CNI plugins know it: a static pod's is not that of its mirror. */
static char *decode_uid(struct decoder *d, const json_t *metadata)
{
	const json_t *hash = get_any(get_any(metadata, "annotations"), ANNOTATION_CONFIG_HASH);
	const char *uid = get_string(d, metadata, "uid");

	return decode_strdup(d, uid && json_is_string(hash) ? json_string_value(hash) : uid);
}

struct pod *decode_pod(struct decoder *d, const json_t *json, const char *ns, const char *name)
{
	struct pod *pod = decode_alloc(d, 1, sizeof(*pod));

	if (!pod)
		return NULL;
	pod->ns = decode_intern(d, ns);
	pod->name = decode_strdup(d, name);
	decode_pod_template(d, json, pod);

	const json_t *metadata = get_object(d, json, "metadata");
	path_key(d, "metadata");
	pod->uid = decode_uid(d, metadata);
	pod->created = decode_time(d, metadata, "creationTimestamp");
	pod->terminating = get_any(metadata, "deletionTimestamp") != NULL;
	decode_interface(d, metadata, pod);
	path_pop(d);

	path_key(d, "spec");
	const char *node = get_string(d, get_any(json, "spec"), "nodeName");
	pod->node = node && node[0] ? decode_intern(d, node) : NULL;
	path_pop(d);

	const json_t *status = get_object(d, json, "status");
	path_key(d, "status");
	decode_phase(d, status, pod);
	decode_addresses(d, status, "podIPs", "podIP", pod->addrs, &pod->n_addrs);
	decode_addresses(d, status, "hostIPs", "hostIP", pod->host_addrs, &pod->n_host_addrs);
	path_pop(d);
	return pod;
}
