/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where others can remove our tables, packets pass until these are restored: a warning, with what
 * keeps the kernel from protecting them. */
#include <sys/utsname.h>

#include "internal.h"

#define UNSUPPORTED "table-owner-unsupported"
#define NOT_OWNED   "table-not-owned"

/* Without memory it is told after the next commit. */
static void tell_unsupported(struct daemon *d)
{
	struct utsname host;

	if (uname(&host) < 0)
		host.release[0] = '\0';
	(void)findings_setf(&d->findings,
			    &(struct finding){
				    .part = "nft",
				    .id = UNSUPPORTED,
				    .level = FINDING_WARNING,
				    .subject = "",
				    .todo = "Use Linux 6.9 or later, or see that nothing on this "
					    "host flushes other programs' tables; table-owner = "
					    "none silences this.",
			    },
			    "Kernel %s has no table flags owner and persist: when another program "
			    "flushes the ruleset, packets pass unfiltered until our tables are "
			    "restored, some milliseconds.",
			    host.release);
}

static void tell_not_owned(struct daemon *d)
{
	(void)findings_set(
		&d->findings,
		&(struct finding){
			.part = "nft",
			.id = NOT_OWNED,
			.level = FINDING_WARNING,
			.subject = "",
			.what = "A table of ours was created without the flags owner and "
				"persist, by nft or with table-owner = none, and cannot "
				"get them: when another program flushes the ruleset, "
				"packets pass unfiltered until it is restored.",
			.todo = "Restart the node; or, when packets may pass for a "
				"moment, stop netpold, run netpold --cleanup, start it.",
		});
}

void table_owner_check(struct daemon *d)
{
	if (d->apply.cannot_own)
		tell_unsupported(d);
	if (d->apply.not_owned)
		tell_not_owned(d);
	else
		findings_clear(&d->findings, NOT_OWNED, "");
}
