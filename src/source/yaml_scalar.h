/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SOURCE_YAML_SCALAR_H
#define SOURCE_YAML_SCALAR_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

/* The JSON value of a plain scalar by go-yaml v2's rules: YAML 1.1 booleans (yes, on, y), nulls,
 * integers (0x, 0b, 0o, leading 0, underscores), floats; everything else is text.
 * NULL: with err no value (infinite), else no memory. */
json_t *yaml_plain_scalar(const char *text, size_t len, struct err *err);

/* The same under an explicit tag such as tag:yaml.org,2002:str, which the value must be fit for;
 * unknown tags are text. */
json_t *yaml_tagged_scalar(const char *tag, const char *text, size_t len, struct err *err);

#endif
