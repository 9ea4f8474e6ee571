/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of API groups that Kubernetes itself has (1.36, staging/src/k8s.io/api): what is said
 * to be of one of these groups and is none of its kinds is misspelt, and no API server would take
 * it. */
#include <string.h>

#include "fields.h"

#define KINDS_MAX 24

static const struct {
	const char *group;
	bool strict; /* it has policies: what is not known could be meant for one */
	const char *kinds[KINDS_MAX];
} groups[] = {
	{"networking.k8s.io",
	 true,
	 {"NetworkPolicy", "Ingress", "IngressClass", "IPAddress", "ServiceCIDR", "ClusterCIDR"}},
	{"extensions",
	 true,
	 {"NetworkPolicy", "Ingress", "Deployment", "DaemonSet", "ReplicaSet", "PodSecurityPolicy",
	  "Scale"}},
	{"",
	 false,
	 {"Binding",
	  "ComponentStatus",
	  "ConfigMap",
	  "Endpoints",
	  "Event",
	  "LimitRange",
	  "Namespace",
	  "Node",
	  "PersistentVolume",
	  "PersistentVolumeClaim",
	  "Pod",
	  "PodTemplate",
	  "ReplicationController",
	  "ResourceQuota",
	  "Secret",
	  "Service",
	  "ServiceAccount",
	  "Status",
	  "Eviction",
	  "PodStatusResult",
	  "RangeAllocation"}},
	{"apps",
	 false,
	 {"ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}},
	{"batch", false, {"CronJob", "Job", "JobTemplate"}},
};

/* PodList is known where Pod is; List is of the core. */
static bool is_kind(const char *kind, const char *known)
{
	size_t len = strlen(known);

	return strncmp(kind, known, len) == 0 &&
	       (kind[len] == '\0' || strcmp(kind + len, "List") == 0);
}

enum kind_known kind_known(const char *group, const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		if (strcmp(groups[i].group, group) != 0)
			continue;
		for (size_t j = 0; j < KINDS_MAX && groups[i].kinds[j]; j++) {
			if (is_kind(kind, groups[i].kinds[j]))
				return KIND_KNOWN;
		}
		if (group[0] == '\0' && strcmp(kind, "List") == 0)
			return KIND_KNOWN;
		return groups[i].strict ? KIND_WRONG : KIND_DOUBTFUL;
	}
	return KIND_KNOWN; /* of somebody else's group: anything may be */
}
