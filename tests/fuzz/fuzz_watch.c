/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as notifications of NFNLGRP_NFTABLES: transactions of ours and of others, about our tables
 * and others', cut into datagrams, with losses and with messages of any content in between. What
 * others have done to our tables is told once, with who it was; what is ours is not. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/vec.h"
#include "choices.h"
#include "fuzz.h"
#include "netlink.h"
#include "nft/watch.h"

#define OWN_PORT   4711
#define OTHER_PORT 99
#define PROCESS    1234

/* nft_watch_read() takes 256 datagrams at a time. */
#define DATAGRAMS_MAX 200

struct scene {
	struct choices choices;
	char datagram[8192];
	size_t len, datagrams; /* since the last reading */
	/* What is to be told, after all that has been put. */
	bool pending, touched;
	uint32_t pid;
	bool unknown; /* there was a message of any content */
};

static struct nlmsghdr *start_message(struct scene *s, uint16_t type, uint8_t family)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(s->datagram + s->len);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	message->nlmsg_pid = choose(&s->choices, 3) == 0 ? OWN_PORT : OTHER_PORT;
	header->nfgen_family = family;
	return message;
}

static void end_datagram(struct scene *s)
{
	if (s->len == 0)
		return;
	netlink_put(s->datagram, s->len);
	s->datagrams++;
	s->len = 0;
}

static void end_message(struct scene *s, const struct nlmsghdr *message)
{
	s->len += MNL_ALIGN(message->nlmsg_len);
	if (s->len > sizeof(s->datagram) / 2 || choose(&s->choices, 4) == 0)
		end_datagram(s);
}

/* An object of some table. */
static void put_object(struct scene *s)
{
	static const uint8_t families[] = {NFPROTO_INET, NFPROTO_BRIDGE, NFPROTO_IPV4,
					   NFPROTO_NETDEV};
	static const char *const tables[] = {"netpold", "netpold", "netpold2", "netpol", ""};
	static const uint16_t types[] = {NFT_MSG_NEWTABLE,
					 NFT_MSG_DELTABLE,
					 NFT_MSG_NEWCHAIN,
					 NFT_MSG_DELCHAIN,
					 NFT_MSG_NEWRULE,
					 NFT_MSG_DELRULE,
					 NFT_MSG_NEWSET,
					 NFT_MSG_DELSET,
					 NFT_MSG_NEWOBJ,
					 NFT_MSG_NEWSETELEM,
					 NFT_MSG_DELSETELEM,
					 NFT_MSG_NEWFLOWTABLE,
					 200};
	uint8_t family = families[choose(&s->choices, ARRAY_LEN(families))];
	const char *table = tables[choose(&s->choices, ARRAY_LEN(tables))];
	struct nlmsghdr *message =
		start_message(s, types[choose(&s->choices, ARRAY_LEN(types))], family);
	char name[256];
	uint8_t len = choose_byte(&s->choices);

	memset(name, 'n', len);
	name[len] = '\0';
	/* Table and name are the first attributes of each. */
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(message, NFTA_CHAIN_HANDLE, name);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, name);
	if ((family == NFPROTO_INET || family == NFPROTO_BRIDGE) && strcmp(table, "netpold") == 0 &&
	    message->nlmsg_pid != OWN_PORT)
		s->pending = true;
	end_message(s, message);
}

/* The end of a transaction. */
static void put_end(struct scene *s)
{
	struct nlmsghdr *message = start_message(s, NFT_MSG_NEWGEN, 0);

	mnl_attr_put_u32(message, NFTA_GEN_ID, htonl(7));
	mnl_attr_put_u32(message, NFTA_GEN_PROC_PID, htonl(PROCESS));
	mnl_attr_put_strz(message, NFTA_GEN_PROC_NAME, "firewalld");
	if (message->nlmsg_pid != OWN_PORT) {
		if (s->pending && !s->touched)
			s->pid = PROCESS;
		s->touched |= s->pending;
		s->pending = false;
	}
	end_message(s, message);
}

static void put_loss(struct scene *s)
{
	end_datagram(s);
	netlink_put_error(ENOBUFS);
	s->datagrams++;
	if (!s->touched)
		s->pid = 0;
	s->touched = true;
	s->pending = false;
}

static void put_any(struct scene *s)
{
	struct nlmsghdr *message =
		start_message(s, choose_byte(&s->choices), choose_byte(&s->choices));
	size_t len = choose(&s->choices, 64);

	for (size_t i = 0; i < len; i++)
		((uint8_t *)mnl_nlmsg_get_payload_tail(message))[i] = choose_byte(&s->choices);
	message->nlmsg_len += (uint32_t)len;
	/* One without a header, too. */
	if (len == 0)
		message->nlmsg_len = NLMSG_HDRLEN;
	s->unknown = true;
	end_message(s, message);
}

static void check_read(struct scene *s, struct nft_watch *watch)
{
	struct nft_touch touch;

	end_datagram(s);
	REQUIRE(nft_watch_read(watch, &touch) == 0);
	REQUIRE(memchr(touch.name, '\0', sizeof(touch.name)));
	REQUIRE(memchr(touch.what, '\0', sizeof(touch.what)));
	REQUIRE(touch.touched == (touch.what[0] != '\0'));
	if (!s->unknown) {
		REQUIRE(touch.touched == s->touched);
		REQUIRE(!touch.touched || touch.pid == s->pid);
		REQUIRE(!touch.touched ||
			(touch.pid != 0) == (strcmp(touch.name, "firewalld") == 0));
	}
	s->touched = false;
	s->datagrams = 0;
}

static void run(struct choices choices, uint8_t fill)
{
	struct nft_kernel kernel = {.fd = -1, .portid = OWN_PORT};
	struct nft_watch watch = {.fd = NETLINK_FD, .kernel = &kernel};
	struct scene s = {.choices = choices};

	netlink_start(NULL, NULL, fill);
	while (s.choices.p < s.choices.end) {
		switch (choose(&s.choices, 8)) {
		case 0:
		case 1:
		case 2:
			put_object(&s);
			break;
		case 3:
		case 4:
			put_end(&s);
			break;
		case 5:
			put_loss(&s);
			break;
		case 6:
			put_any(&s);
			break;
		default:
			check_read(&s, &watch);
			break;
		}
		if (s.datagrams > DATAGRAMS_MAX)
			check_read(&s, &watch);
	}
	for (int i = 0; i < 2; i++) /* the second time nothing is left to be told */
		check_read(&s, &watch);
	netlink_start(NULL, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run((struct choices){data, data + size}, 0);
	run((struct choices){data, data + size}, 0xff);
	return 0;
}
