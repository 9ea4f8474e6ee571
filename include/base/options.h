/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines from one description: what parses them is what --help shows. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdio.h>

struct option_spec {
	const char *name;  /* long, without dashes; NULL ends the table */
	char letter;       /* 0: none */
	const char *value; /* what it takes, such as PATH; NULL: nothing */
	const char *help;  /* one line; NULL: options_print() leaves it out */
};

/* Called for each option in turn, with its name and value (NULL: takes none). 0, or what ends the
 * parse. */
typedef int (*option_fn)(void *ctx, const char *name, const char *value);

/* Parses options, also behind operands. *ret_first is the index of the first operand in argv, which
 * is reordered so that operands come last. 0, -EINVAL after a message on stderr, or what fn
 * returned. */
int options_parse(int argc, char *argv[], const struct option_spec *specs, option_fn fn, void *ctx,
		  int *ret_first);

void options_print(const struct option_spec *specs, FILE *out);

#endif
