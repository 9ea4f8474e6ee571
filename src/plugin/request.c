/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "request.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/vec.h"

#define DEFAULT_SOCKET    "/run/netpold/control.sock"
#define DEFAULT_RESULTS   "/run/netpold-cni"
#define DEFAULT_TIMEOUT_S 30

/* The longest name or identifier of Kubernetes and of container runtimes. */
#define TEXT_MAX 253

const char *const plugin_versions[] = {"0.3.1", "0.4.0", "1.0.0", "1.1.0", NULL};

/* What each command must be given: section "CNI operations" of the specification. */
static const struct {
	const char *name, *since;
	bool container; /* CNI_CONTAINERID and CNI_IFNAME */
} commands[] = {
	[PLUGIN_ADD] = {"ADD", "0.3.1", true},
	[PLUGIN_CHECK] = {"CHECK", "0.4.0", true},
	[PLUGIN_DEL] = {"DEL", "0.3.1", true},
	[PLUGIN_GC] = {"GC", "1.1.0", false},
	[PLUGIN_STATUS] = {"STATUS", "1.1.0", false},
	[PLUGIN_VERSION] = {"VERSION", "0.3.1", false},
};

int plugin_fail(struct plugin_error *error, enum plugin_code code, const char *format, ...)
{
	va_list args;

	error->code = code;
	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -EINVAL;
}

/* Sections "Parameters" and "Network configuration": [a-zA-Z0-9][a-zA-Z0-9_.-]*. These become a
 * file's name. */
static bool is_identifier(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > TEXT_MAX || !isalnum((unsigned char)text[0]))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr("_.-", text[i]))
			return false;
	}
	return true;
}

/* As dev_valid_name() of the kernel; and UTF-8, as the result goes into a file of JSON. */
static bool is_interface(const char *text)
{
	size_t len = strlen(text), step;
	uint32_t c;

	if (len == 0 || len >= IFNAMSIZ || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i += step) {
		step = utf8_decode(text + i, &c);
		if (step == 0 || text[i] == '/' || text[i] == ':' ||
		    isspace((unsigned char)text[i]))
			return false;
	}
	return true;
}

static int parse_command(struct plugin_request *r, const struct plugin_environment *env,
			 struct plugin_error *error)
{
	for (int i = 0; env->command && i < PLUGIN_COMMAND_COUNT; i++) {
		if (strcmp(commands[i].name, env->command) == 0) {
			r->command = (enum plugin_command)i;
			return 0;
		}
	}
	return plugin_fail(error, PLUGIN_INVALID_ENVIRONMENT,
			   "CNI_COMMAND=%.64s: expected ADD, CHECK, DEL, GC, STATUS or VERSION",
			   env->command ? env->command : "");
}

static int parse_container(struct plugin_request *r, const struct plugin_environment *env,
			   struct plugin_error *error)
{
	if (!commands[r->command].container)
		return 0;
	if (!env->container || !is_identifier(env->container))
		return plugin_fail(error, PLUGIN_INVALID_ENVIRONMENT,
				   "CNI_CONTAINERID=%.64s: expected letters, digits, and _.- "
				   "behind the first",
				   env->container ? env->container : "");
	if (!env->ifname || !is_interface(env->ifname))
		return plugin_fail(error, PLUGIN_INVALID_ENVIRONMENT,
				   "CNI_IFNAME=%.64s: expected the name of an interface",
				   env->ifname ? env->ifname : "");
	r->container = env->container;
	r->ifname = env->ifname;
	return 0;
}

/* Section "Parameters": KEY=VALUE;KEY=VALUE. Of the same key twice the last counts, as for other
 * plugins (types.LoadArgs() of containernetworking/cni). *ret stays as it was without the key. */
static int parse_arg(const char *args, const char *key, char **ret)
{
	size_t key_len = strlen(key);

	for (const char *p = args; p && *p; p += strcspn(p, ";"), p += *p == ';') {
		size_t len = strcspn(p, ";");
		char *value;

		if (len <= key_len || strncmp(p, key, key_len) != 0 || p[key_len] != '=')
			continue;
		value = strndup(p + key_len + 1, len - key_len - 1);
		if (!value)
			return -ENOMEM;
		free(*ret);
		*ret = value;
	}
	return *ret || (*ret = strdup("")) ? 0 : -ENOMEM;
}

/* Kubernetes validates both as DNS names. */
static bool is_name_or_none(const char *text)
{
	return !*text || is_identifier(text);
}

static int parse_pod(struct plugin_request *r, const struct plugin_environment *env,
		     struct plugin_error *error)
{
	if (parse_arg(env->args, "K8S_POD_NAMESPACE", &r->ns) < 0 ||
	    parse_arg(env->args, "K8S_POD_NAME", &r->pod) < 0 ||
	    parse_arg(env->args, "K8S_POD_UID", &r->uid) < 0)
		return -ENOMEM;
	if (is_name_or_none(r->ns) && is_name_or_none(r->pod) && is_name_or_none(r->uid) &&
	    (!*r->ns == !*r->pod))
		return 0;
	return plugin_fail(error, PLUGIN_INVALID_ENVIRONMENT,
			   "CNI_ARGS=%.200s: expected names of Kubernetes in K8S_POD_NAMESPACE, "
			   "K8S_POD_NAME and K8S_POD_UID",
			   env->args);
}

static int parse_version(struct plugin_request *r, struct plugin_error *error)
{
	const char *version = json_string_value(json_object_get(r->config, "cniVersion"));

	/* Section "Network configuration": without it, 0.1.0. */
	for (size_t i = 0; version && plugin_versions[i]; i++) {
		if (strcmp(plugin_versions[i], version) == 0)
			r->version = version;
	}
	if (r->command == PLUGIN_VERSION)
		return 0;
	/* They are all of one digit each, so that text compares as numbers. */
	if (r->version && strcmp(r->version, commands[r->command].since) >= 0)
		return 0;
	return plugin_fail(
		error, PLUGIN_INCOMPATIBLE_VERSION,
		"cniVersion \"%.64s\": expected 0.3.1, 0.4.0, 1.0.0 or 1.1.0, and for %s "
		"at least %s",
		version ? version : "", commands[r->command].name, commands[r->command].since);
}

/* A path from the root, or what it is by default. */
static int parse_path(const struct plugin_request *r, const char *key, const char **to,
		      struct plugin_error *error)
{
	const json_t *value = json_object_get(r->config, key);
	const char *path = json_string_value(value);

	if (!value)
		return 0;
	if (!path || path[0] != '/' || strlen(path) > PATH_MAX / 2)
		return plugin_fail(error, PLUGIN_INVALID_CONFIG,
				   "%s: expected a path that begins with /", key);
	*to = path;
	return 0;
}

static int parse_timeout(struct plugin_request *r, struct plugin_error *error)
{
	const json_t *value = json_object_get(r->config, "timeout");

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 1 ||
	    json_integer_value(value) > PLUGIN_TIMEOUT_MAX)
		return plugin_fail(error, PLUGIN_INVALID_CONFIG,
				   "timeout: expected seconds, a number from 1 to %d",
				   PLUGIN_TIMEOUT_MAX);
	r->timeout_s = (unsigned)json_integer_value(value);
	return 0;
}

static int parse_config(struct plugin_request *r, struct plugin_error *error)
{
	int rc;

	r->network = json_string_value(json_object_get(r->config, "name"));
	if (!r->network || !is_identifier(r->network))
		return plugin_fail(error, PLUGIN_INVALID_CONFIG,
				   "name: expected that of the network: letters, digits, and _.- "
				   "behind the first");
	rc = parse_path(r, "socket", &r->socket, error);
	if (rc == 0)
		rc = parse_path(r, "resultsDir", &r->results_dir, error);
	if (rc == 0)
		rc = parse_timeout(r, error);
	r->result = json_object_get(r->config, "prevResult");
	if (rc == 0 && r->result && !json_is_object(r->result))
		rc = plugin_fail(error, PLUGIN_INVALID_CONFIG, "prevResult: expected an object");
	if (rc == 0 && !r->result && (r->command == PLUGIN_ADD || r->command == PLUGIN_CHECK))
		rc = plugin_fail(error, PLUGIN_INVALID_CONFIG,
				 "prevResult is missing: netpold-cni sets up no network; expected "
				 "it behind another plugin, as the last of the list");
	return rc;
}

static int load(struct plugin_request *r, const char *text, size_t len, struct plugin_error *error)
{
	json_error_t failure;

	if (len > PLUGIN_INPUT_MAX)
		return plugin_fail(error, PLUGIN_DECODE,
				   "the network configuration is larger than %u bytes",
				   PLUGIN_INPUT_MAX);
	errno = 0;
	r->config = json_loadb(text, len, 0, &failure);
	if (errno == ENOMEM)
		return -ENOMEM;
	if (!json_is_object(r->config) && r->command != PLUGIN_VERSION)
		return plugin_fail(error, PLUGIN_DECODE, "the network configuration: %s",
				   r->config ? "expected an object" : failure.text);
	return 0;
}

int plugin_request_parse(struct plugin_request *r, const struct plugin_environment *env,
			 const char *text, size_t len, struct plugin_error *error)
{
	int rc;

	*r = (struct plugin_request){.socket = DEFAULT_SOCKET,
				     .results_dir = DEFAULT_RESULTS,
				     .timeout_s = DEFAULT_TIMEOUT_S};
	rc = parse_command(r, env, error);
	if (rc == 0)
		rc = load(r, text, len, error);
	if (rc == 0)
		rc = parse_version(r, error);
	if (rc < 0 || r->command == PLUGIN_VERSION)
		return rc;
	rc = parse_container(r, env, error);
	if (rc == 0 && commands[r->command].container)
		rc = parse_pod(r, env, error);
	return rc == 0 ? parse_config(r, error) : rc;
}

void plugin_request_done(struct plugin_request *r)
{
	json_decref(r->config);
	free(r->ns);
	free(r->pod);
	free(r->uid);
}
