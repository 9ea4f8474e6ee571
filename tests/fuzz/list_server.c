/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "list_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "fuzz.h"

/* Hostile values. All but the last two forms are JSON, whatever RFC 8259 leaves to a reader. */

#define DEPTH_MAX 12

static void write_text(struct choices *c, FILE *out)
{
	static const char *const parts[] = {"a",        "\\u0000", "\\ud800", "\\\"",   "\\\\",
					    "{",        "}",       "]",       "\\n",    "\xc3\xa4",
					    "10.0.0.1", "0",       "u1",      "\\u0061"};

	fputc('"', out);
	for (uint32_t n = choose(c, 6); n > 0; n--)
		fputs(parts[choose(c, ARRAY_LEN(parts))], out);
	fputc('"', out);
}

static void write_deep(FILE *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		fputs("{\"d\":[", out);
	for (unsigned i = 0; i < depth; i++)
		fputs("]}", out);
}

static void write_value(struct choices *c, FILE *out, unsigned depth)
{
	static const char *const words[] = {
		"null",
		"true",
		"0",
		"-0",
		"1e999",
		"-1",
		"123456789012345678901234567890",
		"0.1e-7",
		"\"\"",
		"{}",
		"[]",
		"[null]",
		"{\"\":{}}",
		"\"10.0.0.2\"",
		"65536",
	};
	static const char *const keys[] = {"name", "ip",       "containerPort", "ports",      "a",
					   "",     "metadata", "\\u006eame",    "matchLabels"};

	switch (depth < DEPTH_MAX ? choose(c, 6) : 0) {
	case 0:
		fputs(words[choose(c, ARRAY_LEN(words))], out);
		break;
	case 1:
		write_text(c, out);
		break;
	case 2:
		write_deep(out, 1u + choose_byte(c) * 3u);
		break;
	case 3:
		fputc('[', out);
		for (uint32_t i = 0, n = choose(c, 4); i < n; i++) {
			fputs(i > 0 ? "," : "", out);
			write_value(c, out, depth + 1);
		}
		fputc(']', out);
		break;
	default:
		fputc('{', out);
		for (uint32_t i = 0, n = choose(c, 4); i < n; i++) {
			fprintf(out, "%s\"%s\":", i > 0 ? "," : "",
				keys[choose(c, ARRAY_LEN(keys))]);
			write_value(c, out, depth + 1);
		}
		fputc('}', out);
		break;
	}
}

/* Bytes that no JSON can have between two tokens: from there on a reader knows nothing. They do not
 * close the object: what looks whole is taken for it. */
static void write_garbage(struct choices *c, FILE *out)
{
	fputs("@", out);
	for (uint32_t n = choose(c, 8); n > 0; n--) {
		char byte = (char)choose_byte(c);

		fputc(byte == '\0' || strchr("{}[],\"", byte) ? '?' : byte, out);
	}
}

/* Objects. */

static void write_metadata(FILE *out, const char *name, unsigned version)
{
	fprintf(out,
		"\"name\":\"%s\",\"namespace\":\"a\",\"uid\":\"u%u\",\"resourceVersion\":\"%u\"",
		name, version, version);
}

static void write_plain(FILE *out, unsigned name, unsigned version)
{
	char text[8];

	(void)snprintf(text, sizeof(text), "p%u", name);
	fputs("\"metadata\":{", out);
	write_metadata(out, text, version);
	fputs("},\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"podIP\":\"10.0.0.9\"}", out);
}

static enum server_form write_named(struct choices *c, FILE *out, unsigned version)
{
	fputs("\"metadata\":{\"namespace\":\"a\",\"name\":", out);
	write_value(c, out, DEPTH_MAX - 1);
	fprintf(out, ",\"resourceVersion\":\"%u\"}", version);
	return SERVER_UNKNOWN;
}

static enum server_form write_hostile(struct choices *c, FILE *out, unsigned name, unsigned version)
{
	static const char *const in_metadata[] = {
		"managedFields",   "annotations",       "labels",           "x",
		"ownerReferences", "deletionTimestamp", "creationTimestamp"};
	static const char *const in_pod[] = {"spec", "status", "x", "spec", "status"};
	static const char *const inner[] = {"containers",  "nodeName",       "podIPs", "phase",
					    "hostNetwork", "initContainers", "x",      "podIP"};
	char text[8];

	if (choose(c, 8) == 0)
		return write_named(c, out, version);
	(void)snprintf(text, sizeof(text), "p%u", name);
	fputs("\"metadata\":{", out);
	if (choose(c, 2) == 0) {
		fprintf(out, "\"%s\":", in_metadata[choose(c, ARRAY_LEN(in_metadata))]);
		write_value(c, out, 0);
		fputc(',', out);
	}
	write_metadata(out, text, version);
	fputc('}', out);
	for (uint32_t n = choose(c, 3); n > 0; n--) {
		fprintf(out, ",\"%s\":", in_pod[choose(c, ARRAY_LEN(in_pod))]);
		if (choose(c, 2) == 0) {
			fprintf(out, "{\"%s\":", inner[choose(c, ARRAY_LEN(inner))]);
			write_value(c, out, 1);
			fputc('}', out);
		} else {
			write_value(c, out, 0);
		}
	}
	if (choose(c, 6) != 0)
		return SERVER_HOSTILE;
	fputs(",\"x\":", out);
	write_garbage(c, out);
	return SERVER_UNKNOWN;
}

static struct server_change *add(struct list_server *s, unsigned name, FILE **ret_out, size_t *len)
{
	struct server_change *change = &s->changes[s->n];

	REQUIRE(s->n < SERVER_CHANGES);
	change->name = name;
	*ret_out = open_memstream(&change->json, len);
	REQUIRE(*ret_out);
	s->n++;
	return change;
}

void server_put_plain(struct list_server *s, unsigned name)
{
	size_t len;
	FILE *out;
	struct server_change *change = add(s, name, &out, &len);

	change->form = SERVER_PLAIN;
	write_plain(out, name, s->n);
	REQUIRE(fclose(out) == 0);
}

/* The change that made the object what it was then; NULL: there was none. */
static const struct server_change *find(const struct list_server *s, unsigned name,
					unsigned version)
{
	for (unsigned i = version; i > 0; i--) {
		if (s->changes[i - 1].name == name)
			return s->changes[i - 1].form == SERVER_GONE ? NULL : &s->changes[i - 1];
	}
	return NULL;
}

void server_change(struct list_server *s, struct choices *c)
{
	unsigned name = choose(c, SERVER_NAMES), what = choose(c, 4);
	bool anchor = name == 0 || name == SERVER_NAMES - 1;
	const struct server_change *before = find(s, name, s->n);
	struct server_change *change;
	size_t len;
	FILE *out;

	if (s->n == SERVER_CHANGES)
		return;
	change = add(s, name, &out, &len);
	if (what == 0 && before && !anchor) {
		change->form = SERVER_GONE;
		/* One of another name, or with garbage, would tell of no deletion of this one. */
		if (before->form == SERVER_HOSTILE)
			fputs(before->json, out);
		else
			write_plain(out, name, s->n);
	} else if (what == 1 || anchor) {
		change->form = SERVER_PLAIN;
		write_plain(out, name, s->n);
	} else {
		change->form = write_hostile(c, out, name, s->n);
	}
	REQUIRE(fclose(out) == 0);
	if (choose(c, 16) == 0)
		s->oldest = s->n;
}

enum server_form server_form(const struct list_server *s, unsigned name, unsigned *ret_version)
{
	const struct server_change *change = find(s, name, s->n);

	*ret_version = change ? (unsigned)(change - s->changes) + 1 : 0;
	return change ? change->form : SERVER_GONE;
}

/* Answers. */

static void write_event(FILE *body, const char *type, const char *json)
{
	fprintf(body, "{\"type\":\"%s\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",%s}}\n",
		type, json);
}

static int write_expired(FILE *body)
{
	fputs("{\"kind\":\"Status\",\"code\":410,\"message\":\"too old resource version\"}", body);
	return 410;
}

static void write_changes(const struct list_server *s, unsigned from, FILE *body)
{
	for (unsigned i = from; i < s->n; i++) {
		const struct server_change *change = &s->changes[i];
		const char *type = change->form == SERVER_GONE ? "DELETED"
				   : find(s, change->name, i)  ? "MODIFIED"
							       : "ADDED";

		write_event(body, type, change->json);
	}
	fprintf(body,
		"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%u\"}}}\n",
		s->n);
}

/* All that is there, then the bookmark that says so. */
static int write_stream(const struct list_server *s, FILE *body)
{
	for (unsigned name = 0; name < SERVER_NAMES; name++) {
		const struct server_change *change = find(s, name, s->n);

		if (change)
			write_event(body, "ADDED", change->json);
	}
	fprintf(body,
		"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%u\","
		"\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n",
		s->n);
	return 200;
}

/* `continue` is "VERSION.NAME": the list goes on as it was then. */
static int write_page(const struct list_server *s, const char *path, FILE *body)
{
	unsigned limit = SERVER_NAMES, version = s->n, name = 0, written = 0, next;
	const char *rest = strstr(path, "continue=");

	if (strstr(path, "limit="))
		limit = (unsigned)strtoul(strstr(path, "limit=") + 6, NULL, 10);
	if (rest)
		REQUIRE(sscanf(rest, "continue=%u.%u", &version, &name) == 2 && version <= s->n);
	if (rest && version < s->oldest)
		return write_expired(body);
	for (next = name; next < SERVER_NAMES && written < limit; next++)
		written += find(s, next, version) != NULL;
	while (next < SERVER_NAMES && !find(s, next, version))
		next++;
	fprintf(body,
		"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{"
		"\"resourceVersion\":\"%u\"",
		version);
	if (next < SERVER_NAMES)
		fprintf(body, ",\"continue\":\"%u.%u\"", version, next);
	fputs("},\"items\":[", body);
	written = 0;
	for (; name < next; name++) {
		const struct server_change *change = find(s, name, version);

		if (change)
			fprintf(body, "%s{%s}", written++ > 0 ? "," : "", change->json);
	}
	fputs("]}", body);
	return 200;
}

int server_answer(const struct list_server *s, const char *path, FILE *body)
{
	const char *at = strstr(path, "&resourceVersion=");
	unsigned version = at ? (unsigned)strtoul(at + 17, NULL, 10) : 0;

	if (strstr(path, "sendInitialEvents=true"))
		return write_stream(s, body);
	if (!strstr(path, "watch=1"))
		return write_page(s, path, body);
	/* Which version a hostile object says that it has is what the client asks for. */
	if (version < s->oldest || version > s->n)
		return write_expired(body);
	write_changes(s, version, body);
	return 200;
}

void server_done(struct list_server *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->changes[i].json);
}
