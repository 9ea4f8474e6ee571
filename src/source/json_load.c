/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_load.h"

#include <errno.h>
#include <string.h>

#include "base/task.h"

static void release_array(json_t *json)
{
	for (size_t n = json_array_size(json); n > 0; n--) {
		json_t *last = json_incref(json_array_get(json, n - 1));

		(void)json_array_remove(json, n - 1); /* the last one: nothing moves */
		json_release(last);
	}
}

/* Values only: the keys go with the object. */
static void release_object(json_t *json)
{
	const char *key;
	json_t *value;

	json_object_foreach (json, key, value) {
		if (value->refcount == 1 && (json_is_array(value) || json_is_object(value)))
			json_is_array(value) ? release_array(value) : release_object(value);
	}
}

void json_release(json_t *json)
{
	task_step();
	if (json && json->refcount == 1 && json_is_array(json))
		release_array(json);
	else if (json && json->refcount == 1 && json_is_object(json))
		release_object(json);
	json_decref(json);
}

int json_load(const char *bytes, size_t len, size_t flags, json_t **ret, struct err *err)
{
	json_error_t error;
	json_t *json = json_loadb(bytes, len, flags, &error);
	const char *near;

	if (json) {
		*ret = json;
		return 0;
	}
	/* Most of what can lack memory in there says nothing at all. */
	if (json_error_code(&error) == json_error_out_of_memory || !error.text[0])
		return -ENOMEM;
	near = strstr(error.text, " near ");
	return err_set(err, -EINVAL, "not JSON: %.*s",
		       near ? (int)(near - error.text) : (int)strlen(error.text), error.text);
}
