/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this kernel lacks, and what follows from it. */
#include "nft/features.h"

#include <errno.h>
#include <sys/utsname.h>

#include "internal.h"

#define PART "kernel"

/* Bridged pods are found by their addresses all the same; what only the family bridge sees is open.
 */
static int tell_bridge_family(struct daemon *d, const char *release)
{
	if (!d->apply.no_bridge_family)
		return 0;
	return findings_setf(
		&d->findings,
		&(struct finding){
			.part = PART,
			.id = "no-bridge-family",
			.open = true,
			.subject = "",
			.todo = "Use a kernel with CONFIG_NF_TABLES_BRIDGE, or a CNI plugin that "
				"routes, such as ptp.",
		},
		"Kernel %s has no nf_tables family bridge: pods on a bridge can use the addresses "
		"of others, and broadcast and multicast pass between them whatever policy says; "
		"all else is enforced.",
		release);
}

/* The consequence: a failed commit leaves what was there, at first nothing. */
static const char *consequence(const struct daemon *d, int commit)
{
	if (commit == 0)
		return "what needs it is left out, as other findings say";
	return d->ready ? "what was enforced before stays, and no change can follow"
			: "no policy can be enforced";
}

static int tell_missing(struct daemon *d, const char *release, int commit)
{
	int rc = 0;

	for (int i = 0; i < NFT_FEATURE_COUNT && rc == 0; i++) {
		const char *name = nft_feature_name((enum nft_feature)i);

		if (!(d->apply.missing & 1u << i) || (i == NFT_FEATURE_BRIDGE && commit == 0))
			continue;
		rc = findings_setf(&d->findings,
				   &(struct finding){
					   .part = PART,
					   .id = "kernel-lacks-feature",
					   .level = FINDING_ERROR,
					   .open = commit < 0 && !d->ready,
					   .subject = name,
					   .todo = "Install the kernel's modules, or use a kernel "
						   "that has it.",
				   },
				   "Kernel %s has no nf_tables %s: %s.", release, name,
				   consequence(d, commit));
	}
	return rc;
}

/* Without memory they stay as they were until the next commit. A commit that failed for another
 * reason says nothing about the kernel. */
void kernel_features_tell(struct daemon *d, int commit)
{
	struct utsname host;

	if (commit < 0 && commit != -EINVAL)
		return;
	if (uname(&host) < 0)
		host.release[0] = '\0';
	findings_mark(&d->findings, PART);
	if (tell_bridge_family(d, host.release) == 0 && tell_missing(d, host.release, commit) == 0)
		findings_sweep(&d->findings, PART);
}
