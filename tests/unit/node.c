/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node.h"

#include "unit.h"

char *node_cni_text(const char *ns, const char *name, const char *uid, const char *container,
		    const char *ifname, const char *result)
{
	static const char format[] =
		"{\"kind\":\"cniCacheV1\",\"containerId\":\"%s\",\"config\":\"e30=\",\"ifName\":\"%"
		"s\","
		"\"networkName\":\"net\",\"netns\":\"/var/run/netns/x\",\"cniArgs\":["
		"[\"IgnoreUnknown\",\"1\"],%s%s%s[\"K8S_POD_NAMESPACE\",\"%s\"],"
		"[\"K8S_POD_NAME\",\"%s\"],[\"K8S_POD_INFRA_CONTAINER_ID\",\"%s\"]],"
		"\"capabilityArgs\":{},\"result\":%s}";
	size_t bytes = sizeof(format) + strlen(result) + 1024;
	char *text = malloc(bytes);

	assert_non_null(text);
	(void)snprintf(text, bytes, format, container, ifname, uid ? "[\"K8S_POD_UID\",\"" : "",
		       uid ? uid : "", uid ? "\"]," : "", ns, name, container, result);
	return text;
}

__attribute__((format(printf, 2, 3))) static void add(char line[CNI_LINE_MAX], const char *fmt, ...)
{
	size_t len = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line + len, CNI_LINE_MAX - len, fmt, ap);
	va_end(ap);
}

const char *node_cni_line(const struct cni_result *result, char line[CNI_LINE_MAX])
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
