/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample.h"

#include <netinet/icmp6.h>
#include <stdio.h>
#include <string.h>

#include "sample_parts.h"

/* What is in a bridge table needs its leaf, and does not go before it. */
static bool sample_has_table(const struct ruleset *ruleset, enum nft_table table)
{
	return table != NFT_TABLE_BRIDGE || ruleset_chain(ruleset, table, PORT_LEAF);
}

void sample_random(uint64_t seed, struct ruleset *ruleset)
{
	bool bridges = !sample_chance(&seed, 4);

	if (bridges)
		sample_put_port_leaf(&seed, ruleset);

	for (size_t i = 0; i < SAMPLE_SETS; i++) {
		struct sample_form sample = sample_set(&seed, i);

		if (!sample_chance(&seed, 4) && sample_has_table(ruleset, sample.table))
			sample_check(ruleset_put_set(ruleset, sample_new_set(&seed, &sample)));
	}
	sample_put_branches(&seed, ruleset);
	for (uint32_t i = 0; i < SPOOF_CHAINS && bridges; i++) {
		if (!sample_chance(&seed, 4))
			sample_put_antispoof(&seed, ruleset, i);
	}
}

static void change_set(uint64_t *state, struct ruleset *ruleset, size_t i)
{
	struct sample_form sample = sample_set(state, i);
	struct nft_set *set = ruleset_set(ruleset, sample.name);

	if (!sample_has_table(ruleset, sample.table))
		return;
	if (!set || sample_chance(state, 8)) {
		sample_check(ruleset_put_set(ruleset, sample_new_set(state, &sample)));
	} else if (sample_chance(state, 8)) {
		sample_check(ruleset_drop_set(ruleset, sample.name));
	} else {
		while (set->elems && sample_chance(state, 2))
			sample_check(nft_set_remove(set, &set->elems->key));
		if (!set->interval || sample_chance(state, 2))
			sample_elem(state, set);
	}
}

void sample_change(uint64_t seed, struct ruleset *ruleset)
{
	for (size_t i = 0; i < SAMPLE_SETS; i++) {
		if (sample_chance(&seed, 3))
			change_set(&seed, ruleset, i);
	}
	sample_put_branches(&seed, ruleset);
	if (sample_has_table(ruleset, NFT_TABLE_BRIDGE) && sample_chance(&seed, 2))
		sample_put_port_leaf(&seed, ruleset);
	for (uint32_t i = 0; i < SPOOF_CHAINS; i++) {
		char name[NFT_NAME_MAX];

		(void)snprintf(name, sizeof(name), "antispoof_%u", i);
		/* They may look into a set that is gone. */
		sample_check(ruleset_drop_chain(ruleset, NFT_TABLE_BRIDGE, name));
		if (sample_chance(&seed, 2))
			sample_put_antispoof(&seed, ruleset, i);
	}
}

void sample_large(struct ruleset *ruleset, size_t n)
{
	struct nft_set *set = nft_set_new("p4_0", NFT_SET_TYPE_IPV4, "ns=shop pod{}");
	uint64_t state = 1;

	if (!set)
		sample_check(-1);
	for (size_t i = 0; i < n; i++) {
		struct nft_key key = sample_key(&state, set->type, (uint32_t)i);

		sample_check(nft_set_add(set, &key, NULL));
	}
	sample_check(ruleset_put_set(ruleset, set));
	sample_put_branches(&state, ruleset);
}
