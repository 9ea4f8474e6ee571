/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents from which manifests are made, and that are none themselves: what to do with them. */
#ifndef SOURCE_UNRENDERED_H
#define SOURCE_UNRENDERED_H

#include <jansson.h>

#include "base/fault.h"
#include "source/files.h"

/* What a document that stands alone in a file is, by its members and the file's name;
 * UNRENDERED_COUNT: none of these. Nothing that could be an object is: it has no kind, metadata or
 * spec, or is of kustomize's own API group. */
enum unrendered_kind unrendered_by_content(const char *file, const json_t *root);

/* Is the failure that of a template? `text` is the whole file. */
struct yaml_failure;
bool unrendered_by_failure(const char *text, size_t len, const struct yaml_failure *failure);

/* Counts a document, and names it where it is an error. `file` is interned. 0 or -ENOMEM. */
int unrendered_note(struct files_report *report, enum unrendered_kind kind, const char *file,
		    unsigned line, struct faults *faults);

/* One warning for each kind of them, with what to do. */
void unrendered_hint(const struct files_report *report, struct faults *faults);

#endif
