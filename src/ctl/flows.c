/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows, one a line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "ctl/ctl.h"

#define WORDS_MAX 6

struct flow_file {
	const char *name;
	unsigned line;
	bool need_expectation;
	struct faults *faults;
};

static int line_fault(const struct flow_file *file, const char *value, const char *expected)
{
	faults_add(file->faults, FAULT_ERROR,
		   &(struct fault_place){.file = file->name, .line = file->line, .value = value},
		   "%s", expected);
	return -EINVAL;
}

/* Splits at white space; returns the count, WORDS_MAX when there are more. */
static size_t split(char *text, char *words[WORDS_MAX])
{
	char *save = NULL;
	size_t n = 0;

	for (char *word = strtok_r(text, " \t\r\n", &save); word && n < WORDS_MAX;
	     word = strtok_r(NULL, " \t\r\n", &save))
		words[n++] = word;
	return n;
}

static int take_end(const struct flow_file *file, const char *word, char to[FLOW_TEXT_MAX])
{
	if (strlen(word) >= FLOW_TEXT_MAX)
		return line_fault(file, NULL, "name too long");
	memcpy(to, word, strlen(word) + 1);
	return 0;
}

static int take_expectation(const struct flow_file *file, const char *word, struct flow_line *ret)
{
	ret->expects = true;
	if (strcmp(word, "allow") == 0)
		ret->expected = VERDICT_ALLOW;
	else if (strcmp(word, "deny") == 0)
		ret->expected = VERDICT_DENY;
	else
		return line_fault(file, word, "expected allow or deny");
	return 0;
}

/* FROM [->] TO PROTO[/PORT] [allow|deny] */
static int parse_line(const struct flow_file *file, char *text, struct flow_line *ret)
{
	char *words[WORDS_MAX];
	size_t n = split(text, words);
	struct err err;
	int rc;

	if (n > 1 && strcmp(words[1], "->") == 0) {
		memmove(words + 1, words + 2, (n - 2) * sizeof(words[0]));
		n--;
	}
	if (n != 4 && (n != 3 || file->need_expectation))
		return line_fault(file, NULL,
				  file->need_expectation
					  ? "expected: FROM -> TO PROTO[/PORT] allow|deny"
					  : "expected: FROM -> TO PROTO[/PORT]");
	rc = take_end(file, words[0], ret->flow.from);
	if (rc == 0)
		rc = take_end(file, words[1], ret->flow.to);
	if (rc == 0 && flow_parse_proto(words[2], &ret->flow, &err) < 0)
		rc = line_fault(file, NULL, err.text);
	if (rc == 0 && n == 4)
		rc = take_expectation(file, words[3], ret);
	return rc;
}

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

int flows_read(const char *path, bool need_expectation, struct faults *faults, flow_line_fn fn,
	       void *ctx, size_t *unusable)
{
	bool is_stdin = strcmp(path, "-") == 0;
	struct flow_file file = {.name = is_stdin ? "(standard input)" : path,
				 .need_expectation = need_expectation,
				 .faults = faults};
	FILE *in = is_stdin ? stdin : fopen(path, "re");
	char *text = NULL;
	size_t cap = 0;
	int rc = 0;

	if (!in) {
		faults_add(faults, FAULT_ERROR, &(struct fault_place){.file = path}, "%s",
			   strerror(errno));
		return 0;
	}
	while (rc == 0 && getline(&text, &cap, in) >= 0) {
		struct flow_line line = {.file = file.name, .line = ++file.line};

		text[strcspn(text, "#")] = '\0';
		if (is_blank(text))
			continue;
		if (parse_line(&file, text, &line) == 0)
			rc = fn(ctx, &line);
		else
			++*unusable;
	}
	if (rc == 0 && ferror(in))
		(void)line_fault(&file, NULL, "cannot be read");
	free(text);
	if (!is_stdin)
		(void)fclose(in); /* only read */
	return rc;
}
