/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a rule of somebody else loads of a packet, and whether a packet of pods can have it. */
#ifndef NODE_FOREIGN_MATCH_H
#define NODE_FOREIGN_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/preflight.h"

#define FOREIGN_VALUE_MAX 16
/* Of a set's keys, NFT_DATA_VALUE_MAXLEN of linux/netfilter/nf_tables.h, and their fields of four
 * bytes. */
#define FOREIGN_KEY_MAX   64
#define FOREIGN_PARTS_MAX (FOREIGN_KEY_MAX / 4)

enum foreign_value_kind {
	FOREIGN_VALUE_OTHER,
	FOREIGN_VALUE_COMMON, /* something that all connections of a kind have */
	FOREIGN_VALUE_STATE,  /* of connection tracking */
	FOREIGN_VALUE_IFNAME,
	FOREIGN_VALUE_IFINDEX,
	FOREIGN_VALUE_ADDR_V4,
	FOREIGN_VALUE_ADDR_V6,
};

/* What is in a register. */
struct foreign_value {
	enum foreign_value_kind kind;
	bool masked;
	uint8_t mask[FOREIGN_VALUE_MAX];
	size_t len; /* 0: not known */
};

/* What a set is looked into with: a value, or a concatenation. */
struct foreign_key {
	struct foreign_value parts[FOREIGN_PARTS_MAX];
	size_t n; /* 0: not known */
};

/* Of a set, both ends included; in a key each part begins at a multiple of four bytes. */
struct foreign_range {
	uint8_t first[FOREIGN_KEY_MAX], last[FOREIGN_KEY_MAX];
	size_t len;
};

/* Whether a packet of pods can pass this condition, and whether each of them does as far as it can
 * be told. */
struct foreign_answer {
	bool applies, certain;
};

bool foreign_is_of_family(const struct foreign_value *value, const struct addr *addr);

/* value == data; != where `is` is false. */
struct foreign_answer foreign_compare(const struct preflight_host *host,
				      const struct foreign_value *value, const uint8_t *data,
				      size_t len, bool is);

/* key within the range */
struct foreign_answer foreign_within(const struct preflight_host *host,
				     const struct foreign_key *key,
				     const struct foreign_range *range);

#endif
