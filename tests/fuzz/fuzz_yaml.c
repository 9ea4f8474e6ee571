/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as YAML; every document decoded, with the lines of its faults. */
#include <errno.h>

#include "base/err.h"
#include "base/intern.h"
#include "fuzz.h"
#include "model/decode.h"
#include "source/yaml.h"

static unsigned line_of(void *ctx, const struct path_seg *path, size_t n)
{
	return yaml_line_of(ctx, path, n);
}

static int take(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	struct faults faults = {0};
	struct decoder d = {.strings = ctx,
			    .faults = &faults,
			    .file = "fuzz.yaml",
			    .line_of = line_of,
			    .line_ctx = lines,
			    .trusted = true};
	struct decoded decoded;
	int rc = decode_object(&d, root, NULL, NULL, &decoded);

	REQUIRE(rc == 0 || rc == -EINVAL);
	REQUIRE((rc == 0) == (faults.errors == 0));
	for (size_t i = 0; i < faults.n; i++)
		REQUIRE(faults.v[i].line > 0 && faults.v[i].text[0]);
	for (size_t i = 0; i < decoded.objects.n; i++)
		REQUIRE(object_origin(&decoded.objects.v[i])->line > 0);
	decoded_done(d.strings, &decoded);
	faults_done(&faults);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct intern *strings = intern_new();
	struct err err = {0};
	unsigned line = 0;
	int rc = yaml_parse((const char *)data, size, take, strings, &err, &line);

	REQUIRE(rc == 0 || (rc == -EINVAL && err.code == -EINVAL && err.text[0] && line > 0));
	REQUIRE(intern_count(strings) == 0);
	intern_free(strings);
	return 0;
}
