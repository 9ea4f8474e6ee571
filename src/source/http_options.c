/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http_options.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

/* A peer that is gone without a word is noticed by the kernel after some 60 seconds. */
#define KEEPALIVE_IDLE_S     30L
#define KEEPALIVE_INTERVAL_S 10L
#define KEEPALIVE_PROBES     3
#define UNACKNOWLEDGED_MS    60000

static int on_socket_made(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	const int probes = KEEPALIVE_PROBES;
	const unsigned unacknowledged_ms = UNACKNOWLEDGED_MS;

	(void)ctx;
	(void)purpose;
	/* What we run is to have none of our connections; libcurl does not see to that. */
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* Without these a dead peer is noticed later: no reason not to try. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms,
			 sizeof(unacknowledged_ms));
	return CURL_SOCKOPT_OK;
}

/* One option; the first that fails stays in *code. */
#define SET(easy, code, option, value)                                         \
	do {                                                                   \
		if (*(code) == CURLE_OK)                                       \
			*(code) = curl_easy_setopt((easy), (option), (value)); \
	} while (0)

static void set_blob(CURL *easy, CURLcode *code, CURLoption option, const struct secret *secret)
{
	struct curl_blob blob = {.flags = CURL_BLOB_COPY};

	if (!secret || !secret->v)
		return;
	blob.data = secret->v;
	blob.len = secret->n;
	SET(easy, code, option, &blob);
}

static void set_tls(CURL *easy, const struct http_call *call, CURLcode *code)
{
	SET(easy, code, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(easy, code, CURLOPT_SSL_VERIFYPEER, call->insecure ? 0L : 1L);
	SET(easy, code, CURLOPT_SSL_VERIFYHOST, call->insecure ? 0L : 2L);
	if (call->ca && call->ca->v) { /* these authorities and no others */
		SET(easy, code, CURLOPT_CAINFO, NULL);
		SET(easy, code, CURLOPT_CAPATH, NULL);
		set_blob(easy, code, CURLOPT_CAINFO_BLOB, call->ca);
	}
	set_blob(easy, code, CURLOPT_SSLCERT_BLOB, call->cert);
	set_blob(easy, code, CURLOPT_SSLKEY_BLOB, call->key);
	/* A key that is encrypted fails instead of asking on the terminal. */
	SET(easy, code, CURLOPT_KEYPASSWD, "");
}

static void set_connection(CURL *easy, const struct http_call *call, CURLcode *code)
{
	bool tls = strncmp(call->url, "https:", 6) == 0;

	SET(easy, code, CURLOPT_URL, call->url);
	SET(easy, code, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
	SET(easy, code, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	/* Who waits for a connection to share is for http.c to say. */
	SET(easy, code, CURLOPT_PIPEWAIT, 0L);
	SET(easy, code, CURLOPT_FRESH_CONNECT, call->fresh ? 1L : 0L);
	if (call->proxy) {
		SET(easy, code, CURLOPT_PROXY, call->proxy);
		SET(easy, code, CURLOPT_NOPROXY, "");
	}
	/* Several servers behind one name: not all clients to the first of them. */
	SET(easy, code, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
	SET(easy, code, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_ms);
	SET(easy, code, CURLOPT_TIMEOUT_MS, (long)call->total_ms);
	SET(easy, code, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(easy, code, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	SET(easy, code, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	SET(easy, code, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
}

static int add_header(struct http_options *options, const char *name, const char *value)
{
	struct curl_slist *grown;
	char *line;

	if (asprintf(&line, "%s: %s", name, value) < 0)
		return -ENOMEM;
	grown = curl_slist_append(options->headers, line);
	secret_wipe_free(line);
	if (!grown)
		return -ENOMEM;
	options->headers = grown;
	return 0;
}

static int set_headers(const struct http_call *call, struct http_options *options)
{
	int rc = add_header(options, "Accept", "application/json");

	if (rc == 0 && call->host)
		rc = add_header(options, "Host", call->host);
	if (rc == 0 && call->connect_to) {
		options->connect_to = curl_slist_append(NULL, call->connect_to);
		rc = options->connect_to ? 0 : -ENOMEM;
	}
	if (rc == 0 && call->token && call->token->v) {
		char *bearer;

		if (asprintf(&bearer, "Bearer %s", call->token->v) < 0)
			return -ENOMEM;
		rc = add_header(options, "Authorization", bearer);
		secret_wipe_free(bearer);
	}
	return rc;
}

int http_options_set(CURL *easy, const struct http_call *call, struct http_options *options,
		     struct err *err)
{
	CURLcode code = CURLE_OK;
	int rc = set_headers(call, options);

	if (rc < 0)
		return rc;
	set_connection(easy, call, &code);
	set_tls(easy, call, &code);
	SET(easy, &code, CURLOPT_HTTPHEADER, options->headers);
	SET(easy, &code, CURLOPT_CONNECT_TO, options->connect_to);
	SET(easy, &code, CURLOPT_USERAGENT, call->user_agent);
	if (code == CURLE_OK)
		return 0;
	if (code == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	return err_set(err, -EINVAL, "%s", curl_easy_strerror(code));
}

void http_options_done(struct http_options *options)
{
	for (struct curl_slist *line = options->headers; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data)); /* the token is in there */
	curl_slist_free_all(options->headers);
	curl_slist_free_all(options->connect_to);
}
