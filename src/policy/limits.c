/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/limits.h"

#define TEXT_OF(number) #number
#define MORE_THAN(max)  "more than " TEXT_OF(max)

const char *profile_limit_text(enum profile_limit limit)
{
	switch (limit) {
	case PROFILE_LIMIT_NONE:
		break;
	case PROFILE_LIMIT_POLICIES:
		return MORE_THAN(PROFILE_POLICIES_MAX) " policies";
	case PROFILE_LIMIT_RULES:
		return MORE_THAN(PROFILE_RULES_MAX) " rules";
	case PROFILE_LIMIT_SELECTORS:
		return MORE_THAN(PROFILE_SELECTORS_MAX) " selectors";
	case PROFILE_LIMIT_BLOCKS:
		return MORE_THAN(PROFILE_BLOCKS_MAX) " CIDRs";
	case PROFILE_LIMIT_PORTS:
		return MORE_THAN(PROFILE_PORTS_MAX) " ports";
	case PROFILE_LIMIT_PAIRS:
		return MORE_THAN(PROFILE_PAIRS_MAX) " pairs of rule and port range";
	case PROFILE_LIMIT_CLASSES:
		return MORE_THAN(PROFILE_CLASSES_MAX) " groups of ports with different rules";
	case PROFILE_LIMIT_RANGES:
		return MORE_THAN(PROFILE_RANGES_MAX) " port ranges";
	case PROFILE_LIMIT_CHAIN_RULES:
		return MORE_THAN(PROFILE_CHAIN_RULES_MAX) " pairs of group of ports and peers";
	case PROFILE_LIMIT_NAMESPACE:
		return MORE_THAN(NAMESPACE_MB_MAX) " MB with the others of the namespace";
	}
	return "";
}
