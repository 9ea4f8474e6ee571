/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/options.h"
#include "source/api.h"
#include "source/yaml.h"

#ifndef NETPOLD_CONFIG
#define NETPOLD_CONFIG "/etc/netpold/netpold.conf"
#endif

#define DEFAULT_CONTROL            "/run/netpold/control.sock"
#define DEFAULT_METRICS            "127.0.0.1:9734"
#define DEFAULT_CNI_RESULTS        "/var/lib/cni/results"
#define DEFAULT_CNI_PLUGIN_RESULTS "/run/netpold-cni"
#define DEFAULT_STATE              "/var/lib/netpold"
#define DEFAULT_COMMIT_MS          100
#define COMMIT_MS_MAX              60000
#define PROGRESS_DEADLINE_S_MAX    86400

#define CONFIG_BYTES_MAX           (1u << 20)

/* 0; -ENOMEM; -EINVAL: the value is not what setting.expected says. */
typedef int (*take_fn)(struct settings *s, const char *value);

struct setting {
	const char *name;
	char letter;
	const char *value;    /* what it is called in --help */
	const char *expected; /* after "expected " */
	bool list;            /* may be given many times; a list in the file */
	take_fn take;
	const char *help; /* NULL: only netpold.conf(5) tells of it, as --help fits a screen */
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

static int take_manifest(struct settings *s, const char *value)
{
	char *copy;

	if (!value[0])
		return -EINVAL;
	copy = strdup(value);
	if (copy && vec_push(&s->manifests, copy) == 0)
		return 0;
	free(copy);
	return -ENOMEM;
}

static int take_kubeconfig(struct settings *s, const char *value)
{
	return value[0] ? set_text(&s->kubeconfig, value) : -EINVAL;
}

static int take_context(struct settings *s, const char *value)
{
	return value[0] ? set_text(&s->context, value) : -EINVAL;
}

static int take_user(struct settings *s, const char *value)
{
	return value[0] ? set_text(&s->user, value) : -EINVAL;
}

static int take_node(struct settings *s, const char *value)
{
	return value[0] ? set_text(&s->node, value) : -EINVAL;
}

static int take_log_level(struct settings *s, const char *value)
{
	return log_parse_level(value, &s->log_level);
}

/* A path from the root: a daemon's working directory is nobody's. */
static int take_path_or_off(char **to, const char *value)
{
	if (strcmp(value, "off") == 0)
		return set_text(to, "");
	return value[0] == '/' ? set_text(to, value) : -EINVAL;
}

static int take_cni_results(struct settings *s, const char *value)
{
	return value[0] == '/' ? set_text(&s->cni_results, value) : -EINVAL;
}

static int parse_cni_plugin_results(struct settings *s, const char *value)
{
	return value[0] == '/' ? set_text(&s->cni_plugin_results, value) : -EINVAL;
}

static int parse_table_owner(struct settings *s, const char *value)
{
	s->share_tables = strcmp(value, "none") == 0;
	return s->share_tables || strcmp(value, "self") == 0 ? 0 : -EINVAL;
}

static int parse_established(struct settings *s, const char *value)
{
	s->keep_established = strcmp(value, "keep") == 0;
	return s->keep_established || strcmp(value, "cut") == 0 ? 0 : -EINVAL;
}

static int parse_pod_network(struct settings *s, const char *value)
{
	struct prefix prefix;

	if (!prefix_parse(value, &prefix, NULL))
		return -EINVAL;
	return vec_push(&s->pod_networks, prefix);
}

static int parse_state_directory(struct settings *s, const char *value)
{
	return take_path_or_off(&s->state_directory, value);
}

static int take_control(struct settings *s, const char *value)
{
	return take_path_or_off(&s->control, value);
}

static int parse_control_group(struct settings *s, const char *value)
{
	return value[0] ? set_text(&s->control_group, value) : -EINVAL;
}

static int take_metrics(struct settings *s, const char *value)
{
	const char *colon = strrchr(value, ':');
	char *end;

	if (strcmp(value, "off") == 0)
		return set_text(&s->metrics, "");
	if (!colon || colon == value || colon[1] < '0' || colon[1] > '9' ||
	    strtoul(colon + 1, &end, 10) > 65535 || *end)
		return -EINVAL;
	return set_text(&s->metrics, value);
}

/* A number from `low` to `high`, in digits. */
static int parse_number(const char *value, unsigned low, unsigned high, unsigned *ret)
{
	unsigned long number;
	char *end;

	if (value[0] < '0' || value[0] > '9')
		return -EINVAL;
	number = strtoul(value, &end, 10);
	if (*end || number < low || number > high)
		return -EINVAL;
	*ret = (unsigned)number;
	return 0;
}

static int take_commit_interval(struct settings *s, const char *value)
{
	return parse_number(value, 0, COMMIT_MS_MAX, &s->commit_interval_ms);
}

static int parse_api_progress_deadline(struct settings *s, const char *value)
{
	return parse_number(value, 1, PROGRESS_DEADLINE_S_MAX, &s->api_progress_deadline_s);
}

static int take_unknown_pods(struct settings *s, const char *value)
{
	s->drop_unknown_pods = strcmp(value, "drop") == 0;
	return s->drop_unknown_pods || strcmp(value, "allow") == 0 ? 0 : -EINVAL;
}

/* The setting is `on` when the value is that word, and off when it is the other. */
static int parse_choice(const char *value, const char *on, const char *off, bool *ret)
{
	*ret = strcmp(value, on) == 0;
	return *ret || strcmp(value, off) == 0 ? 0 : -EINVAL;
}

static int parse_local_node_egress(struct settings *s, const char *value)
{
	return parse_choice(value, "allow", "policy", &s->local_node_allow);
}

static int parse_pod_tunnels(struct settings *s, const char *value)
{
	return parse_choice(value, "allow", "drop", &s->pod_tunnels);
}

static int parse_allowed_sources(struct settings *s, const char *value)
{
	return allowed_sources_add(&s->allowed_sources, value);
}

static int parse_strict(struct settings *s, const char *value)
{
	return parse_choice(value, "on", "off", &s->strict);
}

static const struct setting settings_table[] = {
	{"manifests", 'f', "PATH", "paths of files and directories, or -", true, take_manifest,
	 "a manifest, a directory of them, or -; repeatable"},
	{"kubeconfig", 0, "FILE", "a path", false, take_kubeconfig,
	 "the API server, where there is no -f"},
	{"context", 0, "NAME", "a context's name", false, take_context,
	 "of the kubeconfig [its current one]"},
	{"node", 0, "NAME", "a node's name", false, take_node,
	 "the node whose pods are local; without, all are"},
	{"cni-results", 0, "DIR", "a path that begins with /", false, take_cni_results,
	 "libcni's cache of results [" DEFAULT_CNI_RESULTS "]"},
	{"cni-plugin-results", 0, "DIR", "a path that begins with /", false,
	 parse_cni_plugin_results, NULL},
	{"pod-networks", 0, "CIDR", "an address and the length of its prefix", true,
	 parse_pod_network, NULL},
	{"state-directory", 0, "DIR", "a path that begins with /, or off", false,
	 parse_state_directory, NULL},
	{"established", 0, "WHAT", "cut or keep", false, parse_established, NULL},
	{"table-owner", 0, "WHO", "self or none", false, parse_table_owner, NULL},
	{"unknown-pods", 0, "WHAT", "allow or drop", false, take_unknown_pods,
	 "packets of pods not known yet: allow [allow], drop"},
	{"local-node-egress", 0, "WHAT", "policy or allow", false, parse_local_node_egress, NULL},
	{"strict", 0, NULL, "on or off", false, parse_strict, NULL},
	{"pod-tunnels", 0, "WHAT", "drop or allow", false, parse_pod_tunnels, NULL},
	{"allowed-sources", 0, "WHOSE", ALLOWED_SOURCE_SYNTAX, true, parse_allowed_sources, NULL},
	{"commit-interval", 0, "MS", "milliseconds, 0 to 60000", false, take_commit_interval,
	 "at least so long between two changes [100]"},
	{"api-progress-deadline", 0, "SECONDS", "seconds, 1 to 86400", false,
	 parse_api_progress_deadline, NULL},
	{"control", 0, "PATH", "a path that begins with /, or off", false, take_control,
	 "control socket [" DEFAULT_CONTROL "], or off"},
	{"control-group", 0, "NAME", "a group's name", false, parse_control_group, NULL},
	{"metrics", 0, "ADDR:PORT", "ADDRESS:PORT, or off", false, take_metrics,
	 "/metrics, /healthz, /readyz [" DEFAULT_METRICS "], off"},
	{"user", 0, "NAME", "a user's name", false, take_user,
	 "become this user [none], with two capabilities"},
	{"log-level", 0, "LEVEL", "err, warning, notice or debug", false, take_log_level,
	 "err, warning, notice (the default) or debug"},
};

/* What only the command line has. */
static const struct {
	enum mode mode;
	const char *name;
	char letter;
	const char *help;
} modes[] = {
	{MODE_DRY_RUN, "dry-run", 0, "print the nftables ruleset and exit"},
	{MODE_CHECK, "check", 0, "only validate the manifests and exit"},
	{MODE_ONCE, "once", 0, "bring the kernel up to date and exit"},
	{MODE_CLEANUP, "cleanup", 0, "remove our tables from the kernel and exit"},
	{MODE_LOCKDOWN, "lockdown", 0, NULL},
	{MODE_HELP, "help", 'h', "show this help and exit"},
	{MODE_VERSION, "version", 'V', "show the version and exit"},
};

_Static_assert(ARRAY_LEN(settings_table) <= SETTINGS_MAX, "given[] has room for all settings");

#define SPECS_MAX (ARRAY_LEN(modes) + ARRAY_LEN(settings_table) + 2)

static void fill_specs(struct option_spec specs[static SPECS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		specs[n++] =
			(struct option_spec){modes[i].name, modes[i].letter, NULL, modes[i].help};
	specs[n++] = (struct option_spec){"config", 0, "FILE", "read settings from FILE"};
	for (size_t i = 0; i < ARRAY_LEN(settings_table); i++)
		specs[n++] = (struct option_spec){settings_table[i].name, settings_table[i].letter,
						  settings_table[i].value, settings_table[i].help};
	specs[n] = (struct option_spec){NULL, 0, NULL, NULL};
}

static const struct setting *find_setting(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(settings_table); i++) {
		if (strcmp(settings_table[i].name, name) == 0)
			return &settings_table[i];
	}
	return NULL;
}

static int set_mode(struct settings *s, enum mode mode)
{
	bool asks = mode == MODE_HELP || mode == MODE_VERSION;

	if (s->mode != MODE_DAEMON && s->mode != mode && !asks) {
		print_line(stderr, "netpold: expected one of --dry-run, --check, --once, "
				   "--cleanup and --lockdown, not two");
		return -EINVAL;
	}
	s->mode = mode;
	return 0;
}

static int take_option(void *ctx, const char *name, const char *value)
{
	struct settings *s = ctx;
	const struct setting *setting = find_setting(name);
	int rc;

	if (strcmp(name, "config") == 0)
		return set_text(&s->config, value);
	for (size_t i = 0; i < ARRAY_LEN(modes) && !setting; i++) {
		if (strcmp(modes[i].name, name) == 0)
			return set_mode(s, modes[i].mode);
	}
	s->given[setting - settings_table] = true;
	rc = setting->take(s, value ? value : "on"); /* one without a value is a switch */
	if (rc == -EINVAL)
		print_line(stderr, "netpold: --%s %s: expected %s", name, value, setting->expected);
	return rc;
}

static int set_defaults(struct settings *s)
{
	s->commit_interval_ms = DEFAULT_COMMIT_MS;
	s->api_progress_deadline_s = API_PROGRESS_DEADLINE_MS / 1000;
	s->log_level = LOG_LEVEL_NOTICE;
	if (set_text(&s->cni_results, DEFAULT_CNI_RESULTS) < 0 ||
	    set_text(&s->cni_plugin_results, DEFAULT_CNI_PLUGIN_RESULTS) < 0 ||
	    set_text(&s->state_directory, DEFAULT_STATE) < 0 ||
	    set_text(&s->control, DEFAULT_CONTROL) < 0 ||
	    set_text(&s->metrics, DEFAULT_METRICS) < 0)
		return -ENOMEM;
	return 0;
}

int settings_parse(struct settings *s, int argc, char *argv[])
{
	struct option_spec specs[SPECS_MAX];
	int first, rc = set_defaults(s);

	fill_specs(specs);
	if (rc == 0)
		rc = options_parse(argc, argv, specs, take_option, s, &first);
	if (rc < 0 || s->mode == MODE_HELP || s->mode == MODE_VERSION)
		return rc;
	if (first < argc) {
		print_line(stderr, "netpold: %s: expected only options (paths go with -f)",
			   argv[first]);
		return -EINVAL;
	}
	return 0;
}

/* The configuration file. */

struct config_reader {
	struct settings *settings, *unused;
	struct faults *faults;
	const char *file;
	struct yaml_lines *lines;
	size_t documents, errors;
};

static void config_fault(struct config_reader *r, const char *key, const char *what,
			 const char *expected)
{
	struct path_seg path = {.key = key};

	r->errors++;
	faults_add(r->faults, FAULT_ERROR,
		   &(struct fault_place){.file = r->file,
					 .line = yaml_line_of(r->lines, &path, key ? 1 : 0),
					 .field = key},
		   "%sexpected %s", what, expected);
}

/* A value as the command line would have it; NULL: it has no such form. */
static const char *scalar_text(const json_t *value, char number[static 32])
{
	if (json_is_integer(value)) {
		(void)snprintf(number, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return number;
	}
	if (json_is_boolean(value))
		return json_is_true(value) ? "on" : "off"; /* YAML's words for it */
	return json_string_value(value);
}

static int config_value(struct config_reader *r, const struct setting *setting, const json_t *value)
{
	char number[32];
	const char *text = scalar_text(value, number);
	/* The command line wins; what the file says is judged all the same. */
	bool given = r->settings->given[setting - settings_table];
	int rc = text ? setting->take(given ? r->unused : r->settings, text) : -EINVAL;

	if (rc == -EINVAL)
		config_fault(r, setting->name, "", setting->expected);
	return rc == -EINVAL ? 0 : rc;
}

static int config_list(struct config_reader *r, const struct setting *setting, const json_t *value)
{
	int rc = 0;

	if (!json_is_array(value))
		config_fault(r, setting->name, "", "a list, such as [VALUE]");
	for (size_t i = 0; i < json_array_size(value) && rc == 0; i++)
		rc = config_value(r, setting, json_array_get(value, i));
	return rc;
}

/* "manifests, node or log-level" */
static void name_settings(char *to, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_LEN(settings_table) && used < len; i++)
		used += (size_t)snprintf(to + used, len - used, "%s%s",
					 i == 0                              ? ""
					 : i + 1 < ARRAY_LEN(settings_table) ? ", "
									     : " or ",
					 settings_table[i].name);
}

static int config_key(struct config_reader *r, const char *key, const json_t *value)
{
	const struct setting *setting = find_setting(key);

	if (!setting) {
		char names[ERR_TEXT_MAX];

		name_settings(names, sizeof(names));
		config_fault(r, key, "unknown setting: ", names);
		return 0;
	}
	return setting->list ? config_list(r, setting, value) : config_value(r, setting, value);
}

static int take_config(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	struct config_reader *r = ctx;
	const char *key;
	json_t *value;
	int rc = 0;

	r->lines = lines;
	if (!json_is_object(root) || r->documents++ > 0) {
		config_fault(r, NULL, "", "one document of settings, such as node: worker-1");
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
	struct settings unused = {0};
	struct config_reader r = {.settings = s,
				  .unused = &unused,
				  .faults = faults,
				  .file = s->config ? s->config : NETPOLD_CONFIG};
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
	settings_done(&unused);
	return rc;
}

int settings_default_node(struct settings *s)
{
	const char *name = getenv("NODE_NAME");
	char host[256] = "";

	if (s->node)
		return 0;
	if (name && name[0])
		return set_text(&s->node, name);
	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
		return 0;
	/* The kubelet registers in lower case. */
	for (char *c = host; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return set_text(&s->node, host);
}

void settings_done(struct settings *s)
{
	for (size_t i = 0; i < s->manifests.n; i++)
		free(s->manifests.v[i]);
	vec_free(&s->manifests);
	free(s->kubeconfig);
	free(s->context);
	free(s->node);
	free(s->user);
	free(s->config);
	free(s->cni_results);
	free(s->cni_plugin_results);
	free(s->state_directory);
	vec_free(&s->pod_networks);
	allowed_sources_done(&s->allowed_sources);
	free(s->control);
	free(s->control_group);
	free(s->metrics);
}

void settings_print_help(FILE *out)
{
	struct option_spec specs[SPECS_MAX];

	fill_specs(specs);
	fputs("usage: netpold [--once | --dry-run | --check] [OPTION]... -f PATH...\n"
	      "       netpold --cleanup | --lockdown\n"
	      "Makes Kubernetes NetworkPolicy real with nothing but the kernel's nftables.\n"
	      "\n",
	      out);
	options_print(specs, out);
	fputs("settings: " NETPOLD_CONFIG "; more of them: netpold.conf(5)\n"
	      "exit status: 0 done, 1 failed, 2 unusable input (stderr says what was wrong)\n",
	      out);
}
