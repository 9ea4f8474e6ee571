/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pods that policies select, at interfaces that policy does not reach. */
#include <stdio.h>
#include <string.h>

#include "base/task.h"
#include "local.h"

/* The part of these findings. */
#define PART        "interfaces"

#define SUBJECT_MAX (OBJECT_NAME_MAX + IFNAMSIZ + 16)

/* Does a policy select the pod, and is the result of this pod, not of one that had its name? */
static bool is_selected(const struct daemon *d, const struct cni_result *result)
{
	const struct local_pod *local = local_find(d, result->ns, result->name);
	const struct graph_pod *pod = graph_find_pod(d->graph, result->ns, result->name);

	if (!local || !pod || local->pod->terminating || pod_finished(local->pod))
		return false;
	if (local->pod->uid && result->uid[0] && strcmp(local->pod->uid, result->uid) != 0)
		return false;
	return pod->profiles[DIR_INGRESS] || pod->profiles[DIR_EGRESS];
}

static int set_further(struct findings *findings, const struct attach_unseen *one,
		       const char *subject, const char *type)
{
	return findings_setf(
		findings,
		&(struct finding){
			.part = PART,
			.id = "pod-further-interface",
			.open = true,
			.subject = subject,
			.todo = "Do not attach pods that policies select to further networks, or "
				"restrict the network by other means; NetworkPolicy is about the "
				"pod "
				"network.",
		},
		"Pod %s/%s has a further interface, %s in network \"%s\"%s: what it sends and "
		"receives there is not subject to policy.",
		one->result->ns, one->result->name, one->ifname, one->result->network, type);
}

static int set_unseen(struct findings *findings, const struct attach_unseen *one,
		      const char *subject, const char *type)
{
	const char *master = one->master;

	return findings_setf(
		findings,
		&(struct finding){
			.part = PART,
			.id = "pod-interface-unseen",
			.open = true,
			.subject = subject,
			.todo = "Attach the pod by a plugin that routes or bridges through this "
				"host, "
				"such as ptp or bridge, or restrict the network by other means.",
		},
		"Pod %s/%s has its interface %s in network \"%s\"%s: %s%s%s, so its policies are "
		"not enforced.",
		one->result->ns, one->result->name, one->ifname, one->result->network, type,
		master[0] ? "its packets are forwarded by " : "this host does not see its packets",
		master, master[0] ? ", not by this host" : "");
}

static int set(struct daemon *d, const struct attach_unseen *one)
{
	char subject[SUBJECT_MAX], type[CNI_TYPE_MAX + 16] = "";

	(void)snprintf(subject, sizeof(subject), "pod %s/%s %s", one->result->ns, one->result->name,
		       one->ifname);
	if (one->type[0])
		(void)snprintf(type, sizeof(type), ", of type %s", one->type);
	return one->further ? set_further(&d->findings, one, subject, type)
			    : set_unseen(&d->findings, one, subject, type);
}

void interfaces_check(struct daemon *d)
{
	size_t n = 0;
	const struct attach_unseen *all = d->attach ? attach_unseen(d->attach, &n) : NULL;
	int rc = 0;

	if (n == 0 && d->unseen == 0)
		return;
	d->unseen = n;
	findings_mark(&d->findings, PART);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (is_selected(d, all[i].result))
			rc = set(d, &all[i]);
		task_step();
	}
	if (rc == 0) /* without memory those of before stay */
		findings_sweep(&d->findings, PART);
}
