/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preflight_show [BRIDGE | ADDRESS | +INTERFACE]...: what the preflight says of this host and its
 * network namespace, two lines a finding. The arguments are pods'. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node/preflight.h"

#define ARGS_MAX 16

int main(int argc, char *argv[])
{
	const char *bridges[ARGS_MAX], *interfaces[ARGS_MAX];
	struct addr addrs[ARGS_MAX];
	struct preflight_host host = {
		.proc = "/proc",
		.sys = "/sys",
		.bridges = bridges,
		.interfaces = interfaces,
		.addrs = addrs,
		.v4 = true,
		.v6 = true,
		.table = "netpold",
		.cni_results = "/var/lib/cni/results",
	};
	struct preflight preflight;
	int rc;

	for (int i = 1; i < argc && i <= ARGS_MAX; i++) {
		if (argv[i][0] == '+')
			interfaces[host.n_interfaces++] = argv[i] + 1;
		else if (addr_parse(argv[i], &addrs[host.n_addrs]))
			host.n_addrs++;
		else
			bridges[host.n_bridges++] = argv[i];
	}
	rc = preflight_run(&host, &preflight);
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
