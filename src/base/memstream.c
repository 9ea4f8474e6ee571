/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/memstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* Room for `len` bytes more and a NUL. */
static bool reserve(struct memstream *stream, size_t len)
{
	size_t want = stream->len + len + 1;
	char *grown;

	if (want <= stream->cap)
		return true;
	want += want / 2;
	grown = realloc(stream->text, want);
	if (!grown)
		return false;
	stream->text = grown;
	stream->cap = want;
	return true;
}

/* What is not taken is an error of the stream, and it stays one. */
static ssize_t add(void *cookie, const char *bytes, size_t len)
{
	struct memstream *stream = cookie;

	if (stream->no_memory || !reserve(stream, len)) {
		stream->no_memory = true;
		return 0;
	}
	memcpy(stream->text + stream->len, bytes, len);
	stream->len += len;
	return (ssize_t)len;
}

int memstream_open(struct memstream *stream)
{
	cookie_io_functions_t functions = {.write = add};

	stream->text = NULL;
	stream->len = stream->cap = 0;
	stream->no_memory = false;
	stream->out = fopencookie(stream, "w", functions);
	if (!stream->out)
		return -ENOMEM;
	(void)setvbuf(stream->out, stream->buffer, _IOFBF, sizeof(stream->buffer));
	return 0;
}

int memstream_close(struct memstream *stream, char **ret_text, size_t *ret_len)
{
	if (!stream->out)
		return -ENOMEM;
	(void)fclose(stream->out); /* add() knows better */
	stream->out = NULL;
	if (stream->no_memory || !reserve(stream, 0)) {
		free(stream->text);
		stream->text = NULL;
		return -ENOMEM;
	}
	stream->text[stream->len] = '\0';
	*ret_text = stream->text;
	if (ret_len)
		*ret_len = stream->len;
	return 0;
}

char *memstream_text(struct memstream *stream)
{
	char *text;

	return memstream_close(stream, &text, NULL) == 0 ? text : NULL;
}
