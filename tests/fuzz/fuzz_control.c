/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as a request on the control socket: the first two choose what is asked and how the daemon
 * stands, a line is the query, the rest the body; or all of it is the request as it is sent. The
 * answers are those of the daemon's own handlers, of a small cluster. */
#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/daemon/internal.h"
#include "answer/flows.h"
#include "base/log.h"
#include "choices.h"
#include "cluster.h"
#include "fuzz.h"

#define REQUEST_MAX 4096
#define TURNS_MAX   2000 /* of the loop, for one request */
#define FLOWS_MAX   256  /* EXPLAIN_FLOWS_MAX */

static const char yaml[] =
	"apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {app: a}}\n"
	"spec: {nodeName: n1, containers: [{ports: [{name: http, containerPort: 80}]}]}\n"
	"status: {podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}\n"
	"---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: shop}\n"
	"spec: {nodeName: n2}\nstatus: {podIP: 10.0.0.2}\n"
	"---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: zoo}\n"
	"spec: {nodeName: n2}\nstatus: {podIP: 10.0.0.3}\n"
	"---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: "
	"shop}\n"
	"spec: {podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]}\n";

enum what { ASK_EXPLAIN, ASK_GRAPH, ASK_ENFORCED, ASK_RAW, ASK_COUNT };

static struct cluster cluster;
static struct settings settings;
static struct daemon d;
static char directory[PATH_MAX];
static struct sockaddr_un address = {.sun_family = AF_UNIX};

/* What the node has seen: one pod. */
const struct attachment *__wrap_attach_by_pod(const struct attach *attach, const char *ns,
					      const char *name, const char *uid);
const char *__wrap_attach_tunnel(const struct attach *attach, struct addr *ret_addr);
const struct links *__wrap_attach_links(const struct attach *attach);
size_t __wrap_links_tunnel_ports(const struct links *links, uint16_t ports[]);
struct local_pod *__wrap_local_find(const struct daemon *daemon, const char *ns, const char *name);
/* All that waits is due at once. */
void __wrap_arm(struct event *timer, int64_t ms);
void __real_arm(struct event *timer, int64_t ms);

const struct attachment *__wrap_attach_by_pod(const struct attach *attach, const char *ns,
					      const char *name, const char *uid)
{
	static struct cni_result result = {.container = (char *)"c0ffee"};
	static const struct attachment web = {
		.ns = "shop",
		.name = "web",
		.addrs = {{.family = FAMILY_V4, .b = {10, 0, 0, 1}}},
		.n_addrs = 1,
		.result = &result,
	};

	(void)attach;
	return strcmp(ns, "shop") == 0 && strcmp(name, "web") == 0 &&
			       (!*uid || strcmp(uid, "u1") == 0)
		       ? &web
		       : NULL;
}

const char *__wrap_attach_tunnel(const struct attach *attach, struct addr *ret_addr)
{
	(void)attach;
	(void)ret_addr;
	return NULL;
}

const struct links *__wrap_attach_links(const struct attach *attach)
{
	(void)attach;
	return NULL;
}

size_t __wrap_links_tunnel_ports(const struct links *links, uint16_t ports[])
{
	(void)links;
	ports[0] = 8472;
	return 1;
}

struct local_pod *__wrap_local_find(const struct daemon *daemon, const char *ns, const char *name)
{
	static char found;

	(void)daemon;
	return graph_find_pod(cluster.graph, ns, name) ? (struct local_pod *)&found : NULL;
}

void __wrap_arm(struct event *timer, int64_t ms)
{
	(void)ms;
	__real_arm(timer, 0);
}

static void stop(void)
{
	server_close(&d);
	(void)rmdir(directory); /* a socket in it is gone */
}

static void start(void)
{
	const char *tmp = getenv("TMPDIR");
	struct faults faults = {0};
	struct err err = {0};

	log_set_level(LOG_LEVEL_ERR);
	REQUIRE(cluster_start(&cluster, "n1", true));
	REQUIRE(cluster_put_yaml(&cluster, yaml, strlen(yaml), &faults, &err, NULL) == 0);
	REQUIRE(faults.errors == 0 && graph_sync(cluster.graph) == 0);
	(void)snprintf(directory, sizeof(directory), "%s/fuzz_control.XXXXXX", tmp ? tmp : "/tmp");
	REQUIRE(mkdtemp(directory));
	REQUIRE(snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory) <
		(int)sizeof(address.sun_path));
	settings.control = address.sun_path;
	d = (struct daemon){
		.settings = &settings, .graph = cluster.graph, .base = event_base_new()};
	REQUIRE(d.base && server_open_control(&d) == 0);
	REQUIRE(atexit(stop) == 0);
}

/* A client. */

struct reply {
	char *bytes;
	size_t len;
	bool ended;
};

static void read_some(int fd, struct reply *answer)
{
	char bytes[16384];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		answer->bytes = realloc(answer->bytes, answer->len + (size_t)n + 1);
		REQUIRE(answer->bytes);
		memcpy(answer->bytes + answer->len, bytes, (size_t)n);
		answer->len += (size_t)n;
		answer->bytes[answer->len] = '\0';
	}
	answer->ended = answer->ended || n == 0 || errno == ECONNRESET;
}

/* Until the server has closed, as it does after each answer. `ends`: nothing more is sent, which
 * for evhttp ends an answer, too, that is longer than the socket's buffer. */
static void ask(const char *request, size_t len, bool ends, struct reply *ret)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret = (struct reply){0};
	REQUIRE(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	REQUIRE(send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len);
	REQUIRE(!ends || shutdown(fd, SHUT_WR) == 0);
	for (int i = 0; !ret->ended; i++) {
		REQUIRE(i < TURNS_MAX); /* nobody is kept waiting */
		REQUIRE(event_base_loop(d.base, EVLOOP_NONBLOCK) >= 0);
		read_some(fd, ret);
	}
	(void)close(fd);
	for (int i = 0; i < 3; i++) /* the server's side is closed */
		REQUIRE(event_base_loop(d.base, EVLOOP_NONBLOCK) >= 0);
}

/* The status, and where the body begins; 0: no answer. */
static int status_of(const struct reply *answer, const char **ret_body)
{
	const char *body = answer->len > 0 ? strstr(answer->bytes, "\r\n\r\n") : NULL;
	int status = 0;

	if (!body)
		return 0;
	REQUIRE(sscanf(answer->bytes, "HTTP/%*d.%*d %3d ", &status) == 1);
	*ret_body = body + 4;
	return status;
}

/* What is answered. */

static json_t *load_line(const char *line, size_t len)
{
	json_error_t error;
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);

	REQUIRE(json_is_object(json));
	return json;
}

static void check_explanation(const json_t *json, bool is_text, unsigned line)
{
	const char *error = json_string_value(json_object_get(json, "error"));

	if (error) {
		REQUIRE(error[0]);
		REQUIRE(json_integer_value(json_object_get(json, "line")) == line);
		return;
	}
	REQUIRE(json_is_string(json_object_get(json, "verdict")));
	REQUIRE(!is_text || json_is_string(json_object_get(json, "text")));
}

/* One answer for each flow, from the first on. */
static void check_explain(const char *answers, char *flows, bool is_text)
{
	unsigned line = 0, answered = 0;
	const char *at = answers;

	for (char *next = flows; next;) {
		char *flow = strsep(&next, "\n");
		const char *end = strchr(at, '\n');
		json_t *json;

		line++;
		if (!flow_line_strip(flow))
			continue;
		if (!*at)
			break; /* the rest is to be asked again */
		REQUIRE(end);
		json = load_line(at, (size_t)(end - at));
		check_explanation(json, is_text, line);
		json_decref(json);
		at = end + 1;
		answered++;
	}
	REQUIRE(!*at && answered <= FLOWS_MAX);
	REQUIRE(answered > 0 || !*answers);
}

static void check_graph(const char *answer, bool is_text)
{
	size_t pods = 0;

	for (const char *at = answer, *end; *at && !is_text; at = end + 1, pods++) {
		end = strchr(at, '\n');
		REQUIRE(end);
		json_t *json = load_line(at, (size_t)(end - at));

		REQUIRE(json_is_string(json_object_get(json, "namespace")));
		REQUIRE(json_is_string(json_object_get(json, "name")));
		json_decref(json);
	}
	REQUIRE(pods <= 3);
}

/* Is the daemon such that it can answer? */
static void set_state(unsigned bits)
{
	d.synced = !(bits & 1);
	d.changing = bits & 2;
	d.ready = !(bits & 4);
	d.dirty = bits & 8;
	d.held = bits & 16;
	(void)snprintf(d.apply.problem, sizeof(d.apply.problem), "%s",
		       bits & 32 ? "a \"problem\"\r\nX-Header: no" : "");
}

static bool is_whole(unsigned bits)
{
	return !(bits & 3);
}

struct question {
	enum what what;
	unsigned state;
	const char *query;
	char *body;
};

static void check_answer(const struct question *q, const struct reply *answer)
{
	const char *body = answer->bytes;
	int status = status_of(answer, &body);
	bool is_text = strcmp(q->query, "format=text") == 0 ||
		       strcmp(q->query, "format=text&colour=1") == 0;

	if (q->what == ASK_RAW)
		return;
	REQUIRE(status == 200 || status == 400 || status == 503);
	/* No header of others' words. */
	REQUIRE(!memmem(answer->bytes, (size_t)(body - answer->bytes), "\nX-Header", 9));
	if (status != 200)
		return;
	if (q->what == ASK_ENFORCED) {
		REQUIRE((q->state & ~2u) == 0 || (!*q->query && !(q->state & ~10u)));
		return;
	}
	REQUIRE(is_whole(q->state));
	if (q->what == ASK_EXPLAIN)
		check_explain(body, q->body, is_text);
	else
		check_graph(body, strstr(answer->bytes, "text/plain"));
}

static size_t write_request(const struct question *q, char to[REQUEST_MAX])
{
	static const char *const paths[] = {
		[ASK_EXPLAIN] = "POST /explain",
		[ASK_GRAPH] = "GET /graph",
		[ASK_ENFORCED] = "GET /enforced",
	};
	int n;

	if (q->what == ASK_RAW) /* here the query is the request */
		n = snprintf(to, REQUEST_MAX, "%s", q->body);
	else
		n = snprintf(to, REQUEST_MAX,
			     "%s%s%s HTTP/1.1\r\nHost: netpold\r\nContent-Length: %zu\r\n\r\n%s",
			     paths[q->what], *q->query ? "?" : "", q->query, strlen(q->body),
			     q->body);
	return (size_t)n < REQUEST_MAX ? (size_t)n : 0;
}

/* A path cannot have blanks and control characters, nor #. What looks at the host is not asked. */
static bool is_sendable(const struct question *q)
{
	static const char *const others[] = {"status", "metrics", "readyz", "STATUS"};

	for (const char *at = q->query; *at; at++) {
		if (*at <= ' ' || *at == '#' || *at == 0x7f)
			return false;
	}
	for (size_t i = 0; q->what == ASK_RAW && i < ARRAY_LEN(others); i++) {
		if (strcasestr(q->body, others[i]) || strchr(q->body, '%'))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct choices choices = {data, data + size};
	struct question q = {.what = (enum what)choose(&choices, ASK_COUNT),
			     .state = choose_byte(&choices) & 63};
	size_t len = (size_t)(choices.end - choices.p);
	char *text = malloc(len + 1), *query = text, request[REQUEST_MAX];
	struct reply answer = {0};

	if (!d.base)
		start();
	REQUIRE(text);
	memcpy(text, choices.p, len);
	text[len] = '\0';
	q.body = text;
	q.query = "";
	if (q.what != ASK_RAW && strchr(text, '\n')) {
		q.query = strsep(&query, "\n");
		q.body = query;
	}
	len = is_sendable(&q) ? write_request(&q, request) : 0;
	if (len > 0) {
		set_state(q.state);
		ask(request, len, q.what == ASK_RAW, &answer);
		check_answer(&q, &answer);
		free(answer.bytes);
	}
	free(text);
	return 0;
}
