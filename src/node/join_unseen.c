/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces of pods whose packets never pass this host's forward hook: macvlan, ipvlan and SR-IOV
 * hand them to the wire or to each other below it, a device that was moved into the pod takes them
 * away, Open vSwitch forwards them itself; and a further network of a pod is not what its policies
 * are about, whoever carries it. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/task.h"
#include "base/vec.h"
#include "join.h"

/* Plugins that leave no interface on the host. One that names its interface in the pod and none on
 * the host is known by that; this is for results of before version 0.3.0, which name none. */
static const char *const hidden_types[] = {"macvlan",     "ipvlan", "sriov", "ib-sriov",
					   "host-device", "vlan",   "ipoib", "bond"};

static bool is_hidden_type(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(hidden_types); i++) {
		if (strcmp(hidden_types[i], type) == 0)
			return true;
	}
	return false;
}

static int add(struct join *join, struct cni_result *result, const char *ifname, bool further,
	       const char *master)
{
	struct attach_unseen one = {.result = result, .further = further};

	(void)snprintf(one.ifname, sizeof(one.ifname), "%s", ifname);
	(void)snprintf(one.type, sizeof(one.type), "%s", result->type);
	(void)snprintf(one.master, sizeof(one.master), "%s", master);
	if (vec_push(&join->unseen, one) < 0)
		return -ENOMEM;
	(void)cni_result_ref(result);
	return 0;
}

/* The pod network. Where it has neither addresses nor an interface there is no attachment. */
static int add_own(struct join *join, struct cni_result *result, const struct links *links)
{
	const struct attachment *a = join_by_pod(join, result->ns, result->name, result->uid);
	const struct link *master;

	if (a && a->result != result)
		a = NULL;
	master = a && *a->master ? links_by_name(links, a->master) : NULL;
	if (a && a->kind == ATTACH_FOREIGN && (!master || master->kind != LINK_KIND_VRF))
		return add(join, result, result->ifname, false, a->master);
	if ((!a || a->kind == ATTACH_NONE) && result->n_links == 0 &&
	    (result->in_sandbox || is_hidden_type(result->type)))
		return add(join, result, result->ifname, false, "");
	return 0;
}

static int by_pointer(const void *x, const void *y)
{
	const struct cni_result *a = *(struct cni_result *const *)x;
	const struct cni_result *b = *(struct cni_result *const *)y;

	task_step();
	return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

/* Further networks of containers whose results count: of those that are gone there are some, too.
 */
static int add_uncovered(struct join *join, struct cni_result *const *results, size_t n)
{
	AUTO_FREE struct cni_result **sorted = malloc((n + 1) * sizeof(*sorted));
	int rc = sorted ? 0 : -ENOMEM;

	if (rc == 0 && n > 0) {
		memcpy(sorted, results, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), by_pointer);
	}
	for (size_t i = 0; i < join->notes.n && n > 0 && rc == 0; i++) {
		const struct join_note *note = &join->notes.v[i];

		if (note->kind == JOIN_NOTE_UNCOVERED &&
		    bsearch(&note->other, sorted, n, sizeof(*sorted), by_pointer))
			rc = add(join, note->result, note->what, true, "");
		task_step();
	}
	return rc;
}

static int by_pod_and_name(const void *x, const void *y)
{
	const struct attach_unseen *a = x, *b = y;
	int order = strcmp(a->result->ns, b->result->ns);

	task_step();
	if (order == 0)
		order = strcmp(a->result->name, b->result->name);
	if (order == 0)
		order = strcmp(a->result->uid, b->result->uid);
	return order != 0 ? order : strcmp(a->ifname, b->ifname);
}

int join_unseen(struct join *join, struct cni_result *const *results, size_t n,
		const struct links *links)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = add_own(join, results[i], links);
		task_step();
	}
	if (rc == 0)
		rc = add_uncovered(join, results, n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		task_step();
		for (size_t k = 0; k < results[i]->n_others && rc == 0; k++)
			rc = add(join, results[i], results[i]->others[k], true, "");
	}
	if (rc == 0 && join->unseen.n > 0)
		qsort(join->unseen.v, join->unseen.n, sizeof(join->unseen.v[0]), by_pod_and_name);
	return rc;
}
