/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/standard_fds.h"
#include "daemon/daemon.h"
#include "daemon/dry_run.h"
#include "daemon/lockdown.h"
#include "daemon/settings.h"

static int run(struct settings *settings)
{
	switch (settings->mode) {
	case MODE_DRY_RUN:
		return dry_run(settings);
	case MODE_CHECK:
		return check(settings);
	case MODE_HELP:
		settings_print_help(stdout);
		return 0;
	case MODE_VERSION:
		puts("netpold " PACKAGE_VERSION);
		return 0;
	case MODE_DAEMON:
	case MODE_ONCE:
		return daemon_run(settings);
	case MODE_CLEANUP:
		return daemon_cleanup(settings);
	case MODE_LOCKDOWN:
		return lockdown(settings);
	}
	return 2;
}

int main(int argc, char *argv[])
{
	struct settings settings = {0};
	struct faults faults = {.colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR")};
	int status = 2, rc;

	if (standard_fds_open() < 0)
		return 1; /* and nowhere to say so */
	rc = settings_parse(&settings, argc, argv);
	if (rc == 0 && settings.mode != MODE_HELP && settings.mode != MODE_VERSION &&
	    settings.mode != MODE_CLEANUP)
		rc = settings_read_config(&settings, &faults);
	faults_print(&faults, stderr);
	log_set_level(settings.log_level);
	log_set_timestamps(settings.mode == MODE_DAEMON);
	if (rc == 0 && settings.manifests.n == 0)
		rc = settings_default_node(&settings);
	if (rc == 0)
		status = run(&settings);
	else if (rc == -ENOMEM)
		status = 1;
	faults_done(&faults);
	settings_done(&settings);
	return status;
}
