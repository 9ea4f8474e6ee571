/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as a protocol and port, and as a file of flows that are then evaluated. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "answer/explain.h"
#include "answer/flows.h"
#include "base/err.h"
#include "cluster.h"
#include "fuzz.h"

static const char yaml[] =
	"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop, labels: {app: a}}\n"
	"spec: {nodeName: k, containers: [{ports: [{name: http, containerPort: 80}]}]}\n"
	"status: {podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}\n"
	"---\n"
	"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b, namespace: shop}\n"
	"spec: {template: {metadata: {labels: {app: b}}}}\n"
	"---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: "
	"shop}\n"
	"spec: {ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]}\n";

static struct cluster cluster;

static void check_proto(const char *text)
{
	struct flow flow = {0}, again = {0};
	struct err err = {0};
	char shown[32];

	if (flow_parse_proto(text, &flow, &err) < 0) {
		REQUIRE(err.text[0]);
		return;
	}
	REQUIRE(flow_parse_proto(flow_proto_text(&flow, shown), &again, &err) == 0);
	REQUIRE(flow.proto == again.proto && flow.has_port == again.has_port &&
		flow.port == again.port && strcmp(flow.port_name, again.port_name) == 0);
}

static void check_explained(const struct flow *flow, enum explain_form form)
{
	struct explanation answer = {0};

	REQUIRE(explain_flow(cluster.graph, flow, NULL, form, SIZE_MAX, &answer) == 0);
	REQUIRE((answer.verdict == VERDICT_NONE) == (answer.reason != NULL));
	REQUIRE((form == EXPLAIN_JSON) == (answer.json != NULL));
	REQUIRE((form == EXPLAIN_JSON) == (answer.text == NULL));
	explanation_done(&answer);
	graph_forget(cluster.graph);
}

static int take(void *ctx, const struct flow_line *line)
{
	struct flow_result result;

	(void)ctx;
	REQUIRE(line->line > 0);
	REQUIRE(eval_flow(cluster.graph, &line->flow, &result) == 0);
	REQUIRE((result.verdict == VERDICT_NONE) == (result.reason[0] != '\0'));
	flow_result_done(&result);
	for (int form = EXPLAIN_TEXT; form <= EXPLAIN_JSON; form++)
		check_explained(&line->flow, (enum explain_form)form);
	return 0;
}

static void start(void)
{
	struct faults faults = {0};
	struct err err = {0};

	REQUIRE(cluster_start(&cluster, NULL, false));
	REQUIRE(cluster_put_yaml(&cluster, yaml, strlen(yaml), &faults, &err, NULL) == 0);
	REQUIRE(faults.errors == 0 && graph_sync(cluster.graph) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct faults faults = {0};
	size_t refused = 0;
	char path[64], *text = malloc(size + 1);
	int fd = memfd_create("flows", MFD_CLOEXEC);

	if (!cluster.graph)
		start();
	REQUIRE(text && fd >= 0 && write(fd, data, size) == (ssize_t)size);
	memcpy(text, data, size);
	text[size] = '\0';
	check_proto(text);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	REQUIRE(flows_read(path, size % 2, &faults, take, NULL, &refused) == 0);
	REQUIRE(refused == faults.errors);
	faults_done(&faults);
	(void)close(fd);
	free(text);
	return 0;
}
