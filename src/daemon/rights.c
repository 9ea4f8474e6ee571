/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A handful of system calls whose order matters; a library would hide the order and none of the
 * calls. */
#include "daemon/rights.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BIT(capability) ((uint64_t)1 << (capability))
#define KEPT            (BIT(CAP_NET_ADMIN) | BIT(CAP_DAC_READ_SEARCH))

#define ACCOUNT_BYTES   16384

struct capabilities {
	uint64_t effective, permitted;
};

static int get_capabilities(struct capabilities *ret)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, words) < 0)
		return -errno;
	ret->effective = words[0].effective | (uint64_t)words[1].effective << 32;
	ret->permitted = words[0].permitted | (uint64_t)words[1].permitted << 32;
	return 0;
}

/* And none that whatever is run would inherit. */
static int set_capabilities(uint64_t wanted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = (uint32_t)wanted, .permitted = (uint32_t)wanted},
		{.effective = (uint32_t)(wanted >> 32), .permitted = (uint32_t)(wanted >> 32)}};

	return syscall(SYS_capset, &header, words) < 0 ? -errno : 0;
}

static bool is_number(const char *text, unsigned long *ret)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*ret = strtoul(text, &end, 10);
	return !*end && errno == 0 && *ret < (uid_t)-1; /* which means: leave it */
}

int rights_find_user(const char *name, struct rights_user *ret_user, struct err *err)
{
	AUTO_FREE char *buffer = malloc(ACCOUNT_BYTES);
	struct passwd account, *found = NULL;
	unsigned long number;

	if (!buffer)
		return -ENOMEM;
	int code = getpwnam_r(name, &account, buffer, ACCOUNT_BYTES, &found);
	if (found)
		*ret_user = (struct rights_user){name, account.pw_uid, account.pw_gid, true};
	else if (is_number(name, &number))
		*ret_user = (struct rights_user){name, (uid_t)number, (gid_t)number, false};
	else
		return err_set(err, -ENOENT,
			       "user %.64s: %s: expected a user of this host, or a number", name,
			       code ? strerror(code) : "no such user");
	return 0;
}

int rights_find_group(const char *name, gid_t *ret_group, struct err *err)
{
	AUTO_FREE char *buffer = malloc(ACCOUNT_BYTES);
	struct group entry, *found = NULL;
	unsigned long number;

	if (!buffer)
		return -ENOMEM;
	int code = getgrnam_r(name, &entry, buffer, ACCOUNT_BYTES, &found);
	if (found)
		*ret_group = entry.gr_gid;
	else if (is_number(name, &number))
		*ret_group = (gid_t)number;
	else
		return err_set(err, -ENOENT,
			       "group %.64s: %s: expected a group of this host, or a number", name,
			       code ? strerror(code) : "no such group");
	return 0;
}

/* Root's programs get every capability when they are run, unless this is said before; and no
 * program, whatever its file is marked with, gets more than the two. Only who has CAP_SETPCAP may
 * say so; from others PR_SET_NO_NEW_PRIVS takes the way to more. */
static int bind_children(void)
{
	for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
	     capability++) {
		if (!(KEPT & BIT(capability)) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
			return -errno;
	}
	if (prctl(PR_SET_SECUREBITS,
		  SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
			  SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
		  0, 0, 0) < 0)
		return -errno;
	return 0;
}

static bool is_member(const gid_t groups[], int n, gid_t group)
{
	for (int i = 0; i < n; i++) {
		if (groups[i] == group)
			return true;
	}
	return getegid() == group;
}

/* A file's owner may give it to any group that the process is in: chown(2). */
static int join_group(gid_t group)
{
	gid_t groups[NGROUPS_MAX + 1];
	int n = getgroups(NGROUPS_MAX, groups);

	if (n < 0)
		return -errno;
	if (is_member(groups, n, group))
		return 0;
	groups[n] = group;
	return setgroups((size_t)n + 1, groups) < 0 ? -errno : 0;
}

static bool is_user(const struct rights_user *user)
{
	return getuid() == user->uid && geteuid() == user->uid && getgid() == user->gid;
}

static int set_groups(const struct rights_user *user)
{
	int rc = user->has_account ? initgroups(user->name, user->gid) : setgroups(0, NULL);

	return rc < 0 ? -errno : 0;
}

/* What is permitted stays over it. */
static int set_user(const struct rights_user *user)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	return 0;
}

/* Groups while still allowed to, then the user. */
static int become(const struct rights_user *user, const gid_t *group, struct err *err)
{
	bool changes = user && !is_user(user);
	int rc = changes ? set_groups(user) : 0;

	if (rc == 0 && group) {
		rc = join_group(*group);
		if (rc < 0)
			return err_set(err, rc, "cannot join group %lu: %s%s",
				       (unsigned long)*group, strerror(-rc),
				       rc == -EPERM ? ": only root and its members can" : "");
	}
	if (rc == 0 && changes)
		rc = set_user(user);
	if (rc < 0)
		return err_set(err, rc, "cannot become user %.64s: %s%s", user->name, strerror(-rc),
			       rc == -EPERM ? ": only root can" : "");
	return 0;
}

/* Who has no more than that already need not be allowed to call capset(). */
static int keep_capabilities(uint64_t permitted)
{
	uint64_t wanted = permitted & KEPT;
	struct capabilities now;
	int rc = get_capabilities(&now);

	if (rc < 0)
		return rc;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	return now.permitted == wanted && now.effective == wanted ? 0 : set_capabilities(wanted);
}

int rights_drop(const struct rights_user *user, const gid_t *group, struct err *err)
{
	struct capabilities before;
	int rc = get_capabilities(&before);

	if (rc == 0 && (before.effective & BIT(CAP_SETPCAP)))
		rc = bind_children();
	if (rc == 0 && (user || group) && become(user, group, err) < 0)
		return err->code;
	if (rc == 0)
		rc = keep_capabilities(before.permitted);
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = -errno;
	return rc < 0 ? err_set(err, rc, "cannot give up rights: %s", strerror(-rc)) : 0;
}

const char *rights_describe(char text[static RIGHTS_TEXT_MAX])
{
	struct capabilities now = {0};
	bool admin, search;

	(void)get_capabilities(&now); /* none then */
	admin = now.effective & BIT(CAP_NET_ADMIN);
	search = now.effective & BIT(CAP_DAC_READ_SEARCH);
	(void)snprintf(text, RIGHTS_TEXT_MAX, "%s%s%s%s", admin ? "CAP_NET_ADMIN" : "",
		       admin && search ? ", " : "", search ? "CAP_DAC_READ_SEARCH" : "",
		       admin || search ? "" : "no capability");
	return text;
}
