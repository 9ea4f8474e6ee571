/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"

#define ANSWER_BYTES_MAX (64u << 20)
#define TIMEOUT_S        30L
#define BEHIND_MAX       512

/* A daemon that is taking in a large change says Retry-After. */
#define BUSY_WAIT_US 50000
#define BUSY_MAX     600 /* times */

struct control {
	CURL *curl;
	const char *socket, *hint;
	struct control_answer answer;
	char behind[BEHIND_MAX];
	bool busy; /* the last answer asks to come again */
	char error[CURL_ERROR_SIZE];
};

static size_t take_bytes(char *bytes, size_t size, size_t n, void *ctx)
{
	struct control_answer *answer = ctx;
	size_t len = size * n;
	char *grown;

	if (len > ANSWER_BYTES_MAX - answer->len)
		return 0;
	grown = realloc(answer->bytes, answer->len + len + 1);
	if (!grown)
		return 0;
	memcpy(grown + answer->len, bytes, len);
	answer->bytes = grown;
	answer->len += len;
	answer->bytes[answer->len] = '\0';
	return len;
}

/* The value of the header, if it is this one and there is room. */
static void take_value(const char *bytes, size_t len, const char *header, char *to, size_t to_len)
{
	size_t skip = strlen(header);

	if (len <= skip || len - skip >= to_len || strncasecmp(bytes, header, skip) != 0)
		return;
	memcpy(to, bytes + skip, len - skip);
	to[len - skip] = '\0';
	to[strcspn(to, "\r\n")] = '\0';
}

static size_t take_header(char *bytes, size_t size, size_t n, void *ctx)
{
	struct control *control = ctx;
	size_t len = size * n;

	if (len > 12 && strncasecmp(bytes, "retry-after:", 12) == 0)
		control->busy = true;
	take_value(bytes, len, "netpold-behind: ", control->behind, sizeof(control->behind));
	take_value(bytes, len, "netpold-next: ", control->answer.next,
		   sizeof(control->answer.next));
	return len;
}

struct control *control_new(const char *socket, const char *hint)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->socket = socket;
	control->hint = hint;
	control->curl = curl_easy_init();
	if (!control->curl) {
		control_free(control);
		return NULL;
	}
	(void)curl_easy_setopt(control->curl, CURLOPT_UNIX_SOCKET_PATH, socket);
	(void)curl_easy_setopt(control->curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(control->curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(control->curl, CURLOPT_TIMEOUT, TIMEOUT_S);
	(void)curl_easy_setopt(control->curl, CURLOPT_ERRORBUFFER, control->error);
	(void)curl_easy_setopt(control->curl, CURLOPT_WRITEFUNCTION, take_bytes);
	(void)curl_easy_setopt(control->curl, CURLOPT_WRITEDATA, &control->answer);
	(void)curl_easy_setopt(control->curl, CURLOPT_HEADERFUNCTION, take_header);
	(void)curl_easy_setopt(control->curl, CURLOPT_HEADERDATA, control);
	return control;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	curl_easy_cleanup(control->curl);
	free(control->answer.bytes);
	free(control);
}

void control_warn(const struct control *control)
{
	if (control->behind[0]) {
		fputs("netpolctl: the kernel is behind: ", stderr);
		escape_print(stderr, ESCAPE_JSON, control->behind); /* escaped by the daemon */
		fputc('\n', stderr);
	}
}

int control_complain(const struct control *control, const char *reason)
{
	print_line(stderr, "netpolctl: %s: %s", control->socket, reason);
	return -EIO;
}

static int tell_failure(const struct control *control, CURLcode code)
{
	long os_errno = 0;
	const char *what = control->error[0] ? control->error : curl_easy_strerror(code);
	const char *todo = "is netpold running on this node?";

	if (code == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	(void)curl_easy_getinfo(control->curl, CURLINFO_OS_ERRNO, &os_errno);
	if (code == CURLE_COULDNT_CONNECT && os_errno != 0)
		what = strerror((int)os_errno);
	if (os_errno == EACCES || os_errno == EPERM)
		todo = "expected root, the user that netpold runs as, or a member of control-group";
	print_line(stderr, "netpolctl: %s: %s: %s%s", control->socket, what, todo, control->hint);
	return -EIO;
}

static int tell_status(const struct control *control, long status)
{
	int len = (int)strcspn(control->answer.bytes, "\r\n");

	if (status == 503)
		print_line(stderr, "netpolctl: %s: %.*s: try again soon%s", control->socket, len,
			   control->answer.bytes, control->hint);
	else
		print_line(stderr, "netpolctl: %s: unexpected answer %ld: %.*s", control->socket,
			   status, len < 200 ? len : 200, control->answer.bytes);
	return -EIO;
}

static int set_request(CURL *curl, const char *path, const char *body, size_t len)
{
	char url[1024];

	if (snprintf(url, sizeof(url), "http://netpold%s", path) >= (int)sizeof(url))
		return -ENOMEM;
	if (curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK)
		return -ENOMEM;
	if (!body)
		return curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK ? 0 : -ENOMEM;
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	return 0;
}

static CURLcode perform_patiently(struct control *control)
{
	CURLcode code = CURLE_OK;

	for (unsigned tries = 0; tries < BUSY_MAX; tries++) {
		control->error[0] = '\0';
		control->busy = false;
		control->answer.len = 0;
		control->answer.bytes[0] = '\0';
		code = curl_easy_perform(control->curl);
		if (code != CURLE_OK || !control->busy)
			break;
		(void)usleep(BUSY_WAIT_US);
	}
	return code;
}

static int perform(struct control *control)
{
	/* No "Expect: 100-continue": the daemon takes what it is sent. */
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	CURLcode code;
	long status = 0;

	if (!headers)
		return -ENOMEM;
	(void)curl_easy_setopt(control->curl, CURLOPT_HTTPHEADER, headers);
	code = perform_patiently(control);
	(void)curl_easy_setopt(control->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
		return tell_failure(control, code);
	(void)curl_easy_getinfo(control->curl, CURLINFO_RESPONSE_CODE, &status);
	return status == 200 ? 0 : tell_status(control, status);
}

int control_ask(struct control *control, const char *path, const char *body, size_t len,
		const struct control_answer **ret)
{
	int rc = set_request(control->curl, path, body, len);

	free(control->answer.bytes);
	control->answer = (struct control_answer){.bytes = calloc(1, 1)};
	if (!control->answer.bytes)
		return -ENOMEM;
	if (rc == 0)
		rc = perform(control);
	if (rc == 0)
		*ret = &control->answer;
	return rc;
}
