/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a CNI plugin has answered about one pod: a file of libcni's cache, as container runtimes
 * keep it for each pod until its network is taken down. It is written before the pod's first
 * container starts. */
#ifndef NODE_CNI_H
#define NODE_CNI_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/addr.h"
#include "base/err.h"

#define MAC_BYTES 6

/* A larger file is none of libcni's. */
#define CNI_FILE_MAX (1 << 20)
/* More than these of one result are left out. */
#define CNI_LINKS_MAX 8
#define CNI_ADDRS_MAX 16
/* Of the name of a plugin, which is a program's: longer ones are cut. */
#define CNI_TYPE_MAX 32

/* Shared and never changed: see cni_result_ref(). */
struct cni_result {
	unsigned refs;
	struct timespec written; /* the file's: of two that claim the same, the newer is right */
	char *file;              /* its name in the directory */
	char *ns, *name, *uid;   /* the pod; uid "": the runtime did not say */
	char *container, *network, *ifname; /* ifname: inside the pod, mostly eth0 */
	/* Interfaces on the host that the plugin names: the pod's, and a bridge as well where there
	 * is one. */
	char links[CNI_LINKS_MAX][IFNAMSIZ];
	size_t n_links;
	/* Further interfaces that the plugin has made in the pod, beside ifname. */
	char others[CNI_LINKS_MAX][IFNAMSIZ];
	size_t n_others;
	bool in_sandbox; /* the plugin names ifname, as the pod's */
	/* The first plugin of the network's configuration: "bridge", "macvlan"; of one that only
	 * calls others, what it calls; "": not known. */
	char type[CNI_TYPE_MAX];
	struct addr addrs[CNI_ADDRS_MAX]; /* of ifname */
	size_t n_addrs;
	bool has_mac;
	uint8_t mac[MAC_BYTES]; /* of ifname */
};

/* Reads one file's text. 0 with *ret_result, which the caller gives back with cni_result_put().
 * -ENOENT: sound, but no pod's network (a loopback, a container without a pod). -EINVAL with err:
 * not a cached result. -ENOMEM. */
int cni_parse(const char *file, const char *text, size_t len, const struct timespec *written,
	      struct cni_result **ret_result, struct err *err);

/* One more reference; and one less, NULL is fine. */
struct cni_result *cni_result_ref(struct cni_result *result);
void cni_result_put(struct cni_result *result);

bool cni_result_equal(const struct cni_result *a, const struct cni_result *b);

/* Was `a` written after `b`? Never true both ways: names decide between equal times. */
bool cni_result_newer(const struct cni_result *a, const struct cni_result *b);

#endif
