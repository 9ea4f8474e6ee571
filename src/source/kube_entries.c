/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entries of a kubeconfig: a cluster, a user and the plugin that speaks for one. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kubeconfig.h"

#define EXEC_EXTENSION "client.authentication.k8s.io/exec"

static char *url_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;

	return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

/* What an address of an API server cannot have. */
static bool is_server(CURLU *url, const char *scheme)
{
	static const CURLUPart none[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
					 CURLUPART_FRAGMENT};
	bool good = scheme && (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0);

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		char *part = url_part(url, none[i]);

		good = good && !part;
		curl_free(part);
	}
	return good;
}

static int build_server(struct api_config *config, const char *scheme, const char *name,
			const char *port, const char *path)
{
	size_t len = path ? strlen(path) : 0;
	char *host = NULL, *server = NULL;

	while (len > 0 && path[len - 1] == '/')
		len--;
	if (asprintf(&host, "%s%s%s", name, port ? ":" : "", port ? port : "") < 0)
		return -ENOMEM;
	if (asprintf(&server, "%s://%s%.*s", scheme, host, (int)len, path ? path : "") < 0) {
		free(host);
		return -ENOMEM;
	}
	free(config->host);
	free(config->server);
	config->host = host;
	config->server = server;
	return 0;
}

int api_config_set_server(struct api_config *config, const char *text)
{
	CURLU *url = curl_url();
	char *scheme, *host, *port, *path;
	int rc = -EINVAL;

	if (!url)
		return -ENOMEM;
	if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK) {
		curl_url_cleanup(url);
		return -EINVAL;
	}
	scheme = url_part(url, CURLUPART_SCHEME);
	host = url_part(url, CURLUPART_HOST);
	port = url_part(url, CURLUPART_PORT);
	path = url_part(url, CURLUPART_PATH);
	if (host && host[0] && is_server(url, scheme))
		rc = build_server(config, scheme, host, port, path);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(path);
	curl_url_cleanup(url);
	return rc;
}

/* It becomes part of URLs. */
static void read_server_name(struct kube_reader *r, const json_t *cluster,
			     struct api_config *config)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-.:";
	const char *name = kube_text(r, cluster, "tls-server-name");

	if (name && name[strspn(name, allowed)])
		kube_refuse(r, "tls-server-name", "expected a host name or an address");
	else
		kube_take_text(r, cluster, "tls-server-name", &config->tls_server_name);
}

/* As Go has it, a name is for the SOCKS proxy to resolve. */
static void read_proxy(struct kube_reader *r, const json_t *cluster, struct api_config *config)
{
	static const struct {
		const char *prefix, *meant;
	} schemes[] = {
		{"http://", "http://"},
		{"https://", "https://"},
		{"socks5://", "socks5h://"},
		{"socks5h://", "socks5h://"},
	};
	const char *text = kube_text(r, cluster, "proxy-url");

	for (size_t i = 0; text && i < ARRAY_LEN(schemes); i++) {
		size_t len = strlen(schemes[i].prefix);

		if (strncmp(text, schemes[i].prefix, len) != 0 || !text[len])
			continue;
		if (asprintf(&config->proxy, "%s%s", schemes[i].meant, text + len) < 0) {
			config->proxy = NULL;
			r->no_memory = true;
		}
		return;
	}
	if (text)
		kube_refuse(r, "proxy-url", "expected http://, https:// or socks5:// and a host");
}

/* What the cluster has for plugins, an extension like any other. */
static void read_exec_extension(struct kube_reader *r, const json_t *cluster,
				struct api_config *config)
{
	const json_t *extensions = kube_list(r, cluster, "extensions");

	for (size_t i = 0; i < json_array_size(extensions); i++) {
		const json_t *entry = json_array_get(extensions, i);
		const char *name = json_string_value(json_object_get(entry, "name"));
		json_t *options = json_object_get(entry, "extension");

		if (!name || strcmp(name, EXEC_EXTENSION) != 0 || !options ||
		    config->exec.cluster_options)
			continue;
		config->exec.cluster_options = json_deep_copy(options);
		r->no_memory = r->no_memory || !config->exec.cluster_options;
	}
}

void kube_read_cluster(struct kube_reader *r, const json_t *cluster, struct api_config *config)
{
	const char *server = kube_text(r, cluster, "server");
	int rc = server ? api_config_set_server(config, server) : -EINVAL;

	if (rc == -EINVAL)
		kube_refuse(r, "server", "expected https://HOST[:PORT][/PATH]");
	r->no_memory = r->no_memory || rc == -ENOMEM;
	read_server_name(r, cluster, config);
	kube_take_base64(r, cluster, "certificate-authority-data", &config->ca);
	if (!config->ca.v)
		kube_take_path(r, cluster, "certificate-authority", &config->ca_file);
	config->insecure = kube_flag(r, cluster, "insecure-skip-tls-verify");
	if (config->insecure && (config->ca.v || config->ca_file))
		kube_refuse(r, "insecure-skip-tls-verify",
			    "expected either this or a certificate authority");
	else if (config->insecure)
		kube_warn(
			r, "insecure-skip-tls-verify",
			"certificates are not verified: whoever is in between can read and change "
			"what the API server says");
	if (rc == 0 && strncmp(config->server, "http:", 5) == 0)
		kube_warn(r, "server",
			  "not encrypted: whoever is in between can read and change what the API "
			  "server says");
	read_proxy(r, cluster, config);
	read_exec_extension(r, cluster, config);
}

static void read_args(struct kube_reader *r, const json_t *plugin, struct exec_config *exec)
{
	const json_t *args = kube_list(r, plugin, "args");

	kube_push_key(r, "args");
	for (size_t i = 0; i < json_array_size(args); i++) {
		const char *arg = json_string_value(json_array_get(args, i));
		char *copy;

		kube_push_index(r, i);
		if (!arg) {
			kube_refuse(r, NULL, "expected text");
		} else {
			copy = strdup(arg);
			if (!copy || vec_push(&exec->args, copy) < 0) {
				secret_wipe_free(copy);
				r->no_memory = true;
			}
		}
		kube_pop(r);
	}
	kube_pop(r);
}

static void add_variable(struct kube_reader *r, const char *name, const char *value,
			 struct exec_config *exec)
{
	struct exec_variable variable = {.name = strdup(name), .value = strdup(value)};

	if (variable.name && variable.value && vec_push(&exec->env, variable) == 0)
		return;
	free(variable.name);
	secret_wipe_free(variable.value);
	r->no_memory = true;
}

static void read_env(struct kube_reader *r, const json_t *plugin, struct exec_config *exec)
{
	const json_t *env = kube_list(r, plugin, "env");

	kube_push_key(r, "env");
	for (size_t i = 0; i < json_array_size(env); i++) {
		const json_t *entry = json_array_get(env, i);
		const char *name, *value;

		kube_push_index(r, i);
		name = kube_text(r, entry, "name");
		value = kube_text(r, entry, "value");
		if (!name || strchr(name, '='))
			kube_refuse(r, "name", "expected the name of a variable");
		else
			add_variable(r, name, value ? value : "", exec);
		kube_pop(r);
	}
	kube_pop(r);
}

static void read_exec(struct kube_reader *r, const json_t *plugin, struct exec_config *exec)
{
	const char *command, *version, *mode;

	kube_push_key(r, "exec");
	command = kube_text(r, plugin, "command");
	version = kube_text(r, plugin, "apiVersion");
	mode = kube_text(r, plugin, "interactiveMode");
	if (!command)
		kube_refuse(r, "command", "expected a program");
	else if (strchr(command, '/'))
		kube_take_path(r, plugin, "command", &exec->command);
	else
		kube_take_text(r, plugin, "command", &exec->command);
	if (!version || (strcmp(version, "client.authentication.k8s.io/v1") != 0 &&
			 strcmp(version, "client.authentication.k8s.io/v1beta1") != 0))
		kube_refuse(r, "apiVersion",
			    "expected client.authentication.k8s.io/v1 or "
			    "client.authentication.k8s.io/v1beta1");
	if (mode && strcmp(mode, "Always") == 0)
		kube_refuse(r, "interactiveMode",
			    "expected Never or IfAvailable: there is nobody to ask here");
	kube_take_text(r, plugin, "apiVersion", &exec->api_version);
	kube_take_text(r, plugin, "installHint", &exec->install_hint);
	exec->wants_cluster = kube_flag(r, plugin, "provideClusterInfo");
	read_args(r, plugin, exec);
	read_env(r, plugin, exec);
	kube_pop(r);
}

/* To ignore these would be to act as somebody else. */
static void refuse_unsupported(struct kube_reader *r, const json_t *user)
{
	static const char *const keys[] = {"auth-provider", "as",       "as-uid",  "as-groups",
					   "as-user-extra", "username", "password"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const json_t *value = json_object_get(user, keys[i]);

		if (value && !json_is_null(value) &&
		    json_string_length(value) + json_array_size(value) + json_object_size(value) >
			    0)
			kube_refuse(
				r, keys[i],
				"not supported: expected a token, a client certificate or exec");
	}
}

void kube_read_user(struct kube_reader *r, const json_t *user, struct api_config *config)
{
	const char *token = kube_text(r, user, "token");
	const json_t *plugin = json_object_get(user, "exec");

	refuse_unsupported(r, user);
	if (token && secret_set(&config->token, token, strlen(token)) < 0)
		r->no_memory = true;
	kube_take_path(r, user, "tokenFile", &config->token_file);
	kube_take_base64(r, user, "client-certificate-data", &config->cert);
	kube_take_base64(r, user, "client-key-data", &config->key);
	if (!config->cert.v)
		kube_take_path(r, user, "client-certificate", &config->cert_file);
	if (!config->key.v)
		kube_take_path(r, user, "client-key", &config->key_file);
	if ((config->cert.v || config->cert_file) && !config->key.v && !config->key_file)
		kube_refuse(r, "client-key", "expected it beside the client certificate");
	if ((config->key.v || config->key_file) && !config->cert.v && !config->cert_file)
		kube_refuse(r, "client-certificate", "expected it beside the client key");
	if (json_is_object(plugin))
		read_exec(r, plugin, &config->exec);
	else if (plugin && !json_is_null(plugin))
		kube_refuse(r, "exec", "expected an object");
}
