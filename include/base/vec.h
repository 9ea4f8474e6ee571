/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing arrays. Zero bytes are an empty vector; free with vec_free(). */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* A vector of `type`: v[0..n). */
#define VEC(type)              \
	struct {               \
		type *v;       \
		size_t n, cap; \
	}

/* Returns `data` with room for one more element after `n`, or `data` as it was when there is no
 * memory; *cap says which. */
void *vec_grow(void *data, size_t *cap, size_t n, size_t elem_bytes);

/* Appends `...` (an expression). 0, or -ENOMEM with the vector as it was. */
#define vec_push(vec, ...)                                                        \
	((vec)->v = vec_grow((vec)->v, &(vec)->cap, (vec)->n, sizeof(*(vec)->v)), \
	 (vec)->n < (vec)->cap ? ((vec)->v[(vec)->n++] = (__VA_ARGS__), 0) : -ENOMEM)

/* Removes element `i`; the last one takes its place. */
#define vec_remove_swap(vec, i) ((vec)->v[i] = (vec)->v[--(vec)->n])

#define vec_free(vec)           (free((vec)->v), (vec)->v = NULL, (vec)->n = (vec)->cap = 0)

#define ARRAY_LEN(a)            (sizeof(a) / sizeof((a)[0]))

#endif
