/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The findings of the daemon: everything that is wrong now, in one list. Any part sets a finding
 * when it sees it and clears it when it is gone; log, status and its exit status, /readyz and
 * metrics follow from the list. A part that computes all of its findings anew each time marks
 * before and sweeps after. */
#ifndef DAEMON_FINDINGS_H
#define DAEMON_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"

/* So many have their texts; more are known by id and subject only, and counted as left out. */
#define FINDINGS_MAX 512
/* Beyond this many, nothing but the fact that there are more is known. */
#define FINDINGS_KEYS_MAX 16384
/* Longer texts are cut, in bytes. */
#define FINDING_SUBJECT_MAX 320
#define FINDING_TEXT_MAX    1024
/* So many new and gone ones are logged in a minute. */
#define FINDINGS_LOG_MAX 120

enum finding_level {
	FINDING_ERROR, /* not what policy says is enforced for some traffic, or it cannot follow */
	FINDING_WARNING, /* all else: what policy allows may not pass, or the like */
};
#define FINDING_LEVELS 2

struct finding {
	const char *part; /* who sets it, also in the log: a constant such as "host" */
	const char *id; /* a stable word, a constant such as "br-netfilter-off"; of one part only */
	enum finding_level level;
	bool open;           /* packets pass that policy denies; an error then */
	bool quiet;          /* not logged: who sets it has logged already */
	const char *subject; /* what it is about: "pod shop/web", "eth0"; may be untrusted */
	const char *what;    /* what is wrong, a sentence; may be untrusted */
	const char *todo;    /* what to do about it, a sentence; may be untrusted */
	int64_t since_ms;    /* CLOCK_REALTIME; 0: now, or as it was */
};

struct finding_entry {
	struct finding finding; /* what and todo are NULL where it is left out */
	char *key;              /* id, a newline, subject */
	bool marked;
	UT_hash_handle hh;
};

/* All zero: none. */
struct findings {
	struct finding_entry *entries;
	size_t counts[FINDING_LEVELS], texts[FINDING_LEVELS];
	size_t n_open;
	bool beyond, beyond_open; /* there were more than FINDINGS_KEYS_MAX, one of them open */
	bool sorted;
	int64_t log_minute; /* the minute that `logged` counts in */
	unsigned logged;
};

/* Sets it, or changes the one of this id and subject; copies all but part and id. It is logged when
 * it is new or its level is another. 0 or -ENOMEM; nothing has changed then. */
int findings_set(struct findings *findings, const struct finding *finding);

/* The same with `what` by a format. */
int findings_setf(struct findings *findings, const struct finding *finding, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

/* No such finding is fine. */
void findings_clear(struct findings *findings, const char *id, const char *subject);

/* What the part has set until now, and does not set again before the sweep, is cleared by it. */
void findings_mark(struct findings *findings, const char *part);
void findings_sweep(struct findings *findings, const char *part);

/* All are logged again. */
void findings_log(struct findings *findings);

/* How many there are of a level, those that are left out included; how many mean that a path is
 * open; how many have no texts. */
size_t findings_count(const struct findings *findings, enum finding_level level);
size_t findings_open(const struct findings *findings);
size_t findings_left_out(const struct findings *findings);

/* The first of those that have texts, open ones and errors first; NULL at the end. Valid until
 * something is set or cleared. */
const struct finding *findings_first(struct findings *findings);
const struct finding *findings_next(const struct finding *finding);

const char *finding_level_name(enum finding_level level);

void findings_done(struct findings *findings);

#endif
