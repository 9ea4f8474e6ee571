/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/features.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nft/encode.h"

static const struct {
	const char *name;
	enum nft_table table;
	const char *chain;       /* that is tried, or */
	const char *set;         /* of concatenated ranges; NULL both: the table itself */
	enum nft_stmt_kind kind; /* what is in the chain */
} features[NFT_FEATURE_COUNT] = {
	[NFT_FEATURE_INET] = {.name = "family inet (CONFIG_NF_TABLES_INET)",
			      .table = NFT_TABLE_POLICY},
	[NFT_FEATURE_BRIDGE] = {.name = "family bridge (CONFIG_NF_TABLES_BRIDGE)",
				.table = NFT_TABLE_BRIDGE},
	[NFT_FEATURE_CT] = {.name = "expression ct (CONFIG_NFT_CT, module nft_ct)",
			    .table = NFT_TABLE_POLICY,
			    .chain = "try_ct",
			    .kind = NFT_STMT_CT_ESTABLISHED},
	[NFT_FEATURE_FIB] = {.name = "expression fib (CONFIG_NFT_FIB_INET, module nft_fib_inet)",
			     .table = NFT_TABLE_POLICY,
			     .chain = "try_fib",
			     .kind = NFT_STMT_LOCAL_SOURCE},
	[NFT_FEATURE_COUNTER] = {.name = "expression counter (CONFIG_NFT_COUNTER, module "
					 "nft_counter)",
				 .table = NFT_TABLE_POLICY,
				 .chain = "try_counter",
				 .kind = NFT_STMT_COUNTER},
	[NFT_FEATURE_RANGES] = {.name = "sets of concatenated ranges (pipapo, since Linux 5.6), "
					"which ranges of ports need",
				.table = NFT_TABLE_POLICY,
				.set = "try_ranges"},
};

const char *nft_feature_name(enum nft_feature feature)
{
	return features[feature].name;
}

/* A chain with a rule of one statement. */
static int try_statement(struct nft_batch *batch, enum nft_feature feature)
{
	struct nft_chain *chain = nft_chain_new(features[feature].chain, "");
	struct nft_stmt stmt = {.kind = features[feature].kind};
	struct nft_rule rule = {0};
	int rc = chain ? nft_rule_add(&rule, &stmt) : -ENOMEM;

	if (rc == 0)
		rc = nft_build_chain(batch, features[feature].table, chain);
	if (rc == 0)
		rc = nft_build_rule(batch, features[feature].table, chain->name, &rule);
	nft_rule_done(&rule);
	nft_chain_free(chain);
	return rc;
}

static int try_set(struct nft_batch *batch, enum nft_feature feature)
{
	struct nft_set *set = nft_set_new(features[feature].set, NFT_SET_TYPE_PORT_PROTO, "");
	int rc;

	if (!set)
		return -ENOMEM;
	set->table = features[feature].table;
	set->interval = true;
	rc = nft_build_set(batch, set);
	nft_set_free(set);
	return rc;
}

static int try_feature(struct nft_batch *batch, enum nft_feature feature)
{
	if (features[feature].chain)
		return try_statement(batch, feature);
	if (features[feature].set)
		return try_set(batch, feature);
	return nft_build_table_if_absent(batch, features[feature].table);
}

static int build(struct nft_batch *batch)
{
	int rc = nft_batch_begin(batch, 0);

	for (int i = 0; i < NFT_FEATURE_COUNT && rc == 0; i++)
		rc = try_feature(batch, (enum nft_feature)i);
	return rc;
}

/* nf_tables_newtable(): EOPNOTSUPP; nft_expr_type_get(): ENOENT where there is no such module;
 * nf_tables_newset(): EINVAL before 5.6. Refused for another reason it may still be there. */
static bool is_lacking(enum nft_feature feature, const struct nft_refusal *refusal)
{
	const struct nft_message *message = &refusal->message;

	if (features[feature].set)
		return (refusal->code == -EINVAL || refusal->code == -EOPNOTSUPP) &&
		       message->subject == NFT_SUBJECT_SET &&
		       strcmp(message->name, features[feature].set) == 0;
	if (refusal->code != -EOPNOTSUPP && refusal->code != -EAFNOSUPPORT &&
	    refusal->code != -ENOENT)
		return false;
	return message->table == features[feature].table &&
	       (features[feature].chain ? strcmp(message->name, features[feature].chain) == 0
					: message->subject == NFT_SUBJECT_TABLE);
}

static unsigned lacking(const struct nft_kernel *kernel)
{
	unsigned found = 0;

	for (int i = 0; i < NFT_FEATURE_COUNT; i++) {
		for (size_t j = 0; j < kernel->refusals.n; j++) {
			if (is_lacking((enum nft_feature)i, &kernel->refusals.v[j]))
				found |= 1u << i;
		}
	}
	return found & (1u << NFT_FEATURE_INET) ? 1u << NFT_FEATURE_INET : found;
}

int nft_features_missing(struct nft_kernel *kernel, unsigned *ret_missing, struct err *err)
{
	struct nft_batch batch = {.seq = kernel->seq};
	int rc = build(&batch);

	kernel->seq = batch.seq;
	rc = rc < 0 ? err_set(err, rc, "no memory for a question")
		    : nft_kernel_try(kernel, &batch, err);
	if (rc == 0)
		*ret_missing = lacking(kernel);
	nft_batch_done(&batch);
	return rc;
}

void nft_features_explain(struct nft_kernel *kernel, unsigned *missing, struct err *err)
{
	struct err unknown;
	char text[ERR_TEXT_MAX];

	if (nft_features_missing(kernel, missing, &unknown) < 0)
		return;
	for (int i = 0; i < NFT_FEATURE_COUNT; i++) {
		if (!(*missing & 1u << i))
			continue;
		memcpy(text, err->text, sizeof(text));
		(void)err_set(err, err->code, "%.300s; this kernel has no %s", text,
			      features[i].name);
	}
}
