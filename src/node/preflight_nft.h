/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NODE_PREFLIGHT_NFT_H
#define NODE_PREFLIGHT_NFT_H

#include "node/preflight.h"

/* Adds what other people's nftables say. 0 or -ENOMEM. */
int preflight_nft(const struct preflight_host *host, struct preflight *preflight);

/* 0 or -ENOMEM. */
int preflight_add(struct preflight *preflight, const char *id, enum preflight_level level,
		  const char *subject, const char *todo, const char *what, ...)
	__attribute__((format(printf, 6, 7)));

#endif
