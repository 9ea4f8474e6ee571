/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "render/names.h"
#include "unit.h"

/* FIPS 180-2, appendix B. */
static void a_name_is_the_first_half_of_sha256(void **state)
{
	struct names *names = names_new();

	(void)state;
	assert_non_null(names);
	assert_string_equal(names_get(names, "abc")->id, "ba7816bf8f01cfea414140de5dae2223");
	assert_string_equal(
		names_get(names, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")->id,
		"248d6a61d20638b8e5c026930c3e6039");
	assert_string_equal(names_get(names, "")->id, "e3b0c44298fc1c149afbf4c8996fb924");
	names_free(names);
}

static void equal_content_is_one_name_until_all_have_given_it_back(void **state)
{
	struct names *names = names_new();
	struct name *one, *two, *other;

	(void)state;
	assert_non_null(names);
	one = names_get(names, "peers ns=shop pod{}");
	two = names_get(names, "peers ns=shop pod{}");
	other = names_get(names, "peers ns=shop pod{app=web}");
	assert_ptr_equal(one, two);
	assert_ptr_not_equal(one, other);
	assert_int_equal(one->refs, 2);
	names_put(names, two);
	assert_int_equal(one->refs, 1);
	names_put(names, one);
	names_put(names, NULL);
	one = names_get(names, "peers ns=shop pod{}");
	assert_int_equal(one->refs, 1);
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_the_first_half_of_sha256),
		cmocka_unit_test(equal_content_is_one_name_until_all_have_given_it_back),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
