/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_ATTACH_TEXT_H
#define TESTS_ATTACH_TEXT_H

#include "node/attach.h"

#define ATTACH_TEXT_MAX 1024

/* "shop/web u1 routed veth1 10.0.0.5", "- bridged veth1@cni0 02:00:00:00:00:01 10.0.0.5 fd00::5" */
const char *attach_text(const struct attachment *a, char text[static ATTACH_TEXT_MAX]);

#endif
