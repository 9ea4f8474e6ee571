/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as what the daemon answers to netpolctl: the first two choose the subcommand and what goes
 * wrong, then come answers, each its headers, a blank line and a body, with a NUL between two. What
 * libcurl would do is done here, without a socket. */
#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "../../src/ctl/ask.h"
#include "base/vec.h"
#include "choices.h"
#include "ctl/ctl.h"
#include "fuzz.h"

#define ANSWERS_MAX 64 /* then nobody answers any more */
#define FLOWS       3

/* A connection that is none. */
static struct {
	const char *at, *end; /* what is still to be answered */
	unsigned asked;
	long status;
	CURLcode failure;
	curl_write_callback on_bytes, on_header;
	void *bytes_ctx, *header_ctx;
} server;

CURL *__wrap_curl_easy_init(void);
void __wrap_curl_easy_cleanup(CURL *curl);
CURLcode __wrap_curl_easy_setopt(CURL *curl, CURLoption option, ...);
CURLcode __wrap_curl_easy_getinfo(CURL *curl, CURLINFO info, ...);
CURLcode __wrap_curl_easy_perform(CURL *curl);
int __wrap_usleep(useconds_t us);

CURL *__wrap_curl_easy_init(void)
{
	return &server;
}

void __wrap_curl_easy_cleanup(CURL *curl)
{
	REQUIRE(curl == &server);
}

CURLcode __wrap_curl_easy_setopt(CURL *curl, CURLoption option, ...)
{
	va_list args;

	(void)curl;
	va_start(args, option);
	if (option == CURLOPT_WRITEFUNCTION)
		server.on_bytes = va_arg(args, curl_write_callback);
	else if (option == CURLOPT_WRITEDATA)
		server.bytes_ctx = va_arg(args, void *);
	else if (option == CURLOPT_HEADERFUNCTION)
		server.on_header = va_arg(args, curl_write_callback);
	else if (option == CURLOPT_HEADERDATA)
		server.header_ctx = va_arg(args, void *);
	va_end(args);
	return CURLE_OK;
}

CURLcode __wrap_curl_easy_getinfo(CURL *curl, CURLINFO info, ...)
{
	va_list args;

	(void)curl;
	va_start(args, info);
	if (info == CURLINFO_RESPONSE_CODE)
		*va_arg(args, long *) = server.status;
	else if (info == CURLINFO_OS_ERRNO)
		*va_arg(args, long *) = ECONNREFUSED;
	va_end(args);
	return CURLE_OK;
}

/* A copy of exactly its size, so that reading beyond it is seen. */
static bool hand_over(curl_write_callback fn, const char *bytes, size_t len, void *ctx)
{
	char *copy = malloc(len);
	size_t taken;

	REQUIRE(copy);
	memcpy(copy, bytes, len);
	taken = fn(copy, 1, len, ctx);
	free(copy);
	return taken == len;
}

/* Lines up to a blank one; what is behind it. */
static const char *send_headers(const char *at, const char *end)
{
	while (at < end) {
		const char *line = memchr(at, '\n', (size_t)(end - at));
		size_t len = line ? (size_t)(line - at) + 1 : (size_t)(end - at);
		bool blank = *at == '\n';

		REQUIRE(hand_over(server.on_header, at, len, server.header_ctx));
		at += len;
		if (blank)
			break;
	}
	return at;
}

CURLcode __wrap_curl_easy_perform(CURL *curl)
{
	const char *end = memchr(server.at, '\0', (size_t)(server.end - server.at)), *at;

	(void)curl;
	if (server.asked++ == ANSWERS_MAX || server.at == server.end)
		return CURLE_COULDNT_CONNECT;
	if (server.failure != CURLE_OK)
		return server.failure;
	end = end ? end : server.end;
	at = send_headers(server.at, end);
	server.at = end < server.end ? end + 1 : end;
	for (size_t n; at < end; at += n) {
		n = (size_t)(end - at) > 1000 ? 1000 : (size_t)(end - at);
		if (!hand_over(server.on_bytes, at, n, server.bytes_ctx))
			return CURLE_WRITE_ERROR;
	}
	return CURLE_OK;
}

int __wrap_usleep(useconds_t us)
{
	(void)us;
	return 0;
}

/* The subcommands. */

static int count(void *ctx, const struct flow_line *line, const struct explanation *answer)
{
	size_t *answered = ctx;

	++*answered;
	REQUIRE(line->line == *answered);
	REQUIRE(answer->verdict <= VERDICT_NONE);
	REQUIRE(answer->verdict != VERDICT_NONE || answer->reason);
	return 0;
}

/* All flows are answered, or it is said that they are not. */
static int ask_flows(struct ctl *ctl)
{
	size_t answered = 0;
	struct ask *ask = ask_new(ctl, false, count, &answered);
	int rc = 0;

	REQUIRE(ask);
	for (unsigned i = 0; i < FLOWS && rc == 0; i++) {
		struct flow_line line = {.flow = {.from = "a/b", .to = "10.0.0.1"}, .line = i + 1};

		rc = ask_flow(ask, &line);
	}
	if (rc == 0)
		rc = ask_finish(ask);
	ask_free(ask);
	REQUIRE(rc == -EIO || (rc == 0 && answered == FLOWS));
	return rc == 0 ? CTL_OK : ctl_status_of(rc, CTL_UNUSABLE);
}

static int run(struct ctl *ctl, unsigned what)
{
	char from[] = "a/b", to[] = "c/d", proto[] = "tcp/80";
	char *flow[] = {from, to, proto, NULL}, *none[] = {NULL};

	switch (what) {
	case 0:
		return ctl_status(ctl, 0, none);
	case 1:
		return ctl_graph(ctl, 0, none);
	case 2:
		return ctl_explain(ctl, 3, flow);
	default:
		return ask_flows(ctl);
	}
}

/* What people read: lines, without anything that a terminal obeys. */
static void check_lines(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		REQUIRE(text[i] == '\n' || (unsigned char)text[i] >= ' ');
	REQUIRE(len == 0 || text[len - 1] == '\n');
}

static void run_captured(struct ctl *ctl, unsigned what)
{
	FILE *const real_out = stdout, *const real_err = stderr;
	char *out = NULL, *errors = NULL;
	size_t out_len, errors_len;
	int status;

	stdout = open_memstream(&out, &out_len);
	stderr = open_memstream(&errors, &errors_len);
	status = stdout && stderr ? run(ctl, what) : -1;
	REQUIRE(fclose(stdout) == 0 && fclose(stderr) == 0);
	stdout = real_out;
	stderr = real_err;
	REQUIRE(status == CTL_OK || status == CTL_FAILED || status == CTL_UNUSABLE);
	check_lines(errors, errors_len);
	if (what == 0 && ctl->output == OUTPUT_TEXT) {
		check_lines(out, out_len);
		REQUIRE((status == CTL_OK) == (strncmp(out, "state      enforcing\n", 21) == 0));
	}
	/* Whatever is wrong is said. */
	REQUIRE(status == CTL_OK || out_len > 0 || errors_len > 0 ||
		ctl->cluster.faults.errors > 0);
	free(out);
	free(errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const long statuses[] = {200, 200, 200, 200, 200, 503, 404, 0};
	struct choices choices = {data, data + size};
	unsigned how = choose_byte(&choices), what = choose(&choices, 4);
	struct ctl ctl = {.control = "/socket"};

	server.at = (const char *)choices.p;
	server.end = (const char *)choices.end;
	server.asked = 0;
	server.status = statuses[how % ARRAY_LEN(statuses)];
	server.failure = how >= 250 ? (CURLcode)(how - 240) : CURLE_OK;
	ctl.output = how & 8 ? OUTPUT_JSON : OUTPUT_TEXT;
	ctl.colour = how & 16;
	run_captured(&ctl, what);
	faults_done(&ctl.cluster.faults);
	return 0;
}
