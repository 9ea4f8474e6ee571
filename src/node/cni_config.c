/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which plugin has made an interface. Configurations are written by administrators, those of
 * Multus' further networks by whoever may make NetworkAttachmentDefinitions: the type is only
 * shown. */
#include "cni_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"

/* Plugins that call others call no such plugin again, but who writes a configuration may say so. */
#define CALLS_MAX 4

static bool is_type(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	}
	return len > 0;
}

/* A list of plugins, or one alone: the first one. */
static const json_t *first_plugin(const json_t *config)
{
	const json_t *plugin = json_array_get(json_object_get(config, "plugins"), 0);

	return plugin ? plugin : config;
}

/* What the plugin calls to make the interface: flannel and others `delegate`, Multus the first of
 * `delegates`. NULL: it makes it itself. */
static const json_t *called_by(const json_t *plugin)
{
	const json_t *called = json_object_get(plugin, "delegate");

	if (!called)
		called = json_array_get(json_object_get(plugin, "delegates"), 0);
	return called ? first_plugin(called) : NULL;
}

static void find_type(const json_t *config, char type[static CNI_TYPE_MAX])
{
	const json_t *plugin = first_plugin(config);

	for (int i = 0; i < CALLS_MAX && plugin; i++) {
		const char *text = json_string_value(json_object_get(plugin, "type"));

		if (is_type(text))
			(void)snprintf(type, CNI_TYPE_MAX, "%s", text);
		plugin = called_by(plugin);
	}
}

int cni_config_type(const char *base64, char type[static CNI_TYPE_MAX])
{
	AUTO_FREE char *text = malloc(BASE64_DECODED_MAX(strlen(base64)));
	AUTO_JSON json_t *config = NULL;
	ssize_t n;

	type[0] = '\0';
	if (!text)
		return -ENOMEM;
	n = base64_decode(base64, (unsigned char *)text);
	if (n <= 0)
		return 0;
	errno = 0;
	config = json_loadb(text, (size_t)n, 0, NULL);
	if (errno == ENOMEM) /* as in load() of cni.c */
		return -ENOMEM;
	find_type(config, type);
	return 0;
}
