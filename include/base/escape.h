/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that others wrote, where it is printed. Names of objects, files, interfaces and processes
 * can hold anything: newlines that begin a line of their own, terminal escapes, marks that turn the
 * direction of what follows. Here each output language has one form for what cannot be shown as it
 * is; printable UTF-8 stays. What is unprintable does not depend on the locale: control characters,
 * what Unicode calls Default_Ignorable_Code_Point, line and paragraph separators, noncharacters,
 * and bytes that are not UTF-8.
 *
 * Text is escaped when it is printed and not before, so that nothing is escaped twice. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

enum escape {
	ESCAPE_LINE, /* a line for people: \n, \x1b, \u202e; a backslash is doubled */
	ESCAPE_JSON, /* JSON that has been made already: \u001b, \u202e; all else stays */
	ESCAPE_NFT,  /* between double quotes in nft, which knows no escapes: as a line, and \x22 */
	ESCAPE_LABEL, /* the value of a Prometheus label: \n, \" and \\; what else a line escapes,
		       * in the form that it has there */
};

/* All of the text. */
void escape_print(FILE *out, enum escape language, const char *text);

/* As much as fits before the '\0'; what is cut ends in "...", between two characters. `len` is 4 at
 * least. Returns the length of what is there. */
size_t escape_copy(char *to, size_t len, enum escape language, const char *text);

/* A word of a line for people. */
void print_word(FILE *out, const char *text);

/* A whole line for people: what printf() makes of it, escaped, and its end. Where memory lacks, a
 * long one is cut. */
void print_line(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void vprint_line(FILE *out, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

#endif
