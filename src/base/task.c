/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/task.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"

/* AddressSanitizer must know which stack is in use. */
#if defined(__SANITIZE_ADDRESS__)
#define TASK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TASK_ASAN 1
#endif
#endif
#ifdef TASK_ASAN
#include <sanitizer/common_interface_defs.h>
#define stack_leave(save, to) __sanitizer_start_switch_fiber(save, (to)->bottom, (to)->bytes)
#define stack_enter(saved, from) \
	__sanitizer_finish_switch_fiber(saved, &(from)->bottom, &(from)->bytes)
#else
#define stack_leave(save, to)    ((void)(save), (void)(to))
#define stack_enter(saved, from) ((void)(saved), (void)(from))
#endif

/* So many steps between two looks at the clock. */
#define STEPS 32

struct stack {
	const void *bottom;
	size_t bytes;
	void *fake; /* AddressSanitizer's own */
};

struct task {
	task_fn fn;
	void *ctx;
	ucontext_t own, caller;
	struct stack stack, callers;
	char *memory; /* a guard page, and the stack */
	size_t memory_bytes;
	int64_t until_us;
	unsigned steps;
	bool begun, ended;
};

/* Which stack this thread is on: as much a property of the thread as errno. */
static _Thread_local struct task *running;

int task_new(task_fn fn, void *ctx, struct task **ret)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct task *task = calloc(1, sizeof(*task));

	if (!task)
		return -ENOMEM;
	task->fn = fn;
	task->ctx = ctx;
	task->memory_bytes = page + TASK_STACK_BYTES;
	task->memory = mmap(NULL, task->memory_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (task->memory == MAP_FAILED) {
		free(task);
		return -ENOMEM;
	}
	task->stack.bottom = task->memory + page;
	task->stack.bytes = TASK_STACK_BYTES;
	if (mprotect(task->memory, page, PROT_NONE) < 0 || getcontext(&task->own) < 0) {
		task_free(task);
		return -ENOMEM;
	}
	*ret = task;
	return 0;
}

void task_free(struct task *task)
{
	if (!task)
		return;
	(void)munmap(task->memory, task->memory_bytes); /* ours */
	free(task);
}

bool task_ended(const struct task *task)
{
	return task->ended;
}

static void enter(void)
{
	struct task *task = running;

	stack_enter(NULL, &task->callers);
	task->fn(task->ctx);
	task->ended = true;
	stack_leave(NULL, &task->callers); /* this stack is not come back to */
}

void task_run(struct task *task, int64_t slice_us)
{
	task->until_us = slice_us == TASK_NO_LIMIT ? INT64_MAX : clock_monotonic_us() + slice_us;
	task->steps = 0;
	if (!task->begun) {
		task->begun = true;
		task->own.uc_stack.ss_sp = task->memory + (task->memory_bytes - TASK_STACK_BYTES);
		task->own.uc_stack.ss_size = TASK_STACK_BYTES;
		task->own.uc_link = &task->caller;
		makecontext(&task->own, enter, 0);
	}
	running = task;
	stack_leave(&task->callers.fake, &task->stack);
	(void)swapcontext(&task->caller, &task->own); /* fails only without room for the stack */
	stack_enter(task->callers.fake, &task->stack);
	running = NULL;
}

void task_pause(void)
{
	struct task *task = running;

	stack_leave(&task->stack.fake, &task->callers);
	(void)swapcontext(&task->own, &task->caller); /* as above */
	stack_enter(task->stack.fake, &task->callers);
}

void task_yield(void)
{
	if (running && clock_monotonic_us() >= running->until_us)
		task_pause();
}

void task_step(void)
{
	if (!running || ++running->steps < STEPS)
		return;
	running->steps = 0;
	task_yield();
}
