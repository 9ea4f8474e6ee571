/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample.h"

#include <netinet/icmp6.h>
#include <stdio.h>
#include <string.h>

#include "sample_parts.h"

void sample_random(uint64_t seed, struct ruleset *ruleset)
{
	bool guards = !sample_chance(&seed, 4);

	for (size_t i = 0; i < SAMPLE_SETS; i++) {
		struct sample_form sample = sample_set(&seed, i);

		if (!sample_chance(&seed, 4))
			sample_check(ruleset_put_set(ruleset, sample_new_set(&seed, &sample)));
	}
	sample_put_branches(&seed, ruleset);
	for (uint32_t i = 0; i < GUARDS && guards; i++) {
		if (!sample_chance(&seed, 4))
			sample_put_guard(&seed, ruleset, i);
	}
}

static void change_set(uint64_t *state, struct ruleset *ruleset, size_t i)
{
	struct sample_form sample = sample_set(state, i);
	struct nft_set *set = ruleset_set(ruleset, sample.name);

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
	for (uint32_t i = 0; i < GUARDS; i++) {
		char name[NFT_NAME_MAX];

		(void)snprintf(name, sizeof(name), "guard_%u", i);
		if (sample_chance(&seed, 6))
			sample_check(ruleset_drop_chain(ruleset, NFT_TABLE_GUARD, name));
		else if (sample_chance(&seed, 3))
			sample_put_guard(&seed, ruleset, i);
	}
}

static void add_drop(struct nft_chain *chain, const struct nft_stmt *match)
{
	uint64_t state = 1;
	struct pen pen = {.state = &state};

	sample_say(&pen, match);
	SAY(&pen, .kind = NFT_STMT_COUNTER);
	SAY(&pen, .kind = NFT_STMT_VERDICT, .verdict = {.kind = NFT_VERDICT_DROP});
	sample_check(nft_chain_add(chain, &pen.rule));
}

static void add_advert_drop(struct nft_chain *chain, const struct prefix *own)
{
	static const uint8_t link_local[] = {0xfe, 0x80, 0, 0,    0,    0, 0, 0,
					     8,    0,    0, 0xff, 0xfe, 0, 0, 1};
	struct prefix targets[] = {{.addr = {.family = FAMILY_V6}, .len = 128}, *own};
	uint8_t type = ND_NEIGHBOR_ADVERT;
	uint64_t state = 1;
	struct pen pen = {.state = &state};

	memcpy(targets[0].addr.b, link_local, sizeof(link_local));
	SAY(&pen, .kind = NFT_STMT_ICMPV6_TYPES, .types = &type, .n = 1);
	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		SAY(&pen, .kind = NFT_STMT_ND_TARGET, .family = FAMILY_V6, .negate = true,
		    .prefixes = &targets[i], .n = 1);
	SAY(&pen, .kind = NFT_STMT_COUNTER);
	SAY(&pen, .kind = NFT_STMT_VERDICT, .verdict = {.kind = NFT_VERDICT_DROP});
	sample_check(nft_chain_add(chain, &pen.rule));
}

void sample_guard(struct ruleset *ruleset, const char *device)
{
	struct prefix v4 = {.addr = {.b = {10, 0, 0, 7}}, .len = 32};
	struct prefix arp[] = {{.len = 32}, v4};
	uint8_t router[] = {ND_ROUTER_ADVERT, ND_REDIRECT};
	struct prefix v6[] = {
		{.addr = {.family = FAMILY_V6}, .len = 128},
		{.addr = {.family = FAMILY_V6, .b = {0xfd, [15] = 7}}, .len = 128},
		{.addr = {.family = FAMILY_V6, .b = {0xfe, 0x80}}, .len = 10},
	};
	struct nft_chain *chain = nft_chain_new("guard", "shop/web");

	if (!chain)
		sample_check(-1);
	chain->hook = NFT_HOOK_INGRESS;
	(void)snprintf(chain->device, sizeof(chain->device), "%s", device);
	add_drop(chain, &(struct nft_stmt){.kind = NFT_STMT_VLAN});
	add_drop(chain, &(struct nft_stmt){.kind = NFT_STMT_ETHER_SOURCE,
					   .negate = true,
					   .ether = {0x0a, 0, 0, 0, 0, 1}});
	add_drop(chain, &(struct nft_stmt){
				.kind = NFT_STMT_ADDR, .negate = true, .prefixes = &v4, .n = 1});
	add_drop(chain, &(struct nft_stmt){.kind = NFT_STMT_ADDR,
					   .family = FAMILY_V6,
					   .negate = true,
					   .prefixes = v6,
					   .n = ARRAY_LEN(v6)});
	add_drop(chain, &(struct nft_stmt){.kind = NFT_STMT_ARP_SOURCE,
					   .negate = true,
					   .prefixes = arp,
					   .n = ARRAY_LEN(arp)});
	add_drop(chain, &(struct nft_stmt){.kind = NFT_STMT_ICMPV6_TYPES,
					   .types = router,
					   .n = ARRAY_LEN(router)});
	add_advert_drop(chain, &v6[1]);
	sample_check(ruleset_put_chain(ruleset, NFT_TABLE_GUARD, chain));
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
