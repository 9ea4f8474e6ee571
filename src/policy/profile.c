/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles: one for all pods that the same policies select. Immutable once built; a changed policy
 * makes new ones, and those that nobody uses any more are swept at the end of each. */
#include <stdlib.h>
#include <string.h>

#include "base/memstream.h"
#include "base/task.h"
#include "internal.h"

const char *tier_name(enum tier tier)
{
	static const char *const names[] = {"Admin", "NetworkPolicy", "Baseline"};

	return names[tier];
}

/* Of profiles that are new in an event. */
#define PENDING_BYTES_MAX 262144

struct selecting {
	VEC(const struct network_policy *) policies;
};

/* The policies that isolate a direction of the pod, by name; at most one more than may. */
static int find_policies(const struct graph_pod *pod, enum direction dir, struct selecting *ret)
{
	for (size_t i = 0; i < pod->ns->policies.n && ret->policies.n <= PROFILE_POLICIES_MAX;
	     i++) {
		const struct network_policy *policy = pod->ns->policies.v[i];

		if (policy->isolates[dir] &&
		    label_selector_matches(&policy->subject, &pod->object->labels) &&
		    vec_push(&ret->policies, policy) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A named port of a pod, the first of those of one name; by address of the interned name. */
struct port_name {
	const char *name;
	uint8_t proto;
	bool used; /* by an ingress rule */
};

struct port_names {
	struct port_name all[POD_PORTS_MAX];
	size_t n;
};

static int compare_port_name(const void *x, const void *y)
{
	const struct port_name *a = x, *b = y;
	uintptr_t left = (uintptr_t)a->name, right = (uintptr_t)b->name;

	if (left != right)
		return left < right ? -1 : 1;
	return (a->proto > b->proto) - (a->proto < b->proto);
}

static struct port_name *find_port_name(struct port_names *ports, const char *name, uint8_t proto)
{
	const struct port_name one = {.name = name, .proto = proto};

	return bsearch(&one, ports->all, ports->n, sizeof(one), compare_port_name);
}

/* Several numbers of one name follow each other. */
static bool same_as_before(const struct pod *pod, size_t i)
{
	return i > 0 && pod->ports[i].name == pod->ports[i - 1].name &&
	       pod->ports[i].proto == pod->ports[i - 1].proto;
}

static void collect_port_names(const struct pod *pod, struct port_names *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < pod->n_ports && ret->n < POD_PORTS_MAX; i++) {
		if (!same_as_before(pod, i))
			ret->all[ret->n++] =
				(struct port_name){pod->ports[i].name, pod->ports[i].proto, false};
	}
	qsort(ret->all, ret->n, sizeof(ret->all[0]), compare_port_name);
}

/* Which of them rules use. A rule's ports are looked up among the pod's, of which there are few;
 * where there are more than a profile may have, it is closed whatever they are. */
static void find_used_ports(struct graph *g, const struct selecting *selecting,
			    struct port_names *ports)
{
	size_t seen = 0;

	for (size_t i = 0; i < selecting->policies.n; i++) {
		const struct network_policy *policy = selecting->policies.v[i];

		for (size_t j = 0; j < policy->n_rules[DIR_INGRESS]; j++) {
			const struct policy_rule *rule = &policy->rules[DIR_INGRESS][j];

			seen += rule->n_ports;
			if (seen > PROFILE_PORTS_MAX)
				return;
			g->counts.port_names_passed += rule->n_ports;
			for (size_t k = 0; k < rule->n_ports; k++) {
				struct port_name *port = find_port_name(ports, rule->ports[k].name,
									rule->ports[k].proto);

				if (port)
					port->used = true;
				task_step();
			}
		}
	}
}

/* " http/tcp=8080": what the ingress rules' names are on this pod. */
static void write_ports(struct graph *g, FILE *out, const struct selecting *selecting,
			const struct pod *pod)
{
	struct port_names ports;
	bool used = false;

	if (pod->n_ports == 0)
		return;
	collect_port_names(pod, &ports);
	find_used_ports(g, selecting, &ports);
	for (size_t i = 0; i < pod->n_ports; i++) {
		const struct pod_port *port = &pod->ports[i];

		if (!same_as_before(pod, i)) {
			const struct port_name *named =
				find_port_name(&ports, port->name, port->proto);

			used = named && named->used;
		}
		if (used)
			fprintf(out, " %s/%s=%u", port->name, proto_name((enum proto)port->proto),
				port->number);
	}
}

/* What tells the profile from all others, also over restarts. */
static char *profile_text(struct graph *g, enum direction dir, const struct selecting *selecting,
			  const struct graph_pod *pod)
{
	struct memstream stream;

	if (memstream_open(&stream) < 0)
		return NULL;
	fprintf(stream.out, "%s %s:", direction_name(dir), pod->ns->name);
	for (size_t i = 0; i < selecting->policies.n; i++)
		fprintf(stream.out, "%s%s", i > 0 ? "," : "", selecting->policies.v[i]->name);
	if (dir == DIR_INGRESS)
		write_ports(g, stream.out, selecting, pod->object);
	return memstream_text(&stream);
}

void profile_clear(struct graph *g, struct profile *profile)
{
	classes_done(g, profile);
	for (size_t i = 0; i < profile->n_rules; i++)
		peers_done(g, &profile->rules[i].peers);
	free(profile->rules);
	profile->rules = NULL;
	profile->n_rules = 0;
	profile->built = false;
}

static void profile_free(struct graph *g, struct profile *profile)
{
	profile_clear(g, profile);
	budget_forget(g, profile);
	free(profile->policies);
	free(profile->text);
	free(profile);
}

struct written {
	size_t rules, selectors, blocks, ports;
};

static void count_rule(const struct policy_rule *rule, struct written *written)
{
	written->rules++;
	written->ports += rule->n_ports;
	for (size_t i = 0; i < rule->n_peers; i++) {
		if (rule->peers[i].has_block)
			written->blocks += 1 + rule->peers[i].block.n_except;
		else
			written->selectors++;
	}
}

/* Before anything is built of it. */
static enum profile_limit limit_as_written(const struct profile *profile)
{
	struct written written = {0};

	if (profile->n_policies > PROFILE_POLICIES_MAX)
		return PROFILE_LIMIT_POLICIES;
	for (size_t i = 0; i < profile->n_policies; i++) {
		const struct network_policy *policy = profile->policies[i];

		for (size_t j = 0; j < policy->n_rules[profile->dir]; j++)
			count_rule(&policy->rules[profile->dir][j], &written);
	}
	if (written.rules > PROFILE_RULES_MAX)
		return PROFILE_LIMIT_RULES;
	if (written.selectors > PROFILE_SELECTORS_MAX)
		return PROFILE_LIMIT_SELECTORS;
	if (written.blocks > PROFILE_BLOCKS_MAX)
		return PROFILE_LIMIT_BLOCKS;
	return written.ports > PROFILE_PORTS_MAX ? PROFILE_LIMIT_PORTS : PROFILE_LIMIT_NONE;
}

static int add_rules(struct graph *g, struct profile *profile)
{
	size_t n = 0;

	for (size_t i = 0; i < profile->n_policies; i++)
		n += profile->policies[i]->n_rules[profile->dir];
	profile->rules = calloc(n + 1, sizeof(profile->rules[0]));
	if (!profile->rules)
		return -ENOMEM;
	for (size_t i = 0; i < profile->n_policies; i++) {
		const struct network_policy *policy = profile->policies[i];

		for (size_t j = 0; j < policy->n_rules[profile->dir]; j++) {
			struct rule_ref *ref = &profile->rules[profile->n_rules];

			ref->policy = policy;
			ref->index = j;
			if (peers_of_rule(g, policy, &policy->rules[profile->dir][j], &ref->peers) <
			    0)
				return -ENOMEM;
			profile->n_rules++;
		}
	}
	return 0;
}

int profile_build(struct graph *g, struct profile *profile, const struct pod *pod)
{
	int rc = 0;

	g->counts.profiles_built++;
	profile->built = true;
	profile->over = limit_as_written(profile);
	if (!profile->over)
		rc = add_rules(g, profile);
	if (rc == 0 && !profile->over)
		rc = build_classes(g, profile, pod);
	if (profile->over)
		profile_clear(g, profile);
	return rc;
}

/* Takes `text` and the policies. */
static struct profile *profile_new(struct graph *g, enum direction dir, char *text,
				   struct selecting *selecting, const struct pod *pod,
				   struct graph_namespace *ns)
{
	struct profile *profile = calloc(1, sizeof(*profile));

	if (!profile) {
		free(text);
		return NULL;
	}
	profile->dir = dir;
	profile->ns = ns;
	profile->text = text;
	profile->policies = selecting->policies.v;
	profile->n_policies = selecting->policies.n;
	*selecting = (struct selecting){0};
	if (profile_build(g, profile, pod) == 0 &&
	    (profile->over || budget_measure(g, profile) == 0))
		return profile;
	profile_free(g, profile);
	return NULL;
}

/* An old version of a policy may live beside the new one until the sweep: same text, other
 * pointers. */
static bool same_policies(const struct profile *profile, const struct selecting *selecting)
{
	return profile->n_policies == selecting->policies.n &&
	       memcmp(profile->policies, selecting->policies.v,
		      profile->n_policies * sizeof(profile->policies[0])) == 0;
}

static void make_idle(struct graph *g, struct profile *profile)
{
	if (profile->idle)
		return;
	profile->idle = true;
	profile->next_idle = g->idle;
	g->idle = profile;
}

static void unlist(struct graph *g, struct profile *profile)
{
	if (profile->listed)
		HASH_DEL(g->profiles, profile);
	profile->listed = false;
}

static int find_or_build(struct graph *g, struct graph_pod *pod, enum direction dir,
			 struct selecting *selecting, struct profile **ret_profile)
{
	char *text = profile_text(g, dir, selecting, pod);
	struct profile *profile, *stale;

	if (!text)
		return -ENOMEM;
	HASH_FIND_STR(g->profiles, text, profile);
	if (profile && same_policies(profile, selecting)) {
		free(text);
		*ret_profile = profile;
		return 0;
	}
	stale = profile;
	profile = profile_new(g, dir, text, selecting, pod->object, pod->ns);
	if (!profile)
		return -ENOMEM;
	if (stale) /* its users let go of it within this change */
		unlist(g, stale);
	HASH_ADD_KEYPTR(hh, g->profiles, profile->text, strlen(profile->text), profile);
	if (!table_added(profile)) {
		profile_free(g, profile);
		return -ENOMEM;
	}
	profile->listed = true;
	make_idle(g, profile);
	*ret_profile = profile;
	return 0;
}

int profile_get(struct graph *g, struct graph_pod *pod, enum direction dir,
		struct profile **ret_profile)
{
	struct selecting selecting = {0};
	int rc = find_policies(pod, dir, &selecting);

	*ret_profile = NULL;
	if (rc == 0 && selecting.policies.n > 0)
		rc = find_or_build(g, pod, dir, &selecting, ret_profile);
	vec_free(&selecting.policies);
	return rc;
}

static void deactivate_parts(struct graph *g, const struct port_class *class, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (class->parts[i]->pods)
			peer_set_deactivate(g, class->parts[i]->pods);
	}
}

static int activate_parts(struct graph *g, const struct port_class *class)
{
	for (size_t i = 0; i < class->n_parts; i++) {
		if (!class->parts[i]->pods || peer_set_activate(g, class->parts[i]->pods) == 0)
			continue;
		deactivate_parts(g, class, i);
		return -ENOMEM;
	}
	return 0;
}

static void deactivate_classes(struct graph *g, const struct profile *profile, size_t n)
{
	deactivate_parts(g, &profile->every, profile->every.n_parts);
	for (size_t i = 0; i < n; i++)
		deactivate_parts(g, &profile->classes[i], profile->classes[i].n_parts);
}

static int activate_classes(struct graph *g, const struct profile *profile)
{
	if (activate_parts(g, &profile->every) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < profile->n_classes; i++) {
		if (activate_parts(g, &profile->classes[i]) == 0)
			continue;
		deactivate_classes(g, profile, i);
		return -ENOMEM;
	}
	return 0;
}

/* Told as closed. Whether it may be open is found when the event is through; one that takes much is
 * not kept until then. */
int profile_activate(struct graph *g, struct profile *profile)
{
	profile->refs++;
	if (profile->in_kernel)
		return 0;
	profile->in_kernel = true;
	g->listener.profile(g->listener.ctx, profile, true);
	if (profile->over)
		return 0;
	if (profile->needs.total > PENDING_BYTES_MAX)
		profile_clear(g, profile);
	budget_enter(g, profile);
	return 0;
}

int profile_open(struct graph *g, struct profile *profile)
{
	if (activate_classes(g, profile) < 0)
		return -ENOMEM;
	profile->open = true;
	g->listener.profile_open(g->listener.ctx, profile, true);
	return named_activate(g, profile);
}

void profile_close(struct graph *g, struct profile *profile)
{
	named_deactivate(g, profile);
	g->listener.profile_open(g->listener.ctx, profile, false);
	deactivate_classes(g, profile, profile->n_classes);
	profile->open = false;
}

void profile_deactivate(struct graph *g, struct profile *profile)
{
	if (--profile->refs > 0)
		return;
	make_idle(g, profile);
	budget_changed(g, profile->ns);
}

static void retire(struct graph *g, struct profile *profile)
{
	if (profile->open)
		profile_close(g, profile);
	g->listener.profile(g->listener.ctx, profile, false);
	if (profile->over == PROFILE_LIMIT_NONE || profile->over == PROFILE_LIMIT_NAMESPACE)
		budget_leave(g, profile);
}

void profiles_sweep(struct graph *g)
{
	while (g->idle) {
		struct profile *profile = g->idle;

		g->idle = profile->next_idle;
		profile->idle = false;
		if (profile->refs > 0)
			continue;
		task_yield();
		if (profile->in_kernel)
			retire(g, profile);
		unlist(g, profile);
		profile_free(g, profile);
	}
}

int profiles_settle(struct graph *g, int rc)
{
	if (rc == 0)
		rc = budget_settle(g);
	profiles_sweep(g);
	return rc;
}
