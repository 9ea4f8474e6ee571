/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that make a struct api_config share. */
#ifndef SOURCE_KUBECONFIG_H
#define SOURCE_KUBECONFIG_H

#include "kube_reader.h"
#include "source/api_config.h"

/* Sets server and host. 0; -EINVAL: expected https://HOST[:PORT][/PATH], or http; -ENOMEM. */
int api_config_set_server(struct api_config *config, const char *url);

/* What an entry of `clusters` or of `users` says. Faults are in r->errors. */
void kube_read_cluster(struct kube_reader *r, const json_t *cluster, struct api_config *config);
void kube_read_user(struct kube_reader *r, const json_t *user, struct api_config *config);

#endif
