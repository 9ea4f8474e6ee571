/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source addresses that an administrator allows pods beside their own: of VPN gateways, of routers,
 * of addresses that move from pod to pod. */
#ifndef RENDER_ALLOWED_SOURCES_H
#define RENDER_ALLOWED_SOURCES_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/vec.h"
#include "model/object.h"

/* What one label must be like. */
struct allowed_label {
	char *key, *value; /* value NULL: whatever it is */
	bool negate;
};

/* Of which pods, and which prefixes. */
struct allowed_source {
	char *ns;
	VEC(struct allowed_label) labels; /* all of them hold */
	VEC(struct prefix) prefixes;
};

struct allowed_sources {
	VEC(struct allowed_source) entries;
};

#define ALLOWED_SOURCE_SYNTAX \
	"NAMESPACE[/LABEL[,LABEL]...] PREFIX..., such as vpn/app=gateway 10.8.0.0/16 fd08::/64"

/* Adds an entry of the form ALLOWED_SOURCE_SYNTAX: a LABEL is KEY=VALUE, KEY!=VALUE, KEY or !KEY; a
 * PREFIX may be an address. 0; -EINVAL: the text is none; -ENOMEM. */
int allowed_sources_add(struct allowed_sources *sources, const char *text);

/* Is the entry about the pod? */
bool allowed_source_matches(const struct allowed_source *entry, const struct pod *pod);

void allowed_sources_done(struct allowed_sources *sources);

#endif
