/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What proves to an API server who we are, as of now: files are read anew for each request, plugins
 * are asked again when what they gave has expired or was refused. */
#ifndef SOURCE_CREDENTIALS_H
#define SOURCE_CREDENTIALS_H

#include "base/err.h"
#include "source/api_config.h"
#include "source/secret.h"

struct event_base;
struct credentials;

/* What one request needs; zero bytes where there is nothing. */
struct credential {
	struct secret token, ca, cert, key;
	unsigned generation; /* of the plugin's answer */
};

/* A plugin has answered, or failed to: who got -EINPROGRESS asks again. From the loop. */
typedef void (*credentials_fn)(void *ctx);

/* 0 or -ENOMEM. The base and `config` outlive it. */
int credentials_new(struct event_base *base, const struct api_config *config, credentials_fn fn,
		    void *ctx, struct credentials **ret);
void credentials_free(struct credentials *credentials);

/* 0 with *ret, which is good until the next call; -EINPROGRESS: a plugin is running; -ENOMEM;
 * another negative errno with err, which names the file or plugin. */
int credentials_get(struct credentials *credentials, const struct credential **ret,
		    struct err *err);

/* The server has refused the credential of that generation. */
void credentials_refused(struct credentials *credentials, unsigned generation);

#endif
