/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the process may do. It needs CAP_NET_ADMIN to change nftables and CAP_DAC_READ_SEARCH to
 * read what is root's alone, and gives up all else, for good and for whatever it runs. */
#ifndef DAEMON_RIGHTS_H
#define DAEMON_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct rights_user {
	const char *name; /* as given */
	uid_t uid;
	gid_t gid;
	bool has_account; /* that knows further groups */
};

/* A user's name, or a number that is uid and gid alike and needs no account. 0; -ENOENT with err.
 * `name` must live as long as the user. */
int rights_find_user(const char *name, struct rights_user *ret_user, struct err *err);

/* A group's name, or a number. 0; -ENOENT with err; -ENOMEM. */
int rights_find_group(const char *name, gid_t *ret_group, struct err *err);

/* Becomes the user (NULL: stays who it is), also a member of the group (NULL: of none) and keeps of
 * the two capabilities what it has. What is run from here on has neither. 0, or a negative errno
 * with err: end then, as no one knows what is left. */
int rights_drop(const struct rights_user *user, const gid_t *group, struct err *err);

/* "CAP_NET_ADMIN, CAP_DAC_READ_SEARCH", or what of it there is. */
#define RIGHTS_TEXT_MAX 64
const char *rights_describe(char text[static RIGHTS_TEXT_MAX]);

#endif
