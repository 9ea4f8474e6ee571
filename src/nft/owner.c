/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/owner.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nft/encode.h"
#include "request.h"

#define NAME_MAX_SHOWN 64

int nft_owner_supported(struct nft_kernel *kernel, bool *ret_supported, struct err *err)
{
	struct nft_plan plan = {0};
	int rc = nft_build_owner_probe(&plan.parts[NFT_PLAN_TABLES]);

	*ret_supported = false;
	/* Room for both refusals: one that is lost would be taken for another answer. */
	if (rc == 0)
		rc = vec_push(&kernel->refusals, (struct nft_refusal){0});
	rc = rc < 0 ? err_set(err, rc, "no memory for the transaction")
		    : nft_kernel_apply(kernel, &plan, err);
	nft_plan_done(&plan);
	if (rc != -EINVAL)
		return rc;
	/* Only the message that is meant to be refused, or the table as well: EOPNOTSUPP, before
	 * Linux 5.12 EINVAL (nf_tables_newtable()). */
	*ret_supported = kernel->refusals.n > 0 &&
			 kernel->refusals.v[0].message.subject == NFT_SUBJECT_CHAIN;
	return 0;
}

struct table_state {
	uint32_t flags, owner;
};

static uint32_t read_u32(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ? ntohl(mnl_attr_get_u32(attr))
								  : 0;
}

static int handle_table(void *ctx, const struct nlmsghdr *message)
{
	struct table_state *state = ctx;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_TABLE_FLAGS)
			state->flags = read_u32(attr);
		else if (mnl_attr_get_type(attr) == NFTA_TABLE_OWNER)
			state->owner = read_u32(attr);
	}
	return 0;
}

/* No table is one without flags. */
static int read_table(struct nft_kernel *kernel, enum nft_table table, struct table_state *ret,
		      struct err *err)
{
	_Alignas(struct nlmsghdr) char buffer[NFT_REQUEST_BYTES];
	struct nlmsghdr *request =
		nft_request_start(buffer, NFT_MSG_GETTABLE, nft_table_family(table), 0);
	int rc;

	*ret = (struct table_state){0};
	mnl_attr_put_strz(request, NFTA_TABLE_NAME, NFT_TABLE_NAME);
	rc = nft_request(kernel, request, handle_table, ret);
	if (rc == -ENOENT || rc == -EOPNOTSUPP || rc == -EAFNOSUPPORT)
		return 0;
	return rc < 0 ? err_set(err, rc, "cannot read table %s %s: %s", nft_table_word(table),
				NFT_TABLE_NAME, strerror(-rc))
		      : 0;
}

int nft_owner_adopt(struct nft_kernel *kernel, struct err *err)
{
	struct nft_plan plan = {0};
	int rc = 0;

	for (int t = 0; t < NFT_TABLE_COUNT && rc == 0; t++) {
		struct table_state state;

		rc = read_table(kernel, (enum nft_table)t, &state, err);
		if (rc == 0 && nft_table_is_orphan(state.flags))
			rc = nft_build_table(&plan.parts[NFT_PLAN_TABLES], (enum nft_table)t, true);
	}
	if (rc == 0)
		rc = nft_kernel_apply(kernel, &plan, err);
	nft_plan_done(&plan);
	return rc;
}

/* The inode of a netfilter socket of this network namespace, by its port; 0: not found. */
static unsigned long find_socket(uint32_t portid)
{
	FILE *in = fopen("/proc/net/netlink", "re");
	unsigned long found = 0;
	char line[256];

	while (in && found == 0 && fgets(line, sizeof(line), in)) {
		unsigned long inode;
		uint32_t port;
		int protocol;

		/* sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode (netlink_native_seq_show()) */
		if (sscanf(line, "%*s %d %" SCNu32 " %*s %*s %*s %*s %*s %*s %lu", &protocol, &port,
			   &inode) == 3 &&
		    protocol == NETLINK_NETFILTER && port == portid)
			found = inode;
	}
	if (in)
		(void)fclose(in); /* only read */
	return found;
}

static bool has_socket(const char *pid, unsigned long inode)
{
	char path[PATH_MAX], wanted[64], target[64];
	const struct dirent *entry;
	bool found = false;
	DIR *fds;

	(void)snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	fds = opendir(path);
	while (fds && !found && (entry = readdir(fds))) {
		ssize_t n = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		found = strcmp(target, wanted) == 0;
	}
	if (fds)
		(void)closedir(fds);
	return found;
}

static void read_command(const char *pid, char to[static NAME_MAX_SHOWN])
{
	char path[64];
	FILE *in;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	in = fopen(path, "re");
	if (!in || !fgets(to, NAME_MAX_SHOWN, in))
		(void)snprintf(to, NAME_MAX_SHOWN, "?");
	if (in)
		(void)fclose(in); /* only read */
	to[strcspn(to, "\n")] = '\0';
}

/* The port is a process id in the namespace of its process only (netlink_autobind()): from a
 * container it is 1. So the process is looked for by its socket; without rights to see it, the port
 * is all there is. */
static void describe(uint32_t portid, char *to, size_t len)
{
	unsigned long inode = find_socket(portid);
	DIR *processes = inode ? opendir("/proc") : NULL;
	const struct dirent *entry;

	(void)snprintf(to, len, "a process that is not seen here (netlink port %" PRIu32 ")",
		       portid);
	while (processes && (entry = readdir(processes))) {
		char command[NAME_MAX_SHOWN];

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !has_socket(entry->d_name, inode))
			continue;
		read_command(entry->d_name, command);
		(void)snprintf(to, len, "process %.20s (%s)", entry->d_name, command);
		break;
	}
	if (processes)
		(void)closedir(processes);
}

int nft_owner_error(enum nft_table table, uint32_t portid, struct err *err)
{
	char who[160];

	describe(portid, who, sizeof(who));
	return err_set(err, -EPERM,
		       "table %s %s is owned by %s, which alone can change it: end it first",
		       nft_table_word(table), NFT_TABLE_NAME, who);
}

int nft_owner_check(struct nft_kernel *kernel, struct err *err)
{
	for (int t = 0; t < NFT_TABLE_COUNT; t++) {
		struct table_state state;
		int rc = read_table(kernel, (enum nft_table)t, &state, err);

		if (rc < 0)
			return rc;
		if (state.flags & NFT_TABLE_F_OWNER && state.owner != kernel->portid)
			return nft_owner_error((enum nft_table)t, state.owner, err);
	}
	return 0;
}
