/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/fault.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/task.h"
#include "base/vec.h"

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void fault_done(struct fault *fault)
{
	free(fault->file);
	free(fault->object);
	free(fault->field);
	free(fault->value);
	free(fault->text);
}

void faults_add(struct faults *faults, enum fault_level level, const struct fault_place *place,
		const char *fmt, ...)
{
	if (level == FAULT_ERROR)
		faults->errors++;
	else
		faults->warnings++;
	if (faults->n >= FAULTS_MAX)
		return;

	struct fault fault = {
		.level = level,
		.file = copy(place->file),
		.line = place->line,
		.object = copy(place->object),
		.field = copy(place->field),
		.value = copy(place->value),
	};
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&fault.text, fmt, ap) < 0)
		fault.text = NULL;
	va_end(ap);
	if (!fault.text || vec_push(faults, fault) < 0)
		fault_done(&fault);
}

void faults_move(struct faults *to, struct faults *from)
{
	to->errors += from->errors;
	to->warnings += from->warnings;
	for (size_t i = 0; i < from->n; i++) {
		if (to->n >= FAULTS_MAX || vec_push(to, from->v[i]) < 0)
			fault_done(&from->v[i]);
	}
	from->n = from->errors = from->warnings = 0;
}

static int compare_text(const char *a, const char *b)
{
	if (!a || !b)
		return (a ? 1 : 0) - (b ? 1 : 0);
	return strcmp(a, b);
}

static int compare(const void *left, const void *right)
{
	const struct fault *a = left, *b = right;
	int order = compare_text(a->file, b->file);

	if (order == 0)
		order = (a->line > b->line) - (a->line < b->line);
	if (order == 0)
		order = compare_text(a->object, b->object);
	if (order == 0)
		order = compare_text(a->field, b->field);
	return order != 0 ? order : compare_text(a->text, b->text);
}

static void print_part(const char *text, const char *after, FILE *out)
{
	print_word(out, text);
	fputs(after, out);
}

static void print_one(const struct fault *fault, bool colour, FILE *out)
{
	static const char *const word[] = {[FAULT_ERROR] = "error", [FAULT_WARNING] = "warning"};
	static const char *const paint[] = {
		[FAULT_ERROR] = "\033[1;31m", [FAULT_WARNING] = "\033[1;33m"};

	if (fault->file)
		print_part(fault->file, ":", out);
	if (fault->file && fault->line)
		fprintf(out, "%u:", fault->line);
	if (fault->file)
		fputc(' ', out);
	fprintf(out, "%s%s:%s ", colour ? paint[fault->level] : "", word[fault->level],
		colour ? "\033[0m" : "");
	if (fault->object)
		print_part(fault->object, ": ", out);
	if (fault->field)
		print_part(fault->field, ": ", out);
	if (fault->value) {
		escape_print(out, ESCAPE_JSON, fault->value);
		fputs(": ", out);
	}
	print_part(fault->text, "\n", out);
}

void faults_print(struct faults *faults, FILE *out)
{
	if (faults->n > 0)
		qsort(faults->v, faults->n, sizeof(faults->v[0]), compare);
	for (size_t i = 0; i < faults->n; i++) {
		print_one(&faults->v[i], faults->colour, out);
		task_yield();
	}
	if (faults->errors + faults->warnings > faults->n)
		fprintf(out, "error: %zu more faults are not listed\n",
			faults->errors + faults->warnings - faults->n);
}

void faults_done(struct faults *faults)
{
	for (size_t i = 0; i < faults->n; i++)
		fault_done(&faults->v[i]);
	vec_free(faults);
	faults->errors = faults->warnings = 0;
}
