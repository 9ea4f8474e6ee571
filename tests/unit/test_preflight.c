/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts as directories of files that look like /proc and /sys. What nftables says is
 * tests/netns/preflight.sh's. */
#include "unit.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/preflight.h"

static char top[64];

static int make_top(void **state)
{
	(void)state;
	(void)snprintf(top, sizeof(top), "/tmp/netpold-preflight-XXXXXX");
	return mkdtemp(top) ? chdir(top) : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_top(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes the directories on the way, and the file. */
static void write_file(const char *path, const char *text, size_t len)
{
	char way[512];
	FILE *out;

	(void)snprintf(way, sizeof(way), "%s", path);
	for (char *slash = strchr(way, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(way, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

#define FINE                                                                      \
	"proc/sys/net/ipv4/ip_forward=1 proc/sys/net/ipv6/conf/all/forwarding=1 " \
	"proc/sys/net/netfilter/nf_conntrack_max=65536 "
#define BRIDGED                                               \
	FINE "proc/sys/net/bridge/bridge-nf-call-iptables=1 " \
	     "proc/sys/net/bridge/bridge-nf-call-ip6tables=1 "
#define UNTRACKED "proc/sys/net/ipv4/vs/conntrack=0 "
#define IPVS                                                                             \
	"proc/net/"                                                                      \
	"ip_vs=IP_Virtual_Server_version_1.2.1_(size=4096)|Prot_LocalAddress:Port|__->_" \
	"RemoteAddress|"

struct host_row {
	const char *name;
	const char *files; /* PATH=TEXT, with _ for a blank, ~ for _ and | for the end of a line */
	const char *bridges; /* space between */
	const char *found;   /* "level id" with a space behind each */
	bool no_v4, no_v6;
};

static const struct host_row hosts[] = {
	{"a host in order", FINE, "", "", false, false},
	{"the oldest kernel", FINE "proc/sys/kernel/osrelease=5.10.0-32-amd64| ", "", "", false,
	 false},
	{"a kernel too old", FINE "proc/sys/kernel/osrelease=5.9.16| ", "", "warning kernel-old ",
	 false, false},
	{"a kernel of long ago", FINE "proc/sys/kernel/osrelease=4.19.0-27-amd64| ", "",
	 "warning kernel-old ", false, false},
	{"a kernel of tomorrow", FINE "proc/sys/kernel/osrelease=10.0.0-rc1| ", "", "", false,
	 false},
	{"a kernel without a number", FINE "proc/sys/kernel/osrelease=mine| ", "", "", false,
	 false},
	{"a bridge in order", BRIDGED, "cni0", "", false, false},
	{"a bridge without br_netfilter", FINE, "cni0", "error br-netfilter-missing ", false,
	 false},
	{"two bridges without br_netfilter", FINE, "cni0 cni1",
	 "error br-netfilter-missing error br-netfilter-missing ", false, false},
	{"br_netfilter that does not look at IPv4",
	 BRIDGED "proc/sys/net/bridge/bridge-nf-call-iptables=0", "cni0", "error br-netfilter-off ",
	 false, false},
	{"br_netfilter that does not look at IPv4, and no IPv4",
	 BRIDGED "proc/sys/net/bridge/bridge-nf-call-iptables=0", "cni0", "", true, false},
	{"br_netfilter that does not look at IPv6",
	 BRIDGED "proc/sys/net/bridge/bridge-nf-call-ip6tables=0", "cni0",
	 "error br-netfilter-off ", false, false},
	{"br_netfilter that does not look at IPv6, and no IPv6",
	 BRIDGED "proc/sys/net/bridge/bridge-nf-call-ip6tables=0", "cni0", "", false, true},
	{"a bridge that is handed over by itself",
	 BRIDGED "proc/sys/net/bridge/bridge-nf-call-iptables=0 "
		 "sys/class/net/cni0/bridge/nf_call_iptables=1",
	 "cni0", "", false, false},
	{"another bridge that is handed over by itself",
	 BRIDGED "proc/sys/net/bridge/bridge-nf-call-iptables=0 "
		 "sys/class/net/cni1/bridge/nf_call_iptables=1 "
		 "sys/class/net/cni0/bridge/nf_call_iptables=0",
	 "cni0", "error br-netfilter-off ", false, false},
	{"no forwarding",
	 FINE "proc/sys/net/ipv4/ip_forward=0 proc/sys/net/ipv6/conf/all/forwarding=0", "",
	 "warning forwarding-off warning forwarding-off ", false, false},
	{"no forwarding of what nobody has", FINE "proc/sys/net/ipv4/ip_forward=0", "", "", true,
	 false},
	{"no connection tracking",
	 "proc/sys/net/ipv4/ip_forward=1 proc/sys/net/ipv6/conf/all/forwarding=1", "",
	 "warning conntrack-missing ", false, false},
	{"IPVS without services", FINE UNTRACKED IPVS, "", "", false, false},
	{"IPVS with a service", FINE UNTRACKED IPVS "TCP__0A600001:01BB_rr|", "",
	 "warning ipvs-conntrack-off ", false, false},
	{"IPVS with services",
	 FINE UNTRACKED IPVS "UDP__0A60000A:0035_rr|__->_0A000001:0035|TCP__0A600001:01BB_rr|", "",
	 "warning ipvs-conntrack-off ", false, false},
	{"IPVS as kube-proxy has it",
	 FINE "proc/sys/net/ipv4/vs/conntrack=1 " IPVS "TCP__0A600001:01BB_rr|", "", "", false,
	 false},
	{"rules of iptables-legacy", FINE "proc/net/ip_tables_names=nat|filter|", "",
	 "warning iptables-legacy ", false, false},
	{"the raw table of iptables-legacy", FINE "proc/net/ip_tables_names=raw|mangle|", "",
	 "warning iptables-legacy ", false, false},
	{"a table of iptables-legacy that does not drop", FINE "proc/net/ip_tables_names=nat|", "",
	 "", false, false},
	{"one that can, though that is not what it is for",
	 FINE "proc/net/ip_tables_names=nat|mangle|", "", "warning iptables-legacy ", false, false},
	{"rules of arptables-legacy", FINE "proc/net/arp_tables_names=filter|", "",
	 "warning iptables-legacy ", false, false},
	{"rules of ebtables-legacy",
	 BRIDGED "proc/modules=nf~tables_1_0|ebtable~broute_16384_0_-_Live_0x0|ebtables_1_1|",
	 "cni0", "warning iptables-legacy ", false, false},
	{"rules of ebtables-legacy that only translate", BRIDGED "proc/modules=ebtable~nat_1_0|",
	 "cni0", "", false, false},
	{"ebtables without a table", BRIDGED "proc/modules=ebtables_45056_0|", "cni0", "", false,
	 false},
	{"rules of ebtables-legacy, and no pods on bridges",
	 FINE "proc/modules=ebtable~filter_16384_0|", "", "", false, false},
	{"all of them",
	 BRIDGED "proc/net/ip_tables_names=filter| proc/net/ip6_tables_names=raw| "
		 "proc/net/arp_tables_names=filter| proc/modules=ebtable~filter_1_0|",
	 "cni0",
	 "warning iptables-legacy warning iptables-legacy warning iptables-legacy warning "
	 "iptables-legacy ",
	 false, false},
	{"rules of ip6tables-legacy", FINE "proc/net/ip6_tables_names=filter|", "",
	 "warning iptables-legacy ", false, false},
	{"errors come first",
	 "proc/net/ip_tables_names=filter| " UNTRACKED IPVS "FWM__00000001_rr|", "cni0",
	 "error br-netfilter-missing warning conntrack-missing warning iptables-legacy warning "
	 "ipvs-conntrack-off ",
	 false, false},
};

static void make_host(const char *files)
{
	while (*files != '\0') {
		size_t len = strcspn(files, " ");
		char file[512], *text;

		(void)snprintf(file, sizeof(file), "%.*s", (int)len, files);
		text = strchr(file, '=');
		if (text) {
			*text++ = '\0';
			for (char *p = text; *p; p++)
				*p = *p == '_' ? ' ' : *p == '~' ? '_' : *p == '|' ? '\n' : *p;
			write_file(file, text, strlen(text));
		}
		files += len + (files[len] != '\0');
	}
}

/* Is it about files? */
static bool is_ours(const char *id)
{
	return strncmp(id, "br-", 3) == 0 || strcmp(id, "forwarding-off") == 0 ||
	       strcmp(id, "conntrack-missing") == 0 || strcmp(id, "kernel-old") == 0 ||
	       strcmp(id, "ipvs-conntrack-off") == 0 || strcmp(id, "iptables-legacy") == 0;
}

static void check(const struct host_row *row)
{
	char names[64], found[512] = "", *rest = names;
	const char *bridges[4];
	struct preflight_host host = {.proc = "proc",
				      .sys = "sys",
				      .bridges = bridges,
				      .table = "netpold",
				      .cni_results = "cni",
				      .v4 = !row->no_v4,
				      .v6 = !row->no_v6};
	struct preflight preflight;

	(void)snprintf(names, sizeof(names), "%s", row->bridges);
	for (const char *name; *names && (name = strsep(&rest, " "));)
		bridges[host.n_bridges++] = name;
	make_host(row->files);
	assert_int_equal(preflight_run(&host, &preflight), 0);
	for (size_t i = 0; i < preflight.findings.n; i++) {
		const struct preflight_finding *finding = &preflight.findings.v[i];

		assert_true(finding->what[0] != '\0' && finding->todo[0] != '\0');
		if (is_ours(finding->id))
			strcat(strcat(strcat(strcat(found, preflight_level_name(finding->level)),
					     " "),
				      finding->id),
			       " ");
	}
	assert_string_equal(found, row->found);
	preflight_done(&preflight);
}

static void pods_without_results_are_told_of(void **state)
{
	static const struct {
		const char *dir;
		size_t pods, with_result, findings;
	} cases[] = {{"nowhere", 0, 0, 0}, {"nowhere", 2, 0, 1}, {".", 2, 0, 1}, {".", 2, 1, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct preflight_host host = {.proc = "proc",
					      .sys = "sys",
					      .table = "netpold",
					      .cni_results = cases[i].dir,
					      .pods = cases[i].pods,
					      .with_result = cases[i].with_result};
		struct preflight preflight;
		size_t found = 0;

		assert_int_equal(preflight_run(&host, &preflight), 0);
		for (size_t j = 0; j < preflight.findings.n; j++)
			found += strcmp(preflight.findings.v[j].id, "cni-results-missing") == 0;
		assert_int_equal(found, cases[i].findings);
		preflight_done(&preflight);
	}
}

/* Which tool, which tables, and what to do. */
static void legacy_tables_are_named(void **state)
{
	struct preflight_host host = {
		.proc = "proc", .sys = "sys", .table = "netpold", .cni_results = "cni", .v4 = true};
	struct preflight preflight;
	size_t found = 0;

	assert_int_equal(make_top(state), 0);
	make_host(FINE "proc/net/ip_tables_names=nat|filter|raw|security|");
	assert_int_equal(preflight_run(&host, &preflight), 0);
	for (size_t i = 0; i < preflight.findings.n; i++) {
		const struct preflight_finding *one = &preflight.findings.v[i];

		if (strcmp(one->id, "iptables-legacy") != 0)
			continue;
		found++;
		assert_string_equal(one->subject, "iptables");
		assert_string_equal(one->what,
				    "There are tables of iptables-legacy, whose rules netpold "
				    "cannot read: filter, raw, security. They may drop what policy "
				    "allows.");
		assert_non_null(strstr(one->todo, "\"iptables-legacy-save\""));
	}
	assert_int_equal(found, 1);
	preflight_done(&preflight);
	assert_int_equal(remove_top(state), 0);
}

static void is_found(void **state)
{
	assert_int_equal(make_top(NULL), 0);
	check(*state);
	assert_int_equal(remove_top(NULL), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods_without_results_are_told_of),
		cmocka_unit_test(legacy_tables_are_named),
	};
	int failed = RUN_ROWS("preflight", hosts, is_found);

	failed += cmocka_run_group_tests_name("results", tests, NULL, NULL);
	return failed;
}
