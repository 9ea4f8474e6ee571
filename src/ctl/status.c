/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netpolctl status: what the daemon on this node says of itself. */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "control.h"
#include "ctl/ctl.h"

/* The only state that is as it should be. */
#define STATE_FINE "enforcing"
/* Bytes of a state's name; what is longer is none of the daemon's. */
#define STATE_MAX 64

static json_int_t number(const json_t *in, const char *key)
{
	return json_integer_value(json_object_get(in, key));
}

static const char *text(const json_t *in, const char *key, const char *absent)
{
	const char *value = json_string_value(json_object_get(in, key));

	return value ? value : absent;
}

/* A part of a line. */
static void print_item(const char *before, const json_t *item)
{
	const char *value = json_string_value(item);

	fputs(before, stdout);
	print_word(stdout, value ? value : "");
}

static void print_files(const json_t *files)
{
	size_t i;
	json_t *path;

	printf("manifests ");
	json_array_foreach (json_object_get(files, "paths"), i, path)
		print_item(" ", path);
	putchar('\n');
	print_line(stdout, "           read %s: files %lld, errors %lld, warnings %lld",
		   text(files, "read", "never"), (long long)number(files, "files"),
		   (long long)number(files, "errors"), (long long)number(files, "warnings"));
	if (number(files, "notRendered") > 0)
		print_line(stdout, "           NOT RENDERED, and not read: documents %lld",
			   (long long)number(files, "notRendered"));
	if (number(files, "kept") > 0)
		print_line(stdout,
			   "           enforced as before, because their file cannot be read: %lld",
			   (long long)number(files, "kept"));
	if (text(files, "blind", NULL))
		print_line(stdout, "           changes are not noticed: %s",
			   text(files, "blind", ""));
}

static void print_api(const json_t *api)
{
	size_t i;
	json_t *one;

	print_line(stdout, "api        %s%s%s", text(api, "server", ""),
		   text(api, "context", NULL) ? ", context " : "", text(api, "context", ""));
	json_array_foreach (json_object_get(api, "resources"), i, one)
		print_line(stdout, "           %s %s, objects %lld%s%s", text(one, "resource", ""),
			   text(one, "state", ""), (long long)number(one, "objects"),
			   text(one, "error", NULL) ? ": " : "", text(one, "error", ""));
	json_array_foreach (json_object_get(api, "broken"), i, one)
		print_line(stdout, "           NOT UNDERSTOOD: %s: %s", text(one, "object", ""),
			   text(one, "reason", ""));
}

/* "before a, b", where there are any, and the end of the line. */
static void print_words(const json_t *list, const char *before)
{
	size_t i;
	json_t *one;

	json_array_foreach ((json_t *)list, i, one)
		print_item(i > 0 ? ", " : before, one);
	putchar('\n');
}

/* Before the first sync of all sources there is nothing to be behind of. */
static const char *kernel_state(const json_t *status, const json_t *kernel)
{
	if (json_is_true(json_object_get(kernel, "upToDate")))
		return "up to date";
	return json_is_true(json_object_get(status, "ready")) ? "BEHIND" : "not written yet";
}

static void print_kernel(const json_t *status)
{
	const json_t *kernel = json_object_get(status, "kernel");
	const char *committed = text(kernel, "committed", NULL);
	const char *up_to_date = kernel_state(status, kernel);
	size_t i;
	json_t *one;

	if (committed)
		print_line(stdout, "kernel     %s, last change %s in %lld us", up_to_date,
			   committed, (long long)number(kernel, "lastMicroseconds"));
	else
		print_line(stdout, "kernel     %s, nothing had to be changed yet", up_to_date);
	print_line(stdout,
		   "           changes %lld, failures %lld, changes by others put right %lld",
		   (long long)number(kernel, "commits"), (long long)number(kernel, "failures"),
		   (long long)number(kernel, "repairs"));
	if (text(kernel, "problem", NULL))
		print_line(stdout, "           PROBLEM: %s", text(kernel, "problem", ""));
	json_array_foreach (json_object_get(kernel, "refused"), i, one) {
		fputs("           REFUSED by the kernel: ", stdout);
		print_word(stdout, text(one, "what", ""));
		fputc(' ', stdout);
		print_word(stdout, text(one, "name", ""));
		fputs(" (", stdout);
		print_word(stdout, text(one, "closes", ""));
		fputs(")", stdout);
		print_words(json_object_get(one, "pods"), ", for pods ");
	}
}

static void print_closed(const json_t *list)
{
	size_t i;
	json_t *one;

	if (json_array_size(list) > 0)
		print_line(stdout, "CLOSED, as their policies are too complicated");
	json_array_foreach ((json_t *)list, i, one) {
		fputs("           pod ", stdout);
		print_word(stdout, text(one, "pod", ""));
		fputs(" for ", stdout);
		print_word(stdout, text(one, "direction", ""));
		print_words(json_object_get(one, "policies"), ": policies ");
		if (number(one, "policiesLeftOut") > 0)
			print_line(stdout, "               and %lld more",
				   (long long)number(one, "policiesLeftOut"));
	}
}

static void print_antispoofing(const json_t *list)
{
	size_t i;
	json_t *one;

	if (json_array_size(list) > 0)
		print_line(stdout,
			   "dropped by anti-spoofing, from addresses that are not the pod's");
	json_array_foreach ((json_t *)list, i, one)
		print_line(stdout, "           pod %s: %lld packets", text(one, "pod", ""),
			   (long long)number(one, "dropped"));
}

static void print_list(const json_t *list, const char *heading, const char *first,
		       const char *between, const char *second)
{
	size_t i;
	json_t *one;

	if (json_array_size(list) > 0)
		print_line(stdout, "%s", heading);
	json_array_foreach ((json_t *)list, i, one)
		print_line(stdout, "           %s%s%s", text(one, first, ""), between,
			   text(one, second, ""));
}

static void print_finding(const json_t *one)
{
	const char *subject = text(one, "subject", "");

	print_line(stdout, "           %s %s%s%s%s, since %s", text(one, "level", ""),
		   text(one, "id", ""), json_is_true(json_object_get(one, "open")) ? " (OPEN)" : "",
		   subject[0] ? ": " : "", subject, text(one, "since", "?"));
	print_line(stdout, "           %s %s", text(one, "text", ""), text(one, "fix", ""));
}

static void print_findings(const json_t *status)
{
	const json_t *list = json_object_get(status, "findings");
	size_t i;
	json_t *one;

	if (json_array_size(list) > 0)
		print_line(stdout, "findings");
	json_array_foreach ((json_t *)list, i, one)
		print_finding(one);
	if (number(status, "findingsLeftOut") > 0)
		print_line(stdout, "           and %lld more",
			   (long long)number(status, "findingsLeftOut"));
}

/* What needs attention is in capitals. */
static void print_state(const char *state)
{
	bool fine = strcmp(state, STATE_FINE) == 0;
	char word[STATE_MAX] = "";

	for (size_t i = 0; state[i] && i < sizeof(word) - 1; i++)
		word[i] = (char)(fine ? state[i] : toupper((unsigned char)state[i]));
	print_line(stdout, "state      %s", word);
}

static void print_status(const json_t *status)
{
	const json_t *pods = json_object_get(status, "pods");

	print_state(text(status, "state", "?"));
	print_line(stdout, "netpold    %s, node %s, since %s", text(status, "version", "?"),
		   text(status, "node", "(every pod is local)"), text(status, "started", "?"));
	if (json_is_object(json_object_get(status, "files")))
		print_files(json_object_get(status, "files"));
	if (json_is_object(json_object_get(status, "api")))
		print_api(json_object_get(status, "api"));
	print_line(stdout,
		   "pods       known %lld, here %lld, isolated for ingress %lld, for egress %lld",
		   (long long)number(pods, "known"), (long long)number(pods, "here"),
		   (long long)number(pods, "isolatedIngress"),
		   (long long)number(pods, "isolatedEgress"));
	print_line(stdout, "policies   %lld",
		   (long long)number(json_object_get(status, "policies"), "enforced"));
	print_kernel(status);
	print_closed(json_object_get(status, "tooComplicated"));
	print_antispoofing(json_object_get(status, "antispoofing"));
	print_findings(status);
	print_list(json_object_get(status, "notEnforced"), "NOT ENFORCED", "kind", " ", "name");
}

static int show(struct ctl *ctl, const struct control *control, const struct control_answer *answer)
{
	json_error_t error;
	AUTO_JSON json_t *json = json_loadb(answer->bytes, answer->len, 0, &error);

	if (!json)
		return ctl_status_of(control_complain(control, error.text), CTL_FAILED);
	if (ctl->output == OUTPUT_JSON)
		(void)fwrite(answer->bytes, 1, answer->len, stdout);
	else
		print_status(json);
	/* All else is no success: scripts ask for this. */
	return strcmp(text(json, "state", ""), STATE_FINE) == 0 ? CTL_OK : CTL_FAILED;
}

int ctl_status(struct ctl *ctl, int argc, char *argv[])
{
	const struct control_answer *answer = NULL;
	struct control *control;
	int rc, status;

	(void)argv;
	if (argc > 0) {
		print_line(stderr, "netpolctl: status: expected no operands");
		return CTL_UNUSABLE;
	}
	control = control_new(ctl->control, "");
	if (!control)
		return CTL_NO_MEMORY;
	rc = control_ask(control, "/status", NULL, 0, &answer);
	status = rc == 0 ? show(ctl, control, answer) : ctl_status_of(rc, CTL_FAILED);
	control_free(control);
	return status;
}
