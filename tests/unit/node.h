/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of room node share: files of libcni's cache, and what was read of them in a line.
 */
#ifndef TESTS_NODE_H
#define TESTS_NODE_H

#include <stddef.h>

#include "node/cni.h"

#define CNI_LINE_MAX 1024

/* A cached result as libcni writes it, in a buffer that the caller frees; `uid` NULL: none. */
char *node_cni_text(const char *ns, const char *name, const char *uid, const char *container,
		    const char *ifname, const char *result);

/* "ns/name uid container ifname network, links a b, addrs x y, mac z" */
const char *node_cni_line(const struct cni_result *result, char line[CNI_LINE_MAX]);

/* Parses; the test fails when it is no result. `written_s` seconds. */
struct cni_result *node_cni_result(const char *file, const char *text, long written_s);

#endif
