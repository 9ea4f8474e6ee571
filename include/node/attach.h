/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which interface and which addresses of this host are which pod's: what CNI results say, held
 * against the links, routes, neighbours and bridge ports that there are. The state follows from
 * these alone, never from their past. */
#ifndef NODE_ATTACH_H
#define NODE_ATTACH_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "node/cni.h"
#include "node/links.h"

enum attach_kind {
	ATTACH_NONE,    /* its addresses are known, but no interface of this host */
	ATTACH_ROUTED,  /* a packet of the pod comes in by this interface */
	ATTACH_BRIDGED, /* the interface is a port of `master`, a bridge */
	ATTACH_FOREIGN, /* `master` is neither: a virtual switch, a VRF */
};

struct attachment {
	const char *ns, *name, *uid; /* "" each: known by its address only; uid "": not known */
	enum attach_kind kind;
	unsigned index; /* of the interface; 0: none */
	char ifname[IFNAMSIZ], master[IFNAMSIZ];
	bool has_mac;
	uint8_t mac[MAC_BYTES]; /* the pod's, behind ifname */
	struct addr addrs[CNI_ADDRS_MAX];
	size_t n_addrs;
	bool routed_to;            /* known by a route, which no pod can make; without a result */
	struct cni_result *result; /* NULL: known by its address only */
};

/* Hears of changes, from within attach_read(): what a look-up answers now is not what it answered
 * before. A look-up in it is fine, attach_read() is not. */
struct attach_listener {
	void *ctx;
	void (*pod)(void *ctx, const char *ns, const char *name);
	void (*addr)(void *ctx, const struct addr *addr);
};

/* An interface of a pod whose packets pass by this host's netfilter. */
struct attach_unseen {
	struct cni_result *result; /* whose pod, and which network */
	/* Not that of the pod network: a further one of the pod, which Multus or the plugin has
	 * made. */
	bool further;
	char ifname[IFNAMSIZ];   /* in the pod */
	char type[CNI_TYPE_MAX]; /* the plugin's, see cni_result; "": not known */
	char master[IFNAMSIZ]; /* the switch that its interface of this host is a port of, or "" */
};

struct attach;

#define ATTACH_FDS 5

/* Reads what is there; the listener, which is copied, hears of what comes after. `cni_dir` is
 * libcni's cache, mostly CNI_DIR_DEFAULT, which has what whole chains of plugins have set up;
 * Multus has its own, multus/results beside it, which says which further networks a pod has.
 * `plugin_dir` is what netpold-cni was handed before its chain was through, mostly
 * CNI_PLUGIN_DIR_DEFAULT. 0, -ENOMEM, or another error with err. Close with attach_close(). */
int attach_open(const char *cni_dir, const char *plugin_dir, const struct attach_listener *listener,
		struct attach **ret_attach, struct err *err);
void attach_close(struct attach *attach);

/* Whichever is readable, attach_read() has something to do. */
void attach_fds(const struct attach *attach, int fds[ATTACH_FDS]);

/* Takes in what has happened, without waiting, and tells the listener. 0, or a negative errno:
 * something could not be read and is tried again; what was known stays. */
int attach_read(struct attach *attach);

/* Milliseconds until attach_read() is due even when nothing is readable; -1: it is not. */
int attach_wait_ms(const struct attach *attach);

/* The pod's attachment, valid until the next attach_read(); NULL: none is known. `uid` as the
 * kubelet has it: of a static pod not its mirror's UID, but the value of the annotation
 * kubernetes.io/config.hash. A result of another UID is not this pod's. uid "": any, the newest. */
const struct attachment *attach_by_pod(const struct attach *attach, const char *ns,
				       const char *name, const char *uid);

/* Whoever has the address, as above. */
const struct attachment *attach_by_addr(const struct attach *attach, const struct addr *addr);

/* Would the host send what is for the address to a device that only pods are behind: by a route to
 * one of them or to a bridge, or because it is in the subnet of a bridge? No pod can make that up.
 */
bool attach_leads_to_pods(const struct attach *attach, const struct addr *addr);

/* Are there results at all, of pods that are attached? */
bool attach_has_results(const struct attach *attach);

/* Changes with whatever a look-up may answer. */
uint64_t attach_generation(const struct attach *attach);

/* All of them: named ones in the order of their names, then those by address. */
const struct attachment *attach_all(const struct attach *attach, size_t *ret_n);

/* Interfaces that policy does not reach, in the order of pods and names. A result is written once
 * the interface is there, so this is no matter of time; but while a pod ends its interface may go
 * before its result. */
const struct attach_unseen *attach_unseen(const struct attach *attach, size_t *ret_n);

/* The name of a tunnel of an overlay between nodes, and its address; NULL: there is none. Valid
 * until the next attach_read(). */
const char *attach_tunnel(const struct attach *attach, struct addr *ret_addr);

/* Names of the interfaces that default routes lead to, valid until the next attach_read(); how
 * many. */
size_t attach_uplinks(const struct attach *attach, const char **names, size_t max);

/* The host's links, addresses and routes, until the next attach_read(). */
const struct links *attach_links(const struct attach *attach);

/* How often all was read anew. */
uint64_t attach_resyncs(const struct attach *attach);

#endif
