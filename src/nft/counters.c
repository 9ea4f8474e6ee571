/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rules of one chain have counted. The kernel lists the rules of that chain alone, so that
 * the size of the ruleset does not matter. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "nft/kernel.h"
#include "request.h"

static int add_counter(struct nftnl_expr *expr, void *ctx)
{
	uint64_t *packets = ctx;

	if (strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), "counter") == 0)
		*packets += nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_PACKETS);
	return 0;
}

static int handle_rule(void *ctx, const struct nlmsghdr *message)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		return -ENOMEM;
	/* Expressions that libnftnl does not know are not ours. */
	if (nftnl_rule_nlmsg_parse(message, rule) == 0)
		(void)nftnl_expr_foreach(rule, add_counter, ctx); /* ours returns 0 */
	nftnl_rule_free(rule);
	return 0;
}

int nft_kernel_counted(struct nft_kernel *k, enum nft_table table, const char *chain,
		       uint64_t *ret_packets)
{
	_Alignas(struct nlmsghdr) char buffer[NFT_REQUEST_BYTES];
	struct nlmsghdr *request =
		nft_request_start(buffer, NFT_MSG_GETRULE, nft_table_family(table), NLM_F_DUMP);
	uint64_t packets = 0;
	int rc;

	mnl_attr_put_strz(request, NFTA_RULE_TABLE, NFT_TABLE_NAME);
	mnl_attr_put_strz(request, NFTA_RULE_CHAIN, chain);
	rc = nft_request(k, request, handle_rule, &packets);
	if (rc == 0)
		*ret_packets = packets;
	return rc;
}
