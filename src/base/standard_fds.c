/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/standard_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int standard_fds_open(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY, opened;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		opened = open("/dev/null", mode); /* POSIX: the lowest number that is free */
		if (opened < 0)
			return -errno;
		if (opened != fd)
			return -EBADF;
	}
	return 0;
}
