/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a container runtime asks of the plugin: its environment and its standard input. */
#ifndef PLUGIN_REQUEST_H
#define PLUGIN_REQUEST_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* A network configuration with the result of the plugins before; libcni's are some kB. */
#define PLUGIN_INPUT_MAX   (1u << 20)
#define PLUGIN_TIMEOUT_MAX 600

/* Section "Error" of the CNI specification; those from 100 on are a plugin's own. */
enum plugin_code {
	PLUGIN_OK = 0,
	PLUGIN_INCOMPATIBLE_VERSION = 1,
	PLUGIN_INVALID_ENVIRONMENT = 4,
	PLUGIN_IO = 5,
	PLUGIN_DECODE = 6,
	PLUGIN_INVALID_CONFIG = 7,
	PLUGIN_TRY_AGAIN = 11,
	PLUGIN_NOT_AVAILABLE = 50,
	PLUGIN_NOT_ENFORCED = 100,
};

struct plugin_error {
	enum plugin_code code;
	char text[512];
};

/* Sets the error; returns -EINVAL. */
int plugin_fail(struct plugin_error *error, enum plugin_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum plugin_command {
	PLUGIN_ADD,
	PLUGIN_CHECK,
	PLUGIN_DEL,
	PLUGIN_GC,
	PLUGIN_STATUS,
	PLUGIN_VERSION,
	PLUGIN_COMMAND_COUNT
};

/* CNI_COMMAND and its like; NULL: not set. */
struct plugin_environment {
	const char *command, *container, *ifname, *args;
};

/* Strings belong to `config` or to the environment. */
struct plugin_request {
	enum plugin_command command;
	const char *version; /* that the runtime speaks; NULL: it did not say */
	const char *network;
	const char *container, *ifname;
	char *ns, *pod, *uid; /* from CNI_ARGS, never NULL; ns "": not a pod's */
	const char *socket, *results_dir;
	unsigned timeout_s;
	const json_t *result; /* of the plugins before; NULL: none */
	json_t *config;
};

/* Understands one invocation. 0; -EINVAL with *error; -ENOMEM. plugin_request_done() either way. */
int plugin_request_parse(struct plugin_request *request, const struct plugin_environment *env,
			 const char *text, size_t len, struct plugin_error *error);
void plugin_request_done(struct plugin_request *request);

/* The versions that are spoken, the last is NULL. */
extern const char *const plugin_versions[];

#endif
