/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a namespace may cause on this node, in bytes of this process and of the kernel together. A
 * profile is told as closed first; at the end of each event those of a namespace that fit into its
 * budget are open, the cheapest first. What fits is a function of the objects alone: of what
 * policies come to, and of how many pods their selectors select, in powers of two, so that it is
 * looked at again only when one of these is passed. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "internal.h"

/* Here and in the kernel, by the sizes of structs and of what the kernel allocates for a rule and
 * an element (nft_set_ext of nf_tables.h, slabs included). tests/e2e/bounds.py runs the dearest
 * inputs under a limit on memory. */
#define RULE_BYTES     200  /* a rule of a policy, as the graph has it */
#define PAIR_BYTES     12   /* a class's reference to a rule, and to its peers */
#define CLASS_BYTES    1500 /* a class and its chain */
#define STMT_BYTES     1100 /* a rule in a chain */
#define PORTS_BYTES    750  /* an element of the map from ports to classes */
#define RANGE_BYTES    750  /* a range of addresses in an interval set: two elements there */
#define SET_BYTES      2500 /* two sets without elements */
#define SELECTOR_BYTES 4000 /* not its memory alone: each change of a pod is held against it */

#ifndef MEMBER_BYTES     /* tests have more */
#define MEMBER_BYTES 280 /* an address of a pod in a set */
#define MEMBERS_STEP 256 /* fewer members of a selector count as so many */
#endif

size_t budget_members(size_t n)
{
	size_t step = MEMBERS_STEP;

	while (step < n)
		step *= 2;
	return step;
}

static size_t selector_bytes(const struct selector *selector)
{
	const struct label_selector *both[] = {&selector->namespaces, &selector->pods};
	size_t units = 1;

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		for (size_t j = 0; j < both[i]->n; j++)
			units += 1 + both[i]->v[j].n_values;
	}
	return units * SELECTOR_BYTES;
}

/* The needs of a profile, found when it is built. */

static int need_set(struct profile *profile, struct peer_set *set, uint64_t mark)
{
	if (!set || set->mark == mark)
		return 0;
	set->mark = mark;
	if (vec_push(&profile->needs.sets, set) < 0)
		return -ENOMEM;
	set->refs++;
	return 0;
}

static int need_item(struct profile *profile, uint64_t id, size_t bytes)
{
	profile->needs.total += bytes;
	return vec_push(&profile->needs.items, (struct need){id, bytes});
}

static int need_blocks(struct profile *profile, struct block_set *set, uint64_t mark)
{
	if (!set || set->mark == mark)
		return 0;
	set->mark = mark;
	return need_item(profile, set->id, set->ranges.all.n * RANGE_BYTES);
}

static int need_class(struct profile *profile, const struct port_class *class, uint64_t mark)
{
	size_t bytes = CLASS_BYTES;
	uint64_t id = 0;
	int rc = 0;

	for (size_t i = 0; i < class->n_parts && rc == 0; i++) {
		const struct peers *peers = class->parts[i];
		uint64_t part[] = {id, (uintptr_t)peers->pods,
				   peers->blocks[FAMILY_V4] ? peers->blocks[FAMILY_V4]->id : 0,
				   peers->blocks[FAMILY_V6] ? peers->blocks[FAMILY_V6]->id : 0};

		id = hash_bytes(part, sizeof(part));
		bytes += STMT_BYTES *
			 ((peers->pods ? FAMILY_COUNT : 0) + (peers->blocks[FAMILY_V4] != NULL) +
			  (peers->blocks[FAMILY_V6] != NULL));
		rc = need_set(profile, peers->pods, mark);
		for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
			rc = need_blocks(profile, peers->blocks[family], mark);
	}
	profile->needs.own += PAIR_BYTES * (class->n_rules + class->n_parts);
	return rc == 0 ? need_item(profile, id, bytes) : rc;
}

/* Named ports: for each name the peers that may be met there. */
static int need_named(struct profile *profile)
{
	for (size_t i = 0; i < profile->n_named; i++) {
		const struct named_port *named = &profile->named[i];
		const struct peers *peers = &profile->rules[named->rule].peers;
		struct named_need need = {named->name, named->proto, peers->pods};

		/* ipBlocks match pods as well. */
		if (peers->any || peers->blocks[FAMILY_V4] || peers->blocks[FAMILY_V6])
			need.pods = NULL;
		if (vec_push(&profile->needs.named, need) < 0)
			return -ENOMEM;
		if (need.pods)
			need.pods->refs++;
	}
	return 0;
}

int budget_measure(struct graph *g, struct profile *profile)
{
	struct needs *needs = &profile->needs;
	uint64_t mark = ++g->mark;
	int rc;

	needs->own = profile->n_rules * RULE_BYTES + profile->n_ranges * PORTS_BYTES;
	rc = need_class(profile, &profile->every, mark);
	for (size_t i = 0; i < profile->n_classes && rc == 0; i++)
		rc = need_class(profile, &profile->classes[i], mark);
	if (rc == 0)
		rc = need_named(profile);
	for (size_t i = 0; i < needs->sets.n; i++) {
		needs->total += SET_BYTES;
		for (size_t j = 0; j < needs->sets.v[i]->n; j++)
			needs->total += selector_bytes(needs->sets.v[i]->selectors[j]);
	}
	needs->total += needs->own;
	return rc;
}

void budget_forget(struct graph *g, struct profile *profile)
{
	struct needs *needs = &profile->needs;

	for (size_t i = 0; i < needs->sets.n; i++)
		peer_set_put(g, needs->sets.v[i]);
	for (size_t i = 0; i < needs->named.n; i++) {
		if (needs->named.v[i].pods)
			peer_set_put(g, needs->named.v[i].pods);
	}
	vec_free(&needs->sets);
	vec_free(&needs->items);
	vec_free(&needs->named);
	*needs = (struct needs){0};
}

/* What sets hold. */

static size_t set_members(const struct graph *g, const struct peer_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += budget_members(selector_count(g, set->selectors[i]));
	return n;
}

static size_t set_bytes(const struct graph *g, const struct peer_set *set, bool members)
{
	size_t bytes = SET_BYTES;

	for (size_t i = 0; i < set->n; i++)
		bytes += selector_bytes(set->selectors[i]);
	return bytes + (members ? set_members(g, set) * MEMBER_BYTES : 0);
}

/* At most so many pods have a port of the name and may be met there; a bound that the index knows.
 */
static size_t named_members(const struct graph *g, const struct needs *needs, size_t *at)
{
	const struct named_need *first = &needs->named.v[*at];
	size_t with_name = budget_members(named_count(g, first->name, first->proto)), among = 0;

	for (; *at < needs->named.n; ++*at) {
		const struct named_need *need = &needs->named.v[*at];

		if (need->name != first->name || need->proto != first->proto)
			break;
		for (size_t i = 0; need->pods && i < need->pods->n; i++)
			among += budget_members(selector_estimate(g, need->pods->selectors[i]));
		if (!need->pods)
			among += with_name;
	}
	return among < with_name ? among : with_name;
}

static size_t named_bytes(const struct graph *g, const struct needs *needs)
{
	size_t n = 0;

	for (size_t at = 0; at < needs->named.n;)
		n += named_members(g, needs, &at);
	return n * MEMBER_BYTES;
}

/* What is charged to the namespace already: profiles share it. */

struct charged {
	uint64_t id;
	UT_hash_handle hh;
};

struct account {
	const struct graph *g;
	struct charged *table;
	size_t bytes;
	bool members; /* count them */
};

static bool is_charged(const struct account *account, uint64_t id)
{
	struct charged *charged;

	HASH_FIND(hh, account->table, &id, sizeof(id), charged);
	return charged;
}

static int charge(struct account *account, uint64_t id)
{
	struct charged *charged;

	if (is_charged(account, id))
		return 0;
	charged = calloc(1, sizeof(*charged));
	if (!charged)
		return -ENOMEM;
	charged->id = id;
	HASH_ADD(hh, account->table, id, sizeof(charged->id), charged);
	if (table_added(charged))
		return 0;
	free(charged);
	return -ENOMEM;
}

static uint64_t set_id(const struct peer_set *set)
{
	return hash_bytes(&set, sizeof(set));
}

static size_t marginal_bytes(const struct account *account, const struct needs *needs)
{
	size_t bytes = needs->own;

	for (size_t i = 0; i < needs->items.n; i++) {
		if (!is_charged(account, needs->items.v[i].id))
			bytes += needs->items.v[i].bytes;
	}
	for (size_t i = 0; i < needs->sets.n; i++) {
		if (!is_charged(account, set_id(needs->sets.v[i])))
			bytes += set_bytes(account->g, needs->sets.v[i], account->members);
	}
	return bytes + (account->members ? named_bytes(account->g, needs) : 0);
}

static int charge_all(struct account *account, const struct needs *needs)
{
	int rc = 0;

	for (size_t i = 0; i < needs->items.n && rc == 0; i++)
		rc = charge(account, needs->items.v[i].id);
	for (size_t i = 0; i < needs->sets.n && rc == 0; i++)
		rc = charge(account, set_id(needs->sets.v[i]));
	return rc;
}

/* The profile is in, or does not fit. */
static int try_profile(struct account *account, struct profile *profile)
{
	size_t bytes = marginal_bytes(account, &profile->needs);

	profile->fits = account->bytes + bytes <= NAMESPACE_BYTES_MAX;
	if (!profile->fits)
		return 0;
	account->bytes += bytes;
	return charge_all(account, &profile->needs);
}

static int fit(const struct graph *g, struct profile *const sorted[], size_t n, bool members)
{
	struct account account = {.g = g, .members = members};
	struct charged *charged, *tmp;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		if (!members || sorted[i]->fits)
			rc = try_profile(&account, sorted[i]);
	}
	HASH_ITER (hh, account.table, charged, tmp) {
		HASH_DEL(account.table, charged);
		free(charged);
	}
	return rc;
}

static int compare_profiles(const void *left, const void *right)
{
	const struct profile *a = *(struct profile *const *)left;
	const struct profile *b = *(struct profile *const *)right;
	int order = (a->needs.total > b->needs.total) - (a->needs.total < b->needs.total);

	return order != 0 ? order : strcmp(a->text, b->text);
}

/* Opening, closing, and counting for those that are closed. */

/* The first n sets' selectors. */
static void unwatch_sets(struct graph *g, const struct needs *needs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < needs->sets.v[i]->n; j++)
			selector_unwatch(g, needs->sets.v[i]->selectors[j]);
	}
}

static int watch_set(struct graph *g, const struct peer_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		if (selector_watch(g, set->selectors[i]) == 0)
			continue;
		while (i-- > 0)
			selector_unwatch(g, set->selectors[i]);
		return -ENOMEM;
	}
	return 0;
}

static int watch(struct graph *g, struct profile *profile, bool on)
{
	const struct needs *needs = &profile->needs;

	if (profile->watching == on)
		return 0;
	if (!on)
		unwatch_sets(g, needs, needs->sets.n);
	for (size_t i = 0; on && i < needs->sets.n; i++) {
		if (watch_set(g, needs->sets.v[i]) == 0)
			continue;
		unwatch_sets(g, needs, i);
		return -ENOMEM;
	}
	profile->watching = on;
	return 0;
}

static struct graph_pod *pod_of(const struct profile *profile)
{
	for (struct graph_pod *pod = profile->ns->pods; pod; pod = pod->hh.next) {
		if (pod->profiles[profile->dir] == profile)
			return pod;
	}
	return NULL;
}

static void set_over(struct graph *g, struct profile *profile, enum profile_limit over)
{
	if (over && !profile->over)
		g->counts.over_limit += profile->refs;
	if (!over && profile->over)
		g->counts.over_limit -= profile->refs;
	profile->over = over;
}

static int open_profile(struct graph *g, struct profile *profile)
{
	const struct graph_pod *pod = profile->built ? NULL : pod_of(profile);

	if (profile->open)
		return 0;
	set_over(g, profile, PROFILE_LIMIT_NONE);
	if (!profile->built && (!pod || profile_build(g, profile, pod->object) < 0))
		return -ENOMEM;
	return profile_open(g, profile);
}

static void close_profile(struct graph *g, struct profile *profile)
{
	if (profile->open)
		profile_close(g, profile);
	set_over(g, profile, PROFILE_LIMIT_NAMESPACE);
	profile_clear(g, profile);
}

static int apply(struct graph *g, struct profile *const sorted[], size_t n)
{
	int rc = 0;

	/* First what goes: both together would be more than there may be. */
	for (size_t i = 0; i < n; i++) {
		if (!sorted[i]->fits)
			close_profile(g, sorted[i]);
	}
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (sorted[i]->fits)
			rc = open_profile(g, sorted[i]);
	}
	return rc;
}

static int settle_tight(struct graph *g, struct profile *const sorted[], size_t n)
{
	int rc = fit(g, sorted, n, false);

	/* Who is closed for what its policies are by themselves needs no count of pods. */
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = watch(g, sorted[i], sorted[i]->fits);
	if (rc == 0)
		rc = fit(g, sorted, n, true);
	return rc == 0 ? apply(g, sorted, n) : rc;
}

/* Everything as if nothing were shared, pods by what the index knows at once. */
static bool fits_surely(const struct graph *g, const struct graph_namespace *ns)
{
	const struct profile *profile;
	size_t bytes = 0;

	DL_FOREACH2(ns->profiles, profile, next_here)
	{
		if (profile->refs == 0)
			continue; /* it goes with this event */
		bytes += profile->needs.total + named_bytes(g, &profile->needs);
		for (size_t i = 0; i < profile->needs.sets.n; i++)
			bytes += set_members(g, profile->needs.sets.v[i]) * MEMBER_BYTES;
		if (bytes > NAMESPACE_BYTES_MAX)
			return false;
	}
	return true;
}

static int settle_namespace(struct graph *g, struct graph_namespace *ns)
{
	struct profile *profile, **sorted;
	bool surely = fits_surely(g, ns);
	size_t n = 0;
	int rc = 0;

	if (surely) {
		DL_FOREACH2(ns->profiles, profile, next_here)
		{
			if (rc == 0 && profile->refs > 0)
				rc = open_profile(g, profile);
			if (rc == 0)
				rc = watch(g, profile, false);
		}
		return rc;
	}
	DL_COUNT2(ns->profiles, profile, n, next_here);
	sorted = malloc((n + 1) * sizeof(sorted[0]));
	if (!sorted)
		return -ENOMEM;
	n = 0;
	DL_FOREACH2(ns->profiles, profile, next_here)
	{
		if (profile->refs > 0)
			sorted[n++] = profile;
	}
	qsort(sorted, n, sizeof(sorted[0]), compare_profiles);
	rc = settle_tight(g, sorted, n);
	free(sorted);
	return rc;
}

void budget_enter(struct graph *g, struct profile *profile)
{
	DL_APPEND2(profile->ns->profiles, profile, prev_here, next_here);
	budget_changed(g, profile->ns);
}

void budget_leave(struct graph *g, struct profile *profile)
{
	(void)watch(g, profile, false); /* to stop cannot fail */
	DL_DELETE2(profile->ns->profiles, profile, prev_here, next_here);
}

void budget_changed(struct graph *g, struct graph_namespace *ns)
{
	if (ns->unsettled)
		return;
	ns->unsettled = true;
	ns->next_unsettled = g->unsettled;
	g->unsettled = ns;
}

void budget_drop_namespace(struct graph *g, struct graph_namespace *ns)
{
	if (ns->unsettled)
		LL_DELETE2(g->unsettled, ns, next_unsettled);
}

int budget_settle(struct graph *g)
{
	int rc = 0;

	if (g->recount) {
		g->recount = false;
		for (struct graph_namespace *ns = g->namespaces; ns; ns = ns->hh.next) {
			if (ns->profiles)
				budget_changed(g, ns);
		}
	}
	while (g->unsettled && rc == 0) {
		struct graph_namespace *ns = g->unsettled;

		g->unsettled = ns->next_unsettled;
		ns->unsettled = false;
		rc = settle_namespace(g, ns);
	}
	return rc;
}
