/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* The daemon answers within a second, or says that it is not so yet. */
#define TIMEOUT_MS 5000L
/* Nobody answers: between two attempts. */
#define RETRY_MS   100
#define ANSWER_MAX 256

/* The first line of what was answered. */
struct answer {
	char text[ANSWER_MAX];
	size_t len;
};

static size_t on_bytes(char *bytes, size_t size, size_t n, void *ctx)
{
	struct answer *answer = ctx;
	size_t room = sizeof(answer->text) - 1 - answer->len, len = size * n;

	if (len < room)
		room = len;
	memcpy(answer->text + answer->len, bytes, room);
	answer->len += room;
	answer->text[answer->len] = '\0';
	return len;
}

/* The status of a GET; 0 with the reason in the answer: nobody has answered. */
static long get(CURL *curl, const char *socket, const char *url, struct answer *answer)
{
	char why[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURLcode code;

	*answer = (struct answer){0};
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	code = curl_easy_perform(curl);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
	if (code == CURLE_OK)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	else
		(void)snprintf(answer->text, sizeof(answer->text),
			       "%s: %.160s: is netpold running on this node?", socket,
			       why[0] ? why : curl_easy_strerror(code));
	answer->text[strcspn(answer->text, "\r\n")] = '\0';
	return status;
}

static int ask(const struct plugin_request *r, CURL *curl, const char *url, enum plugin_code code,
	       struct plugin_error *error)
{
	struct answer answer;
	long status = get(curl, r->socket, url, &answer);

	if (status == 200)
		return 0;
	(void)plugin_fail(error, code, "%s", answer.text);
	return -EAGAIN;
}

/* All of it are letters, digits and _.-, which no URL escapes. `wait_ms`: how long the daemon may
 * take. */
static void enforced_url(char *to, size_t len, const struct plugin_request *r, int wait_ms)
{
	(void)snprintf(to, len,
		       "http://netpold/enforced?namespace=%s&name=%s&uid=%s&container=%s"
		       "&wait=%d",
		       r->ns, r->pod, r->uid, r->container, wait_ms);
}

int plugin_ask_enforced(const struct plugin_request *r, enum plugin_code code,
			struct plugin_error *error)
{
	CURL *curl = curl_easy_init();
	char url[2048];
	int rc;

	if (!curl)
		return -ENOMEM;
	enforced_url(url, sizeof(url), r, 0);
	rc = ask(r, curl, url, code, error);
	curl_easy_cleanup(curl);
	return rc;
}

int plugin_wait_enforced(const struct plugin_request *r, struct plugin_error *error)
{
	static const struct timespec retry = {.tv_nsec = RETRY_MS * 1000000L};
	int64_t end_ms = clock_monotonic_ms() + (int64_t)r->timeout_s * 1000;
	CURL *curl = curl_easy_init();
	char url[2048], reason[ANSWER_MAX];
	int rc = curl ? -EAGAIN : -ENOMEM;

	enforced_url(url, sizeof(url), r, 1000);
	while (rc == -EAGAIN) {
		int64_t asked_ms = clock_monotonic_ms();

		rc = ask(r, curl, url, PLUGIN_TRY_AGAIN, error);
		if (clock_monotonic_ms() >= end_ms)
			break;
		if (rc == -EAGAIN && clock_monotonic_ms() - asked_ms < RETRY_MS)
			(void)nanosleep(&retry, NULL); /* a signal may cut it short */
	}
	curl_easy_cleanup(curl);
	if (rc != -EAGAIN)
		return rc;
	(void)snprintf(reason, sizeof(reason), "%.255s", error->text);
	(void)plugin_fail(error, PLUGIN_TRY_AGAIN, "pod %s/%s is not enforced after %u s: %s",
			  r->ns, r->pod, r->timeout_s, reason);
	return rc;
}

int plugin_ask_ready(const struct plugin_request *r, struct plugin_error *error)
{
	CURL *curl = curl_easy_init();
	int rc;

	if (!curl)
		return -ENOMEM;
	rc = ask(r, curl, "http://netpold/enforced", PLUGIN_NOT_AVAILABLE, error);
	curl_easy_cleanup(curl);
	return rc;
}
