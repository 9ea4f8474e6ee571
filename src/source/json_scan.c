/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_scan.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

const char *json_scan_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p;
}

/* p at the opening quote. */
static const char *scan_string(const char *p, const char *end)
{
	/* Most strings are short and plain: nothing beats looking at them. */
	const char *near = end - p > 24 ? p + 24 : end, *quote;

	for (p++; p < near && *p != '\\'; p++) {
		if (*p == '"')
			return p + 1;
	}
	for (; p < end; p = quote + 1) {
		const char *escape;

		quote = memchr(p, '"', (size_t)(end - p));
		if (!quote)
			return NULL;
		escape = memchr(p, '\\', (size_t)(quote - p));
		if (!escape)
			return quote + 1;
		quote = escape + 1; /* what is escaped ends nothing */
	}
	return NULL;
}

/* Eight bytes at a time, each byte of a word a flag of its own. */
#define ONES       0x0101010101010101u
#define LOW_BITS   0x7f7f7f7f7f7f7f7fu
#define WORD_BYTES 8

/* 1 in each byte of the word that is `c`, 0 in the others. */
static uint64_t bytes_that_are(uint64_t word, char c)
{
	uint64_t differ = word ^ ((uint64_t)(unsigned char)c * ONES);

	return ~(((differ & LOW_BITS) + LOW_BITS) | differ | LOW_BITS) >> 7;
}

/* How many bytes before each byte, and itself, are 1; the last byte has the sum. */
static uint64_t running_sum(uint64_t flags)
{
	return flags * ONES;
}

static unsigned sum(uint64_t flags)
{
	return (unsigned)(running_sum(flags) >> 56);
}

/* The next bytes, the first of them lowest. */
static uint64_t load_word(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

/* False: there is something in the word that wants a closer look. */
static bool skim_word(struct json_skim *s, const char *p)
{
	uint64_t word = load_word(p), either_case = word | 0x20 * ONES; /* makes [ a { and ] a } */
	uint64_t backslashes = bytes_that_are(word, '\\'), marks = bytes_that_are(word, '"');

	if (s->in_string && !(backslashes | marks | s->escaped))
		return true; /* most words are the middle of a string */
	uint64_t escapes = backslashes & ~(uint64_t)s->escaped;
	uint64_t escaped = escapes << 8 | s->escaped;
	uint64_t quotes = running_sum(marks & ~escaped);
	uint64_t in_string = (quotes ^ (s->in_string ? ONES : 0)) & ONES;
	uint64_t opening = bytes_that_are(either_case, '{') & ~in_string;
	uint64_t closing = bytes_that_are(either_case, '}') & ~in_string;

	if (sum(closing) >= s->depth || s->depth + sum(opening) > s->limit || (escapes & escaped))
		return false;
	s->depth = s->depth + sum(opening) - sum(closing);
	s->in_string = s->in_string != ((quotes >> 56 & 1) != 0);
	s->escaped = escapes >> 56;
	return true;
}

/* The same, closer. True: this is where it ends. */
static bool skim_byte(struct json_skim *s, char c)
{
	bool escaped = s->escaped;

	s->escaped = c == '\\' && !escaped;
	if (c == '"' && !escaped)
		s->in_string = !s->in_string;
	if (s->in_string)
		return false;
	switch (c) {
	case '{':
	case '[':
		s->too_deep = s->depth >= s->limit;
		s->depth++;
		return s->too_deep;
	case '}':
	case ']':
		return --s->depth == 0;
	default:
		return false;
	}
}

const char *json_skim(struct json_skim *skim, const char *p, const char *end)
{
	struct json_skim s = *skim; /* stays in registers */
	bool done = false;

	while (p < end && !done) {
		const char *near = end - p < WORD_BYTES ? end : p + WORD_BYTES;

		if (near - p == WORD_BYTES && skim_word(&s, p)) {
			p = near;
			continue;
		}
		while (p < near && !done)
			done = skim_byte(&s, *p++);
	}
	*skim = s;
	return p;
}

static const char *scan_container(const char *p, const char *end)
{
	struct json_skim skim = {.depth = 1, .limit = UINT64_MAX / 2};

	p = json_skim(&skim, p + 1, end);
	return skim.depth == 0 ? p : NULL;
}

const char *json_scan_value(const char *p, const char *end)
{
	const char *from = p;

	if (p >= end)
		return NULL;
	if (*p == '"')
		return scan_string(p, end);
	if (*p == '{' || *p == '[')
		return scan_container(p, end);
	while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' && *p != '\t' &&
	       *p != '\r' && *p != '\n')
		p++;
	return p > from ? p : NULL;
}

const char *json_scan_member(const char *p, const char *end, const char **ret_key,
			     const char **ret_key_end)
{
	p = json_scan_space(p + 1, end);
	if (p >= end || *p != '"')
		return NULL;
	*ret_key = p + 1;
	p = scan_string(p, end);
	if (!p)
		return NULL;
	*ret_key_end = p - 1;
	p = json_scan_space(p, end);
	if (p >= end || *p != ':')
		return NULL;
	p = json_scan_space(p + 1, end);
	return p < end ? p : NULL;
}
