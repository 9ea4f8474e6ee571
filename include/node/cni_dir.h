/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libcni's cache on this host, followed with inotify: all results that are in it now. The
 * directory, or any of those above it, may be missing, go away and come back. */
#ifndef NODE_CNI_DIR_H
#define NODE_CNI_DIR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "node/cni.h"

/* Where libcni keeps it unless it is told otherwise. */
#define CNI_DIR_DEFAULT "/var/lib/cni/results"

/* Where netpold-cni keeps what it was handed, in the same form; gone with the next boot. */
#define CNI_PLUGIN_DIR_DEFAULT "/run/netpold-cni"

/* More files than this are not read; a directory that nobody cleans has thousands. */
#define CNI_RESULTS_MAX 16384

struct cni_dir;

/* Follows `path` and reads what is there. `optional`: it is no news when the directory is not
 * there. Free with cni_dir_close(). -ENOMEM; other errors with err, when inotify is not to be had.
 * What cannot be read is no error: it is logged, once, and left out. */
int cni_dir_open(const char *path, bool optional, struct cni_dir **ret_dir, struct err *err);
void cni_dir_close(struct cni_dir *dir);

/* Readable when cni_dir_read() has something to do. */
int cni_dir_fd(const struct cni_dir *dir);

/* Takes in what has happened, without waiting; sets *ret_changed when results are others than
 * before and leaves it alone otherwise. 0, or -ENOMEM: call it again later, nothing is lost. */
int cni_dir_read(struct cni_dir *dir, bool *ret_changed);

/* The results, one after the other, in no order: NULL gives the first, and comes after the last. */
struct cni_result *cni_dir_next(const struct cni_dir *dir, const struct cni_result *previous);

#endif
