/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/task.h"

#include "unit.h"

#define STEPS 100000

struct counting {
	size_t done, wanted;
	bool pauses;
};

static void count(void *ctx)
{
	struct counting *c = ctx;

	for (size_t i = 0; i < c->wanted; i++) {
		c->done++;
		if (c->pauses)
			task_pause();
		else
			task_yield();
	}
}

static void a_task_goes_on_where_it_paused(void **state)
{
	struct counting c = {.wanted = 5, .pauses = true};
	struct task *task;

	(void)state;
	assert_int_equal(task_new(count, &c, &task), 0);
	for (size_t i = 1; i <= c.wanted; i++) {
		assert_false(task_ended(task));
		task_run(task, TASK_NO_LIMIT);
		assert_int_equal(c.done, i);
	}
	task_run(task, TASK_NO_LIMIT);
	assert_true(task_ended(task));
	task_free(task);
}

static void two_tasks_do_not_disturb_each_other(void **state)
{
	struct counting a = {.wanted = 3, .pauses = true}, b = a;
	struct task *first, *second;

	(void)state;
	assert_int_equal(task_new(count, &a, &first), 0);
	assert_int_equal(task_new(count, &b, &second), 0);
	for (size_t i = 1; i <= 3; i++) {
		task_run(first, TASK_NO_LIMIT);
		task_run(second, TASK_NO_LIMIT);
		assert_int_equal(a.done, i);
		assert_int_equal(b.done, i);
	}
	task_run(first, TASK_NO_LIMIT);
	task_run(second, TASK_NO_LIMIT);
	task_free(first);
	task_free(second);
}

static void a_slice_that_is_over_ends_at_the_next_step(void **state)
{
	struct counting c = {.wanted = STEPS};
	struct task *task;
	size_t slices = 0;

	(void)state;
	assert_int_equal(task_new(count, &c, &task), 0);
	for (; !task_ended(task); slices++)
		task_run(task, 0);
	assert_int_equal(c.done, STEPS);
	assert_int_equal(slices, STEPS + 1);
	task_free(task);
}

static void without_a_limit_it_does_not_give_way(void **state)
{
	struct counting c = {.wanted = STEPS};
	struct task *task;

	(void)state;
	assert_int_equal(task_new(count, &c, &task), 0);
	task_run(task, TASK_NO_LIMIT);
	assert_true(task_ended(task));
	assert_int_equal(c.done, STEPS);
	task_free(task);
}

static void outside_of_a_task_nothing_gives_way(void **state)
{
	(void)state;
	task_yield();
	task_step();
}

/* As deep as a caller may go: a page written in each frame. */
static size_t descend(size_t depth)
{
	volatile char page[4096];

	page[0] = (char)depth;
	return depth == 0 ? 0 : descend(depth - 1) + 1 + (size_t)(page[0] - (char)depth);
}

static void go_deep(void *ctx)
{
	*(size_t *)ctx = descend(100);
}

static void the_stack_is_large_enough_for_what_it_is_for(void **state)
{
	struct task *task;
	size_t depth = 0;

	(void)state;
	assert_int_equal(task_new(go_deep, &depth, &task), 0);
	task_run(task, TASK_NO_LIMIT);
	assert_int_equal(depth, 100);
	task_free(task);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_goes_on_where_it_paused),
		cmocka_unit_test(two_tasks_do_not_disturb_each_other),
		cmocka_unit_test(a_slice_that_is_over_ends_at_the_next_step),
		cmocka_unit_test(without_a_limit_it_does_not_give_way),
		cmocka_unit_test(outside_of_a_task_nothing_gives_way),
		cmocka_unit_test(the_stack_is_large_enough_for_what_it_is_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
