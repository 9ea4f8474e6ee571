/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"

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

int secret_from_base64(struct secret *secret, const char *text)
{
	char *v = malloc(BASE64_DECODED_MAX(strlen(text)));
	ssize_t n;

	if (!v)
		return -ENOMEM;
	n = base64_decode(text, (unsigned char *)v);
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

		*to++ = base64_digit(bits >> 18);
		*to++ = base64_digit(bits >> 12);
		*to++ = left > 1 ? base64_digit(bits >> 6) : '=';
		*to++ = left > 2 ? base64_digit(bits) : '=';
	}
	*to = '\0';
	return text;
}
