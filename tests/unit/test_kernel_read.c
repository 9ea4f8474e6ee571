/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to the kernel: may we, which generation, what is there. */
#include <linux/netlink.h>

#include "fake_socket.h"
#include "nft/readback.h"
#include "unit.h"

static void opening_says_what_is_missing(void **state)
{
	static const struct {
		int socket_error, request_error, rc;
		const char *text;
	} rows[] = {
		{EMFILE, 0, -EMFILE, "Too many open files"},
		{0, -EPERM, -EPERM, "CAP_NET_ADMIN"},
		{0, -EINVAL, -EPROTONOSUPPORT, "no nf_tables"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct nft_kernel kernel;
		struct err err = {0};

		memset(&fake_socket, 0, sizeof(fake_socket));
		fake_socket.socket_error = rows[i].socket_error;
		fake_socket.request_error = rows[i].request_error;
		assert_int_equal(nft_kernel_open(&kernel, &err), rows[i].rc);
		assert_non_null(strstr(err.text, rows[i].text));
		assert_int_equal(kernel.fd, -1);
	}
	fake_socket.request_error = fake_socket.socket_error = 0;
}

static void the_generation_is_asked_for(void **state)
{
	struct kernel_world *w = *state;
	uint32_t generation = 1;

	/* Whatever is left from before. */
	fake_socket_answer_code(NLMSG_ERROR, 0, 1, -EBUSY);
	assert_int_equal(nft_kernel_generation(&w->kernel, &generation), 0);
	assert_int_equal(generation, 5);
	fake_socket.request_error = -EPERM;
	assert_int_equal(nft_kernel_generation(&w->kernel, &generation), -EPERM);
	assert_int_equal(generation, 5);
}

static void a_kernel_without_our_tables_reads_as_nothing(void **state)
{
	struct kernel_world *w = *state;
	struct nft_found found;

	assert_int_equal(nft_readback(&w->kernel, &found, &w->err), 0);
	assert_int_equal(found.generation, 5);
	assert_false(found.ruleset.in_kernel[NFT_TABLE_POLICY]);
	assert_null(found.ruleset.sets);
	assert_string_equal(found.what, "");
	nft_found_done(&found);
}

static void a_listing_that_is_always_interrupted_ends(void **state)
{
	struct kernel_world *w = *state;
	struct nft_found found;

	fake_socket.request_error = -EINTR;
	assert_int_equal(nft_readback(&w->kernel, &found, &w->err), -EAGAIN);
	assert_non_null(strstr(w->err.text, "change all the time"));
	fake_socket.request_error = -ENOMEM;
	assert_int_equal(nft_readback(&w->kernel, &found, &w->err), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KERNEL_TEST(opening_says_what_is_missing),
		KERNEL_TEST(the_generation_is_asked_for),
		KERNEL_TEST(a_kernel_without_our_tables_reads_as_nothing),
		KERNEL_TEST(a_listing_that_is_always_interrupted_ends),
	};

	return cmocka_run_group_tests_name("kernel read", tests, NULL, NULL);
}
