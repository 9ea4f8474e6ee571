/* SPDX-License-Identifier: GPL-2.0-or-later */
/* malloc() and its kin in place of the C library's, for all libraries of the program: glibc lets
 * the program's own definitions go first, also for its own calls ("Replacing malloc" in its
 * manual). */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "failing.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

/* libcrypto's are left out: it allocates once what it may need later, and goes on without. */
static void *spare_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return __libc_malloc(size);
}

static void *spare_realloc(void *p, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return __libc_realloc(p, size);
}

static void spare_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	__libc_free(p);
}

__attribute__((constructor)) static void spare_libcrypto(void)
{
	(void)CRYPTO_set_mem_functions(spare_malloc, spare_realloc, spare_free);
}

static void *count(void *p)
{
	failing_interposed = true;
	failing_blocks += p != NULL;
	return p;
}

void *malloc(size_t size)
{
	return failing_now() ? NULL : count(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	return failing_now() ? NULL : count(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
	void *grown;

	if (!p)
		return malloc(size);
	if (failing_now())
		return NULL;
	grown = __libc_realloc(p, size);
	failing_blocks -= size == 0 && !grown;
	return grown;
}

void free(void *p)
{
	failing_blocks -= p != NULL;
	__libc_free(p);
}
