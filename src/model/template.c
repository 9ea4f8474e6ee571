/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/template.h"

#include <ctype.h>
#include <string.h>

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

static const char *skip_word(const char *p, const char *end)
{
	while (p < end && (isalnum((unsigned char)*p) || *p == '_' || *p == '.'))
		p++;
	return p;
}

static bool is_keyword(const char *word, size_t len)
{
	static const char *const words[] = {"end", "else", "break", "continue"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
			return true;
	}
	return false;
}

/* What stands between the braces, up to `end`. */
static bool is_action(const char *p, const char *end)
{
	const char *word;

	if (p < end && *p == '-')
		p++;
	p = skip_blanks(p, end);
	if (p == end || memmem(p, (size_t)(end - p), ": ", 2))
		return false; /* a flow mapping */
	if (*p == '.' || *p == '$' || *p == '(')
		return true;
	word = p;
	p = skip_word(p, end);
	if (p == word || !isalpha((unsigned char)*word) || (p < end && *p == ':'))
		return false;
	if (is_keyword(word, (size_t)(p - word)))
		return true;
	/* A function with an argument; a word alone could be a set of flow style. */
	return p < end && (*p == ' ' || *p == '\t') && skip_blanks(p, end) < end;
}

/* Does an action begin here? A comment may go on for many lines. */
static bool begins_action(const char *p, const char *end)
{
	const char *close;

	if (end - p < 4 || p[0] != '{' || p[1] != '{')
		return false;
	p += 2;
	close = p < end && *p == '-' ? skip_blanks(p + 1, end) : skip_blanks(p, end);
	if (end - close >= 2 && close[0] == '/' && close[1] == '*')
		return true;
	close = memmem(p, (size_t)(end - p), "}}", 2);
	if (!close)
		return false;
	return is_action(p, close > p && close[-1] == '-' ? close - 1 : close);
}

bool template_in_text(const char *text)
{
	for (const char *p = text; (p = strstr(p, "{{")); p++) {
		if (begins_action(p, p + strcspn(p, "\n")))
			return true;
	}
	return false;
}

bool template_on_line(const char *line, size_t len)
{
	const char *end = line + len;
	char quote = 0;

	for (const char *p = line; p < end; p++) {
		if (quote) {
			if (*p == '\\' && quote == '"' && p + 1 < end)
				p++;
			else if (*p == quote)
				quote = 0;
		} else if (begins_action(p, end)) {
			return true;
		} else if (*p == '"' || *p == '\'') {
			quote = *p;
		} else if (*p == '#' && (p == line || p[-1] == ' ' || p[-1] == '\t')) {
			return false;
		}
	}
	return false;
}
