/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interned selectors and their canonical text. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/memstream.h"
#include "internal.h"

/* Values that only an older API server let in can hold anything: escaped, so that no two selectors
 * share a text. */
static void write_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("-_./", *text))
			fputc(*text, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*text);
	}
}

static void write_requirement(FILE *out, const struct requirement *req)
{
	if (req->op == LABEL_DOES_NOT_EXIST)
		fputc('!', out);
	write_text(out, req->key);
	if (req->op == LABEL_IN && req->n_values == 1) {
		fputc('=', out);
		write_text(out, req->values[0]);
		return;
	}
	if (req->op == LABEL_EXISTS || req->op == LABEL_DOES_NOT_EXIST)
		return;
	fputs(req->op == LABEL_IN ? " in (" : " notin (", out);
	for (size_t i = 0; i < req->n_values; i++) {
		if (i > 0)
			fputc(',', out);
		write_text(out, req->values[i]);
	}
	fputc(')', out);
}

static void write_selector(FILE *out, const char *what, const struct label_selector *selector)
{
	fprintf(out, "%s{", what);
	for (size_t i = 0; i < selector->n; i++) {
		if (i > 0)
			fputc(',', out);
		write_requirement(out, &selector->v[i]);
	}
	fputc('}', out);
}

/* ns=shop pod{app=web}, or ns{team in (a,b)} pod{!debug}. */
static char *selector_text(const char *ns_name_key, const struct label_selector *namespaces,
			   const struct label_selector *pods)
{
	struct memstream stream;

	if (memstream_open(&stream) < 0)
		return NULL;
	if (namespaces->n == 1 && namespaces->v[0].key == ns_name_key &&
	    namespaces->v[0].op == LABEL_IN && namespaces->v[0].n_values == 1) {
		fputs("ns=", stream.out);
		write_text(stream.out, namespaces->v[0].values[0]);
	} else {
		write_selector(stream.out, "ns", namespaces);
	}
	fputc(' ', stream.out);
	write_selector(stream.out, "pod", pods);
	return memstream_text(&stream);
}

static int copy_selector(const struct label_selector *from, struct label_selector *ret)
{
	*ret = (struct label_selector){.v = from->n ? calloc(from->n, sizeof(ret->v[0])) : NULL};
	if (from->n > 0 && !ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < from->n; i++) {
		const struct requirement *source = &from->v[i];
		struct requirement *req = &ret->v[ret->n++];

		*req = (struct requirement){.key = intern_ref(source->key), .op = source->op};
		if (source->n_values == 0)
			continue;
		req->values = calloc(source->n_values, sizeof(req->values[0]));
		if (!req->values)
			return -ENOMEM;
		for (size_t j = 0; j < source->n_values; j++)
			req->values[req->n_values++] = intern_ref(source->values[j]);
	}
	return 0;
}

static void free_selector(struct intern *strings, struct label_selector *selector)
{
	for (size_t i = 0; i < selector->n; i++) {
		intern_put(strings, selector->v[i].key);
		for (size_t j = 0; j < selector->v[i].n_values; j++)
			intern_put(strings, selector->v[i].values[j]);
		free(selector->v[i].values);
	}
	free(selector->v);
}

static void selector_free(struct graph *g, struct selector *selector)
{
	free_selector(g->strings, &selector->namespaces);
	free_selector(g->strings, &selector->pods);
	vec_free(&selector->members);
	vec_free(&selector->users);
	free(selector->text);
	free(selector);
}

/* `fixed_ns` (interned; or NULL) is the requirement that the namespace has this name. */
struct selector *selector_get(struct graph *g, const char *fixed_ns,
			      const struct label_selector *namespaces,
			      const struct label_selector *pods)
{
	struct requirement by_name = {
		.key = g->ns_name_key, .op = LABEL_IN, .values = &fixed_ns, .n_values = 1};
	struct label_selector fixed = {.v = &by_name, .n = 1};
	const struct label_selector *ns = fixed_ns ? &fixed : namespaces;
	struct selector *selector;

	char *text = selector_text(g->ns_name_key, ns, pods);
	if (!text)
		return NULL;
	HASH_FIND_STR(g->selectors, text, selector);
	if (selector) {
		free(text);
		selector->refs++;
		return selector;
	}

	selector = calloc(1, sizeof(*selector));
	if (!selector) {
		free(text);
		return NULL;
	}
	selector->text = text;
	selector->refs = 1;
	if (copy_selector(ns, &selector->namespaces) == 0 &&
	    copy_selector(pods, &selector->pods) == 0) {
		HASH_ADD_KEYPTR(hh, g->selectors, selector->text, strlen(selector->text), selector);
		if (table_added(selector))
			return selector;
	}
	selector_free(g, selector);
	return NULL;
}

void selector_put(struct graph *g, struct selector *selector)
{
	if (--selector->refs > 0)
		return;
	HASH_DEL(g->selectors, selector);
	selector_free(g, selector);
}

bool selector_matches(const struct selector *selector, const struct graph_pod *pod)
{
	return label_selector_matches(&selector->pods, &pod->object->labels) &&
	       label_selector_matches(&selector->namespaces, &pod->ns->labels);
}
