/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule of somebody else, as far as it can matter for pods. */
#ifndef NODE_FOREIGN_RULE_H
#define NODE_FOREIGN_RULE_H

#include <stdbool.h>

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
};

struct foreign_rule {
	enum foreign_effect effect;
	bool applies; /* as far as its conditions are understood, it can match what pods send or get
		       */
	bool certain; /* all conditions are understood: it matches such a packet, whatever else it
			 is */
	bool always;  /* no conditions */
	char *target; /* of a jump or goto */
};

/* 0, and the caller frees `target`; or -ENOMEM. */
int foreign_rule_parse(const struct preflight_host *host, struct nftnl_rule *rule,
		       struct foreign_rule *ret);

#endif
