/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule of somebody else, as far as it can matter for pods. */
#ifndef NODE_FOREIGN_RULE_H
#define NODE_FOREIGN_RULE_H

#include <stdbool.h>

#include "foreign_match.h"
#include "node/preflight.h"

struct nftnl_rule;

enum foreign_effect {
	FOREIGN_NONE,
	FOREIGN_DROP,
	FOREIGN_ACCEPT,
	FOREIGN_JUMP,
	FOREIGN_GOTO,
	FOREIGN_RETURN,
	FOREIGN_NOTRACK,
	FOREIGN_MAP, /* what the map's element says */
};

struct foreign_verdict {
	enum foreign_effect effect;
	char *target; /* of a jump or goto */
};

struct foreign_rule {
	struct foreign_verdict verdict;
	bool applies; /* as far as its conditions are understood, it can match what pods send or get
		       */
	bool certain; /* all conditions are understood: it matches such a packet, whatever else it
			 is */
	bool always;  /* no conditions */
	char *set; /* what `key` is looked up in: a map, or a set whose elements match; or NULL */
	struct foreign_key key;
	bool negate; /* what the set does not have matches */
};

/* 0, and foreign_rule_done() later; or -ENOMEM. */
int foreign_rule_parse(const struct preflight_host *host, struct nftnl_rule *rule,
		       struct foreign_rule *ret);
void foreign_rule_done(struct foreign_rule *rule);

/* `code`: NF_* or NFT_*. 0, and the caller frees `target`; or -ENOMEM. */
int foreign_verdict_make(uint32_t code, const char *chain, struct foreign_verdict *ret);

#endif
