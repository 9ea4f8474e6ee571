/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <event2/event.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "source/credentials.h"
#include "source/exec_plugin.h"

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* base64 */

struct base64_row {
	const char *name, *text, *bytes; /* NULL: refused */
};

static const struct base64_row base64_rows[] = {
	{"nothing", "", ""},
	{"one byte", "Zg==", "f"},
	{"two bytes", "Zm8=", "fo"},
	{"three bytes", "Zm9v", "foo"},
	{"all digits", "+/+/", "\xfb\xff\xbf"},
	{"broken into lines", "Zm9v\r\nYmFy\n", "foobar"},
	{"no padding", "Zg", NULL},
	{"too much padding", "Z===", NULL},
	{"padding within", "Zg==Zg==", NULL},
	{"another alphabet", "-_-_", NULL},
	{"a NUL's worth of text", "Zm9v*", NULL},
};

static void is_base64(void **state)
{
	const struct base64_row *row = *state;
	struct secret secret = {0};
	int rc = secret_from_base64(&secret, row->text);

	assert_int_equal(rc, row->bytes ? 0 : -EINVAL);
	if (row->bytes) {
		char *again = secret_to_base64(&secret);

		assert_int_equal(secret.n, strlen(row->bytes));
		assert_string_equal(secret.v, row->bytes);
		assert_non_null(again);
		assert_int_equal(
			strncmp(again, row->text, 4 < strlen(row->text) ? 4 : strlen(again)), 0);
		secret_wipe_free(again);
	}
	secret_done(&secret);
}

/* What a plugin says. */

struct answer_row {
	const char *name, *text, *expected; /* token, certificate, key, expiry; or the error */
};

#define HEAD "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\","

static const struct answer_row answer_rows[] = {
	{"a token", HEAD "\"status\":{\"token\":\"t\"}}", "t - - 0"},
	{"a certificate",
	 HEAD "\"status\":{\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\"}}", "- c k 0"},
	{"a time",
	 HEAD "\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"2026-11-21T04:12:11Z\"}}",
	 "t - - 1795234331"},
	{"a time elsewhere",
	 HEAD
	 "\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"2026-11-21T06:12:11.5+02:00\"}}",
	 "t - - 1795234331"},
	{"no time", HEAD "\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"tomorrow\"}}",
	 "expirationTimestamp: expected a time such as 2026-11-21T04:12:11Z"},
	{"a certificate without a key", HEAD "\"status\":{\"clientCertificateData\":\"c\"}}",
	 "expected clientCertificateData and clientKeyData together"},
	{"nothing", HEAD "\"status\":{}}", "expected a token or a client certificate in status"},
	{"no status", HEAD "\"spec\":{}}", "expected a token or a client certificate in status"},
	{"another version",
	 "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}",
	 "expected an ExecCredential of client.authentication.k8s.io/v1"},
	{"another kind", "{\"kind\":\"Status\"}",
	 "expected an ExecCredential on its standard output"},
	{"no JSON", "please log in", "expected an ExecCredential on its standard output"},
};

static void is_understood(void **state)
{
	const struct answer_row *row = *state;
	struct exec_credential credential = {0};
	struct err err = {0};
	char text[200];
	int rc = exec_credential_parse(row->text, strlen(row->text),
				       "client.authentication.k8s.io/v1", &credential, &err);

	(void)snprintf(text, sizeof(text), "%s %s %s %jd",
		       credential.token.v ? credential.token.v : "-",
		       credential.cert.v ? credential.cert.v : "-",
		       credential.key.v ? credential.key.v : "-", (intmax_t)credential.expires);
	assert_string_equal(rc < 0 ? err.text : text, row->expected);
	exec_credential_done(&credential);
}

/* Files. */

struct scene {
	struct event_base *base;
	struct api_config config;
	struct credentials *credentials;
	size_t told;
};

/* For members that own their text elsewhere. */
static char *text(const char *literal)
{
	return (char *)(uintptr_t)literal;
}

static void on_ready(void *ctx)
{
	struct scene *s = ctx;

	s->told++;
}

static void scene_start(struct scene *s)
{
	s->base = event_base_new();
	assert_non_null(s->base);
	assert_int_equal(credentials_new(s->base, &s->config, on_ready, s, &s->credentials), 0);
}

static void scene_stop(struct scene *s)
{
	credentials_free(s->credentials);
	event_base_free(s->base);
	secret_done(&s->config.token);
}

static const char *token_now(struct scene *s, struct err *err)
{
	const struct credential *credential;

	*err = (struct err){0};
	if (credentials_get(s->credentials, &credential, err) < 0)
		return NULL;
	return credential->token.v ? credential->token.v : "";
}

static void a_rotated_file_is_what_it_says_now(void **state)
{
	struct scene s = {.config = {.token_file = text("token"), .ca_file = text("ca")}};
	const struct credential *credential;
	struct err err = {0};

	(void)state;
	scene_start(&s);
	write_file("ca", "one", 0600);
	write_file("token", "first\n", 0600);
	assert_string_equal(token_now(&s, &err), "first");
	write_file("new", "  second \r\n", 0600);
	assert_int_equal(rename("new", "token"), 0);
	write_file("ca", "two", 0600);
	assert_int_equal(credentials_get(s.credentials, &credential, &err), 0);
	assert_string_equal(credential->token.v, "second");
	assert_string_equal(credential->ca.v, "two");

	assert_int_equal(unlink("token"), 0);
	assert_null(token_now(&s, &err));
	assert_string_equal(err.text, "token: No such file or directory");
	assert_int_equal(secret_set(&s.config.token, "fallback", 8), 0);
	assert_string_equal(token_now(&s, &err), "fallback");
	scene_stop(&s);
}

static void a_token_cannot_bring_headers(void **state)
{
	static const char *const bad[] = {"", " \n", "a\nX-Header: b", "a b", "a\x01", "\xff"};
	struct scene s = {.config = {.token_file = text("token")}};
	struct err err;

	(void)state;
	scene_start(&s);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		write_file("token", bad[i], 0600);
		assert_null(token_now(&s, &err));
		assert_non_null(strstr(err.text, "token: expected a token"));
		assert_null(strstr(err.text, "Header"));
	}
	scene_stop(&s);
}

static void a_file_has_a_size(void **state)
{
	struct secret secret = {0};
	struct err err = {0};
	char *text = malloc(SECRET_FILE_MAX + 2);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', SECRET_FILE_MAX + 1);
	text[SECRET_FILE_MAX + 1] = '\0';
	write_file("big", text, 0600);
	assert_int_equal(secret_read_file(&secret, "big", &err), -EFBIG);
	assert_non_null(strstr(err.text, "expected at most"));
	text[SECRET_FILE_MAX] = '\0';
	write_file("big", text, 0600);
	assert_int_equal(secret_read_file(&secret, "big", &err), 0);
	assert_int_equal(secret.n, SECRET_FILE_MAX);
	assert_int_equal(secret_read_file(&secret, ".", &err), -EISDIR);
	secret_done(&secret);
	free(text);
	assert_int_equal(unlink("big"), 0);
}

/* Plugins. */

/* Runs the loop until the plugin has been heard of `times` times. */
static void await(struct scene *s, size_t times)
{
	for (int i = 0; i < 1000 && s->told < times; i++)
		assert_true(event_base_loop(s->base, EVLOOP_ONCE) >= 0);
	assert_int_equal(s->told, times);
}

static struct scene plugin_scene(const char *script)
{
	write_file("plugin", script, 0700);
	return (struct scene){
		.config = {.server = text("https://a"),
			   .exec = {.command = text("./plugin"),
				    .api_version = text("client.authentication.k8s.io/v1")}}};
}

static int get(struct scene *s, const struct credential **ret, struct err *err)
{
	*err = (struct err){0};
	return credentials_get(s->credentials, ret, err);
}

static void a_plugin_runs_once_and_again_when_it_was_refused(void **state)
{
	struct scene s =
		plugin_scene("#!/bin/sh\necho x >> runs\n"
			     "echo '" HEAD "\"status\":{\"token\":\"'$(wc -l < runs)'\"}}'\n");
	const struct credential *credential;
	struct err err;
	unsigned first;

	(void)state;
	scene_start(&s);
	assert_int_equal(get(&s, &credential, &err), -EINPROGRESS);
	assert_int_equal(get(&s, &credential, &err), -EINPROGRESS);
	await(&s, 1);
	assert_int_equal(get(&s, &credential, &err), 0);
	assert_string_equal(credential->token.v, "1");
	first = credential->generation;
	credentials_refused(s.credentials, first);
	credentials_refused(s.credentials, first);
	assert_int_equal(get(&s, &credential, &err), -EINPROGRESS);
	await(&s, 2);
	credentials_refused(s.credentials, first); /* a late one, of the old credential */
	assert_int_equal(get(&s, &credential, &err), 0);
	assert_string_equal(credential->token.v, "2");
	scene_stop(&s);
	assert_int_equal(unlink("runs"), 0);
}

static void fails_with(const char *script, const char *expected)
{
	struct scene s = plugin_scene(script);
	const struct credential *credential;
	struct err err;

	scene_start(&s);
	assert_int_equal(get(&s, &credential, &err), -EINPROGRESS);
	await(&s, 1);
	assert_int_not_equal(get(&s, &credential, &err), 0);
	assert_string_equal(err.text, expected);
	scene_stop(&s);
}

static void a_plugin_that_fails_is_named(void **state)
{
	(void)state;
	fails_with("#!/bin/sh\nexit 3\n", "credential plugin ./plugin: exit status 3");
	fails_with("#!/bin/sh\nkill -9 $$\n", "credential plugin ./plugin: killed by signal 9");
	fails_with("#!/bin/sh\necho secret\n",
		   "credential plugin ./plugin: expected an ExecCredential on its standard output");
	fails_with("#!/bin/sh\nhead -c 2000000 /dev/zero\n",
		   "credential plugin ./plugin: expected at most 1048576 bytes");
	fails_with("#!/bin/sh\necho '" HEAD "\"status\":{\"token\":\"t\",\"expirationTimestamp\":"
		   "\"2020-01-01T00:00:00Z\"}}'\n",
		   "credential plugin ./plugin: what it gave has expired already");
}

static void a_plugin_that_cannot_be_run_is_named(void **state)
{
	struct scene s = plugin_scene("");
	const struct credential *credential;
	struct err err;

	(void)state;
	s.config.exec.command = text("./no-such-plugin");
	scene_start(&s);
	assert_int_equal(get(&s, &credential, &err), -ENOENT);
	assert_string_equal(err.text,
			    "credential plugin ./no-such-plugin: No such file or directory");
	scene_stop(&s);
}

static void a_plugin_that_runs_goes_with_us(void **state)
{
	struct scene s = plugin_scene("#!/bin/sh\nsleep 1000 & echo $! > pid\nwait\n");
	const struct credential *credential;
	struct err err;

	(void)state;
	scene_start(&s);
	assert_int_equal(get(&s, &credential, &err), -EINPROGRESS);
	scene_stop(&s);      /* and does not wait for it */
	(void)unlink("pid"); /* it may not have come so far */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rotated_file_is_what_it_says_now),
		cmocka_unit_test(a_token_cannot_bring_headers),
		cmocka_unit_test(a_file_has_a_size),
		cmocka_unit_test(a_plugin_runs_once_and_again_when_it_was_refused),
		cmocka_unit_test(a_plugin_that_fails_is_named),
		cmocka_unit_test(a_plugin_that_cannot_be_run_is_named),
		cmocka_unit_test(a_plugin_that_runs_goes_with_us),
	};
	char dir[] = "/tmp/test_credentials.XXXXXX";
	int failed;

	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 99;
	failed = RUN_ROWS("base64", base64_rows, is_base64);
	failed += RUN_ROWS("answers of plugins", answer_rows, is_understood);
	failed += cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
	(void)unlink("ca"); /* at worst something stays in /tmp */
	(void)unlink("token");
	(void)unlink("plugin");
	(void)rmdir(dir);
	return failed;
}
