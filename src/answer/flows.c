/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows, one a line. */
#include "answer/flows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define WORDS_MAX 6

static int line_fault(struct faults *faults, const struct flow_line *line, const char *value,
		      const char *expected)
{
	faults_add(faults, FAULT_ERROR,
		   &(struct fault_place){.file = line->file, .line = line->line, .value = value},
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

static int take_end(struct faults *faults, const struct flow_line *line, const char *word,
		    char to[FLOW_TEXT_MAX])
{
	if (strlen(word) >= FLOW_TEXT_MAX)
		return line_fault(faults, line, NULL, "name too long");
	memcpy(to, word, strlen(word) + 1);
	return 0;
}

static int take_expectation(struct faults *faults, const char *word, struct flow_line *ret)
{
	if (strcmp(word, "allow") == 0)
		ret->expected = VERDICT_ALLOW;
	else if (strcmp(word, "deny") == 0)
		ret->expected = VERDICT_DENY;
	else
		return line_fault(faults, ret, word, "expected allow or deny");
	return 0;
}

bool flow_line_strip(char *text)
{
	text[strcspn(text, "#")] = '\0';
	return text[strspn(text, " \t\r\n")] != '\0';
}

int flow_line_parse(char *text, bool need_expectation, struct faults *faults, struct flow_line *ret)
{
	char *words[WORDS_MAX];
	size_t n = split(text, words);
	struct err err;
	int rc;

	if (n > 1 && strcmp(words[1], "->") == 0) {
		memmove(words + 1, words + 2, (n - 2) * sizeof(words[0]));
		n--;
	}
	if (n != 4 && (n != 3 || need_expectation))
		return line_fault(faults, ret, NULL,
				  need_expectation ? "expected: FROM -> TO PROTO[/PORT] allow|deny"
						   : "expected: FROM -> TO PROTO[/PORT]");
	rc = take_end(faults, ret, words[0], ret->flow.from);
	if (rc == 0)
		rc = take_end(faults, ret, words[1], ret->flow.to);
	if (rc == 0 && flow_parse_proto(words[2], &ret->flow, &err) < 0)
		rc = line_fault(faults, ret, NULL, err.text);
	if (rc == 0 && n == 4)
		rc = take_expectation(faults, words[3], ret);
	return rc;
}

/* 1; 0: there is no more; -EFBIG: it is no line of text. Nobody's input may take all memory. */
static int read_line(FILE *in, char text[static FLOW_LINE_MAX + 2])
{
	size_t len;

	if (!fgets(text, FLOW_LINE_MAX + 2, in))
		return 0;
	len = strlen(text);
	return (len > 0 && text[len - 1] == '\n') || feof(in) ? 1 : -EFBIG;
}

int flows_read(const char *path, bool need_expectation, struct faults *faults, flow_line_fn fn,
	       void *ctx, size_t *unusable)
{
	bool is_stdin = strcmp(path, "-") == 0;
	struct flow_line place = {.file = is_stdin ? "(standard input)" : path};
	FILE *in = is_stdin ? stdin : fopen(path, "re");
	char text[FLOW_LINE_MAX + 2];
	int rc = 0, found = 0;

	if (!in) {
		faults_add(faults, FAULT_ERROR, &(struct fault_place){.file = path}, "%s",
			   strerror(errno));
		return 0;
	}
	while (rc == 0 && (found = read_line(in, text)) > 0) {
		struct flow_line line = {.file = place.file, .line = ++place.line};

		if (!flow_line_strip(text))
			continue;
		if (flow_line_parse(text, need_expectation, faults, &line) == 0)
			rc = fn(ctx, &line);
		else
			++*unusable;
	}
	if (found < 0) {
		++place.line;
		++*unusable;
		(void)snprintf(text, sizeof(text),
			       "line too long: expected at most %d bytes of text", FLOW_LINE_MAX);
		(void)line_fault(faults, &place, NULL, text);
	} else if (rc == 0 && ferror(in)) {
		(void)line_fault(faults, &place, NULL, "cannot be read");
	}
	if (!is_stdin)
		(void)fclose(in); /* only read */
	return rc;
}
