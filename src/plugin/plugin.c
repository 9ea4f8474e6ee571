/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plugin/plugin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/json_text.h"
#include "base/vec.h"
#include "daemon_client.h"
#include "results.h"

/* Where a runtime cannot tell which version an answer is for. */
#define NEWEST "1.1.0"

static int add(const struct plugin_request *r, struct plugin_error *error)
{
	int rc;

	if (!*r->ns)
		return 0; /* no pod's network: no policy is about it */
	rc = plugin_results_put(r, error);
	return rc == 0 ? plugin_wait_enforced(r, error) : rc;
}

static int run(const struct plugin_request *r, struct plugin_error *error)
{
	switch (r->command) {
	case PLUGIN_ADD:
		return add(r, error);
	case PLUGIN_CHECK:
		return *r->ns ? plugin_ask_enforced(r, PLUGIN_NOT_ENFORCED, error) : 0;
	case PLUGIN_DEL:
		return plugin_results_remove(r, error);
	case PLUGIN_GC:
		return plugin_results_collect(r, error);
	case PLUGIN_STATUS:
		return plugin_ask_ready(r, error);
	case PLUGIN_VERSION:
	case PLUGIN_COMMAND_COUNT:
		break;
	}
	return 0;
}

static json_t *versions(const struct plugin_request *r)
{
	AUTO_JSON json_t *list = json_array();

	for (size_t i = 0; list && plugin_versions[i]; i++) {
		if (json_array_append_new(list, json_string(plugin_versions[i])) < 0)
			return NULL;
	}
	return json_pack("{s:s, s:O}", "cniVersion", r->version ? r->version : NEWEST,
			 "supportedVersions", list);
}

/* What goes to standard output of a command that has succeeded; NULL with *ret_rc 0: nothing. */
static json_t *answer(const struct plugin_request *r, int *ret_rc)
{
	json_t *json = NULL;

	*ret_rc = 0;
	if (r->command == PLUGIN_VERSION)
		json = versions(r);
	else if (r->command == PLUGIN_ADD)
		json = json_incref((json_t *)r->result); /* as it came: it is the network's */
	else
		return NULL;
	*ret_rc = json ? 0 : -ENOMEM;
	return json;
}

static int print(FILE *out, const json_t *json)
{
	return json_dumpf(json, out, JSON_INDENT(2)) < 0 || fputc('\n', out) == EOF ||
			       fflush(out) == EOF
		       ? -EIO
		       : 0;
}

static int print_error(FILE *out, const struct plugin_request *r, const struct plugin_error *error)
{
	AUTO_JSON json_t *json = json_pack("{s:o, s:i, s:o}", "cniVersion",
					   json_text(r->version ? r->version : NEWEST), "code",
					   (int)error->code, "msg", json_text(error->text));

	if (!json || print(out, json) < 0)
		print_line(stderr, "netpold-cni: %s", error->text);
	return 1;
}

/* All of standard input; NULL with errno: no memory, or it cannot be read. */
static char *read_input(FILE *in, size_t *ret_len)
{
	char *text = malloc(PLUGIN_INPUT_MAX + 1);

	if (!text)
		return NULL;
	*ret_len = fread(text, 1, PLUGIN_INPUT_MAX + 1, in); /* one more: too many */
	if (!ferror(in))
		return text;
	free(text);
	errno = EIO;
	return NULL;
}

static int usage(const char *version)
{
	fprintf(stderr,
		"netpold-cni %s: a CNI plugin, which a container runtime runs: see "
		"netpold-cni(8).\n"
		"CNI protocol versions:",
		version);
	for (size_t i = 0; plugin_versions[i]; i++)
		fprintf(stderr, " %s", plugin_versions[i]);
	fputc('\n', stderr);
	return 0;
}

int plugin_main(FILE *in, FILE *out, const char *version)
{
	const struct plugin_environment env = {
		.command = getenv("CNI_COMMAND"),
		.container = getenv("CNI_CONTAINERID"),
		.ifname = getenv("CNI_IFNAME"),
		.args = getenv("CNI_ARGS"),
	};
	struct plugin_request request = {0};
	struct plugin_error error = {0};
	size_t len = 0;
	int rc, status;

	if (!env.command)
		return usage(version);
	AUTO_FREE char *text = read_input(in, &len);
	rc = text ? plugin_request_parse(&request, &env, text, len, &error) : -errno;
	if (rc == 0)
		rc = run(&request, &error);
	AUTO_JSON json_t *json = rc == 0 ? answer(&request, &rc) : NULL;
	if (rc == 0 && json && print(out, json) < 0)
		rc = plugin_fail(&error, PLUGIN_IO, "cannot write the answer");
	if (rc < 0 && error.code == PLUGIN_OK)
		(void)plugin_fail(&error, PLUGIN_IO, "%s", strerror(-rc));
	status = rc == 0 ? 0 : print_error(out, &request, &error);
	plugin_request_done(&request);
	return status;
}
