/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preflight_show [BRIDGE...]: what the preflight says of this host and its network namespace, two
 * lines a finding. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node/preflight.h"

int main(int argc, char *argv[])
{
	struct preflight_host host = {
		.proc = "/proc",
		.sys = "/sys",
		.bridges = (const char *const *)argv + 1,
		.n_bridges = (size_t)argc - 1,
		.v4 = true,
		.v6 = true,
		.table = "netpold",
		.cni_results = "/var/lib/cni/results",
	};
	struct preflight preflight;
	int rc = preflight_run(&host, &preflight);

	if (rc < 0) {
		fprintf(stderr, "preflight_show: %s\n", strerror(-rc));
		return 1;
	}
	for (size_t i = 0; i < preflight.findings.n; i++) {
		const struct preflight_finding *finding = &preflight.findings.v[i];

		printf("%s %s: %s\n\t%s\n", preflight_level_name(finding->level), finding->id,
		       finding->what, finding->todo);
	}
	preflight_done(&preflight);
	return 0;
}
