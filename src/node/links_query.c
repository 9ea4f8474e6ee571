/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions about what links.c keeps. */
#include <string.h>

#include "links_state.h"

const struct link *links_by_index(const struct links *links, unsigned index)
{
	const struct link_row *row;

	HASH_FIND(hh, links->rows, &index, sizeof(index), row);

	return row ? &row->link : NULL;
}

const struct link *links_by_name(const struct links *links, const char *name)
{
	const struct link_row *row;

	HASH_FIND(by_name, links->names, name, strlen(name), row);

	return row ? &row->link : NULL;
}

bool links_is_host(const struct links *links, const struct addr *addr)
{
	return addr_row_own(addr_table_host(&links->addrs, addr), 0) > 0;
}

static bool is_loopback(const struct addr *addr)
{
	static const struct addr v6 = {.family = FAMILY_V6, .b = {[15] = 1}};

	return addr->family == FAMILY_V4 ? addr->b[0] == 127 : addr_compare(addr, &v6) == 0;
}

void links_each_host(const struct links *links, void (*fn)(void *ctx, const struct addr *addr),
		     void *ctx)
{
	for (const struct addr_row *row = links->addrs.rows; row; row = row->hh.next) {
		if (addr_row_own(row, 0) > 0 && !is_loopback(&row->dst.addr))
			fn(ctx, &row->dst.addr);
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

const struct addr_row *links_defaults(const struct links *links, enum family family)
{
	struct prefix dst;

	memset(&dst, 0, sizeof(dst));
	dst.addr.family = (uint8_t)family;
	return addr_table_find(&links->addrs, &dst);
}

bool links_is_uplink(const struct links *links, unsigned index)
{
	for (enum family family = 0; family < FAMILY_COUNT; family++) {
		const struct addr_row *row = links_defaults(links, family);

		for (size_t i = 0; row && i < row->entries.n; i++) {
			if (row->entries.v[i].index == index)
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
	size_t found = 0;

	for (enum family family = 0; family < FAMILY_COUNT; family++) {
		const struct addr_row *row = links_defaults(links, family);

		for (size_t i = 0; row && i < row->entries.n && found < max; i++) {
			if (!has_index(indexes, found, row->entries.v[i].index))
				indexes[found++] = row->entries.v[i].index;
		}
	}
	return found;
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

	for (const struct addr_row *row = links->addrs.rows; row; row = row->hh.next) {
		if (addr_row_own(row, index) > 0 && !is_link_local(&row->dst.addr) &&
		    (!found || addr_compare(&row->dst.addr, found) < 0))
			found = &row->dst.addr;
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

/* `index` 0: none. */
static bool is_pods_bridge(const struct links *links, unsigned index)
{
	const struct link *link = links_by_index(links, index);

	return link && link->kind == LINK_KIND_BRIDGE && !links_is_uplink(links, index);
}

bool links_leads_to_pods(const struct links *links, const struct addr *addr)
{
	const struct addr_row *row = addr_table_host(&links->addrs, addr);
	unsigned index = addr_row_route(row);
	const struct link *link = links_by_index(links, index);

	if (addr_row_own(row, 0) > 0)
		return false;
	if (link && link->kind == LINK_KIND_PAIR)
		return !links_is_uplink(links, index);
	if (index)
		return is_pods_bridge(links, index);
	for (size_t i = 0; i < links->subnets.n; i++) {
		const struct link_subnet *one = &links->subnets.v[i];

		if (is_pods_bridge(links, one->index) && prefix_contains(&one->prefix, addr))
			return true;
	}
	return false;
}

void links_each_route(const struct links *links,
		      void (*fn)(void *ctx, const struct addr *addr, unsigned index), void *ctx)
{
	for (const struct addr_row *row = links->addrs.rows; row; row = row->hh.next) {
		unsigned index = row->dst.len > 0 ? addr_row_route(row) : 0;

		if (index && addr_row_own(row, 0) == 0)
			fn(ctx, &row->dst.addr, index);
	}
}
