/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows asked of the graph that was read; or, where none was, of the daemon on this node. */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include "answer/explain.h"
#include "answer/flows.h"
#include "ctl/ctl.h"

/* Called for each flow in their order. The answer is only lent, but its json may be changed. With
 * neither text nor json there is none, and its reason says why. 0, or what ends the run. */
typedef int (*ask_fn)(void *ctx, const struct flow_line *line, const struct explanation *answer);

struct ask;

/* `one_by_one`: each flow is answered before the next, also by the daemon. NULL: no memory. */
struct ask *ask_new(struct ctl *ctl, bool one_by_one, ask_fn fn, void *ctx);
void ask_free(struct ask *ask);

/* `ctx` is a struct ask: a flow_line_fn. The answer comes now or later. 0; -ENOMEM; -EIO after a
 * message; or what `fn` returned. */
int ask_flow(void *ctx, const struct flow_line *line);

/* What is not answered yet; as above. */
int ask_finish(struct ask *ask);

#endif
