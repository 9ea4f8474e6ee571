/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as a file of manifests, whichever format they look like, up to the ruleset. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "nft/print.h"
#include "offline/offline.h"
#include "render/render.h"

static void print(const struct render *render)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out && ruleset_print(render_ruleset(render), out) == 0 && fclose(out) == 0);
	/* No byte that would let a name or a comment leave its quotes. */
	for (size_t i = 0; i < len; i++)
		REQUIRE(text[i] == '\n' || text[i] == '\t' || (text[i] >= ' ' && text[i] != '\\'));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct render *render = render_new();
	struct graph_listener listener;
	struct offline offline = {0};
	char path[64];
	const char *paths[] = {path};
	int fd = memfd_create("manifests", MFD_CLOEXEC);

	REQUIRE(render && fd >= 0 && write(fd, data, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	listener = render_listener(render);
	REQUIRE(offline_load(&offline, paths, 1, NULL, &listener) == 0);
	REQUIRE(render_error(render) == 0);
	print(render);
	REQUIRE(offline_warn(&offline, NULL) == 0);
	offline_done(&offline);
	render_free(render);
	(void)close(fd);
	return 0;
}
