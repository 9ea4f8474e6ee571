/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How things stand, in one word: status, its exit status, /readyz and metrics follow from it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define PART           "state"
#define NOT_YET        "not-enforced-yet"
#define EARLIER        "earlier-rules"
#define COMMIT_FAILING "commit-failing"

const char *daemon_state_name(enum daemon_state state)
{
	switch (state) {
	case DAEMON_ENFORCING:
		return "enforcing";
	case DAEMON_DEGRADED:
		return "degraded";
	case DAEMON_BEHIND:
		return "behind";
	case DAEMON_OPEN:
		return "open";
	}
	return "";
}

enum daemon_state daemon_state(const struct daemon *d)
{
	if (findings_open(&d->findings) > 0)
		return DAEMON_OPEN;
	if (!d->ready || d->dirty || api_stalled(d))
		return DAEMON_BEHIND;
	return findings_count(&d->findings, FINDING_ERROR) > 0 ? DAEMON_DEGRADED : DAEMON_ENFORCING;
}

static void describe_why(struct daemon *d, char *why, size_t len)
{
	const struct finding *first = findings_first(&d->findings);

	if (!d->ready && !d->synced)
		(void)snprintf(why, len, "%s", SERVER_NOT_SYNCED);
	else if (d->apply.problem[0])
		(void)snprintf(why, len, "%s", d->apply.problem);
	else if (!d->ready)
		(void)snprintf(why, len, "the kernel has not been written yet");
	else
		(void)snprintf(why, len, "%zu findings are errors, the first %s%s",
			       findings_count(&d->findings, FINDING_ERROR),
			       first ? first->id : "left out",
			       first && first->open ? " (open)" : "");
}

bool daemon_is_ready(struct daemon *d, char *why, size_t len)
{
	if (d->ready && findings_count(&d->findings, FINDING_ERROR) == 0)
		return true;
	describe_why(d, why, len);
	return false;
}

/* An earlier run's rules stay when it ends: then what is missing is only what has changed since. */
int state_start(struct daemon *d)
{
	bool has = false;

	(void)nft_kernel_has_rules(&d->apply.kernel, &has); /* not known: the worse is said */
	d->rules_absent = !has;
	if (has)
		return findings_set(
			&d->findings,
			&(struct finding){
				.part = PART,
				.id = EARLIER,
				.level = FINDING_ERROR,
				.quiet = true,
				.what = "The rules of an earlier run, or of --lockdown, are in "
					"effect: "
					"this run has not read all sources yet.",
				.todo = "Wait; or see what keeps the sources from being read.",
			});
	return findings_set(
		&d->findings,
		&(struct finding){
			.part = PART,
			.id = NOT_YET,
			.open = true,
			.quiet = true,
			.what = "Nothing is enforced yet: not all sources have been read.",
			.todo = "Wait; or see what keeps the sources from being read.",
		});
}

void state_committed(struct daemon *d)
{
	findings_clear(&d->findings, NOT_YET, "");
	findings_clear(&d->findings, EARLIER, "");
	findings_clear(&d->findings, COMMIT_FAILING, "");
}

int state_commit_failed(struct daemon *d, const char *why)
{
	return findings_setf(&d->findings,
			     &(struct finding){
				     .part = PART,
				     .id = COMMIT_FAILING,
				     .level = FINDING_ERROR,
				     .open = d->touched, /* what others have removed */
				     .quiet = true,
				     .todo = "It is tried again; see the log.",
			     },
			     "The kernel does not have what policy says: %s.", why);
}
