/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The results that were handed to the plugin and are not yet in libcni's cache, which is written
 * when the whole chain has succeeded. Files of the same form, in a directory of the plugin's: the
 * daemon reads both, and finds them again after a restart. */
#ifndef PLUGIN_RESULTS_H
#define PLUGIN_RESULTS_H

#include "request.h"

/* Each: 0; -EINVAL with *error; -ENOMEM. */

/* Writes the pod's result, in place of an earlier one. */
int plugin_results_put(const struct plugin_request *request, struct plugin_error *error);

/* Removes it; fine when it is not there. */
int plugin_results_remove(const struct plugin_request *request, struct plugin_error *error);

/* Removes those of this network that "cni.dev/valid-attachments" does not name. */
int plugin_results_collect(const struct plugin_request *request, struct plugin_error *error);

#endif
