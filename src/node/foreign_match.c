/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces and addresses are held against those of pods; what every new connection has (a family,
 * a protocol, the state "new") is no restriction; anything else may or may not be so. */
#include "foreign_match.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <net/if.h>
#include <string.h>

static const struct foreign_answer certain = {.applies = true, .certain = true};
static const struct foreign_answer unknown = {.applies = true, .certain = false};

static struct foreign_answer can_be(bool applies)
{
	return (struct foreign_answer){.applies = applies, .certain = true};
}

/* Names are compared to their end, or as far as a wildcard goes. */
static bool any_interface(const struct preflight_host *host, const uint8_t *data, size_t len,
			  bool is)
{
	for (size_t i = 0; i < host->n_interfaces; i++) {
		char name[IFNAMSIZ] = "";

		(void)strncpy(name, host->interfaces[i], sizeof(name) - 1);
		if ((len <= sizeof(name) && memcmp(name, data, len) == 0) == is)
			return true;
	}
	return false;
}

static bool any_index(const struct preflight_host *host, const uint8_t *data, size_t len, bool is)
{
	char name[IF_NAMESIZE] = "";
	unsigned index = 0;

	if (len != sizeof(index))
		return true;
	memcpy(&index, data, sizeof(index));
	if (if_indextoname(index, name))
		return any_interface(host, (const uint8_t *)name, sizeof(name), is);
	return !is && host->n_interfaces > 0; /* there is no such interface */
}

bool foreign_is_of_family(const struct foreign_value *value, const struct addr *addr)
{
	return (enum family)addr->family ==
	       (value->kind == FOREIGN_VALUE_ADDR_V4 ? FAMILY_V4 : FAMILY_V6);
}

/* As the rule has it in its register. */
static void load_addr(const struct foreign_value *value, const struct addr *addr,
		      uint8_t ret[static FOREIGN_VALUE_MAX])
{
	for (size_t k = 0; k < FOREIGN_VALUE_MAX; k++)
		ret[k] = addr->b[k] & (value->masked ? value->mask[k] : 0xff);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool any_addr(const struct preflight_host *host, const struct foreign_value *value,
		     const uint8_t *data, size_t len, bool is)
{
	size_t n = least(least(len, value->len), FOREIGN_VALUE_MAX);
	uint8_t bytes[FOREIGN_VALUE_MAX];

	for (size_t i = 0; i < host->n_addrs; i++) {
		if (!foreign_is_of_family(value, &host->addrs[i]))
			continue;
		load_addr(value, &host->addrs[i], bytes);
		if ((memcmp(bytes, data, n) == 0) == is)
			return true;
	}
	return false;
}

/* Bits of the state are compared with 0; bytes are in the host's order (nft_ct_get_eval()). */
static bool has_new(const struct foreign_value *value, const uint8_t *data, size_t len, bool is)
{
	uint32_t mask, none = 0;

	memcpy(&mask, value->mask, sizeof(mask));
	return value->masked && !is && len == sizeof(none) && memcmp(data, &none, len) == 0 &&
	       (mask & NF_CT_STATE_BIT(IP_CT_NEW));
}

struct foreign_answer foreign_compare(const struct preflight_host *host,
				      const struct foreign_value *value, const uint8_t *data,
				      size_t len, bool is)
{
	switch (value->kind) {
	case FOREIGN_VALUE_COMMON:
		return certain;
	case FOREIGN_VALUE_STATE:
		return has_new(value, data, len, is) ? certain : unknown;
	case FOREIGN_VALUE_IFNAME:
		return can_be(any_interface(host, data, len, is));
	case FOREIGN_VALUE_IFINDEX:
		return can_be(any_index(host, data, len, is));
	case FOREIGN_VALUE_ADDR_V4:
	case FOREIGN_VALUE_ADDR_V6:
		return can_be(any_addr(host, value, data, len, is));
	case FOREIGN_VALUE_OTHER:
		break;
	}
	return unknown;
}

/* One part of a key, and its bytes at both ends. */
struct part {
	const struct foreign_value *value;
	const uint8_t *first, *last;
	size_t len;
};

static bool is_within(const struct part *part, const uint8_t *bytes)
{
	return memcmp(bytes, part->first, part->len) >= 0 &&
	       memcmp(bytes, part->last, part->len) <= 0;
}

static bool any_interface_within(const struct preflight_host *host, const struct part *part)
{
	for (size_t i = 0; i < host->n_interfaces; i++) {
		char name[IFNAMSIZ] = "";

		(void)strncpy(name, host->interfaces[i], sizeof(name) - 1);
		if (is_within(part, (const uint8_t *)name))
			return true;
	}
	return false;
}

static bool any_addr_within(const struct preflight_host *host, const struct part *part)
{
	uint8_t bytes[FOREIGN_VALUE_MAX];

	for (size_t i = 0; i < host->n_addrs; i++) {
		if (!foreign_is_of_family(part->value, &host->addrs[i]))
			continue;
		load_addr(part->value, &host->addrs[i], bytes);
		if (is_within(part, bytes))
			return true;
	}
	return false;
}

/* The state is one bit here, in the host's order: ct state vmap { new : ... }. Established packets
 * and invalid ones are not what a connection begins with. */
static struct foreign_answer state_within(const struct part *part)
{
	uint32_t first, is_new = NF_CT_STATE_BIT(IP_CT_NEW);

	if (part->len != sizeof(first) || memcmp(part->first, part->last, part->len) != 0)
		return unknown;
	memcpy(&first, part->first, sizeof(first));
	return part->value->masked ? unknown : can_be(first == is_new);
}

static struct foreign_answer part_within(const struct preflight_host *host, const struct part *part)
{
	bool one = memcmp(part->first, part->last, part->len) == 0;

	switch (part->value->kind) {
	case FOREIGN_VALUE_COMMON:
		return certain;
	case FOREIGN_VALUE_STATE:
		return state_within(part);
	case FOREIGN_VALUE_IFNAME:
		return can_be(any_interface_within(host, part));
	case FOREIGN_VALUE_IFINDEX:
		return one ? can_be(any_index(host, part->first, part->len, true)) : unknown;
	case FOREIGN_VALUE_ADDR_V4:
	case FOREIGN_VALUE_ADDR_V6:
		return can_be(any_addr_within(host, part));
	case FOREIGN_VALUE_OTHER:
		break;
	}
	return unknown;
}

struct foreign_answer foreign_within(const struct preflight_host *host,
				     const struct foreign_key *key,
				     const struct foreign_range *range)
{
	struct foreign_answer all = {.applies = true, .certain = key->n > 0};
	size_t at = 0;

	for (size_t i = 0; i < key->n && at < range->len; i++) {
		struct part part = {.value = &key->parts[i],
				    .first = range->first + at,
				    .last = range->last + at,
				    .len = least(key->parts[i].len, range->len - at)};
		struct foreign_answer answer = part_within(host, &part);

		all.applies &= answer.applies;
		all.certain &= answer.certain;
		at += (key->parts[i].len + 3) / 4 * 4;
	}
	return all;
}
