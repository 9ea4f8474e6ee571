/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes that nobody else may see: tokens, keys, and what is handled with them. They are never
 * printed, and wiped before their memory goes back. */
#ifndef SOURCE_SECRET_H
#define SOURCE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define SECRET_FILE_MAX \
	(1u << 20) /* bytes: a token has some thousand, a CA bundle some hundred thousand */

/* v[n] is a NUL that does not count. Zero bytes are no secret. */
struct secret {
	char *v;
	size_t n;
};

/* Replaces the content. 0 or -ENOMEM, with the content as it was. */
int secret_set(struct secret *secret, const void *bytes, size_t len);
int secret_copy(struct secret *secret, const struct secret *from);

/* Replaces the content by that of a file. 0; -ENOMEM; -errno with err: "PATH: reason". */
int secret_read_file(struct secret *secret, const char *path, struct err *err);

/* Replaces the content by what the base64 text (with padding, line breaks are fine) says. 0;
 * -ENOMEM; -EINVAL when it is none. */
int secret_from_base64(struct secret *secret, const char *text);

/* As base64 text, to be given to secret_wipe_free(). NULL: no memory. */
char *secret_to_base64(const struct secret *secret);

void secret_done(struct secret *secret);

/* Frees text that held a secret. NULL is fine. */
void secret_wipe_free(char *text);

#endif
