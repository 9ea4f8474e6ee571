/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint16_t family;
	const char *word;
} tables[NFT_TABLE_COUNT] = {
	[NFT_TABLE_POLICY] = {NFPROTO_INET, "inet"},
	[NFT_TABLE_BRIDGE] = {NFPROTO_BRIDGE, "bridge"},
};

uint16_t nft_table_family(enum nft_table table)
{
	return tables[table].family;
}

const char *nft_table_word(enum nft_table table)
{
	return tables[table].word;
}

bool nft_table_of_family(uint16_t family, enum nft_table *ret)
{
	for (int table = 0; table < NFT_TABLE_COUNT; table++) {
		if (tables[table].family == family) {
			*ret = (enum nft_table)table;
			return true;
		}
	}
	return false;
}

static int reserve(struct nft_batch *batch, size_t bytes)
{
	size_t want = batch->len + bytes;
	char *grown;

	if (want <= batch->cap)
		return 0;
	want += want / 2;
	grown = realloc(batch->bytes, want);
	if (!grown)
		return -ENOMEM;
	/* libmnl and libnftnl leave out padding: what is sent must not tell what was here before.
	 */
	memset(grown + batch->cap, 0, want - batch->cap);
	batch->bytes = grown;
	batch->cap = want;
	return 0;
}

static int note(struct nft_batch *batch, enum nft_subject subject, enum nft_table table,
		const char *name)
{
	struct nft_message message = {
		.seq = ++batch->seq,
		.offset = batch->len,
		.subject = subject,
		.table = table,
		.more = batch->more,
		.gate = batch->gate,
		.allows = batch->allows,
		.objects = 1,
	};

	(void)snprintf(message.name, sizeof(message.name), "%s", name);
	return vec_push(&batch->messages, message);
}

struct nlmsghdr *nft_batch_open(struct nft_batch *batch, uint16_t type, uint16_t flags,
				enum nft_subject subject, enum nft_table table, const char *name,
				size_t payload)
{
	if (reserve(batch, payload + MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg)) < 0 ||
	    note(batch, subject, table, name) < 0)
		return NULL;
	return nftnl_nlmsg_build_hdr(batch->bytes + batch->len, type, nft_table_family(table),
				     flags, batch->seq);
}

int nft_batch_close(struct nft_batch *batch, const struct nlmsghdr *message)
{
	struct nft_message *last = &batch->messages.v[batch->messages.n - 1];

	last->len = NLMSG_ALIGN(message->nlmsg_len);
	batch->len += last->len;
	return 0;
}

/* BEGIN and END carry the subsystem in their resource id and no table. */
static struct nlmsghdr *envelope(struct nft_batch *batch, uint16_t type)
{
	struct nlmsghdr *message;
	struct nfgenmsg *header;

	if (reserve(batch, MNL_NLMSG_HDRLEN + 64) < 0 ||
	    note(batch, NFT_SUBJECT_BATCH, NFT_TABLE_POLICY, "") < 0)
		return NULL;
	message = mnl_nlmsg_put_header(batch->bytes + batch->len);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST;
	message->nlmsg_seq = batch->seq;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = AF_UNSPEC;
	header->version = NFNETLINK_V0;
	header->res_id = htons(NFNL_SUBSYS_NFTABLES);
	return message;
}

int nft_batch_begin(struct nft_batch *batch, uint32_t generation)
{
	struct nlmsghdr *message = envelope(batch, NFNL_MSG_BATCH_BEGIN);

	if (!message)
		return -ENOMEM;
	if (generation != 0)
		mnl_attr_put_u32(message, NFNL_BATCH_GENID, htonl(generation));
	return nft_batch_close(batch, message);
}

int nft_batch_end(struct nft_batch *batch)
{
	struct nlmsghdr *message = envelope(batch, NFNL_MSG_BATCH_END);

	return message ? nft_batch_close(batch, message) : -ENOMEM;
}

int nft_batch_append(struct nft_batch *batch, const struct nft_batch *other, size_t from, size_t to)
{
	size_t start, bytes;

	if (from >= to)
		return 0;
	start = other->messages.v[from].offset;
	bytes = other->messages.v[to - 1].offset + other->messages.v[to - 1].len - start;
	if (reserve(batch, bytes) < 0)
		return -ENOMEM;
	memcpy(batch->bytes + batch->len, other->bytes + start, bytes);
	for (size_t i = from; i < to; i++) {
		struct nft_message message = other->messages.v[i];

		message.offset = message.offset - start + batch->len;
		message.seq = ++batch->seq;
		((struct nlmsghdr *)(batch->bytes + message.offset))->nlmsg_seq = message.seq;
		if (vec_push(&batch->messages, message) < 0)
			return -ENOMEM;
	}
	batch->len += bytes;
	return 0;
}

const struct nft_message *nft_batch_find(const struct nft_batch *batch, uint32_t seq)
{
	uint32_t i = batch->messages.n > 0 ? seq - batch->messages.v[0].seq : 0;

	return i < batch->messages.n ? &batch->messages.v[i] : NULL;
}

void nft_batch_done(struct nft_batch *batch)
{
	free(batch->bytes);
	vec_free(&batch->messages);
	*batch = (struct nft_batch){0};
}
