/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/options.h"
#include "source/yaml.h"

#ifndef NETPOLD_CONFIG
#define NETPOLD_CONFIG "/etc/netpold/netpold.conf"
#endif

#define CONFIG_BYTES_MAX (1u << 20)

static const struct option_spec specs[] = {
	{"dry-run", 0, NULL, "print the nftables ruleset and exit"},
	{"check", 0, NULL, "only validate the manifests and exit"},
	{"manifests", 'f', "PATH", "a manifest, a directory of them, or -; repeatable"},
	{"node", 0, "NAME", "the node whose pods are local; without, all are"},
	{"config", 0, "FILE", "read settings from FILE"},
	{"log-level", 0, "LEVEL", "err, warning, notice (the default) or debug"},
	{"help", 'h', NULL, "show this help and exit"},
	{"version", 'V', NULL, "show the version and exit"},
	{NULL, 0, NULL, NULL},
};

static int set_text(char **to, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int add_manifest(struct settings *s, const char *path)
{
	char *copy = strdup(path);

	if (copy && vec_push(&s->manifests, copy) == 0)
		return 0;
	free(copy);
	return -ENOMEM;
}

static int set_log_level(const char *word)
{
	enum log_level level;

	if (log_parse_level(word, &level) < 0)
		return -EINVAL;
	log_set_level(level);
	return 0;
}

static int set_mode(struct settings *s, enum mode mode)
{
	if (s->mode != MODE_NONE && s->mode != mode && mode != MODE_HELP && mode != MODE_VERSION) {
		fprintf(stderr, "netpold: expected one of --dry-run and --check, not both\n");
		return -EINVAL;
	}
	s->mode = mode;
	return 0;
}

static int take_option(void *ctx, const char *name, const char *value)
{
	struct settings *s = ctx;

	if (strcmp(name, "dry-run") == 0)
		return set_mode(s, MODE_DRY_RUN);
	if (strcmp(name, "check") == 0)
		return set_mode(s, MODE_CHECK);
	if (strcmp(name, "help") == 0)
		return set_mode(s, MODE_HELP);
	if (strcmp(name, "version") == 0)
		return set_mode(s, MODE_VERSION);
	if (strcmp(name, "config") == 0)
		return set_text(&s->config, value);
	if (strcmp(name, "manifests") == 0) {
		s->manifests_given = true;
		return add_manifest(s, value);
	}
	if (strcmp(name, "node") == 0 && value[0] == '\0') {
		fprintf(stderr, "netpold: --node: expected a node's name\n");
		return -EINVAL;
	}
	if (strcmp(name, "node") == 0) {
		s->node_given = true;
		return set_text(&s->node, value);
	}
	s->log_given = true;
	if (set_log_level(value) == 0)
		return 0;
	fprintf(stderr, "netpold: --log-level %s: expected err, warning, notice or debug\n", value);
	return -EINVAL;
}

int settings_parse(struct settings *s, int argc, char *argv[])
{
	int first, rc = options_parse(argc, argv, specs, take_option, s, &first);

	if (rc < 0 || s->mode == MODE_HELP || s->mode == MODE_VERSION)
		return rc;
	if (first < argc) {
		fprintf(stderr, "netpold: %s: expected only options (paths go with -f)\n",
			argv[first]);
		return -EINVAL;
	}
	if (s->mode == MODE_NONE) {
		fprintf(stderr, "netpold: expected --dry-run or --check; see netpold --help\n");
		return -EINVAL;
	}
	return 0;
}

/* The configuration file. */

struct config_reader {
	struct settings *settings;
	struct faults *faults;
	const char *file;
	struct yaml_lines *lines;
	size_t documents, errors;
};

static void config_fault(struct config_reader *r, const char *key, const char *expected)
{
	struct path_seg path = {.key = key};

	r->errors++;
	faults_add(r->faults, FAULT_ERROR,
		   &(struct fault_place){.file = r->file,
					 .line = yaml_line_of(r->lines, &path, key ? 1 : 0),
					 .field = key},
		   "%s", expected);
}

static int config_manifests(struct config_reader *r, const json_t *value)
{
	int rc = 0;

	if (!json_is_array(value)) {
		config_fault(r, "manifests", "expected a list of paths");
		return 0;
	}
	for (size_t i = 0; i < json_array_size(value) && rc == 0; i++) {
		const char *path = json_string_value(json_array_get(value, i));

		if (!path || !path[0])
			config_fault(r, "manifests", "expected a list of paths");
		else if (!r->settings->manifests_given)
			rc = add_manifest(r->settings, path);
	}
	return rc;
}

static int config_key(struct config_reader *r, const char *key, const json_t *value)
{
	const char *text = json_string_value(value);

	if (strcmp(key, "manifests") == 0)
		return config_manifests(r, value);
	if (strcmp(key, "node") == 0) {
		if (!text || !text[0])
			config_fault(r, key, "expected a node's name");
		else if (!r->settings->node_given)
			return set_text(&r->settings->node, text);
		return 0;
	}
	if (strcmp(key, "log-level") == 0) {
		if (r->settings->log_given)
			return 0;
		if (!text || set_log_level(text) < 0)
			config_fault(r, key, "expected err, warning, notice or debug");
		return 0;
	}
	config_fault(r, key, "unknown setting: expected manifests, node or log-level");
	return 0;
}

static int take_config(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	struct config_reader *r = ctx;
	const char *key;
	json_t *value;
	int rc = 0;

	r->lines = lines;
	if (!json_is_object(root) || r->documents++ > 0) {
		config_fault(r, NULL, "expected one document of settings, such as node: worker-1");
		return 0;
	}
	json_object_foreach ((json_t *)root, key, value) {
		if (rc == 0)
			rc = config_key(r, key, value);
	}
	return rc;
}

static int parse_config(struct config_reader *r, FILE *in)
{
	AUTO_FREE char *text = malloc(CONFIG_BYTES_MAX + 1);
	struct err err = {0};
	unsigned line = 0;

	if (!text)
		return -ENOMEM;
	size_t len = fread(text, 1, CONFIG_BYTES_MAX + 1, in);
	if (ferror(in))
		err_set(&err, -EINVAL, "%s", strerror(errno));
	else if (len > CONFIG_BYTES_MAX)
		err_set(&err, -EINVAL, "file too large: expected at most 1 MiB");
	int rc = err.code ? err.code : yaml_parse(text, len, take_config, r, &err, &line);
	if (rc == -EINVAL && err.code) {
		faults_add(r->faults, FAULT_ERROR,
			   &(struct fault_place){.file = r->file, .line = line}, "%s", err.text);
		return -EINVAL;
	}
	return rc < 0 || r->errors == 0 ? rc : -EINVAL;
}

int settings_read_config(struct settings *s, struct faults *faults)
{
	struct config_reader r = {
		.settings = s, .faults = faults, .file = s->config ? s->config : NETPOLD_CONFIG};
	FILE *in = fopen(r.file, "re");
	int rc;

	if (!in) {
		if (!s->config && errno == ENOENT)
			return 0; /* nobody asked for it */
		faults_add(faults, FAULT_ERROR, &(struct fault_place){.file = r.file}, "%s",
			   strerror(errno));
		return -EINVAL;
	}
	rc = parse_config(&r, in);
	(void)fclose(in); /* only read */
	return rc;
}

void settings_done(struct settings *s)
{
	for (size_t i = 0; i < s->manifests.n; i++)
		free(s->manifests.v[i]);
	vec_free(&s->manifests);
	free(s->node);
	free(s->config);
}

void settings_print_help(FILE *out)
{
	fputs("usage: netpold --dry-run [OPTION]... -f PATH...\n"
	      "       netpold --check [OPTION]... -f PATH...\n"
	      "\n"
	      "Makes Kubernetes NetworkPolicy real with nothing but the kernel's nftables.\n"
	      "\n",
	      out);
	options_print(specs, out);
	fputs("\n"
	      "settings: " NETPOLD_CONFIG "\n"
	      "exit status: 0 done, 1 failed, 2 unusable input (stderr says what was wrong)\n"
	      "manuals: netpold(8), netpold.conf(5), netpolctl(8)\n",
	      out);
}
