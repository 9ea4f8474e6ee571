/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as a file of libcni's cache. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "node/cni.h"

static void check_name(const char *name)
{
	for (; *name; name++)
		REQUIRE(*name > ' ' && *name < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timespec written = {.tv_sec = 1};
	struct cni_result *result = NULL, *again = NULL;
	struct err err = {0};
	int rc = cni_parse("file", (const char *)data, size, &written, &result, &err);

	REQUIRE(rc == 0 || rc == -ENOENT || rc == -EINVAL);
	REQUIRE((rc == 0) == (result != NULL));
	REQUIRE((rc == -EINVAL) == (err.text[0] != '\0'));
	if (!result)
		return 0;
	REQUIRE(*result->ns && *result->name && strcmp(result->ifname, "lo") != 0);
	check_name(result->ns);
	check_name(result->name);
	check_name(result->uid);
	REQUIRE(result->n_links <= CNI_LINKS_MAX && result->n_addrs <= CNI_ADDRS_MAX);
	for (size_t i = 0; i < result->n_links; i++) {
		REQUIRE(*result->links[i] && memchr(result->links[i], '\0', IFNAMSIZ));
		check_name(result->links[i]);
	}
	for (size_t i = 0; i < result->n_addrs; i++)
		REQUIRE(result->addrs[i].family < FAMILY_COUNT);
	REQUIRE(cni_parse("file", (const char *)data, size, &written, &again, &err) == 0);
	REQUIRE(cni_result_equal(result, again) && !cni_result_newer(result, again));
	cni_result_put(result);
	cni_result_put(again);
	return 0;
}
