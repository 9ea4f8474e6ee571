/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "failing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
int __real_vasprintf(char **ret, const char *fmt, va_list ap);
FILE *__real_open_memstream(char **text, size_t *len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int __wrap___vasprintf_chk(char **ret, int flag, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
FILE *__wrap_open_memstream(char **text, size_t *len);

/* Only with the sanitizer. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static size_t allocations, fail_at; /* 0: none fails */
static unsigned within;             /* a call that counts as one */
bool failing_interposed;
long failing_blocks;

bool failing_now(void)
{
	if (fail_at == 0 || within > 0 || ++allocations != fail_at)
		return false;
	errno = ENOMEM; /* as malloc() does */
	return true;
}

bool failing_happened(void)
{
	return fail_at > 0 && allocations >= fail_at;
}

/* A call of ours is one allocation, whatever the C library does within: asprintf() can do with less
 * than it asks for. Where malloc() is interposed, it counts itself. */
static bool fails_here(void)
{
	return !failing_interposed && failing_now();
}

void *__wrap_malloc(size_t size)
{
	return fails_here() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_here() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails_here() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *text)
{
	return fails_here() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
	return fails_here() ? NULL : __real_strndup(text, len);
}

int __wrap_vasprintf(char **ret, const char *fmt, va_list ap)
{
	int n;

	if (failing_now())
		return -1;
	within++;
	n = __real_vasprintf(ret, fmt, ap);
	within--;
	return n;
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = __wrap_vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

/* What both are with _FORTIFY_SOURCE. */
int __wrap___vasprintf_chk(char **ret, int flag, const char *fmt, va_list ap)
{
	(void)flag;
	return __wrap_vasprintf(ret, fmt, ap);
}

int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...)
{
	va_list ap;
	int n;

	(void)flag;
	va_start(ap, fmt);
	n = __wrap_vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

FILE *__wrap_open_memstream(char **text, size_t *len)
{
	return fails_here() ? NULL : __real_open_memstream(text, len);
}

/* One round: 0, or what was wrong. `ret_done`: no allocation failed, there were fewer. */
enum wrong { WRONG_NOTHING, WRONG_CODE = 10, WRONG_LEAK, WRONG_STATE };

static enum wrong run_round(int (*scenario)(void), int (*check)(int), size_t at, bool *ret_done)
{
	long before;
	int rc;

	allocations = 0;
	before = failing_blocks;
	fail_at = at;
	rc = scenario();
	fail_at = 0;
	*ret_done = allocations < at;
	if (rc != (*ret_done ? 0 : -ENOMEM))
		return WRONG_CODE;
	if (failing_interposed && failing_blocks > before)
		return WRONG_LEAK;
	if (check && check(rc) != 0)
		return WRONG_STATE;
	if (__lsan_do_recoverable_leak_check && at % 8 == 0 && __lsan_do_recoverable_leak_check())
		return WRONG_LEAK;
	return WRONG_NOTHING;
}

static _Noreturn void run_child(int (*scenario)(void), int (*check)(int), volatile size_t *at)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	enum wrong wrong = WRONG_NOTHING;
	bool done = false;

	if (null >= 0)
		(void)dup2(null, STDERR_FILENO); /* the parent says what matters */
	(void)signal(SIGSEGV, SIG_DFL);
	(void)run_round(scenario, check, SIZE_MAX, &done); /* what libraries allocate once */
	for (done = false; !done && wrong == WRONG_NOTHING; ++*at)
		wrong = run_round(scenario, check, *at, &done);
	if (wrong != WRONG_NOTHING)
		--*at;
	if (wrong == WRONG_NOTHING && __lsan_do_recoverable_leak_check &&
	    __lsan_do_recoverable_leak_check())
		wrong = WRONG_LEAK;
	_exit((int)wrong);
}

void failing_survives(int (*scenario)(void), int (*check)(int rc))
{
	const char *alone = getenv("NETPOLD_FAIL_AT");
	volatile size_t *at =
		mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t failures = 0;
	int status = 1;
	bool done;

	assert_true(at != MAP_FAILED);
	if (alone) {
		(void)run_round(scenario, check, SIZE_MAX, &done);
		assert_int_equal(run_round(scenario, check, strtoul(alone, NULL, 10), &done), 0);
		return;
	}
	*at = 1;
	while (status != 0 && failures < 2000) {
		pid_t pid;

		(void)fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			run_child(scenario, check, at);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status == 0)
			break;
		if (failures < 12)
			print_error("allocation %zu: %s\n", *at,
				    !WIFEXITED(status) ? "the process died"
				    : WEXITSTATUS(status) == WRONG_CODE
					    ? "no error came back, or another"
				    : WEXITSTATUS(status) == WRONG_LEAK
					    ? "a leak, here or in the 7 before"
				    : WEXITSTATUS(status) == WRONG_STATE
					    ? "what was there has changed"
					    : "a sanitizer stopped it");
		failures++;
		++*at;
	}
	print_message("    %zu allocations\n", *at - 1);
	(void)munmap((void *)(uintptr_t)at, sizeof(*at));
	assert_int_equal(failures, 0);
}
