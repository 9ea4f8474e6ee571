/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to the daemon of this node, on its control socket. */
#ifndef PLUGIN_DAEMON_CLIENT_H
#define PLUGIN_DAEMON_CLIENT_H

#include "request.h"

/* Each: 0 for yes; -EAGAIN with *error (code `code`): no, or nobody answers; -ENOMEM. */

/* Is the pod of this request enforced? */
int plugin_ask_enforced(const struct plugin_request *request, enum plugin_code code,
			struct plugin_error *error);

/* The same, asked until it is, or the time is over. */
int plugin_wait_enforced(const struct plugin_request *request, struct plugin_error *error);

/* Can the daemon enforce new pods? Not the same as /readyz: a finding about the host must not take
 * the whole node from the cluster. */
int plugin_ask_ready(const struct plugin_request *request, struct plugin_error *error);

#endif
