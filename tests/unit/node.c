/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node.h"

#include "unit.h"

#include <libmnl/libmnl.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include "base/base64.h"

void node_cni_text(char text[static CNI_TEXT_MAX], const char *ns, const char *name,
		   const char *uid, const char *container, const char *ifname, const char *result)
{
	int len = snprintf(text, CNI_TEXT_MAX,
			   "{\"kind\":\"cniCacheV1\",\"containerId\":\"%s\",\"config\":\"e30=\","
			   "\"ifName\":\"%s\","
			   "\"networkName\":\"net\",\"netns\":\"/var/run/netns/x\",\"cniArgs\":["
			   "[\"IgnoreUnknown\",\"1\"],%s%s%s[\"K8S_POD_NAMESPACE\",\"%s\"],"
			   "[\"K8S_POD_NAME\",\"%s\"],[\"K8S_POD_INFRA_CONTAINER_ID\",\"%s\"]],"
			   "\"capabilityArgs\":{},\"result\":%s}",
			   container, ifname, uid ? "[\"K8S_POD_UID\",\"" : "", uid ? uid : "",
			   uid ? "\"]," : "", ns, name, container, result);

	assert_in_range(len, 1, CNI_TEXT_MAX - 1);
}

__attribute__((format(printf, 2, 3))) static void add(char line[CNI_LINE_MAX], const char *fmt, ...)
{
	size_t len = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line + len, CNI_LINE_MAX - len, fmt, ap);
	va_end(ap);
}

const char *node_cni_line(const struct cni_result *result, char line[static CNI_LINE_MAX])
{
	const uint8_t *m = result->mac;
	char text[ADDR_TEXT_MAX];

	line[0] = '\0';
	add(line, "%s/%s %s %s %s %s, links", result->ns, result->name, result->uid,
	    result->container, result->ifname, result->network);
	for (size_t i = 0; i < result->n_links; i++)
		add(line, " %s", result->links[i]);
	add(line, ", addrs");
	for (size_t i = 0; i < result->n_addrs; i++)
		add(line, " %s", addr_format(&result->addrs[i], text));
	if (result->has_mac)
		add(line, ", mac %02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		    m[5]);
	return line;
}

struct cni_result *node_cni_result(const char *file, const char *text, long written_s)
{
	struct timespec written = {.tv_sec = written_s};
	struct cni_result *result = NULL;
	struct err err = {0};

	if (cni_parse(file, text, strlen(text), &written, &result, &err) < 0)
		fail_msg("%s: %s", file, err.text);
	return result;
}

struct words {
	char text[512];
	char *v[24];
	size_t n;
};

static void split(struct words *words, const char *line, size_t len)
{
	char *rest = words->text, *word;

	assert_true(len < sizeof(words->text));
	memcpy(words->text, line, len);
	words->text[len] = '\0';
	words->n = 0;
	while ((word = strsep(&rest, " \t"))) {
		if (*word != '\0') {
			assert_true(words->n < ARRAY_LEN(words->v));
			words->v[words->n++] = word;
		}
	}
}

static const char *word(const struct words *words, size_t i)
{
	return i < words->n ? words->v[i] : "";
}

static unsigned number(const struct words *words, size_t i)
{
	return (unsigned)strtoul(word(words, i), NULL, 0);
}

static bool has_word(const struct words *words, const char *wanted)
{
	for (size_t i = 1; i < words->n; i++) {
		if (strcmp(words->v[i], wanted) == 0)
			return true;
	}
	return false;
}

static struct addr addr_word(const char *text)
{
	struct addr addr;

	if (!addr_parse(text, &addr))
		fail_msg("no address: %s", text);
	return addr;
}

static uint8_t af_of(const struct addr *addr)
{
	return addr->family == FAMILY_V4 ? AF_INET : AF_INET6;
}

static void put_addr(struct nlmsghdr *message, uint16_t type, const struct addr *addr)
{
	mnl_attr_put(message, type, addr_bytes(addr->family), addr->b);
}

static void put_mac(struct nlmsghdr *message, uint16_t type, const char *text)
{
	unsigned b[MAC_BYTES];
	uint8_t mac[MAC_BYTES];

	assert_int_equal(
		sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]),
		MAC_BYTES);
	for (size_t i = 0; i < MAC_BYTES; i++)
		mac[i] = (uint8_t)b[i];
	mnl_attr_put(message, type, MAC_BYTES, mac);
}

static void make_link(struct nlmsghdr *message, const struct words *w)
{
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(message, sizeof(*ifi));
	struct nlattr *nest;

	ifi->ifi_index = (int)number(w, 1);
	if (message->nlmsg_type == RTM_DELLINK)
		return;
	ifi->ifi_flags = has_word(w, "down") ? 0 : IFF_UP;
	mnl_attr_put_strz(message, IFLA_IFNAME, word(w, 2));
	if (number(w, 4) > 0)
		mnl_attr_put_u32(message, IFLA_MASTER, number(w, 4));
	if (strcmp(word(w, 3), "-") == 0)
		return;
	nest = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, word(w, 3));
	mnl_attr_nest_end(message, nest);
}

static void make_addr(struct nlmsghdr *message, const struct words *w)
{
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(message, sizeof(*ifa));
	const char *slash = strchr(word(w, 2), '/');
	char text[ADDR_TEXT_MAX];
	struct addr addr;

	(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(word(w, 2), "/"), word(w, 2));
	addr = addr_word(text);
	ifa->ifa_prefixlen =
		slash ? (uint8_t)atoi(slash + 1) : (uint8_t)(addr_bytes(addr.family) * 8);
	ifa->ifa_family = af_of(&addr);
	ifa->ifa_index = number(w, 1);
	if (addr.family == FAMILY_V4 || strcmp(word(w, 3), "peer") == 0)
		put_addr(message, IFA_LOCAL, &addr);
	if (strcmp(word(w, 3), "peer") == 0)
		addr = addr_word(word(w, 4));
	put_addr(message, IFA_ADDRESS, &addr);
}

static void put_hop(struct nlmsghdr *message, unsigned index)
{
	struct rtnexthop *hop = mnl_nlmsg_get_payload_tail(message);

	memset(hop, 0, sizeof(*hop));
	hop->rtnh_len = sizeof(*hop);
	hop->rtnh_ifindex = (int)index;
	message->nlmsg_len += (uint32_t)sizeof(*hop);
}

static void put_route_words(struct nlmsghdr *message, struct rtmsg *rtm, const struct words *w)
{
	struct nlattr *nest = NULL;
	struct addr addr;

	for (size_t i = 2; i < w->n; i++) {
		const char *key = w->v[i];

		if (strcmp(key, "dev") == 0)
			mnl_attr_put_u32(message, RTA_OIF, number(w, ++i));
		else if (strcmp(key, "metric") == 0)
			mnl_attr_put_u32(message, RTA_PRIORITY, number(w, ++i));
		else if (strcmp(key, "table") == 0)
			mnl_attr_put_u32(message, RTA_TABLE, number(w, ++i));
		else if (strcmp(key, "tos") == 0)
			rtm->rtm_tos = (uint8_t)number(w, ++i);
		else if (strcmp(key, "src") == 0) {
			addr = addr_word(word(w, ++i));
			put_addr(message, RTA_PREFSRC, &addr);
		} else if (strcmp(key, "via") == 0) {
			addr = addr_word(rtm->rtm_family == AF_INET ? "10.9.9.9" : "fd99::9");
			put_addr(message, RTA_GATEWAY, &addr);
		} else if (strcmp(key, "nhid") == 0)
			mnl_attr_put_u32(message, RTA_NH_ID, 7);
		else if (strcmp(key, "blackhole") == 0)
			rtm->rtm_type = RTN_BLACKHOLE;
		else if (strcmp(key, "local") == 0)
			rtm->rtm_type = RTN_LOCAL;
		else if (strcmp(key, "replace") == 0)
			message->nlmsg_flags |= NLM_F_REPLACE;
		else if (strcmp(key, "cloned") == 0)
			rtm->rtm_flags |= RTM_F_CLONED;
		else if (strcmp(key, "hop") == 0) {
			if (!nest)
				nest = mnl_attr_nest_start(message, RTA_MULTIPATH);
			put_hop(message, number(w, ++i));
		} else
			fail_msg("no word of a route: %s", key);
	}
	if (nest)
		mnl_attr_nest_end(message, nest);
}

static void make_route(struct nlmsghdr *message, const struct words *w)
{
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(message, sizeof(*rtm));
	char dst[64];
	const char *slash;
	struct addr addr;

	(void)snprintf(dst, sizeof(dst), "%.*s", (int)strcspn(word(w, 1), "/"), word(w, 1));
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_type = RTN_UNICAST;
	if (strncmp(dst, "default", 7) == 0) {
		rtm->rtm_family = dst[7] == '6' ? AF_INET6 : AF_INET;
	} else {
		addr = addr_word(dst);
		slash = strchr(word(w, 1), '/');
		rtm->rtm_family = af_of(&addr);
		rtm->rtm_dst_len = slash ? (uint8_t)strtoul(slash + 1, NULL, 10)
					 : (uint8_t)(addr_bytes(addr.family) * 8);
		put_addr(message, RTA_DST, &addr);
	}
	put_route_words(message, rtm, w);
}

static void make_nexthop(struct nlmsghdr *message, const struct words *w)
{
	(void)mnl_nlmsg_put_extra_header(message, sizeof(struct nhmsg));
	if (has_word(w, "replace"))
		message->nlmsg_flags |= NLM_F_REPLACE;
}

static void make_neigh(struct nlmsghdr *message, const struct words *w)
{
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(message, sizeof(*ndm));
	struct addr addr = addr_word(word(w, 2));

	ndm->ndm_family = af_of(&addr);
	ndm->ndm_ifindex = (int)number(w, 1);
	ndm->ndm_state = has_word(w, "failed") ? NUD_FAILED : NUD_STALE;
	put_addr(message, NDA_DST, &addr);
	if (w->n > 3 && !has_word(w, "failed"))
		put_mac(message, NDA_LLADDR, word(w, 3));
}

static void make_fdb(struct nlmsghdr *message, const struct words *w)
{
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(message, sizeof(*ndm));

	ndm->ndm_family = AF_BRIDGE;
	ndm->ndm_ifindex = (int)number(w, 1);
	ndm->ndm_state = has_word(w, "permanent") ? NUD_PERMANENT : NUD_REACHABLE;
	ndm->ndm_flags = has_word(w, "self") ? NTF_SELF : 0;
	put_mac(message, NDA_LLADDR, word(w, 3));
	mnl_attr_put_u32(message, NDA_MASTER, number(w, 2));
	for (size_t i = 4; i + 1 < w->n; i++) {
		if (strcmp(w->v[i], "vlan") == 0)
			mnl_attr_put_u16(message, NDA_VLAN, (uint16_t)number(w, i + 1));
	}
}

static const struct {
	const char *word;
	uint16_t new, del;
	void (*make)(struct nlmsghdr *message, const struct words *w);
} messages[] = {
	{"link", RTM_NEWLINK, RTM_DELLINK, make_link},
	{"addr", RTM_NEWADDR, RTM_DELADDR, make_addr},
	{"route", RTM_NEWROUTE, RTM_DELROUTE, make_route},
	{"nexthop", RTM_NEWNEXTHOP, RTM_DELNEXTHOP, make_nexthop},
	{"neigh", RTM_NEWNEIGH, RTM_DELNEIGH, make_neigh},
	{"fdb", RTM_NEWNEIGH, RTM_DELNEIGH, make_fdb},
};

static int tell(struct node_host *host, const struct words *w)
{
	_Alignas(struct nlmsghdr) char buffer[2048] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	bool ends = strncmp(word(w, 0), "un", 2) == 0;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		if (strcmp(word(w, 0) + (ends ? 2 : 0), messages[i].word) != 0)
			continue;
		message->nlmsg_type = ends ? messages[i].del : messages[i].new;
		messages[i].make(message, w);
		rc = links_kind.apply(host->links, message, &host->changed);
		return rc < 0 ? rc : neigh_kind.apply(host->neigh, message, &host->changed);
	}
	fail_msg("cannot do: %s", word(w, 0));
	return 0;
}

/* {"name":"a"},{"name":"b"} of "a,b"; - is nothing. */
static void add_list(char line[CNI_LINE_MAX], const char *list, bool names)
{
	for (const char *p = list; *p != '\0' && strcmp(list, "-") != 0;) {
		char one[64];
		size_t len = strcspn(p, ",");

		(void)snprintf(one, sizeof(one), "%.*s", (int)len, p);
		add(line, "{\"%s\":\"%s%s\"},", names ? "name" : "address", one,
		    names ? "" : "/24");
		p += len + (p[len] == ',');
	}
}

static void drop_result(struct node_host *host, const char *file)
{
	for (size_t i = 0; i < host->results.n; i++) {
		if (strcmp(host->results.v[i]->file, file) != 0)
			continue;
		cni_result_put(host->results.v[i]);
		vec_remove_swap(&host->results, i);
		return;
	}
}

/* Puts a configuration of one plugin in place of the empty one. */
static void set_type(char text[CNI_TEXT_MAX], const char *type)
{
	char config[128], base64[200] = "", *at = strstr(text, "e30="), rest[CNI_TEXT_MAX];
	size_t len = (size_t)snprintf(config, sizeof(config), "{\"type\":\"%s\"}  ", type);

	for (size_t i = 0; i + 2 < len; i += 3) {
		unsigned bits = (unsigned)config[i] << 16 | (unsigned)config[i + 1] << 8 |
				(unsigned)config[i + 2];

		for (unsigned shift = 24; shift > 0; shift -= 6)
			base64[strlen(base64)] = base64_digit(bits >> (shift - 6));
	}
	assert_non_null(at);
	(void)snprintf(rest, sizeof(rest), "%s", at + 4);
	(void)snprintf(at, CNI_TEXT_MAX - (size_t)(at - text), "%s%s", base64, rest);
}

static int add_result(struct node_host *host, const struct words *w)
{
	char result[CNI_LINE_MAX] = "{\"interfaces\":[", text[CNI_TEXT_MAX], ns[64];
	const char *name = strchr(word(w, 3), '/') + 1, *mac = word(w, 9);
	struct timespec written = {.tv_sec = (time_t)number(w, 2)};
	struct cni_result *parsed;
	struct err err;
	int rc;

	(void)snprintf(ns, sizeof(ns), "%.*s", (int)(name - 1 - word(w, 3)), word(w, 3));
	add_list(result, word(w, 7), true);
	add(result, "{\"name\":\"%s\",\"mac\":\"%s\",\"sandbox\":\"/x\"}],\"ips\":[", word(w, 6),
	    mac);
	add_list(result, word(w, 8), false);
	if (result[strlen(result) - 1] == ',')
		result[strlen(result) - 1] = '\0';
	add(result, "]}");
	node_cni_text(text, ns, name, strcmp(word(w, 4), "-") == 0 ? NULL : word(w, 4), word(w, 5),
		      word(w, 6), result);
	if (w->n > 10)
		set_type(text, word(w, 10));
	drop_result(host, word(w, 1));
	rc = cni_parse(word(w, 1), text, strlen(text), &written, &parsed, &err);
	if (rc == 0 && vec_push(&host->results, parsed) < 0) {
		cni_result_put(parsed);
		rc = -ENOMEM;
	}
	return rc;
}

static void sweep(struct node_host *host)
{
	for (size_t i = 0; i < host->n_rereads; i++)
		links_kind.sweep(host->links, &host->rereads[i], &host->changed);
	host->n_rereads = 0;
}

int node_host_do(struct node_host *host, const char *lines)
{
	struct words w;
	int rc = 0;

	host->changed = false;
	while (*lines != '\0' && rc == 0) {
		size_t len = strcspn(lines, "\n;");

		split(&w, lines, len);
		if (strcmp(word(&w, 0), "cni") == 0)
			rc = add_result(host, &w);
		else if (strcmp(word(&w, 0), "uncni") == 0)
			drop_result(host, word(&w, 1));
		else if (strcmp(word(&w, 0), "reread") == 0)
			host->n_rereads = links_kind.reread(host->links, host->rereads);
		else if (strcmp(word(&w, 0), "done") == 0)
			sweep(host);
		else if (w.n > 0)
			rc = tell(host, &w);
		lines += len + (lines[len] != '\0');
	}
	return rc;
}

int node_host_init(struct node_host *host)
{
	*host = (struct node_host){.links = links_kind.new(), .neigh = neigh_kind.new()};
	return host->links && host->neigh ? 0 : -ENOMEM;
}

void node_host_done(struct node_host *host)
{
	for (size_t i = 0; i < host->results.n; i++)
		cni_result_put(host->results.v[i]);
	vec_free(&host->results);
	links_kind.free(host->links);
	neigh_kind.free(host->neigh);
}
