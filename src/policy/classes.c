/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From rules that name overlapping ports to disjoint port ranges, each with the rules that hold
 * there. Ranges with the same rules share a class, and so one union of peers. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* A rule begins or ceases to hold at a port. */
struct edge {
	uint32_t port; /* 65536 may end a range */
	uint32_t rule;
	bool begins;
};

struct class_entry {
	uint32_t index;
	UT_hash_handle hh; /* by the class's rules */
};

struct sweep {
	struct graph *g;
	struct profile *profile;
	VEC(struct edge) edges[PROTO_COUNT];
	uint32_t *depth;  /* per rule: how many of its own ranges hold here */
	uint32_t *active; /* the rules that hold, ascending */
	size_t n_active;
	size_t pairs, ports;
	enum profile_limit over;
	VEC(struct port_class) classes;
	VEC(struct port_range) ranges;
	VEC(uint32_t) every;
	VEC(struct named_port) named;
	struct class_entry *known;
	bool handed_over; /* what it found is the profile's */
};

static int add_range(struct sweep *s, uint32_t rule, uint8_t proto, uint16_t first, uint16_t last)
{
	if (++s->ports > PROFILE_PORTS_MAX) {
		s->over = PROFILE_LIMIT_PORTS;
		return 0;
	}
	if (vec_push(&s->edges[proto], (struct edge){first, rule, true}) < 0 ||
	    vec_push(&s->edges[proto], (struct edge){last + 1u, rule, false}) < 0)
		return -ENOMEM;
	return 0;
}

/* On ingress a name means what the selected pod calls so, whatever number that is. */
static int add_named_ingress(struct sweep *s, uint32_t rule, const struct policy_port *port,
			     const struct pod *pod)
{
	size_t first, n = pod_ports_named(pod, port->name, port->proto, &first);
	int rc = 0;

	for (size_t i = first; i < first + n && rc == 0 && !s->over; i++)
		rc = add_range(s, rule, port->proto, pod->ports[i].number, pod->ports[i].number);
	return rc;
}

static int add_port(struct sweep *s, uint32_t rule, const struct policy_port *port,
		    const struct pod *pod)
{
	if (!port->name)
		return add_range(s, rule, port->proto, port->first, port->last);
	if (s->profile->dir == DIR_INGRESS)
		return add_named_ingress(s, rule, port, pod);
	if (++s->ports > PROFILE_PORTS_MAX) {
		s->over = PROFILE_LIMIT_PORTS;
		return 0;
	}
	return vec_push(&s->named, (struct named_port){port->name, port->proto, rule});
}

static int collect(struct sweep *s, const struct pod *pod)
{
	int rc = 0;

	for (uint32_t i = 0; i < s->profile->n_rules && rc == 0; i++) {
		const struct rule_ref *ref = &s->profile->rules[i];
		const struct policy_rule *rule = &ref->policy->rules[s->profile->dir][ref->index];

		if (rule->n_ports == 0)
			rc = vec_push(&s->every, i);
		for (size_t j = 0; j < rule->n_ports && rc == 0 && !s->over; j++)
			rc = add_port(s, i, &rule->ports[j], pod);
	}
	return rc;
}

static int compare_edges(const void *left, const void *right)
{
	const struct edge *a = left, *b = right;

	return (a->port > b->port) - (a->port < b->port);
}

static size_t find_active(const struct sweep *s, uint32_t rule)
{
	size_t low = 0, high = s->n_active;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->active[middle] < rule)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void pass_edge(struct sweep *s, const struct edge *edge)
{
	size_t at = find_active(s, edge->rule);
	uint32_t *place = s->active + at;

	if (edge->begins && s->depth[edge->rule]++ == 0) {
		memmove(place + 1, place, (s->n_active - at) * sizeof(place[0]));
		*place = edge->rule;
		s->n_active++;
	} else if (!edge->begins && --s->depth[edge->rule] == 0) {
		s->n_active--;
		memmove(place, place + 1, (s->n_active - at) * sizeof(place[0]));
	}
}

/* The class of the rules that hold now. */
static int class_of_active(struct sweep *s, uint32_t *ret_index)
{
	size_t bytes = s->n_active * sizeof(s->active[0]);
	struct port_class class = {.n_rules = s->n_active};
	struct class_entry *entry;

	HASH_FIND(hh, s->known, s->active, bytes, entry);
	if (entry) {
		*ret_index = entry->index;
		return 0;
	}
	if (s->classes.n == PROFILE_CLASSES_MAX) {
		s->over = PROFILE_LIMIT_CLASSES;
		return 0;
	}
	entry = calloc(1, sizeof(*entry));
	class.rules = malloc(bytes);
	if (entry && class.rules) {
		memcpy(class.rules, s->active, bytes);
		entry->index = (uint32_t)s->classes.n;
		if (vec_push(&s->classes, class) == 0) {
			HASH_ADD_KEYPTR(hh, s->known, class.rules, bytes, entry);
			*ret_index = entry->index;
			if (table_added(entry))
				return 0;
			free(entry);
			return -ENOMEM; /* the class stays, to be freed with the rest */
		}
	}
	free(entry);
	free(class.rules);
	return -ENOMEM;
}

static int end_stretch(struct sweep *s, uint8_t proto, uint32_t first, uint32_t next)
{
	struct port_range *last = s->ranges.n ? &s->ranges.v[s->ranges.n - 1] : NULL;
	uint32_t index = 0;

	if (s->n_active == 0 || first == next)
		return 0;
	s->g->counts.pairs_passed += s->n_active;
	s->pairs += s->n_active;
	if (s->pairs > PROFILE_PAIRS_MAX)
		s->over = PROFILE_LIMIT_PAIRS;
	if (s->ranges.n == PROFILE_RANGES_MAX)
		s->over = PROFILE_LIMIT_RANGES;
	if (s->over)
		return 0;
	if (class_of_active(s, &index) < 0)
		return -ENOMEM;
	if (s->over)
		return 0;
	if (last && last->proto == proto && last->class_index == index &&
	    last->last + 1u == first) {
		last->last = (uint16_t)(next - 1);
		return 0;
	}
	return vec_push(&s->ranges,
			(struct port_range){proto, (uint16_t)first, (uint16_t)(next - 1), index});
}

static int sweep_proto(struct sweep *s, uint8_t proto)
{
	size_t n = s->edges[proto].n;
	struct edge *edges = s->edges[proto].v;
	uint32_t from = 0;
	int rc = 0;

	if (n == 0)
		return 0;
	qsort(edges, n, sizeof(edges[0]), compare_edges);
	for (size_t i = 0; i < n && rc == 0 && !s->over; i++) {
		if (edges[i].port != from) {
			rc = end_stretch(s, proto, from, edges[i].port);
			from = edges[i].port;
		}
		pass_edge(s, &edges[i]);
	}
	return rc;
}

static int compare_named(const void *left, const void *right)
{
	const struct named_port *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	if (order == 0)
		order = (a->proto > b->proto) - (a->proto < b->proto);
	return order != 0 ? order : (a->rule > b->rule) - (a->rule < b->rule);
}

/* In order, and each once. */
static void sort_named(struct sweep *s)
{
	size_t kept = 0;

	if (s->named.n == 0)
		return;
	qsort(s->named.v, s->named.n, sizeof(s->named.v[0]), compare_named);
	for (size_t i = 1; i < s->named.n; i++) {
		if (compare_named(&s->named.v[kept], &s->named.v[i]) != 0)
			s->named.v[++kept] = s->named.v[i];
	}
	s->named.n = kept + 1;
}

static void forget_classes(struct sweep *s)
{
	for (size_t i = 0; i < s->classes.n; i++)
		free(s->classes.v[i].rules);
	vec_free(&s->classes);
	vec_free(&s->ranges);
	vec_free(&s->named);
}

static void hand_over(struct sweep *s)
{
	struct profile *profile = s->profile;

	s->handed_over = true;
	profile->every.rules = s->every.v;
	profile->every.n_rules = s->every.n;
	profile->classes = s->classes.v;
	profile->n_classes = s->classes.n;
	profile->ranges = s->ranges.v;
	profile->n_ranges = s->ranges.n;
	profile->named = s->named.v;
	profile->n_named = s->named.n;
}

static int run(struct sweep *s, const struct pod *pod)
{
	int rc = collect(s, pod);

	for (uint8_t proto = 0; proto < PROTO_COUNT && rc == 0 && !s->over; proto++)
		rc = sweep_proto(s, proto);
	if (rc < 0)
		return rc;
	s->profile->over = s->over;
	if (s->over)
		return 0;
	sort_named(s);
	hand_over(s);
	return build_parts(s->g, s->profile);
}

int build_classes(struct graph *g, struct profile *profile, const struct pod *pod)
{
	struct sweep s = {.g = g, .profile = profile};
	struct class_entry *entry, *tmp;
	int rc = -ENOMEM;

	s.depth = calloc(profile->n_rules + 1, sizeof(s.depth[0]));
	s.active = calloc(profile->n_rules + 1, sizeof(s.active[0]));
	if (s.depth && s.active)
		rc = run(&s, pod);
	HASH_ITER (hh, s.known, entry, tmp) {
		HASH_DEL(s.known, entry);
		free(entry);
	}
	for (int proto = 0; proto < PROTO_COUNT; proto++)
		vec_free(&s.edges[proto]);
	free(s.depth);
	free(s.active);
	if (!s.handed_over) {
		forget_classes(&s);
		vec_free(&s.every);
	}
	return rc;
}

static void class_done(struct graph *g, struct port_class *class)
{
	peers_done(g, &class->own);
	free(class->parts);
	free(class->rules);
	*class = (struct port_class){0};
}

void classes_done(struct graph *g, struct profile *profile)
{
	class_done(g, &profile->every);
	for (size_t i = 0; i < profile->n_classes; i++)
		class_done(g, &profile->classes[i]);
	free(profile->classes);
	free(profile->ranges);
	free(profile->named);
	profile->classes = NULL;
	profile->ranges = NULL;
	profile->named = NULL;
	profile->n_classes = profile->n_ranges = profile->n_named = 0;
}
