/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file's text, as UTF-8 whatever it is written in: PowerShell and editors of Windows write
 * UTF-16, and put byte order marks before documents. */
#ifndef SOURCE_TEXT_FILE_H
#define SOURCE_TEXT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* At least so many bytes are asked for at a time. */
#define TEXT_READ_MIN 64

struct text_file {
	int fd;     /* borrowed */
	bool waits; /* for what is written to a pipe or a terminal; else it is an error, EAGAIN */
	enum text_encoding { TEXT_UNKNOWN, TEXT_UTF8, TEXT_UTF16_LE, TEXT_UTF16_BE } encoding;
	/* UTF-16: what has been read and not yet handed out. */
	unsigned char ahead[4];
	size_t n_ahead;
	uint32_t high; /* a surrogate that waits for its other half; 0: none */
};

/* Opens a file, or "-", standard input, without waiting for a pipe to have a writer. *ret_pipe: it
 * is one, by its path; standard input may be one and empty. The descriptor is the caller's; or a
 * negative errno. */
int text_file_open(const char *path, bool *ret_pipe);

/* As read(): what follows, 0 at the end. The first call finds out how the text is written: by the
 * byte order mark, which it passes over, or by where the NUL of the first ASCII character stands
 * (RFC 4627, section 3). The negative errno of read(); or -EILSEQ with err: UTF-16 that is none. */
ssize_t text_read(struct text_file *text, char *to, size_t len, struct err *err);

/* Takes the byte order marks out that stand before a document of YAML: at the beginning, before a
 * line of three hyphens or on the line after one. YAML 1.2 (9.1.2) has them there; libyaml loses
 * the column. Returns the length of what is left. */
size_t text_drop_marks(char *text, size_t len);

#endif
