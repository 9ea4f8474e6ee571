/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a setting says of further source addresses: which pods, and which prefixes. */
#include "render/allowed_sources.h"

#include <errno.h>

#include "unit.h"

struct row {
	const char *text;
	int rc;
	size_t labels, prefixes;
};

static const struct row rows[] = {
	{"vpn/app=gateway 10.8.0.0/16 fd08::/64", 0, 1, 2},
	{"vpn 10.8.0.1", 0, 0, 1},
	{"vpn/ 10.8.0.1", 0, 0, 1},
	{"vpn/a==b,c!=d,e,!f,g= \t10.8.0.1  fd00::1 ", 0, 5, 2},
	{"vpn/app.kubernetes.io/name=gw 0.0.0.0/0", 0, 1, 1},
	{"", -EINVAL, 0, 0},
	{"vpn", -EINVAL, 0, 0},
	{"vpn/app=gateway", -EINVAL, 0, 0},
	{"/app=gateway 10.8.0.1", -EINVAL, 0, 0},
	{"vpn/app=gateway, 10.8.0.1", -EINVAL, 0, 0},
	{"vpn/,app 10.8.0.1", -EINVAL, 0, 0},
	{"vpn/! 10.8.0.1", -EINVAL, 0, 0},
	{"vpn/=a 10.8.0.1", -EINVAL, 0, 0},
	{"vpn/!a=b 10.8.0.1", -EINVAL, 0, 0},
	{"vpn/a=b=c 10.8.0.1", -EINVAL, 0, 0},
	{"vpn 10.8.0.1/33", -EINVAL, 0, 0},
	{"vpn 10.8.0", -EINVAL, 0, 0},
	{"vpn 10.8.0.1 any", -EINVAL, 0, 0},
};

static void texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct allowed_sources sources = {0};

		print_message("%s\n", rows[i].text);
		assert_int_equal(allowed_sources_add(&sources, rows[i].text), rows[i].rc);
		assert_int_equal(sources.entries.n, rows[i].rc == 0);
		if (rows[i].rc == 0) {
			assert_int_equal(sources.entries.v[0].labels.n, rows[i].labels);
			assert_int_equal(sources.entries.v[0].prefixes.n, rows[i].prefixes);
		}
		allowed_sources_done(&sources);
	}
}

/* As kubectl's selectors have it: != holds without the label, too. */
static void pods(void **state)
{
	static const struct {
		const char *pods;
		bool matches;
	} selectors[] = {
		{"vpn", true},
		{"shop", false},
		{"vpn/app=gw", true},
		{"vpn/app=other", false},
		{"vpn/app", true},
		{"vpn/!app", false},
		{"vpn/app!=gw", false},
		{"vpn/app!=x", true},
		{"vpn/none!=x", true},
		{"vpn/none", false},
		{"vpn/!none", true},
		{"vpn/none=", false},
		{"vpn/empty=", true},
		{"vpn/app=gw,!none", true},
		{"vpn/app=gw,none", false},
	};
	struct label labels[] = {{.key = "app", .value = "gw"}, {.key = "empty", .value = ""}};
	struct pod pod = {.ns = "vpn", .labels = {.v = labels, .n = ARRAY_LEN(labels)}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(selectors); i++) {
		struct allowed_sources sources = {0};
		char text[100];

		(void)snprintf(text, sizeof(text), "%s 10.8.0.1", selectors[i].pods);
		print_message("%s\n", text);
		assert_int_equal(allowed_sources_add(&sources, text), 0);
		assert_int_equal(allowed_source_matches(&sources.entries.v[0], &pod),
				 selectors[i].matches);
		allowed_sources_done(&sources);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(pods)};

	return cmocka_run_group_tests_name("allowed_sources", tests, NULL, NULL);
}
