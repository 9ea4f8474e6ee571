/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long work on a stack of its own, within one thread: it gives way when its slice of time is over,
 * and goes on from there when it is run again. So what walks 100,000 objects stays a plain loop,
 * with task_step() in it, and keeps nobody waiting. */
#ifndef BASE_TASK_H
#define BASE_TASK_H

#include <stdbool.h>
#include <stdint.h>

struct task;

typedef void (*task_fn)(void *ctx);

#define TASK_NO_LIMIT INT64_MAX

/* `fn` runs at the first task_run(), with TASK_STACK_BYTES of stack. 0 or a negative errno. */
#define TASK_STACK_BYTES (1u << 20)
int task_new(task_fn fn, void *ctx, struct task **ret);

/* Runs the task until it gives way or `fn` has returned; not from within a task. */
void task_run(struct task *task, int64_t slice_us);

/* Has `fn` returned? It must not be run then. */
bool task_ended(const struct task *task);

/* One that has ended, or has never been run. */
void task_free(struct task *task);

/* For the work itself: gives way if the slice is over. Only the owner of the task decides what may
 * happen meanwhile. Outside of a task it does nothing. */
void task_yield(void);

/* The same for each of many small steps, of some microseconds: most look at no clock. */
void task_step(void);

/* Gives way in any case; only within a task. */
void task_pause(void);

#endif
