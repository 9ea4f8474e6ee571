/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/rights.h"
#include "internal.h"

/* The kernel's own limit is net.core.somaxconn: who waits is served in turn. */
#define BACKLOG 4096

/* A socket that nobody listens on any more was left by a daemon that was killed. */
static bool is_in_use(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool in_use =
		fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (fd >= 0)
		(void)close(fd);
	return in_use;
}

int listen_make_directory(const char *path, const struct rights_user *user, bool for_group)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	(void)snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	if (mkdir(dir, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (for_group && chmod(dir, 0755) < 0) /* whatever the umask */
		return -errno;
	return user && chown(dir, user->uid, user->gid) < 0 ? -errno : 0;
}

/* Nobody but the owner may connect before this. */
static int admit_group(const char *path, gid_t group)
{
	return chown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0 ? -errno : 0;
}

int listen_unix(const char *path, const gid_t *group, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, rc = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (is_in_use(&address))
		return -EADDRINUSE;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0177); /* from its first moment it is the owner's alone */
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		rc = -errno;
	(void)umask(mask);
	if (rc == 0 && group)
		rc = admit_group(path, *group);
	if (rc < 0)
		(void)close(fd);
	else
		*ret_fd = fd;
	return rc;
}

bool listen_answers(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!path[0] || strlen(path) >= sizeof(address.sun_path))
		return false;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return is_in_use(&address);
}

/* 1.2.3.4:80, [::1]:80 or name:80. evhttp_bind_socket() would not do: it leaves out addresses of
 * families that no interface but the loopback has yet. 0 or a negative errno. */
static int resolve(const char *text, struct addrinfo **ret_found)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	const char *colon = strrchr(text, ':');
	bool brackets = text[0] == '[' && colon > text + 1;
	char host[128];
	int rc;

	(void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - 2 * brackets,
		       text + brackets);
	rc = getaddrinfo(host, colon + 1, &hints, ret_found);
	if (rc == 0)
		return 0;
	return rc == EAI_SYSTEM ? -errno : rc == EAI_MEMORY ? -ENOMEM : -EADDRNOTAVAIL;
}

int listen_tcp(const char *text, int *ret_fd)
{
	struct addrinfo *found;
	int one = 1, fd, rc = resolve(text, &found);

	if (rc < 0)
		return rc;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		rc = -errno;
	freeaddrinfo(found);
	if (rc == 0)
		*ret_fd = fd;
	else if (fd >= 0)
		(void)close(fd);
	return rc;
}
