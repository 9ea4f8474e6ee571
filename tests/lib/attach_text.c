/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attach_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void add(char text[ATTACH_TEXT_MAX], const char *fmt,
						      ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text + len, ATTACH_TEXT_MAX - len, fmt, ap);
	va_end(ap);
}

const char *attach_text(const struct attachment *a, char text[static ATTACH_TEXT_MAX])
{
	static const char *const kinds[] = {
		[ATTACH_NONE] = "none",
		[ATTACH_ROUTED] = "routed",
		[ATTACH_BRIDGED] = "bridged",
		[ATTACH_FOREIGN] = "foreign",
	};
	const uint8_t *m = a->mac;
	char addr[ADDR_TEXT_MAX];

	text[0] = '\0';
	if (*a->name)
		add(text, "%s/%s %s", a->ns, a->name, *a->uid ? a->uid : "?");
	else
		add(text, "-");
	add(text, " %s", kinds[a->kind]);
	if (a->index)
		add(text, " %s", a->ifname);
	if (*a->master)
		add(text, "@%s", a->master);
	if (a->has_mac)
		add(text, " %02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	for (size_t i = 0; i < a->n_addrs; i++)
		add(text, " %s", addr_format(&a->addrs[i], addr));
	return text;
}
