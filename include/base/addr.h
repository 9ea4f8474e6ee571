/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses and prefixes. An IPv4-mapped IPv6 address is its IPv4 address, as in Kubernetes
 * (Go's net.IP), so one host has one form. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum family { FAMILY_V4, FAMILY_V6, FAMILY_COUNT };

#define ADDR_TEXT_MAX   46 /* INET6_ADDRSTRLEN */
#define PREFIX_TEXT_MAX 50

struct addr {
	uint8_t family; /* enum family */
	uint8_t b[16];  /* network order; IPv4 in b[0..4), the rest zero */
};

struct prefix {
	struct addr addr; /* bits beyond len are zero */
	uint8_t len;      /* bits */
};

/* What a parser had to forgive. Kubernetes up to 1.35 took all three; 1.36 refuses them on new
 * objects (StrictIPCIDRValidation) and still serves old ones. */
enum sloppy {
	SLOPPY_NONE = 0,
	SLOPPY_ZEROS = 1,  /* leading zeros in an octet, read as decimal */
	SLOPPY_MAPPED = 2, /* IPv4-mapped IPv6 */
	SLOPPY_HOST = 4,   /* bits set beyond the prefix length, masked off */
};

/* Bytes of an address of the family: 4 or 16. */
size_t addr_bytes(enum family family);

/* Parses an address. false: not one. Takes leading zeros in IPv4 (as decimal). */
bool addr_parse(const char *text, struct addr *ret_addr);

/* Parses ADDRESS/LEN. On success *ret_sloppy (may be NULL) is a sum of enum sloppy. */
bool prefix_parse(const char *text, struct prefix *ret_prefix, unsigned *ret_sloppy);

/* Both write to `buf` and return it. The form is nft's and inet_ntop's. */
const char *addr_format(const struct addr *addr, char buf[static ADDR_TEXT_MAX]);
const char *prefix_format(const struct prefix *prefix, char buf[static PREFIX_TEXT_MAX]);

/* memcmp order: family, then bytes. */
int addr_compare(const struct addr *a, const struct addr *b);

/* Is the address in the prefix? Families must agree. */
bool prefix_contains(const struct prefix *prefix, const struct addr *addr);

#endif
