/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Following an API server when each allocation fails once: nothing crashes, nothing leaks, nothing
 * is lost. The sanitizer sees the leaks. jansson is left its memory: its parser would crash. */
#include "unit.h"

#include <stdarg.h>
#include <unistd.h>

#include "base/log.h"
#include "source/api_config.h"
#include "source/exec_plugin.h"
#include "source/reflector.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static size_t allocations, fail_at; /* 0: none fails */

static bool fails(void)
{
	return fail_at > 0 && ++allocations == fail_at;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (fails())
		return -1;
	va_start(ap, fmt);
	n = vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

static const char kubeconfig[] =
	"current-context: m\nclusters:\n- name: c\n  cluster: {server: 'https://a:1/x', "
	"tls-server-name: b, proxy-url: 'http://p:1', certificate-authority-data: Zm9v, "
	"extensions: "
	"[{name: client.authentication.k8s.io/exec, extension: {a: b}}]}\n"
	"users:\n- name: u\n  user: {token: t, tokenFile: f, client-certificate: c, "
	"client-key-data: Zm9v, exec: {apiVersion: client.authentication.k8s.io/v1, command: x, "
	"args: [a, b], env: [{name: A, value: b}]}}\n"
	"contexts:\n- name: m\n  context: {cluster: c, user: u}\n";

static int read_kubeconfig(void)
{
	struct api_config config = {0};
	struct faults faults = {0};
	int rc = api_config_from_kubeconfig("config", NULL, &faults, &config);

	api_config_done(&config);
	faults_done(&faults);
	return rc;
}

static int read_answer(void)
{
	static const char answer[] =
		"{\"kind\":\"ExecCredential\",\"apiVersion\":\"v\",\"status\":{\"token\":\"t\","
		"\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\"}}";
	struct exec_credential credential = {0};
	int rc = exec_credential_parse(answer, sizeof(answer) - 1, "v", &credential, NULL);

	exec_credential_done(&credential);
	return rc;
}

#define POD(name)                                                                       \
	"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name        \
	"\",\"resourceVersion\":\"5\",\"labels\":{\"a\":\"b\"}},\"status\":{\"podIP\":" \
	"\"10.0.0.1\"}}"

static const char changes[] = "{\"type\":\"ADDED\",\"object\":" POD(
	"p") "}\n"
	     "{\"type\":\"ADDED\",\"object\":" POD(
		     "q") "}\n"
			  "{\"type\":\"DELETED\",\"object\":" POD(
				  "p") "}\n"
				       "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\","
				       "\"apiVersion\":\"v1\",\"metadata\":"
				       "{\"name\":\"r\"},\"status\":{\"phase\":1}}}\n"
				       "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{"
				       "\"resourceVersion\":\"9\","
				       "\"annotations\":{\"k8s.io/"
				       "initial-events-end\":\"true\"}}}}\n";

struct count {
	struct intern *strings;
	size_t objects;
};

static int take(void *ctx, const struct event *event)
{
	struct count *count = ctx;

	count->objects++;
	object_free(count->strings, event->object);
	return 0;
}

static const char list[] =
	"{\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"\"},\"items\":[" POD("s") "]}";

/* One answer; the reflector tries again by itself until it has come through. bytes NULL: what it
 * has asked for. */
static int ask(struct reflector *r, int status, const char *bytes, size_t len)
{
	struct reflector_step step = {.what = REFLECTOR_WAIT};
	struct http_end end = {.outcome = HTTP_DONE, .sent = true, .status = status, .text = ""};
	int rc = 0;

	for (int i = 0; i < 3 && rc == 0 && step.what == REFLECTOR_WAIT; i++)
		rc = reflector_next(r, 0, &step);
	if (rc < 0)
		return rc;
	if (!bytes) {
		bytes = strstr(step.path, "watch=1") ? changes : list;
		len = strlen(bytes);
	}
	end.error = reflector_take(r, 0, status, bytes, len);
	if (end.error < 0)
		end.outcome = HTTP_ABORTED;
	reflector_end(r, 1000, &end);
	return end.error;
}

static int follow(void)
{
	static const struct api_resource pods = {"/pods", "pods",   "",    "PodList",
						 "v1",    KIND_POD, false, NULL};
	struct count count = {.strings = intern_new()};
	struct reflector r;
	int rc;

	if (!count.strings)
		return -ENOMEM;
	reflector_init(&r, &pods, count.strings, take, &count, 1);
	rc = ask(&r, 200, changes, sizeof(changes) - 1);
	if (rc == 0)
		rc = ask(&r, 410, "{\"kind\":\"Status\"}", 17);
	if (rc == 0)
		rc = ask(&r, 422, "", 0);
	if (rc == 0)
		rc = ask(&r, 200, list, sizeof(list) - 1);
	/* After a lack of memory all is told again. */
	fail_at = 0;
	for (int i = 0; i < 3 && !(r.settled && r.live); i++)
		(void)ask(&r, 200, NULL, 0);
	if (!r.settled || r.stats.objects == 0)
		rc = -EIO;
	reflector_done(&r);
	if (intern_count(count.strings) > 0)
		rc = -EBADF;
	intern_free(count.strings);
	return rc;
}

static void survives(int (*scenario)(void), bool must_say_so)
{
	bool done = false;
	size_t at;

	for (at = 1; !done; at++) {
		int rc;

		allocations = 0;
		fail_at = at;
		rc = scenario();
		fail_at = 0;
		done = allocations < at;
		if (done)
			assert_int_equal(rc, 0);
		else if (rc != -ENOMEM && (must_say_so || rc != 0))
			fail_msg("allocation %zu: %d came back", at, rc);
	}
	print_message("    %zu allocations\n", at - 2);
	assert_true(at > 3);
}

static void reading_a_kubeconfig_survives(void **state)
{
	(void)state;
	survives(read_kubeconfig, true);
}

static void reading_a_plugins_answer_survives(void **state)
{
	(void)state;
	survives(read_answer, true);
}

static void following_a_server_survives(void **state)
{
	(void)state;
	survives(follow, false); /* some failures are made good before they are told */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_a_kubeconfig_survives),
		cmocka_unit_test(reading_a_plugins_answer_survives),
		cmocka_unit_test(following_a_server_survives),
	};
	char dir[] = "/tmp/test_api_no_memory.XXXXXX";
	FILE *out;
	int failed;

	if (!mkdtemp(dir) || chdir(dir) < 0 || !(out = fopen("config", "we")))
		return 99;
	(void)fputs(kubeconfig, out);
	(void)fclose(out); /* or else the first test fails */
	log_set_level(LOG_LEVEL_ERR);
	failed = cmocka_run_group_tests_name("no memory", tests, NULL, NULL);
	(void)unlink("config"); /* at worst something stays in /tmp */
	(void)rmdir(dir);
	return failed;
}
