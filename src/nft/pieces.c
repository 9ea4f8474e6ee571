/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/pieces.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

/* What one pass takes of some parts of a plan. */
struct pass {
	const struct nft_plan *plan;
	struct nft_pieces *pieces;
	size_t room;
	enum nft_plan_part parts[3];
	size_t n_parts;
	bool gates; /* elements that lead packets into chains; else all but those */
};

void nft_pieces_done(struct nft_pieces *pieces)
{
	for (size_t i = 0; i < pieces->batches.n; i++)
		nft_batch_done(&pieces->batches.v[i]);
	vec_free(&pieces->batches);
}

/* Messages that belong together, behind those that are there if that has room for them. */
static int add(const struct pass *pass, const struct nft_batch *unit, size_t from, size_t to)
{
	struct nft_pieces *pieces = pass->pieces;
	const struct nft_message *first = &unit->messages.v[from],
				 *last = &unit->messages.v[to - 1];
	size_t bytes = last->offset + last->len - first->offset;
	struct nft_batch *open =
		pieces->batches.n > 0 ? &pieces->batches.v[pieces->batches.n - 1] : NULL;

	if (!open || open->len + bytes > pass->room) {
		if (vec_push(&pieces->batches, (struct nft_batch){0}) < 0)
			return -ENOMEM;
		open = &pieces->batches.v[pieces->batches.n - 1];
	}
	return nft_batch_append(open, unit, from, to);
}

static bool same_object(const struct nft_message *a, const struct nft_message *b)
{
	return a->subject == b->subject && a->table == b->table && strcmp(a->name, b->name) == 0;
}

/* Has the pass met the object before this message of a part of its? */
static bool is_met(const struct pass *pass, size_t at_part, size_t at)
{
	const struct nft_message *wanted = &pass->plan->parts[pass->parts[at_part]].messages.v[at];

	for (size_t i = 0; i <= at_part; i++) {
		const struct nft_batch *part = &pass->plan->parts[pass->parts[i]];
		size_t end = i < at_part ? part->messages.n : at;

		for (size_t j = 0; j < end; j++) {
			if (same_object(&part->messages.v[j], wanted))
				return true;
		}
	}
	return false;
}

static int gather(const struct pass *pass, const struct nft_message *object, struct nft_batch *unit)
{
	int rc = 0;

	for (size_t i = 0; i < pass->n_parts; i++) {
		const struct nft_batch *part = &pass->plan->parts[pass->parts[i]];

		for (size_t j = 0; j < part->messages.n && rc == 0; j++) {
			if (same_object(&part->messages.v[j], object))
				rc = nft_batch_append(unit, part, j, j + 1);
		}
	}
	return rc;
}

/* All that is said of an object is one unit. */
static int add_objects(const struct pass *pass)
{
	int rc = 0;

	for (size_t i = 0; i < pass->n_parts; i++) {
		const struct nft_batch *part = &pass->plan->parts[pass->parts[i]];

		for (size_t j = 0; j < part->messages.n && rc == 0; j++) {
			const struct nft_message *message = &part->messages.v[j];
			struct nft_batch unit = {0};

			if (message->gate != pass->gates || is_met(pass, i, j))
				continue;
			rc = gather(pass, message, &unit);
			if (rc == 0)
				rc = add(pass, &unit, 0, unit.messages.n);
			nft_batch_done(&unit);
		}
	}
	return rc;
}

/* Each message is one unit. */
static int add_messages(const struct pass *pass)
{
	int rc = 0;

	for (size_t i = 0; i < pass->n_parts; i++) {
		const struct nft_batch *part = &pass->plan->parts[pass->parts[i]];

		for (size_t j = 0; j < part->messages.n && rc == 0; j++) {
			if (part->messages.v[j].gate == pass->gates)
				rc = add(pass, part, j, j + 1);
		}
	}
	return rc;
}

static const struct pass *take(struct pass *pass, size_t n, enum nft_plan_part first,
			       enum nft_plan_part second, enum nft_plan_part third)
{
	pass->parts[0] = first;
	pass->parts[1] = second;
	pass->parts[2] = third;
	pass->n_parts = n;
	return pass;
}

/* New base chains are objects like others; what is deleted and made again is not. */
static bool is_remaking(const struct nft_plan *plan)
{
	const struct nft_batch *part = &plan->parts[NFT_PLAN_REMAKE];

	for (size_t i = 0; i < part->messages.n; i++) {
		const struct nlmsghdr *message =
			(const void *)(part->bytes + part->messages.v[i].offset);

		if (NFNL_MSG_TYPE(message->nlmsg_type) != NFT_MSG_NEWCHAIN)
			return true;
	}
	return false;
}

int nft_pieces_of_change(const struct nft_plan *plan, size_t room, struct nft_pieces *pieces)
{
	struct pass pass = {.plan = plan, .pieces = pieces, .room = room};
	int rc = is_remaking(plan) ? -EMSGSIZE : 0;

	if (rc == 0)
		rc = add_messages(take(&pass, 2, NFT_PLAN_DROP_MAP_ELEMS, NFT_PLAN_DROP_ELEMS, 0));
	if (rc == 0)
		rc = add_objects(
			take(&pass, 3, NFT_PLAN_FLUSH_CHAINS, NFT_PLAN_REMAKE, NFT_PLAN_RULES));
	pass.gates = true;
	if (rc == 0)
		rc = add_objects(take(&pass, 2, NFT_PLAN_DROP_MAP_ELEMS, NFT_PLAN_MAP_ELEMS, 0));
	pass.gates = false;
	if (rc == 0)
		rc = add_messages(take(&pass, 2, NFT_PLAN_MAP_ELEMS, NFT_PLAN_ELEMS, 0));
	return rc;
}
