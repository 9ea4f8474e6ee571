/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>

#include "plugin/plugin.h"

int main(void)
{
	return plugin_main(stdin, stdout, PACKAGE_VERSION);
}
