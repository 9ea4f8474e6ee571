/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines on stderr: for journald with its syslog prefixes, for people with words. Only the code
 * that decides what happens next logs; everybody else returns an error. What a message names is
 * escaped here, see base/escape.h: each message is one line. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_DEBUG };

/* Lines above this level are dropped; the default is notice. */
void log_set_level(enum log_level level);

/* Each line begins with the time (RFC 3339, UTC, milliseconds), unless journald reads it, which
 * adds its own. */
void log_set_timestamps(bool on);

/* err, warning, notice or debug; 0, or -EINVAL for any other word. */
int log_parse_level(const char *word, enum log_level *ret_level);

/* err: what is enforced is not what policy says. warning: degraded but safe, and says what is kept
 * or ignored. notice: a change of state. debug: anything. */
void log_err(const char *subsystem, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warning(const char *subsystem, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_notice(const char *subsystem, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *subsystem, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
