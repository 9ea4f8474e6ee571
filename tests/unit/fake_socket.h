/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A netfilter socket with everything going wrong that may: for programs whose system calls are
 * wrapped (unit_socket_ldflags). */
#ifndef UNIT_FAKE_SOCKET_H
#define UNIT_FAKE_SOCKET_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nft/kernel.h"
#include "nft/plan.h"
#include "nft/ruleset.h"

#define FAKE_PORT_ID   4711
#define FAKE_SENT_MAX  512
#define FAKE_QUEUE_MAX 64

/* A datagram to be read, or an error instead. */
struct fake_datagram {
	int error;
	size_t len;
	_Alignas(struct nlmsghdr) char bytes[512];
};

/* What the system calls do and have seen. */
struct fake_socket {
	int socket_error;
	size_t sockets;      /* that have been opened */
	int send_errors[16]; /* of the next calls of sendmsg(), 0: none; then none */
	size_t sends;
	bool force_refused; /* SO_SNDBUFFORCE */
	int send_buffer, send_buffer_max;
	int told; /* of the buffer's size, 0: the truth */
	/* Which message of the next transactions is refused, from 1 as BEGIN; 0: none. And with
	 * what. */
	size_t refused[2];
	const char *refused_set;  /* how the name of a set begins that is never made; NULL: none */
	const char *refused_expr; /* an expression that no rule may have; NULL: none */
	uint8_t refused_family;   /* of tables that are never made; 0: none */
	int refusal;
	bool silent;       /* nothing is answered to a transaction */
	int request_error; /* to a question; -EINTR: a list that is interrupted */
	uint32_t generation;
	struct {
		char *bytes;
		size_t len;
	} sent[FAKE_SENT_MAX];
	size_t n_sent;
	struct fake_datagram queue[FAKE_QUEUE_MAX];
	size_t first, last;
};

extern struct fake_socket fake_socket;

/* As a kernel that is well; and what was sent is forgotten. */
void fake_socket_start(void);
void fake_socket_forget(void);

/* One more datagram to be read, with an error instead or empty. */
struct fake_datagram *fake_socket_enqueue(int error);

/* An answer's message in a datagram of its own: to be filled, and then closed. */
struct nlmsghdr *fake_socket_answer(uint16_t type, uint16_t flags, uint32_t seq);
void fake_socket_answered(const struct nlmsghdr *message);
void fake_socket_answer_code(uint16_t type, uint16_t flags, uint32_t seq, int code);

/* Checks the messages of one sendmsg(): an envelope, consecutive numbers, one acknowledgement; and
 * counts them. */
size_t fake_socket_transaction(size_t which);

/* A socket as it should be, a ruleset to be sent, and how it went. */
struct kernel_world {
	struct nft_kernel kernel;
	struct ruleset ruleset;
	struct nft_plan plan;
	struct err err;
};

int kernel_world_setup(void **state);
int kernel_world_teardown(void **state);
int kernel_world_apply(struct kernel_world *w);

#define KERNEL_TEST(function) \
	cmocka_unit_test_setup_teardown(function, kernel_world_setup, kernel_world_teardown)

#endif
