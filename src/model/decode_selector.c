/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LabelSelector, in the canonical form of struct label_selector. */
#include <string.h>

#include "base/intern.h"
#include "fields.h"

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the values and drops doubles. */
static void canonical_values(struct decoder *d, struct requirement *req)
{
	size_t kept = 0;

	if (req->n_values > 0)
		qsort(req->values, req->n_values, sizeof(req->values[0]), compare_strings);
	for (size_t i = 0; i < req->n_values; i++) {
		if (kept > 0 && req->values[kept - 1] == req->values[i])
			intern_put(d->strings, req->values[i]);
		else
			req->values[kept++] = req->values[i];
	}
	req->n_values = kept;
}

static int compare_requirements(const void *left, const void *right)
{
	const struct requirement *a = left, *b = right;
	int order = strcmp(a->key, b->key);

	if (order == 0)
		order = (a->op > b->op) - (a->op < b->op);
	for (size_t i = 0; order == 0 && i < a->n_values && i < b->n_values; i++)
		order = strcmp(a->values[i], b->values[i]);
	if (order == 0)
		order = (a->n_values > b->n_values) - (a->n_values < b->n_values);
	return order;
}

static void canonical_requirements(struct decoder *d, struct label_selector *selector)
{
	size_t kept = 0;

	if (selector->n > 0)
		qsort(selector->v, selector->n, sizeof(selector->v[0]), compare_requirements);
	for (size_t i = 0; i < selector->n; i++) {
		struct requirement *req = &selector->v[i];

		if (kept == 0 || compare_requirements(&selector->v[kept - 1], req) != 0) {
			selector->v[kept++] = *req;
			continue;
		}
		intern_put(d->strings, req->key);
		for (size_t j = 0; j < req->n_values; j++)
			intern_put(d->strings, req->values[j]);
		free(req->values);
	}
	selector->n = kept;
}

static void decode_values(struct decoder *d, const json_t *expression, struct requirement *req)
{
	const json_t *values = get_array(d, expression, "values");
	size_t n = json_array_size(values);
	bool wanted = req->op == LABEL_IN || req->op == LABEL_NOT_IN;

	path_key(d, "values");
	if (wanted && n == 0)
		refuse(d, values, "expected at least one value with In and NotIn");
	if (!wanted && n > 0)
		refuse(d, values, "expected no values with Exists and DoesNotExist");
	req->values = decode_alloc(d, n, sizeof(req->values[0]));
	for (size_t i = 0; req->values && i < n; i++) {
		const json_t *value = json_array_get(values, i);
		const char *text = json_is_null(value) ? "" : json_string_value(value);

		path_index(d, i);
		if (!text)
			refuse(d, value, "expected a string (quote it)");
		else if (!valid_label_value(text) && !d->accepted)
			refuse(d, value,
			       "expected a label value: at most 63 of A-Z a-z 0-9 - _ . "
			       "beginning and ending with a letter or digit");
		else
			req->values[req->n_values++] = decode_intern(d, text);
		path_pop(d);
	}
	path_pop(d);
}

static void decode_key(struct decoder *d, const json_t *expression, struct requirement *req)
{
	const char *key = get_string(d, expression, "key");

	path_key(d, "key");
	if (!key || !valid_label_key(key))
		refuse(d, json_object_get(expression, "key"), "expected a label key");
	else
		req->key = decode_intern(d, key);
	path_pop(d);
}

static void decode_operator(struct decoder *d, const json_t *expression, struct requirement *req)
{
	static const char *const words[] = {
		[LABEL_IN] = "In",
		[LABEL_NOT_IN] = "NotIn",
		[LABEL_EXISTS] = "Exists",
		[LABEL_DOES_NOT_EXIST] = "DoesNotExist",
	};
	const char *word = get_string(d, expression, "operator");

	for (unsigned i = 0; word && i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i]) == 0) {
			req->op = (enum label_op)i;
			return;
		}
	}
	path_key(d, "operator");
	refuse(d, json_object_get(expression, "operator"),
	       "expected In, NotIn, Exists or DoesNotExist");
	path_pop(d);
}

static void decode_expression(struct decoder *d, const json_t *expression, struct requirement *req)
{
	static const char *const known[] = {"key", "operator", "values", NULL};
	size_t before = d->errors;

	refuse_unknown(d, expression, known);
	decode_key(d, expression, req);
	decode_operator(d, expression, req);
	if (d->errors == before)
		decode_values(d, expression, req);
}

static void decode_match_labels(struct decoder *d, const json_t *json,
				struct label_selector *selector)
{
	struct labels labels = {0};

	decode_labels(d, json, "matchLabels", &labels);
	for (size_t i = 0; i < labels.n; i++) {
		struct requirement *req = &selector->v[selector->n++];

		req->key = labels.v[i].key;
		req->op = LABEL_IN;
		req->values = decode_alloc(d, 1, sizeof(req->values[0]));
		if (req->values)
			req->values[req->n_values++] = labels.v[i].value;
		else
			intern_put(d->strings, labels.v[i].value);
	}
	free(labels.v);
}

/* Each change of a pod may be held against all of them. */
static bool too_large(struct decoder *d, const json_t *expressions, size_t n)
{
	size_t values = 0;

	for (size_t i = 0; i < json_array_size(expressions); i++)
		values += json_array_size(get_any(json_array_get(expressions, i), "values"));
	if (n > SELECTOR_REQUIREMENTS_MAX)
		refuse(d, NULL, "%zu requirements: expected at most %d", n,
		       SELECTOR_REQUIREMENTS_MAX);
	else if (values > SELECTOR_VALUES_MAX)
		refuse(d, NULL, "%zu values: expected at most %d", values, SELECTOR_VALUES_MAX);
	return n > SELECTOR_REQUIREMENTS_MAX || values > SELECTOR_VALUES_MAX;
}

void decode_selector(struct decoder *d, const json_t *json, struct label_selector *ret)
{
	static const char *const known[] = {"matchLabels", "matchExpressions", NULL};
	const json_t *expressions = get_array(d, json, "matchExpressions");
	size_t before = d->errors;
	/* Less than there is where matchLabels is no object, which decode_labels() refuses. */
	size_t n = json_array_size(expressions) + json_object_size(get_any(json, "matchLabels"));

	refuse_unknown(d, json, known);
	if (too_large(d, expressions, n))
		return;
	ret->v = decode_alloc(d, n, sizeof(ret->v[0]));
	if (d->no_memory)
		return;
	decode_match_labels(d, json, ret);
	path_key(d, "matchExpressions");
	for (size_t i = 0; i < json_array_size(expressions); i++) {
		path_index(d, i);
		decode_expression(d, element_object(d, expressions, i), &ret->v[ret->n++]);
		path_pop(d);
	}
	path_pop(d);
	if (d->errors != before || d->no_memory)
		return;
	for (size_t i = 0; i < ret->n; i++)
		canonical_values(d, &ret->v[i]);
	canonical_requirements(d, ret);
}
