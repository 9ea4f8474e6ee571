/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/api_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kubeconfig.h"

static char *join(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static int in_cluster(const char *dir, const char *host, const char *port,
		      struct api_config *config)
{
	bool v6 = strchr(host, ':') != NULL && host[0] != '[';
	AUTO_FREE char *server = NULL;

	if (asprintf(&server, "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port) < 0) {
		server = NULL;
		return -ENOMEM;
	}
	int rc = api_config_set_server(config, server);
	if (rc < 0)
		return rc == -EINVAL ? -ENOENT : rc;
	config->token_file = join(dir, "token");
	config->ca_file = join(dir, "ca.crt");
	return config->token_file && config->ca_file ? 0 : -ENOMEM;
}

int api_config_in_cluster(const char *dir, struct api_config *ret)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	struct api_config config = {0};
	struct stat st; /* access() would not count capabilities */
	int rc = -ENOENT;

	if (host && host[0] && port && port[0])
		rc = in_cluster(dir, host, port, &config);
	if (rc == 0 && stat(config.token_file, &st) < 0)
		rc = -ENOENT;
	if (rc < 0)
		api_config_done(&config);
	else
		*ret = config;
	return rc;
}

static int nothing_found(struct faults *faults)
{
	faults_add(
		faults, FAULT_ERROR, &(struct fault_place){0},
		"no API server is known: expected --kubeconfig, $KUBECONFIG, ~/.kube/config or a "
		"service account at " IN_CLUSTER_DIR);
	return -EINVAL;
}

int api_config_find(const char *path, const char *context, struct faults *faults,
		    struct api_config *ret)
{
	const char *variable = getenv("KUBECONFIG");
	int rc = -ENOENT;

	if (!path && !context && (!variable || !variable[0]))
		rc = api_config_in_cluster(IN_CLUSTER_DIR, ret);
	if (rc == -ENOENT)
		rc = api_config_from_kubeconfig(path, context, faults, ret);
	if (rc != -ENOENT)
		return rc;
	return path ? -EINVAL : nothing_found(faults);
}

static void exec_done(struct exec_config *exec)
{
	for (size_t i = 0; i < exec->args.n; i++)
		secret_wipe_free(exec->args.v[i]);
	for (size_t i = 0; i < exec->env.n; i++) {
		free(exec->env.v[i].name);
		secret_wipe_free(exec->env.v[i].value);
	}
	vec_free(&exec->args);
	vec_free(&exec->env);
	free(exec->command);
	free(exec->api_version);
	free(exec->install_hint);
	json_decref(exec->cluster_options);
}

void api_config_done(struct api_config *config)
{
	free(config->server);
	free(config->host);
	free(config->tls_server_name);
	secret_wipe_free(config->proxy);
	free(config->ca_file);
	free(config->token_file);
	free(config->cert_file);
	free(config->key_file);
	secret_done(&config->ca);
	secret_done(&config->token);
	secret_done(&config->cert);
	secret_done(&config->key);
	exec_done(&config->exec);
	free(config->context);
	*config = (struct api_config){0};
}
