/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The graph as text: a block for each object, blocks and their parts in order. */
#include <stdlib.h>
#include <string.h>

#include "base/memstream.h"
#include "internal.h"

struct blocks {
	VEC(char *) all;
};

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void blocks_done(struct blocks *blocks)
{
	for (size_t i = 0; i < blocks->all.n; i++)
		free(blocks->all.v[i]);
	vec_free(&blocks->all);
}

static void sort(struct blocks *blocks)
{
	if (blocks->all.n > 0)
		qsort(blocks->all.v, blocks->all.n, sizeof(blocks->all.v[0]), compare_text);
}

/* A block being written. */
struct block {
	struct memstream stream;
	FILE *out; /* the stream's */
};

static int block_open(struct block *block)
{
	int rc = memstream_open(&block->stream);

	block->out = block->stream.out;
	return rc;
}

static int block_close(struct block *block, struct blocks *to)
{
	char *text = memstream_text(&block->stream);

	if (text && vec_push(&to->all, text) == 0)
		return 0;
	free(text);
	return -ENOMEM;
}

/* Writes the parts in order, on lines of their own. */
static void write_sorted(FILE *out, struct blocks *parts)
{
	sort(parts);
	for (size_t i = 0; i < parts->all.n; i++)
		fprintf(out, "    %s\n", parts->all.v[i]);
	blocks_done(parts);
}

static int add_part(struct blocks *parts, const char *ns, const char *text)
{
	char *part = NULL;

	if (asprintf(&part, "%s%s%s", ns, ns[0] ? "/" : "", text) < 0)
		return -ENOMEM;
	if (vec_push(&parts->all, part) == 0)
		return 0;
	free(part);
	return -ENOMEM;
}

static int dump_namespace(const struct graph_namespace *ns, struct blocks *to)
{
	struct block block;

	if (block_open(&block) < 0)
		return -ENOMEM;
	fprintf(block.out, "namespace %s%s:", ns->name, ns->declared ? "" : " (only used)");
	for (size_t i = 0; i < ns->labels.n; i++)
		fprintf(block.out, " %s=%s", ns->labels.v[i].key, ns->labels.v[i].value);
	fputs("\n  policies:", block.out);
	for (size_t i = 0; i < ns->policies.n; i++)
		fprintf(block.out, " %s", ns->policies.v[i]->name);
	fputc('\n', block.out);
	return block_close(&block, to);
}

static int dump_pod(const struct graph_pod *pod, struct blocks *to)
{
	struct block block;
	char text[ADDR_TEXT_MAX];

	if (block_open(&block) < 0)
		return -ENOMEM;
	fprintf(block.out, "pod %s/%s:%s%s%s", pod->ns->name, pod->object->name,
		pod->indexed ? " peer" : "", pod->published ? " published" : "",
		pod->is_endpoint ? " endpoint" : "");
	for (int family = 0; family < FAMILY_COUNT; family++) {
		if (graph_pod_owns(pod, (enum family)family))
			fprintf(block.out, " %s",
				addr_format(pod_addr(pod->object, (enum family)family), text));
	}
	if (graph_pod_device(pod))
		fprintf(block.out, " %s%s", graph_pod_device(pod),
			graph_pod_interface(pod) ? "" : " bridged");
	fputc('\n', block.out);
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		if (pod->profiles[dir])
			fprintf(block.out, "  %s\n", pod->profiles[dir]->text);
	}
	return block_close(&block, to);
}

static int dump_observed(const struct observed_addr *observed, struct blocks *to)
{
	struct block block;
	char text[ADDR_TEXT_MAX];

	if (block_open(&block) < 0)
		return -ENOMEM;
	fprintf(block.out, "observed %s:", addr_format(&observed->addr, text));
	if (observed->name)
		fprintf(block.out, " %s/%s %s", observed->ns, observed->name, observed->uid);
	fputc('\n', block.out);
	return block_close(&block, to);
}

static int dump_selector(const struct selector *selector, struct blocks *to)
{
	struct blocks members = {0};
	struct block block;
	int rc = block_open(&block);

	if (rc < 0)
		return rc;
	fprintf(block.out, "selector %s:\n", selector->text);
	for (size_t i = 0; i < selector->members.n && rc == 0; i++) {
		const struct graph_pod *pod = selector->members.v[i].pod;
		rc = add_part(&members, pod->ns->name, pod->object->name);
	}
	write_sorted(block.out, &members);
	return block_close(&block, to) < 0 ? -ENOMEM : rc;
}

static void write_peers(FILE *out, const struct peers *peers)
{
	char lo[ADDR_TEXT_MAX], hi[ADDR_TEXT_MAX];

	if (peers->any)
		fputs(" any", out);
	for (size_t i = 0; peers->pods && i < peers->pods->n; i++)
		fprintf(out, " [%s]", peers->pods->selectors[i]->text);
	for (int family = 0; family < FAMILY_COUNT; family++) {
		const struct block_set *set = peers->blocks[family];

		for (size_t i = 0; set && i < set->ranges.all.n; i++) {
			struct addr first = {.family = (uint8_t)family}, last = first;

			memcpy(first.b, set->ranges.all.v[i].lo, sizeof(first.b));
			memcpy(last.b, set->ranges.all.v[i].hi, sizeof(last.b));
			fprintf(out, " %s-%s", addr_format(&first, lo), addr_format(&last, hi));
		}
	}
}

static void write_class(FILE *out, const struct profile *profile, const struct port_class *class)
{
	fputs(" rules", out);
	for (size_t i = 0; i < class->n_rules; i++) {
		const struct rule_ref *ref = &profile->rules[class->rules[i]];
		fprintf(out, " %s[%zu]", ref->policy->name, ref->index);
	}
	fputs(" peers", out);
	for (size_t i = 0; i < class->n_parts; i++) {
		if (i > 0)
			fputs(" or", out);
		write_peers(out, class->parts[i]);
	}
	fputc('\n', out);
}

static int dump_profile(const struct profile *profile, struct blocks *to)
{
	struct block block;

	if (block_open(&block) < 0)
		return -ENOMEM;
	fprintf(block.out, "profile %s: %zu endpoints%s%s\n  every port:", profile->text,
		profile->refs, profile->over ? ", " : "", profile_limit_text(profile->over));
	write_class(block.out, profile, &profile->every);
	for (size_t i = 0; i < profile->n_ranges; i++) {
		const struct port_range *range = &profile->ranges[i];

		fprintf(block.out, "  %s %u-%u:", proto_name((enum proto)range->proto),
			range->first, range->last);
		write_class(block.out, profile, &profile->classes[range->class_index]);
	}
	for (size_t i = 0; i < profile->n_named; i++) {
		const struct named_port *named = &profile->named[i];

		fprintf(block.out, "  %s %s: peers", proto_name((enum proto)named->proto),
			named->name);
		write_peers(block.out, &profile->rules[named->rule].peers);
		fputc('\n', block.out);
	}
	return block_close(&block, to);
}

int graph_dump(const struct graph *g, FILE *out)
{
	struct blocks blocks = {0};
	int rc = 0;

	for (const struct graph_namespace *ns = g->namespaces; ns && rc == 0; ns = ns->hh.next) {
		rc = dump_namespace(ns, &blocks);
		for (const struct graph_pod *pod = ns->pods; pod && rc == 0; pod = pod->hh.next)
			rc = dump_pod(pod, &blocks);
	}
	for (const struct observed_addr *o = g->observed; o && rc == 0; o = o->hh.next)
		rc = dump_observed(o, &blocks);
	for (const struct selector *s = g->selectors; s && rc == 0; s = s->hh.next)
		rc = s->active > 0 ? dump_selector(s, &blocks) : 0;
	for (const struct profile *p = g->profiles; p && rc == 0; p = p->hh.next)
		rc = p->in_kernel ? dump_profile(p, &blocks) : 0;
	sort(&blocks);
	for (size_t i = 0; i < blocks.all.n && rc == 0; i++)
		fputs(blocks.all.v[i], out);
	blocks_done(&blocks);
	return rc;
}
