/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pods at bridges' ports with addresses beside their own (`allowed-sources`). The hooks of the
 * family inet see the bridge and not the port, and by such an address they cannot tell whose a
 * packet is. So:
 *
 * - What comes from such a pod is told by its hardware address, which anti-spoofing holds it to.
 * - What goes to such an address by the bridge goes to the pod that may have it. Where several may,
 *   and policy does not isolate them alike, it goes to none of them. Own addresses of pods here are
 *   theirs, and groups are the bridge table's.
 *
 * A rule that drops stands behind each that leads to a pod's chain: without that chain, if the
 * kernel refuses it, nothing is open. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* A prefix of a pod. */
struct destination {
	const struct graph_pod *pod;
	struct prefix prefix;
};

struct destinations {
	VEC(struct destination) v;
};

int add_allowed(const struct render *r, const struct graph_pod *pod, enum family family,
		struct pod_sources *ret)
{
	const struct allowed_sources *allowed = r->options.allowed_sources;
	size_t n = allowed ? allowed->entries.n : 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		const struct allowed_source *entry = &allowed->entries.v[i];

		if (!allowed_source_matches(entry, pod->object))
			continue;
		for (size_t j = 0; j < entry->prefixes.n && rc == 0; j++) {
			if (entry->prefixes.v[j].addr.family == family)
				rc = vec_push(ret, entry->prefixes.v[j]);
		}
	}
	return rc;
}

static bool is_listed(const struct render *r, const struct graph_pod *pod)
{
	const struct allowed_sources *allowed = r->options.allowed_sources;

	for (size_t i = 0; allowed && i < allowed->entries.n; i++) {
		if (allowed_source_matches(&allowed->entries.v[i], pod->object))
			return true;
	}
	return false;
}

bool has_allowed(const struct render *r, const struct graph_pod *pod)
{
	struct addr link_local;

	return pod->object->bridged && pod->object->bridge && has_antispoof(r, pod) &&
	       pod_link_local(pod->object, &link_local) && is_listed(r, pod);
}

static struct nft_stmt addr_stmt(enum nft_dir dir, const struct prefix *prefix)
{
	if (prefix->len == 0)
		return (struct nft_stmt){.kind = NFT_STMT_FAMILY,
					 .family = (enum family)prefix->addr.family};
	return (struct nft_stmt){.kind = NFT_STMT_ADDR,
				 .family = (enum family)prefix->addr.family,
				 .dir = dir,
				 .prefixes = (struct prefix *)prefix, /* is copied */
				 .n = 1};
}

/* udp sport 68 udp dport 67 return: who asks for an address may have none yet */
static int add_dhcp(struct nft_chain *chain)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = ADD_RULE(chain, {.kind = NFT_STMT_DHCP, .family = (enum family)family},
			      verdict_stmt(NFT_VERDICT_RETURN, NULL));
	return rc;
}

static struct nft_stmt ether_stmt(const struct graph_pod *pod)
{
	struct nft_stmt stmt = {.kind = NFT_STMT_ETHER_SOURCE};

	memcpy(stmt.ether, pod->object->mac, sizeof(stmt.ether));
	return stmt;
}

/* ether saddr MAC jump e4_10.0.0.7; ether saddr MAC counter drop */
static int fill_egress(const struct render *r, struct nft_chain *chain)
{
	int rc = add_discovery(chain, NFT_VERDICT_RETURN);

	if (rc == 0)
		rc = add_dhcp(chain);
	for (size_t i = 0; i < r->allowed.n && rc == 0; i++) {
		const struct graph_pod *pod = r->allowed.v[i];
		char name[NFT_NAME_MAX];

		if (!pod->profiles[DIR_EGRESS])
			continue;
		endpoint_chain_name(name, DIR_EGRESS, pod);
		rc = ADD_RULE(chain, ether_stmt(pod), verdict_stmt(NFT_VERDICT_JUMP, name));
		if (rc == 0)
			rc = ADD_RULE(chain, ether_stmt(pod), {.kind = NFT_STMT_COUNTER},
				      verdict_stmt(NFT_VERDICT_DROP, NULL));
	}
	return rc;
}

/* ether saddr MAC counter drop: what a host would take for encapsulated */
static int fill_tunnels(const struct render *r, struct nft_chain *chain)
{
	int rc = 0;

	for (size_t i = 0; i < r->allowed.n && rc == 0; i++)
		rc = add_rule(chain,
			      (const struct nft_stmt[]){ether_stmt(r->allowed.v[i]),
							{.kind = NFT_STMT_COUNTER},
							verdict_stmt(NFT_VERDICT_DROP, NULL)},
			      3, "encapsulation");
	return rc;
}

static int compare_names(const struct graph_pod *a, const struct graph_pod *b)
{
	int order = strcmp(a->object->ns, b->object->ns);

	return order != 0 ? order : strcmp(a->object->name, b->object->name);
}

/* The narrowest first. */
static int compare_destinations(const void *left, const void *right)
{
	const struct destination *a = left, *b = right;
	int order = memcmp(a->prefix.addr.b, b->prefix.addr.b, sizeof(a->prefix.addr.b));

	if (a->prefix.len != b->prefix.len)
		return (int)b->prefix.len - (int)a->prefix.len;
	if (a->prefix.addr.family != b->prefix.addr.family)
		return (int)a->prefix.addr.family - (int)b->prefix.addr.family;
	return order != 0 ? order : compare_names(a->pod, b->pod);
}

static int list_destinations(const struct render *r, struct destinations *ret)
{
	int rc = 0;

	for (size_t i = 0; i < r->allowed.n && rc == 0; i++) {
		const struct graph_pod *pod = r->allowed.v[i];

		if (!pod->profiles[DIR_INGRESS])
			continue;
		for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
			struct pod_sources prefixes = {0};

			rc = add_allowed(r, pod, (enum family)family, &prefixes);
			for (size_t k = 0; k < prefixes.n && rc == 0; k++)
				rc = vec_push(&ret->v, (struct destination){pod, prefixes.v[k]});
			vec_free(&prefixes);
		}
	}
	if (ret->v.n > 0)
		qsort(ret->v.v, ret->v.n, sizeof(ret->v.v[0]), compare_destinations);
	return rc;
}

static bool covers(const struct prefix *a, const struct prefix *b)
{
	struct prefix inner = *b;

	if (a->addr.family != b->addr.family || a->len > b->len)
		return false;
	inner.len = a->len;
	for (size_t bit = a->len; bit < sizeof(inner.addr.b) * 8; bit++)
		inner.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return memcmp(inner.addr.b, a->addr.b, sizeof(inner.addr.b)) == 0;
}

/* May a pod that is isolated in another way have the addresses as well? */
static bool is_disputed(const struct destinations *all, const struct destination *one)
{
	for (size_t i = 0; i < all->v.n; i++) {
		const struct destination *other = &all->v.v[i];

		if (other->pod->profiles[DIR_INGRESS] != one->pod->profiles[DIR_INGRESS] &&
		    other->pod->object->bridge == one->pod->object->bridge &&
		    covers(&other->prefix, &one->prefix))
			return true;
	}
	return false;
}

/* oifname "cni0" ip daddr 10.8.0.0/16 jump i4_10.0.0.7; the same counter drop */
static int add_destination(struct nft_chain *chain, const struct destinations *all,
			   const struct destination *one)
{
	struct nft_stmt out = {.kind = NFT_STMT_INTERFACE, .dir = NFT_DIR_DESTINATION};
	struct nft_stmt to = addr_stmt(NFT_DIR_DESTINATION, &one->prefix);
	char name[NFT_NAME_MAX];
	int rc = 0;

	(void)strncpy(out.name, one->pod->object->bridge, sizeof(out.name) - 1);
	endpoint_chain_name(name, DIR_INGRESS, one->pod);
	if (!is_disputed(all, one))
		rc = ADD_RULE(chain, out, to, verdict_stmt(NFT_VERDICT_JUMP, name));
	return rc == 0 ? ADD_RULE(chain, out, to, {.kind = NFT_STMT_COUNTER},
				  verdict_stmt(NFT_VERDICT_DROP, NULL))
		       : rc;
}

static int fill_ingress(const struct render *r, struct nft_chain *chain)
{
	struct destinations all = {0};
	int rc = list_destinations(r, &all);

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct nft_stmt own = {.kind = NFT_STMT_ADDR_SET,
				       .family = (enum family)family,
				       .dir = NFT_DIR_DESTINATION};

		(void)strncpy(own.name, pod_set_name((enum family)family), sizeof(own.name) - 1);
		rc = ADD_RULE(chain, own, verdict_stmt(NFT_VERDICT_RETURN, NULL));
	}
	for (size_t i = 0; i < GROUP_ADDRS && rc == 0; i++)
		rc = ADD_RULE(chain, addr_stmt(NFT_DIR_DESTINATION, &group_addrs[i]),
			      verdict_stmt(NFT_VERDICT_RETURN, NULL));
	for (size_t i = 0; i < all.v.n && rc == 0; i++)
		rc = add_destination(chain, &all, &all.v.v[i]);
	vec_free(&all.v);
	return rc;
}

static int write_chain(struct render *r, const char *name,
		       int (*fill)(const struct render *r, struct nft_chain *chain))
{
	struct nft_chain *chain = nft_chain_new(name, "");
	int rc = chain ? fill(r, chain) : -ENOMEM;

	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
	if (chain)
		nft_chain_free(chain);
	return rc;
}

int write_allowed_chains(struct render *r)
{
	int rc = write_chain(r, CHAIN_ALLOWED_EGRESS, fill_egress);

	if (rc == 0)
		rc = write_chain(r, CHAIN_ALLOWED_INGRESS, fill_ingress);
	return rc == 0 ? write_chain(r, CHAIN_ALLOWED_TUNNELS, fill_tunnels) : rc;
}

int write_allowed(struct render *r, const struct graph_pod *pod)
{
	size_t at;

	if (!has_allowed(r, pod))
		return 0;
	if (vec_push(&r->allowed, pod) < 0)
		return -ENOMEM;
	for (at = r->allowed.n - 1; at > 0 && compare_names(r->allowed.v[at - 1], pod) > 0; at--)
		r->allowed.v[at] = r->allowed.v[at - 1];
	r->allowed.v[at] = pod;
	return write_allowed_chains(r);
}

void erase_allowed(struct render *r, const struct graph_pod *pod)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->allowed.n; i++) {
		if (r->allowed.v[i] != pod)
			r->allowed.v[kept++] = r->allowed.v[i];
	}
	if (kept == r->allowed.n)
		return;
	r->allowed.n = kept;
	r->failed |= write_allowed_chains(r) < 0;
}
