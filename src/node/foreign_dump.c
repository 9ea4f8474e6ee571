/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "foreign_dump.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/cleanup.h"

#define READ_BYTES 32768

static void close_socket(struct mnl_socket **socket)
{
	if (*socket)
		(void)mnl_socket_close(*socket); /* nothing to lose */
}

int foreign_dump_stop(void)
{
	errno = ENOMEM;
	return MNL_CB_ERROR;
}

int foreign_dump_not_parsed(void)
{
	return errno == ENOMEM ? foreign_dump_stop() : MNL_CB_OK;
}

static const struct nlmsghdr *make_request(char *buffer, uint16_t type,
					   const struct foreign_place *place)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *head;

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = 1;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	*head = (struct nfgenmsg){
		.nfgen_family = place ? (uint8_t)place->family : NFPROTO_UNSPEC,
		.version = NFNETLINK_V0,
	};
	if (!place)
		return message;
	if (type == NFT_MSG_GETSETELEM) {
		mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, place->table);
		mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, place->name);
	} else {
		mnl_attr_put_strz(message, NFTA_RULE_TABLE, place->table);
		mnl_attr_put_strz(message, NFTA_RULE_CHAIN, place->name);
	}
	return message;
}

int foreign_dump(uint16_t type, const struct foreign_place *place, mnl_cb_t take, void *ctx)
{
	_Alignas(struct nlmsghdr) char buffer[READ_BYTES];
	CLEANUP(close_socket)
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	const struct nlmsghdr *message;
	ssize_t n;
	int rc = MNL_CB_OK;

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	memset(buffer, 0, sizeof(buffer)); /* libmnl leaves out padding */
	message = make_request(buffer, type, place);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (rc > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(socket), take, ctx);
	}
	return rc < 0 ? -errno : 0;
}
