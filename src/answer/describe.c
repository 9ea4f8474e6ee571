/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "describe.h"

#include "base/escape.h"

static void describe_requirement(FILE *out, const struct requirement *req)
{
	static const char *const words[] = {
		[LABEL_IN] = "in",
		[LABEL_NOT_IN] = "notin",
		[LABEL_EXISTS] = "",
		[LABEL_DOES_NOT_EXIST] = "",
	};

	if (req->op == LABEL_DOES_NOT_EXIST)
		fputc('!', out);
	print_word(out, req->key);
	if (req->op == LABEL_IN && req->n_values == 1) {
		fputc('=', out);
		print_word(out, req->values[0]);
		return;
	}
	if (req->n_values == 0)
		return;
	fprintf(out, " %s (", words[req->op]);
	for (size_t i = 0; i < req->n_values; i++) {
		fputs(i > 0 ? "," : "", out);
		print_word(out, req->values[i]);
	}
	fputc(')', out);
}

static void describe_selector(FILE *out, const char *what, const struct label_selector *selector)
{
	if (selector->n == 0) {
		fprintf(out, "all %s", what);
		return;
	}
	fputs(what, out);
	for (size_t i = 0; i < selector->n; i++) {
		fputs(i > 0 ? "," : " ", out);
		describe_requirement(out, &selector->v[i]);
	}
}

static void describe_block(FILE *out, const struct ip_block *block)
{
	char text[PREFIX_TEXT_MAX];

	fputs(prefix_format(&block->cidr, text), out);
	for (size_t i = 0; i < block->n_except; i++)
		fprintf(out, "%s%s", i > 0 ? ", " : " except ",
			prefix_format(&block->except[i], text));
}

void describe_peers(FILE *out, const struct policy_rule *rule)
{
	if (rule->n_peers == 0)
		fputs("anyone", out);
	for (size_t i = 0; i < rule->n_peers; i++) {
		const struct policy_peer *peer = &rule->peers[i];

		if (i > 0)
			fputs(", or ", out);
		if (peer->has_block) {
			describe_block(out, &peer->block);
			continue;
		}
		describe_selector(out, "pods", &peer->pod_selector);
		if (!peer->has_ns_selector) {
			fputs(" of this namespace", out);
			continue;
		}
		fputs(" of ", out);
		describe_selector(out, "namespaces", &peer->ns_selector);
	}
}

static void describe_named(FILE *out, const char *proto, const char *name)
{
	fprintf(out, "%s/", proto);
	print_word(out, name);
}

void describe_ports(FILE *out, const struct policy_rule *rule)
{
	if (rule->n_ports == 0)
		fputs("any protocol and port", out);
	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct policy_port *port = &rule->ports[i];
		const char *proto = proto_name((enum proto)port->proto);

		if (i > 0)
			fputs(", ", out);
		if (port->name)
			describe_named(out, proto, port->name);
		else if (port->first == 0)
			fputs(proto, out);
		else if (port->first == port->last)
			fprintf(out, "%s/%u", proto, port->first);
		else
			fprintf(out, "%s/%u-%u", proto, port->first, port->last);
	}
}

static void describe_nodes(FILE *out, const struct flow_end *end)
{
	if (end->n_nodes == 0)
		fputs("a node", out);
	for (size_t i = 0; i < end->n_nodes; i++) {
		fputs(i > 0 ? " or " : "node ", out);
		print_word(out, end->nodes[i]);
	}
}

static void describe_pod(FILE *out, const struct pod *pod)
{
	print_word(out, pod->ns);
	fputc('/', out);
	print_word(out, pod->name);
}

void describe_end(FILE *out, const struct flow_end *end)
{
	char text[ADDR_TEXT_MAX];
	const char *addr = end->has_addr ? addr_format(&end->addr, text) : "no address yet";

	switch (end->kind) {
	case END_POD:
		describe_pod(out, end->pod->object);
		break;
	case END_NODE:
		if (end->pod) {
			describe_pod(out, end->pod->object);
			fputs(" on the network of ", out);
		}
		describe_nodes(out, end);
		break;
	case END_EXTERNAL:
		fprintf(out, "%s (outside)", addr);
		return;
	}
	fprintf(out, " (%s)", addr);
}

void describe_stretch(FILE *out, const struct flow_stretch *stretch)
{
	if (stretch->proto == PROTO_OTHER)
		fputs("protocols other than tcp, udp and sctp", out);
	else if (stretch->first == 0 && stretch->last == UINT16_MAX)
		fprintf(out, "all %s", proto_name(stretch->proto));
	else if (stretch->first == stretch->last)
		fprintf(out, "%s/%u", proto_name(stretch->proto), stretch->first);
	else
		fprintf(out, "%s/%u-%u", proto_name(stretch->proto), stretch->first, stretch->last);
}
