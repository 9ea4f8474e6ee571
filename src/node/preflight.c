/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "preflight_nft.h"

/* The oldest kernel that is tested. */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 10

const char *preflight_level_name(enum preflight_level level)
{
	switch (level) {
	case PREFLIGHT_OPEN:
	case PREFLIGHT_ERROR:
		return "error";
	case PREFLIGHT_WARNING:
		return "warning";
	}
	return "";
}

static bool has(const struct preflight *preflight, const char *id, const char *subject)
{
	for (size_t i = 0; i < preflight->findings.n; i++) {
		if (strcmp(preflight->findings.v[i].id, id) == 0 &&
		    strcmp(preflight->findings.v[i].subject, subject) == 0)
			return true;
	}
	return false;
}

int preflight_add(struct preflight *preflight, const char *id, enum preflight_level level,
		  const char *subject, const char *todo, const char *what, ...)
{
	struct preflight_finding finding = {.id = id, .level = level};
	va_list ap;

	if (preflight->findings.n >= PREFLIGHT_MAX || has(preflight, id, subject))
		return 0;
	va_start(ap, what);
	(void)vsnprintf(finding.what, sizeof(finding.what), what, ap);
	va_end(ap);
	(void)snprintf(finding.subject, sizeof(finding.subject), "%s", subject);
	(void)snprintf(finding.todo, sizeof(finding.todo), "%s", todo);
	return vec_push(&preflight->findings, finding);
}

/* XT_TABLE_MAXNAMELEN of linux/netfilter/x_tables.h. */
#define XT_NAME_MAX 32

/* The first bytes of a file as text; -1: it cannot be read. */
static ssize_t read_text(const char *root, const char *path, char *text, size_t bytes)
{
	char full[PATH_MAX];
	ssize_t n;

	(void)snprintf(full, sizeof(full), "%s/%s", root, path);
	AUTO_CLOSE int fd = open(full, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, bytes - 1);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

static bool is_there(const char *root, const char *path)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "%s/%s", root, path);
	return access(full, F_OK) == 0;
}

/* Does it say 0? What is not there says nothing. */
static bool is_zero(const char *root, const char *path)
{
	char text[16];

	return read_text(root, path, text, sizeof(text)) > 0 && text[0] == '0';
}

/* A bridge may be handed to netfilter by itself, too. */
static bool hands_over(const struct preflight_host *host, const char *bridge, const char *setting)
{
	char path[128], text[16];

	(void)snprintf(path, sizeof(path), "class/net/%s/bridge/%s", bridge, setting);
	return read_text(host->sys, path, text, sizeof(text)) > 0 && text[0] == '1';
}

static int check_bridge(const struct preflight_host *host, struct preflight *preflight,
			const char *bridge)
{
	static const struct {
		const char *file, *setting, *name;
	} families[] = {
		{"sys/net/bridge/bridge-nf-call-iptables", "nf_call_iptables", "IPv4"},
		{"sys/net/bridge/bridge-nf-call-ip6tables", "nf_call_ip6tables", "IPv6"},
	};
	const bool has[] = {host->v4, host->v6};
	int rc = 0;

	if (!is_there(host->proc, "sys/net/bridge"))
		return preflight_add(
			preflight, "br-netfilter-missing", PREFLIGHT_OPEN, bridge,
			"Load the module br_netfilter, and have it loaded at every start: "
			"echo br_netfilter > /etc/modules-load.d/netpold.conf.",
			"Bridge %s has pods, but br_netfilter is not loaded: what pods of the "
			"bridge send "
			"each other passes without policy.",
			bridge);
	for (size_t i = 0; i < ARRAY_LEN(families) && rc == 0; i++) {
		const char *name = strrchr(families[i].file, '/') + 1;
		char todo[PREFLIGHT_TEXT_MAX], subject[PREFLIGHT_SUBJECT_MAX];

		if (!has[i] || !is_zero(host->proc, families[i].file) ||
		    hands_over(host, bridge, families[i].setting))
			continue;
		(void)snprintf(todo, sizeof(todo),
			       "Set sysctl net.bridge.%s=1, and have it set at every start in "
			       "/etc/sysctl.d.",
			       name);
		(void)snprintf(subject, sizeof(subject), "%s %s", bridge, families[i].name);
		rc = preflight_add(
			preflight, "br-netfilter-off", PREFLIGHT_OPEN, subject, todo,
			"Bridge %s has pods, but net.bridge.%s is 0: what pods of the bridge "
			"send each other by %s passes without policy.",
			bridge, name, families[i].name);
	}
	return rc;
}

static int check_bridges(const struct preflight_host *host, struct preflight *preflight)
{
	int rc = 0;

	for (size_t i = 0; i < host->n_bridges && rc == 0; i++)
		rc = check_bridge(host, preflight, host->bridges[i]);
	return rc;
}

static int check_forwarding(const struct preflight_host *host, struct preflight *preflight)
{
	int rc = 0;

	if (host->v4 && is_zero(host->proc, "sys/net/ipv4/ip_forward"))
		rc = preflight_add(
			preflight, "forwarding-off", PREFLIGHT_WARNING, "IPv4",
			"Set sysctl net.ipv4.ip_forward=1.",
			"This host does not forward IPv4: its pods reach nobody by way of it, "
			"whatever policy says.");
	if (rc == 0 && host->v6 && is_zero(host->proc, "sys/net/ipv6/conf/all/forwarding"))
		rc = preflight_add(
			preflight, "forwarding-off", PREFLIGHT_WARNING, "IPv6",
			"Set sysctl net.ipv6.conf.all.forwarding=1.",
			"This host does not forward IPv6: its pods reach nobody by way of it, "
			"whatever policy says.");
	return rc;
}

/* Without these pods are found by routes, if at all; before the first pod there need be none. */
static int check_cni_results(const struct preflight_host *host, struct preflight *preflight)
{
	AUTO_CLOSE int fd = open(host->cni_results, O_RDONLY | O_CLOEXEC | O_DIRECTORY);

	if (host->pods > 0 && host->with_result == 0 && (fd >= 0 || errno != EACCES))
		return preflight_add(
			preflight, "cni-results-missing", PREFLIGHT_WARNING, host->cni_results,
			"Name the directory with --cni-results; in a container, mount it.",
			"%s has no result for any of %zu pods: a pod is enforced only once the API "
			"server has published its address, which is after it has started.",
			host->cni_results, host->pods);
	if (fd >= 0 || errno != EACCES)
		return 0;
	return preflight_add(
		preflight, "cni-results-closed", PREFLIGHT_OPEN, host->cni_results,
		"Run netpold with the capability CAP_DAC_READ_SEARCH.",
		"%s may not be read: pods are found late or not at all, and until then "
		"no policy is enforced for them.",
		host->cni_results);
}

/* Comments of chains came with 5.10 (NFTA_CHAIN_USERDATA); what is older ignores the attribute. */
static int check_kernel(const struct preflight_host *host, struct preflight *preflight)
{
	char release[PREFLIGHT_SUBJECT_MAX];
	unsigned major = 0, minor = 0;

	if (read_text(host->proc, "sys/kernel/osrelease", release, sizeof(release)) <= 0)
		return 0;
	release[strcspn(release, "\n")] = '\0';
	if (sscanf(release, "%u.%u", &major, &minor) != 2 || major > KERNEL_MAJOR ||
	    (major == KERNEL_MAJOR && minor >= KERNEL_MINOR))
		return 0;
	return preflight_add(
		preflight, "kernel-old", PREFLIGHT_WARNING, release, "Use Linux 5.10 or later.",
		"Kernel %s is older than 5.10 and not supported: without comments of chains every "
		"repair writes all chains anew, and listings do not say whose they are.",
		release);
}

static int check_conntrack(const struct preflight_host *host, struct preflight *preflight)
{
	if (is_there(host->proc, "sys/net/netfilter/nf_conntrack_max"))
		return 0;
	return preflight_add(
		preflight, "conntrack-missing", PREFLIGHT_WARNING, "",
		"Load the module nf_conntrack. The kernel does so by itself with the first "
		"rule when it has it.",
		"Connection tracking is not there, and policy needs it to let answers pass.");
}

/* Behind lines of headings, services begin with their protocol and servers with an arrow. IPVS
 * hides its connections from connection tracking unless it is told otherwise. */
static int check_ipvs(const struct preflight_host *host, struct preflight *preflight)
{
	static const char *const starts[] = {"TCP ", "UDP ", "SCTP ", "FWM "};
	char text[4096];
	bool found = false;

	if (!is_zero(host->proc, "sys/net/ipv4/vs/conntrack") ||
	    read_text(host->proc, "net/ip_vs", text, sizeof(text)) <= 0)
		return 0;
	for (const char *line = text; line && !found; line = strchr(line, '\n')) {
		line += *line == '\n';
		for (size_t i = 0; i < ARRAY_LEN(starts); i++)
			found |= strncmp(line, starts[i], strlen(starts[i])) == 0;
	}
	return found ? preflight_add(preflight, "ipvs-conntrack-off", PREFLIGHT_WARNING, "",
				     "Set net.ipv4.vs.conntrack to 1, as kube-proxy does.",
				     "Services are forwarded by IPVS and kept from connection "
				     "tracking, so replies from pods are judged as connections of "
				     "their own.")
		     : 0;
}

/* Whether a table can keep what is forwarded from passing. Chains of the table nat see the first
 * packets of connections only, to change them. */
static bool can_drop(const char *table)
{
	return strcmp(table, "nat") != 0;
}

struct legacy {
	const char *tool, *todo;
	char tables[128]; /* "filter, raw" */
};

static void add_table(struct legacy *legacy, const char *table, size_t len)
{
	char name[XT_NAME_MAX + 1];
	size_t used = strlen(legacy->tables);

	(void)snprintf(name, sizeof(name), "%.*s", (int)len, table);
	if (len > 0 && can_drop(name))
		(void)snprintf(legacy->tables + used, sizeof(legacy->tables) - used, "%s%s",
			       used > 0 ? ", " : "", name);
}

/* Tables are listed there, a line each, when they are in use: net/netfilter/x_tables.c,
 * xt_table_seq_show(). */
static void read_tables(const struct preflight_host *host, const char *file, struct legacy *legacy)
{
	char text[256];

	if (read_text(host->proc, file, text, sizeof(text)) <= 0)
		return;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		add_table(legacy, line, strcspn(line, "\n"));
}

/* ebtables lists its tables nowhere: it has a module for each. */
static void read_modules(const struct preflight_host *host, struct legacy *legacy)
{
	static const char prefix[] = "ebtable_";
	char full[PATH_MAX], *line = NULL;
	size_t size = 0;
	FILE *in;

	(void)snprintf(full, sizeof(full), "%s/modules", host->proc);
	in = fopen(full, "re");
	while (in && getline(&line, &size, in) > 0) {
		const char *name = line + sizeof(prefix) - 1;

		if (strncmp(line, prefix, sizeof(prefix) - 1) == 0)
			add_table(legacy, name, strcspn(name, " \n"));
	}
	free(line);
	if (in)
		(void)fclose(in); /* read only */
}

static int report_legacy(struct preflight *preflight, const struct legacy *legacy)
{
	char todo[PREFLIGHT_TEXT_MAX];

	if (!legacy->tables[0])
		return 0;
	(void)snprintf(
		todo, sizeof(todo),
		"Look with \"%s-legacy-save\" whether a chain of %s drops the pods' traffic, or "
		"keeps it from connection tracking; or replace these rules by those of %s-nft.",
		legacy->tool, legacy->todo, legacy->tool);
	return preflight_add(preflight, "iptables-legacy", PREFLIGHT_WARNING, legacy->tool, todo,
			     "There are tables of %s-legacy, whose rules netpold cannot read: %s. "
			     "They may drop what policy allows.",
			     legacy->tool, legacy->tables);
}

/* Rules of these tables are invisible to nftables. */
static int check_legacy(const struct preflight_host *host, struct preflight *preflight)
{
	struct legacy ip4 = {.tool = "iptables", .todo = "FORWARD or PREROUTING"};
	struct legacy ip6 = {.tool = "ip6tables", .todo = "FORWARD or PREROUTING"};
	struct legacy arp = {.tool = "arptables", .todo = "INPUT, OUTPUT or FORWARD"};
	struct legacy bridge = {.tool = "ebtables", .todo = "FORWARD, PREROUTING or BROUTING"};
	struct legacy *const all[] = {&ip4, &ip6, &arp, &bridge};
	int rc = 0;

	read_tables(host, "net/ip_tables_names", &ip4);
	read_tables(host, "net/ip6_tables_names", &ip6);
	read_tables(host, "net/arp_tables_names", &arp);
	if (host->n_bridges > 0)
		read_modules(host, &bridge);
	for (size_t i = 0; i < ARRAY_LEN(all) && rc == 0; i++)
		rc = report_legacy(preflight, all[i]);
	return rc;
}

static int by_level(const void *x, const void *y)
{
	const struct preflight_finding *a = x, *b = y;
	int order = (int)a->level - (int)b->level;

	if (order == 0)
		order = strcmp(a->id, b->id);
	return order != 0 ? order : strcmp(a->what, b->what);
}

int preflight_run(const struct preflight_host *host, struct preflight *ret_preflight)
{
	static int (*const checks[])(const struct preflight_host *, struct preflight *) = {
		check_cni_results, check_bridges, check_forwarding, check_kernel,
		check_conntrack,   check_ipvs,    check_legacy,     preflight_nft,
	};
	struct preflight preflight = {0};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(checks) && rc == 0; i++)
		rc = checks[i](host, &preflight);
	if (rc < 0) {
		preflight_done(&preflight);
		return rc;
	}
	if (preflight.findings.n > 0)
		qsort(preflight.findings.v, preflight.findings.n, sizeof(preflight.findings.v[0]),
		      by_level);
	*ret_preflight = preflight;
	return 0;
}

void preflight_done(struct preflight *preflight)
{
	vec_free(&preflight->findings);
}
