/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chain of a profile: what is allowed at any port, then ports before addresses. Few classes are
 * rules; many are one map from port to the chain of the class. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "internal.h"

static const char *const block_prefix[] = {[FAMILY_V4] = "b4", [FAMILY_V6] = "b6"};
static const char *const pods_prefix[] = {[FAMILY_V4] = "p4", [FAMILY_V6] = "p6"};
static const char *const tuples_prefix[] = {[FAMILY_V4] = "n4", [FAMILY_V6] = "n6"};
static const enum nft_set_type addr_type[] = {
	[FAMILY_V4] = NFT_SET_IPV4, [FAMILY_V6] = NFT_SET_IPV6};
static const enum nft_set_type tuple_type[] = {
	[FAMILY_V4] = NFT_SET_IPV4_TUPLE, [FAMILY_V6] = NFT_SET_IPV6_TUPLE};

/* One of the two names is used, by what the map needs. */
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

/* Interval sets. */

static void write_ranges(FILE *out, const struct ranges *ranges, enum family family)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < ranges->all.n; i++) {
		struct addr addr = {.family = (uint8_t)family};

		memcpy(addr.b, ranges->all.v[i].lo, sizeof(addr.b));
		fprintf(out, " %s-", addr_format(&addr, text));
		memcpy(addr.b, ranges->all.v[i].hi, sizeof(addr.b));
		fputs(addr_format(&addr, text), out);
	}
}

static char *ranges_text(const struct ranges *ranges, enum family family)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fputs(block_prefix[family], out);
	write_ranges(out, ranges, family);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int put_interval_set(struct render *r, const struct name *name, const struct ranges *ranges,
			    enum family family)
{
	char set_text[NFT_NAME_MAX];
	struct nft_set *set;

	set_name(set_text, block_prefix[family], name->id);
	set = nft_set_new(set_text, addr_type[family], "");
	if (!set)
		return -ENOMEM;
	set->interval = true;
	for (size_t i = 0; i < ranges->all.n; i++) {
		struct nft_key key = {0};
		struct nft_elem_extra extra = {0};

		memcpy(key.bytes, ranges->all.v[i].lo, sizeof(key.bytes));
		memcpy(extra.last.bytes, ranges->all.v[i].hi, sizeof(extra.last.bytes));
		if (nft_set_add(set, &key, &extra) < 0) {
			nft_set_free(set);
			return -ENOMEM;
		}
	}
	return ruleset_put_set(&r->ruleset, set);
}

/* Ranges that are a single prefix need no set. */
static bool one_prefix(const struct ranges *ranges, enum family family, struct prefix *ret)
{
	return ranges->all.n == 1 && range_is_prefix(&ranges->all.v[0], family, ret);
}

static int name_ranges(struct render *r, const struct ranges *ranges, enum family family,
		       struct name **ret)
{
	struct prefix prefix;
	char *text;

	if (ranges->all.n == 0 || one_prefix(ranges, family, &prefix))
		return 0;
	text = ranges_text(ranges, family);
	if (!text)
		return -ENOMEM;
	*ret = get_name(r, text);
	free(text);
	if (!*ret)
		return -ENOMEM;
	if ((*ret)->used[0])
		return 0;
	memcpy((*ret)->used, (*ret)->id, sizeof((*ret)->used));
	return put_interval_set(r, *ret, ranges, family);
}

static int name_blocks(struct render *r, const struct peers *peers, struct class_names *names)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = name_ranges(r, &peers->blocks[family], (enum family)family,
				 &names->blocks[family]);
	return rc;
}

/* A class as text: equal text is one chain, whoever uses it. */
static char *class_text(const struct peers *peers, enum direction dir)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "class %s", direction_name(dir));
	for (size_t i = 0; peers->pods && i < peers->pods->n; i++)
		fprintf(out, " | %s", peers->pods->selectors[i]->text);
	for (int family = 0; family < FAMILY_COUNT; family++) {
		fprintf(out, " | %s", block_prefix[family]);
		write_ranges(out, &peers->blocks[family], (enum family)family);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void drop_class(struct render *r, struct class_names *names, enum direction dir)
{
	char text[NFT_NAME_MAX];

	if (names->chain && names->chain->refs == 1) {
		set_name(text, class_prefix(dir), names->chain->id);
		ruleset_drop_chain(&r->ruleset, NFT_TABLE_POLICY, text);
	}
	put_name(r, names->chain);
	for (int family = 0; family < FAMILY_COUNT; family++) {
		struct name *name = names->blocks[family];

		if (name && name->refs == 1) {
			set_name(text, block_prefix[family], name->used);
			ruleset_drop_set(&r->ruleset, text);
		}
		put_name(r, name);
	}
	*names = (struct class_names){0};
}

/* Rules. */

/* What comes before the address in a rule: nothing, a protocol, or its ports. */
struct port_match {
	bool used;
	uint8_t proto; /* enum proto */
	VEC(struct nft_ports) ports;
};

static int add_port_match(struct nft_rule *rule, const struct port_match *match)
{
	struct nft_stmt stmt = {.kind = NFT_PORTS};

	if (!match->used)
		return 0;
	stmt.proto = proto_number((enum proto)match->proto);
	if (match->ports.n == 1 && match->ports.v[0].first == 0 &&
	    match->ports.v[0].last == UINT16_MAX) {
		stmt.kind = NFT_PROTO; /* meta l4proto tcp */
		return nft_rule_add(rule, &stmt);
	}
	/* tcp dport { 80, 8000-8010 } */
	stmt.ports = match->ports.v;
	stmt.n = match->ports.n;
	return nft_rule_add(rule, &stmt);
}

struct rule_context {
	enum direction dir;
	const struct port_match *match;
	const char *comment;
	struct nft_chain *chain;
};

/* PORTS PEER accept|goto to_pod comment "..."; peer NULL: whoever. */
static int add_rule(const struct rule_context *ctx, const struct nft_stmt *peer)
{
	struct nft_rule rule = {0};
	int rc = ctx->match ? add_port_match(&rule, ctx->match) : 0;

	if (rc == 0 && peer)
		rc = nft_rule_add(&rule, peer);
	if (rc == 0)
		rc = add_allowed(&rule, ctx->dir);
	if (rc < 0) {
		nft_rule_done(&rule);
		return rc;
	}
	nft_comment(rule.comment, ctx->comment);
	return nft_chain_add(ctx->chain, &rule);
}

static int add_pod_rules(const struct rule_context *ctx, const struct peer_set *set)
{
	const struct rendered_set *rendered = set->listener_data;
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		/* ip saddr @p4_1f0c33d0aa */
		struct nft_stmt peer = {.kind = NFT_ADDR_SET,
					.family = (enum family)family,
					.dir = peer_dir(ctx->dir)};

		set_name(peer.name, pods_prefix[family], rendered->name->id);
		rc = add_rule(ctx, &peer);
	}
	return rc;
}

static int add_block_rule(const struct rule_context *ctx, const struct ranges *ranges,
			  enum family family, const struct name *name)
{
	struct nft_stmt peer = {.family = family, .dir = peer_dir(ctx->dir)};
	struct prefix prefix;

	if (ranges->all.n == 0)
		return 0;
	if (name) {
		/* ip saddr @b4_1f0c33d0aa */
		peer.kind = NFT_ADDR_SET;
		set_name(peer.name, block_prefix[family], name->id);
		return add_rule(ctx, &peer);
	}
	if (!one_prefix(ranges, family, &prefix))
		return 0;
	/* ip saddr 10.0.0.0/8, or meta nfproto ipv4 for all of them */
	peer.kind = prefix.len == 0 ? NFT_FAMILY : NFT_ADDR;
	if (prefix.len > 0) {
		peer.prefixes = &prefix;
		peer.n = 1;
	}
	return add_rule(ctx, &peer);
}

static int add_peer_rules(const struct rule_context *ctx, const struct peers *peers,
			  const struct class_names *names)
{
	int rc = 0;

	if (peers->any)
		return add_rule(ctx, NULL);
	if (peers->pods)
		rc = add_pod_rules(ctx, peers->pods);
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = add_block_rule(ctx, &peers->blocks[family], (enum family)family,
				    names->blocks[family]);
	return rc;
}

/* How many rules that makes for one protocol. */
static size_t count_peer_rules(const struct peers *peers)
{
	if (peers->any)
		return 1;
	return (peers->pods ? FAMILY_COUNT : 0) + (peers->blocks[FAMILY_V4].all.n > 0) +
	       (peers->blocks[FAMILY_V6].all.n > 0);
}

/* "allow-web[0], monitoring[2]": the rules that a class is made of. */
static void class_comment(char to[static NFT_COMMENT_MAX + 1], const struct profile *profile,
			  const struct port_class *class)
{
	char text[NFT_COMMENT_MAX * 2 + 300];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < class->n_rules && used < NFT_COMMENT_MAX + 1; i++) {
		const struct rule_ref *ref = &profile->rules[class->rules[i]];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.253s[%zu]",
					 used ? ", " : "", ref->policy->name, ref->index);
	}
	nft_comment(to, text);
}

/* The ports of one protocol at which the class holds. */
static int class_ports(const struct profile *profile, uint32_t class_index, uint8_t proto,
		       struct port_match *match)
{
	*match = (struct port_match){.used = true, .proto = proto};
	for (size_t i = 0; i < profile->n_ranges; i++) {
		const struct port_range *range = &profile->ranges[i];

		if (range->class_index == class_index && range->proto == proto &&
		    vec_push(&match->ports, (struct nft_ports){range->first, range->last}) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_inline_classes(struct rendered_profile *rp, struct nft_chain *chain)
{
	const struct profile *profile = rp->profile;
	int rc = 0;

	for (uint32_t i = 0; i < profile->n_classes && rc == 0; i++) {
		char comment[NFT_COMMENT_MAX + 1];

		if (count_peer_rules(&profile->classes[i].peers) == 0)
			continue; /* an ipBlock all of which is excepted */
		class_comment(comment, profile, &profile->classes[i]);
		for (uint8_t proto = 0; proto < PROTO_COUNT && rc == 0; proto++) {
			struct port_match match;
			struct rule_context ctx = {profile->dir, &match, comment, chain};

			rc = class_ports(profile, i, proto, &match);
			if (rc == 0 && match.ports.n > 0)
				rc = add_peer_rules(&ctx, &profile->classes[i].peers,
						    &rp->classes[i]);
			vec_free(&match.ports);
		}
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
			rules += count_peer_rules(&profile->classes[range->class_index].peers);
		seen[range->class_index] |= flag;
	}
	free(seen);
	*ret = rules > RENDER_INLINE_MAX || (rules > 0 && profile->n_ranges > INLINE_RANGES_MAX);
	return 0;
}

static int put_class_chain(struct render *r, const struct profile *profile, uint32_t index,
			   const struct class_names *names)
{
	char text[NFT_NAME_MAX];
	struct nft_chain *chain;
	int rc;

	set_name(text, class_prefix(profile->dir), names->chain->id);
	chain = nft_chain_new(text, "");
	if (!chain)
		return -ENOMEM;
	struct rule_context ctx = {profile->dir, NULL, "", chain};
	rc = add_peer_rules(&ctx, &profile->classes[index].peers, names);
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
	const struct class_names *names = &rp->classes[range->class_index];
	uint8_t proto = proto_number((enum proto)range->proto);
	struct nft_key key = {.port = range->first, .proto = proto};
	struct nft_elem_extra extra = {.last = {.port = range->last, .proto = proto}};

	if (class->peers.any) {
		extra.verdict = allowed_verdict(profile->dir);
	} else {
		/* Back here when nobody in the class matches: named ports may still. */
		extra.verdict.kind = NFT_JUMP;
		set_name(extra.verdict.chain, class_prefix(profile->dir), names->chain->id);
	}
	class_comment(extra.comment, profile, class);
	return nft_set_add(map, &key, &extra);
}

static bool has_ranges(const struct profile *profile)
{
	for (size_t i = 0; i < profile->n_ranges; i++) {
		if (profile->ranges[i].first != profile->ranges[i].last)
			return true;
	}
	return false;
}

/* th dport . meta l4proto vmap @ports_1f0c33d0aa */
static int add_map(struct render *r, struct rendered_profile *rp, struct nft_chain *chain)
{
	const struct profile *profile = rp->profile;
	struct nft_stmt stmt = {.kind = NFT_PORT_MAP};
	struct nft_rule rule = {0};
	bool interval = has_ranges(profile);
	struct nft_set *map;
	int rc = 0;

	for (uint32_t i = 0; i < profile->n_classes && rc == 0; i++) {
		if (rp->classes[i].chain)
			rc = put_class_chain(r, profile, i, &rp->classes[i]);
	}
	set_name(stmt.name, interval ? MAP_RANGES : MAP_PORTS, rp->name->id);
	map = rc == 0 ? nft_set_new(stmt.name, NFT_SET_PORT_PROTO, "") : NULL;
	if (!map)
		return -ENOMEM;
	map->map = true;
	map->interval = interval;
	for (size_t i = 0; i < profile->n_ranges && rc == 0; i++) {
		const struct port_range *range = &profile->ranges[i];

		if (count_peer_rules(&profile->classes[range->class_index].peers) > 0)
			rc = add_map_element(map, rp, range);
	}
	if (rc < 0) {
		nft_set_free(map);
		return rc;
	}
	rc = ruleset_put_set(&r->ruleset, map);
	if (rc == 0)
		rc = nft_rule_add(&rule, &stmt);
	return rc == 0 ? nft_chain_add(chain, &rule) : rc;
}

/* Named ports, on egress: ip daddr . meta l4proto . th dport @n4_1f0c33d0aa goto to_pod */
static int add_named_rules(const struct rendered_profile *rp, struct nft_chain *chain)
{
	const struct profile *profile = rp->profile;
	struct rule_context ctx = {profile->dir, NULL, "named ports", chain};
	int rc = 0;

	for (int family = 0; profile->n_named > 0 && family < FAMILY_COUNT && rc == 0; family++) {
		struct nft_stmt peer = {.kind = NFT_TUPLE_SET,
					.family = (enum family)family,
					.dir = peer_dir(profile->dir)};

		set_name(peer.name, tuples_prefix[family], rp->name->id);
		rc = add_rule(&ctx, &peer);
	}
	return rc;
}

static int add_every_rules(const struct rendered_profile *rp, struct nft_chain *chain)
{
	const struct profile *profile = rp->profile;
	char comment[NFT_COMMENT_MAX + 1];
	struct rule_context ctx = {profile->dir, NULL, comment, chain};

	class_comment(comment, profile, &profile->every);
	return add_peer_rules(&ctx, &profile->every.peers, &rp->every);
}

/* "shop: allow-web, default-deny" */
static void profile_comment(char *to, size_t len, const struct profile *profile)
{
	size_t used = (size_t)snprintf(to, len, "%s:", profile->policies[0]->ns);

	for (size_t i = 0; i < profile->n_policies && used < len; i++)
		used += (size_t)snprintf(to + used, len - used, "%s %s", i > 0 ? "," : "",
					 profile->policies[i]->name);
}

static void drop_maps(struct render *r, const struct rendered_profile *rp)
{
	char text[NFT_NAME_MAX];

	set_name(text, MAP_PORTS, rp->name->id);
	ruleset_drop_set(&r->ruleset, text);
	set_name(text, MAP_RANGES, rp->name->id);
	ruleset_drop_set(&r->ruleset, text);
}

int write_profile(struct render *r, struct rendered_profile *rp)
{
	const struct profile *profile = rp->profile;
	char name[NFT_NAME_MAX], comment[NFT_COMMENT_MAX * 2];
	struct nft_chain *chain;
	int rc;

	profile_chain_name(name, profile);
	profile_comment(comment, sizeof(comment), profile);
	chain = nft_chain_new(name, comment);
	if (!chain)
		return -ENOMEM;
	drop_maps(r, rp); /* of a version before */
	rc = add_every_rules(rp, chain);
	if (rc == 0 && !profile->every.peers.any) {
		rc = rp->mapped ? add_map(r, rp, chain) : add_inline_classes(rp, chain);
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
	const struct profile *profile = rp->profile;
	const struct peers *peers = &profile->classes[index].peers;
	struct class_names *names = &rp->classes[index];
	char *text;
	int rc = name_blocks(r, peers, names);

	if (rc < 0 || !rp->mapped || peers->any || count_peer_rules(peers) == 0)
		return rc;
	text = class_text(peers, profile->dir);
	if (!text)
		return -ENOMEM;
	names->chain = get_name(r, text);
	free(text);
	return names->chain ? 0 : -ENOMEM;
}

static int put_tuple_sets(struct render *r, struct rendered_profile *rp)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		char text[NFT_NAME_MAX], comment[NFT_COMMENT_MAX * 2];
		struct nft_set *set;

		set_name(text, tuples_prefix[family], rp->name->id);
		ruleset_drop_set(&r->ruleset, text); /* of a version before */
		if (rp->profile->n_named == 0)
			continue;
		profile_comment(comment, sizeof(comment), rp->profile);
		set = nft_set_new(text, tuple_type[family], comment);
		rc = set ? ruleset_put_set(&r->ruleset, set) : -ENOMEM;
		rp->tuples[family] = rc == 0 ? set : NULL;
	}
	return rc;
}

static int name_profile(struct render *r, struct rendered_profile *rp)
{
	const struct profile *profile = rp->profile;
	char *text = NULL;
	int rc = 0;

	if (asprintf(&text, "profile %s", profile->text) < 0)
		return -ENOMEM;
	rp->name = get_name(r, text);
	free(text);
	if (!rp->name)
		return -ENOMEM;
	memcpy(rp->name->used, rp->name->id, sizeof(rp->name->used));
	rp->classes = calloc(profile->n_classes + 1, sizeof(rp->classes[0]));
	if (!rp->classes)
		return -ENOMEM;
	rc = wants_map(profile, &rp->mapped);
	if (rc == 0)
		rc = put_tuple_sets(r, rp);
	if (rc == 0)
		rc = name_blocks(r, &profile->every.peers, &rp->every);
	/* Whoever may use any port needs no classes. */
	for (uint32_t i = 0; i < profile->n_classes && rc == 0 && !profile->every.peers.any; i++)
		rc = name_class(r, rp, i);
	return rc;
}

void rendered_profile_free(struct render *r, struct rendered_profile *rp)
{
	const struct profile *profile = rp->profile;
	char text[NFT_NAME_MAX];

	DL_DELETE(r->profiles, rp); /* names that go may move others: this one has no part in it */
	/* A newer version of it may have taken over chain and sets by name. */
	if (rp->name && rp->name->refs == 1) {
		profile_chain_name(text, profile);
		ruleset_drop_chain(&r->ruleset, NFT_TABLE_POLICY, text);
		drop_maps(r, rp);
		for (int family = 0; family < FAMILY_COUNT; family++) {
			set_name(text, tuples_prefix[family], rp->name->id);
			ruleset_drop_set(&r->ruleset, text);
		}
	}
	drop_class(r, &rp->every, profile->dir);
	for (size_t i = 0; rp->classes && i < profile->n_classes; i++)
		drop_class(r, &rp->classes[i], profile->dir);
	free(rp->classes);
	put_name(r, rp->name);
	free(rp);
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
	rp = calloc(1, sizeof(*rp));
	if (!rp) {
		r->failed = true;
		return;
	}
	rp->profile = profile;
	profile->listener_data = rp;
	DL_APPEND(r->profiles, rp);
	if (name_profile(r, rp) < 0 || write_profile(r, rp) < 0)
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
		nft_set_remove(rp->tuples[port->addr.family], &key);
	else if (nft_set_add(rp->tuples[port->addr.family], &key, NULL) < 0)
		r->failed = true;
}

static void rename_set(struct render *r, const char *prefix, const struct name *name, bool to_final)
{
	char from[NFT_NAME_MAX], to[NFT_NAME_MAX], between[NFT_NAME_MAX];

	if (!name || strcmp(name->used, name->id) == 0)
		return;
	set_name(from, prefix, name->used);
	set_name(to, prefix, name->id);
	(void)snprintf(between, sizeof(between), "moving_%.40s", to);
	if (ruleset_rename_set(&r->ruleset, to_final ? between : from, to_final ? to : between) < 0)
		r->failed = true;
}

void rename_profile_sets(struct render *r, bool to_final)
{
	struct rendered_profile *rp;

	DL_FOREACH (r->profiles, rp) {
		for (int family = 0; family < FAMILY_COUNT; family++) {
			rename_set(r, tuples_prefix[family], rp->name, to_final);
			rename_set(r, block_prefix[family], rp->every.blocks[family], to_final);
			for (size_t i = 0; rp->classes && i < rp->profile->n_classes; i++)
				rename_set(r, block_prefix[family], rp->classes[i].blocks[family],
					   to_final);
		}
	}
}
