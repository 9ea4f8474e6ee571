/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stream into memory that says when there was none. open_memstream(3) of glibc does not: what
 * finds no room is left out, and neither ferror() nor fclose() tells (_IO_str_overflow() in
 * libio/strops.c). */
#ifndef BASE_MEMSTREAM_H
#define BASE_MEMSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct memstream {
	FILE *out; /* NULL: not open */
	char *text;
	size_t len, cap;
	bool no_memory;
	char buffer[512]; /* the stream's own */
};

/* 0 or -ENOMEM. The struct stays where it is until memstream_close(). */
int memstream_open(struct memstream *stream);

/* 0 with the text, to be freed, and its length where `ret_len` is not NULL; or -ENOMEM: something
 * written had no room, or it was not open. */
int memstream_close(struct memstream *stream, char **ret_text, size_t *ret_len);

/* The same: the text; NULL: no memory. */
char *memstream_text(struct memstream *stream);

#endif
