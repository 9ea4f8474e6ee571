/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel would do with a packet, told from the ruleset as data. Test only, and naive on
 * purpose: it walks lists where the kernel hashes, so that it shares nothing with what it judges.
 */
#ifndef TESTS_INTERP_H
#define TESTS_INTERP_H

#include <stdbool.h>

#include "nft/ruleset.h"

/* The first packet of a connection. */
struct packet {
	enum family family;
	struct addr from, to;
	uint8_t proto; /* IP protocol number */
	uint16_t source_port;
	uint16_t port;       /* what stands where a destination port would */
	uint8_t icmpv6_type; /* where proto is ICMPv6 */
	uint8_t hoplimit;
	bool established;
	bool syn;             /* of TCP, without ACK; of SCTP an INIT */
	bool from_host;       /* the source is an address of this host */
	char in[16], out[16]; /* interfaces */
	unsigned index[2];    /* theirs, by enum nft_dir; 0: not known */
	/* What only a bridge looks at. */
	bool ethernet;                  /* a frame, and the next two say something */
	bool vlan;                      /* with a tag */
	bool group;                     /* to more than one host */
	uint8_t ether[NFT_ETHER_BYTES]; /* whom it says to be from */
	struct addr nd_target;          /* of an ICMPv6 advertisement */
	bool arp;                       /* no packet; `from` is the sender's IPv4 address */
};

/* The verdict of the policy table's chain at a hook: true lets it pass. Aborts on a ruleset that
 * the kernel would not have loaded (a lookup in a set that is missing, a jump to nowhere, a loop).
 */
bool interp_hook(const struct ruleset *ruleset, enum nft_hook hook, const struct packet *packet);

/* The verdict of anti-spoofing, where the packet or frame comes in. */
bool interp_source(const struct ruleset *ruleset, const struct packet *packet);

/* That of both hooks of the bridge table, on a frame from port to port. */
bool interp_bridge(const struct ruleset *ruleset, const struct packet *packet);

#endif
