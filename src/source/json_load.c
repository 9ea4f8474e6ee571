/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/json_load.h"

#include <errno.h>
#include <string.h>

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
