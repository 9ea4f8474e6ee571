/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as an address and as a prefix, against inet_pton(). */
#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "base/addr.h"
#include "fuzz.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool pton(const char *text, struct addr *ret)
{
	uint8_t b[16] = {0};

	*ret = (struct addr){0};
	if (inet_pton(AF_INET, text, ret->b) == 1)
		return true;
	if (inet_pton(AF_INET6, text, b) != 1)
		return false;
	if (memcmp(b, mapped, sizeof(mapped)) == 0) {
		memcpy(ret->b, b + 12, 4);
	} else {
		ret->family = FAMILY_V6;
		memcpy(ret->b, b, sizeof(b));
	}
	return true;
}

static void check_addr(const char *text)
{
	struct addr ours, theirs, again;
	char shown[ADDR_TEXT_MAX];
	bool known = pton(text, &theirs);

	if (!addr_parse(text, &ours)) {
		REQUIRE(!known);
		return;
	}
	/* What only we take are leading zeros. */
	if (known)
		REQUIRE(addr_compare(&ours, &theirs) == 0);
	else
		REQUIRE(!strchr(text, ':') && strchr(text, '0'));
	REQUIRE(addr_parse(addr_format(&ours, shown), &again) && addr_compare(&ours, &again) == 0);
}

static void check_prefix(const char *text)
{
	const char *slash = strchr(text, '/');
	char shown[PREFIX_TEXT_MAX], *address;
	struct prefix prefix, again;
	struct addr addr;
	unsigned sloppy = 99;

	if (!prefix_parse(text, &prefix, &sloppy))
		return;
	REQUIRE(slash && sloppy <= (SLOPPY_ZEROS | SLOPPY_MAPPED | SLOPPY_HOST));
	REQUIRE(prefix.len <= addr_bytes((enum family)prefix.addr.family) * 8);
	address = strndup(text, (size_t)(slash - text));
	REQUIRE(address && addr_parse(address, &addr));
	/* Mapped with fewer than 96 bits is IPv6, and holds no IPv4. */
	if (addr.family == prefix.addr.family)
		REQUIRE(prefix_contains(&prefix, &addr));
	else
		REQUIRE(sloppy & SLOPPY_MAPPED);
	free(address);
	/* Its text is strict, and the same prefix. */
	REQUIRE(prefix_parse(prefix_format(&prefix, shown), &again, &sloppy));
	REQUIRE(sloppy == SLOPPY_NONE && again.len == prefix.len &&
		addr_compare(&again.addr, &prefix.addr) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	REQUIRE(text);
	memcpy(text, data, size);
	text[size] = '\0';
	check_addr(text);
	check_prefix(text);
	free(text);
	return 0;
}
