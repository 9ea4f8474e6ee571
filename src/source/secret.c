/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void secret_done(struct secret *secret)
{
	if (secret->v)
		explicit_bzero(secret->v, secret->n);
	free(secret->v);
	*secret = (struct secret){0};
}

void secret_wipe_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void take(struct secret *secret, char *v, size_t n)
{
	secret_done(secret);
	v[n] = '\0';
	*secret = (struct secret){.v = v, .n = n};
}

int secret_set(struct secret *secret, const void *bytes, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	if (len > 0)
		memcpy(copy, bytes, len);
	take(secret, copy, len);
	return 0;
}

int secret_copy(struct secret *secret, const struct secret *from)
{
	return secret_set(secret, from->v, from->n);
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n) == 0);
}

/* Reads to the end of the file, whatever its size said. */
static int read_all(int fd, char *v, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len <= SECRET_FILE_MAX) {
		n = read(fd, v + len, SECRET_FILE_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	*ret_len = len;
	return n < 0 ? -errno : 0;
}

int secret_read_file(struct secret *secret, const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t len = 0;
	char *v, *fitted;
	int rc;

	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	v = malloc(SECRET_FILE_MAX + 2);
	if (!v)
		return -ENOMEM;
	rc = read_all(fd, v, &len);
	if (rc == 0 && len > SECRET_FILE_MAX)
		rc = err_set(err, -EFBIG, "%s: expected at most %u bytes", path, SECRET_FILE_MAX);
	else if (rc < 0)
		(void)err_set(err, rc, "%s: %s", path, strerror(-rc)); /* rc says it already */
	fitted = rc == 0 ? malloc(len + 1) : NULL;
	if (fitted) {
		memcpy(fitted, v, len);
		take(secret, fitted, len);
	} else if (rc == 0) {
		rc = -ENOMEM;
	}
	explicit_bzero(v, len);
	free(v);
	return rc;
}

static int digit_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

static bool is_space(char c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

/* Returns how many bytes came out, -1 for text that is no base64. */
static ssize_t decode(const char *text, unsigned char *out)
{
	size_t n = 0, digits = 0, padding = 0;
	uint32_t bits = 0;

	for (; *text; text++) {
		int digit = digit_of(*text);

		if (is_space(*text))
			continue;
		if (*text == '=')
			padding++;
		else if (digit < 0 || padding > 0)
			return -1;
		bits = bits << 6 | (uint32_t)(digit < 0 ? 0 : digit);
		if (++digits % 4 != 0)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8)
			out[n++] = (unsigned char)(bits >> shift & 0xff);
		bits = 0;
	}
	return digits % 4 == 0 && padding <= 2 ? (ssize_t)(n - padding) : -1;
}

int secret_from_base64(struct secret *secret, const char *text)
{
	char *v = malloc(strlen(text) / 4 * 3 + 4);
	ssize_t n;

	if (!v)
		return -ENOMEM;
	n = decode(text, (unsigned char *)v);
	if (n < 0) {
		free(v);
		return -EINVAL;
	}
	take(secret, v, (size_t)n);
	return 0;
}

char *secret_to_base64(const struct secret *secret)
{
	const unsigned char *in = (const unsigned char *)secret->v;
	char *text = malloc((secret->n + 2) / 3 * 4 + 1), *to = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < secret->n; i += 3) {
		size_t left = secret->n - i;
		uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
				(left > 2 ? in[i + 2] : 0);

		*to++ = alphabet[bits >> 18];
		*to++ = alphabet[bits >> 12 & 63];
		*to++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		*to++ = left > 2 ? alphabet[bits & 63] : '=';
	}
	*to = '\0';
	return text;
}
