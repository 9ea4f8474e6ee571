/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster.h"

#include <errno.h>
#include <jansson.h>
#include <netinet/icmp6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "interp.h"
#include "model/decode.h"
#include "source/yaml.h"

bool cluster_start(struct cluster *c, const char *node, bool listens)
{
	struct graph_listener listener;

	*c = (struct cluster){.strings = intern_new()};
	if (c->strings && listens)
		c->render = render_new();
	if (c->render)
		listener = render_listener(c->render);
	if (c->strings && (c->render || !listens))
		c->graph = graph_new(c->strings, node, c->render ? &listener : NULL);
	if (c->graph)
		return true;
	cluster_stop(c);
	return false;
}

void cluster_stop(struct cluster *c)
{
	graph_free(c->graph);
	render_free(c->render);
	intern_free(c->strings);
	*c = (struct cluster){0};
}

struct cluster_document {
	json_t *root;
	UT_hash_handle hh; /* by text */
	char text[];
};

void cluster_documents_done(struct cluster_documents *documents)
{
	struct cluster_document *document, *next;

	HASH_ITER (hh, documents->by_text, document, next) {
		HASH_DEL(documents->by_text, document);
		json_decref(document->root);
		free(document);
	}
}

struct putter {
	struct cluster *c;
	struct faults *faults;
	const char *yaml;
	size_t len;
};

/* Without memory it is read again next time. */
static void keep_document(const struct putter *p, const json_t *root)
{
	struct cluster_documents *documents = p->c->documents;
	struct cluster_document *document = malloc(sizeof(*document) + p->len);

	if (!document)
		return;
	if (HASH_COUNT(documents->by_text) >= CLUSTER_DOCUMENTS_MAX)
		cluster_documents_done(documents);
	document->root = json_incref((json_t *)root);
	memcpy(document->text, p->yaml, p->len);
	HASH_ADD_KEYPTR(hh, documents->by_text, document->text, p->len, document);
	if (table_added(document))
		return;
	json_decref(document->root);
	free(document);
}

static int put_document(void *ctx, const json_t *root, struct yaml_lines *lines)
{
	struct putter *p = ctx;
	struct decoder d = {.strings = p->c->strings,
			    .faults = p->faults,
			    .file = "test.yaml",
			    .trusted = true};
	struct decoded decoded;
	int rc = decode_object(&d, root, NULL, NULL, &decoded);

	for (size_t i = 0; rc == 0 && i < decoded.objects.n; i++) {
		struct object object = decoded.objects.v[i];

		decoded.objects.v[i] = (struct object){.kind = KIND_COUNT};
		if (object.kind == KIND_POD && p->c->prepare)
			p->c->prepare(object.pod);
		rc = graph_put(p->c->graph, object);
	}
	decoded_done(p->c->strings, &decoded);
	if (lines && p->c->documents)
		keep_document(p, root);
	return rc == -EINVAL ? 0 : rc; /* a fault says it */
}

int cluster_put_yaml(struct cluster *c, const char *yaml, size_t len, struct faults *faults,
		     struct err *err, unsigned *ret_line)
{
	struct putter p = {c, faults, yaml, len};
	struct cluster_document *document = NULL;

	if (c->documents)
		HASH_FIND(hh, c->documents->by_text, yaml, len, document);
	if (document)
		return put_document(&p, document->root, NULL);
	return yaml_parse(yaml, len, put_document, &p, err, ret_line);
}

/* Packets. */

struct check {
	struct cluster *c;
	const struct flow_pair *pair;
	const struct flow_stretch *stretch;
	char **detail;
};

static void set_interface(char to[16], const struct flow_end *end)
{
	const char *name = end->kind == END_POD ? "cni0" : "eth0";

	if (end->kind == END_POD && end->pod->is_endpoint && graph_pod_interface(end->pod))
		name = graph_pod_interface(end->pod);
	memset(to, 0, 16);
	memcpy(to, name, strlen(name));
}

/* The node that filters sees its own pods only. */
static bool enforced(const struct flow_end *end)
{
	return end->kind == END_POD && end->pod->is_endpoint;
}

/* What a pod sends to its own node is for the input hook of that. */
static enum nft_hook hook_of(const struct flow_pair *pair)
{
	const struct flow_end *from = &pair->from, *to = &pair->to;

	for (size_t i = 0; enforced(from) && to->kind == END_NODE && i < to->n_nodes; i++) {
		if (to->nodes[i] == from->pod->object->node)
			return NFT_HOOK_INPUT;
	}
	return NFT_HOOK_FORWARD;
}

static bool should_pass(const struct check *check)
{
	const enum answer *dir = check->stretch->dir;

	return (!enforced(&check->pair->from) || dir[DIR_EGRESS] == ANSWER_YES) &&
	       (!enforced(&check->pair->to) || dir[DIR_INGRESS] == ANSWER_YES);
}

static bool complain(const struct check *check, const char *what, uint16_t port)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	if (asprintf(check->detail, "%s: %s -> %s %s/%u, evaluator: %s", what,
		     addr_format(&check->pair->from.addr, from),
		     addr_format(&check->pair->to.addr, to), proto_name(check->stretch->proto),
		     port, should_pass(check) ? "allow" : "deny") < 0)
		*check->detail = NULL;
	return false;
}

static bool check_port(const struct check *check, uint16_t port)
{
	const struct ruleset *ruleset = render_ruleset(check->c->render);
	struct packet packet = {
		.family = (enum family)check->pair->from.addr.family,
		.from = check->pair->from.addr,
		.to = check->pair->to.addr,
		.proto = proto_number(check->stretch->proto),
		.port = port,
		.icmpv6_type = ICMP6_ECHO_REQUEST,
		.hoplimit = 63,
		.syn = check->stretch->proto == PROTO_TCP || check->stretch->proto == PROTO_SCTP,
	};
	enum nft_hook hook = hook_of(check->pair);

	if (check->stretch->proto == PROTO_OTHER) {
		packet.proto = packet.family == FAMILY_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		packet.port = 80; /* whatever stands there must not matter */
	}
	set_interface(packet.in, &check->pair->from);
	if (hook == NFT_HOOK_FORWARD)
		set_interface(packet.out, &check->pair->to);
	if (interp_hook(ruleset, hook, &packet) != should_pass(check))
		return complain(check, "the ruleset disagrees", port);
	packet.established = true;
	packet.syn = false;
	if (!interp_hook(ruleset, hook, &packet))
		return complain(check, "an established connection is dropped", port);
	if (!interp_source(ruleset, &packet))
		return complain(check, "anti-spoofing drops a pod's own address", port);
	return true;
}

/* Who uses a pod's address without being the pod cannot be told from it by a packet. */
static bool is_impostor(const struct cluster *c, const struct flow_end *end)
{
	return end->kind == END_NODE && graph_addr_owner(c->graph, &end->addr);
}

static bool check_stretch(const struct check *check)
{
	const struct flow_pair *pair = check->pair;
	uint16_t first = check->stretch->first, last = check->stretch->last;

	/* What stays on the node never sees the forward hook. */
	if (!pair->from.has_addr || !pair->to.has_addr || pair->reason == PAIR_NODE_LOCAL ||
	    is_impostor(check->c, &pair->from) || is_impostor(check->c, &pair->to))
		return true;
	return check_port(check, first) && check_port(check, last) &&
	       check_port(check, (uint16_t)(first + (last - first) / 2));
}

bool cluster_agrees(struct cluster *c, const struct flow *flow, char **ret_detail)
{
	struct flow_result result;
	bool agrees = true;

	*ret_detail = NULL;
	if (render_error(c->render) < 0 || eval_flow(c->graph, flow, &result) < 0)
		return true; /* no memory: nothing to compare */
	for (size_t i = 0; i < result.pairs.n && agrees; i++) {
		for (size_t j = 0; j < result.pairs.v[i].stretches.n && agrees; j++) {
			struct check check = {c, &result.pairs.v[i],
					      &result.pairs.v[i].stretches.v[j], ret_detail};

			agrees = check_stretch(&check);
		}
	}
	flow_result_done(&result);
	return agrees;
}
