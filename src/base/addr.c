/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

size_t addr_bytes(enum family family)
{
	return family == FAMILY_V4 ? 4 : 16;
}

/* Dotted quad, leading zeros allowed and decimal; inet_pton() refuses them. */
static bool parse_v4(const char *text, uint8_t out[4], bool *zeros)
{
	for (int i = 0; i < 4; i++) {
		unsigned value = 0, digits = 0;

		for (; *text >= '0' && *text <= '9'; text++, digits++) {
			if (digits == 1 && value == 0)
				*zeros = true;
			value = value * 10 + (unsigned)(*text - '0');
			if (value > 255 || digits > 15)
				return false;
		}
		if (digits == 0 || *text != (i < 3 ? '.' : '\0'))
			return false;
		out[i] = (uint8_t)value;
		text++;
	}
	return true;
}

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* As written: a mapped address stays IPv6 here, its prefix length counts 128 bits. */
static bool parse_plain(const char *text, struct addr *ret, unsigned *sloppy)
{
	bool zeros = false;

	memset(ret, 0, sizeof(*ret));
	if (strchr(text, ':')) {
		ret->family = FAMILY_V6;
		return inet_pton(AF_INET6, text, ret->b) == 1;
	}
	ret->family = FAMILY_V4;
	if (!parse_v4(text, ret->b, &zeros))
		return false;
	if (zeros)
		*sloppy |= SLOPPY_ZEROS;
	return true;
}

static bool is_mapped(const struct addr *addr)
{
	return addr->family == FAMILY_V6 &&
	       memcmp(addr->b, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static bool unmap(struct addr *addr)
{
	if (!is_mapped(addr))
		return false;
	memmove(addr->b, addr->b + 12, 4);
	memset(addr->b + 4, 0, 12);
	addr->family = FAMILY_V4;
	return true;
}

bool addr_parse(const char *text, struct addr *ret_addr)
{
	struct addr addr;
	unsigned sloppy = 0;

	if (!parse_plain(text, &addr, &sloppy))
		return false;
	(void)unmap(&addr); /* either form is fine */
	*ret_addr = addr;
	return true;
}

/* Clears what lies beyond the length; true when something did. */
static bool mask(struct prefix *prefix)
{
	bool host_bits = false;

	for (unsigned bit = prefix->len; bit < addr_bytes(prefix->addr.family) * 8; bit++) {
		uint8_t flag = (uint8_t)(0x80u >> (bit % 8));

		if (prefix->addr.b[bit / 8] & flag)
			host_bits = true;
		prefix->addr.b[bit / 8] &= (uint8_t)~flag;
	}
	return host_bits;
}

/* Leading zeros mean nothing, as in Go's dtoi(). */
static bool parse_length(const char *text, unsigned max, uint8_t *ret, unsigned *sloppy)
{
	unsigned value = 0;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || text[digits] != '\0')
		return false;
	if (digits > 1 && text[0] == '0')
		*sloppy |= SLOPPY_ZEROS;
	for (; *text && value <= max; text++)
		value = value * 10 + (unsigned)(*text - '0');
	if (value > max)
		return false;
	*ret = (uint8_t)value;
	return true;
}

bool prefix_parse(const char *text, struct prefix *ret_prefix, unsigned *ret_sloppy)
{
	const char *slash = strchr(text, '/');
	char address[64];
	struct prefix prefix;
	unsigned sloppy = 0;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (!parse_plain(address, &prefix.addr, &sloppy))
		return false;
	if (!parse_length(slash + 1, (unsigned)addr_bytes(prefix.addr.family) * 8, &prefix.len,
			  &sloppy))
		return false;
	if (is_mapped(&prefix.addr))
		sloppy |= SLOPPY_MAPPED;
	if (mask(&prefix))
		sloppy |= SLOPPY_HOST;
	/* ::ffff:a.b.c.d/96+n is a.b.c.d/n to Go's net.IPNet; shorter ones hold no IPv4 address. */
	if (prefix.len >= 96 && unmap(&prefix.addr))
		prefix.len = (uint8_t)(prefix.len - 96);
	*ret_prefix = prefix;
	if (ret_sloppy)
		*ret_sloppy = sloppy;
	return true;
}

const char *addr_format(const struct addr *addr, char buf[static ADDR_TEXT_MAX])
{
	/* Cannot fail: the buffer holds any address. */
	(void)inet_ntop(addr->family == FAMILY_V4 ? AF_INET : AF_INET6, addr->b, buf,
			ADDR_TEXT_MAX);
	return buf;
}

const char *prefix_format(const struct prefix *prefix, char buf[static PREFIX_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];

	(void)snprintf(buf, PREFIX_TEXT_MAX, "%s/%u", addr_format(&prefix->addr, text),
		       prefix->len);
	return buf;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, addr_bytes(a->family));
}

bool prefix_contains(const struct prefix *prefix, const struct addr *addr)
{
	unsigned bytes = prefix->len / 8, rest = prefix->len % 8;

	if (prefix->addr.family != addr->family || memcmp(prefix->addr.b, addr->b, bytes) != 0)
		return false;
	if (rest == 0)
		return true;
	return ((prefix->addr.b[bytes] ^ addr->b[bytes]) & (uint8_t)(0xff00u >> rest)) == 0;
}
