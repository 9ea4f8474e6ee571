/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "source/exec_plugin.h"

/* A credential this close to its end would expire on the way. */
#define EXPIRY_MARGIN_S 10

/* A failure of the plugin is told to all who ask within this time: it is not run for each. */
#define FAILURE_HOLDS_S 1

struct credentials {
	struct event_base *base;
	const struct api_config *config;
	credentials_fn fn;
	void *ctx;
	struct credential now;
	struct exec_plugin *plugin; /* running */
	struct exec_credential answer;
	bool answered;      /* the answer counts */
	struct err failure; /* of the last run */
	time_t failed;      /* when, by the monotonic clock */
};

int credentials_new(struct event_base *base, const struct api_config *config, credentials_fn fn,
		    void *ctx, struct credentials **ret)
{
	struct credentials *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->base = base;
	c->config = config;
	c->fn = fn;
	c->ctx = ctx;
	*ret = c;
	return 0;
}

void credentials_free(struct credentials *c)
{
	if (!c)
		return;
	exec_plugin_free(c->plugin);
	exec_credential_done(&c->answer);
	secret_done(&c->now.token);
	secret_done(&c->now.ca);
	secret_done(&c->now.cert);
	secret_done(&c->now.key);
	free(c);
}

/* The file's content, or else the data. */
static int take(struct secret *to, const char *file, const struct secret *data, struct err *err)
{
	if (file)
		return secret_read_file(to, file, err);
	if (data->v)
		return secret_copy(to, data);
	secret_done(to);
	return 0;
}

/* Surrounding space goes; anything else would make headers of our own. */
static int trim_token(struct secret *token, const char *file, struct err *err)
{
	static const char space[] = " \t\r\n";
	const char *from = token->v;
	size_t len = token->n;

	while (len > 0 && strchr(space, *from)) {
		from++;
		len--;
	}
	while (len > 0 && strchr(space, from[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++) {
		if (from[i] <= ' ' || from[i] > '~')
			return err_set(err, -EINVAL, "%s: expected a token on one line",
				       file ? file : "token");
	}
	if (len == 0)
		return err_set(err, -EINVAL, "%s: expected a token, got nothing",
			       file ? file : "token");
	return len == token->n ? 0 : secret_set(token, from, len);
}

static int take_token(struct credentials *c, struct err *err)
{
	const struct api_config *config = c->config;
	const char *file = config->token_file;
	int rc = take(&c->now.token, file, &config->token, err);

	if (rc < 0 && rc != -ENOMEM && config->token.v) { /* better than nothing */
		file = NULL;
		rc = secret_copy(&c->now.token, &config->token);
	}
	return rc == 0 && c->now.token.v ? trim_token(&c->now.token, file, err) : rc;
}

static bool expired(const struct exec_credential *answer)
{
	return answer->expires > 0 && (int64_t)time(NULL) + EXPIRY_MARGIN_S >= answer->expires;
}

static void on_answer(void *ctx, int rc, struct exec_credential *credential, const struct err *err)
{
	struct credentials *c = ctx;

	c->plugin = NULL;
	c->failure = (struct err){0};
	c->failed = clock_monotonic_ms() / 1000;
	if (rc < 0) {
		(void)err_set(&c->failure, rc, "%s", rc == -ENOMEM ? "no memory" : err->text);
	} else if (expired(credential)) {
		(void)err_set(&c->failure, -EIO,
			      "credential plugin %.80s: what it gave has expired already",
			      c->config->exec.command);
		exec_credential_done(credential);
	} else {
		exec_credential_done(&c->answer);
		c->answer = *credential;
		c->answered = true;
		c->now.generation++;
	}
	c->fn(c->ctx);
}

/* What the plugin says goes before what the kubeconfig says. */
static int take_answer(struct credentials *c, struct err *err)
{
	int rc = 0;

	if (c->answer.token.v)
		rc = secret_copy(&c->now.token, &c->answer.token);
	if (rc == 0 && c->answer.token.v)
		rc = trim_token(&c->now.token, NULL, err);
	if (rc == 0 && c->answer.cert.v)
		rc = secret_copy(&c->now.cert, &c->answer.cert);
	if (rc == 0 && c->answer.key.v)
		rc = secret_copy(&c->now.key, &c->answer.key);
	return rc;
}

static int ask_plugin(struct credentials *c, struct err *err)
{
	int rc;

	if (c->plugin)
		return -EINPROGRESS;
	if (c->answered && !expired(&c->answer))
		return take_answer(c, err);
	if (c->failure.code && clock_monotonic_ms() / 1000 - c->failed <= FAILURE_HOLDS_S)
		return err_set(err, c->failure.code, "%s", c->failure.text);
	rc = exec_plugin_start(c->base, c->config, &c->now.ca, on_answer, c, &c->plugin, err);
	return rc < 0 ? rc : -EINPROGRESS;
}

int credentials_get(struct credentials *c, const struct credential **ret, struct err *err)
{
	const struct api_config *config = c->config;
	int rc = take(&c->now.ca, config->ca_file, &config->ca, err);

	if (rc == 0)
		rc = take(&c->now.cert, config->cert_file, &config->cert, err);
	if (rc == 0)
		rc = take(&c->now.key, config->key_file, &config->key, err);
	if (rc == 0)
		rc = take_token(c, err);
	if (rc == 0 && config->exec.command)
		rc = ask_plugin(c, err);
	if (rc == 0)
		*ret = &c->now;
	return rc;
}

void credentials_refused(struct credentials *c, unsigned generation)
{
	if (generation == c->now.generation)
		c->answered = false;
}
