/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An error that a human must act on: a code for the program, a sentence for the reader. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_MAX 512

struct err {
	int code; /* negative errno, 0 when unset */
	char text[ERR_TEXT_MAX];
};

/* Fills `err` (may be NULL) and returns `code`, so that `return err_set(...)` reads well. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
