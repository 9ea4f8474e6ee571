/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SOURCE_EXEC_CREDENTIAL_H
#define SOURCE_EXEC_CREDENTIAL_H

#include "source/exec_plugin.h"

/* What KUBERNETES_EXEC_INFO tells the plugin, as JSON. Free it. NULL: no memory. */
char *exec_credential_ask(const struct api_config *config, const struct secret *ca);

#endif
