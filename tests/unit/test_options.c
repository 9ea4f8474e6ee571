/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/options.h"

static const struct option_spec specs[] = {
	{"file", 'f', "PATH", "a file"},
	{"node", 0, "NAME", "a node"},
	{"help", 'h', NULL, "this help"},
	{"dry-run", 0, NULL, "changes nothing"},
	{NULL, 0, NULL, NULL},
};

struct row {
	const char *name;
	const char *argv[10]; /* behind the program's name */
	const char *options;  /* as they were told */
	const char *operands;
	int rc;
};

static const struct row rows[] = {
	{"nothing", {NULL}, "", "", 0},
	{"a letter and its value", {"-f", "a"}, "file=a ", "", 0},
	{"a letter with its value behind it", {"-fa"}, "file=a ", "", 0},
	{"a long one and its value", {"--file", "a"}, "file=a ", "", 0},
	{"a long one with its value behind it", {"--file=a"}, "file=a ", "", 0},
	{"an empty value", {"--file="}, "file= ", "", 0},
	{"a value that looks like an option", {"-f", "-h"}, "file=-h ", "", 0},
	{"one without a letter", {"--node=n", "--dry-run"}, "node=n dry-run ", "", 0},
	{"one that is repeated", {"-f", "a", "-f", "b"}, "file=a file=b ", "", 0},
	{"operands between options", {"x", "-f", "a", "y", "-h"}, "file=a help ", "x y ", 0},
	{"a lone dash is an operand", {"-"}, "", "- ", 0},
	{"behind two dashes all are operands",
	 {"-h", "--", "-f", "--node"},
	 "help ",
	 "-f --node ",
	 0},
	{"the beginning of a long one", {"--nod", "n"}, "node=n ", "", 0},
	{"one that nobody knows", {"--other"}, "", NULL, -EINVAL},
	{"a letter that nobody knows", {"-x"}, "", NULL, -EINVAL},
	{"a value that is missing", {"-f"}, "", NULL, -EINVAL},
	{"a long one's value that is missing", {"--node"}, "", NULL, -EINVAL},
	{"a value where there is none", {"--help=yes"}, "", NULL, -EINVAL},
	{"what the callback returns ends it", {"-f", "stop", "-h"}, "file=stop ", NULL, -EPIPE},
};

static int take(void *ctx, const char *name, const char *value)
{
	char *told = ctx;

	strcat(told, name);
	if (value) {
		strcat(told, "=");
		strcat(told, value);
	}
	strcat(told, " ");
	return value && strcmp(value, "stop") == 0 ? -EPIPE : 0;
}

static void is_parsed(void **state)
{
	const struct row *row = *state;
	char told[200] = "", operands[200] = "", name[] = "program";
	char *argv[11] = {name};
	int argc = 1, first = 0;

	for (; row->argv[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)row->argv[argc - 1];
	assert_int_equal(options_parse(argc, argv, specs, take, told, &first), row->rc);
	assert_string_equal(told, row->options);
	for (int i = first; row->operands && i < argc; i++) {
		strcat(operands, argv[i]);
		strcat(operands, " ");
	}
	if (row->operands)
		assert_string_equal(operands, row->operands);
}

static void help_shows_what_is_parsed(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	options_print(specs, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "  -f, --file=PATH            a file\n"
				  "      --node=NAME            a node\n"
				  "  -h, --help                 this help\n"
				  "      --dry-run              changes nothing\n");
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(help_shows_what_is_parsed)};
	int failed = RUN_ROWS("command lines", rows, is_parsed);

	failed += cmocka_run_group_tests_name("help", tests, NULL, NULL);
	return failed;
}
