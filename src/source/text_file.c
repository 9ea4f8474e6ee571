/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"

#define MARK       "\xef\xbb\xbf" /* U+FEFF */
#define MARK_BYTES 3

int text_file_open(const char *path, bool *ret_pipe)
{
	bool is_stdin = strcmp(path, "-") == 0;
	/* O_NONBLOCK: open() itself would wait for a writer (fifo_open() of fs/pipe.c). */
	int fd = is_stdin ? dup(STDIN_FILENO)
			  : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	*ret_pipe = fd >= 0 && !is_stdin && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
	return fd < 0 ? -errno : fd;
}

/* Of a pipe or a terminal that was opened not to block, it waits where it may: pipe_read() of
 * fs/pipe.c has EAGAIN while somebody may still write, and 0 when nobody does. */
static ssize_t read_some(const struct text_file *text, void *to, size_t len)
{
	struct pollfd readable = {.fd = text->fd, .events = POLLIN};
	ssize_t n;

	do {
		n = read(text->fd, to, len);
		if (n < 0 && errno == EAGAIN && text->waits && poll(&readable, 1, -1) >= 0)
			errno = EINTR;
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Until there are so many, or no more. */
static ssize_t read_all(const struct text_file *text, char *to, size_t len)
{
	size_t used = 0;
	ssize_t n = 1;

	while (used < len && n > 0) {
		n = read_some(text, to + used, len - used);
		used += n > 0 ? (size_t)n : 0;
	}
	return n < 0 ? n : (ssize_t)used;
}

/* By the first two bytes; manifests begin in ASCII. */
static enum text_encoding detect(const unsigned char *head, size_t len)
{
	if (len < 2)
		return TEXT_UTF8;
	if (head[0] == 0xff && head[1] == 0xfe)
		return TEXT_UTF16_LE;
	if (head[0] == 0xfe && head[1] == 0xff)
		return TEXT_UTF16_BE;
	if (head[0] == 0 && head[1] != 0)
		return TEXT_UTF16_BE;
	return head[0] != 0 && head[1] == 0 ? TEXT_UTF16_LE : TEXT_UTF8;
}

static int bad_utf16(struct err *err, const char *what)
{
	return err_set(err, -EILSEQ, "not UTF-16: %s", what);
}

/* One unit of UTF-16. Returns how many bytes it came to; or -EILSEQ. */
static ssize_t put_unit(struct text_file *text, uint32_t unit, char *to, struct err *err)
{
	uint32_t high = text->high;

	text->high = 0;
	if (unit >= 0xdc00 && unit <= 0xdfff) {
		if (!high)
			return bad_utf16(err, "the second half of a pair without its first");
		return (ssize_t)utf8_encode(0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00),
					    to);
	}
	if (high)
		return bad_utf16(err, "the first half of a pair without its second");
	if (unit >= 0xd800 && unit <= 0xdbff) {
		text->high = unit;
		return 0;
	}
	return (ssize_t)utf8_encode(unit, to);
}

/* What is ahead as UTF-8, as far as it goes. */
static ssize_t put_ahead(struct text_file *text, char *to, struct err *err)
{
	const unsigned char *ahead = text->ahead;
	size_t used = 0, at = 0;

	for (; at + 2 <= text->n_ahead; at += 2) {
		uint32_t unit = text->encoding == TEXT_UTF16_LE
					? ahead[at] | (uint32_t)ahead[at + 1] << 8
					: (uint32_t)ahead[at] << 8 | ahead[at + 1];
		ssize_t n = put_unit(text, unit, to + used, err);

		if (n < 0)
			return n;
		used += (size_t)n;
	}
	memmove(text->ahead, ahead + at, text->n_ahead - at);
	text->n_ahead -= at;
	return (ssize_t)used;
}

/* `len` bytes of the file at the end of `to`, turned into what is at its beginning: two bytes
 * become three at most. */
static ssize_t convert(struct text_file *text, char *to, const char *raw, size_t len,
		       struct err *err)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		ssize_t n;

		text->ahead[text->n_ahead++] = (unsigned char)raw[i];
		n = put_ahead(text, to + used, err);
		if (n < 0)
			return n;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

/* Not 0 before the end. */
static ssize_t read_utf16(struct text_file *text, char *to, size_t len, struct err *err)
{
	char *raw = to + len / 2 + TEXT_READ_MIN / 4;
	ssize_t n, made = 0;

	do {
		n = read_some(text, raw, (size_t)(to + len - raw));
		if (n > 0)
			made = convert(text, to, raw, (size_t)n, err);
	} while (n > 0 && made == 0);
	if (n == 0 && (text->high || text->n_ahead > 0))
		return bad_utf16(err, "ends within a character");
	return n < 0 ? n : made;
}

static size_t without_mark(char *to, size_t len)
{
	if (len < MARK_BYTES || memcmp(to, MARK, MARK_BYTES) != 0)
		return len;
	memmove(to, to + MARK_BYTES, len - MARK_BYTES);
	return len - MARK_BYTES;
}

static ssize_t read_first(struct text_file *text, char *to, size_t len, struct err *err)
{
	char head[4], made[2 * UTF8_MAX];
	ssize_t more, n = read_all(text, head, sizeof(head));

	if (n < 0)
		return n;
	text->encoding = detect((unsigned char *)head, (size_t)n);
	if (text->encoding == TEXT_UTF8) {
		memcpy(to, head, (size_t)n);
	} else {
		n = convert(text, made, head, (size_t)n, err);
		if (n < 0)
			return n;
		memcpy(to, made, (size_t)n);
	}
	n = (ssize_t)without_mark(to, (size_t)n);
	more = text_read(text, to + n, len - (size_t)n, err); /* what it is needs more to be seen */
	return more < 0 ? more : n + more;
}

ssize_t text_read(struct text_file *text, char *to, size_t len, struct err *err)
{
	switch (text->encoding) {
	case TEXT_UNKNOWN:
		return read_first(text, to, len, err);
	case TEXT_UTF8:
		return read_some(text, to, len);
	case TEXT_UTF16_LE:
	case TEXT_UTF16_BE:
		return read_utf16(text, to, len, err);
	}
	return 0;
}

/* Does the line begin with the three characters, and nothing that belongs to them? */
static bool is_marker(const char *line, const char *end, const char *marker)
{
	return end - line >= 3 && memcmp(line, marker, 3) == 0 &&
	       (end - line == 3 || strchr(" \t\r\n", line[3]));
}

/* Neither content nor the beginning or end of a document. */
static bool is_blank(const char *line, const char *end)
{
	while (line < end && (*line == ' ' || *line == '\t' || *line == '\r'))
		line++;
	return line == end || *line == '\n' || *line == '#' || *line == '%';
}

size_t text_drop_marks(char *text, size_t len)
{
	char *to = text;
	const char *end = text + len;
	bool begins = true; /* no content of the document has come yet */

	if (!memmem(text, len, MARK, MARK_BYTES))
		return len;
	for (const char *line = text, *next; line < end; line = next) {
		const char *from = line;
		bool marked = end - line >= MARK_BYTES && memcmp(line, MARK, MARK_BYTES) == 0;

		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next + 1 : end;
		if (marked && (begins || is_marker(line + MARK_BYTES, end, "---")))
			from += MARK_BYTES;
		if (is_marker(from, end, "---") || is_marker(from, end, "..."))
			begins = true;
		else if (!is_blank(from, end))
			begins = false;
		memmove(to, from, (size_t)(next - from));
		to += next - from;
	}
	return (size_t)(to - text);
}
