/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/template.h"

#include "unit.h"

struct row {
	const char *name; /* the text */
	bool in_text, on_line;
};

static const struct row rows[] = {
	{"{{ .Values.x }}", true, true},
	{"{{.Values.x}}", true, true},
	{"{{- .Values.x -}}", true, true},
	{"web-{{ .Release.Name }}", true, true},
	{"{{ $x := .Values.y }}", true, true},
	{"{{ $x }}", true, true},
	{"{{ include \"a.b\" . | nindent 4 }}", true, true},
	{"{{- if eq .x \"y\" }}", true, true},
	{"{{- if (eq .x 1) }}", true, true},
	{"{{ (index .x 1) }}", true, true},
	{"{{ end }}", true, true},
	{"{{- else -}}", true, true},
	{"{{/* a comment", true, true},
	{"{{- /* a comment */ -}}", true, true},
	{"a: {{ x y }} b", true, true},
	/* In quotes they are a value, which the object's decoder judges. */
	{"a: \"{{ .Values.x }}\"", true, false},
	{"a: '{{ .Values.x }}'", true, false},
	{"a: \"\\\"{{ .Values.x }}\"", true, false},
	{"a: \"b\" {{ .Values.x }}", true, true},
	{"a: b # {{ .Values.x }}", true, false},
	{"# {{ .Values.x }}", true, false},
	{"a: b#{{ .Values.x }}", true, true},
	/* Braces that somebody has doubled are no template. */
	{"{{}}", false, false},
	{"{{ }}", false, false},
	{"{{app: web}}", false, false},
	{"{{ app: web }}", false, false},
	{"{{\"app\": \"web\"}}", false, false},
	{"{{app}}", false, false},
	{"{{app, web}}", false, false},
	{"{{a: {b: c}}}", false, false},
	{"{ {a b}}", false, false},
	{"{{ .Values.x }", false, false},
	{"{{ .Values.x", false, false},
	{"{{", false, false},
	{"}} {{", false, false},
	{"", false, false},
};

static void is_found(void **state)
{
	const struct row *row = *state;

	assert_int_equal(template_in_text(row->name), row->in_text);
	assert_int_equal(template_on_line(row->name, strlen(row->name)), row->on_line);
}

int main(void)
{
	return RUN_ROWS("actions of templates", rows, is_found);
}
