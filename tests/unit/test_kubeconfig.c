/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "source/api_config.h"

#define CLUSTERS                                                                  \
	"clusters:\n- name: c\n  cluster: {server: 'https://api.example:6443/', " \
	"certificate-authority: ca.pem}\n"
#define USERS    "users:\n- name: u\n  user: {token: t0k3n}\n"
#define CONTEXTS "contexts:\n- name: m\n  context: {cluster: c, user: u}\n"
#define CURRENT  "current-context: m\n"

/* "Zm9v" is foo, "YmFy" is bar. */
struct row {
	const char *name;
	const char *first, *second; /* d/first, d/second; NULL: there is none */
	const char *context;
	const char *expected; /* what came out, or the faults; without a line break only how it
				 begins */
};

static const struct row rows[] = {
	{"the usual", CLUSTERS USERS CONTEXTS CURRENT, NULL, NULL,
	 "server https://api.example:6443 host api.example:6443 ca d/ca.pem token t0k3n\n"},
	{"JSON is YAML",
	 "{\"current-context\":\"m\",\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":"
	 "\"https://[fd00::1]:6443/k8s/x/\",\"certificate-authority-data\":\"Zm9v\","
	 "\"certificate-authority\":\"ignored\"}}],\"contexts\":[{\"name\":\"m\",\"context\":"
	 "{\"cluster\":\"c\"}}]}",
	 NULL, NULL, "server https://[fd00::1]:6443/k8s/x host [fd00::1]:6443 ca-data foo\n"},
	{"the second file fills what the first does not have", CURRENT CONTEXTS, CLUSTERS USERS,
	 NULL, "server https://api.example:6443 host api.example:6443 ca d/ca.pem token t0k3n\n"},
	{"the first file wins, entry by entry",
	 "users:\n- name: u\n  user: {tokenFile: token}\n" CLUSTERS,
	 CLUSTERS USERS CONTEXTS CURRENT, NULL,
	 "server https://api.example:6443 host api.example:6443 ca d/ca.pem token-file d/token\n"},
	{"a context that is asked for",
	 CLUSTERS USERS "contexts:\n- name: m\n  context: {cluster: none}\n- name: other\n  "
			"context: {cluster: c}\n" CURRENT,
	 NULL, "other", "server https://api.example:6443 host api.example:6443 ca d/ca.pem\n"},
	{"everything about the server",
	 "clusters:\n- name: c\n  cluster: {server: 'https://10.0.0.1', tls-server-name: "
	 "api.internal, proxy-url: 'socks5://proxy:1080', insecure-skip-tls-verify: "
	 "true}\n" USERS CONTEXTS CURRENT,
	 NULL, NULL,
	 "server https://10.0.0.1 host 10.0.0.1 name api.internal proxy socks5h://proxy:1080 "
	 "insecure token t0k3n\n"
	 "d/first:3: warning: clusters[0].cluster.insecure-skip-tls-verify: certificates are not "
	 "verified: whoever is in between can read and change what the API server says\n"},
	{"a client certificate, data before files",
	 CLUSTERS CONTEXTS CURRENT
	 "users:\n- name: u\n  user: {client-certificate-data: Zm9v, client-certificate: c.pem, "
	 "client-key: /etc/key.pem}\n",
	 NULL, NULL,
	 "server https://api.example:6443 host api.example:6443 ca d/ca.pem cert foo key-file "
	 "/etc/key.pem\n"},
	{"a plugin",
	 CLUSTERS CONTEXTS CURRENT
	 "users:\n- name: u\n  user:\n    exec:\n      apiVersion: "
	 "client.authentication.k8s.io/v1\n"
	 "      command: ./bin/login\n      args: [get, token]\n      env: [{name: A, value: b}]\n"
	 "      interactiveMode: IfAvailable\n      provideClusterInfo: true\n      installHint: "
	 "build it\n",
	 NULL, NULL,
	 "server https://api.example:6443 host api.example:6443 ca d/ca.pem exec d/./bin/login "
	 "client.authentication.k8s.io/v1 get token A=b cluster build it\n"},
	{"a plugin from the path, and what the cluster has for it",
	 "clusters:\n- name: c\n  cluster: {server: 'https://a:1', extensions: [{name: "
	 "client.authentication.k8s.io/exec, extension: {audience: x}}]}\n" CONTEXTS CURRENT
	 "users:\n- name: u\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, "
	 "command: login}}\n",
	 NULL, NULL,
	 "server https://a:1 host a:1 exec login client.authentication.k8s.io/v1beta1 "
	 "{\"audience\":\"x\"}\n"},
	{"no encryption",
	 "clusters:\n- name: c\n  cluster: {server: 'http://127.0.0.1:8080'}\n"
	 "contexts:\n- name: m\n  context: {cluster: c}\n" CURRENT,
	 NULL, NULL,
	 "server http://127.0.0.1:8080 host 127.0.0.1:8080\n"
	 "d/first:3: warning: clusters[0].cluster.server: not encrypted: whoever is in between "
	 "can read and change what the API server says\n"},

	{"no context", CLUSTERS USERS CONTEXTS, NULL, NULL,
	 "d/first: error: current-context: expected it in the file, or --context\n"},
	{"a context that nobody knows", CLUSTERS USERS CONTEXTS CURRENT, "", "nobody",
	 "d/first: error: contexts: nobody: expected context of this name, here or in the other "
	 "files\n"},
	{"a cluster that nobody knows", CURRENT CONTEXTS USERS, NULL, NULL,
	 "d/first: error: clusters: c: expected cluster of this name\n"},
	{"a user that nobody knows", CURRENT CONTEXTS CLUSTERS, NULL, NULL,
	 "d/first: error: users: u: expected user of this name\n"},
	{"no YAML", "a: [", NULL, NULL, "d/first:2: error: not YAML: "},
	{"no YAML in a file that is not needed", CLUSTERS USERS CONTEXTS CURRENT, "'", NULL,
	 "d/second:1: error: not YAML: "},
	{"a list", "[]", NULL, NULL, "d/first:1: error: expected one document, a kubeconfig\n"},
	{"two documents", CURRENT "---\na: 1\n", NULL, NULL,
	 "d/first:3: error: expected one document, a kubeconfig\n"},
	{"an entry that is none", "clusters:\n- name: c\n  cluster: text\n" CONTEXTS CURRENT, NULL,
	 NULL, "d/first:3: error: clusters[0].cluster: expected an object\n"},
	{"clusters that are no list", "clusters: {}\n" CONTEXTS CURRENT, NULL, NULL,
	 "d/first:1: error: clusters: expected a list\n"},
	{"no server", "clusters:\n- name: c\n  cluster: {}\n" CONTEXTS CURRENT, NULL, NULL,
	 "d/first:3: error: clusters[0].cluster.server: expected https://HOST[:PORT][/PATH]\n"},
	{"a server of another kind",
	 "clusters:\n- name: c\n  cluster: {server: 'ftp://a'}\n" CONTEXTS CURRENT, NULL, NULL,
	 "d/first:3: error: clusters[0].cluster.server: expected https://HOST[:PORT][/PATH]\n"},
	{"a server with a password",
	 "clusters:\n- name: c\n  cluster: {server: 'https://u:p@a'}\n" CONTEXTS CURRENT, NULL,
	 NULL,
	 "d/first:3: error: clusters[0].cluster.server: expected https://HOST[:PORT][/PATH]\n"},
	{"a server without a scheme",
	 "clusters:\n- name: c\n  cluster: {server: 'a:6443'}\n" CONTEXTS CURRENT, NULL, NULL,
	 "d/first:3: error: clusters[0].cluster.server: expected https://HOST[:PORT][/PATH]\n"},
	{"both insecure and an authority",
	 "clusters:\n- name: c\n  cluster: {server: 'https://a', insecure-skip-tls-verify: true, "
	 "certificate-authority: x}\n" USERS CONTEXTS CURRENT,
	 NULL, NULL,
	 "d/first:3: error: clusters[0].cluster.insecure-skip-tls-verify: expected either this or "
	 "a certificate authority\n"},
	{"a name that would become a path",
	 "clusters:\n- name: c\n  cluster: {server: 'https://a', tls-server-name: 'b/../c'}\n" USERS
		 CONTEXTS CURRENT,
	 NULL, NULL,
	 "d/first:3: error: clusters[0].cluster.tls-server-name: expected a host name or an "
	 "address\n"},
	{"insecure that is text",
	 "clusters:\n- name: c\n  cluster: {server: 'https://a', insecure-skip-tls-verify: "
	 "'true'}\n" USERS CONTEXTS CURRENT,
	 NULL, NULL,
	 "d/first:3: error: clusters[0].cluster.insecure-skip-tls-verify: expected true or "
	 "false\n"},
	{"data that is no base64",
	 "clusters:\n- name: c\n  cluster:\n    server: https://a\n    "
	 "certificate-authority-data: '*'\n" USERS CONTEXTS CURRENT,
	 NULL, NULL,
	 "d/first:5: error: clusters[0].cluster.certificate-authority-data: expected base64\n"},
	{"a proxy of another kind",
	 "clusters:\n- name: c\n  cluster: {server: 'https://a', proxy-url: "
	 "'ftp://secret@b'}\n" USERS CONTEXTS CURRENT,
	 NULL, NULL,
	 "d/first:3: error: clusters[0].cluster.proxy-url: expected http://, https:// or "
	 "socks5:// and a host\n"},
	{"a token that is a number",
	 CLUSTERS CONTEXTS CURRENT "users:\n- name: u\n  user: {token: 12345}\n", NULL, NULL,
	 "d/first:10: error: users[0].user.token: expected text\n"},
	{"a certificate without a key",
	 CLUSTERS CONTEXTS CURRENT "users:\n- name: u\n  user: {client-certificate: c.pem}\n", NULL,
	 NULL,
	 "d/first:10: error: users[0].user.client-key: expected it beside the client "
	 "certificate\n"},
	{"to act as somebody else",
	 CLUSTERS CONTEXTS CURRENT
	 "users:\n- name: u\n  user: {token: t, as: admin, password: secret}\n",
	 NULL, NULL,
	 "d/first:10: error: users[0].user.as: not supported: expected a token, a client "
	 "certificate or exec\n"
	 "d/first:10: error: users[0].user.password: not supported: expected a token, a client "
	 "certificate or exec\n"},
	{"a plugin that has to ask",
	 CLUSTERS CONTEXTS CURRENT
	 "users:\n- name: u\n  user:\n    exec:\n      apiVersion: v1\n      interactiveMode: "
	 "Always\n      args: [1]\n      env: [{name: 'A=B'}]\n",
	 NULL, NULL,
	 "d/first:11: error: users[0].user.exec.command: expected a program\n"
	 "d/first:12: error: users[0].user.exec.apiVersion: expected "
	 "client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1\n"
	 "d/first:13: error: users[0].user.exec.interactiveMode: expected Never or IfAvailable: "
	 "there is nobody to ask here\n"
	 "d/first:14: error: users[0].user.exec.args[0]: expected text\n"
	 "d/first:15: error: users[0].user.exec.env[0].name: expected the name of a variable\n"},
};

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
}

static void print_text(FILE *out, const char *word, const char *text)
{
	if (text)
		fprintf(out, " %s%s%s", word, word[0] ? " " : "", text);
}

static void print_exec(FILE *out, const struct exec_config *exec)
{
	print_text(out, "exec", exec->command);
	print_text(out, "", exec->api_version);
	for (size_t i = 0; i < exec->args.n; i++)
		print_text(out, "", exec->args.v[i]);
	for (size_t i = 0; i < exec->env.n; i++)
		fprintf(out, " %s=%s", exec->env.v[i].name, exec->env.v[i].value);
	print_text(out, "", exec->wants_cluster ? "cluster" : NULL);
	print_text(out, "", exec->install_hint);
	if (exec->cluster_options) {
		char *text = json_dumps(exec->cluster_options, JSON_COMPACT);

		print_text(out, "", text);
		free(text);
	}
}

static void print_config(FILE *out, const struct api_config *config)
{
	fprintf(out, "server %s host %s", config->server, config->host);
	print_text(out, "name", config->tls_server_name);
	print_text(out, "proxy", config->proxy);
	print_text(out, "", config->insecure ? "insecure" : NULL);
	print_text(out, "ca", config->ca_file);
	print_text(out, "ca-data", config->ca.v);
	print_text(out, "token", config->token.v);
	print_text(out, "token-file", config->token_file);
	print_text(out, "cert", config->cert.v);
	print_text(out, "cert-file", config->cert_file);
	print_text(out, "key", config->key.v);
	print_text(out, "key-file", config->key_file);
	print_exec(out, &config->exec);
	fputc('\n', out);
}

/* What api_config_from_kubeconfig() makes of $KUBECONFIG. Free it. */
static char *read_config(const char *context)
{
	struct faults faults = {0};
	struct api_config config = {0};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int rc = api_config_from_kubeconfig(NULL, context, &faults, &config);

	assert_non_null(out);
	if (rc == 0)
		print_config(out, &config);
	assert_int_equal(rc<0, faults.errors> 0);
	faults_print(&faults, out);
	faults_done(&faults);
	api_config_done(&config);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void is_read(void **state)
{
	const struct row *row = *state;
	char *text;

	write_file("d/first", row->first);
	if (row->second)
		write_file("d/second", row->second);
	assert_int_equal(
		setenv("KUBECONFIG", row->second ? ":d/none:d/first:d/second" : "d/first", 1), 0);
	text = read_config(row->context);
	if (!strchr(row->expected, '\n'))
		text[strnlen(text, strlen(row->expected))] = '\0';
	assert_string_equal(text, row->expected);
	free(text);
}

static void no_secret_is_in_a_fault(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(!strstr(rows[i].expected, "error") ||
			    !strstr(rows[i].expected, "secret"));
}

static void a_file_that_was_named_has_to_be_there(void **state)
{
	struct faults faults = {0};
	struct api_config config = {0};

	(void)state;
	assert_int_equal(api_config_find("d/none", NULL, &faults, &config), -EINVAL);
	assert_int_equal(faults.n, 1);
	assert_string_equal(faults.v[0].text, "d/none: No such file or directory");
	faults_done(&faults);
}

static void without_any_file_it_says_where_it_looked(void **state)
{
	struct faults faults = {0};
	struct api_config config = {0};

	(void)state;
	assert_int_equal(setenv("HOME", "/nonexistent", 1), 0);
	assert_int_equal(unsetenv("KUBECONFIG"), 0);
	assert_int_equal(unsetenv("KUBERNETES_SERVICE_HOST"), 0);
	assert_int_equal(api_config_find(NULL, NULL, &faults, &config), -EINVAL);
	assert_int_equal(faults.n, 1);
	assert_non_null(strstr(faults.v[0].text, "expected --kubeconfig, $KUBECONFIG"));
	faults_done(&faults);
}

static void check_in_cluster(const char *host, const char *server)
{
	struct api_config config = {0};

	assert_int_equal(setenv("KUBERNETES_SERVICE_HOST", host, 1), 0);
	assert_int_equal(setenv("KUBERNETES_SERVICE_PORT", "443", 1), 0);
	assert_int_equal(api_config_in_cluster("d", &config), 0);
	assert_string_equal(config.server, server);
	assert_string_equal(config.token_file, "d/token");
	assert_string_equal(config.ca_file, "d/ca.crt");
	api_config_done(&config);
}

static void in_a_cluster_the_service_account_speaks(void **state)
{
	struct api_config config = {0};

	(void)state;
	write_file("d/token", "t");
	check_in_cluster("10.96.0.1", "https://10.96.0.1:443");
	check_in_cluster("fd00::1", "https://[fd00::1]:443");
	assert_int_equal(unlink("d/token"), 0);
	assert_int_equal(api_config_in_cluster("d", &config), -ENOENT);
	assert_int_equal(unsetenv("KUBERNETES_SERVICE_HOST"), 0);
	assert_int_equal(api_config_in_cluster("d", &config), -ENOENT);
}

static int enter_directory(char dir[])
{
	if (!mkdtemp(dir) || chdir(dir) < 0 || mkdir("d", 0700) < 0)
		return -1;
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_secret_is_in_a_fault),
		cmocka_unit_test(a_file_that_was_named_has_to_be_there),
		cmocka_unit_test(without_any_file_it_says_where_it_looked),
		cmocka_unit_test(in_a_cluster_the_service_account_speaks),
	};
	char dir[] = "/tmp/test_kubeconfig.XXXXXX";
	int failed;

	if (enter_directory(dir) < 0)
		return 99;
	failed = RUN_ROWS("kubeconfig", rows, is_read);
	failed += cmocka_run_group_tests_name("around it", tests, NULL, NULL);
	(void)unlink("d/first"); /* at worst something stays in /tmp */
	(void)unlink("d/second");
	(void)unlink("d/token");
	(void)rmdir("d");
	(void)rmdir(dir);
	return failed;
}
