/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/vec.h"

#include <stdint.h>

void *vec_grow(void *data, size_t *cap, size_t n, size_t elem_bytes)
{
	if (n < *cap)
		return data;

	size_t want = *cap < 4 ? 4 : *cap + *cap / 2;
	if (want > SIZE_MAX / elem_bytes)
		return data;

	void *grown = realloc(data, want * elem_bytes);
	if (!grown)
		return data;

	*cap = want;
	return grown;
}
