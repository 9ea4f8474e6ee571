/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Typed members of a kubeconfig's entries, with faults that name file, line and field; never a
 * value, which may be secret. */
#ifndef SOURCE_KUBE_READER_H
#define SOURCE_KUBE_READER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/fault.h"
#include "model/decode.h"
#include "source/secret.h"
#include "source/yaml.h"

#define KUBE_PATH_MAX 8

struct kube_reader {
	struct faults *faults;
	const char *file;
	struct yaml_lines *lines;
	struct path_seg path[KUBE_PATH_MAX];
	size_t depth;
	size_t errors;
	bool no_memory;
};

/* The path; every push has its pop. */
void kube_push_key(struct kube_reader *r, const char *key);
void kube_push_index(struct kube_reader *r, size_t index);
void kube_pop(struct kube_reader *r);

/* At the current path, or at a member there. */
void kube_refuse(struct kube_reader *r, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void kube_warn(struct kube_reader *r, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* NULL or false when absent, null or empty, and after a fault. */
const char *kube_text(struct kube_reader *r, const json_t *object, const char *key);
bool kube_flag(struct kube_reader *r, const json_t *object, const char *key);
const json_t *kube_list(struct kube_reader *r, const json_t *object, const char *key);

/* A copy into *to, which stays NULL when the member is absent. A relative path is one from the
 * file's own directory. */
void kube_take_text(struct kube_reader *r, const json_t *object, const char *key, char **to);
void kube_take_path(struct kube_reader *r, const json_t *object, const char *key, char **to);
void kube_take_base64(struct kube_reader *r, const json_t *object, const char *key,
		      struct secret *to);

#endif
