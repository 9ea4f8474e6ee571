/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways to some paths, watched with inotify: each directory that a path leads through may come,
 * go, be renamed or be replaced. Of a directory that leads on only its own end is heard, not what
 * happens to other files in it; where a way ends for now, the next name in it. */
#ifndef BASE_WAYS_H
#define BASE_WAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/inotify.h>

#include "base/vec.h"

/* A directory on a way: path[0..end), and the name in it that leads on. */
struct way_step {
	const char *path;
	size_t end;
	const char *next; /* NULL: it is the end of the way */
	size_t next_len;
	int wd;      /* -1: not watched */
	bool passed; /* the next step is a directory in it, and no link: it tells of itself */
};

struct ways {
	int fd; /* inotify; the caller's, who may watch more with it, after ways_watch() and with
		   IN_MASK_ADD */
	VEC(char *) paths;
	VEC(struct way_step) steps;
};

/* Takes a copy of the path, which may be of a file or a directory. 0 or -ENOMEM. */
int ways_add(struct ways *ways, const char *path);

/* Watches the ways as far as they lead today. What appears on them afterwards is told, so look for
 * the paths after this. 0, or a negative errno: the end of some way cannot be watched. */
int ways_watch(struct ways *ways);
void ways_unwatch(struct ways *ways);

/* May it be that a path leads elsewhere now, or that the file at its end is another? Then watch and
 * look again. */
bool ways_concern(const struct ways *ways, const struct inotify_event *event);

void ways_done(struct ways *ways);

#endif
