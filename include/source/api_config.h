/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How to reach an API server, and as whom: read from kubeconfig files as kubectl does, or from what
 * a pod is given. Secrets are in here; none of it is printed but names and paths. */
#ifndef SOURCE_API_CONFIG_H
#define SOURCE_API_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/vec.h"
#include "source/secret.h"

/* Where a pod finds its service account. */
#define IN_CLUSTER_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

struct exec_variable {
	char *name, *value;
};

/* A program that hands out credentials. */
struct exec_config {
	char *command;     /* NULL: none. A path, or a name for $PATH */
	char *api_version; /* client.authentication.k8s.io/v1 or v1beta1 */
	char *install_hint;
	VEC(char *) args;
	VEC(struct exec_variable) env;
	bool wants_cluster;      /* provideClusterInfo */
	json_t *cluster_options; /* what the cluster's entry has for it; NULL: nothing */
};

/* Data wins over a file where both are given, but for a token, whose file is the newer. Files are
 * read anew for each request. */
struct api_config {
	char *server;          /* https://HOST[:PORT][/PATH], no slash at the end */
	char *host;            /* of it: "[::1]:6443", "api.example:6443" */
	char *tls_server_name; /* whom the certificate must name; NULL: the host */
	char *proxy;           /* NULL: as the environment says */
	bool insecure;         /* certificates are not verified, the file says so */
	char *ca_file;
	struct secret ca; /* PEM; neither this nor the file: the system's authorities */

	char *token_file;
	char *cert_file, *key_file;
	struct secret token, cert, key; /* the latter two PEM */
	struct exec_config exec;

	char *context; /* for log lines; NULL: in the cluster */
};

/* From kubeconfig files: `path`, or those of $KUBECONFIG, or ~/.kube/config. Of several, the first
 * to define a name has it, and one that does not exist is passed over. `context` NULL: the current
 * one. Warnings are added to `faults` also on success.
 * 0; -ENOENT: there is no such file (told in `faults` only if `path` was given); -EINVAL: faults
 * say why; -ENOMEM. Free with api_config_done() after success. */
int api_config_from_kubeconfig(const char *path, const char *context, struct faults *faults,
			       struct api_config *ret);

/* From KUBERNETES_SERVICE_HOST and _PORT and the files in `dir`. 0; -ENOENT: this is no pod;
 * -ENOMEM. */
int api_config_in_cluster(const char *dir, struct api_config *ret);

/* The first that there is: the kubeconfig `path`, $KUBECONFIG, the cluster that this pod is in,
 * ~/.kube/config. `path` and `context` may be NULL; with a context only kubeconfig files count.
 * 0; -EINVAL with faults; -ENOMEM. */
int api_config_find(const char *path, const char *context, struct faults *faults,
		    struct api_config *ret);

void api_config_done(struct api_config *config);

#endif
