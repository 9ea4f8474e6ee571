/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to the daemon on this node, over its control socket. */
#ifndef CTL_CONTROL_H
#define CTL_CONTROL_H

#include <stddef.h>

struct control;

#define CONTROL_NEXT_MAX 768

/* Bytes, with a '\0' behind them. */
struct control_answer {
	char *bytes; /* never NULL */
	size_t len;
	char next[CONTROL_NEXT_MAX]; /* where the next part begins, as the daemon calls it; "" */
};

/* Connects with the first request. `hint`: what else the user could do when the daemon does not
 * answer. NULL: no memory. Both texts must outlive it. */
struct control *control_new(const char *socket, const char *hint);
void control_free(struct control *control);

/* GETs http://netpold PATH, or POSTs `len` bytes of `body` there where it is not NULL. 0 with an
 * answer of the control's, good until the next request; -ENOMEM; or -EIO after a message. */
int control_ask(struct control *control, const char *path, const char *body, size_t len,
		const struct control_answer **ret);

/* Tells on standard error that what the daemon answered is not understood. -EIO. */
int control_complain(const struct control *control, const char *reason);

/* Tells on standard error if answers said that the kernel has something else. */
void control_warn(const struct control *control);

#endif
