/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as a configuration file. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/settings.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings settings = {0};
	struct faults faults = {0};
	int fd = memfd_create("config", MFD_CLOEXEC), rc;

	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	settings.config = malloc(64);
	REQUIRE(settings.config);
	(void)snprintf(settings.config, 64, "/proc/self/fd/%d", fd);
	rc = settings_read_config(&settings, &faults);
	REQUIRE(rc == 0 || rc == -EINVAL);
	REQUIRE((rc == 0) == (faults.errors == 0));
	faults_done(&faults);
	settings_done(&settings);
	(void)close(fd);
	return 0;
}
