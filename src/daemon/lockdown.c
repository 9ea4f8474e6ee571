/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/lockdown.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "nft/features.h"
#include "nft/kernel.h"
#include "nft/owner.h"
#include "nft/readback.h"
#include "render/lockdown.h"

struct networks {
	VEC(struct prefix) all;
};

/* 0; -EINVAL or -ENOMEM after a message. */
static int parse_line(char *line, unsigned number, const char *path, struct networks *ret)
{
	struct prefix prefix;

	line[strcspn(line, "#\r\n")] = '\0';
	if (line[strspn(line, " \t")] == '\0')
		return 0;
	if (!prefix_parse(line, &prefix, NULL)) {
		log_err("netpold",
			"%s:%u: expected an address and the length of its prefix, such as "
			"10.244.0.0/16",
			path, number);
		return -EINVAL;
	}
	return vec_push(&ret->all, prefix);
}

static int read_lines(FILE *in, const char *path, struct networks *ret)
{
	size_t bytes = 0;
	unsigned number = 0;
	char line[256];
	int rc = 0;

	while (rc == 0 && fgets(line, sizeof(line), in)) {
		bytes += strlen(line);
		if (bytes > POD_NETWORKS_BYTES_MAX)
			return -EFBIG;
		rc = parse_line(line, ++number, path, ret);
	}
	return rc == 0 && ferror(in) ? -EIO : rc;
}

/* What the last run of the daemon has saved. 0; a negative errno, said. */
static int read_saved(const struct settings *settings, struct networks *ret)
{
	char path[PATH_MAX];
	FILE *in;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s", settings->state_directory, POD_NETWORKS_FILE);
	in = settings->state_directory[0] ? fopen(path, "re") : NULL;
	if (!in) {
		rc = settings->state_directory[0] ? -errno : -ENOENT;
		log_err("netpold",
			"%s: %s: the networks of pods are not known, and nothing is locked: "
			"expected "
			"them in pod-networks, or an earlier run of the daemon",
			settings->state_directory[0] ? path : "state-directory: off",
			strerror(-rc));
		return rc;
	}
	rc = read_lines(in, path, ret);
	(void)fclose(in); /* only read */
	if (rc == -EFBIG || rc == -EIO)
		log_err("netpold", "%s: %s", path, strerror(-rc));
	return rc;
}

static int find_networks(const struct settings *settings, struct networks *ret)
{
	int rc = settings->pod_networks.n > 0 ? 0 : read_saved(settings, ret);

	for (size_t i = 0; i < settings->pod_networks.n && rc == 0; i++)
		rc = vec_push(&ret->all, settings->pod_networks.v[i]);
	if (rc == 0 && ret->all.n == 0) {
		log_err("netpold", "no network of pods is known, and nothing is locked");
		rc = -ENOENT;
	}
	return rc;
}

/* With the flags that the daemon wants: a table that is made without them does not get them any
 * more. */
static int load_once(struct nft_kernel *kernel, const struct lockdown_options *options, bool own,
		     struct err *err)
{
	struct ruleset ruleset = {0};
	struct nft_plan plan = {0};
	struct nft_found found = {0};
	int rc = render_lockdown(&ruleset, options);

	if (rc == 0 && own)
		rc = nft_owner_supported(kernel, &ruleset.own, err);
	if (rc == 0)
		rc = nft_owner_check(kernel, err);
	if (rc == 0)
		rc = nft_readback(kernel, &found, err);
	if (rc == 0)
		rc = nft_plan_repair(&plan, &found, &ruleset);
	if (rc == 0)
		rc = nft_kernel_apply(kernel, &plan, err);
	nft_plan_done(&plan);
	nft_found_done(&found);
	ruleset_done(&ruleset);
	return rc;
}

/* A kernel without the family bridge gets the rest. */
static int load(struct nft_kernel *kernel, struct lockdown_options options, bool own,
		struct err *err)
{
	int rc = load_once(kernel, &options, own, err);

	if (rc == 0 || rc == -ENOMEM || !nft_kernel_lacks_family(kernel))
		return rc;
	log_warning("nft", "the kernel has no nf_tables family bridge: between pods of one bridge "
			   "nothing is locked but what br_netfilter shows");
	options.no_bridges = true;
	*err = (struct err){0};
	return load_once(kernel, &options, own, err);
}

/* What is there may be more than a lockdown: the rules of a daemon. */
static int load_unless_there(const struct lockdown_options *options, bool own, struct err *err)
{
	struct nft_kernel kernel;
	unsigned missing = 0;
	bool has = false;
	int rc = nft_kernel_open(&kernel, err);

	if (rc < 0)
		return rc;
	rc = nft_kernel_has_rules(&kernel, &has);
	if (rc < 0)
		err_set(err, rc, "cannot read nftables: %s", strerror(-rc));
	else if (has)
		log_notice("netpold", "there are rules of an earlier run: they stay as they are");
	else
		rc = load(&kernel, *options, own, err);
	if (rc == -EINVAL)
		nft_features_explain(&kernel, &missing, err);
	if (rc == 0 && !has)
		log_notice("netpold",
			   "locked: nothing is forwarded from pods or to them%s until netpold has "
			   "read their policies; netpold --cleanup removes this",
			   options->local_node_allow ? ""
						     : ", and nothing of them reaches the node");
	nft_kernel_close(&kernel);
	return rc;
}

int lockdown(const struct settings *settings)
{
	struct networks networks = {0};
	struct err err = {0};
	int rc = find_networks(settings, &networks);
	bool unusable = rc == -EINVAL;

	if (rc == 0) {
		struct lockdown_options options = {
			.networks = networks.all.v,
			.n = networks.all.n,
			.local_node_allow = settings->local_node_allow,
		};

		rc = load_unless_there(&options, !settings->share_tables, &err);
		if (rc < 0)
			log_err("nft", "%s", err.text[0] ? err.text : strerror(-rc));
	} else if (rc == -ENOMEM) {
		log_err("netpold", "out of memory");
	}
	vec_free(&networks.all);
	return rc == 0 ? 0 : unusable ? 2 : 1;
}
