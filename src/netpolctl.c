/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/standard_fds.h"
#include "ctl/ctl.h"

int main(int argc, char *argv[])
{
	if (standard_fds_open() < 0)
		return 1; /* and nowhere to say so */
	return ctl_main(argc, argv, PACKAGE_VERSION);
}
