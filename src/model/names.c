/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and labels, by the rules of apimachinery's validation package. */
#include <ctype.h>
#include <string.h>

#include "base/intern.h"
#include "fields.h"

#define DNS_LABEL_MAX     63
#define DNS_SUBDOMAIN_MAX 253
#define LABEL_PART_MAX    63
#define PORT_NAME_MAX     15

/* ASCII whatever the locale. */
static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? over exactly len bytes. */
static bool dns_label(const char *text, size_t len)
{
	if (len == 0 || !is_lower_alnum(text[0]) || !is_lower_alnum(text[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_lower_alnum(text[i]) && text[i] != '-')
			return false;
	}
	return true;
}

bool valid_dns_label(const char *text)
{
	size_t len = strlen(text);

	return len <= DNS_LABEL_MAX && dns_label(text, len);
}

static bool dns_subdomain(const char *text, size_t len)
{
	size_t start = 0;

	if (len > DNS_SUBDOMAIN_MAX)
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '.')
			continue;
		if (!dns_label(text + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

bool valid_dns_subdomain(const char *text)
{
	return dns_subdomain(text, strlen(text));
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9], at most 63. */
static bool label_part(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > LABEL_PART_MAX || !is_alnum(text[0]) || !is_alnum(text[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_alnum(text[i]) && !strchr("-_.", text[i]))
			return false;
	}
	return true;
}

bool valid_label_key(const char *text)
{
	const char *slash = strchr(text, '/');

	if (!slash)
		return label_part(text);
	return dns_subdomain(text, (size_t)(slash - text)) && label_part(slash + 1);
}

bool valid_label_value(const char *text)
{
	return text[0] == '\0' || label_part(text);
}

/* IANA_SVC_NAME. */
bool valid_port_name(const char *text)
{
	size_t len = strlen(text);
	bool letter = false;

	if (len > PORT_NAME_MAX || !dns_label(text, len) || strstr(text, "--"))
		return false;
	for (size_t i = 0; i < len; i++)
		letter |= text[i] >= 'a' && text[i] <= 'z';
	return letter;
}

void labels_set(struct decoder *d, struct labels *labels, const char *key, const char *value)
{
	struct label label = {decode_intern(d, key), decode_intern(d, value)};
	size_t at = 0;

	if (d->no_memory) { /* then labels may lack their keys, too */
		intern_put(d->strings, label.key);
		intern_put(d->strings, label.value);
		return;
	}
	while (at < labels->n && strcmp(labels->v[at].key, key) < 0)
		at++;
	if (at < labels->n && strcmp(labels->v[at].key, key) == 0) {
		intern_put(d->strings, labels->v[at].key);
		intern_put(d->strings, labels->v[at].value);
		labels->v[at] = label;
		return;
	}

	struct label *grown = realloc(labels->v, (labels->n + 1) * sizeof(*grown));
	if (!grown) {
		d->no_memory = true;
		intern_put(d->strings, label.key);
		intern_put(d->strings, label.value);
		return;
	}
	labels->v = grown;
	memmove(grown + at + 1, grown + at, (labels->n - at) * sizeof(*grown));
	grown[at] = label;
	labels->n++;
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

void decode_labels(struct decoder *d, const json_t *parent, const char *key, struct labels *ret)
{
	const json_t *map = get_object(d, parent, key);
	const char *name;
	json_t *value;

	ret->v = decode_alloc(d, json_object_size(map), sizeof(ret->v[0]));
	if (!ret->v)
		return;
	path_key(d, key);
	json_object_foreach ((json_t *)map, name, value) {
		/* Go decodes null in a map of strings as "". */
		const char *text = json_is_null(value) ? "" : json_string_value(value);

		path_map_key(d, name);
		if (!valid_label_key(name))
			refuse(d, NULL,
			       "expected a label key: an optional DNS prefix and '/', then at most "
			       "63 "
			       "of A-Z a-z 0-9 - _ . beginning and ending with a letter or digit");
		else if (!text)
			refuse(d, value, "expected a string (quote it)");
		else if (!valid_label_value(text))
			refuse(d, value,
			       "expected a label value: at most 63 of A-Z a-z 0-9 - _ . "
			       "beginning and ending with a letter or digit");
		else
			ret->v[ret->n++] =
				(struct label){decode_intern(d, name), decode_intern(d, text)};
		path_pop(d);
	}
	path_pop(d);
	if (!d->no_memory)
		qsort(ret->v, ret->n, sizeof(ret->v[0]), compare_labels);
}

void decode_own_labels(struct decoder *d, const json_t *metadata, struct labels *ret)
{
	size_t n = json_object_size(get_any(metadata, "labels"));

	if (n <= LABELS_MAX) {
		decode_labels(d, metadata, "labels", ret);
		return;
	}
	path_key(d, "labels");
	refuse(d, NULL, "%zu labels: expected at most %d", n, LABELS_MAX);
	path_pop(d);
}
