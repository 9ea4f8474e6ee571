/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netpolctl graph: the pods as policy sees them, of what was read or of the daemon. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "answer/pods.h"
#include "base/escape.h"
#include "control.h"
#include "ctl/ctl.h"

/* A part at a time; a pod that comes or goes meanwhile is in it or not. */
static int print_parts(struct control *control, const char *format)
{
	char path[1024] = "", after[CONTROL_NEXT_MAX] = "";
	int rc = 0;

	do {
		const struct control_answer *answer = NULL;

		(void)snprintf(path, sizeof(path), "/graph?format=%s&after=%s", format, after);
		rc = control_ask(control, path, NULL, 0, &answer);
		if (rc < 0)
			return rc;
		(void)fwrite(answer->bytes, 1, answer->len, stdout);
		(void)snprintf(after, sizeof(after), "%s", answer->next);
	} while (after[0]);
	return 0;
}

static int ask_daemon(const struct ctl *ctl)
{
	struct control *control = control_new(ctl->control, CTL_OR_MANIFESTS);
	int rc = control ? print_parts(control, ctl->output == OUTPUT_JSON ? "json" : "text")
			 : -ENOMEM;

	if (control)
		control_warn(control);
	control_free(control);
	return rc;
}

int ctl_graph(struct ctl *ctl, int argc, char *argv[])
{
	char *last = NULL;
	int rc;

	(void)argv;
	if (argc > 0) {
		print_line(stderr, "netpolctl: expected graph without operands");
		return CTL_UNUSABLE;
	}
	if (ctl->cluster.graph)
		rc = pods_print(ctl->cluster.graph, "", SIZE_MAX, ctl->output == OUTPUT_JSON,
				stdout, &last);
	else
		rc = ask_daemon(ctl);
	free(last);
	return rc < 0 ? ctl_status_of(rc, CTL_FAILED) : CTL_OK;
}
