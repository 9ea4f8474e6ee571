/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memstream.h"
#include "daemon/lockdown.h"
#include "internal.h"

static int compare_prefixes(const void *x, const void *y)
{
	const struct prefix *a = x, *b = y;
	int order = addr_compare(&a->addr, &b->addr);

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

struct networks {
	VEC(struct prefix) all;
};

/* Of all nodes: their pods send to each other by this one. */
static int collect(const struct daemon *d, struct networks *ret)
{
	int rc = 0;

	for (const struct node *node = graph_next_node(d->graph, NULL); node && rc == 0;
	     node = graph_next_node(d->graph, node)) {
		for (size_t i = 0; i < node->n_pod_cidrs && rc == 0; i++)
			rc = vec_push(&ret->all, node->pod_cidrs[i]);
	}
	if (ret->all.n > 0)
		qsort(ret->all.v, ret->all.n, sizeof(ret->all.v[0]), compare_prefixes);
	return rc;
}

/* A line each; NULL: no memory. */
static char *networks_text(const struct networks *networks, size_t *ret_len)
{
	char *text, prefix[PREFIX_TEXT_MAX];
	struct memstream stream;

	if (memstream_open(&stream) < 0)
		return NULL;
	for (size_t i = 0; i < networks->all.n; i++) {
		if (i == 0 || compare_prefixes(&networks->all.v[i - 1], &networks->all.v[i]) != 0)
			fprintf(stream.out, "%s\n", prefix_format(&networks->all.v[i], prefix));
	}
	return memstream_close(&stream, &text, ret_len) == 0 ? text : NULL;
}

/* Whole or not at all, also where the power goes. 0 or a negative errno. */
static int write_file(int dir, const char *text, size_t len)
{
	AUTO_CLOSE int fd = openat(dir, POD_NETWORKS_FILE "~",
				   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0 || fsync(fd) < 0)
		return -errno;
	if ((size_t)n < len)
		return -ENOSPC;
	return renameat(dir, POD_NETWORKS_FILE "~", dir, POD_NETWORKS_FILE) < 0 ? -errno : 0;
}

/* Is it there already, to the byte? */
static bool is_saved(int dir, const char *text, size_t len)
{
	AUTO_CLOSE int fd = openat(dir, POD_NETWORKS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_FREE char *saved = malloc(len + 1);
	ssize_t n = fd < 0 || !saved ? -1 : read(fd, saved, len + 1);

	return n >= 0 && (size_t)n == len && memcmp(saved, text, len) == 0;
}

static int save(const struct daemon *d, int dir)
{
	struct networks networks = {0};
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	int rc = collect(d, &networks);

	if (rc == 0) {
		text = networks_text(&networks, &len);
		rc = text ? 0 : -ENOMEM;
	}
	/* No Node object says where its pods are: what an earlier run has seen is better. */
	if (rc == 0 && len > 0 && len <= POD_NETWORKS_BYTES_MAX && !is_saved(dir, text, len))
		rc = write_file(dir, text, len);
	vec_free(&networks.all);
	return rc;
}

void pod_networks_save(struct daemon *d)
{
	const char *directory = d->settings->state_directory;
	AUTO_CLOSE int dir = -1;
	int rc;

	if (!d->nodes_changed)
		return;
	d->nodes_changed = false;
	dir = directory[0] ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir < 0)
		return; /* whoever uses --lockdown makes it */
	rc = save(d, dir);
	if (rc < 0)
		log_warning("netpold", "%s/%s: %s: netpold --lockdown uses what was saved before",
			    directory, POD_NETWORKS_FILE, strerror(-rc));
}
