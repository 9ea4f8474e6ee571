/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with the input: collected over a whole run, so that all of it is told together. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Beyond this many a run only counts. */
#define FAULTS_MAX 10000

enum fault_level {
	FAULT_ERROR,   /* the object is refused */
	FAULT_WARNING, /* the object is read; the operator should know */
};

struct fault {
	enum fault_level level;
	char *file;    /* NULL: none */
	unsigned line; /* 1-based, 0: unknown */
	char *object;  /* "NetworkPolicy shop/web", NULL: none */
	char *field;   /* "spec.ingress[0].ports[1].port", NULL: none */
	char *value;   /* as JSON or as it was written, NULL: none */
	char *text;    /* what was expected */
};

struct faults {
	struct fault *v;
	size_t n, cap;
	size_t errors, warnings; /* all, also those not kept */
	bool colour;             /* for faults_print() */
};

/* Where a fault is; any part may be NULL or 0. */
struct fault_place {
	const char *file;
	unsigned line;
	const char *object, *field, *value;
};

/* Copies everything. Out of memory only loses the text: the count stays right. */
void faults_add(struct faults *faults, enum fault_level level, const struct fault_place *place,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* One line each whatever it names (base/escape.h), in the order of file, line and field:
 * FILE:LINE: error: OBJECT: FIELD: VALUE: expected ... */
void faults_print(struct faults *faults, FILE *out);

/* All that is in `from` is in `to` then; `from` is empty. */
void faults_move(struct faults *to, struct faults *from);

void faults_done(struct faults *faults);

#endif
