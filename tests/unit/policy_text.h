/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NetworkPolicies as text, for the tests that decode them. */
#ifndef UNIT_POLICY_TEXT_H
#define UNIT_POLICY_TEXT_H

#include <string.h>

#define HEAD                                                      \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n" \
	"metadata: {name: p, namespace: shop}\n"
#define OLD_HEAD                                                  \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n" \
	"metadata: {name: p, namespace: shop, uid: 1234}\n"
#define LONG_64 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"
#define LONG_63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define LONG_250                            \
	LONG_63 "." LONG_63 "." LONG_63 "." \
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffff"

/* One peer of one ingress rule; one port; one selector of a peer. */
#define PEER(...)     "{ingress: [{from: [" __VA_ARGS__ "]}]}"
#define PORT(...)     "{ingress: [{ports: [" __VA_ARGS__ "]}]}"
#define SELECTOR(...) "{podSelector: " __VA_ARGS__ "}"
#define EXPR(...)     "{podSelector: {matchExpressions: [" __VA_ARGS__ "]}}"

/* The format for unit_decode(): a whole object, or what follows HEAD as `spec:`. */
static inline const char *whole(const char *spec)
{
	return strstr(spec, "kind:") ? "%s" : HEAD "spec: %s\n";
}

#endif
