/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One transaction: what is sent, what is refused and what is answered. */
#include <libmnl/libmnl.h>

#include "fake_socket.h"
#include "nft/kernel.h"
#include "nft/owner.h"
#include "unit.h"

static size_t count_messages(const struct nft_plan *plan)
{
	size_t n = 0;

	for (int part = 0; part < NFT_PLAN_PARTS; part++)
		n += plan->parts[part].messages.n;
	return n;
}

static void a_plan_is_one_datagram(void **state)
{
	struct kernel_world *w = *state;

	assert_int_equal(kernel_world_apply(w), 0);
	assert_int_equal(fake_socket.n_sent, 1);
	assert_int_equal(fake_socket_transaction(0), count_messages(&w->plan) + 2);
	assert_int_equal(w->kernel.commits, 1);
}

static void an_empty_plan_is_not_sent(void **state)
{
	struct kernel_world *w = *state;

	nft_plan_done(&w->plan);
	w->plan = (struct nft_plan){0};
	assert_int_equal(kernel_world_apply(w), 0);
	assert_int_equal(fake_socket.n_sent, 0);
}

static void numbers_are_never_used_again(void **state)
{
	struct kernel_world *w = *state;
	uint32_t last;

	assert_int_equal(kernel_world_apply(w), 0);
	last = w->kernel.seq;
	assert_int_equal(kernel_world_apply(w), 0);
	assert_true(((const struct nlmsghdr *)fake_socket.sent[1].bytes)->nlmsg_seq > last);
}

static void sending_is_tried_again(void **state)
{
	struct kernel_world *w = *state;
	const int errors[] = {EINTR, EAGAIN, ENOBUFS, EINTR};

	memcpy(fake_socket.send_errors, errors, sizeof(errors));
	assert_int_equal(kernel_world_apply(w), 0);
	assert_int_equal(fake_socket.sends, ARRAY_LEN(errors) + 1);
	assert_int_equal(fake_socket.n_sent, 1);
}

static void but_not_for_ever(void **state)
{
	struct kernel_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(fake_socket.send_errors); i++)
		fake_socket.send_errors[i] = ENOBUFS;
	assert_int_equal(kernel_world_apply(w), -ENOBUFS);
	assert_true(fake_socket.sends < ARRAY_LEN(fake_socket.send_errors));
	assert_int_equal(w->kernel.commits, 0);
}

/* Of the sets of the sample, the first is the second message after the tables. */
static void a_refusal_names_its_object(void **state)
{
	struct kernel_world *w = *state;
	const struct nft_message *message = &w->plan.parts[NFT_PLAN_NEW_SETS].messages.v[1];

	fake_socket.refused[0] = 1 + w->plan.parts[NFT_PLAN_TABLES].messages.n + 2;
	fake_socket.refused[1] = fake_socket.refused[0] + 1;
	fake_socket.refusal = -EEXIST;
	assert_int_equal(kernel_world_apply(w), -EINVAL);
	assert_non_null(strstr(w->err.text, "File exists"));
	assert_int_equal(w->kernel.refusals.n, 2);
	assert_int_equal(w->kernel.refusals.v[0].code, -EEXIST);
	assert_int_equal(w->kernel.refusals.v[0].message.subject, NFT_SUBJECT_SET);
	assert_string_equal(w->kernel.refusals.v[0].message.name, message->name);
	assert_int_equal(w->kernel.commits, 0);
	/* And is forgotten with the next transaction. */
	fake_socket.refused[0] = fake_socket.refused[1] = 0;
	assert_int_equal(kernel_world_apply(w), 0);
	assert_int_equal(w->kernel.refusals.n, 0);
}

static void a_rules_anonymous_set_is_the_chains(void **state)
{
	struct kernel_world *w = *state;
	const struct nft_batch *rules = &w->plan.parts[NFT_PLAN_NEW_RULES];
	size_t i = 0;

	while (i < rules->messages.n && !rules->messages.v[i].more)
		i++;
	assert_true(i < rules->messages.n);
	assert_int_equal(rules->messages.v[i].subject, NFT_SUBJECT_CHAIN);
	assert_non_null(ruleset_chain(&w->ruleset, NFT_TABLE_POLICY, rules->messages.v[i].name));
}

static void passing_refusals_are_told_apart(void **state)
{
	static const struct {
		int refusal, rc;
	} rows[] = {{-ENOMEM, -ENOMEM}, {-ENOBUFS, -ENOBUFS}, {-EPERM, -EPERM},  {-EINVAL, -EINVAL},
		    {-EBUSY, -EINVAL},  {-EAGAIN, -EAGAIN},   {-ENOSPC, -EINVAL}};
	struct kernel_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fake_socket.refused[0] = 1;
		fake_socket.refusal = rows[i].refusal;
		assert_int_equal(kernel_world_apply(w), rows[i].rc);
	}
}

static void an_acknowledgement_beside_a_refusal_is_none(void **state)
{
	struct kernel_world *w = *state;

	fake_socket.refused[0] = 2;
	fake_socket.refusal = -EINVAL;
	assert_int_equal(kernel_world_apply(w), -EINVAL);
}

static void what_is_left_from_before_is_no_answer(void **state)
{
	struct kernel_world *w = *state;

	fake_socket.silent = true;
	fake_socket_answer_code(NLMSG_ERROR, 0, w->kernel.seq, 0);
	fake_socket_answer_code(NLMSG_ERROR, 0, w->kernel.seq - 1, -EBUSY);
	assert_int_equal(kernel_world_apply(w), -EAGAIN);
	assert_int_equal(w->kernel.refusals.n, 0);
}

static void an_answer_that_is_lost_is_no_refusal(void **state)
{
	struct kernel_world *w = *state;

	fake_socket_enqueue(ENOBUFS);
	assert_int_equal(kernel_world_apply(w), -ENOBUFS);
	assert_int_equal(fake_socket.first, fake_socket.last); /* nothing is left for the next */
	fake_socket_enqueue(EINTR);
	assert_int_equal(kernel_world_apply(w), 0);
}

static void no_answer_is_an_error(void **state)
{
	struct kernel_world *w = *state;

	fake_socket.silent = true;
	assert_int_equal(kernel_world_apply(w), -EAGAIN);
}

/* Closing it would leave the tables without an owner. */
static void whatever_fails_the_socket_stays(void **state)
{
	struct kernel_world *w = *state;

	fake_socket_enqueue(ENOBUFS);
	assert_int_equal(kernel_world_apply(w), -ENOBUFS);
	fake_socket.silent = true;
	assert_int_equal(kernel_world_apply(w), -EAGAIN);
	fake_socket.silent = false;
	fake_socket.refused[0] = 2;
	fake_socket.refusal = -EPERM;
	assert_int_equal(kernel_world_apply(w), -EPERM);
	fake_socket.refused[0] = 0;
	assert_int_equal(kernel_world_apply(w), 0);
	assert_int_equal(fake_socket.sockets, 1);
	assert_int_equal(w->kernel.portid, FAKE_PORT_ID);
}

/* The transaction has BEGIN, the table, and what is refused in any case. */
static void flags_are_supported_where_the_table_is_not_refused(void **state)
{
	static const struct {
		size_t refused;
		int refusal, rc;
		bool supported;
	} rows[] = {{3, -ENOENT, 0, true},        {2, -EOPNOTSUPP, 0, false},
		    {2, -EINVAL, 0, false},       {2, -EPERM, -EPERM, false},
		    {2, -ENOMEM, -ENOMEM, false}, {0, 0, 0, false}};
	struct kernel_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool supported = !rows[i].supported;

		fake_socket.refused[0] = rows[i].refused;
		fake_socket.refused[1] = rows[i].refused == 2 ? 3 : 0;
		fake_socket.refusal = rows[i].refusal;
		assert_int_equal(nft_owner_supported(&w->kernel, &supported, &w->err), rows[i].rc);
		assert_int_equal(supported, rows[i].supported);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KERNEL_TEST(a_plan_is_one_datagram),
		KERNEL_TEST(an_empty_plan_is_not_sent),
		KERNEL_TEST(numbers_are_never_used_again),
		KERNEL_TEST(sending_is_tried_again),
		KERNEL_TEST(but_not_for_ever),
		KERNEL_TEST(a_refusal_names_its_object),
		KERNEL_TEST(a_rules_anonymous_set_is_the_chains),
		KERNEL_TEST(passing_refusals_are_told_apart),
		KERNEL_TEST(an_acknowledgement_beside_a_refusal_is_none),
		KERNEL_TEST(what_is_left_from_before_is_no_answer),
		KERNEL_TEST(an_answer_that_is_lost_is_no_refusal),
		KERNEL_TEST(no_answer_is_an_error),
		KERNEL_TEST(whatever_fails_the_socket_stays),
		KERNEL_TEST(flags_are_supported_where_the_table_is_not_refused),
	};

	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
