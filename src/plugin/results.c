/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "results.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* NETWORK-CONTAINER-IFNAME, as libcni's cache has it (getCacheFilePath() of libcni/api.go). */
static int file_name(char to[static NAME_MAX + 1], const char *network, const char *container,
		     const char *ifname)
{
	int len = snprintf(to, NAME_MAX + 1, "%s-%s-%s", network, container, ifname);

	return len > NAME_MAX - 1 ? -ENAMETOOLONG
				  : 0; /* a dot goes before it while it is written */
}

static int own_name(char to[static NAME_MAX + 1], const struct plugin_request *r,
		    struct plugin_error *error)
{
	if (file_name(to, r->network, r->container, r->ifname) == 0)
		return 0;
	return plugin_fail(error, PLUGIN_INVALID_CONFIG,
			   "the names of the network and the container are longer than %d bytes "
			   "together",
			   NAME_MAX);
}

static int fail_path(const struct plugin_request *r, const char *what, struct plugin_error *error)
{
	return plugin_fail(error, PLUGIN_IO, "%s: %s: %s", r->results_dir, what, strerror(errno));
}

/* cniCacheV1 of libcni/api.go, with what the daemon reads. */
static json_t *cached(const struct plugin_request *r)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:[[s, s], [s, s], [s, s]], s:O}", "kind",
			 "cniCacheV1", "containerId", r->container, "ifName", r->ifname,
			 "networkName", r->network, "cniArgs", "K8S_POD_NAMESPACE", r->ns,
			 "K8S_POD_NAME", r->pod, "K8S_POD_UID", r->uid, "result", r->result);
}

/* The daemon reads whole files: under another name first, which it passes over. */
static int write_file(int dir, const char *name, const json_t *json)
{
	char hidden[NAME_MAX + 1];
	AUTO_CLOSE int fd = -1;
	int rc = 0;

	(void)snprintf(hidden, sizeof(hidden), ".%.*s", NAME_MAX - 1, name);
	fd = openat(dir, hidden, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	errno = EIO;
	if (json_dumpfd(json, fd, JSON_COMPACT) < 0 || renameat(dir, hidden, dir, name) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlinkat(dir, hidden, 0); /* the error is told already */
	return rc;
}

/* -1 with errno. */
static int open_dir(const struct plugin_request *r, bool make)
{
	if (make && mkdir(r->results_dir, 0700) < 0 && errno != EEXIST)
		return -1;
	return open(r->results_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int plugin_results_put(const struct plugin_request *r, struct plugin_error *error)
{
	AUTO_JSON json_t *json = cached(r);
	char name[NAME_MAX + 1];
	AUTO_CLOSE int dir = -1;
	int rc = own_name(name, r, error);

	if (!json)
		return -ENOMEM;
	if (rc < 0)
		return rc;
	dir = open_dir(r, true);
	if (dir < 0)
		return fail_path(r, "cannot open", error);
	rc = write_file(dir, name, json);
	if (rc == 0)
		return 0;
	errno = -rc;
	return fail_path(r, "cannot write", error);
}

int plugin_results_remove(const struct plugin_request *r, struct plugin_error *error)
{
	char name[NAME_MAX + 1];
	AUTO_CLOSE int dir = -1;

	if (file_name(name, r->network, r->container, r->ifname) < 0)
		return 0; /* it cannot have been written */
	dir = open_dir(r, false);
	if (dir < 0 && errno != ENOENT)
		return fail_path(r, "cannot open", error);
	if (dir >= 0 && unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return fail_path(r, "cannot remove", error);
	return 0;
}

/* Is the file of this network, and of none of its attachments? */
static bool is_garbage(const struct plugin_request *r, int dir, const char *name)
{
	const json_t *valid = json_object_get(r->config, "cni.dev/valid-attachments");
	AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	AUTO_JSON json_t *json = fd < 0 ? NULL : json_loadfd(fd, 0, NULL);
	const char *network = json_string_value(json_object_get(json, "networkName"));
	const json_t *one;
	size_t i;

	if (!network || strcmp(network, r->network) != 0)
		return false;
	json_array_foreach (valid, i, one) {
		const char *container = json_string_value(json_object_get(one, "containerID"));
		const char *ifname = json_string_value(json_object_get(one, "ifname"));
		char kept[NAME_MAX + 1];

		if (container && ifname && file_name(kept, r->network, container, ifname) == 0 &&
		    strcmp(kept, name) == 0)
			return false;
	}
	return true;
}

int plugin_results_collect(const struct plugin_request *r, struct plugin_error *error)
{
	int dir = open_dir(r, false), rc = 0;
	DIR *stream = dir < 0 ? NULL : fdopendir(dir);
	const struct dirent *item;

	if (!json_is_array(json_object_get(r->config, "cni.dev/valid-attachments")))
		rc = plugin_fail(error, PLUGIN_INVALID_CONFIG,
				 "cni.dev/valid-attachments: expected a list");
	else if (!stream && errno != ENOENT)
		rc = fail_path(r, "cannot open", error);
	while (rc == 0 && stream && (item = readdir(stream))) {
		if (item->d_name[0] != '.' && is_garbage(r, dir, item->d_name) &&
		    unlinkat(dir, item->d_name, 0) < 0 && errno != ENOENT)
			rc = fail_path(r, "cannot remove", error);
	}
	if (stream)
		(void)closedir(stream); /* only read */
	else if (dir >= 0)
		(void)close(dir);
	return rc;
}
