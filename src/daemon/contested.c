/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects that claim an address and do not have it. They change nothing; somebody may have forged
 * them, or two who give addresses do not know of each other. */
#include <stdio.h>
#include <string.h>

#include "base/task.h"
#include "local.h"

/* The part of these findings. */
#define PART      "addresses"

#define CONTESTED "address-contested"
#define TODO                                                                                      \
	"Find out who has written the status of that object: an address in it that its node has " \
	"not "                                                                                    \
	"given out is forged, or a remnant."

#define SUBJECT_MAX (OBJECT_NAME_MAX + ADDR_TEXT_MAX + 16)

struct contested {
	struct daemon *d;
	int rc;
};

static int set(struct daemon *d, const char *id, const char *object, const struct addr *addr,
	       const char *why)
{
	char subject[SUBJECT_MAX], text[ADDR_TEXT_MAX];

	(void)addr_format(addr, text);
	(void)snprintf(subject, sizeof(subject), "%s %s", object, text);
	return findings_setf(&d->findings,
			     &(struct finding){.part = PART,
					       .id = id,
					       .level = FINDING_WARNING,
					       .subject = subject,
					       .todo = TODO},
			     "%s is said to have %s, %s.", object, text, why);
}

static void describe_owner(const struct claim *claim, char *to, size_t len)
{
	const struct observed_addr *seen = claim->observed;

	if (seen && seen->name)
		(void)snprintf(to, len,
			       "which this node has seen at pod %s/%s; the claim is ignored",
			       seen->ns, seen->name);
	else if (claim->owner)
		(void)snprintf(to, len, "which pod %s/%s has%s; the claim is ignored",
			       claim->owner->object->ns, claim->owner->object->name,
			       seen ? " on this node" : "");
	else
		(void)snprintf(to, len,
			       "which this node has seen at one of its own pods; the claim is "
			       "ignored");
}

/* A dying pod's address may be another's already. */
static void check_claim(void *ctx, const struct addr *addr, const struct claim *claim,
			const struct graph_pod *pod)
{
	char object[OBJECT_NAME_MAX + 8], why[OBJECT_NAME_MAX + 80];
	struct contested *c = ctx;

	task_step();
	if (pod->object->terminating || (claim->owner && claim->owner->object->terminating) ||
	    c->rc < 0)
		return;
	(void)snprintf(object, sizeof(object), "Pod %s/%s", pod->object->ns, pod->object->name);
	describe_owner(claim, why, sizeof(why));
	c->rc = set(c->d, CONTESTED, object, addr, why);
}

/* A node, or a pod on its network, with an address that a pod of this node has. */
static int check_nodes(struct daemon *d, const struct observed_addr *seen)
{
	char object[OBJECT_NAME_MAX + 8],
		why[OBJECT_NAME_MAX + 80] = "which a pod of this node has";
	const char *const *nodes;
	size_t n = graph_addr_nodes(d->graph, &seen->addr, &nodes);
	int rc = 0;

	if (seen->name)
		(void)snprintf(why, sizeof(why), "which this node has seen at pod %s/%s", seen->ns,
			       seen->name);
	for (size_t i = 0; i < n && rc == 0; i++) {
		(void)snprintf(object, sizeof(object), "Node %s", nodes[i]);
		rc = set(d, CONTESTED, object, &seen->addr, why);
	}
	return rc;
}

/* A pod of this node with an address that is nowhere on this node. */
static int check_unseen(struct daemon *d, const struct local_pod *local)
{
	char object[OBJECT_NAME_MAX + 8];
	int rc = 0;

	if (local->pod->terminating || !graph_pod_is_peer(local->pod))
		return 0;
	(void)snprintf(object, sizeof(object), "Pod %s", local->key);
	for (size_t i = 0; i < local->pod->n_addrs && rc == 0; i++) {
		if (local->unseen & (1u << local->pod->addrs[i].family))
			rc = set(
				d, "address-unseen", object, &local->pod->addrs[i],
				"which no CNI result has, and to which this host would not send as "
				"to a pod; it is not enforced there");
	}
	return rc;
}

void contested_check(struct daemon *d)
{
	struct contested c = {.d = d};

	findings_mark(&d->findings, PART);
	graph_each_contested(d->graph, check_claim, &c);
	for (const struct observed_addr *seen = graph_next_observed(d->graph, NULL);
	     seen && c.rc == 0; seen = graph_next_observed(d->graph, seen)) {
		c.rc = check_nodes(d, seen);
		task_step();
	}
	for (const struct local_pod *local = d->local; local && c.rc == 0; local = local->hh.next) {
		c.rc = local->unseen ? check_unseen(d, local) : 0;
		task_step();
	}
	if (c.rc == 0) /* without memory those of before stay */
		findings_sweep(&d->findings, PART);
}
