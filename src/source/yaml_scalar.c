/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

/* Longer than any number; what is longer is text. */
#define NUMBER_MAX 100

static json_t *text_value(const char *text, size_t len, struct err *err)
{
	if (memchr(text, '\0', len)) {
		err_set(err, -EINVAL, "a NUL character: expected text");
		return NULL;
	}
	return json_stringn(text, len); /* libyaml has judged the UTF-8 */
}

static bool listed(const char *text, const char *const words[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

static bool is_null(const char *text)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	return listed(text, words, ARRAY_LEN(words));
}

static bool is_true(const char *text)
{
	static const char *const words[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
					    "True", "TRUE", "on",  "On",  "ON"};

	return listed(text, words, ARRAY_LEN(words));
}

static bool is_false(const char *text)
{
	static const char *const words[] = {"n",     "N",     "no",  "No",  "NO", "false",
					    "False", "FALSE", "off", "Off", "OFF"};

	return listed(text, words, ARRAY_LEN(words));
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Go's strconv.ParseInt(text, 0, 64) on text without underscores; 0o is go-yaml's own. */
static bool parse_int(const char *text, json_int_t *ret)
{
	bool negative = text[0] == '-';
	int base = 10;
	uint64_t value = 0;

	if (text[0] == '-' || text[0] == '+')
		text++;
	if (text[0] == '0' && text[1] != '\0') {
		static const char marks[] = "xXbBoO";
		static const int bases[] = {16, 16, 2, 2, 8, 8};
		const char *mark = strchr(marks, text[1]);

		base = mark ? bases[mark - marks] : 8;
		text += mark ? 2 : 1;
	}
	if (text[0] == '\0')
		return false;
	for (; *text; text++) {
		int digit = digit_value(*text);

		if (digit >= base)
			return false;
		if (value > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base)
			return false;
		value = value * (uint64_t)base + (uint64_t)digit;
	}
	if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*ret = negative ? (json_int_t)(0 - value) : (json_int_t)value;
	return true;
}

/* ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$ */
static bool is_float(const char *text)
{
	size_t whole, part = 0;

	text += text[0] == '-' || text[0] == '+';
	whole = strspn(text, "0123456789");
	text += whole;
	if (*text == '.') {
		part = strspn(text + 1, "0123456789");
		text += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += text[0] == '-' || text[0] == '+';
		size_t digits = strspn(text, "0123456789");
		if (digits == 0)
			return false;
		text += digits;
	}
	return *text == '\0';
}

/* 80.0 becomes 80: Go writes such floats as integers, and so the API server reads them. */
static json_t *float_value(double value)
{
	if (fabs(value) < 9007199254740992.0 && (double)(json_int_t)value == value)
		return json_integer((json_int_t)value);
	return json_real(value);
}

static bool is_special_float(const char *text)
{
	static const char *const words[] = {".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",  ".INF",
					    "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"};

	return listed(text, words, ARRAY_LEN(words));
}

/* Copies without underscores, which go-yaml allows in numbers. */
static void strip(const char *text, size_t len, char out[static NUMBER_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '_')
			out[n++] = text[i];
	}
	out[n] = '\0';
}

/* What begins with a point goes to Go's ParseFloat(), which takes underscores between digits only.
 */
static bool underscores_separate(const char *text)
{
	for (const char *c = text + 1; *c; c++) {
		if (*c == '_' && (digit_value(c[-1]) > 9 || digit_value(c[1]) > 9))
			return false;
	}
	return true;
}

json_t *yaml_plain_scalar(const char *text, size_t len, struct err *err)
{
	char number[NUMBER_MAX + 1];
	json_int_t value;

	if (is_null(text))
		return json_null();
	if (is_true(text))
		return json_true();
	if (is_false(text))
		return json_false();
	if (is_special_float(text)) {
		err_set(err, -EINVAL, "expected a finite number (quote it if it is text)");
		return NULL;
	}
	if (len > NUMBER_MAX || !strchr("+-.0123456789", text[0]))
		return text_value(text, len, err);

	strip(text, len, number);
	if (parse_int(number, &value))
		return json_integer(value);
	if (is_float(number) && (text[0] != '.' || underscores_separate(text)) &&
	    isfinite(strtod(number, NULL)))
		return float_value(strtod(number, NULL));
	return text_value(text, len, err); /* also what is too large for a float: 12e4567 */
}

/* What go-yaml's resolve() finds fit for a tag. */
static bool fits(const char *name, const json_t *value)
{
	if (strcmp(name, "int") == 0)
		return json_is_integer(value);
	if (strcmp(name, "float") == 0)
		return json_is_number(value);
	if (strcmp(name, "bool") == 0)
		return json_is_boolean(value);
	return json_is_null(value);
}

json_t *yaml_tagged_scalar(const char *tag, const char *text, size_t len, struct err *err)
{
	static const char *const names[] = {"int", "float", "bool", "null"};
	const char *name = tag;
	json_t *value;

	if (strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) == 0)
		name = tag + strlen(TAG_PREFIX);
	if (strcmp(name, "binary") == 0) {
		err_set(err, -EINVAL, "binary data: expected text");
		return NULL;
	}
	if (!listed(name, names, ARRAY_LEN(names)))
		return text_value(text, len, err);
	value = yaml_plain_scalar(text, len, err);
	if (value && !fits(name, value)) {
		json_decref(value);
		err_set(err, -EINVAL, "\"%.40s\" is tagged !!%s: expected such a value", text,
			name);
		return NULL;
	}
	return value;
}
