/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "request.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/task.h"

struct nlmsghdr *nft_request_start(char buffer[static NFT_REQUEST_BYTES], uint16_t type,
				   uint16_t family, uint16_t flags)
{
	struct nlmsghdr *request;
	struct nfgenmsg *header;

	memset(buffer, 0, NFT_REQUEST_BYTES); /* libmnl leaves out padding */
	request = mnl_nlmsg_put_header(buffer);
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	request->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	/* A list ends by itself, one message does not. */
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (flags ? flags : NLM_F_ACK));
	header->nfgen_family = (uint8_t)family;
	header->version = NFNETLINK_V0;
	return request;
}

struct answer {
	uint32_t seq;
	nft_answer_fn fn;
	void *ctx;
	bool ended;
	int rc; /* the first thing that went wrong */
};

/* The end of a list and an acknowledgement both begin with a code. */
static int end_code(const struct nlmsghdr *message)
{
	if (mnl_nlmsg_get_payload_len(message) < sizeof(int))
		return -EBADMSG;
	return *(const int *)mnl_nlmsg_get_payload(message);
}

static void take_message(struct answer *answer, const struct nlmsghdr *message)
{
	int rc = 0;

	if (message->nlmsg_seq != answer->seq)
		return; /* left over from before */
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		rc = -EINTR;
	if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
		answer->ended = true;
		rc = rc < 0 ? rc : end_code(message);
	} else if (rc == 0 && answer->rc == 0) {
		rc = answer->fn(answer->ctx, message);
	}
	if (answer->rc == 0 && rc < 0)
		answer->rc = rc;
}

/* To its end in any case: the kernel takes no second list before. It makes each datagram as the one
 * before is fetched, so there is nothing to wait for. */
static int read_answer(struct nft_kernel *kernel, struct answer *answer)
{
	_Alignas(struct nlmsghdr) char buffer[NFT_ANSWER_BYTES];

	while (!answer->ended) {
		ssize_t n = recv(kernel->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			answer->rc = -ENOBUFS; /* something is lost; the end may yet come */
			continue;
		}
		if (n < 0)
			return answer->rc < 0 ? answer->rc : -errno;
		for (const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		     mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			take_message(answer, message);
		task_yield();
	}
	return answer->rc;
}

int nft_request(struct nft_kernel *kernel, struct nlmsghdr *request, nft_answer_fn fn, void *ctx)
{
	struct answer answer = {.seq = ++kernel->seq, .fn = fn, .ctx = ctx};
	ssize_t sent;

	request->nlmsg_seq = answer.seq;
	do
		sent = send(kernel->fd, request, request->nlmsg_len, 0);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : read_answer(kernel, &answer);
}
