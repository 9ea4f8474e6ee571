/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as what a container runtime hands to netpold-cni: four lines of environment (CNI_COMMAND,
 * CNI_CONTAINERID, CNI_IFNAME, CNI_ARGS; "-": not set), then its standard input. What the plugin
 * writes for the daemon, the daemon reads as it was meant; and every refusal is an error object of
 * the CNI specification. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/plugin/request.h"
#include "../../src/plugin/results.h"
#include "base/vec.h"
#include "fuzz.h"
#include "node/cni.h"
#include "plugin/plugin.h"

#define VARIABLE_MAX 1024

static char results_dir[PATH_MAX];

static void remove_results_dir(void)
{
	(void)rmdir(results_dir); /* there is none when nothing was written */
}

static void start(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(results_dir, sizeof(results_dir), "%s/fuzz_plugin.XXXXXX",
		       tmp ? tmp : "/tmp");
	REQUIRE(mkdtemp(results_dir));
	REQUIRE(atexit(remove_results_dir) == 0);
}

/* One line, in storage of the caller's; NULL: "-". */
static const char *next_line(const uint8_t **at, const uint8_t *end, char to[VARIABLE_MAX])
{
	const uint8_t *stop = memchr(*at, '\n', (size_t)(end - *at));
	size_t len = (size_t)((stop ? stop : end) - *at);

	(void)snprintf(to, VARIABLE_MAX, "%.*s", (int)len, (const char *)*at);
	*at = stop ? stop + 1 : end;
	return strcmp(to, "-") == 0 ? NULL : to;
}

/* A text of the environment can have any byte; the error must be JSON all the same. */
static void check_answer(const char *output, size_t len, int status)
{
	json_error_t failure;
	json_t *json = json_loadb(output, len, JSON_REJECT_DUPLICATES, &failure);

	REQUIRE(json_is_object(json));
	REQUIRE(json_is_string(json_object_get(json, "cniVersion")));
	if (status == 0) {
		REQUIRE(json_is_array(json_object_get(json, "supportedVersions")));
	} else {
		REQUIRE(json_integer_value(json_object_get(json, "code")) > 0);
		REQUIRE(json_string_length(json_object_get(json, "msg")) > 0);
	}
	json_decref(json);
}

/* The whole plugin, where it talks to nobody. */
static void check_main(const struct plugin_environment *env, const uint8_t *text, size_t len)
{
	static char variables[4][VARIABLE_MAX + 32];
	const char *const names[] = {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME", "CNI_ARGS"};
	const char *const values[] = {env->command, env->container, env->ifname, env->args};
	char *output = NULL;
	size_t output_len;
	FILE *in = fmemopen((void *)text, len, "r"), *out = open_memstream(&output, &output_len);
	int status;

	REQUIRE(in && out);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(variables[i], sizeof(variables[i]), "%s=%s", names[i],
			       values[i] ? values[i] : "");
		REQUIRE((values[i] ? putenv(variables[i]) : unsetenv(names[i])) == 0);
	}
	status = plugin_main(in, out, "fuzz");
	REQUIRE(fclose(in) == 0 && fclose(out) == 0);
	check_answer(output, output_len, status);
	free(output);
}

static char *read_file(const char *name, size_t *ret_len)
{
	char path[PATH_MAX + NAME_MAX + 2];
	struct stat st;
	char *text;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", results_dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	REQUIRE(fstat(fd, &st) == 0);
	text = malloc((size_t)st.st_size + 1);
	REQUIRE(text && read(fd, text, (size_t)st.st_size) == st.st_size);
	(void)close(fd);
	*ret_len = (size_t)st.st_size;
	return text;
}

/* As the daemon reads it. */
static void check_file(const struct plugin_request *r, const char *name)
{
	struct timespec written = {.tv_sec = 1};
	struct cni_result *result = NULL;
	struct err err = {0};
	size_t len = 0;
	char *text = read_file(name, &len);
	int rc;

	REQUIRE(text);
	rc = len <= CNI_FILE_MAX ? cni_parse(name, text, len, &written, &result, &err) : -EINVAL;
	free(text);
	if (strcmp(r->ifname, "lo") == 0)
		REQUIRE(rc == -ENOENT);
	if (rc < 0)
		return; /* addresses that are none: see cni_parse() */
	REQUIRE(strcmp(result->ns, r->ns) == 0 && strcmp(result->name, r->pod) == 0);
	REQUIRE(strcmp(result->uid, r->uid) == 0);
	REQUIRE(strcmp(result->container, r->container) == 0);
	REQUIRE(strcmp(result->network, r->network) == 0);
	REQUIRE(strcmp(result->ifname, r->ifname) == 0);
	cni_result_put(result);
}

static bool is_there(const char *name)
{
	size_t len;
	char *text = read_file(name, &len);

	free(text);
	return text;
}

/* Put, collected as garbage or not, removed. */
static void check_results(struct plugin_request *r)
{
	struct plugin_error error = {0};
	char name[3 * VARIABLE_MAX];
	int rc = plugin_results_put(r, &error);

	REQUIRE(rc == 0 || (rc == -EINVAL && error.code != PLUGIN_OK && error.text[0]));
	if (rc < 0)
		return;
	(void)snprintf(name, sizeof(name), "%s-%s-%s", r->network, r->container, r->ifname);
	check_file(r, name);
	rc = plugin_results_collect(r, &error);
	REQUIRE(rc == 0 || (rc == -EINVAL && is_there(name)));
	REQUIRE(plugin_results_remove(r, &error) == 0 && !is_there(name));
	REQUIRE(plugin_results_remove(r, &error) == 0);
}

static void check_request(struct plugin_request *r)
{
	bool known = false;

	for (size_t i = 0; r->version && plugin_versions[i]; i++)
		known |= strcmp(plugin_versions[i], r->version) == 0;
	REQUIRE(known);
	REQUIRE(r->timeout_s >= 1 && r->timeout_s <= PLUGIN_TIMEOUT_MAX);
	REQUIRE(r->socket[0] == '/' && r->results_dir[0] == '/');
	REQUIRE(r->network && !strchr(r->network, '/') && r->network[0] != '.');
	if (!r->container)
		return;
	REQUIRE(!strchr(r->container, '/') && !strchr(r->ifname, '/'));
	REQUIRE((*r->ns == '\0') == (*r->pod == '\0'));
	r->results_dir = results_dir;
	if (r->result && *r->ns)
		check_results(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char lines[4][VARIABLE_MAX];
	const uint8_t *at = data, *end = data + size;
	struct plugin_environment env;
	struct plugin_request request;
	struct plugin_error error = {0};
	int rc;

	if (!results_dir[0])
		start();
	env.command = next_line(&at, end, lines[0]);
	env.container = next_line(&at, end, lines[1]);
	env.ifname = next_line(&at, end, lines[2]);
	env.args = next_line(&at, end, lines[3]);
	rc = plugin_request_parse(&request, &env, (const char *)at, (size_t)(end - at), &error);
	REQUIRE(rc == 0 || rc == -EINVAL);
	REQUIRE((rc == 0) == (error.code == PLUGIN_OK) && (rc == 0) == !error.text[0]);
	if (rc == 0 && request.command != PLUGIN_VERSION)
		check_request(&request);
	else if (env.command && at < end)
		check_main(&env, at, (size_t)(end - at));
	plugin_request_done(&request);
	return 0;
}
