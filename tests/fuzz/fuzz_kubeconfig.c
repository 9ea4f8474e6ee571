/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as a kubeconfig, and as what a credential plugin answers. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "source/api_config.h"
#include "source/exec_plugin.h"

static void read_kubeconfig(const uint8_t *data, size_t size)
{
	struct api_config config = {0};
	struct faults faults = {0};
	int fd = memfd_create("kubeconfig", MFD_CLOEXEC), rc;
	char path[64];

	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = api_config_from_kubeconfig(path, NULL, &faults, &config);
	REQUIRE(rc == 0 || rc == -EINVAL);
	REQUIRE((rc == 0) == (faults.errors == 0));
	REQUIRE(rc < 0 || (config.server && strncmp(config.server, "http", 4) == 0));
	api_config_done(&config);
	faults_done(&faults);
	(void)close(fd);
}

static void read_answer(const uint8_t *data, size_t size)
{
	struct exec_credential credential = {0};
	struct err err = {0};
	int rc = exec_credential_parse((const char *)data, size, "client.authentication.k8s.io/v1",
				       &credential, &err);

	REQUIRE(rc == 0 || (rc == -EINVAL && err.text[0]));
	REQUIRE(rc < 0 || credential.token.v || (credential.cert.v && credential.key.v));
	exec_credential_done(&credential);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_kubeconfig(data, size);
	read_answer(data, size);
	return 0;
}
