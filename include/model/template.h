/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actions of Go templates, as Helm's charts have them: {{ .Values.name }}. */
#ifndef MODEL_TEMPLATE_H
#define MODEL_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

/* Is there one in the text? An action begins with a field, a variable, a comment or a function with
 * its arguments, or is a keyword alone, and ends on its line; {{app: web}} and {{}} are none, but
 * braces that somebody has doubled. */
bool template_in_text(const char *text);

/* Is there one on this line of YAML, outside of quotes and comments? Unquoted it is no YAML: a map
 * whose key is a map. */
bool template_on_line(const char *line, size_t len);

#endif
