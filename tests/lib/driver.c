/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers for the comparison with the oracle (tests/oracle): clusters and flows come in, one JSON
 * object a line, verdicts go out. On the way each cluster is held to more:
 * - with "update": the graph that single events have led to, and its ruleset, are byte for byte
 * those that the objects alone give, put in in reverse order;
 * - the ruleset, interpreted, passes exactly the packets that the evaluator allows;
 * - the rules one by one say what the classes say. */
#include <errno.h>
#include <netinet/icmp6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/intern.h"
#include "interp.h"
#include "model/decode.h"
#include "nft/print.h"
#include "policy/eval.h"
#include "render/render.h"

#define COMPLAINT_MAX 4000

struct cluster {
	struct intern *strings;
	struct render *render;
	struct graph *graph;
	char *node;
	bool local_node_allow;
};

/* What the last request put in, to find what the next one removes. */
struct known {
	char *key;
	enum kind kind;
	char ns[256], name[512];
	bool kept;
	UT_hash_handle hh;
};

struct driver {
	struct cluster cluster;
	struct known *known;
	char complaint[COMPLAINT_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "driver: %s\n", what);
	exit(2);
}

static void complain(struct driver *driver, const char *what, const char *detail)
{
	if (!driver->complaint[0])
		(void)snprintf(driver->complaint, sizeof(driver->complaint), "%s: %.3800s", what,
			       detail);
}

static void cluster_init(struct cluster *c, const char *node)
{
	struct graph_listener listener;

	c->strings = intern_new();
	c->render = render_new();
	if (!c->strings || !c->render)
		die("no memory");
	listener = render_listener(c->render);
	c->node = node ? strdup(node) : NULL;
	c->graph = graph_new(c->strings, node, &listener);
	if (!c->graph)
		die("no memory");
}

static void cluster_configure(struct cluster *c, bool local_node_allow)
{
	struct render_options options = {.local_node_allow = local_node_allow};

	c->local_node_allow = local_node_allow;
	graph_allow_local_node(c->graph, local_node_allow);
	if (render_configure(c->render, &options) < 0)
		die("no memory");
}

static void cluster_done(struct cluster *c)
{
	graph_free(c->graph);
	render_free(c->render);
	intern_free(c->strings);
	free(c->node);
	*c = (struct cluster){0};
}

/* Decodes as files are decoded; a fault is a complaint: the generator makes valid objects only. */
static void decode(struct driver *driver, struct cluster *c, const json_t *json,
		   struct decoded *ret)
{
	struct faults faults = {0};
	struct decoder d = {
		.strings = c->strings, .faults = &faults, .file = "case.json", .trusted = true};

	if (decode_object(&d, json, NULL, NULL, ret) < 0)
		complain(driver, "refused", faults.n > 0 ? faults.v[0].text : "?");
	faults_done(&faults);
}

static void split_name(const struct object *object, char ns[256], char name[512])
{
	char text[OBJECT_NAME_MAX];
	const char *slash;

	(void)object_name(object, text);
	slash = object->kind == KIND_POD || object->kind == KIND_NETWORK_POLICY ? strchr(text, '/')
										: NULL;
	(void)snprintf(ns, 256, "%.*s", slash ? (int)(slash - text) : 0, text);
	(void)snprintf(name, 512, "%s", slash ? slash + 1 : text);
}

static void remember(struct driver *driver, const struct object *object)
{
	char ns[256], name[512], key[900];
	struct known *known;

	split_name(object, ns, name);
	(void)snprintf(key, sizeof(key), "%d %s %s", (int)object->kind, ns, name);
	HASH_FIND_STR(driver->known, key, known);
	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			die("no memory");
		known->key = strdup(key);
		known->kind = object->kind;
		memcpy(known->ns, ns, sizeof(ns));
		memcpy(known->name, name, sizeof(name));
		HASH_ADD_KEYPTR(hh, driver->known, known->key, strlen(known->key), known);
	}
	known->kept = true;
}

static void forget_removed(struct driver *driver, bool all)
{
	struct known *known, *tmp;

	HASH_ITER (hh, driver->known, known, tmp) {
		if (known->kept && !all) {
			known->kept = false;
			continue;
		}
		if (!all && graph_remove(driver->cluster.graph, known->kind,
					 known->ns[0] ? known->ns : NULL, known->name) < 0)
			die("cannot remove");
		HASH_DEL(driver->known, known);
		free(known->key);
		free(known);
	}
}

static void put_all(struct driver *driver, struct cluster *c, const json_t *objects, bool reverse,
		    bool tell)
{
	size_t n = json_array_size(objects);

	for (size_t i = 0; i < n; i++) {
		struct decoded decoded;

		decode(driver, c, json_array_get(objects, reverse ? n - 1 - i : i), &decoded);
		for (size_t j = 0; j < decoded.objects.n; j++) {
			if (tell)
				remember(driver, &decoded.objects.v[j]);
			if (graph_put(c->graph, decoded.objects.v[j]) < 0)
				die("cannot put");
		}
		vec_free(&decoded.objects);
	}
	if (!driver->complaint[0] && graph_sync(c->graph) < 0)
		die("cannot sync");
	if (render_error(c->render) < 0)
		die("cannot settle");
}

static char *text_of(const struct cluster *c)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out || graph_dump(c->graph, out) < 0 ||
	    ruleset_print(render_ruleset(c->render), out) < 0 || fclose(out) != 0)
		die("cannot print");
	return text;
}

/* Where two texts part, with some of what comes before. */
static void compare_text(struct driver *driver, const char *updated, const char *scratch)
{
	size_t at = 0, from;
	char detail[COMPLAINT_MAX];

	while (updated[at] && updated[at] == scratch[at])
		at++;
	if (updated[at] == scratch[at])
		return;
	from = at > 200 ? at - 200 : 0;
	(void)snprintf(detail, sizeof(detail), "...%.600s\n--- from scratch:\n...%.600s",
		       updated + from, scratch + from);
	complain(driver, "the updated graph or ruleset is another", detail);
}

static void compare_scratch(struct driver *driver, const json_t *objects)
{
	struct cluster scratch;
	char *a, *b;

	cluster_init(&scratch, driver->cluster.node);
	cluster_configure(&scratch, driver->cluster.local_node_allow);
	put_all(driver, &scratch, objects, true, false);
	a = text_of(&driver->cluster);
	b = text_of(&scratch);
	compare_text(driver, a, b);
	free(a);
	free(b);
	cluster_done(&scratch);
}

/* Packets. */

static void set_interface(char to[16], const struct flow_end *end)
{
	const char *name = end->kind == END_POD ? "cni0" : "eth0";

	if (end->kind == END_POD && end->pod->is_endpoint && graph_pod_interface(end->pod))
		name = graph_pod_interface(end->pod);
	memset(to, 0, 16);
	memcpy(to, name, strlen(name));
}

/* The node that does the filtering sees its own pods only. */
static bool enforced(const struct flow_end *end)
{
	return end->kind == END_POD && end->pod->is_endpoint;
}

/* What a pod sends to its own node is for the input hook of that. */
static bool stays_on_node(const struct flow_pair *pair)
{
	const struct flow_end *from = &pair->from, *to = &pair->to;

	if (!enforced(from) || to->kind != END_NODE || !from->pod->object->node)
		return false;
	for (size_t i = 0; i < to->n_nodes; i++) {
		if (to->nodes[i] == from->pod->object->node)
			return true;
	}
	return false;
}

static bool expected_to_pass(const struct flow_pair *pair, const struct flow_stretch *stretch)
{
	bool egress = !enforced(&pair->from) || stretch->dir[DIR_EGRESS] == ANSWER_YES;
	bool ingress = !enforced(&pair->to) || stretch->dir[DIR_INGRESS] == ANSWER_YES;

	return egress && ingress;
}

static void check_packet(struct driver *driver, const struct flow_pair *pair,
			 const struct flow_stretch *stretch, uint16_t port)
{
	const struct ruleset *ruleset = render_ruleset(driver->cluster.render);
	struct packet packet = {
		.family = (enum family)pair->from.addr.family,
		.from = pair->from.addr,
		.to = pair->to.addr,
		.proto = proto_number(stretch->proto),
		.port = port,
		.icmpv6_type = ICMP6_ECHO_REQUEST,
		.hoplimit = 63,
		.syn = stretch->proto == PROTO_TCP,
	};
	enum nft_hook hook = stays_on_node(pair) ? NFT_HOOK_INPUT : NFT_HOOK_FORWARD;
	bool passes, expected = expected_to_pass(pair, stretch);

	if (stretch->proto == PROTO_OTHER) {
		packet.proto = packet.family == FAMILY_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		packet.port = 80; /* whatever stands there must not matter */
	}
	set_interface(packet.in, &pair->from);
	if (hook == NFT_HOOK_FORWARD)
		set_interface(packet.out, &pair->to);
	passes = interp_hook(ruleset, hook, &packet);
	if (passes != expected) {
		char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX], detail[512];

		(void)snprintf(detail, sizeof(detail),
			       "%s -> %s proto %u port %u: evaluator %s, ruleset %s",
			       addr_format(&packet.from, a), addr_format(&packet.to, b),
			       packet.proto, packet.port, expected ? "allows" : "denies",
			       passes ? "passes" : "drops");
		complain(driver, "ruleset and evaluator disagree", detail);
	}
	packet.established = true;
	if (interp_hook(ruleset, hook, &packet) != (expected || !packet.syn))
		complain(driver, "a SYN of an established connection is another's", packet.in);
	packet.syn = false;
	if (!interp_hook(ruleset, hook, &packet))
		complain(driver, "an established connection is dropped", packet.in);
	if (!interp_source(ruleset, &packet))
		complain(driver, "anti-spoofing drops a pod's own address", packet.in);
}

static bool is_impostor(const struct driver *driver, const struct flow_end *end)
{
	return end->kind == END_NODE && graph_addr_owner(driver->cluster.graph, &end->addr);
}

static void check_packets(struct driver *driver, const struct flow_pair *pair,
			  const struct flow_stretch *stretch)
{
	/* What a node sends sees neither hook; and whoever claims the address of a pod without
	 * being it cannot be told from it by a packet. */
	if (!pair->from.has_addr || !pair->to.has_addr ||
	    (pair->reason == PAIR_NODE_LOCAL && !stays_on_node(pair)) ||
	    is_impostor(driver, &pair->from) || is_impostor(driver, &pair->to))
		return;
	check_packet(driver, pair, stretch, stretch->first);
	if (stretch->last == stretch->first)
		return;
	check_packet(driver, pair, stretch, stretch->last);
	check_packet(driver, pair, stretch,
		     (uint16_t)(stretch->first + (stretch->last - stretch->first) / 2));
}

static void check_rules(struct driver *driver, const struct flow_pair *pair,
			const struct flow_stretch *stretch)
{
	for (int dir = 0; dir < DIR_COUNT; dir++) {
		struct direction_report report;
		enum answer best = ANSWER_NO;

		if (eval_rules(driver->cluster.graph, pair, (enum direction)dir, stretch->proto,
			       stretch->first, &report) < 0)
			die("no memory");
		for (size_t i = 0; i < report.rules.n; i++) {
			if (report.rules.v[i].port && report.rules.v[i].peer > best)
				best = report.rules.v[i].peer;
		}
		/* Where the address is not known, rules together may have them all. */
		if (report.profile && !report.profile->over && best != stretch->dir[dir] &&
		    !(best == ANSWER_MAYBE && stretch->dir[dir] == ANSWER_YES) &&
		    !(pair->node_dns && dir == DIR_EGRESS && stretch->first == 53))
			complain(driver, "rules and classes disagree", report.profile->text);
		direction_report_done(&report);
	}
}

static json_t *answer_flow(struct driver *driver, const json_t *json)
{
	struct flow flow = {0};
	struct flow_result result;
	struct err err = {0};
	json_t *answer;

	(void)snprintf(flow.from, sizeof(flow.from), "%s",
		       json_string_value(json_array_get(json, 0)));
	(void)snprintf(flow.to, sizeof(flow.to), "%s", json_string_value(json_array_get(json, 1)));
	if (flow_parse_proto(json_string_value(json_array_get(json, 2)), &flow, &err) < 0)
		complain(driver, "protocol", err.text);
	if (eval_flow(driver->cluster.graph, &flow, &result) < 0)
		die("no memory");
	for (size_t i = 0; i < result.pairs.n; i++) {
		const struct flow_pair *pair = &result.pairs.v[i];

		for (size_t j = 0; j < pair->stretches.n; j++) {
			check_packets(driver, pair, &pair->stretches.v[j]);
			check_rules(driver, pair, &pair->stretches.v[j]);
		}
	}
	answer = json_pack("{s:s, s:s, s:s}", "verdict", verdict_name(result.verdict), "egress",
			   verdict_name(result.dir[DIR_EGRESS]), "ingress",
			   verdict_name(result.dir[DIR_INGRESS]));
	flow_result_done(&result);
	return answer;
}

static json_t *answer_request(struct driver *driver, const json_t *request)
{
	const json_t *objects = json_object_get(request, "objects");
	const char *node = json_string_value(json_object_get(request, "node"));
	bool update = json_is_true(json_object_get(request, "update")) && driver->cluster.graph;
	json_t *verdicts = json_array(), *flow;
	size_t i;

	if (!update) {
		forget_removed(driver, true);
		cluster_done(&driver->cluster);
		cluster_init(&driver->cluster, node);
	}
	cluster_configure(&driver->cluster,
			  json_is_true(json_object_get(request, "allow_local_node")));
	put_all(driver, &driver->cluster, objects, false, true);
	forget_removed(driver, false);
	if (render_error(driver->cluster.render) < 0)
		die("cannot settle");
	if (!driver->complaint[0])
		compare_scratch(driver, objects);
	json_array_foreach (json_object_get(request, "flows"), i, flow)
		json_array_append_new(verdicts, answer_flow(driver, flow));
	return verdicts;
}

static void answer_line(struct driver *driver, const char *line)
{
	json_error_t error;
	json_t *request = json_loads(line, 0, &error), *reply, *verdicts;

	if (!request)
		die(error.text);
	driver->complaint[0] = '\0';
	verdicts = answer_request(driver, request);
	reply = json_pack("{s:O}", "id", json_object_get(request, "id"));
	if (driver->complaint[0]) {
		json_object_set_new(reply, "error", json_string(driver->complaint));
		json_decref(verdicts);
	} else {
		json_object_set_new(reply, "verdicts", verdicts);
	}
	json_dumpf(reply, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(reply);
	json_decref(request);
}

int main(void)
{
	struct driver driver = {0};
	char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, stdin) >= 0)
		answer_line(&driver, line);
	free(line);
	forget_removed(&driver, true);
	cluster_done(&driver.cluster);
	return 0;
}
