/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A credential plugin of a kubeconfig: run beside the loop, killed when it takes too long. */
#ifndef SOURCE_EXEC_PLUGIN_H
#define SOURCE_EXEC_PLUGIN_H

#include <stdint.h>

#include "base/err.h"
#include "source/api_config.h"
#include "source/secret.h"

#define EXEC_PLUGIN_TIMEOUT_S  60
#define EXEC_PLUGIN_OUTPUT_MAX (1u << 20) /* bytes */

/* What a plugin answered. */
struct exec_credential {
	struct secret token, cert, key; /* those that it gave */
	int64_t expires;                /* seconds since the epoch; 0: it did not say */
};

struct event_base;
struct exec_plugin;

/* Once, from the loop: 0 and the credential, which is the callee's to give to
 * exec_credential_done(); or an error with its text. The plugin is gone already. */
typedef void (*exec_plugin_fn)(void *ctx, int rc, struct exec_credential *credential,
			       const struct err *err);

/* Runs the plugin of `config`, with no terminal to ask on. What it writes to standard error goes to
 * ours. `ca` is that of the cluster, for plugins that want to know. 0; -ENOMEM; another -errno with
 * err when it cannot be run. */
int exec_plugin_start(struct event_base *base, const struct api_config *config,
		      const struct secret *ca, exec_plugin_fn fn, void *ctx,
		      struct exec_plugin **ret, struct err *err);

/* Kills it; fn is not called. NULL is fine. */
void exec_plugin_free(struct exec_plugin *plugin);

/* What an ExecCredential says. 0; -ENOMEM; -EINVAL with err. */
int exec_credential_parse(const char *text, size_t len, const char *api_version,
			  struct exec_credential *ret, struct err *err);
void exec_credential_done(struct exec_credential *credential);

#endif
