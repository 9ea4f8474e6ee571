/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of the kernel that policy depends on, followed. The kernel tells nobody of a new value:
 * neither brnf_sysctl_call_tables() of net/bridge/br_netfilter_hooks.c nor any netlink group. But
 * the write(2) that sets one is told by inotify as that of any file (fsnotify_modify() in
 * vfs_write()), on the mount of procfs that it goes through: each mount has inodes of its own. So a
 * write by this host's processes is heard of, without a timer; one from a container with another
 * /proc is found at the next look at the host. */
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "internal.h"

/* Whoever sets one mostly sets several. */
#define SETTLE_MS 100

static const char *const paths[] = {
	"/proc/sys/net/bridge/bridge-nf-call-iptables",
	"/proc/sys/net/bridge/bridge-nf-call-ip6tables",
	"/proc/sys/net/ipv4/ip_forward",
	"/proc/sys/net/ipv4/conf/all/forwarding",
	"/proc/sys/net/ipv6/conf/all/forwarding",
};

_Static_assert(ARRAY_LEN(paths) == SYSCTLS, "struct daemon has room for all");

static bool is_same_file(int fd, const char *path)
{
	struct stat held, now;

	return fstat(fd, &held) == 0 && stat(path, &now) == 0 && held.st_dev == now.st_dev &&
	       held.st_ino == now.st_ino;
}

/* An open file keeps the inode that a write goes to, whatever the kernel forgets of its cache. A
 * module that is loaded anew has others. */
static void follow(struct sysctls *sysctls, size_t i)
{
	if (sysctls->files[i] >= 0 && is_same_file(sysctls->files[i], paths[i]))
		return;
	if (sysctls->files[i] >= 0)
		(void)close(sysctls->files[i]); /* it was only read */
	sysctls->files[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
	if (sysctls->files[i] < 0)
		return;
	if (inotify_add_watch(sysctls->inotify, paths[i], IN_MODIFY) < 0)
		log_debug("host", "%s: a change is found at the next look only: %s", paths[i],
			  strerror(errno));
}

void sysctls_follow(struct daemon *d)
{
	for (size_t i = 0; i < SYSCTLS && d->sysctls.inotify >= 0; i++)
		follow(&d->sysctls, i);
}

static void on_change(evutil_socket_t fd, short what, void *ctx)
{
	_Alignas(struct inotify_event) char buffer[4096];

	(void)what;
	while (read(fd, buffer, sizeof(buffer)) > 0)
		; /* which it was, the look tells */
	look_in(ctx, SETTLE_MS);
}

int sysctls_start(struct daemon *d)
{
	struct sysctls *sysctls = &d->sysctls;

	for (size_t i = 0; i < SYSCTLS; i++)
		sysctls->files[i] = -1;
	sysctls->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (sysctls->inotify < 0) {
		log_warning("host",
			    "sysctls cannot be followed: %s: changes of net.bridge and forwarding "
			    "are found at the next look only",
			    strerror(errno));
		return 0;
	}
	sysctls->event = event_new(d->base, sysctls->inotify, EV_READ | EV_PERSIST, on_change, d);
	if (!sysctls->event || event_add(sysctls->event, NULL) < 0)
		return -ENOMEM;
	sysctls_follow(d);
	return 0;
}

void sysctls_stop(struct daemon *d)
{
	struct sysctls *sysctls = &d->sysctls;

	if (sysctls->event)
		event_free(sysctls->event);
	for (size_t i = 0; i < SYSCTLS && sysctls->inotify >= 0; i++) {
		if (sysctls->files[i] >= 0)
			(void)close(sysctls->files[i]); /* it was only read */
	}
	if (sysctls->inotify >= 0)
		(void)close(sysctls->inotify); /* nothing to lose */
}
