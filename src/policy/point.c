/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A port is looked up in the classes as a packet would be. An end whose address nobody knows yet
 * may have any of the family that the other end has, or of either: where all of these fare alike,
 * that is the answer. */
#include "point.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum answer max_answer(enum answer a, enum answer b)
{
	return a > b ? a : b;
}

static enum answer min_answer(enum answer a, enum answer b)
{
	return a < b ? a : b;
}

/* Of two families that may be. */
static enum answer either_answer(enum answer a, enum answer b)
{
	return a == b ? a : ANSWER_MAYBE;
}

/* The families that the pair can be of. */
static size_t pair_families(const struct flow_pair *pair, enum family ret[FAMILY_COUNT])
{
	const struct flow_end *known = pair->from.has_addr ? &pair->from : &pair->to;

	if (known->has_addr) {
		ret[0] = (enum family)known->addr.family;
		return 1;
	}
	for (int family = 0; family < FAMILY_COUNT; family++)
		ret[family] = (enum family)family;
	return FAMILY_COUNT;
}

static enum answer peers_answer(const struct peers *peers, const struct flow_end *end,
				enum family family)
{
	const struct block_set *blocks = peers->blocks[family];

	if (peers->any)
		return ANSWER_YES;
	for (size_t i = 0;
	     end->kind == END_POD && !end->link_local && peers->pods && i < peers->pods->n; i++) {
		if (selector_matches(peers->pods->selectors[i], end->pod))
			return ANSWER_YES;
	}
	if (!blocks)
		return ANSWER_NO;
	if (end->has_addr)
		return ranges_contain(&blocks->ranges, &end->addr) ? ANSWER_YES : ANSWER_NO;
	return ranges_are_all(&blocks->ranges, family) ? ANSWER_YES : ANSWER_MAYBE;
}

static const struct flow_end *other_end(const struct flow_pair *pair, enum direction dir)
{
	return dir == DIR_INGRESS ? &pair->from : &pair->to;
}

enum answer pair_peers_answer(const struct flow_pair *pair, enum direction dir,
			      const struct peers *peers)
{
	enum family families[FAMILY_COUNT];
	size_t n = pair_families(pair, families);
	enum answer answer = peers_answer(peers, other_end(pair, dir), families[0]);

	for (size_t i = 1; i < n; i++)
		answer = either_answer(answer,
				       peers_answer(peers, other_end(pair, dir), families[i]));
	return answer;
}

static const struct port_class *find_class(const struct profile *profile, enum proto proto,
					   uint16_t port)
{
	size_t low = 0, high = profile->n_ranges;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct port_range *range = &profile->ranges[middle];

		if (range->proto < proto || (range->proto == proto && range->last < port))
			low = middle + 1;
		else if (range->proto > proto || range->first > port)
			high = middle;
		else
			return &profile->classes[range->class_index];
	}
	return NULL;
}

bool pod_has_port(const struct flow_end *end, const char *name, enum proto proto, uint16_t port)
{
	size_t first, n;

	if (end->kind != END_POD)
		return false;
	n = pod_ports_named(end->pod->object, name, (uint8_t)proto, &first);
	for (size_t i = first; i < first + n; i++) {
		if (end->pod->object->ports[i].number == port)
			return true;
	}
	return false;
}

/* One direction at one port, for one family. */
struct point {
	const struct profile *profile;
	const struct port_class *class; /* of the port; NULL: none */
	const struct flow_end *other;
	uint8_t *known; /* of the family */
	enum family family;
	enum proto proto; /* PROTO_OTHER has no ports */
	uint16_t port;
};

/* The peers that may be met at the point, one after the other: those of `every` first. NULL: no
 * more. `at` begins with 0. */
static const struct peers *next_peers(const struct point *point, size_t *at)
{
	const struct profile *profile = point->profile;
	const struct port_class *every = &profile->every, *class = point->class;
	size_t i = (*at)++;

	if (i < every->n_parts)
		return every->parts[i];
	i -= every->n_parts;
	if (class && i < class->n_parts)
		return class->parts[i];
	for (i -= class ? class->n_parts : 0; i < profile->n_named; i++, (*at)++) {
		const struct named_port *named = &profile->named[i];

		/* The sets of an egress rule have the addresses that policies name. */
		if (named->proto == point->proto && !point->other->link_local &&
		    pod_has_port(point->other, named->name, point->proto, point->port))
			return &profile->rules[named->rule].peers;
	}
	return NULL;
}

static enum answer class_answer(const struct point *point, const struct port_class *class,
				uint8_t *known)
{
	enum answer answer = ANSWER_NO;

	if (*known > 0)
		return (enum answer)(*known - 1);
	for (size_t i = 0; i < class->n_parts && answer < ANSWER_YES; i++)
		answer = max_answer(answer,
				    peers_answer(class->parts[i], point->other, point->family));
	*known = (uint8_t)(answer + 1);
	return answer;
}

/* Goes on from `at`, the first address that is not covered yet; true: it has got further. */
static bool extend(const struct block_set *set, uint8_t at[16], bool *all)
{
	size_t bytes = set ? addr_bytes((enum family)set->family) : 0;

	for (size_t i = 0; set && i < set->ranges.all.n; i++) {
		const struct range *range = &set->ranges.all.v[i];
		size_t byte = bytes;

		if (memcmp(range->lo, at, bytes) > 0 || memcmp(range->hi, at, bytes) < 0)
			continue;
		memcpy(at, range->hi, bytes);
		while (byte > 0 && ++at[byte - 1] == 0)
			byte--;
		*all = byte == 0;
		return true;
	}
	return false;
}

/* Where the address is not known: are all addresses of the family among the peers, some of them
 * among one rule's and some among another's? */
static bool covers_family(const struct point *point)
{
	uint8_t at[16] = {0};
	bool further = true, all = false;

	while (further && !all) {
		const struct peers *peers;

		further = false;
		for (size_t i = 0; !all && (peers = next_peers(point, &i));)
			further |= extend(peers->blocks[point->family], at, &all);
	}
	return all;
}

static enum answer point_answer(const struct point *point)
{
	const struct profile *profile = point->profile;
	size_t at = 0;
	enum answer answer;
	const struct peers *peers;

	if (!profile)
		return ANSWER_YES; /* not isolated */
	answer = class_answer(point, &profile->every, &point->known[profile->n_classes]);
	at += profile->every.n_parts;
	if (point->class && answer < ANSWER_YES) {
		size_t index = (size_t)(point->class - profile->classes);

		answer =
			max_answer(answer, class_answer(point, point->class, &point->known[index]));
		at += point->class->n_parts;
	}
	while (answer < ANSWER_YES && (peers = next_peers(point, &at)))
		answer = max_answer(answer, peers_answer(peers, point->other, point->family));
	return answer == ANSWER_MAYBE && covers_family(point) ? ANSWER_YES : answer;
}

static void evaluate_family(const struct flow_pair *pair, const struct pair_profiles *profiles,
			    enum family family, struct flow_stretch *stretch)
{
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		const struct profile *profile = profiles->dir[dir];
		struct point point = {
			.profile = profile,
			.other = other_end(pair, (enum direction)dir),
			.family = family,
			.proto = stretch->proto,
			.port = stretch->first,
		};

		if (profile) {
			point.known =
				profiles->known[dir] + (size_t)family * (profile->n_classes + 1);
			if (stretch->proto != PROTO_OTHER)
				point.class = find_class(profile, stretch->proto, stretch->first);
		}
		stretch->dir[dir] = point_answer(&point);
	}
	if (pair->node_dns && stretch->first == DNS_PORT &&
	    (stretch->proto == PROTO_TCP || stretch->proto == PROTO_UDP))
		stretch->dir[DIR_EGRESS] = ANSWER_YES;
	stretch->whole = min_answer(stretch->dir[DIR_INGRESS], stretch->dir[DIR_EGRESS]);
}

void point_evaluate(const struct flow_pair *pair, const struct pair_profiles *profiles,
		    struct flow_stretch *stretch)
{
	enum family families[FAMILY_COUNT];
	size_t n = pair_families(pair, families);

	evaluate_family(pair, profiles, families[0], stretch);
	for (size_t i = 1; i < n; i++) {
		struct flow_stretch other = *stretch;

		evaluate_family(pair, profiles, families[i], &other);
		for (int dir = 0; dir < DIR_COUNT; dir++)
			stretch->dir[dir] = either_answer(stretch->dir[dir], other.dir[dir]);
		stretch->whole = either_answer(stretch->whole, other.whole);
	}
}

int pair_profiles_find(struct graph *g, const struct flow_pair *pair, struct pair_profiles *ret)
{
	int rc = 0;

	*ret = (struct pair_profiles){0};
	if (pair->reason != PAIR_POLICY)
		return 0;
	if (pair->from.kind == END_POD)
		rc = graph_profile(g, pair->from.pod, DIR_EGRESS, &ret->dir[DIR_EGRESS]);
	if (rc == 0 && pair->to.kind == END_POD)
		rc = graph_profile(g, pair->to.pod, DIR_INGRESS, &ret->dir[DIR_INGRESS]);
	for (int dir = 0; dir < DIR_COUNT && rc == 0; dir++) {
		if (!ret->dir[dir])
			continue;
		ret->known[dir] = calloc(ret->dir[dir]->n_classes + 1, FAMILY_COUNT);
		rc = ret->known[dir] ? 0 : -ENOMEM;
	}
	return rc;
}

void pair_profiles_done(struct pair_profiles *profiles)
{
	for (int dir = 0; dir < DIR_COUNT; dir++)
		free(profiles->known[dir]);
}
