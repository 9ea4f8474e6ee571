/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manifests: files, directories and standard input, as events. Files are trusted: what they say of
 * a pod's interface counts. */
#ifndef SOURCE_FILES_H
#define SOURCE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/vec.h"
#include "source/event.h"

/* A YAML file is read whole, JSON is not. */
#define YAML_FILE_MAX   (64u << 20) /* bytes */
#define FILES_DEPTH_MAX 32          /* directories below a PATH */

/* A policy of a kind that we do not enforce: named, never passed over in silence. */
struct unenforced {
	char *kind, *name;
	const char *file; /* interned */
	unsigned line;
};

/* Documents from which manifests are made, and which are none: left out. */
enum unrendered_kind {
	UNRENDERED_TEMPLATE,      /* of Helm: actions in double braces */
	UNRENDERED_KUSTOMIZATION, /* kustomization.yaml, or of kustomize's API group */
	UNRENDERED_VALUES,        /* values.yaml, Chart.yaml */
	UNRENDERED_COUNT
};

struct unrendered {
	size_t n;
	const char *file; /* the first's; interned */
	unsigned line;
};

struct files_report {
	bool strict;  /* set by the caller: each of the unrendered is an error */
	bool rereads; /* set by the caller: it reads again, beside other work, and must not wait */
	size_t files;
	size_t objects[KIND_COUNT];
	size_t unused;                     /* objects of kinds that have no bearing on policy */
	VEC(struct unenforced) unenforced; /* by file and line */
	struct unrendered unrendered[UNRENDERED_COUNT];
	VEC(const char *) unrendered_files; /* that have such; interned */
};

/* All of the unrendered. */
size_t files_unrendered(const struct files_report *report);

/* Reads every PATH (a file, a directory with its *.yaml, *.yml and *.json, or "-" for standard
 * input) and emits an event for each object, then EVENT_SYNCED. The order of `paths` does not
 * matter. Input that is no use is told in `faults` and left out; only a lack of memory or what `fn`
 * returned ends the run: 0 or that. `report` is zero but for what the caller sets, and the caller's
 * to give to files_report_done(). */
int files_load(const char *const paths[], size_t n_paths, struct intern *strings, event_fn fn,
	       void *ctx, struct faults *faults, struct files_report *report);

void files_report_done(struct intern *strings, struct files_report *report);

#endif
