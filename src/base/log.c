/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"

static enum log_level threshold = LOG_LEVEL_NOTICE;

static bool timestamps;

static const char *const words[] = {
	[LOG_LEVEL_ERR] = "err",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
	threshold = level;
}

void log_set_timestamps(bool on)
{
	timestamps = on;
}

int log_parse_level(const char *word, enum log_level *ret_level)
{
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* journald understands <N> prefixes. It sets JOURNAL_STREAM to the device and inode of the stderr
 * that it reads; who inherits the variable may have another. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void print_time(void)
{
	char text[32];
	struct timespec now;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		fprintf(stderr, "%s.%03ldZ ", text, now.tv_nsec / 1000000);
}

__attribute__((format(printf, 3, 0))) static void emit(enum log_level level, const char *subsystem,
						       const char *fmt, va_list ap)
{
	static const char *const syslog_prefix[] = {"<3>", "<4>", "<5>", "<7>"};

	if (level > threshold)
		return;
	if (is_journal()) {
		fprintf(stderr, "%s%s: ", syslog_prefix[level], subsystem);
	} else {
		if (timestamps)
			print_time();
		fprintf(stderr, "%s: %s: ", words[level], subsystem);
	}
	vprint_line(stderr, fmt, ap);
}

void log_err(const char *subsystem, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit(LOG_LEVEL_ERR, subsystem, fmt, ap);
	va_end(ap);
}

void log_warning(const char *subsystem, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit(LOG_LEVEL_WARNING, subsystem, fmt, ap);
	va_end(ap);
}

void log_notice(const char *subsystem, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit(LOG_LEVEL_NOTICE, subsystem, fmt, ap);
	va_end(ap);
}

void log_debug(const char *subsystem, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit(LOG_LEVEL_DEBUG, subsystem, fmt, ap);
	va_end(ap);
}
