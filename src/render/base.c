/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is there whatever the policies say: the base chains, the dispatch to the chains of pods.
 * They change with the settings only, because replacing a base chain leaks packets (KERNEL
 * measurements in ARCHITECTURE.md). */
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#define MLD2_LISTENER_REPORT 143 /* RFC 3810; netinet/icmp6.h lacks it */

/* Up to so many ports are compared one by one, 3 ns each; the lookup of a set takes 70. */
#define TUNNELS_COMPARED_MAX 8

/* IANA's ports of VXLAN and Geneve, and Linux's own of VXLAN (drivers/net/vxlan/vxlan_core.c). */
static const uint16_t standard_tunnel_ports[] = {4789, 6081, 8472};

static const struct nft_stmt accept_stmt = {.kind = NFT_STMT_VERDICT,
					    .verdict = {.kind = NFT_VERDICT_ACCEPT}};

/* Ingress is for the pod that the packet goes to. */
static enum nft_dir own_dir(enum direction dir)
{
	return dir == DIR_INGRESS ? NFT_DIR_DESTINATION : NFT_DIR_SOURCE;
}

static struct nft_stmt named_stmt(enum nft_stmt_kind kind, const char *name)
{
	struct nft_stmt stmt = {.kind = kind};

	(void)snprintf(stmt.name, sizeof(stmt.name), "%s", name);
	return stmt;
}

/* In a map that has nothing, which nobody pays for: dispatch_put() writes the rule with the first.
 */
static bool finds_nothing(const struct render *r, const char *map)
{
	const struct nft_set *set = ruleset_set(&r->ruleset, map);

	return !set->elems;
}

static int add_interface_lookup(struct nft_chain *chain, const struct render *r, enum direction dir)
{
	struct nft_stmt stmt = named_stmt(NFT_STMT_INTERFACE_MAP, interface_map_name(dir));

	stmt.dir = own_dir(dir);
	return finds_nothing(r, stmt.name) ? 0 : add_rule(chain, &stmt, 1, "");
}

static int add_addr_lookup(struct nft_chain *chain, const struct render *r, enum direction dir,
			   enum family family)
{
	struct nft_stmt stmt = named_stmt(NFT_STMT_ADDR_MAP, addr_map_name(dir, family));

	stmt.dir = own_dir(dir);
	stmt.family = family;
	return finds_nothing(r, stmt.name) ? 0 : add_rule(chain, &stmt, 1, "");
}

int add_discovery(struct nft_chain *chain, enum nft_verdict_kind verdict)
{
	struct nft_stmt end = verdict_stmt(verdict, NULL);
	uint8_t nd[] = {ND_ROUTER_SOLICIT, ND_ROUTER_ADVERT, ND_NEIGHBOR_SOLICIT,
			ND_NEIGHBOR_ADVERT};
	uint8_t mld[] = {MLD_LISTENER_QUERY, MLD_LISTENER_REPORT, MLD_LISTENER_REDUCTION,
			 MLD2_LISTENER_REPORT};
	/* ff02::/16 */
	struct prefix link_local = {.addr = {.family = FAMILY_V6, .b = {0xff, 0x02}}, .len = 16};
	/* Between pods on one bridge, where netfilter sees it (RFC 4861: hop limit 255 means that
	 * no router has passed it on). What is routed has 254 at most and is traffic like any
	 * other. */
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_ICMPV6_TYPES, .types = nd, .n = ARRAY_LEN(nd)},
			  {.kind = NFT_STMT_HOPLIMIT, .hoplimit = 255, .implied = true}, end);

	/* A bridge that snoops multicast drops neighbour discovery for who cannot report. */
	if (rc == 0)
		rc = ADD_RULE(chain,
			      {.kind = NFT_STMT_ICMPV6_TYPES, .types = mld, .n = ARRAY_LEN(mld)},
			      {.kind = NFT_STMT_ADDR,
			       .family = FAMILY_V6,
			       .dir = NFT_DIR_DESTINATION,
			       .prefixes = &link_local,
			       .n = 1,
			       .implied = true},
			      end);
	return rc;
}

/* Port 53 of a link-local address: NodeLocal DNSCache. Only in the input hook, where the address is
 * this host's. */
static int add_node_dns(struct nft_chain *chain)
{
	struct prefix link_local[FAMILY_COUNT] = {
		[FAMILY_V4] = {.addr = {.family = FAMILY_V4, .b = {169, 254}}, .len = 16},
		[FAMILY_V6] = {.addr = {.family = FAMILY_V6, .b = {0xfe, 0x80}}, .len = 10},
	};
	static const uint8_t protos[] = {IPPROTO_UDP, IPPROTO_TCP};
	struct nft_ports dns = {53, 53};
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT; family++) {
		for (size_t i = 0; i < ARRAY_LEN(protos) && rc == 0; i++)
			rc = ADD_RULE(
				chain,
				{.kind = NFT_STMT_ADDR,
				 .family = (enum family)family,
				 .dir = NFT_DIR_DESTINATION,
				 .prefixes = &link_local[family],
				 .n = 1},
				{.kind = NFT_STMT_PORTS, .proto = protos[i], .ports = &dns, .n = 1},
				accept_stmt);
	}
	return rc;
}

/* A client asks before it has an address. */
static int add_dhcp(struct nft_chain *chain)
{
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_DHCP, .family = FAMILY_V4}, accept_stmt);

	return rc == 0 ? ADD_RULE(chain, {.kind = NFT_STMT_DHCP, .family = FAMILY_V6}, accept_stmt)
		       : rc;
}

int add_node_services(struct nft_chain *chain)
{
	int rc = add_discovery(chain, NFT_VERDICT_ACCEPT);

	if (rc == 0)
		rc = add_dhcp(chain);
	return rc == 0 ? add_node_dns(chain) : rc;
}

/* What a host would take for an encapsulated packet. */
static int add_tunnel_jumps(struct nft_chain *chain, const char *tunnels)
{
	uint8_t protos[] = {IPPROTO_IPIP, IPPROTO_IPV6, IPPROTO_GRE};
	struct nft_stmt port = named_stmt(NFT_STMT_PORT_SET, SET_TUNNEL_PORTS);
	int rc;

	port.proto = IPPROTO_UDP;
	rc = ADD_RULE(chain, port, verdict_stmt(NFT_VERDICT_JUMP, tunnels));
	return rc == 0 ? ADD_RULE(
				 chain,
				 {.kind = NFT_STMT_PROTOS, .types = protos, .n = ARRAY_LEN(protos)},
				 verdict_stmt(NFT_VERDICT_JUMP, tunnels))
		       : rc;
}

/* In the hooks that few packets pass.
 * Established packets first, so that all the rest is paid once per connection; but for
 * - a SYN: conntrack takes one that comes with the ports of an old connection for a part of it
 *   (sIG of tcp_conntracks[], net/netfilter/nf_conntrack_proto_tcp.c), and helpers may expect one;
 * - what a host would take for an encapsulated packet, also where it is a reply: a pod elsewhere
 * can have its node send from such a port, by masquerading, and have its connection forgotten
 * there. */
static int add_established(struct nft_chain *chain, const char *tunnels)
{
	struct nft_stmt no_tunnel = named_stmt(NFT_STMT_PORT_SET, SET_TUNNEL_PORTS);
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_TCP_NOT_SYN}, {.kind = NFT_STMT_CT_ESTABLISHED},
			  accept_stmt);

	no_tunnel.proto = IPPROTO_UDP;
	no_tunnel.negate = true;
	if (rc == 0)
		rc = ADD_RULE(chain, no_tunnel, {.kind = NFT_STMT_CT_ESTABLISHED}, accept_stmt);
	if (rc == 0)
		rc = add_tunnel_jumps(chain, tunnels);
	if (rc == 0)
		rc = ADD_RULE(chain, {.kind = NFT_STMT_PROTO, .proto = IPPROTO_TCP, .negate = true},
			      {.kind = NFT_STMT_CT_ESTABLISHED}, accept_stmt);
	return rc;
}

/* Pods at bridges' ports with other addresses than their own, allowed.c. */
static int add_allowed_jump(struct nft_chain *chain, const struct render *r, const char *to)
{
	const struct allowed_sources *allowed = r->options.allowed_sources;

	return allowed && allowed->entries.n > 0
		       ? ADD_RULE(chain, verdict_stmt(NFT_VERDICT_JUMP, to))
		       : 0;
}

/* Where what is not TCP goes before it is looked up: see add_established(). */
static int write_not_tcp(struct nft_chain *chain, const struct render *r)
{
	const char *tunnels = r->options.pod_tunnels ? CHAIN_TO_NODE : CHAIN_TUNNELS;
	int rc = add_tunnel_jumps(chain, tunnels);

	if (rc == 0)
		rc = ADD_RULE(chain, {.kind = NFT_STMT_CT_ESTABLISHED}, accept_stmt);
	return rc == 0 ? add_midstream(chain, NFT_STMT_SCTP_NOT_INIT) : rc;
}

/* To the egress chain of the pod that sends, then to the ingress chain of the one that receives. */
static int add_dispatch(struct nft_chain *chain, const struct render *r)
{
	/* Pods behind a device of their own are routed, and what is discovered on a link is never
	 * forwarded: nothing of it gets here from them, nor in IPv4 from anybody. */
	int rc = add_allowed_jump(chain, r, CHAIN_ALLOWED_EGRESS);

	if (rc == 0)
		rc = add_interface_lookup(chain, r, DIR_EGRESS);
	if (rc == 0)
		rc = add_addr_lookup(chain, r, DIR_EGRESS, FAMILY_V4);
	if (rc == 0)
		rc = add_discovery(chain, NFT_VERDICT_ACCEPT);
	if (rc == 0)
		rc = add_addr_lookup(chain, r, DIR_EGRESS, FAMILY_V6);
	return rc == 0 ? ADD_RULE(chain, verdict_stmt(NFT_VERDICT_GOTO, CHAIN_TO_POD)) : rc;
}

/* th dport 4789 goto dispatch: what is no UDP any more is gone by then. */
static int add_tunnels(struct nft_chain *chain, const struct nft_set *ports,
		       const struct nft_stmt *dispatch)
{
	size_t n = HASH_COUNT(ports->elems);
	const struct nft_elem **sorted;
	int rc = 0;

	if (n > TUNNELS_COMPARED_MAX)
		return ADD_RULE(chain, named_stmt(NFT_STMT_PORT_SET, SET_TUNNEL_PORTS), *dispatch);
	sorted = nft_set_sorted(ports);
	if (!sorted)
		return n > 0 ? -ENOMEM : 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct nft_ports port = {sorted[i]->key.port, sorted[i]->key.port};

		rc = ADD_RULE(chain, {.kind = NFT_STMT_PORTS, .ports = &port, .n = 1}, *dispatch);
	}
	free(sorted);
	return rc;
}

/* Accepts most of what add_established() would, and leaves all the rest to `dispatch`: what every
 * packet of a connection pays for. nft_do_chain() evaluates comparisons in place and calls a
 * function for protocols, lookups and verdicts, a third to one percent of a packet's cost each. So
 * UDP to no tunnel comes to the end of the chain, whose policy accepts it. No expression can fail
 * to load what it compares, which would skip its rule: for conntrack to know the packet, it has
 * found the protocol and all of UDP's header (resolve_normal_ct(), udp_error()). */
static int write_forward(struct nft_chain *chain, const struct nft_set *tunnel_ports)
{
	struct nft_stmt dispatch = verdict_stmt(NFT_VERDICT_GOTO, CHAIN_DISPATCH);
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_CT_OTHER}, dispatch);

	chain->hook = NFT_HOOK_FORWARD;
	if (rc == 0)
		rc = ADD_RULE(chain, {.kind = NFT_STMT_TCP_NOT_SYN}, accept_stmt);
	if (rc == 0)
		rc = ADD_RULE(chain, {.kind = NFT_STMT_PROTO, .proto = IPPROTO_UDP, .negate = true},
			      dispatch);
	return rc == 0 ? add_tunnels(chain, tunnel_ports, &dispatch) : rc;
}

/* What does the same as add_established(), but so that the SYN of a new connection is soon through:
 * what is established of TCP is accepted in `midstream`. */
static int write_dispatch(struct nft_chain *chain, const struct render *r)
{
	int rc = ADD_RULE(chain, {.kind = NFT_STMT_PROTO, .proto = IPPROTO_TCP, .negate = true},
			  verdict_stmt(NFT_VERDICT_JUMP, CHAIN_NOT_TCP));

	if (rc == 0)
		rc = add_midstream(chain, NFT_STMT_TCP_NOT_SYN);
	return rc == 0 ? add_dispatch(chain, r) : rc;
}

/* What is for this host: pods send it, or others, whom no map knows. No ingress map has an address
 * of the host: what egress allows is accepted. */
static int write_input(struct nft_chain *chain, const struct render *r)
{
	int rc = add_established(chain, CHAIN_TUNNELS);

	chain->hook = NFT_HOOK_INPUT;
	if (r->options.local_node_allow)
		return rc;
	if (rc == 0)
		rc = add_node_services(chain);
	if (rc == 0)
		rc = add_allowed_jump(chain, r, CHAIN_ALLOWED_EGRESS);
	if (rc == 0)
		rc = add_interface_lookup(chain, r, DIR_EGRESS);
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = add_addr_lookup(chain, r, DIR_EGRESS, (enum family)family);
	return rc;
}

/* IPVS takes a packet for a Service from the input hook to the output hook: it never passes
 * forward. What passes both is judged twice, alike. What the node itself sends may reach its pods;
 * its packets have an address of its own, also where they are for a Service. The incoming interface
 * is known here since Linux 5.7. */
static int write_postrouting(struct nft_chain *chain, const struct render *r)
{
	int rc = add_established(chain, r->options.pod_tunnels ? CHAIN_TO_NODE : CHAIN_TUNNELS);

	chain->hook = NFT_HOOK_POSTROUTING;
	if (rc == 0)
		rc = ADD_RULE(chain, {.kind = NFT_STMT_LOCAL_SOURCE}, accept_stmt);
	return rc == 0 ? add_dispatch(chain, r) : rc;
}

static int write_to_pod(struct nft_chain *chain, const struct render *r)
{
	int rc = add_interface_lookup(chain, r, DIR_INGRESS);

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = add_addr_lookup(chain, r, DIR_INGRESS, (enum family)family);
	if (rc == 0)
		rc = add_allowed_jump(chain, r, CHAIN_ALLOWED_INGRESS);
	return rc == 0 ? ADD_RULE(chain, accept_stmt) : rc;
}

static int add_tunnel_drop(struct nft_chain *chain, struct nft_stmt match)
{
	const struct nft_stmt stmts[] = {
		match, {.kind = NFT_STMT_COUNTER}, verdict_stmt(NFT_VERDICT_DROP, NULL)};

	return add_rule(chain, stmts, ARRAY_LEN(stmts), "encapsulation");
}

/* From pods of this node, by all that they are known by. */
static int write_tunnels(struct nft_chain *chain, const struct render *r)
{
	int rc = add_tunnel_drop(chain, named_stmt(NFT_STMT_INTERFACE_SET, SET_POD_INTERFACES));

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct nft_stmt match =
			named_stmt(NFT_STMT_ADDR_SET, pod_set_name((enum family)family));

		match.family = (enum family)family;
		rc = add_tunnel_drop(chain, match);
	}
	return rc == 0 ? add_allowed_jump(chain, r, CHAIN_ALLOWED_TUNNELS) : rc;
}

/* Where pods may have tunnels of their own: not to nodes. */
static int write_to_node(struct nft_chain *chain, const struct render *r)
{
	int rc = 0;

	(void)r;
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++) {
		struct nft_stmt match =
			named_stmt(NFT_STMT_ADDR_SET, node_set_name((enum family)family));

		match.family = (enum family)family;
		match.dir = NFT_DIR_DESTINATION;
		rc = ADD_RULE(chain, match, verdict_stmt(NFT_VERDICT_GOTO, CHAIN_TUNNELS));
	}
	return rc;
}

static int put_chain(struct render *r, const char *name,
		     int (*write)(struct nft_chain *chain, const struct render *r))
{
	struct nft_chain *chain = nft_chain_new(name, "");
	int rc;

	if (!chain)
		return -ENOMEM;
	rc = write(chain, r);
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
	nft_chain_free(chain);
	return rc;
}

static int put_forward(struct render *r)
{
	struct nft_chain *chain = nft_chain_new(CHAIN_FORWARD, "");
	int rc;

	if (!chain)
		return -ENOMEM;
	rc = write_forward(chain, ruleset_set(&r->ruleset, SET_TUNNEL_PORTS));
	if (rc == 0)
		return ruleset_put_chain(&r->ruleset, NFT_TABLE_POLICY, chain);
	nft_chain_free(chain);
	return rc;
}

static int put_set(struct render *r, const char *name, enum nft_set_type type, bool map)
{
	struct nft_set *set = nft_set_new(name, type, "");

	if (!set)
		return -ENOMEM;
	set->map = map;
	return ruleset_put_set(&r->ruleset, set);
}

static int put_maps(struct render *r, enum direction dir)
{
	int rc = put_set(r, interface_map_name(dir), NFT_SET_TYPE_INTERFACE, true);

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = put_set(r, addr_map_name(dir, (enum family)family), addr_set_type[family],
			     true);
	return rc;
}

static int put_sets(struct render *r)
{
	int rc = put_set(r, SET_TUNNEL_PORTS, NFT_SET_TYPE_PORT, false);

	if (rc == 0)
		rc = put_set(r, SET_POD_INTERFACES, NFT_SET_TYPE_INTERFACE, false);
	if (rc == 0)
		rc = put_cut_sets(r);
	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = put_set(r, pod_set_name((enum family)family), addr_set_type[family], false);
	return rc;
}

static int put_node_sets(struct render *r)
{
	int rc = 0;

	for (int family = 0; family < FAMILY_COUNT && rc == 0; family++)
		rc = put_set(r, node_set_name((enum family)family), addr_set_type[family], false);
	return rc == 0 ? put_chain(r, CHAIN_TO_NODE, write_to_node) : rc;
}

/* The chains that look up who sends a packet, or who gets it. */
static int put_lookups(struct render *r, enum direction dir)
{
	int rc;

	if (dir == DIR_INGRESS)
		return put_chain(r, CHAIN_TO_POD, write_to_pod);
	rc = put_chain(r, CHAIN_DISPATCH, write_dispatch);
	if (rc == 0)
		rc = r->options.ipvs
			     ? put_chain(r, CHAIN_POSTROUTING, write_postrouting)
			     : ruleset_drop_chain(&r->ruleset, NFT_TABLE_POLICY, CHAIN_POSTROUTING);
	return rc == 0 ? put_chain(r, CHAIN_INPUT, write_input) : rc;
}

int dispatch_put(struct render *r, enum direction dir, struct nft_set *map,
		 const struct nft_key *key, const struct nft_elem_extra *extra)
{
	bool first = !map->elems;
	int rc = nft_set_add(map, key, extra);

	return rc == 0 && first ? put_lookups(r, dir) : rc;
}

void dispatch_drop(struct render *r, enum direction dir, struct nft_set *map,
		   const struct nft_key *key)
{
	bool had_any = map->elems != NULL;

	drop_elem(r, map, key);
	if (had_any && !map->elems && put_lookups(r, dir) < 0)
		r->failed = true;
}

static int put_chains(struct render *r)
{
	const struct allowed_sources *allowed = r->options.allowed_sources;
	int rc = allowed && allowed->entries.n > 0 ? write_allowed_chains(r) : 0;

	if (rc == 0)
		rc = put_chain(r, CHAIN_TUNNELS, write_tunnels);
	if (rc == 0 && r->options.pod_tunnels)
		rc = put_node_sets(r);
	if (rc == 0)
		rc = put_chain(r, CHAIN_NOT_TCP, write_not_tcp);
	for (int dir = 0; dir < DIR_COUNT && rc == 0; dir++)
		rc = put_lookups(r, (enum direction)dir);
	return rc == 0 ? put_forward(r) : rc;
}

int render_base(struct render *r)
{
	int rc = put_sets(r);

	for (int dir = 0; dir < DIR_COUNT && rc == 0; dir++)
		rc = put_maps(r, (enum direction)dir);
	if (rc == 0)
		rc = put_chains(r);
	return rc == 0 ? render_tunnel_ports(r, standard_tunnel_ports,
					     ARRAY_LEN(standard_tunnel_ports))
		       : rc;
}

int render_configure(struct render *r, const struct render_options *options)
{
	int rc;

	r->options = *options;
	rc = put_chains(r);
	r->failed |= rc < 0;
	return rc;
}

static bool has_port(const uint16_t ports[], size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++) {
		if (ports[i] == port)
			return true;
	}
	return false;
}

int render_tunnel_ports(struct render *r, const uint16_t ports[], size_t n)
{
	struct nft_set *set = ruleset_set(&r->ruleset, SET_TUNNEL_PORTS);
	struct nft_elem *elem, *next;
	bool changed = false;
	int rc = 0;

	HASH_ITER (hh, set->elems, elem, next) {
		struct nft_key key = elem->key;

		if (has_port(ports, n, key.port) || rc < 0)
			continue;
		rc = nft_set_remove(set, &key);
		changed = true;
	}
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct nft_key key = {.port = ports[i]};

		HASH_FIND(hh, set->elems, &key, sizeof(key), elem);
		if (elem) /* or the set would count as changed */
			continue;
		rc = nft_set_add(set, &key, NULL);
		changed = true;
	}
	if (rc == 0 && changed)
		rc = put_forward(r);
	r->failed |= rc < 0;
	return rc;
}
