/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node/cni.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "cni_config.h"

/* The longest name or identifier of Kubernetes and of container runtimes. */
#define TEXT_MAX 253

struct cni_result *cni_result_ref(struct cni_result *result)
{
	result->refs++;
	return result;
}

void cni_result_put(struct cni_result *result)
{
	if (!result || --result->refs > 0)
		return;
	free(result->file);
	free(result->ns);
	free(result->name);
	free(result->uid);
	free(result->container);
	free(result->network);
	free(result->ifname);
	free(result);
}

static void put_result(struct cni_result **result)
{
	cni_result_put(*result);
}

static int compare_written(const struct cni_result *a, const struct cni_result *b)
{
	if (a->written.tv_sec != b->written.tv_sec)
		return a->written.tv_sec < b->written.tv_sec ? -1 : 1;
	if (a->written.tv_nsec != b->written.tv_nsec)
		return a->written.tv_nsec < b->written.tv_nsec ? -1 : 1;
	return 0;
}

bool cni_result_newer(const struct cni_result *a, const struct cni_result *b)
{
	int order = compare_written(a, b);

	return order != 0 ? order > 0 : strcmp(a->file, b->file) > 0;
}

bool cni_result_equal(const struct cni_result *a, const struct cni_result *b)
{
	return compare_written(a, b) == 0 && strcmp(a->file, b->file) == 0 &&
	       strcmp(a->ns, b->ns) == 0 && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->uid, b->uid) == 0 && strcmp(a->container, b->container) == 0 &&
	       strcmp(a->network, b->network) == 0 && strcmp(a->ifname, b->ifname) == 0 &&
	       a->n_others == b->n_others && a->in_sandbox == b->in_sandbox &&
	       strcmp(a->type, b->type) == 0 &&
	       memcmp(a->others, b->others, sizeof(a->others)) == 0 && a->n_links == b->n_links &&
	       a->n_addrs == b->n_addrs && a->has_mac == b->has_mac &&
	       memcmp(a->links, b->links, sizeof(a->links)) == 0 &&
	       memcmp(a->addrs, b->addrs, sizeof(a->addrs)) == 0 &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}

/* Names end up in messages and in rulesets: no blanks, no control characters. */
static bool is_name(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	}
	return len > 0 && len <= TEXT_MAX;
}

/* The text of a member; "": it has none, or not as a string. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* cniArgs is a list of pairs; with the same name twice the last one counts, as for a plugin. */
static const char *arg_of(const json_t *root, const char *key)
{
	const json_t *pair;
	const char *value = "";
	size_t i;

	json_array_foreach (json_object_get(root, "cniArgs"), i, pair) {
		const char *name = json_string_value(json_array_get(pair, 0));
		const char *text = json_string_value(json_array_get(pair, 1));

		if (name && text && strcmp(name, key) == 0)
			value = text;
	}
	return value;
}

static bool is_our_interface(const struct cni_result *result, const json_t *interface)
{
	return *text_of(interface, "sandbox") != '\0' &&
	       strcmp(text_of(interface, "name"), result->ifname) == 0;
}

static bool parse_mac(const char *text, uint8_t mac[MAC_BYTES])
{
	static const uint8_t none[MAC_BYTES];
	unsigned b[MAC_BYTES];
	char end;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != MAC_BYTES)
		return false;
	for (size_t i = 0; i < MAC_BYTES; i++)
		mac[i] = (uint8_t)b[i];
	/* No pod's: none was set, or a group's. */
	return memcmp(mac, none, MAC_BYTES) != 0 && (mac[0] & 1) == 0;
}

/* Those without a sandbox are the host's. A plugin may name what does not exist as well; who knows
 * the host's links chooses. */
static void take_interfaces(struct cni_result *result, const json_t *interfaces)
{
	const json_t *interface;
	size_t i;

	json_array_foreach (interfaces, i, interface) {
		const char *name = text_of(interface, "name");

		if (is_our_interface(result, interface)) {
			result->in_sandbox = true;
			result->has_mac = parse_mac(text_of(interface, "mac"), result->mac);
			continue;
		}
		if (*text_of(interface, "sandbox") != '\0' || !is_name(name) ||
		    strlen(name) >= IFNAMSIZ || result->n_links == CNI_LINKS_MAX)
			continue;
		(void)snprintf(result->links[result->n_links++], IFNAMSIZ, "%s", name);
	}
}

/* The sandbox of ifname; "": the plugin does not say. */
static const char *own_sandbox(const struct cni_result *result, const json_t *interfaces)
{
	const json_t *interface;
	size_t i;

	json_array_foreach (interfaces, i, interface) {
		if (is_our_interface(result, interface))
			return text_of(interface, "sandbox");
	}
	return "";
}

/* What else is in the pod's sandbox. A sandbox of another name is none: plugins keep notes there.
 */
static void take_others(struct cni_result *result, const json_t *interfaces)
{
	const char *own = own_sandbox(result, interfaces);
	const json_t *interface;
	size_t i;

	json_array_foreach (interfaces, i, interface) {
		const char *name = text_of(interface, "name");

		if (*own == '\0' || strcmp(text_of(interface, "sandbox"), own) != 0 ||
		    is_our_interface(result, interface) || !is_name(name) ||
		    strlen(name) >= IFNAMSIZ || result->n_others == CNI_LINKS_MAX)
			continue;
		(void)snprintf(result->others[result->n_others++], IFNAMSIZ, "%s", name);
	}
}

/* An address whose index says that it is on another of the pod's interfaces is not of this network.
 * Some plugins point to the host's interface instead, or nowhere. */
static bool is_of_another(const struct cni_result *result, const json_t *interfaces,
			  const json_t *index)
{
	const json_t *interface;

	if (!json_is_integer(index) || json_integer_value(index) < 0)
		return false;
	interface = json_array_get(interfaces, (size_t)json_integer_value(index));
	return *text_of(interface, "sandbox") != '\0' && !is_our_interface(result, interface);
}

static bool has_addr(const struct cni_result *result, const struct addr *addr)
{
	for (size_t i = 0; i < result->n_addrs; i++) {
		if (addr_compare(&result->addrs[i], addr) == 0)
			return true;
	}
	return false;
}

/* ADDRESS/LEN: the address as it is, whatever the length of its network. */
static int take_addr(struct cni_result *result, const char *cidr, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	size_t len = strcspn(cidr, "/");
	struct addr addr;

	(void)snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : 0), cidr);
	if (!addr_parse(text, &addr))
		return err_set(err, -EINVAL, "\"%.64s\" is no address", cidr);
	if (result->n_addrs < CNI_ADDRS_MAX && !has_addr(result, &addr))
		result->addrs[result->n_addrs++] = addr;
	return 0;
}

/* ips since version 0.3.0; ip4 and ip6 before, and when a configuration does not say its version.
 */
static int take_addrs(struct cni_result *result, const json_t *answer, struct err *err)
{
	static const char *const old[] = {"ip4", "ip6"};
	const json_t *interfaces = json_object_get(answer, "interfaces");
	const json_t *ip;
	size_t i;
	int rc = 0;

	json_array_foreach (json_object_get(answer, "ips"), i, ip) {
		if (rc == 0 && !is_of_another(result, interfaces, json_object_get(ip, "interface")))
			rc = take_addr(result, text_of(ip, "address"), err);
	}
	for (i = 0; i < ARRAY_LEN(old) && rc == 0; i++) {
		ip = json_object_get(answer, old[i]);
		if (ip)
			rc = take_addr(result, text_of(ip, "ip"), err);
	}
	return rc;
}

/* -ENOENT: not for us. */
static int take_names(struct cni_result *result, const char *file, const json_t *root,
		      struct err *err)
{
	const char *ns = arg_of(root, "K8S_POD_NAMESPACE"), *name = arg_of(root, "K8S_POD_NAME");
	const char *uid = arg_of(root, "K8S_POD_UID");

	if (strcmp(text_of(root, "ifName"), "lo") == 0 || *ns == '\0' || *name == '\0')
		return -ENOENT;
	if (!is_name(ns) || !is_name(name) || (*uid != '\0' && !is_name(uid)))
		return err_set(err, -EINVAL, "cniArgs: the pod's names are no names");
	result->file = strdup(file);
	result->ns = strdup(ns);
	result->name = strdup(name);
	result->uid = strdup(uid);
	result->container = strdup(text_of(root, "containerId"));
	result->network = strdup(text_of(root, "networkName"));
	result->ifname = strdup(text_of(root, "ifName"));
	return result->file && result->ns && result->name && result->uid && result->container &&
			       result->network && result->ifname
		       ? 0
		       : -ENOMEM;
}

static int load(const char *text, size_t len, json_t **ret_root, struct err *err)
{
	json_error_t error;
	json_t *root;

	if (len == 0)
		return err_set(err, -EINVAL, "empty");
	errno = 0;
	root = json_loadb(text, len, 0, &error);
	/* Without memory jansson may say that it found a wrong token, or nothing at all, or leave
	 * something out. */
	if (errno == ENOMEM) {
		json_decref(root);
		return -ENOMEM;
	}
	if (!root)
		return err_set(err, -EINVAL, "not JSON: %s", error.text);
	*ret_root = root;
	return 0;
}

int cni_parse(const char *file, const char *text, size_t len, const struct timespec *written,
	      struct cni_result **ret_result, struct err *err)
{
	AUTO_JSON json_t *root = NULL;
	CLEANUP(put_result) struct cni_result *result = NULL;
	const json_t *answer;
	int rc = load(text, len, &root, err);

	if (rc < 0)
		return rc;
	if (strcmp(text_of(root, "kind"), "cniCacheV1") != 0)
		return err_set(err, -EINVAL, "kind is \"%.64s\", expected \"cniCacheV1\"",
			       text_of(root, "kind"));
	result = calloc(1, sizeof(*result));
	if (!result)
		return -ENOMEM;
	result->refs = 1;
	result->written = *written;
	rc = take_names(result, file, root, err);
	if (rc < 0)
		return rc;
	answer = json_object_get(root, "result");
	if (!json_is_object(answer))
		return err_set(err, -EINVAL, "result is missing");
	take_interfaces(result, json_object_get(answer, "interfaces"));
	take_others(result, json_object_get(answer, "interfaces"));
	rc = cni_config_type(text_of(root, "config"), result->type);
	if (rc < 0)
		return rc;
	rc = take_addrs(result, answer, err);
	if (rc < 0)
		return rc;
	*ret_result = TAKE(result);
	return 0;
}
