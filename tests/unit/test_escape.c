/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/escape.h"

#include "base/json_text.h"
#include "base/utf8.h"
#include "unit.h"

static char *printed(enum escape language, const char *text)
{
	char *made;
	size_t len;
	FILE *out = open_memstream(&made, &len);

	escape_print(out, language, text);
	assert_int_equal(fclose(out), 0);
	return made;
}

struct row {
	const char *name, *text, *line, *json, *nft, *label;
};

static const struct row rows[] = {
	{"what is printable stays", "a-Z {{ .x }} %s 100%n $x", "a-Z {{ .x }} %s 100%n $x",
	 "a-Z {{ .x }} %s 100%n $x", "a-Z {{ .x }} %s 100%n $x", "a-Z {{ .x }} %s 100%n $x"},
	{"UTF-8 that is printable stays", "schön 日本 🐙 שלום", "schön 日本 🐙 שלום",
	 "schön 日本 🐙 שלום", "schön 日本 🐙 שלום", "schön 日本 🐙 שלום"},
	{"nothing is nothing", "", "", "", "", ""},
	{"a new line begins no line", "x\nflush ruleset", "x\\nflush ruleset",
	 "x\\u000aflush ruleset", "x\\nflush ruleset", "x\\nflush ruleset"},
	{"a carriage return and a tab", "a\r\tb", "a\\r\\tb", "a\\u000d\\u0009b", "a\\r\\tb",
	 "a\\\\r\\\\tb"},
	{"an escape of a terminal", "\x1b[2J", "\\x1b[2J", "\\u001b[2J", "\\x1b[2J", "\\\\x1b[2J"},
	{"bell, backspace and delete", "\a\b\x7f", "\\x07\\x08\\x7f", "\\u0007\\u0008\\u007f",
	 "\\x07\\x08\\x7f", "\\\\x07\\\\x08\\\\x7f"},
	{"C1 controls: U+009B is CSI",
	 "\xc2\x9b"
	 "31m\xc2\x85",
	 "\\u009b31m\\u0085", "\\u009b31m\\u0085", "\\u009b31m\\u0085", "\\\\u009b31m\\\\u0085"},
	{"C1 controls as bytes",
	 "\x9b"
	 "31m",
	 "\\x9b31m", "\\ufffd31m", "\\x9b31m", "\\\\x9b31m"},
	{"quotes", "\"'`", "\"'`", "\"'`", "\\x22'`", "\\\"'`"},
	{"a backslash", "a\\nb\\", "a\\\\nb\\\\", "a\\nb\\", "a\\\\nb\\\\", "a\\\\nb\\\\"},
	{"overrides and isolates of direction", "a\u202e\u2066b\u2069\u200f\u061c",
	 "a\\u202e\\u2066b\\u2069\\u200f\\u061c", "a\\u202e\\u2066b\\u2069\\u200f\\u061c",
	 "a\\u202e\\u2066b\\u2069\\u200f\\u061c",
	 "a\\\\u202e\\\\u2066b\\\\u2069\\\\u200f\\\\u061c"},
	{"what has no width", "a\u200bb\u2060\ufeff\u00ad\ufe0f",
	 "a\\u200bb\\u2060\\ufeff\\u00ad\\ufe0f", "a\\u200bb\\u2060\\ufeff\\u00ad\\ufe0f",
	 "a\\u200bb\\u2060\\ufeff\\u00ad\\ufe0f",
	 "a\\\\u200bb\\\\u2060\\\\ufeff\\\\u00ad\\\\ufe0f"},
	{"separators of lines and paragraphs", "\u2028\u2029", "\\u2028\\u2029", "\\u2028\\u2029",
	 "\\u2028\\u2029", "\\\\u2028\\\\u2029"},
	{"tags beyond the first plane", "\U000e0041", "\\U000e0041", "\\udb40\\udc41",
	 "\\U000e0041", "\\\\U000e0041"},
	{"noncharacters", "\xef\xbf\xbf\xf0\x9f\xbf\xbe", "\\uffff\\U0001fffe",
	 "\\uffff\\ud83f\\udffe", "\\uffff\\U0001fffe", "\\\\uffff\\\\U0001fffe"},
	{"what is not UTF-8: overlong, a surrogate, too large, cut off",
	 "\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82",
	 "\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xe2\\x82",
	 "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd",
	 "\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xe2\\x82",
	 "\\\\xc0\\\\xaf\\\\xed\\\\xa0\\\\x80\\\\xf4\\\\x90\\\\x80\\\\x80\\\\xe2\\\\x82"},
};

static void a_text_is_printed(void **state)
{
	const struct row *row = *state;
	const char *const wanted[] = {row->line, row->json, row->nft, row->label};
	char copy[256];

	for (int language = ESCAPE_LINE; language <= ESCAPE_LABEL; language++) {
		char *text = printed((enum escape)language, row->text);

		assert_string_equal(text, wanted[language]);
		free(text);
		assert_int_equal(escape_copy(copy, sizeof(copy), (enum escape)language, row->text),
				 strlen(wanted[language]));
		assert_string_equal(copy, wanted[language]);
	}
}

static void a_copy_is_cut_between_characters(void **state)
{
	static const struct {
		size_t len;
		const char *text, *wanted;
	} cuts[] = {
		{9, "12345678", "12345678"}, {8, "12345678", "1234..."}, {4, "12345678", "..."},
		{6, "a\n\nb", "a..."},       {6, "\x1b\x1b", "..."},     {8, "ab\x1b\x1b", "ab..."},
		{6, "äöüß", "ä..."},         {9, "äöüß", "äöüß"},
	};
	char copy[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		memset(copy, '#', sizeof(copy));
		(void)escape_copy(copy, cuts[i].len, ESCAPE_LINE, cuts[i].text);
		assert_string_equal(copy, cuts[i].wanted);
		assert_int_equal(copy[cuts[i].len], '#');
	}
}

static void a_line_of_any_length_is_one_line(void **state)
{
	char *made, longer[5000];
	size_t len;
	FILE *out = open_memstream(&made, &len);

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	longer[4000] = '\n';
	print_line(out, "%d %s", 7, longer);
	print_line(out, "%s", "a\nb");
	assert_int_equal(fclose(out), 0);
	assert_int_equal(len, 2 + 4999 + 1 + 1 + 5);
	assert_ptr_equal(strchr(made, '\n'), made + 2 + 4999 + 1);
	assert_string_equal(strchr(made, '\n') + 1, "a\\nb\n");
	free(made);
}

static void json_has_any_bytes(void **state)
{
	char *made;
	size_t len;
	FILE *out = open_memstream(&made, &len);
	json_t *json = json_pack("{s:o,s:o,s:o}", "bytes", json_text("a\xff\xc3z"), "none",
				 json_text(NULL), "text", json_text("\u202e\"\\\n\xc2\x9b"));

	(void)state;
	assert_string_equal(json_string_value(json_object_get(json, "bytes")), "a\ufffd\ufffdz");
	assert_int_equal(json_print(json, out), 0);
	assert_int_equal(json_print(NULL, out), -ENOMEM);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(made, "{\"bytes\":\"a\ufffd\ufffdz\",\"none\":null,"
				  "\"text\":\"\\u202e\\\"\\\\\\n\\u009b\"}\n");
	json_t *again = json_loads(made, 0, NULL);
	assert_true(json_equal(json, again));
	json_decref(again);
	json_decref(json);
	free(made);
}

static void every_character_is_decoded_as_it_was_encoded(void **state)
{
	char bytes[UTF8_MAX + 1];

	(void)state;
	for (uint32_t c = 1; c <= 0x10ffff; c++) {
		uint32_t decoded = 0;

		if (c == 0xd800)
			c = 0xe000;
		size_t len = utf8_encode(c, bytes);

		bytes[len] = '\0';
		assert_int_equal(utf8_decode(bytes, &decoded), len);
		assert_int_equal(decoded, c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_cut_between_characters),
		cmocka_unit_test(a_line_of_any_length_is_one_line),
		cmocka_unit_test(json_has_any_bytes),
		cmocka_unit_test(every_character_is_decoded_as_it_was_encoded),
	};

	return RUN_ROWS("escape", rows, a_text_is_printed) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
