/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "answer/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/json_text.h"
#include "base/memstream.h"
#include "report.h"

#define NOTE_MAX 512

/* A node that is not the pod's own: on an overlay it does not send from its own address. */
static bool concerns_tunnel(const struct flow_result *result)
{
	for (size_t i = 0; i < result->pairs.n; i++) {
		const struct flow_pair *pair = &result->pairs.v[i];

		if (pair->from.kind == END_NODE && pair->to.kind == END_POD &&
		    pair->reason == PAIR_POLICY)
			return true;
	}
	return false;
}

static bool is_tunnel_port(const struct explain_host *host, uint16_t port)
{
	static const uint16_t standard[] = {4789, 6081, 8472}; /* VXLAN, Geneve, Linux's VXLAN */
	const uint16_t *ports = host && host->tunnel_ports ? host->tunnel_ports : standard;
	size_t n = ports == standard ? ARRAY_LEN(standard) : host->n_tunnel_ports;

	for (size_t i = 0; i < n; i++) {
		if (ports[i] == port)
			return true;
	}
	return false;
}

/* Would the packets be dropped as encapsulated ones, whatever policies say? */
static bool is_encapsulated(const struct explain_host *host, const struct flow *flow,
			    const struct flow_result *result)
{
	if (flow->proto != FLOW_UDP || !flow->has_port || flow->port_name[0] ||
	    !is_tunnel_port(host, flow->port))
		return false;
	for (size_t i = 0; i < result->pairs.n; i++) {
		const struct flow_pair *pair = &result->pairs.v[i];

		if (pair->from.kind == END_POD &&
		    (!host || !host->pod_tunnels || pair->to.kind == END_NODE))
			return true;
	}
	return false;
}

/* "": nothing has to be said. */
static void write_note(const struct explain_host *host, const struct flow *flow,
		       const struct flow_result *result, char note[static NOTE_MAX])
{
	char addr[ADDR_TEXT_MAX];

	note[0] = '\0';
	if (is_encapsulated(host, flow, result))
		(void)snprintf(note, NOTE_MAX,
			       "udp/%u is a port of tunnels: what a pod sends there is dropped as "
			       "encapsulated, whatever policies say",
			       flow->port);
	else if (host && host->tunnel && concerns_tunnel(result))
		(void)snprintf(
			note, NOTE_MAX,
			"what a node itself sends to pods of other nodes carries the address "
			"of its tunnel device, not the node's; here that is %s of %s: ask for "
			"that of the other node",
			addr_format(&host->tunnel_addr, addr), host->tunnel);
}

static int write_text(struct graph *graph, const struct flow *flow,
		      const struct flow_result *result, const char *note, bool colour, char **ret)
{
	struct memstream stream;
	int rc = memstream_open(&stream), end;

	if (rc < 0)
		return rc;
	rc = report_text(graph, colour, flow, result, stream.out);
	if (rc == 0 && note[0])
		print_line(stream.out, "  note: %s", note);
	end = memstream_close(&stream, ret, NULL);
	return rc < 0 ? rc : end;
}

static int write_json(struct graph *graph, const struct flow *flow,
		      const struct flow_result *result, const char *note, size_t rules_max,
		      json_t **ret)
{
	int rc = report_json(graph, flow, result, rules_max, ret);

	if (rc == 0 && note[0] && json_object_set_new(*ret, "note", json_text(note)) < 0)
		rc = -ENOMEM;
	return rc;
}

int explain_flow(struct graph *graph, const struct flow *flow, const struct explain_host *host,
		 enum explain_form form, size_t rules_max, struct explanation *ret)
{
	struct explanation made = {0};
	struct flow_result result;
	char note[NOTE_MAX];
	int rc = eval_flow(graph, flow, &result);

	write_note(host, flow, &result, note);
	if (rc == 0 && form == EXPLAIN_JSON)
		rc = write_json(graph, flow, &result, note, rules_max, &made.json);
	else if (rc == 0)
		rc = write_text(graph, flow, &result, note, form == EXPLAIN_COLOURED, &made.text);
	made.verdict = result.verdict;
	if (rc == 0 && result.verdict == VERDICT_NONE) {
		made.reason = strdup(result.reason);
		rc = made.reason ? 0 : -ENOMEM;
	}
	flow_result_done(&result);
	if (rc == 0)
		*ret = made;
	else
		explanation_done(&made);
	return rc;
}

void explanation_done(struct explanation *explanation)
{
	free(explanation->reason);
	free(explanation->text);
	json_decref(explanation->json);
}
