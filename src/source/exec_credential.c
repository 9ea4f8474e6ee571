/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said between us and a credential plugin. */
#include "exec_credential.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "source/json_load.h"

static const char *text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_string_length(value) > 0 ? json_string_value(value) : NULL;
}

static int take(struct secret *to, const json_t *status, const char *key)
{
	const char *text = text_of(status, key);

	return text ? secret_set(to, text, strlen(text)) : 0;
}

/* RFC 3339, with Z or an offset. */
static int read_time(const char *text, int64_t *ret)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t seconds;

	if (!end)
		return -EINVAL;
	seconds = timegm(&tm);
	if (end[0] == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (strcmp(end, "Z") != 0) {
		end = strptime(end, "%z", &tm);
		if (!end || end[0])
			return -EINVAL;
		seconds -= tm.tm_gmtoff;
	}
	*ret = seconds;
	return 0;
}

static int read_status(const json_t *status, struct exec_credential *credential, struct err *err)
{
	const char *expires = text_of(status, "expirationTimestamp");
	int rc = take(&credential->token, status, "token");

	if (rc == 0)
		rc = take(&credential->cert, status, "clientCertificateData");
	if (rc == 0)
		rc = take(&credential->key, status, "clientKeyData");
	if (rc < 0)
		return rc;
	if (!credential->cert.v != !credential->key.v)
		return err_set(err, -EINVAL,
			       "expected clientCertificateData and clientKeyData together");
	if (!credential->token.v && !credential->cert.v)
		return err_set(err, -EINVAL, "expected a token or a client certificate in status");
	if (expires && read_time(expires, &credential->expires) < 0)
		return err_set(err, -EINVAL,
			       "expirationTimestamp: expected a time such as "
			       "2026-11-21T04:12:11Z");
	return 0;
}

int exec_credential_parse(const char *text, size_t len, const char *api_version,
			  struct exec_credential *ret, struct err *err)
{
	AUTO_JSON json_t *json = NULL;
	struct exec_credential credential = {0};
	int rc = json_load(text, len, 0, &json, NULL);
	const char *kind = text_of(json, "kind"), *version = text_of(json, "apiVersion");

	if (rc == -ENOMEM)
		return rc;
	if (!kind || strcmp(kind, "ExecCredential") != 0)
		return err_set(err, -EINVAL, "expected an ExecCredential on its standard output");
	if (!version || strcmp(version, api_version) != 0)
		return err_set(err, -EINVAL, "expected an ExecCredential of %s", api_version);
	rc = read_status(json_object_get(json, "status"), &credential, err);
	if (rc < 0)
		exec_credential_done(&credential);
	else
		*ret = credential;
	return rc;
}

void exec_credential_done(struct exec_credential *credential)
{
	secret_done(&credential->token);
	secret_done(&credential->cert);
	secret_done(&credential->key);
}

static json_t *describe_cluster(const struct api_config *config, const struct secret *ca)
{
	json_t *cluster =
		json_pack("{s:s, s:s*, s:s*}", "server", config->server, "tls-server-name",
			  config->tls_server_name, "proxy-url", config->proxy);
	char *text = ca && ca->v ? secret_to_base64(ca) : NULL;
	bool good = cluster && (text || !ca || !ca->v);

	if (good && text)
		good = json_object_set_new(cluster, "certificate-authority-data",
					   json_string(text)) == 0;
	if (good && config->insecure)
		good = json_object_set_new(cluster, "insecure-skip-tls-verify", json_true()) == 0;
	if (good && config->exec.cluster_options)
		good = json_object_set(cluster, "config", config->exec.cluster_options) == 0;
	free(text);
	if (good)
		return cluster;
	json_decref(cluster);
	return NULL;
}

char *exec_credential_ask(const struct api_config *config, const struct secret *ca)
{
	AUTO_JSON json_t *json =
		json_pack("{s:s, s:s, s:{s:b}}", "kind", "ExecCredential", "apiVersion",
			  config->exec.api_version, "spec", "interactive", 0);

	if (!json)
		return NULL;
	if (config->exec.wants_cluster &&
	    json_object_set_new(json_object_get(json, "spec"), "cluster",
				describe_cluster(config, ca)) < 0)
		return NULL;
	return json_dumps(json, JSON_COMPACT);
}
