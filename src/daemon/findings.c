/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/findings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

const char *finding_level_name(enum finding_level level)
{
	switch (level) {
	case FINDING_ERROR:
		return "error";
	case FINDING_WARNING:
		return "warning";
	}
	return "";
}

/* As many bytes as fit, and no half of a character of UTF-8. */
static size_t cut(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	for (len = max; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

static char *copy(const char *text, size_t max)
{
	return strndup(text ? text : "", cut(text ? text : "", max));
}

static char *key_of(const char *id, const char *subject)
{
	char *key = NULL;

	subject = subject ? subject : "";
	if (asprintf(&key, "%s\n%.*s", id, (int)cut(subject, FINDING_SUBJECT_MAX), subject) < 0)
		return NULL;
	return key;
}

static struct finding_entry *find(const struct findings *findings, const char *key)
{
	struct finding_entry *entry;

	HASH_FIND_STR(findings->entries, key, entry);
	return entry;
}

/* Objects of others can make findings come and go: the log has a bound. */
static bool may_log(struct findings *findings)
{
	int64_t minute = clock_realtime_ms() / 60000;

	if (minute != findings->log_minute)
		findings->logged = 0;
	findings->log_minute = minute;
	if (findings->logged == FINDINGS_LOG_MAX)
		log_warning("findings",
			    "more than %d findings came or went in a minute: the others are not "
			    "logged; see netpolctl status",
			    FINDINGS_LOG_MAX);
	return findings->logged++ < FINDINGS_LOG_MAX;
}

static void log_one(struct findings *findings, const struct finding *one)
{
	if (!one->what || !may_log(findings))
		return;
	if (one->level == FINDING_ERROR)
		log_err(one->part, "%s: %s%s%s", one->id, one->what, one->todo[0] ? " " : "",
			one->todo);
	else
		log_warning(one->part, "%s: %s%s%s", one->id, one->what, one->todo[0] ? " " : "",
			    one->todo);
}

/* Adds the entry to the counts, or takes it out of them. */
static void count(struct findings *findings, const struct finding_entry *entry, int by)
{
	const struct finding *one = &entry->finding;

	findings->counts[one->level] += (size_t)by;
	findings->n_open += one->open ? (size_t)by : 0;
	findings->texts[one->level] += one->what ? (size_t)by : 0;
}

static void drop_texts(struct finding *one)
{
	free((char *)one->what);
	free((char *)one->todo);
	one->what = one->todo = NULL;
}

/* Is there room for the texts of one more? Warnings give way to an error. */
static bool make_room(struct findings *findings, enum finding_level level)
{
	size_t texts = findings->texts[FINDING_ERROR] + findings->texts[FINDING_WARNING];
	struct finding_entry *entry = findings->entries;

	if (texts < FINDINGS_MAX)
		return true;
	if (level != FINDING_ERROR || findings->texts[FINDING_WARNING] == 0)
		return false;
	while (entry->finding.level != FINDING_WARNING || !entry->finding.what)
		entry = entry->hh.next;
	count(findings, entry, -1);
	drop_texts(&entry->finding);
	count(findings, entry, 1);
	return true;
}

static void entry_free(struct finding_entry *entry)
{
	if (!entry)
		return;
	drop_texts(&entry->finding);
	free(entry->key);
	free(entry);
}

/* An entry without texts, level and counts. NULL: no memory. */
static struct finding_entry *add(struct findings *findings, char *key, const struct finding *from)
{
	struct finding_entry *entry = calloc(1, sizeof(*entry));

	if (!entry) {
		free(key);
		return NULL;
	}
	entry->key = key;
	entry->finding.part = from->part;
	entry->finding.id = from->id;
	entry->finding.subject = key + strlen(from->id) + 1;
	entry->finding.since_ms = from->since_ms ? from->since_ms : clock_realtime_ms();
	HASH_ADD_KEYPTR(hh, findings->entries, entry->key, strlen(entry->key), entry);
	if (table_added(entry))
		return entry;
	entry_free(entry);
	return NULL;
}

static void update(struct findings *findings, struct finding_entry *entry,
		   const struct finding *from, char *what, char *todo)
{
	struct finding *one = &entry->finding;

	if (one->what) /* else it is new, or left out */
		drop_texts(one);
	one->level = from->open ? FINDING_ERROR : from->level;
	one->open = from->open;
	one->quiet = from->quiet;
	one->what = what;
	one->todo = todo;
	if (from->since_ms)
		one->since_ms = from->since_ms;
	entry->marked = false;
	findings->sorted = false;
}

/* More than can be known by name: that there are is an error, until there is room again. */
static int set_beyond(struct findings *findings, const struct finding *finding, char *key)
{
	free(key);
	if (!findings->beyond)
		log_err("findings", "more than %d findings: the others are not known by name",
			FINDINGS_KEYS_MAX);
	findings->beyond = true;
	findings->beyond_open |= finding->open;
	return 0;
}

static int set(struct findings *findings, const struct finding *from, struct finding_entry *entry,
	       bool is_new)
{
	enum finding_level level = from->open ? FINDING_ERROR : from->level;
	enum finding_level before = entry->finding.level;
	bool had_texts = entry->finding.what != NULL;
	char *what = NULL, *todo = NULL;

	if (had_texts || make_room(findings, level)) {
		what = copy(from->what, FINDING_TEXT_MAX);
		todo = copy(from->todo, FINDING_TEXT_MAX);
		if (!what || !todo) {
			free(what);
			free(todo);
			return -ENOMEM;
		}
	}
	if (!is_new)
		count(findings, entry, -1);
	update(findings, entry, from, what, todo);
	count(findings, entry, 1);
	if (!from->quiet && (is_new || level != before))
		log_one(findings, &entry->finding);
	return 0;
}

int findings_set(struct findings *findings, const struct finding *finding)
{
	char *key = key_of(finding->id, finding->subject);
	struct finding_entry *entry = key ? find(findings, key) : NULL;
	int rc;

	if (!key)
		return -ENOMEM;
	if (entry) {
		free(key);
		return set(findings, finding, entry, false);
	}
	if (HASH_COUNT(findings->entries) >= FINDINGS_KEYS_MAX)
		return set_beyond(findings, finding, key);
	entry = add(findings, key, finding);
	if (!entry)
		return -ENOMEM;
	rc = set(findings, finding, entry, true);
	if (rc < 0) {
		HASH_DEL(findings->entries, entry);
		entry_free(entry);
	}
	return rc;
}

int findings_setf(struct findings *findings, const struct finding *finding, const char *what, ...)
{
	struct finding with = *finding;
	char text[FINDING_TEXT_MAX + 1];
	va_list ap;

	va_start(ap, what);
	(void)vsnprintf(text, sizeof(text), what, ap); /* cut */
	va_end(ap);
	text[cut(text, FINDING_TEXT_MAX - 4)] = '\0'; /* it may have been cut in a character */
	with.what = text;
	return findings_set(findings, &with);
}

static void remove_entry(struct findings *findings, struct finding_entry *entry)
{
	const struct finding *one = &entry->finding;

	if (one->what && !one->quiet && may_log(findings))
		log_notice(one->part, "%s: no longer so: %s", one->id, one->what);
	count(findings, entry, -1);
	HASH_DEL(findings->entries, entry);
	entry_free(entry);
	findings->beyond = findings->beyond_open = false;
}

void findings_clear(struct findings *findings, const char *id, const char *subject)
{
	char *key = key_of(id, subject);
	struct finding_entry *entry = key ? find(findings, key) : NULL;

	free(key);
	if (entry)
		remove_entry(findings, entry);
}

void findings_mark(struct findings *findings, const char *part)
{
	for (struct finding_entry *entry = findings->entries; entry; entry = entry->hh.next) {
		if (strcmp(entry->finding.part, part) == 0)
			entry->marked = true;
	}
}

void findings_sweep(struct findings *findings, const char *part)
{
	struct finding_entry *entry, *next;

	HASH_ITER (hh, findings->entries, entry, next) {
		if (entry->marked && strcmp(entry->finding.part, part) == 0)
			remove_entry(findings, entry);
	}
}

size_t findings_count(const struct findings *findings, enum finding_level level)
{
	return findings->counts[level] + (level == FINDING_ERROR && findings->beyond);
}

size_t findings_open(const struct findings *findings)
{
	return findings->n_open + findings->beyond_open;
}

size_t findings_left_out(const struct findings *findings)
{
	return HASH_COUNT(findings->entries) - findings->texts[FINDING_ERROR] -
	       findings->texts[FINDING_WARNING] + findings->beyond;
}

static int by_weight(const struct finding_entry *a, const struct finding_entry *b)
{
	int order = (int)b->finding.open - (int)a->finding.open;

	if (order == 0)
		order = (int)a->finding.level - (int)b->finding.level;
	return order != 0 ? order : strcmp(a->key, b->key);
}

static const struct finding *with_texts(const struct finding_entry *entry)
{
	while (entry && !entry->finding.what)
		entry = entry->hh.next;
	return entry ? &entry->finding : NULL;
}

const struct finding *findings_first(struct findings *findings)
{
	if (!findings->sorted)
		HASH_SRT(hh, findings->entries, by_weight);
	findings->sorted = true;
	return with_texts(findings->entries);
}

/* The finding is the first member of its entry. */
const struct finding *findings_next(const struct finding *finding)
{
	return with_texts(((const struct finding_entry *)finding)->hh.next);
}

void findings_log(struct findings *findings)
{
	for (const struct finding *one = findings_first(findings); one; one = findings_next(one))
		log_one(findings, one);
}

void findings_done(struct findings *findings)
{
	struct finding_entry *entry, *next;

	HASH_ITER (hh, findings->entries, entry, next) {
		HASH_DEL(findings->entries, entry);
		entry_free(entry);
	}
	*findings = (struct findings){0};
}
