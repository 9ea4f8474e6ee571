/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What other parts know and have logged, as findings: all of it computed anew each time. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "local.h"

#define PART        "conditions"

#define SUBJECT_MAX (OBJECT_NAME_MAX + 32)

struct check {
	struct daemon *d;
	int rc; /* the first error */
};

__attribute__((format(printf, 3, 4))) static void set(struct check *check, struct finding finding,
						      const char *what, ...)
{
	char text[FINDING_TEXT_MAX];
	va_list ap;

	va_start(ap, what);
	(void)vsnprintf(text, sizeof(text), what, ap); /* cut */
	va_end(ap);
	finding.part = PART;
	finding.quiet = true;
	finding.what = text;
	if (check->rc == 0)
		check->rc = findings_set(&check->d->findings, &finding);
}

static void set_over_limit(void *ctx, const char *pod, const struct profile *profile)
{
	char subject[SUBJECT_MAX];

	(void)snprintf(subject, sizeof(subject), "pod %s %s", pod, direction_name(profile->dir));
	set(ctx,
	    (struct finding){.id = "pod-over-limit",
			     .level = FINDING_ERROR,
			     .subject = subject,
			     .todo = "Simplify the policies that select it."},
	    "Pod %s is closed for %s: its policies have %s.", pod, direction_name(profile->dir),
	    profile_limit_text(profile->over));
}

/* What is left out of table inet only allows, but for the chains of anti-spoofing, s_IFACE: these
 * say what a pod may not do, as all chains of table bridge do. */
static bool is_prohibition(const struct nft_refused *refused)
{
	return refused->table == NFT_TABLE_BRIDGE ||
	       (!refused->set && strncmp(refused->name, "s_", 2) == 0);
}

static void set_refused(struct check *check, const struct nft_refused *refused)
{
	bool antispoof = is_prohibition(refused);
	char subject[SUBJECT_MAX], whom[300];

	nft_refused_describe(render_ruleset(check->d->render), refused, whom, sizeof(whom));
	(void)snprintf(subject, sizeof(subject), "%s %s", refused->set ? "set" : "chain",
		       refused->name);
	set(check,
	    (struct finding){.id = antispoof ? "antispoof-rejected" : "rules-rejected",
			     .level = FINDING_WARNING,
			     .open = antispoof,
			     .subject = subject,
			     .todo = "See the log for the kernel's answer."},
	    antispoof ? "The kernel rejects %s (%s): the pod behind it can use addresses of others."
		      : "The kernel rejects %s (%s): what it would allow is closed.",
	    subject, whom);
}

static void check_sources(struct check *check)
{
	struct daemon *d = check->d;

	if (HASH_COUNT(d->broken) > 0)
		set(check,
		    (struct finding){.id = "objects-not-understood",
				     .level = FINDING_WARNING,
				     .todo = "netpolctl status names them and what is wrong."},
		    "Objects that cannot be understood: %u. What they could open is closed.",
		    HASH_COUNT(d->broken));
	if (d->errors > 0)
		set(check,
		    (struct finding){.id = "manifest-errors",
				     .level = FINDING_WARNING,
				     .todo = "netpold --check names them."},
		    "The manifests have %zu errors.", d->errors);
	if (daemon_unenforced(d) > 0)
		set(check,
		    (struct finding){.id = "policies-not-enforced",
				     .level = FINDING_WARNING,
				     .todo = "netpolctl status names them."},
		    "Policies of kinds that are not enforced: %zu.", daemon_unenforced(d));
	if (d->follow && follow_blind(d->follow))
		set(check,
		    (struct finding){.id = "manifests-not-followed",
				     .level = FINDING_ERROR,
				     .todo = "Mend that, or send SIGHUP after each change."},
		    "Changes of the manifests are not noticed: %s.", follow_blind(d->follow));
}

void conditions_check(struct daemon *d)
{
	struct check check = {.d = d};

	findings_mark(&d->findings, PART);
	closed_each(d, set_over_limit, &check);
	for (size_t i = 0; i < d->apply.refused.n; i++)
		set_refused(&check, &d->apply.refused.v[i]);
	check_sources(&check);
	if (check.rc == 0) /* without memory those of before stay */
		findings_sweep(&d->findings, PART);
}
