/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chain of a profile: what is allowed at any port, then ports before addresses. Few classes are
 * rules; many are one map from port to the chain of the class. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "internal.h"

static const char *const tuples_prefix[] = {[FAMILY_V4] = "n4", [FAMILY_V6] = "n6"};
static const enum nft_set_type tuple_type[] = {
	[FAMILY_V4] = NFT_SET_TYPE_IPV4_TUPLE, [FAMILY_V6] = NFT_SET_TYPE_IPV6_TUPLE};

#define MAP_PORTS  "ports"
#define MAP_RANGES "ranges"

/* A list of more ports than this is a map, however few rules it would take. */
#define INLINE_RANGES_MAX 32

void profile_chain_name(char to[static NFT_NAME_MAX], const struct profile *profile)
{
	const struct rendered_profile *rp = profile->listener_data;

	set_name(to, profile->dir == DIR_INGRESS ? "pi" : "pe", rp->name->id);
}

static const char *class_prefix(enum direction dir)
{
	return dir == DIR_INGRESS ? "ci" : "ce";
}

/* Rules. */

/* What a comment has room for, and one name more. */
#define CLASS_COMMENT_MAX (NFT_COMMENT_MAX * 2 + 300)

/* "allow-web[0], monitoring[2]": the rules that a class is made of. */
static void class_comment(char to[static CLASS_COMMENT_MAX], const struct profile *profile,
			  const struct port_class *class)
{
	size_t used = 0;

	to[0] = '\0';
	for (size_t i = 0; i < class->n_rules && used < NFT_COMMENT_MAX + 1; i++) {
		const struct rule_ref *ref = &profile->rules[class->rules[i]];

		used += (size_t)snprintf(to + used, CLASS_COMMENT_MAX - used, "%s%.253s[%zu]",
					 used ? ", " : "", ref->policy->name, ref->index);
	}
}

/* The ports of one protocol at which a class holds, as the statement that comes before its peers.
 */
struct class_ports {
	struct nft_stmt stmt;
	VEC(struct nft_ports) all;
};

static int class_ports(const struct profile *profile, uint32_t class_index, uint8_t proto,
		       struct class_ports *ret)
{
	*ret = (struct class_ports){0};
	for (size_t i = 0; i < profile->n_ranges; i++) {
		const struct port_range *range = &profile->ranges[i];

		if (range->class_index == class_index && range->proto == proto &&
		    vec_push(&ret->all, (struct nft_ports){range->first, range->last}) < 0)
			return -ENOMEM;
	}
	ret->stmt.proto = proto_number((enum proto)proto);
	if (ret->all.n == 1 && ret->all.v[0].first == 0 && ret->all.v[0].last == UINT16_MAX) {
		ret->stmt.kind = NFT_STMT_PROTO; /* meta l4proto tcp */
		return 0;
	}
	/* tcp dport { 80, 8000-8010 } */
	ret->stmt.kind = NFT_STMT_PORTS;
	ret->stmt.ports = ret->all.v;
	ret->stmt.n = ret->all.n;
	return 0;
}

static int add_inline_class(struct rendered_profile *rp, uint32_t index, struct nft_chain *chain)
{
	const struct profile *profile = rp->profile;
	char comment[CLASS_COMMENT_MAX];
	int rc = 0;

	class_comment(comment, profile, &profile->classes[index]);
	for (uint8_t proto = 0; proto < PROTO_COUNT && rc == 0; proto++) {
		struct class_ports ports;
		struct rule_context ctx = {profile->dir, &ports.stmt, comment, chain};

		rc = class_ports(profile, index, proto, &ports);
		if (rc == 0 && ports.all.n > 0)
			rc = add_class_rules(&ctx, &profile->classes[index]);
		vec_free(&ports.all);
	}
	return rc;
}

static int add_inline_classes(struct rendered_profile *rp, struct nft_chain *chain)
{
	int rc = 0;

	for (uint32_t i = 0; i < rp->profile->n_classes && rc == 0; i++) {
		/* None: an ipBlock all of which is excepted. */
		if (!class_is_empty(&rp->profile->classes[i]))
			rc = add_inline_class(rp, i, chain);
	}
	return rc;
}

/* Few rules stay rules: counted by class and protocol, as each pair is one port match. */
static int wants_map(const struct profile *profile, bool *ret)
{
	uint8_t *seen = calloc(profile->n_classes + 1, sizeof(seen[0]));
	size_t rules = 0;

	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < profile->n_ranges; i++) {
		const struct port_range *range = &profile->ranges[i];
		uint8_t flag = (uint8_t)(1u << range->proto);

		if (!(seen[range->class_index] & flag))
			rules += count_class_rules(&profile->classes[range->class_index]);
		seen[range->class_index] |= flag;
	}
	free(seen);
	*ret = rules > RENDER_INLINE_MAX || (rules > 0 && profile->n_ranges > INLINE_RANGES_MAX);
	return 0;
}

/* Unless another profile has written the same. */
static int put_class_chain(struct render *r, const struct profile *profile, uint32_t index,
			   const struct name *name)
{
	char text[NFT_NAME_MAX];
	struct nft_chain *chain;
	int rc;

	set_name(text, class_prefix(profile->dir), name->id);
	if (ruleset_chain(&r->ruleset, NFT_TABLE_POLICY, text))
		return 0;
	chain = nft_chain_new(text, "");
	if (!chain)
		return -ENOMEM;
	struct rule_context ctx = {profile->dir, NULL, "", chain};
	rc = add_class_rules(&ctx, &profile->classes[index]);
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
	nft_chain_free(chain);
	return rc;
}

static int add_map_element(struct nft_set *map, const struct rendered_profile *rp,
			   const struct port_range *range)
{
	const struct profile *profile = rp->profile;
	const struct port_class *class = &profile->classes[range->class_index];
	uint8_t proto = proto_number((enum proto)range->proto);
	struct nft_key key = {.port = range->first, .proto = proto};
	struct nft_elem_extra extra = {.last = {.port = range->last, .proto = proto}};
	char comment[CLASS_COMMENT_MAX];

	if (class->own.any) {
		extra.verdict = allowed_verdict(profile->dir);
	} else {
		/* Back here when nobody in the class matches: named ports may still. */
		extra.verdict.kind = NFT_VERDICT_JUMP;
		set_name(extra.verdict.chain, class_prefix(profile->dir),
			 rp->chains[range->class_index]->id);
	}
	class_comment(comment, profile, class);
	nft_comment(extra.comment, comment);
	return nft_set_add(map, &key, &extra);
}

static bool is_stretch(const struct port_range *range)
{
	return range->first != range->last;
}

static bool has_any(const struct profile *profile, bool stretches)
{
	for (size_t i = 0; i < profile->n_ranges; i++) {
		if (is_stretch(&profile->ranges[i]) == stretches)
			return true;
	}
	return false;
}

/* th dport . meta l4proto vmap @ports_ID, or @ranges_ID */
static int add_one_map(struct render *r, struct rendered_profile *rp, bool stretches,
		       struct nft_chain *chain)
{
	const struct profile *profile = rp->profile;
	struct nft_stmt stmt = {.kind = NFT_STMT_PORT_MAP};
	struct nft_set *map;
	int rc = 0;

	if (!has_any(profile, stretches))
		return 0;
	set_name(stmt.name, stretches ? MAP_RANGES : MAP_PORTS, rp->name->id);
	map = nft_set_new(stmt.name, NFT_SET_TYPE_PORT_PROTO, "");
	if (!map)
		return -ENOMEM;
	map->map = true;
	map->interval = stretches;
	for (size_t i = 0; i < profile->n_ranges && rc == 0; i++) {
		const struct port_range *range = &profile->ranges[i];

		if (is_stretch(range) == stretches &&
		    !class_is_empty(&profile->classes[range->class_index]))
			rc = add_map_element(map, rp, range);
	}
	if (rc < 0) {
		nft_set_free(map);
		return rc;
	}
	rc = ruleset_put_set(&r->ruleset, map);
	return rc == 0 ? add_rule(chain, &stmt, 1, "") : rc;
}

/* Single ports, which are hashed, before stretches of them, which are searched: no port is in both.
 */
static int add_maps(struct render *r, struct rendered_profile *rp, struct nft_chain *chain)
{
	int rc = 0;

	for (uint32_t i = 0; i < rp->profile->n_classes && rc == 0; i++) {
		if (rp->chains[i])
			rc = put_class_chain(r, rp->profile, i, rp->chains[i]);
	}
	if (rc == 0)
		rc = add_one_map(r, rp, false, chain);
	return rc == 0 ? add_one_map(r, rp, true, chain) : rc;
}

/* Named ports, on egress: ip daddr . meta l4proto . th dport @n4_ID goto to_pod */
static int add_named_rules(const struct rendered_profile *rp, struct nft_chain *chain)
{
	struct rule_context ctx = {rp->profile->dir, NULL, "named ports", chain};

	if (rp->profile->n_named == 0)
		return 0;
	return add_set_rules(&ctx, NFT_STMT_TUPLE_SET, tuples_prefix, rp->name->id);
}

static int add_every_rules(const struct rendered_profile *rp, struct nft_chain *chain)
{
	const struct profile *profile = rp->profile;
	char comment[CLASS_COMMENT_MAX];
	struct rule_context ctx = {profile->dir, NULL, comment, chain};

	class_comment(comment, profile, &profile->every);
	return add_class_rules(&ctx, &profile->every);
}

/* "shop: allow-web, default-deny" */
static void profile_comment(char *to, size_t len, const struct profile *profile)
{
	size_t used = (size_t)snprintf(to, len, "%s:", profile->policies[0]->ns);

	for (size_t i = 0; i < profile->n_policies && used < len; i++)
		used += (size_t)snprintf(to + used, len - used, "%s %s", i > 0 ? "," : "",
					 profile->policies[i]->name);
}

/* Of a closed profile: without rules nothing is allowed. */
static int write_profile(struct render *r, struct rendered_profile *rp, bool open)
{
	const struct profile *profile = rp->profile;
	char name[NFT_NAME_MAX], comment[NFT_COMMENT_MAX * 2];
	struct nft_chain *chain;
	int rc = 0;

	profile_chain_name(name, profile);
	profile_comment(comment, sizeof(comment), profile);
	chain = nft_chain_new(name, comment);
	if (!chain)
		return -ENOMEM;
	if (open)
		rc = add_every_rules(rp, chain);
	if (rc == 0 && open && !profile->every.own.any) {
		rc = rp->mapped ? add_maps(r, rp, chain) : add_inline_classes(rp, chain);
		if (rc == 0)
			rc = add_named_rules(rp, chain);
	}
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
	nft_chain_free(chain);
	return rc;
}

/* Names, and the sets that they need. */

static int name_class(struct render *r, struct rendered_profile *rp, uint32_t index)
{
	const struct port_class *class = &rp->profile->classes[index];
	char *text;

	if (use_class(r, class) < 0)
		return -ENOMEM;
	rp->n_used = index + 1;
	if (!rp->mapped || class->own.any || class_is_empty(class))
		return 0;
	text = class_text(class, rp->profile->dir);
	if (!text)
		return -ENOMEM;
	rp->chains[index] = names_get(r->names, text);
	free(text);
	return rp->chains[index] ? 0 : -ENOMEM;
}

static int put_tuple_sets(struct render *r, struct rendered_profile *rp)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0 && rp->profile->n_named > 0;
	     family++) {
		char text[NFT_NAME_MAX], comment[NFT_COMMENT_MAX * 2];
		struct nft_set *set;

		set_name(text, tuples_prefix[family], rp->name->id);
		profile_comment(comment, sizeof(comment), rp->profile);
		set = nft_set_new(text, tuple_type[family], comment);
		if (set)
			set->allows = true;
		rc = set ? ruleset_put_set(&r->ruleset, set) : -ENOMEM;
		rp->tuples[family] = rc == 0 ? set : NULL;
	}
	return rc;
}

/* What is named for the profile besides its chain. */
static void drop_sets(struct render *r, const struct rendered_profile *rp)
{
	char text[NFT_NAME_MAX];

	set_name(text, MAP_PORTS, rp->name->id);
	drop_set(r, text);
	set_name(text, MAP_RANGES, rp->name->id);
	drop_set(r, text);
	for (int family = 0; family < FAMILY_COUNT; family++) {
		set_name(text, tuples_prefix[family], rp->name->id);
		drop_set(r, text);
	}
}

static int open_profile(struct render *r, struct rendered_profile *rp)
{
	const struct profile *profile = rp->profile;
	int rc;

	rp->chains = calloc(profile->n_classes + 1, sizeof(rp->chains[0]));
	if (!rp->chains)
		return -ENOMEM;
	rc = wants_map(profile, &rp->mapped);
	if (rc == 0)
		rc = put_tuple_sets(r, rp);
	if (rc == 0)
		rc = use_class(r, &profile->every);
	rp->every_used = rc == 0;
	/* Whoever may use any port needs no classes. */
	for (uint32_t i = 0; i < profile->n_classes && rc == 0 && !profile->every.own.any; i++)
		rc = name_class(r, rp, i);
	return rc == 0 ? write_profile(r, rp, true) : rc;
}

static void drop_class_chain(struct render *r, struct name *name, enum direction dir)
{
	char text[NFT_NAME_MAX];

	if (name && name->refs == 1) {
		set_name(text, class_prefix(dir), name->id);
		drop_chain(r, NFT_TABLE_POLICY, text);
	}
	names_put(r->names, name);
}

static void close_profile(struct render *r, struct rendered_profile *rp)
{
	const struct profile *profile = rp->profile;

	/* Else a newer version of it has taken over chain and sets by name. */
	if (rp->name && rp->name->refs == 1) {
		drop_sets(r, rp);
		if (write_profile(r, rp, false) < 0)
			r->failed = true;
	}
	for (size_t i = 0; rp->chains && i < profile->n_classes; i++)
		drop_class_chain(r, rp->chains[i], profile->dir);
	free(rp->chains);
	rp->chains = NULL;
	for (size_t i = 0; i < rp->n_used; i++)
		leave_class(r, &profile->classes[i]);
	rp->n_used = 0;
	if (rp->every_used)
		leave_class(r, &profile->every);
	rp->every_used = false;
}

static void rendered_profile_free(struct render *r, struct rendered_profile *rp)
{
	char text[NFT_NAME_MAX];

	DL_DELETE(r->profiles, rp);
	if (rp->name && rp->name->refs == 1) {
		profile_chain_name(text, rp->profile);
		drop_chain(r, NFT_TABLE_POLICY, text);
	}
	names_put(r->names, rp->name);
	free(rp);
}

static int name_profile(struct render *r, struct rendered_profile *rp)
{
	char *text = NULL;

	if (asprintf(&text, "profile %s", rp->profile->text) < 0)
		return -ENOMEM;
	rp->name = names_get(r->names, text);
	free(text);
	if (!rp->name)
		return -ENOMEM;
	drop_sets(r, rp); /* of a version before */
	return write_profile(r, rp, false);
}

void listen_profile(void *ctx, struct profile *profile, bool exists)
{
	struct render *r = ctx;
	struct rendered_profile *rp = profile->listener_data;

	if (!exists) {
		if (rp)
			rendered_profile_free(r, rp);
		profile->listener_data = NULL;
		return;
	}
	rp = r->failed ? NULL : calloc(1, sizeof(*rp));
	if (!rp) {
		r->failed = true;
		return;
	}
	rp->profile = profile;
	profile->listener_data = rp;
	DL_APPEND(r->profiles, rp);
	if (name_profile(r, rp) < 0)
		r->failed = true;
}

void listen_profile_open(void *ctx, struct profile *profile, bool open)
{
	struct render *r = ctx;
	struct rendered_profile *rp = profile->listener_data;

	if (rp && !open)
		close_profile(r, rp);
	else if (open && !r->failed && open_profile(r, rp) < 0)
		r->failed = true;
}

void listen_named(void *ctx, struct profile *profile, const struct endpoint_port *port,
		  bool present)
{
	struct render *r = ctx;
	const struct rendered_profile *rp = profile->listener_data;
	struct nft_key key = {.port = port->port, .proto = proto_number((enum proto)port->proto)};

	if (r->failed)
		return;
	memcpy(key.bytes, port->addr.b, sizeof(key.bytes));
	if (!present)
		drop_elem(r, rp->tuples[port->addr.family], &key);
	else if (nft_set_add(rp->tuples[port->addr.family], &key, NULL) < 0)
		r->failed = true;
}
