/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two things that the kernel does not announce are done here: IPv4 routes end with their link, also
 * when it is only taken down, and with the address that they name as their source. */
#include "node/links.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "base/vec.h"
#include "route.h"
#include "tunnel.h"

struct link_row {
	struct link link;
	UT_hash_handle hh, by_name; /* a name that another has taken is not in by_name */
};

/* All about one address. */
struct place {
	struct addr addr;
	struct routes routes;
	VEC(unsigned) owners; /* links that have it as the host's own */
	UT_hash_handle hh;
};

/* What an address of the host says of its neighbours: 10.1.0.1/24. */
struct subnet {
	unsigned index;
	struct addr addr; /* the host's */
	uint8_t len;
};

struct links {
	struct link_row *rows, *names;
	VEC(struct subnet) subnets;
	struct place *places;
	struct routes defaults[FAMILY_COUNT];
	bool said_full;
};

static void say_full(struct links *links)
{
	if (!links->said_full)
		log_warning("node",
			    "more links, addresses or routes than are followed; ignoring the rest");
	links->said_full = true;
}

static struct link_row *find_row(const struct links *links, unsigned index)
{
	struct link_row *row;

	HASH_FIND(hh, links->rows, &index, sizeof(index), row);
	return row;
}

static struct link_row *find_name(const struct links *links, const char *name)
{
	struct link_row *row;

	HASH_FIND(by_name, links->names, name, strlen(name), row);
	return row;
}

static struct place *find_place(const struct links *links, const struct addr *addr)
{
	struct place *place;

	HASH_FIND(hh, links->places, addr, sizeof(*addr), place);
	return place;
}

static void free_place(struct place *place)
{
	vec_free(&place->routes);
	vec_free(&place->owners);
	free(place);
}

static void drop_if_empty(struct links *links, struct place *place)
{
	if (place->routes.n > 0 || place->owners.n > 0)
		return;
	HASH_DEL(links->places, place);
	free_place(place);
}

/* NULL with *ret_code: 0 when there is no more room, or -ENOMEM. */
static struct place *get_place(struct links *links, const struct addr *addr, int *ret_code)
{
	struct place *place = find_place(links, addr);

	*ret_code = 0;
	if (place)
		return place;
	if (HASH_COUNT(links->places) >= LINKS_ADDRS_MAX) {
		say_full(links);
		return NULL;
	}
	*ret_code = -ENOMEM;
	place = calloc(1, sizeof(*place));
	if (!place)
		return NULL;
	place->addr = *addr;
	HASH_ADD(hh, links->places, addr, sizeof(place->addr), place);
	if (table_added(place))
		return place;
	free(place);
	return NULL;
}

/* Routes end silently with what they stand on. */
static bool drop_routes(struct links *links, bool (*stands)(const struct route *, const void *),
			const void *on, bool v4_only)
{
	struct place *place, *next;
	bool dropped = false;

	HASH_ITER (hh, links->places, place, next) {
		if (v4_only && place->addr.family != FAMILY_V4)
			continue;
		dropped |= routes_drop(&place->routes, stands, on) > 0;
		drop_if_empty(links, place);
	}
	dropped |= routes_drop(&links->defaults[FAMILY_V4], stands, on) > 0;
	if (!v4_only)
		dropped |= routes_drop(&links->defaults[FAMILY_V6], stands, on) > 0;
	return dropped;
}

static bool stands_on_link(const struct route *route, const void *index)
{
	return route->index == *(const unsigned *)index;
}

static bool stands_on_link_up(const struct route *route, const void *index)
{
	return stands_on_link(route, index) && route->scope != RT_SCOPE_HOST;
}

static bool stands_on_source(const struct route *route, const void *addr)
{
	return route->has_source && addr_compare(&route->source, addr) == 0;
}

static void drop_owner(struct links *links, struct place *place, unsigned index)
{
	for (size_t i = 0; i < place->owners.n; i++) {
		if (place->owners.v[i] == index) {
			vec_remove_swap(&place->owners, i);
			drop_if_empty(links, place);
			return;
		}
	}
}

/* `addr` NULL: all of the link. */
static void drop_subnets(struct links *links, unsigned index, const struct addr *addr)
{
	size_t kept = 0;

	for (size_t i = 0; i < links->subnets.n; i++) {
		const struct subnet *one = &links->subnets.v[i];

		if (one->index != index || (addr && addr_compare(&one->addr, addr) != 0))
			links->subnets.v[kept++] = *one;
	}
	links->subnets.n = kept;
}

static void drop_link(struct links *links, struct link_row *row)
{
	struct place *place, *next;

	(void)drop_routes(links, stands_on_link, &row->link.index, false);
	HASH_ITER (hh, links->places, place, next)
		drop_owner(links, place, row->link.index);
	drop_subnets(links, row->link.index, NULL);
	if (row->by_name.tbl)
		HASH_DELETE(by_name, links->names, row);
	HASH_DEL(links->rows, row);
	free(row);
}

static int take_name(struct links *links, struct link_row *row, const char *name)
{
	struct link_row *other = find_name(links, name);

	if (other == row)
		return 0;
	/* The other has another name by now, and its message is still to come. */
	if (other) {
		HASH_DELETE(by_name, links->names, other);
		other->by_name.tbl = NULL;
	}
	if (row->by_name.tbl)
		HASH_DELETE(by_name, links->names, row);
	(void)strncpy(row->link.name, name, IFNAMSIZ - 1);
	HASH_ADD_KEYPTR(by_name, links->names, row->link.name, strlen(row->link.name), row);
	return row->by_name.tbl ? 0 : -ENOMEM;
}

static int take_attr(const struct nlattr *attr, void *ctx)
{
	const struct nlattr **attrs = ctx;

	if (mnl_attr_get_type(attr) <= IFLA_MAX)
		attrs[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

/* As the overlays of flannel, Calico and others have them. */
static bool is_tunnel(const char *kind)
{
	static const char *const kinds[] = {"vxlan", "geneve", "ipip",   "sit",      "ip6tnl",
					    "gre",   "ip6gre", "gretap", "wireguard"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i], kind) == 0)
			return true;
	}
	return false;
}

static enum link_kind kind_of(const struct nlattr *info)
{
	const struct nlattr *attr;

	if (!info)
		return LINK_KIND_OTHER;
	mnl_attr_for_each_nested(attr, info)
	{
		const char *kind = mnl_attr_get_str(attr);

		if (mnl_attr_get_type(attr) != IFLA_INFO_KIND ||
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
			continue;
		if (strcmp(kind, "bridge") == 0)
			return LINK_KIND_BRIDGE;
		if (strcmp(kind, "vrf") == 0)
			return LINK_KIND_VRF;
		if (is_tunnel(kind))
			return LINK_KIND_TUNNEL;
		if (strcmp(kind, "veth") == 0 || strcmp(kind, "netkit") == 0)
			return LINK_KIND_PAIR;
	}
	return LINK_KIND_OTHER;
}

/* Whatever the sysctls of net.bridge say. */
static uint8_t nf_call_of(const struct nlattr *info)
{
	const struct nlattr *data, *attr;
	uint8_t families = 0;

	if (!info)
		return 0;
	mnl_attr_for_each_nested(data, info)
	{
		if (mnl_attr_get_type(data) != IFLA_INFO_DATA)
			continue;
		mnl_attr_for_each_nested(attr, data)
		{
			uint16_t type = mnl_attr_get_type(attr);

			if (mnl_attr_validate(attr, MNL_TYPE_U8) < 0 || !mnl_attr_get_u8(attr))
				continue;
			if (type == IFLA_BR_NF_CALL_IPTABLES)
				families |= 1 << FAMILY_V4;
			if (type == IFLA_BR_NF_CALL_IP6TABLES)
				families |= 1 << FAMILY_V6;
		}
	}
	return families;
}

static struct link_row *add_row(struct links *links, unsigned index)
{
	struct link_row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->link.index = index;
	HASH_ADD(hh, links->rows, link.index, sizeof(row->link.index), row);
	if (table_added(row))
		return row;
	free(row);
	return NULL;
}

/* A new link, or news of one. */
static int take_link(struct links *links, const struct ifinfomsg *ifi, const struct nlattr **attrs,
		     bool *ret_changed)
{
	const char *name = mnl_attr_get_str(attrs[IFLA_IFNAME]);
	enum link_kind kind = kind_of(attrs[IFLA_LINKINFO]);
	uint8_t nf_call = kind == LINK_KIND_BRIDGE ? nf_call_of(attrs[IFLA_LINKINFO]) : 0;
	struct link_tunnel tunnel = tunnel_parse(attrs[IFLA_LINKINFO]);
	unsigned index = (unsigned)ifi->ifi_index;
	unsigned master = attrs[IFLA_MASTER] ? mnl_attr_get_u32(attrs[IFLA_MASTER]) : 0;
	struct link_row *row = find_row(links, index);

	if (!row && HASH_COUNT(links->rows) >= LINKS_MAX) {
		say_full(links);
		return 0;
	}
	if (!(ifi->ifi_flags & IFF_UP) && drop_routes(links, stands_on_link_up, &index, false))
		*ret_changed = true;
	if (row && row->link.kind == kind && row->link.master == master &&
	    row->link.nf_call == nf_call && tunnel_equal(&row->link.tunnel, &tunnel) &&
	    row->by_name.tbl && strcmp(row->link.name, name) == 0)
		return 0;
	*ret_changed = true;
	if (!row)
		row = add_row(links, index);
	if (!row)
		return -ENOMEM;
	row->link.kind = kind;
	row->link.master = master;
	row->link.nf_call = nf_call;
	row->link.tunnel = tunnel;
	return take_name(links, row, name);
}

/* A bridge tells of its ports in the same messages under its own family; wireless links tell of
 * other things. */
static int apply_link(struct links *links, const struct nlmsghdr *message, bool *ret_changed)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(message);
	const struct nlattr *attrs[IFLA_MAX + 1] = {0};
	struct link_row *row;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*ifi) || ifi->ifi_family != AF_UNSPEC)
		return 0;
	if (message->nlmsg_type == RTM_DELLINK) {
		row = find_row(links, (unsigned)ifi->ifi_index);
		if (row) {
			drop_link(links, row);
			*ret_changed = true;
		}
		return 0;
	}
	(void)mnl_attr_parse(message, sizeof(*ifi), take_attr,
			     attrs); /* take_attr() refuses nothing */
	if (!attrs[IFLA_IFNAME] || mnl_attr_validate(attrs[IFLA_IFNAME], MNL_TYPE_NUL_STRING) < 0 ||
	    (attrs[IFLA_MASTER] && mnl_attr_validate(attrs[IFLA_MASTER], MNL_TYPE_U32) < 0) ||
	    attrs[IFLA_WIRELESS] || mnl_attr_get_payload_len(attrs[IFLA_IFNAME]) > IFNAMSIZ)
		return 0;
	return take_link(links, ifi, attrs, ret_changed);
}

/* The host's own: IFA_LOCAL where there is one, for IFA_ADDRESS is then the other end's. */
static bool parse_owner(const struct nlmsghdr *message, struct addr *ret_addr)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	bool is_local = false, found = false;

	mnl_attr_for_each(attr, message, sizeof(*ifa))
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type != IFA_LOCAL && (type != IFA_ADDRESS || is_local))
			continue;
		found |= route_parse_addr(ifa->ifa_family, attr, ret_addr);
		is_local = type == IFA_LOCAL;
	}
	return found;
}

static int add_owner(struct links *links, const struct addr *addr, unsigned index,
		     bool *ret_changed)
{
	int code;
	struct place *place = get_place(links, addr, &code);

	if (!place)
		return code;
	for (size_t i = 0; i < place->owners.n; i++) {
		if (place->owners.v[i] == index)
			return 0;
	}
	*ret_changed = true;
	if (place->owners.n >= LINKS_MAX)
		return 0;
	code = vec_push(&place->owners, index);
	drop_if_empty(links, place);
	return code;
}

/* 0 or -ENOMEM. An address that stands alone has no subnet. */
static int add_subnet(struct links *links, const struct addr *addr, uint8_t len, unsigned index,
		      bool *ret_changed)
{
	struct subnet subnet = {.index = index, .addr = *addr, .len = len};

	bool link_local = addr->family == FAMILY_V6 && addr->b[0] == 0xfe && (addr->b[1] >> 6) == 2;

	if (len == 0 || len >= addr_bytes((enum family)addr->family) * 8 || link_local)
		return 0;
	for (size_t i = 0; i < links->subnets.n; i++) {
		const struct subnet *one = &links->subnets.v[i];

		if (one->index == index && one->len == len && addr_compare(&one->addr, addr) == 0)
			return 0;
	}
	if (links->subnets.n >= LINKS_SUBNETS_MAX) {
		say_full(links);
		return 0;
	}
	*ret_changed = true;
	return vec_push(&links->subnets, subnet);
}

static bool has_v4(const struct links *links, unsigned index)
{
	for (const struct place *place = links->places; place; place = place->hh.next) {
		for (size_t i = 0; i < place->owners.n && place->addr.family == FAMILY_V4; i++) {
			if (place->owners.v[i] == index)
				return true;
		}
	}
	return false;
}

static void end_owner(struct links *links, const struct addr *addr, unsigned index)
{
	struct place *place = find_place(links, addr);

	if (place)
		drop_owner(links, place, index);
	drop_subnets(links, index, addr);
	if (addr->family != FAMILY_V4)
		return;
	if (!links_is_host(links, addr))
		(void)drop_routes(links, stands_on_source, addr, true);
	if (!has_v4(links, index))
		(void)drop_routes(links, stands_on_link, &index, true);
}

static int apply_addr(struct links *links, const struct nlmsghdr *message, bool *ret_changed)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(message);
	struct addr addr;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*ifa) || !parse_owner(message, &addr))
		return 0;
	if (message->nlmsg_type == RTM_NEWADDR) {
		int rc = add_owner(links, &addr, ifa->ifa_index, ret_changed);

		return rc == 0 ? add_subnet(links, &addr, ifa->ifa_prefixlen, ifa->ifa_index,
					    ret_changed)
			       : rc;
	}
	*ret_changed = true;
	end_owner(links, &addr, ifa->ifa_index);
	return 0;
}

static int apply_host_route(struct links *links, const struct nlmsghdr *message,
			    const struct route_message *parsed, bool *ret_changed)
{
	int code = 0;
	struct place *place = message->nlmsg_type == RTM_NEWROUTE
				      ? get_place(links, &parsed->dst, &code)
				      : find_place(links, &parsed->dst);

	if (!place)
		return code;
	code = routes_apply(&place->routes, message, parsed, ret_changed);
	drop_if_empty(links, place);
	return code;
}

static int apply_route(struct links *links, const struct nlmsghdr *message, bool *ret_changed)
{
	struct route_message parsed;
	int rc;

	if (!route_parse(message, &parsed))
		return 0;
	if (parsed.len == 0)
		rc = routes_apply(&links->defaults[parsed.dst.family], message, &parsed,
				  ret_changed);
	else
		rc = apply_host_route(links, message, &parsed, ret_changed);
	if (rc == -ENOSPC) {
		say_full(links);
		rc = 0;
	}
	return rc;
}

int links_apply(struct links *links, const struct nlmsghdr *message, bool *ret_changed)
{
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return apply_link(links, message, ret_changed);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return apply_addr(links, message, ret_changed);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return apply_route(links, message, ret_changed);
	default:
		return 0;
	}
}

const struct link *links_by_index(const struct links *links, unsigned index)
{
	const struct link_row *row = find_row(links, index);

	return row ? &row->link : NULL;
}

const struct link *links_by_name(const struct links *links, const char *name)
{
	const struct link_row *row = find_name(links, name);

	return row ? &row->link : NULL;
}

bool links_is_host(const struct links *links, const struct addr *addr)
{
	const struct place *place = find_place(links, addr);

	return place && place->owners.n > 0;
}

static bool is_loopback(const struct addr *addr)
{
	static const struct addr v6 = {.family = FAMILY_V6, .b = {[15] = 1}};

	return addr->family == FAMILY_V4 ? addr->b[0] == 127 : addr_compare(addr, &v6) == 0;
}

void links_each_host(const struct links *links, void (*fn)(void *ctx, const struct addr *addr),
		     void *ctx)
{
	for (const struct place *place = links->places; place; place = place->hh.next) {
		if (place->owners.n > 0 && !is_loopback(&place->addr))
			fn(ctx, &place->addr);
	}
}

static size_t add_port(uint16_t ports[static LINKS_TUNNELS_MAX], size_t n, uint16_t port)
{
	size_t at = n;

	while (at > 0 && ports[at - 1] > port)
		at--;
	if (port == 0 || n == LINKS_TUNNELS_MAX || (at > 0 && ports[at - 1] == port))
		return n;
	memmove(&ports[at + 1], &ports[at], (n - at) * sizeof(ports[0]));
	ports[at] = port;
	return n + 1;
}

size_t links_tunnel_ports(const struct links *links, uint16_t ret_ports[static LINKS_TUNNELS_MAX])
{
	/* IANA's, and Linux's own of VXLAN. */
	static const uint16_t vxlan[] = {4789, 8472}, geneve = 6081;
	bool has[TUNNEL_OTHER + 1] = {false};
	size_t n = 0;

	for (const struct link_row *row = links->rows; row; row = row->hh.next) {
		const struct link_tunnel *tunnel = &row->link.tunnel;

		has[tunnel->kind] = true;
		for (size_t i = 0; i < ARRAY_LEN(tunnel->ports); i++)
			n = add_port(ret_ports, n, tunnel->ports[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(vxlan) && !has[TUNNEL_VXLAN]; i++)
		n = add_port(ret_ports, n, vxlan[i]);
	return has[TUNNEL_GENEVE] ? n : add_port(ret_ports, n, geneve);
}

bool links_is_uplink(const struct links *links, unsigned index)
{
	for (size_t family = 0; family < FAMILY_COUNT; family++) {
		for (size_t i = 0; i < links->defaults[family].n; i++) {
			if (links->defaults[family].v[i].index == index)
				return true;
		}
	}
	return false;
}

static bool has_index(const unsigned *indexes, size_t n, unsigned index)
{
	for (size_t i = 0; i < n; i++) {
		if (indexes[i] == index)
			return true;
	}
	return false;
}

size_t links_uplinks(const struct links *links, unsigned *indexes, size_t max)
{
	size_t n = 0;

	for (size_t family = 0; family < FAMILY_COUNT; family++) {
		for (size_t i = 0; i < links->defaults[family].n && n < max; i++) {
			unsigned index = links->defaults[family].v[i].index;

			if (index && !has_index(indexes, n, index))
				indexes[n++] = index;
		}
	}
	return n;
}

static bool owns(const struct place *place, unsigned index)
{
	for (size_t i = 0; i < place->owners.n; i++) {
		if (place->owners.v[i] == index)
			return true;
	}
	return false;
}

static bool is_link_local(const struct addr *addr)
{
	if (addr->family == FAMILY_V4)
		return addr->b[0] == 169 && addr->b[1] == 254;
	return addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80;
}

static bool own_addr(const struct links *links, unsigned index, struct addr *ret)
{
	const struct addr *found = NULL;

	for (const struct place *place = links->places; place; place = place->hh.next) {
		if (owns(place, index) && !is_link_local(&place->addr) &&
		    (!found || addr_compare(&place->addr, found) < 0))
			found = &place->addr;
	}
	if (found)
		*ret = *found;
	return found != NULL;
}

const struct link *links_tunnel(const struct links *links, struct addr *ret_addr)
{
	const struct link *found = NULL;

	for (const struct link_row *row = links->rows; row; row = row->hh.next) {
		struct addr addr;

		if (row->link.kind != LINK_KIND_TUNNEL ||
		    (found && strcmp(row->link.name, found->name) >= 0) ||
		    !own_addr(links, row->link.index, &addr))
			continue;
		found = &row->link;
		*ret_addr = addr;
	}
	return found;
}

static unsigned route_of(const struct place *place)
{
	return place->owners.n > 0 ? 0 : routes_best(&place->routes);
}

unsigned links_route(const struct links *links, const struct addr *addr)
{
	const struct place *place = find_place(links, addr);

	return place ? route_of(place) : 0;
}

static bool is_in(const struct subnet *subnet, const struct addr *addr)
{
	struct prefix prefix = {.addr = subnet->addr, .len = subnet->len};

	if (subnet->addr.family != addr->family)
		return false;
	/* prefix_contains() wants the bits beyond its length to be zero. */
	for (unsigned bit = subnet->len; bit < addr_bytes((enum family)addr->family) * 8; bit++)
		prefix.addr.b[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
	return prefix_contains(&prefix, addr);
}

/* `index` 0: none. */
static bool is_pods_bridge(const struct links *links, unsigned index)
{
	const struct link *link = links_by_index(links, index);

	return link && link->kind == LINK_KIND_BRIDGE && !links_is_uplink(links, index);
}

bool links_leads_to_pods(const struct links *links, const struct addr *addr)
{
	unsigned index = links_route(links, addr);
	const struct link *link = links_by_index(links, index);

	if (link && link->kind == LINK_KIND_PAIR)
		return !links_is_uplink(links, index);
	if (index || links_is_host(links, addr))
		return is_pods_bridge(links, index);
	for (size_t i = 0; i < links->subnets.n; i++) {
		const struct subnet *subnet = &links->subnets.v[i];

		if (is_pods_bridge(links, subnet->index) && is_in(subnet, addr))
			return true;
	}
	return false;
}

void links_each_route(const struct links *links,
		      void (*fn)(void *ctx, const struct addr *addr, unsigned index), void *ctx)
{
	for (const struct place *place = links->places; place; place = place->hh.next) {
		unsigned index = route_of(place);

		if (index)
			fn(ctx, &place->addr, index);
	}
}

struct links *links_new(void)
{
	return calloc(1, sizeof(struct links));
}

void links_free(struct links *links)
{
	struct link_row *row, *next_row;
	struct place *place, *next_place;

	if (!links)
		return;
	HASH_CLEAR(by_name, links->names);
	HASH_ITER (hh, links->rows, row, next_row) {
		HASH_DEL(links->rows, row);
		free(row);
	}
	HASH_ITER (hh, links->places, place, next_place) {
		HASH_DEL(links->places, place);
		free_place(place);
	}
	for (size_t family = 0; family < FAMILY_COUNT; family++)
		vec_free(&links->defaults[family]);
	vec_free(&links->subnets);
	free(links);
}
