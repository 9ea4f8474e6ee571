/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NODE_CNI_CONFIG_H
#define NODE_CNI_CONFIG_H

#include "node/cni.h"

/* The type of the plugin that has made the interface, from the network's configuration as libcni
 * caches it, in base64. "" where it does not say. 0 or -ENOMEM. */
int cni_config_type(const char *base64, char type[static CNI_TYPE_MAX]);

#endif
