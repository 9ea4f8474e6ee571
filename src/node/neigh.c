/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node/neigh.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "addr_message.h"
#include "base/log.h"
#include "base/table.h"
#include "base/vec.h"

/* Keys are compared as bytes: they have no padding, or it is zero. */
struct neighbour_key {
	unsigned index;
	struct addr addr;
};

struct neighbour {
	struct neighbour_key key;
	uint8_t mac[MAC_BYTES];
	UT_hash_handle hh;
};

struct entry_key {
	unsigned bridge;
	uint8_t mac[MAC_BYTES];
};

struct seat {
	uint16_t vlan;
	unsigned port;
};

struct entry {
	struct entry_key key;
	VEC(struct seat) seats;
	UT_hash_handle hh;
};

struct neigh {
	struct neighbour *neighbours;
	struct entry *entries;
	bool said_full;
};

struct parsed {
	const struct ndmsg *ndm;
	bool has_addr, has_mac;
	struct addr addr;
	uint8_t mac[MAC_BYTES];
	unsigned bridge;
	uint16_t vlan;
};

static bool parse(const struct nlmsghdr *message, struct parsed *p)
{
	const struct nlattr *attr;

	memset(p, 0, sizeof(*p));
	p->ndm = mnl_nlmsg_get_payload(message);
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*p->ndm))
		return false;
	mnl_attr_for_each(attr, message, sizeof(*p->ndm))
	{
		uint16_t type = mnl_attr_get_type(attr), bytes = mnl_attr_get_payload_len(attr);

		if (type == NDA_DST)
			p->has_addr = addr_attr_parse(p->ndm->ndm_family, attr, &p->addr);
		else if (type == NDA_LLADDR && bytes == MAC_BYTES) {
			memcpy(p->mac, mnl_attr_get_payload(attr), MAC_BYTES);
			p->has_mac = true;
		} else if (type == NDA_MASTER && bytes == sizeof(uint32_t))
			p->bridge = mnl_attr_get_u32(attr);
		else if (type == NDA_VLAN && bytes == sizeof(uint16_t))
			p->vlan = mnl_attr_get_u16(attr);
	}
	return true;
}

static void say_full(struct neigh *neigh)
{
	if (!neigh->said_full)
		log_warning("node",
			    "more neighbours or bridge entries than are followed; ignoring the "
			    "rest");
	neigh->said_full = true;
}

static struct neighbour *find_neighbour(const struct neigh *neigh, unsigned index,
					const struct addr *addr)
{
	struct neighbour *neighbour;
	struct neighbour_key key;

	memset(&key, 0, sizeof(key));
	key.index = index;
	key.addr = *addr;
	HASH_FIND(hh, neigh->neighbours, &key, sizeof(key), neighbour);
	return neighbour;
}

static int add_neighbour(struct neigh *neigh, const struct parsed *p)
{
	struct neighbour *neighbour;

	if (HASH_COUNT(neigh->neighbours) >= NEIGH_ADDRS_MAX) {
		say_full(neigh);
		return 0;
	}
	neighbour = calloc(1, sizeof(*neighbour));
	if (!neighbour)
		return -ENOMEM;
	neighbour->key.index = (unsigned)p->ndm->ndm_ifindex;
	neighbour->key.addr = p->addr;
	memcpy(neighbour->mac, p->mac, MAC_BYTES);
	HASH_ADD(hh, neigh->neighbours, key, sizeof(neighbour->key), neighbour);
	if (table_added(neighbour))
		return 0;
	free(neighbour);
	return -ENOMEM;
}

/* Addresses that mean something on one link only are nobody's for us. */
static bool is_link_local(const struct addr *addr)
{
	return addr->family == FAMILY_V6 && addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80;
}

static int apply_neighbour(struct neigh *neigh, const struct nlmsghdr *message,
			   const struct parsed *p, bool *ret_changed)
{
	static const uint16_t valid =
		NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
	bool stays =
		message->nlmsg_type == RTM_NEWNEIGH && p->has_mac && (p->ndm->ndm_state & valid);
	struct neighbour *known;

	if (!p->has_addr || is_link_local(&p->addr))
		return 0;
	known = find_neighbour(neigh, (unsigned)p->ndm->ndm_ifindex, &p->addr);
	if (known && stays && memcmp(known->mac, p->mac, MAC_BYTES) == 0)
		return 0;
	if (!known && !stays)
		return 0;
	*ret_changed = true;
	if (known && stays) {
		memcpy(known->mac, p->mac, MAC_BYTES);
		return 0;
	}
	if (stays)
		return add_neighbour(neigh, p);
	HASH_DEL(neigh->neighbours, known);
	free(known);
	return 0;
}

static struct entry *find_entry(const struct neigh *neigh, unsigned bridge,
				const uint8_t mac[MAC_BYTES])
{
	struct entry_key key;
	struct entry *entry;

	memset(&key, 0, sizeof(key));
	key.bridge = bridge;
	memcpy(key.mac, mac, MAC_BYTES);
	HASH_FIND(hh, neigh->entries, &key, sizeof(key), entry);
	return entry;
}

static void drop_entry(struct neigh *neigh, struct entry *entry)
{
	HASH_DEL(neigh->entries, entry);
	vec_free(&entry->seats);
	free(entry);
}

static struct entry *add_entry(struct neigh *neigh, const struct parsed *p)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->key.bridge = p->bridge;
	memcpy(entry->key.mac, p->mac, MAC_BYTES);
	HASH_ADD(hh, neigh->entries, key, sizeof(entry->key), entry);
	if (table_added(entry))
		return entry;
	free(entry);
	return NULL;
}

static struct seat *find_seat(const struct entry *entry, uint16_t vlan)
{
	for (size_t i = 0; entry && i < entry->seats.n; i++) {
		if (entry->seats.v[i].vlan == vlan)
			return &entry->seats.v[i];
	}
	return NULL;
}

static int seat_entry(struct neigh *neigh, const struct parsed *p, bool *ret_changed)
{
	struct entry *entry = find_entry(neigh, p->bridge, p->mac);
	struct seat seat = {.vlan = p->vlan, .port = (unsigned)p->ndm->ndm_ifindex};
	struct seat *known = find_seat(entry, p->vlan);
	int rc;

	if (known) {
		*ret_changed |= known->port != seat.port;
		known->port = seat.port;
		return 0;
	}
	if (entry ? entry->seats.n >= NEIGH_VLANS_MAX
		  : HASH_COUNT(neigh->entries) >= NEIGH_ENTRIES_MAX) {
		say_full(neigh);
		return 0;
	}
	if (!entry)
		entry = add_entry(neigh, p);
	if (!entry)
		return -ENOMEM;
	*ret_changed = true;
	rc = vec_push(&entry->seats, seat);
	if (entry->seats.n == 0)
		drop_entry(neigh, entry);
	return rc;
}

static void unseat_entry(struct neigh *neigh, const struct parsed *p, bool *ret_changed)
{
	struct entry *entry = find_entry(neigh, p->bridge, p->mac);
	struct seat *seat = find_seat(entry, p->vlan);

	if (!seat)
		return;
	*ret_changed = true;
	vec_remove_swap(&entry->seats, (size_t)(seat - entry->seats.v));
	if (entry->seats.n == 0)
		drop_entry(neigh, entry);
}

/* Entries of the link itself are about what it listens to; permanent ones of a bridge are its own
 * and its ports' hardware addresses. */
static int apply_entry(struct neigh *neigh, const struct nlmsghdr *message, const struct parsed *p,
		       bool *ret_changed)
{
	if (!p->has_mac || p->bridge == 0 || (p->ndm->ndm_flags & NTF_SELF))
		return 0;
	if (message->nlmsg_type == RTM_NEWNEIGH && !(p->ndm->ndm_state & NUD_PERMANENT))
		return seat_entry(neigh, p, ret_changed);
	unseat_entry(neigh, p, ret_changed);
	return 0;
}

static int apply(void *state, const struct nlmsghdr *message, bool *ret_changed)
{
	struct neigh *neigh = state;
	struct parsed p;

	if ((message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH) ||
	    !parse(message, &p))
		return 0;
	return p.ndm->ndm_family == AF_BRIDGE ? apply_entry(neigh, message, &p, ret_changed)
					      : apply_neighbour(neigh, message, &p, ret_changed);
}

bool neigh_mac(const struct neigh *neigh, unsigned index, const struct addr *addr,
	       uint8_t ret_mac[MAC_BYTES])
{
	const struct neighbour *neighbour = find_neighbour(neigh, index, addr);

	if (neighbour)
		memcpy(ret_mac, neighbour->mac, MAC_BYTES);
	return neighbour != NULL;
}

unsigned neigh_port(const struct neigh *neigh, unsigned bridge, const uint8_t mac[MAC_BYTES])
{
	const struct entry *entry = find_entry(neigh, bridge, mac);
	const struct seat *best = NULL;

	for (size_t i = 0; entry && i < entry->seats.n; i++) {
		if (!best || entry->seats.v[i].vlan < best->vlan)
			best = &entry->seats.v[i];
	}
	return best ? best->port : 0;
}

void neigh_each(const struct neigh *neigh,
		void (*fn)(void *ctx, const struct addr *addr, unsigned index,
			   const uint8_t mac[MAC_BYTES]),
		void *ctx)
{
	const struct neighbour *neighbour = neigh->neighbours;

	for (; neighbour; neighbour = neighbour->hh.next)
		fn(ctx, &neighbour->key.addr, neighbour->key.index, neighbour->mac);
}

static void *new_neigh(void)
{
	return calloc(1, sizeof(struct neigh));
}

static void free_neigh(void *state)
{
	struct neigh *neigh = state;
	struct neighbour *neighbour, *next_neighbour;
	struct entry *entry, *next_entry;

	if (!neigh)
		return;
	HASH_ITER (hh, neigh->neighbours, neighbour, next_neighbour) {
		HASH_DEL(neigh->neighbours, neighbour);
		free(neighbour);
	}
	HASH_ITER (hh, neigh->entries, entry, next_entry)
		drop_entry(neigh, entry);
	free(neigh);
}

static const unsigned groups[] = {RTNLGRP_NEIGH, 0};

static const struct rtnl_dump dumps[] = {
	{RTM_GETNEIGH, AF_INET, sizeof(struct ndmsg), 0},
	{RTM_GETNEIGH, AF_INET6, sizeof(struct ndmsg), 0},
	{RTM_GETNEIGH, AF_BRIDGE, sizeof(struct ndmsg), 0},
};

const struct rtnl_kind neigh_kind = {
	.what = "neighbours and bridge ports",
	.groups = groups,
	.dumps = dumps,
	.n_dumps = ARRAY_LEN(dumps),
	.new = new_neigh,
	.free = free_neigh,
	.apply = apply,
};
