/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "source/api_status.h"

#include <string.h>

#include "base/cleanup.h"

#define RETRY_AFTER_MAX_S 86400

/* The first line of it, cut, and nothing in it that a terminal or a log would act on. */
static void copy_text(char to[static API_STATUS_TEXT_MAX], const char *text, size_t len)
{
	size_t n = 0;

	while (len > 0 && strchr(" \t\r\n", text[0])) {
		text++;
		len--;
	}
	for (; n < len && n < API_STATUS_TEXT_MAX - 1 && text[n] && text[n] != '\n'; n++)
		to[n] = text[n] == '\t' || (text[n] >= ' ' && text[n] <= '~') ? text[n] : '?';
	while (n > 0 && to[n - 1] == '?' && text[n - 1] == '\r')
		n--;
	to[n] = '\0';
}

void api_status_read(const json_t *json, struct api_status *ret)
{
	const json_t *details = json_object_get(json, "details");
	const json_t *message = json_object_get(json, "message");
	const json_t *causes = json_object_get(details, "causes");
	json_int_t code = json_integer_value(json_object_get(json, "code"));
	json_int_t wait = json_integer_value(json_object_get(details, "retryAfterSeconds"));
	const char *kind = json_string_value(json_object_get(json, "kind"));

	*ret = (struct api_status){0};
	if (!kind || strcmp(kind, "Status") != 0)
		return;
	ret->code = code > 0 && code < 1000 ? (int)code : 0;
	if (wait > 0)
		ret->retry_after_s =
			(unsigned)(wait < RETRY_AFTER_MAX_S ? wait : RETRY_AFTER_MAX_S);
	if (message)
		copy_text(ret->text, json_string_value(message) ? json_string_value(message) : "",
			  json_string_length(message));
	for (size_t i = 0; i < json_array_size(causes); i++) {
		const char *reason =
			json_string_value(json_object_get(json_array_get(causes, i), "reason"));

		if (reason && strcmp(reason, "ResourceVersionTooLarge") == 0)
			ret->version_too_large = true;
	}
}

void api_status_parse(const char *body, size_t len, struct api_status *ret)
{
	AUTO_JSON json_t *json = json_loadb(body, len, JSON_ALLOW_NUL, NULL);

	*ret = (struct api_status){0};
	if (json)
		api_status_read(json, ret);
	else
		copy_text(ret->text, body, len);
}
