/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows as text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "policy/eval.h"

static const char *const protos[] = {"tcp", "udp", "sctp", "icmp", "any"};

static int parse_port(const char *text, struct flow *flow, struct err *err)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] >= '0' && text[0] <= '9' && *end == '\0') {
		if (value > 65535)
			return err_set(err, -EINVAL, "port %s: expected 0 to 65535", text);
		flow->port = (uint16_t)value;
		return 0;
	}
	if (text[0] == '\0' || strlen(text) >= sizeof(flow->port_name) ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(text))
		return err_set(err, -EINVAL, "port %s: expected a number or a port's name", text);
	memcpy(flow->port_name, text, strlen(text) + 1);
	return 0;
}

int flow_parse_proto(const char *text, struct flow *flow, struct err *err)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	for (unsigned i = 0; i < ARRAY_LEN(protos); i++) {
		if (strlen(protos[i]) != len || strncmp(protos[i], text, len) != 0)
			continue;
		flow->proto = (enum flow_proto)i;
		flow->has_port = slash != NULL;
		flow->port = 0;
		flow->port_name[0] = '\0';
		if (!slash)
			return 0;
		if (flow->proto == FLOW_ICMP || flow->proto == FLOW_ANY)
			return err_set(err, -EINVAL, "%s: expected no port", text);
		return parse_port(slash + 1, flow, err);
	}
	return err_set(err, -EINVAL,
		       "protocol %s: expected tcp, udp or sctp (with /PORT or not), icmp or "
		       "any",
		       text);
}

const char *flow_proto_text(const struct flow *flow, char buf[static 32])
{
	if (!flow->has_port)
		(void)snprintf(buf, 32, "%s", protos[flow->proto]);
	else if (flow->port_name[0])
		(void)snprintf(buf, 32, "%s/%s", protos[flow->proto], flow->port_name);
	else
		(void)snprintf(buf, 32, "%s/%u", protos[flow->proto], flow->port);
	return buf;
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {"allow", "deny", "mixed", "none"};

	return names[verdict];
}
