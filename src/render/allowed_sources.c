/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "render/allowed_sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define SPACE " \t"

static void entry_done(struct allowed_source *entry)
{
	for (size_t i = 0; i < entry->labels.n; i++) {
		free(entry->labels.v[i].key);
		free(entry->labels.v[i].value);
	}
	vec_free(&entry->labels);
	vec_free(&entry->prefixes);
	free(entry->ns);
}

/* As Kubernetes has names and keys; whether it is one exactly, the API server has seen. */
static bool is_word(const char *text, size_t len)
{
	return len > 0 && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-_./") >= len;
}

/* key=value, key==value, key!=value, key, !key */
static int parse_label(struct allowed_source *entry, const char *text, size_t len)
{
	struct allowed_label label = {0};
	const char *sign = memchr(text, '=', len);
	size_t key_len = sign ? (size_t)(sign - text) : len;
	const char *value = sign ? sign + 1 : NULL;

	if (sign && key_len > 0 && text[key_len - 1] == '!') {
		label.negate = true;
		key_len--;
	} else if (value && value < text + len && *value == '=') {
		value++;
	} else if (!sign && len > 0 && *text == '!') {
		label.negate = true;
		text++;
		key_len--;
	}
	if (!is_word(text, key_len) ||
	    (value && value < text + len && !is_word(value, (size_t)(text + len - value))))
		return -EINVAL;
	label.key = strndup(text, key_len);
	label.value = value ? strndup(value, (size_t)(text + len - value)) : NULL;
	if (label.key && (!value || label.value) && vec_push(&entry->labels, label) == 0)
		return 0;
	free(label.key);
	free(label.value);
	return -ENOMEM;
}

static int parse_labels(struct allowed_source *entry, const char *text, const char *end)
{
	int rc = 0;

	for (const char *at = text; rc == 0 && at <= end && text < end;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma ? comma : end;

		rc = parse_label(entry, at, (size_t)(stop - at));
		at = stop + 1;
	}
	return rc;
}

static int parse_prefix(struct allowed_source *entry, const char *text)
{
	struct prefix prefix = {0};

	if (!strchr(text, '/')) {
		if (!addr_parse(text, &prefix.addr))
			return -EINVAL;
		prefix.len = (uint8_t)(addr_bytes((enum family)prefix.addr.family) * 8);
	} else if (!prefix_parse(text, &prefix, NULL)) {
		return -EINVAL;
	}
	return vec_push(&entry->prefixes, prefix);
}

static int parse_entry(struct allowed_source *entry, char *text)
{
	char *state = NULL, *pods = strtok_r(text, SPACE, &state), *word;
	size_t ns_len = pods ? strcspn(pods, "/") : 0;
	int rc = 0;

	if (!pods || !is_word(pods, ns_len))
		return -EINVAL;
	entry->ns = strndup(pods, ns_len);
	if (!entry->ns)
		return -ENOMEM;
	if (pods[ns_len])
		rc = parse_labels(entry, pods + ns_len + 1, pods + strlen(pods));
	while (rc == 0 && (word = strtok_r(NULL, SPACE, &state)))
		rc = parse_prefix(entry, word);
	return rc == 0 && entry->prefixes.n == 0 ? -EINVAL : rc;
}

int allowed_sources_add(struct allowed_sources *sources, const char *text)
{
	AUTO_FREE char *copy = strdup(text);
	struct allowed_source entry = {0};
	int rc = copy ? parse_entry(&entry, copy) : -ENOMEM;

	if (rc == 0)
		rc = vec_push(&sources->entries, entry);
	if (rc < 0)
		entry_done(&entry);
	return rc;
}

static const char *find_value(const struct pod *pod, const char *key)
{
	for (size_t i = 0; i < pod->labels.n; i++) {
		if (strcmp(pod->labels.v[i].key, key) == 0)
			return pod->labels.v[i].value;
	}
	return NULL;
}

bool allowed_source_matches(const struct allowed_source *entry, const struct pod *pod)
{
	if (strcmp(entry->ns, pod->ns) != 0)
		return false;
	for (size_t i = 0; i < entry->labels.n; i++) {
		const struct allowed_label *label = &entry->labels.v[i];
		const char *value = find_value(pod, label->key);
		bool holds = value && (!label->value || strcmp(value, label->value) == 0);

		if (holds == label->negate)
			return false;
	}
	return true;
}

void allowed_sources_done(struct allowed_sources *sources)
{
	for (size_t i = 0; i < sources->entries.n; i++)
		entry_done(&sources->entries.v[i]);
	vec_free(&sources->entries);
}
