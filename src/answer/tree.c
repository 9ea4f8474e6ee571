/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tree.h"

#include "base/cleanup.h"

bool tree_put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0;
}

bool tree_add(json_t *list, json_t *value)
{
	return json_array_append_new(list, value) == 0;
}

json_t *tree_policies(const struct profile *profile)
{
	AUTO_JSON json_t *list = json_array();

	for (size_t i = 0; i < profile->n_policies; i++) {
		if (!tree_add(list, json_sprintf("%s/%s", profile->policies[i]->ns,
						 profile->policies[i]->name)))
			return NULL;
	}
	return TAKE(list);
}
