/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "cluster.h"
#include "nft/print.h"
#include "source/yaml.h"

int unit_run_rows(const char *group, const void *rows, size_t n, size_t row_bytes,
		  CMUnitTestFunction fn)
{
	struct CMUnitTest *tests = calloc(n, sizeof(tests[0]));
	int failed;

	if (!tests)
		return 1;
	for (size_t i = 0; i < n; i++) {
		const char *row = (const char *)rows + i * row_bytes;

		memcpy(&tests[i].name, row, sizeof(tests[i].name));
		tests[i].test_func = fn;
		tests[i].initial_state = (void *)(uintptr_t)row;
	}
	failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
	free(tests);
	return failed;
}

struct unit_random unit_random_start(const char *what)
{
	const char *given = getenv("NETPOLD_SEED");
	struct unit_random random = {.state = given ? strtoull(given, NULL, 0)
						    : (uint64_t)time(NULL) * 1000003u +
							      (uint64_t)getpid()};

	print_message("%s: NETPOLD_SEED=%" PRIu64 "\n", what, random.state);
	return random;
}

/* splitmix64 */
uint32_t unit_random(struct unit_random *random, uint32_t below)
{
	uint64_t z = (random->state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (uint32_t)((z >> 32) * below >> 32);
}

static int take_tree(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	json_t **ret = ctx;

	(void)lines;
	json_decref(*ret);
	*ret = json_incref((json_t *)(uintptr_t)root);
	return 0;
}

json_t *unit_tree(const char *yaml)
{
	struct err err = {0};
	json_t *tree = NULL;
	unsigned line;

	if (yaml_parse(yaml, strlen(yaml), take_tree, &tree, &err, &line) < 0)
		fail_msg("line %u: %s in:\n%s", line, err.text, yaml);
	return tree;
}

char *unit_file(const char *suffix, const char *text, size_t len)
{
	char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/netpold-unit-XXXXXX%s",
		     getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", suffix) < 0)
		fail_msg("no memory");
	fd = mkstemps(path, (int)strlen(suffix));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(close(fd), 0);
	return path;
}

__attribute__((format(printf, 1, 0))) static char *format_yaml(const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		fail_msg("no memory");
	return text;
}

__attribute__((format(printf, 1, 2))) static char *make_yaml(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format_yaml(fmt, ap);
	va_end(ap);
	return text;
}

/* With `arg` in place of the one %s. */
static char *fill(const char *yaml, const char *arg)
{
	const char *place = strstr(yaml, "%s");

	if (!place)
		return make_yaml("%s", yaml);
	return make_yaml("%.*s%s%s", (int)(place - yaml), yaml, arg, place + 2);
}

void unit_decode(struct unit_decoded *u, const char *file, const char *yaml, const char *arg)
{
	char *text = fill(yaml, arg ? arg : "");
	json_t *tree = unit_tree(text);

	*u = (struct unit_decoded){.strings = intern_new()};
	assert_non_null(u->strings);
	u->decoder = (struct decoder){
		.strings = u->strings, .faults = &u->faults, .file = file, .trusted = file != NULL};
	u->rc = decode_object(&u->decoder, tree, NULL, NULL, &u->decoded);
	json_decref(tree);
	free(text);
}

void unit_decoded_done(struct unit_decoded *u)
{
	decoded_done(u->strings, &u->decoded);
	faults_done(&u->faults);
	/* Whatever was decoded has given its strings back. */
	assert_int_equal(intern_count(u->strings), 0);
	intern_free(u->strings);
}

void unit_cluster_start(struct cluster *c, const char *node, bool listens)
{
	if (!cluster_start(c, node, listens))
		fail_msg("no memory");
}

void unit_cluster_stop(struct cluster *c)
{
	graph_free(c->graph);
	render_free(c->render);
	assert_int_equal(intern_count(c->strings), 0);
	intern_free(c->strings);
	*c = (struct cluster){0};
}

void unit_put(struct cluster *c, const char *yaml)
{
	struct faults faults = {0};
	struct err err = {0};
	unsigned line = 0;
	int rc = cluster_put_yaml(c, yaml, strlen(yaml), &faults, &err, &line);

	if (faults.n > 0)
		fail_msg("%s: %s in:\n%s", faults.v[0].field ? faults.v[0].field : "?",
			 faults.v[0].text, yaml);
	if (rc < 0)
		fail_msg("line %u: %s in:\n%s", line, err.text, yaml);
	faults_done(&faults);
}

void unit_putf(struct cluster *c, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format_yaml(fmt, ap);
	va_end(ap);
	unit_put(c, text);
	free(text);
}

char *unit_text(struct cluster *c)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	if (c->render) {
		assert_int_equal(render_error(c->render), 0);
		assert_int_equal(ruleset_print(render_ruleset(c->render), out), 0);
	}
	assert_int_equal(graph_dump(c->graph, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

const char *unit_verdict(struct cluster *c, const char *from, const char *to, const char *proto)
{
	struct flow flow = {0};
	struct flow_result result;
	struct err err = {0};
	const char *name;
	char *detail = NULL;

	(void)snprintf(flow.from, sizeof(flow.from), "%s", from);
	(void)snprintf(flow.to, sizeof(flow.to), "%s", to);
	if (flow_parse_proto(proto, &flow, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(eval_flow(c->graph, &flow, &result), 0);
	name = verdict_name(result.verdict);
	flow_result_done(&result);
	if (c->render && !cluster_agrees(c, &flow, &detail))
		fail_msg("%s", detail);
	return name;
}
