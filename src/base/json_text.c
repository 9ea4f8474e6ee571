/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/memstream.h"
#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* json_string() takes UTF-8 alone, and says of anything else no more than of a lack of memory. */
static bool is_utf8(const char *text)
{
	uint32_t c;
	size_t len;

	for (; *text; text += len) {
		len = utf8_decode(text, &c);
		if (len == 0)
			return false;
	}
	return true;
}

static char *replace_bytes(const char *text)
{
	char *made = malloc(strlen(text) * strlen(REPLACEMENT) + 1), *to = made;
	uint32_t c;

	while (made && *text) {
		size_t len = utf8_decode(text, &c);

		to = mempcpy(to, len ? text : REPLACEMENT, len ? len : strlen(REPLACEMENT));
		text += len ? len : 1;
	}
	if (made)
		*to = '\0';
	return made;
}

json_t *json_text(const char *text)
{
	AUTO_FREE char *replaced = NULL;

	if (!text)
		return json_null();
	if (is_utf8(text))
		return json_string(text);
	replaced = replace_bytes(text);
	return replaced ? json_string(replaced) : NULL;
}

/* Not json_dumps(): jansson 2.14 does not look whether a key had room (do_dump() in dump.c), and
 * leaves it out. */
static char *dump(const json_t *json)
{
	struct memstream stream;
	char *text;
	int rc;

	if (memstream_open(&stream) < 0)
		return NULL;
	rc = json_dumpf(json, stream.out, JSON_COMPACT);
	text = memstream_text(&stream);
	if (rc == 0)
		return text;
	free(text);
	return NULL;
}

int json_print(const json_t *json, FILE *out)
{
	AUTO_FREE char *text = json ? dump(json) : NULL;

	if (!text)
		return -ENOMEM;
	escape_print(out, ESCAPE_JSON, text);
	fputc('\n', out);
	return 0;
}

char *json_line(const json_t *json)
{
	struct memstream stream;
	char *line;
	int rc;

	if (memstream_open(&stream) < 0)
		return NULL;
	rc = json_print(json, stream.out);
	line = memstream_text(&stream);
	if (rc == 0)
		return line;
	free(line);
	return NULL;
}
