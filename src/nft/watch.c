/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change comes as a message for each object that it touches, and at its end one that says which
 * process it was. Both carry the sender's socket. */
#include "nft/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "request.h"

#define RECEIVE_BUFFER (4 << 20)
/* Others' changes can be endless; our work goes on between two reads. */
#define DATAGRAMS_MAX 256

static int join(const struct nft_watch *watch, bool member)
{
	int group = NFNLGRP_NFTABLES;

	if (setsockopt(watch->fd, SOL_NETLINK,
		       member ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
		       sizeof(group)) < 0)
		return -errno;
	return 0;
}

int nft_watch_open(struct nft_watch *watch, const struct nft_kernel *kernel, struct err *err)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int receive = RECEIVE_BUFFER, rc = 0;

	*watch = (struct nft_watch){.kernel = kernel};
	watch->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (watch->fd < 0 || bind(watch->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		rc = -errno;
	/* A larger buffer only helps. */
	if (rc == 0 &&
	    setsockopt(watch->fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof(receive)) < 0)
		(void)setsockopt(watch->fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	if (rc == 0)
		rc = join(watch, true);
	if (rc == 0)
		return 0;
	nft_watch_close(watch);
	return err_set(err, rc, "cannot listen to changes of nf_tables: %s", strerror(-rc));
}

void nft_watch_close(struct nft_watch *watch)
{
	if (watch->fd >= 0)
		(void)close(watch->fd); /* read side only */
	watch->fd = -1;
}

int nft_watch_fd(const struct nft_watch *watch)
{
	return watch->fd;
}

static const struct nlattr *find_attr(const struct nlmsghdr *message, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}

static void copy_text(char *to, size_t len, const struct nlattr *attr)
{
	(void)snprintf(to, len, "%.*s", attr ? (int)mnl_attr_get_payload_len(attr) : 0,
		       attr ? mnl_attr_get_str(attr) : "");
}

/* Every kind of object has its table as first attribute. */
static bool is_ours(const struct nlmsghdr *message)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *table = find_attr(message, NFTA_TABLE_NAME);
	enum nft_table ours;

	if (!table || strcmp(mnl_attr_get_str(table), NFT_TABLE_NAME) != 0)
		return false;
	return nft_table_of_family(header->nfgen_family, &ours);
}

/* "rule gone from chain forward" */
static void describe(const struct nlmsghdr *message, struct nft_touch *touch)
{
	static const struct {
		uint16_t type, name; /* name: the attribute */
		const char *words;
	} kinds[] = {
		{NFT_MSG_NEWTABLE, 0, "table made or changed"},
		{NFT_MSG_DELTABLE, 0, "table gone"},
		{NFT_MSG_NEWCHAIN, NFTA_CHAIN_NAME, "chain made or changed: "},
		{NFT_MSG_DELCHAIN, NFTA_CHAIN_NAME, "chain gone: "},
		{NFT_MSG_NEWRULE, NFTA_RULE_CHAIN, "rule new in chain "},
		{NFT_MSG_DELRULE, NFTA_RULE_CHAIN, "rule gone from chain "},
		{NFT_MSG_NEWSET, NFTA_SET_NAME, "set made or changed: "},
		{NFT_MSG_DELSET, NFTA_SET_NAME, "set gone: "},
		{NFT_MSG_NEWSETELEM, NFTA_SET_ELEM_LIST_SET, "element new in "},
		{NFT_MSG_DELSETELEM, NFTA_SET_ELEM_LIST_SET, "element gone from "},
		{NFT_MSG_NEWOBJ, NFTA_OBJ_NAME, "object made: "},
		{NFT_MSG_DELOBJ, NFTA_OBJ_NAME, "object gone: "},
		{NFT_MSG_NEWFLOWTABLE, NFTA_FLOWTABLE_NAME, "flowtable made: "},
		{NFT_MSG_DELFLOWTABLE, NFTA_FLOWTABLE_NAME, "flowtable gone: "},
	};
	uint16_t type = NFNL_MSG_TYPE(message->nlmsg_type);
	char name[NFT_NAME_MAX] = "";

	(void)snprintf(touch->what, sizeof(touch->what), "changed");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].type != type)
			continue;
		if (kinds[i].name)
			copy_text(name, sizeof(name), find_attr(message, kinds[i].name));
		(void)snprintf(touch->what, sizeof(touch->what), "%s%s", kinds[i].words, name);
	}
}

/* The end of a change: who it was. */
static void take_end(struct nft_watch *watch, const struct nlmsghdr *message, struct nft_touch *ret)
{
	const struct nlattr *pid = find_attr(message, NFTA_GEN_PROC_PID);

	if (watch->pending.touched && !ret->touched) {
		*ret = watch->pending;
		if (pid)
			ret->pid = ntohl(mnl_attr_get_u32(pid));
		copy_text(ret->name, sizeof(ret->name), find_attr(message, NFTA_GEN_PROC_NAME));
	}
	watch->pending = (struct nft_touch){0};
}

static void take_message(struct nft_watch *watch, const struct nlmsghdr *message,
			 struct nft_touch *ret)
{
	if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg) ||
	    message->nlmsg_pid == watch->kernel->portid)
		return;
	if (NFNL_MSG_TYPE(message->nlmsg_type) == NFT_MSG_NEWGEN) {
		take_end(watch, message, ret);
	} else if (!watch->pending.touched && is_ours(message)) {
		watch->pending.touched = true;
		describe(message, &watch->pending);
	}
}

/* Resync, then: nobody knows what was lost. */
static void take_loss(struct nft_watch *watch, struct nft_touch *ret)
{
	watch->pending = (struct nft_touch){0};
	if (!ret->touched)
		(void)snprintf(ret->what, sizeof(ret->what), "more changes than could be followed");
	ret->touched = true;
}

int nft_watch_read(struct nft_watch *watch, struct nft_touch *ret)
{
	_Alignas(struct nlmsghdr) char buffer[NFT_ANSWER_BYTES];

	*ret = (struct nft_touch){0};
	for (int i = 0; i < DATAGRAMS_MAX; i++) {
		ssize_t n = recv(watch->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		int left = (int)n;

		if (n < 0 && errno == ENOBUFS)
			take_loss(watch, ret);
		else if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? 0 : -errno;
		for (const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		     n > 0 && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			take_message(watch, message, ret);
	}
	return 0;
}

int nft_watch_pause(struct nft_watch *watch, struct nft_kernel *kernel)
{
	int rc;

	/* First: what happens before it has left is told twice, not never. */
	watch->commits = kernel->commits;
	rc = nft_kernel_generation(kernel, &watch->generation);
	return rc == 0 ? join(watch, false) : rc;
}

int nft_watch_resume(struct nft_watch *watch, struct nft_kernel *kernel, bool *ret_missed)
{
	uint32_t now = 0;
	int rc = join(watch, true);

	if (rc == 0)
		rc = nft_kernel_generation(kernel, &now);
	if (rc == 0)
		*ret_missed =
			now - watch->generation != (uint32_t)(kernel->commits - watch->commits);
	return rc;
}
