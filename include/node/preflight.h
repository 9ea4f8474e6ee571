/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What about this host keeps policy from being enforced, or allowed traffic from passing: found by
 * looking, nothing is tried or changed. Cheap enough to be asked again at any time. */
#ifndef NODE_PREFLIGHT_H
#define NODE_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/vec.h"

#define PREFLIGHT_TEXT_MAX 512
/* More findings of one host are left out. */
#define PREFLIGHT_MAX 64
/* Of other people's chains that a base chain leads to, more are not looked at. */
#define PREFLIGHT_CHAINS_MAX 256
/* Of all their sets and verdict maps, more elements are not looked at: 1 us each. */
#define PREFLIGHT_ELEMS_MAX   16384
#define PREFLIGHT_SUBJECT_MAX 320

enum preflight_level {
	PREFLIGHT_OPEN,    /* an error: packets pass that policy denies */
	PREFLIGHT_ERROR,   /* policy is not enforced for some traffic */
	PREFLIGHT_WARNING, /* traffic that policy allows may not pass, or the like */
};

struct preflight_finding {
	const char *id; /* a stable word, such as br-netfilter-off */
	enum preflight_level level;
	char subject[PREFLIGHT_SUBJECT_MAX]; /* what it is about; no other of this id has it */
	char what[PREFLIGHT_TEXT_MAX];       /* what is wrong, a sentence */
	char todo[PREFLIGHT_TEXT_MAX];       /* what to do about it, a sentence */
};

struct preflight {
	VEC(struct preflight_finding) findings;
};

struct preflight_host {
	const char *proc, *sys;     /* mostly "/proc" and "/sys" */
	const char *const *bridges; /* names of those that have pods */
	size_t n_bridges;
	/* What pods' packets come in and go out by: their interfaces, bridges, the host's way out.
	 */
	const char *const *interfaces;
	size_t n_interfaces;
	const struct addr *addrs; /* of pods here */
	size_t n_addrs;
	bool v4, v6;              /* families that pods have addresses of */
	const char *table;        /* the name of our own tables, of every family */
	const char *cni_results;  /* the directory of libcni's cache */
	size_t pods, with_result; /* that run here by an API server; those that results are of */
};

/* 0 with findings, errors first, or -ENOMEM. */
int preflight_run(const struct preflight_host *host, struct preflight *ret_preflight);
void preflight_done(struct preflight *preflight);

/* error or warning */
const char *preflight_level_name(enum preflight_level level);

#endif
