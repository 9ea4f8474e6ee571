/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The label index. A pod's change visits the selectors that its labels can match; a selector's
 * first use visits the pods that its requirements can match. Neither walks all of the other. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/task.h"
#include "internal.h"

/* An In with more values than this is looked up by its key alone. */
#define ANCHOR_VALUES_MAX 8

static const char *const port_values[PROTO_COUNT] = {"tcp port", "udp port", "sctp port"};

/* A port's name and protocol have postings as labels do. The address of the text is the value: no
 * interned label value has it. */
const char *port_value(enum proto proto)
{
	return port_values[proto];
}

const struct posting *find_posting(const struct graph *g, const char *key, const char *value)
{
	struct posting_key wanted = {key, value};
	struct posting *posting;

	HASH_FIND(hh, g->postings, &wanted, sizeof(wanted), posting);
	return posting;
}

static size_t posting_count(const struct pod *pod)
{
	return pod->labels.n + pod->n_ports;
}

static struct posting_key posting_key(const struct pod *pod, size_t i)
{
	if (i < pod->labels.n)
		return (struct posting_key){pod->labels.v[i].key, pod->labels.v[i].value};
	const struct pod_port *port = &pod->ports[i - pod->labels.n];
	return (struct posting_key){port->name, port_value((enum proto)port->proto)};
}

static bool is_label(const struct posting_key *key)
{
	for (int proto = 0; proto < PROTO_COUNT; proto++) {
		if (key->value == port_values[proto])
			return false;
	}
	return true;
}

static struct posting_list *get_list(struct graph *g, const char *key)
{
	struct posting_list *list;

	HASH_FIND_PTR(g->posting_lists, &key, list);
	if (list)
		return list;
	list = calloc(1, sizeof(*list));
	if (!list)
		return NULL;
	list->key = key;
	HASH_ADD_PTR(g->posting_lists, key, list);
	if (table_added(list))
		return list;
	free(list);
	return NULL;
}

static void leave_list(struct graph *g, struct posting *posting)
{
	struct posting_list *list;

	HASH_FIND_PTR(g->posting_lists, &posting->key.key, list);
	LL_DELETE2(list->first, posting, next_of_key);
	if (!list->first) {
		HASH_DEL(g->posting_lists, list);
		free(list);
	}
}

static struct posting *get_posting(struct graph *g, struct posting_key key)
{
	struct posting *posting;

	HASH_FIND(hh, g->postings, &key, sizeof(key), posting);
	if (posting)
		return posting;
	posting = calloc(1, sizeof(*posting));
	if (!posting)
		return NULL;
	posting->key = key;
	if (is_label(&key)) {
		struct posting_list *list = get_list(g, key.key);
		if (!list) {
			free(posting);
			return NULL;
		}
		LL_PREPEND2(list->first, posting, next_of_key);
	}
	HASH_ADD(hh, g->postings, key, sizeof(posting->key), posting);
	if (table_added(posting))
		return posting;
	if (is_label(&key))
		leave_list(g, posting);
	free(posting);
	return NULL;
}

static void drop_posting(struct graph *g, struct posting *posting)
{
	if (is_label(&posting->key))
		leave_list(g, posting);
	HASH_DEL(g->postings, posting);
	vec_free(&posting->pods);
	free(posting);
}

/* Several numbers of a port's name have one place in its posting. */
static void count_numbers(struct graph *g, struct posting *posting, bool more)
{
	note_count(g, posting->numbers, more ? posting->numbers + 1 : posting->numbers - 1);
	if (more)
		posting->numbers++;
	else
		posting->numbers--;
}

static bool same_key(struct posting_key a, struct posting_key b)
{
	return a.key == b.key && a.value == b.value;
}

/* Several numbers of one port's name follow each other, and have one posting: the first's. */
static bool is_repeat(const struct pod *pod, size_t i)
{
	return i > pod->labels.n && same_key(posting_key(pod, i - 1), posting_key(pod, i));
}

static void remove_postings(struct graph *g, struct graph_pod *pod, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct posting_key key = posting_key(pod->object, i);
		struct posting *posting;

		if (is_repeat(pod->object, i))
			continue;
		HASH_FIND(hh, g->postings, &key, sizeof(key), posting);
		for (size_t j = i; j == i || (j < n && is_repeat(pod->object, j)); j++)
			count_numbers(g, posting, false);
		size_t at = pod->postings[i];
		vec_remove_swap(&posting->pods, at);
		if (at < posting->pods.n) {
			/* The pod that took the place must know. */
			struct graph_pod *moved = posting->pods.v[at];
			size_t slot = 0;

			while (!same_key(posting_key(moved->object, slot), key))
				slot++;
			moved->postings[slot] = (uint32_t)at;
		}
		if (posting->pods.n == 0)
			drop_posting(g, posting);
	}
	free(pod->postings);
	pod->postings = NULL;
}

static int add_postings(struct graph *g, struct graph_pod *pod)
{
	size_t n = posting_count(pod->object);

	pod->postings = calloc(n + 1, sizeof(pod->postings[0]));
	if (!pod->postings)
		return -ENOMEM;
	struct posting *posting = NULL;

	for (size_t i = 0; i < n; i++) {
		if (is_repeat(pod->object, i)) {
			count_numbers(g, posting, true);
			continue;
		}
		posting = get_posting(g, posting_key(pod->object, i));
		if (!posting || vec_push(&posting->pods, pod) < 0) {
			if (posting && posting->pods.n == 0)
				drop_posting(g, posting);
			remove_postings(g, pod, i);
			return -ENOMEM;
		}
		count_numbers(g, posting, true);
		pod->postings[i] = (uint32_t)(posting->pods.n - 1);
	}
	return 0;
}

static int add_membership(struct graph_pod *pod, struct selector *selector)
{
	if (vec_push(&pod->memberships, (struct membership){selector, selector->members.n}) < 0)
		return -ENOMEM;
	if (vec_push(&selector->members, (struct member){pod, pod->memberships.n - 1}) < 0) {
		pod->memberships.n--;
		return -ENOMEM;
	}
	return 0;
}

/* Takes membership `at` of the pod out on both sides. */
static void remove_membership(struct graph_pod *pod, size_t at)
{
	struct membership gone = pod->memberships.v[at];

	vec_remove_swap(&gone.selector->members, gone.back);
	if (gone.back < gone.selector->members.n) {
		struct member *moved = &gone.selector->members.v[gone.back];
		moved->pod->memberships.v[moved->back].back = gone.back;
	}
	vec_remove_swap(&pod->memberships, at);
	if (at < pod->memberships.n) {
		struct membership *moved = &pod->memberships.v[at];
		moved->selector->members.v[moved->back].back = at;
	}
}

/* The requirement to look a selector up by: an In with few values, else (for pods) one that wants
 * the key. NULL: none helps. */
static const struct requirement *anchor_requirement(const struct label_selector *selector,
						    bool key_will_do)
{
	const struct requirement *best = NULL;

	for (size_t i = 0; i < selector->n; i++) {
		const struct requirement *req = &selector->v[i];

		if (req->op == LABEL_IN && req->n_values <= ANCHOR_VALUES_MAX)
			return req;
		if (key_will_do && !best && (req->op == LABEL_IN || req->op == LABEL_EXISTS))
			best = req;
	}
	return best;
}

static bool by_value(const struct requirement *req)
{
	return req && req->op == LABEL_IN && req->n_values <= ANCHOR_VALUES_MAX;
}

typedef int (*anchor_fn)(struct graph *g, const struct anchor_key *key, struct selector *selector);

static int each_anchor(struct graph *g, struct selector *selector, anchor_fn fn)
{
	const struct requirement *ns = anchor_requirement(&selector->namespaces, false);
	const struct requirement *pod = anchor_requirement(&selector->pods, true);
	size_t n_ns = ns ? ns->n_values : 1, n_pod = by_value(pod) ? pod->n_values : 1;
	int rc = 0;

	for (size_t i = 0; i < n_ns && rc == 0; i++) {
		for (size_t j = 0; j < n_pod && rc == 0; j++) {
			struct anchor_key key = {
				.ns_key = ns ? ns->key : NULL,
				.ns_value = ns ? ns->values[i] : NULL,
				.pod_key = pod ? pod->key : NULL,
				.pod_value = by_value(pod) ? pod->values[j] : NULL,
			};
			rc = fn(g, &key, selector);
		}
	}
	return rc;
}

static int anchor_add(struct graph *g, const struct anchor_key *key, struct selector *selector)
{
	struct anchor *anchor;

	HASH_FIND(hh, g->anchors, key, sizeof(*key), anchor);
	if (!anchor) {
		anchor = calloc(1, sizeof(*anchor));
		if (!anchor)
			return -ENOMEM;
		anchor->key = *key;
		HASH_ADD(hh, g->anchors, key, sizeof(anchor->key), anchor);
		if (!table_added(anchor)) {
			free(anchor);
			return -ENOMEM;
		}
	}
	return vec_push(&anchor->selectors, selector);
}

static int anchor_remove(struct graph *g, const struct anchor_key *key, struct selector *selector)
{
	struct anchor *anchor;

	HASH_FIND(hh, g->anchors, key, sizeof(*key), anchor);
	if (!anchor)
		return 0;
	for (size_t i = 0; i < anchor->selectors.n; i++) {
		if (anchor->selectors.v[i] == selector) {
			vec_remove_swap(&anchor->selectors, i);
			break;
		}
	}
	if (anchor->selectors.n == 0) {
		HASH_DEL(g->anchors, anchor);
		vec_free(&anchor->selectors);
		free(anchor);
	}
	return 0;
}

static int join_anchored(struct graph *g, struct graph_pod *pod, const struct anchor_key *key)
{
	struct anchor *anchor;

	HASH_FIND(hh, g->anchors, key, sizeof(*key), anchor);
	for (size_t i = 0; anchor && i < anchor->selectors.n; i++) {
		struct selector *selector = anchor->selectors.v[i];

		g->counts.selectors_tested++;
		if (!selector_matches(selector, pod))
			continue;
		note_count(g, selector_count(g, selector), selector_count(g, selector) + 1);
		if (selector->active == 0)
			selector->counted++;
		else if (add_membership(pod, selector) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Those that only count lose the pod. */
static int leave_anchored(struct graph *g, struct graph_pod *pod, const struct anchor_key *key)
{
	struct anchor *anchor;

	HASH_FIND(hh, g->anchors, key, sizeof(*key), anchor);
	for (size_t i = 0; anchor && i < anchor->selectors.n; i++) {
		struct selector *selector = anchor->selectors.v[i];

		if (selector->active > 0)
			continue;
		g->counts.selectors_tested++;
		if (!selector_matches(selector, pod))
			continue;
		note_count(g, selector->counted, selector->counted - 1);
		selector->counted--;
	}
	return 0;
}

typedef int (*pod_anchor_fn)(struct graph *g, struct graph_pod *pod, const struct anchor_key *key);

/* All pod anchors under one namespace anchor. */
static int each_under(struct graph *g, struct graph_pod *pod, const struct label *ns_label,
		      pod_anchor_fn fn)
{
	const struct labels *labels = &pod->object->labels;
	struct anchor_key key = {
		.ns_key = ns_label ? ns_label->key : NULL,
		.ns_value = ns_label ? ns_label->value : NULL,
	};
	int rc = fn(g, pod, &key);

	for (size_t i = 0; i < labels->n && rc == 0; i++) {
		key.pod_key = labels->v[i].key;
		key.pod_value = NULL;
		rc = fn(g, pod, &key);
		key.pod_value = labels->v[i].value;
		if (rc == 0)
			rc = fn(g, pod, &key);
	}
	return rc;
}

/* All anchors that the labels of the pod and its namespace can match. */
static int each_anchor_of(struct graph *g, struct graph_pod *pod, pod_anchor_fn fn)
{
	const struct labels *labels = &pod->ns->labels;
	int rc = each_under(g, pod, NULL, fn);

	for (size_t i = 0; i < labels->n && rc == 0; i++)
		rc = each_under(g, pod, &labels->v[i], fn);
	return rc;
}

int index_pod(struct graph *g, struct graph_pod *pod)
{
	int rc = add_postings(g, pod);

	if (rc < 0)
		return rc;
	pod->indexed = true;
	return each_anchor_of(g, pod, join_anchored);
}

void unindex_pod(struct graph *g, struct graph_pod *pod)
{
	if (!pod->indexed)
		return;
	if (g->counting > 0)
		(void)each_anchor_of(g, pod, leave_anchored); /* cannot fail */
	while (pod->memberships.n > 0) {
		size_t members = pod->memberships.v[pod->memberships.n - 1].selector->members.n;

		note_count(g, members, members - 1);
		remove_membership(pod, pod->memberships.n - 1);
	}
	vec_free(&pod->memberships);
	remove_postings(g, pod, posting_count(pod->object));
	pod->indexed = false;
}

static int join_if_matching(struct graph *g, struct graph_pod *pod, struct selector *selector)
{
	g->counts.pods_scanned++;
	task_step();
	if (!pod->indexed || !selector_matches(selector, pod))
		return 0;
	if (selector->active > 0)
		return add_membership(pod, selector);
	selector->counted++;
	return 0;
}

static size_t posting_size(const struct graph *g, const char *key, const char *value)
{
	const struct posting *posting = find_posting(g, key, value);

	return posting ? posting->pods.n : 0;
}

/* The pods with one of the values, or with the key at all. */
static int scan_postings(struct graph *g, struct selector *selector, const struct requirement *req)
{
	struct posting_list *list = NULL;
	const struct posting *posting;
	size_t n = by_value(req) ? req->n_values : 1;
	int rc = 0;

	if (!by_value(req))
		HASH_FIND_PTR(g->posting_lists, &req->key, list);
	for (size_t i = 0; i < n; i++) {
		posting = by_value(req) ? find_posting(g, req->key, req->values[i])
					: (list ? list->first : NULL);
		for (; posting; posting = by_value(req) ? NULL : posting->next_of_key) {
			for (size_t j = 0; j < posting->pods.n && rc == 0; j++)
				rc = join_if_matching(g, posting->pods.v[j], selector);
		}
	}
	return rc;
}

static int scan_namespace(struct graph *g, struct selector *selector,
			  const struct graph_namespace *ns)
{
	int rc = 0;

	for (struct graph_pod *pod = ns->pods; pod && rc == 0; pod = pod->hh.next)
		rc = join_if_matching(g, pod, selector);
	return rc;
}

static int scan_namespaces(struct graph *g, struct selector *selector)
{
	int rc = 0;

	for (struct graph_namespace *ns = g->namespaces; ns && rc == 0; ns = ns->hh.next) {
		if (label_selector_matches(&selector->namespaces, &ns->labels))
			rc = scan_namespace(g, selector, ns);
	}
	return rc;
}

/* The namespaces that the selector names, when it names few. */
static const struct requirement *named_namespaces(const struct graph *g,
						  const struct selector *selector)
{
	for (size_t i = 0; i < selector->namespaces.n; i++) {
		const struct requirement *req = &selector->namespaces.v[i];

		if (req->key == g->ns_name_key && by_value(req))
			return req;
	}
	return NULL;
}

static int scan_named_namespaces(struct graph *g, struct selector *selector,
				 const struct requirement *names)
{
	int rc = 0;

	for (size_t i = 0; i < names->n_values && rc == 0; i++) {
		const struct graph_namespace *ns = graph_find_namespace(g, names->values[i]);

		if (ns)
			rc = scan_namespace(g, selector, ns);
	}
	return rc;
}

/* How many pods each way would visit; the smaller wins. */
static int scan_members(struct graph *g, struct selector *selector)
{
	const struct requirement *names = named_namespaces(g, selector);
	const struct requirement *label = anchor_requirement(&selector->pods, true);
	size_t in_namespaces = SIZE_MAX, with_label = SIZE_MAX;

	if (names) {
		in_namespaces = 0;
		for (size_t i = 0; i < names->n_values; i++) {
			const struct graph_namespace *ns =
				graph_find_namespace(g, names->values[i]);
			in_namespaces += ns ? HASH_COUNT(ns->pods) : 0;
		}
	}
	if (by_value(label)) {
		with_label = 0;
		for (size_t i = 0; i < label->n_values; i++)
			with_label += posting_size(g, label->key, label->values[i]);
	}
	if (names && in_namespaces <= with_label)
		return scan_named_namespaces(g, selector, names);
	if (label)
		return scan_postings(g, selector, label);
	return scan_namespaces(g, selector);
}

/* Each number is rounded before they are added, as each is noted by itself when it changes. */
size_t selector_estimate(const struct graph *g, const struct selector *selector)
{
	const struct requirement *names = named_namespaces(g, selector);
	const struct requirement *label = anchor_requirement(&selector->pods, true);
	size_t least = budget_members(g->counts.pods), n = 0;

	for (size_t i = 0; names && i < names->n_values; i++) {
		const struct graph_namespace *ns = graph_find_namespace(g, names->values[i]);

		n += budget_members(ns ? HASH_COUNT(ns->pods) : 0);
	}
	if (names && n < least)
		least = n;
	n = 0;
	for (size_t i = 0; by_value(label) && i < label->n_values; i++)
		n += budget_members(posting_size(g, label->key, label->values[i]));
	return by_value(label) && n < least ? n : least;
}

size_t selector_count(const struct graph *g, const struct selector *selector)
{
	if (selector->active > 0)
		return selector->members.n;
	return selector->watched > 0 ? selector->counted : selector_estimate(g, selector);
}

size_t named_count(const struct graph *g, const char *name, uint8_t proto)
{
	const struct posting *posting = find_posting(g, name, port_value((enum proto)proto));

	return posting ? posting->numbers : 0;
}

void note_count(struct graph *g, size_t before, size_t now)
{
	if (budget_members(before) != budget_members(now))
		g->recount = true;
}

static int anchor_all(struct graph *g, struct selector *selector)
{
	if (each_anchor(g, selector, anchor_add) == 0 && scan_members(g, selector) == 0)
		return 0;
	return -ENOMEM;
}

/* Those that only count. */
static bool counts_only(const struct selector *selector)
{
	return selector->watched > 0 && selector->active == 0;
}

int selector_activate(struct graph *g, struct selector *selector)
{
	if (selector->active++ > 0)
		return 0;
	if (selector->watched > 0) {
		g->counting--;
		selector->counted = 0;
		if (scan_members(g, selector) == 0)
			return 0;
	} else if (anchor_all(g, selector) == 0) {
		return 0;
	}
	selector_deactivate(g, selector);
	return -ENOMEM;
}

static void drop_members(struct selector *selector)
{
	while (selector->members.n > 0) {
		struct member *member = &selector->members.v[selector->members.n - 1];

		task_step();
		remove_membership(member->pod, member->back);
	}
	vec_free(&selector->members);
}

void selector_deactivate(struct graph *g, struct selector *selector)
{
	if (--selector->active > 0)
		return;
	selector->counted = selector->members.n;
	drop_members(selector);
	if (counts_only(selector))
		g->counting++;
	else
		(void)each_anchor(g, selector, anchor_remove); /* removing cannot fail */
}

int selector_watch(struct graph *g, struct selector *selector)
{
	if (selector->watched++ > 0 || selector->active > 0)
		return 0;
	g->counting++;
	selector->counted = 0;
	if (anchor_all(g, selector) == 0)
		return 0;
	selector_unwatch(g, selector);
	return -ENOMEM;
}

void selector_unwatch(struct graph *g, struct selector *selector)
{
	if (--selector->watched > 0 || selector->active > 0)
		return;
	g->counting--;
	(void)each_anchor(g, selector, anchor_remove); /* removing cannot fail */
}
