/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pod's own two chains, and how packets get to them. They hold what differs from pod to pod; what
 * its policies say is in the chains of its profiles. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

void device_chain_name(char to[static NFT_NAME_MAX], char letter, const char *device)
{
	size_t used = (size_t)snprintf(to, NFT_NAME_MAX, "%c_", letter);

	for (const char *c = device; *c && used + 3 < NFT_NAME_MAX; c++) {
		/* '/' is in no interface's name: escapes cannot be mistaken. */
		bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			     (*c >= '0' && *c <= '9') || *c == '_' || *c == '-' || *c == '.';
		used += (size_t)snprintf(to + used, NFT_NAME_MAX - used, plain ? "%c" : "/%02x",
					 (unsigned char)*c);
	}
}

/* Endpoints are found by interface where it is known, else by address; and are named for that:
 * e_veth1, e4_10.0.0.7, e6_fd00__7. */
static void chain_name(char to[static NFT_NAME_MAX], char letter, const struct graph_pod *pod)
{
	const char *interface = graph_pod_interface(pod);
	enum family family = graph_pod_owns(pod, FAMILY_V4) ? FAMILY_V4 : FAMILY_V6;
	char text[ADDR_TEXT_MAX];

	if (interface) {
		device_chain_name(to, letter, interface);
		return;
	}
	(void)addr_format(pod_addr(pod->object, family), text);
	for (char *c = text; *c; c++) {
		if (*c == ':')
			*c = '_';
	}
	(void)snprintf(to, NFT_NAME_MAX, "%c%c_%s", letter, family == FAMILY_V4 ? '4' : '6', text);
}

void pod_comment(char to[static OBJECT_NAME_MAX], const struct graph_pod *pod)
{
	struct object object = {.kind = KIND_POD, .pod = pod->object};

	(void)object_name(&object, to);
}

struct prefix host_prefix(const struct addr *addr)
{
	return (struct prefix){.addr = *addr,
			       .len = (uint8_t)(addr_bytes((enum family)addr->family) * 8)};
}

void endpoint_chain_name(char to[static NFT_NAME_MAX], enum direction dir,
			 const struct graph_pod *pod)
{
	chain_name(to, dir == DIR_INGRESS ? 'i' : 'e', pod);
}

/* A pod and itself: through a Service, a packet comes back to where it came from. */
static int add_self(struct nft_chain *chain, const struct graph_pod *pod, enum direction dir)
{
	const char *interface = graph_pod_interface(pod);
	struct nft_stmt stmts[] = {{.kind = NFT_STMT_INTERFACE, .dir = peer_dir(dir)},
				   verdict_stmt(NFT_VERDICT_ACCEPT, NULL)};
	int rc = 0;

	if (interface) {
		/* egress: oifname "veth1" accept */
		(void)snprintf(stmts[0].name, sizeof(stmts[0].name), "%s", interface);
		return add_rule(chain, stmts, ARRAY_LEN(stmts), "");
	}
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct prefix own;

		if (!graph_pod_owns(pod, (enum family)family))
			continue;
		/* egress: ip daddr 10.0.0.7 accept */
		own = host_prefix(pod_addr(pod->object, (enum family)family));
		stmts[0] = (struct nft_stmt){.kind = NFT_STMT_ADDR,
					     .family = (enum family)family,
					     .dir = peer_dir(dir),
					     .prefixes = &own,
					     .n = 1};
		rc = add_rule(chain, stmts, ARRAY_LEN(stmts), "");
	}
	return rc;
}

/* Another pod of the bridge may be the DHCP server, or its relay: a request that is broadcast
 * passes, and an answer that comes by the bridge. Answers to what is broadcast are no replies to
 * connection tracking. What is sent to one server is traffic like any other. egress: udp sport 68
 * udp dport 67 ip daddr 255.255.255.255 goto to_pod ingress: iifname "cni0" udp sport 67 udp dport
 * 68 accept */
static int add_dhcp(struct nft_chain *chain, const struct graph_pod *pod, enum direction dir)
{
	static const struct prefix everybody[FAMILY_COUNT] = {
		[FAMILY_V4] = {.addr = {.family = FAMILY_V4, .b = {255, 255, 255, 255}}, .len = 32},
		[FAMILY_V6] = {.addr = {.family = FAMILY_V6, .b = {0xff, 2}}, .len = 16},
	};
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct nft_stmt dhcp = {.kind = NFT_STMT_DHCP, .family = (enum family)family};
		struct nft_stmt stmts[] = {
			{.kind = NFT_STMT_ADDR,
			 .family = (enum family)family,
			 .dir = NFT_DIR_DESTINATION,
			 .prefixes = (struct prefix *)&everybody[family], /* is copied */
			 .n = 1},
			dhcp,
			{.kind = NFT_STMT_VERDICT, .verdict = allowed_verdict(dir)}};

		if (dir == DIR_INGRESS) {
			dhcp.dir = NFT_DIR_DESTINATION;
			stmts[0] = (struct nft_stmt){.kind = NFT_STMT_INTERFACE,
						     .dir = NFT_DIR_SOURCE};
			(void)strncpy(stmts[0].name, pod->object->bridge,
				      sizeof(stmts[0].name) - 1);
			stmts[1] = dhcp;
		}
		rc = add_rule(chain, stmts, ARRAY_LEN(stmts), "");
	}
	return rc;
}

static int add_jump(struct nft_chain *chain, const struct profile *profile)
{
	char name[NFT_NAME_MAX];
	struct nft_stmt stmt;

	profile_chain_name(name, profile);
	stmt = verdict_stmt(NFT_VERDICT_JUMP, name);
	return add_rule(chain, &stmt, 1, "");
}

static int add_drop(struct nft_chain *chain)
{
	struct nft_stmt stmts[] = {{.kind = NFT_STMT_COUNTER},
				   verdict_stmt(NFT_VERDICT_DROP, NULL)};

	return add_rule(chain, stmts, ARRAY_LEN(stmts), "");
}

static struct nft_key addr_key(const struct addr *addr)
{
	struct nft_key key = {0};

	memcpy(key.bytes, addr->b, sizeof(key.bytes));
	return key;
}

static int dispatch_key(struct render *r, enum direction dir, const char *map,
			const struct nft_key *key, const char *chain, const char *comment)
{
	struct nft_elem_extra extra = {.verdict = {.kind = NFT_VERDICT_GOTO}};
	struct nft_set *set = ruleset_set(&r->ruleset, map);

	if (!chain) {
		dispatch_drop(r, dir, set, key);
		return 0;
	}
	(void)snprintf(extra.verdict.chain, sizeof(extra.verdict.chain), "%s", chain);
	nft_comment(extra.comment, comment);
	return dispatch_put(r, dir, set, key, &extra);
}

/* How packets of a direction find the pod's chain: adds (a chain) or removes the elements. */
static int dispatch(struct render *r, const struct graph_pod *pod, enum direction dir,
		    const char *chain, const char *comment)
{
	const char *interface = graph_pod_interface(pod);
	struct nft_key key = {0};
	struct addr link_local;
	int rc = 0;

	if (interface) {
		memcpy(key.bytes, interface, strlen(interface));
		return dispatch_key(r, dir, interface_map_name(dir), &key, chain, comment);
	}
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		if (!graph_pod_owns(pod, (enum family)family))
			continue;
		key = addr_key(pod_addr(pod->object, (enum family)family));
		rc = dispatch_key(r, dir, addr_map_name(dir, (enum family)family), &key, chain,
				  comment);
	}
	if (rc == 0 && graph_pod_device(pod) && bridged_link_local(pod->object, &link_local)) {
		key = addr_key(&link_local);
		rc = dispatch_key(r, dir, addr_map_name(dir, FAMILY_V6), &key, chain, comment);
	}
	return rc;
}

static int write_direction(struct render *r, const struct graph_pod *pod, enum direction dir)
{
	char name[NFT_NAME_MAX], comment[OBJECT_NAME_MAX];
	struct nft_chain *chain;
	int rc;

	if (!pod->profiles[dir])
		return 0; /* not isolated: no chain, and no cost */
	endpoint_chain_name(name, dir, pod);
	pod_comment(comment, pod);
	chain = nft_chain_new(name, comment);
	if (!chain)
		return -ENOMEM;
	rc = add_jump(chain, pod->profiles[dir]);
	if (rc == 0)
		rc = add_self(chain, pod, dir);
	if (rc == 0 && pod->object->bridged && pod->object->bridge)
		rc = add_dhcp(chain, pod, dir);
	if (rc == 0)
		rc = add_drop(chain);
	if (rc < 0) {
		nft_chain_free(chain);
		return rc;
	}
	rc = ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
	return rc == 0 ? dispatch(r, pod, dir, name, comment) : rc;
}

static int write_endpoint(struct render *r, const struct graph_pod *pod)
{
	int rc = write_antispoof(r, pod);

	if (rc == 0)
		rc = write_port(r, pod);

	add_local_pod(r, pod);
	for (int dir = 0; dir < DIR_COUNT && rc == 0; dir++)
		rc = write_direction(r, pod, (enum direction)dir);
	return rc == 0 ? write_allowed(r, pod) : rc;
}

static void erase_endpoint(struct render *r, const struct graph_pod *pod)
{
	char name[NFT_NAME_MAX];

	erase_allowed(r, pod);
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		if (!pod->profiles[dir])
			continue;
		endpoint_chain_name(name, (enum direction)dir, pod);
		(void)dispatch(r, pod, (enum direction)dir, NULL, NULL); /* removing cannot fail */
		drop_chain(r, NFT_TABLE_POLICY, name);
	}
	erase_port(r, pod);
	erase_antispoof(r, pod);
	drop_local_pod(r, pod);
}

void listen_endpoint(void *ctx, struct graph_pod *pod, bool exists)
{
	struct render *r = ctx;

	if (!exists)
		erase_endpoint(r, pod);
	else if (!r->failed && write_endpoint(r, pod) < 0)
		r->failed = true;
}
