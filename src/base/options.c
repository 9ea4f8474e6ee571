/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SPECS_MAX 64
#define LONG_ONLY 256 /* above any letter */

static int spec_code(const struct option_spec *specs, size_t i)
{
	return specs[i].letter ? specs[i].letter : LONG_ONLY + (int)i;
}

static const struct option_spec *find(const struct option_spec *specs, int code)
{
	for (size_t i = 0; specs[i].name; i++) {
		if (spec_code(specs, i) == code)
			return &specs[i];
	}
	return NULL;
}

int options_parse(int argc, char *argv[], const struct option_spec *specs, option_fn fn, void *ctx,
		  int *ret_first)
{
	struct option longs[SPECS_MAX + 1] = {{0}};
	char shorts[2 * SPECS_MAX + 1];
	size_t used = 0;
	int code, rc = 0;

	for (size_t i = 0; specs[i].name && i < SPECS_MAX; i++) {
		longs[i] = (struct option){
			.name = specs[i].name,
			.has_arg = specs[i].value ? required_argument : no_argument,
			.val = spec_code(specs, i),
		};
		if (!specs[i].letter)
			continue;
		shorts[used++] = specs[i].letter;
		if (specs[i].value)
			shorts[used++] = ':';
	}
	shorts[used] = '\0';

	optind = 0; /* glibc: start anew, also after an earlier parse */
	while (rc == 0 && (code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_spec *spec = find(specs, code);

		if (!spec)
			return -EINVAL; /* getopt_long() has said why */
		rc = fn(ctx, spec->name, spec->value ? optarg : NULL);
	}
	*ret_first = optind;
	return rc;
}

void options_print(const struct option_spec *specs, FILE *out)
{
	for (size_t i = 0; specs[i].name; i++) {
		char left[64];

		if (!specs[i].help)
			continue;
		(void)snprintf(left, sizeof(left), "%c%c%s--%s%s%s", specs[i].letter ? '-' : ' ',
			       specs[i].letter ? specs[i].letter : ' ',
			       specs[i].letter ? ", " : "  ", specs[i].name,
			       specs[i].value ? "=" : "", specs[i].value ? specs[i].value : "");
		fprintf(out, "  %-26s %s\n", left, specs[i].help);
	}
}
