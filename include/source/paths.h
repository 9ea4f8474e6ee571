/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the PATHs that a user gave to the files that they mean. */
#ifndef SOURCE_PATHS_H
#define SOURCE_PATHS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"
#include "base/vec.h"

struct manifest_path {
	char *path; /* "-": standard input */
	dev_t dev;
	ino_t ino;
};

struct manifest_paths {
	VEC(struct manifest_path) all;
	VEC(char *) dirs;  /* that have been walked */
	int64_t newest_ms; /* when the file that changed last did, since the epoch */
};

/* Sorted by path, each file once however often it was named. Directories are walked (links to files
 * are followed, links to directories are not, names with a leading dot are passed over: a mounted
 * ConfigMap keeps its revisions there). What cannot be read is told in `faults`.
 * 0 or -ENOMEM; free with manifest_paths_done() either way. */
int manifest_paths_expand(const char *const paths[], size_t n_paths, struct faults *faults,
			  struct manifest_paths *ret);

void manifest_paths_done(struct manifest_paths *paths);

#endif
