/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to the daemon on this node, over its control socket. */
#ifndef CTL_CONTROL_H
#define CTL_CONTROL_H

#include <stddef.h>

struct control;

/* Bytes, with a '\0' behind them. */
struct control_answer {
	char *bytes; /* never NULL */
	size_t len;
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

/* Why the kernel has something else than what answers were made of, as the last one that said so;
 * "": it has the same. */
const char *control_behind(const struct control *control);

#endif
