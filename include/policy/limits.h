/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much the policies of a namespace may cause on a node. Tenants write policies, and each node
 * builds a profile of those that select one of its pods; beyond a bound the profile is closed: it
 * allows nothing, and is named. All of it is a function of the objects, so that it does not depend
 * on the order of events what is closed. */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include <stddef.h>

/* Of the policies of one profile, as written: that is known before anything is built. */
#define PROFILE_POLICIES_MAX  1000
#define PROFILE_RULES_MAX     10000
#define PROFILE_SELECTORS_MAX 16384
#define PROFILE_BLOCKS_MAX    65536 /* CIDRs, with the excepted ones */
#define PROFILE_PORTS_MAX     32768

/* Of what they come to. */
#define PROFILE_PAIRS_MAX       250000 /* rule and port range */
#define PROFILE_CLASSES_MAX     16384  /* groups of ports that the same rules name */
#define PROFILE_RANGES_MAX      32768  /* port ranges, each of one class */
#define PROFILE_CHAIN_RULES_MAX 32768  /* rules of the classes' chains */

/* What the profiles of one namespace may take on a node, in this process and in the kernel
 * together, the members of their sets included. Profiles beyond are closed, those that take most
 * first. */
#define NAMESPACE_MB_MAX 256
#ifndef NAMESPACE_BYTES_MAX /* tests have less */
#define NAMESPACE_BYTES_MAX ((size_t)NAMESPACE_MB_MAX << 20)
#endif

enum profile_limit {
	PROFILE_LIMIT_NONE,
	PROFILE_LIMIT_POLICIES,
	PROFILE_LIMIT_RULES,
	PROFILE_LIMIT_SELECTORS,
	PROFILE_LIMIT_BLOCKS,
	PROFILE_LIMIT_PORTS,
	PROFILE_LIMIT_PAIRS,
	PROFILE_LIMIT_CLASSES,
	PROFILE_LIMIT_RANGES,
	PROFILE_LIMIT_CHAIN_RULES,
	PROFILE_LIMIT_NAMESPACE,
};

/* "more than 250000 pairs of rule and port range" */
const char *profile_limit_text(enum profile_limit limit);

#endif
