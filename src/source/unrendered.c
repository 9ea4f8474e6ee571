/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unrendered.h"

#include <errno.h>
#include <string.h>

#include "base/intern.h"
#include "model/template.h"
#include "source/yaml.h"

static const struct {
	const char *what, *todo;
} words[UNRENDERED_COUNT] = {
	[UNRENDERED_TEMPLATE] = {"a template that has not been rendered",
				 "what `helm template` makes of the chart"},
	[UNRENDERED_KUSTOMIZATION] = {"a kustomization that has not been built",
				      "what `kubectl kustomize` makes of its directory"},
	[UNRENDERED_VALUES] = {"values or metadata of a chart",
			       "what `helm template` makes of the chart"},
};

static bool is_called(const char *name, const char *const names[])
{
	for (size_t i = 0; names[i]; i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

/* values.yaml, and values of an environment: values-prod.yaml, prod.values.yaml. */
static bool is_values_name(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t len = dot ? (size_t)(dot - name) : strlen(name);

	if (strncmp(name, "values", 6) == 0 && (len == 6 || strchr("-_.", name[6])))
		return true;
	return len > 7 && strchr("-_.", name[len - 7]) && memcmp(name + len - 6, "values", 6) == 0;
}

static bool is_kustomize_group(const json_t *root)
{
	static const char group[] = "kustomize.config.k8s.io/";
	const char *version = json_string_value(json_object_get(root, "apiVersion"));

	return version && strncmp(version, group, sizeof(group) - 1) == 0;
}

enum unrendered_kind unrendered_by_content(const char *file, const json_t *root)
{
	static const char *const kustomizations[] = {"kustomization.yaml", "kustomization.yml",
						     "Kustomization", NULL};
	static const char *const charts[] = {"Chart.yaml", "Chart.yml", NULL};
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;

	if (!json_is_object(root))
		return UNRENDERED_COUNT;
	if (is_kustomize_group(root))
		return UNRENDERED_KUSTOMIZATION;
	if (json_object_get(root, "kind") || json_object_get(root, "metadata") ||
	    json_object_get(root, "spec") || json_object_get(root, "items"))
		return UNRENDERED_COUNT;
	if (is_called(name, charts) && json_object_get(root, "name") &&
	    json_object_get(root, "version"))
		return UNRENDERED_VALUES;
	if (json_object_get(root, "apiVersion"))
		return UNRENDERED_COUNT;
	if (is_called(name, kustomizations))
		return UNRENDERED_KUSTOMIZATION;
	return is_values_name(name) ? UNRENDERED_VALUES : UNRENDERED_COUNT;
}

static bool line_has_action(const char *text, size_t len, unsigned line)
{
	const char *end = text + len;

	for (const char *next; text < end; text = next + 1) {
		next = memchr(text, '\n', (size_t)(end - text));
		next = next ? next : end;
		if (line-- == 1)
			return template_on_line(text, (size_t)(next - text));
	}
	return false;
}

bool unrendered_by_failure(const char *text, size_t len, const struct yaml_failure *failure)
{
	return (failure->line > 0 && line_has_action(text, len, failure->line)) ||
	       (failure->context_line > 0 && line_has_action(text, len, failure->context_line));
}

int unrendered_note(struct files_report *report, enum unrendered_kind kind, const char *file,
		    unsigned line, struct faults *faults)
{
	struct unrendered *one = &report->unrendered[kind];

	if (report->strict)
		faults_add(faults, FAULT_ERROR, &(struct fault_place){.file = file, .line = line},
			   "%s: expected %s", words[kind].what, words[kind].todo);
	if (one->n++ == 0) {
		one->file = intern_ref(file);
		one->line = line;
	}
	if (report->unrendered_files.n > 0 &&
	    report->unrendered_files.v[report->unrendered_files.n - 1] == file)
		return 0;
	if (vec_push(&report->unrendered_files, file) < 0)
		return -ENOMEM;
	(void)intern_ref(file);
	return 0;
}

void unrendered_hint(const struct files_report *report, struct faults *faults)
{
	for (int kind = 0; kind < UNRENDERED_COUNT && !report->strict; kind++) {
		const struct unrendered *one = &report->unrendered[kind];

		if (one->n > 0)
			faults_add(faults, FAULT_WARNING,
				   &(struct fault_place){.file = one->file, .line = one->line},
				   "%s, ignored with all like it: %zu; expected %s",
				   words[kind].what, one->n, words[kind].todo);
	}
}
