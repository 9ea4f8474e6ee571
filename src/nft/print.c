/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/print.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "keys.h"

#define SRCNAT         100 /* NF_IP_PRI_NAT_SRC */
#define ELEMENTS_WIDTH 88  /* columns, where several elements share a line */

static const char *const family_words[] = {[FAMILY_V4] = "ip", [FAMILY_V6] = "ip6"};
static const char *const addr_words[] = {
	[NFT_DIR_SOURCE] = "saddr", [NFT_DIR_DESTINATION] = "daddr"};
static const char *const index_words[] = {[NFT_DIR_SOURCE] = "iif", [NFT_DIR_DESTINATION] = "oif"};
static const char *const interface_words[] = {
	[NFT_DIR_SOURCE] = "iifname",
	[NFT_DIR_DESTINATION] = "oifname",
};

static const char *proto_word(uint8_t proto)
{
	switch (proto) {
	case 0:
		return "th";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMPV6:
		return "ipv6-icmp";
	default:
		return "sctp";
	}
}

static const char *icmpv6_word(uint8_t type)
{
	switch (type) {
	case MLD_LISTENER_QUERY:
		return "mld-listener-query";
	case MLD_LISTENER_REPORT:
		return "mld-listener-report";
	case MLD_LISTENER_REDUCTION:
		return "mld-listener-done";
	case ND_ROUTER_SOLICIT:
		return "nd-router-solicit";
	case ND_ROUTER_ADVERT:
		return "nd-router-advert";
	case ND_NEIGHBOR_SOLICIT:
		return "nd-neighbor-solicit";
	case ND_NEIGHBOR_ADVERT:
		return "nd-neighbor-advert";
	case ND_REDIRECT:
		return "nd-redirect";
	default:
		return "mld2-listener-report";
	}
}

static void print_verdict(const struct nft_verdict *verdict, FILE *out)
{
	static const char *const words[] = {"accept", "drop", "return", "jump", "goto"};

	fputs(words[verdict->kind], out);
	if (verdict->kind == NFT_VERDICT_JUMP || verdict->kind == NFT_VERDICT_GOTO)
		fprintf(out, " %s", verdict->chain);
}

/* A host without its /32 or /128, as nft lists it. */
static void print_prefix(const struct prefix *prefix, FILE *out)
{
	char text[PREFIX_TEXT_MAX];

	if (prefix->len == addr_bytes((enum family)prefix->addr.family) * 8)
		fputs(addr_format(&prefix->addr, text), out);
	else
		fputs(prefix_format(prefix, text), out);
}

static void print_ports(const struct nft_ports *ports, FILE *out)
{
	fprintf(out, "%u", ports->first);
	if (ports->last != ports->first)
		fprintf(out, "-%u", ports->last);
}

static void print_item(const struct nft_stmt *stmt, size_t i, FILE *out)
{
	if (stmt->ports)
		print_ports(&stmt->ports[i], out);
	else if (stmt->prefixes)
		print_prefix(&stmt->prefixes[i], out);
	else if (stmt->kind == NFT_STMT_PROTOS)
		fprintf(out, "%u", stmt->types[i]);
	else
		fputs(icmpv6_word(stmt->types[i]), out);
}

/* One as it is, several in braces. */
static void print_list(const struct nft_stmt *stmt, FILE *out)
{
	if (stmt->n > 1)
		fputs("{ ", out);
	for (size_t i = 0; i < stmt->n; i++) {
		if (i > 0)
			fputs(", ", out);
		print_item(stmt, i, out);
	}
	if (stmt->n > 1)
		fputs(" }", out);
}

static void print_ether(const uint8_t ether[static NFT_ETHER_BYTES], FILE *out)
{
	for (size_t i = 0; i < NFT_ETHER_BYTES; i++)
		fprintf(out, "%s%02x", i > 0 ? ":" : "", ether[i]);
}

/* As nft lists what has no type: a number, without zeros in front. */
static void print_number(const uint8_t *bytes, size_t n, FILE *out)
{
	char digits[2 * sizeof(((struct addr *)NULL)->b) + 1] = "0";
	size_t zeros;

	for (size_t i = 0; i < n; i++)
		(void)snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
	zeros = strspn(digits, "0");
	fprintf(out, "0x%s", digits[zeros] ? digits + zeros : "0");
}

static void print_nd_target(const struct nft_stmt *stmt, FILE *out)
{
	const struct prefix *prefix = &stmt->prefixes[0];
	size_t bytes = (prefix->len + 7u) / 8;
	uint8_t mask[sizeof(prefix->addr.b)] = {0};

	fprintf(out, "@th,64,%zu ", bytes * 8);
	for (unsigned bit = 0; bit < prefix->len; bit++)
		mask[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
	if (prefix->len % 8 != 0) {
		fputs("& ", out);
		print_number(mask, bytes, out);
		fputs(stmt->negate ? " " : " == ", out);
	}
	fputs(stmt->negate ? "!= " : "", out);
	print_number(prefix->addr.b, bytes, out);
}

/* Comments are fit for this, and so are the names of interfaces that manifests name; the kernel
 * lets others have almost any name. */
static void print_quoted(const char *text, FILE *out)
{
	fputc('"', out);
	escape_print(out, ESCAPE_NFT, text);
	fputc('"', out);
}
static const char *const dhcp_words[FAMILY_COUNT][2] = {
	[FAMILY_V4] = {[NFT_DIR_SOURCE] = "udp sport 68 udp dport 67",
		       [NFT_DIR_DESTINATION] = "udp sport 67 udp dport 68"},
	[FAMILY_V6] = {[NFT_DIR_SOURCE] = "udp sport 546 udp dport 547",
		       [NFT_DIR_DESTINATION] = "udp sport 547 udp dport 546"},
};

static void print_stmt(const struct nft_stmt *stmt, enum nft_table table, FILE *out)
{
	const char *family = family_words[stmt->family], *addr = addr_words[stmt->dir];
	const char *negation = stmt->negate ? "!= " : "";

	switch (stmt->kind) {
	case NFT_STMT_CT_ESTABLISHED:
		fputs("ct state established,related", out);
		break;
	case NFT_STMT_CT_OTHER:
		fputs("ct state != established", out);
		break;
	case NFT_STMT_ICMPV6_TYPES:
		fputs("icmpv6 type ", out);
		print_list(stmt, out);
		break;
	case NFT_STMT_HOPLIMIT:
		fprintf(out, "ip6 hoplimit %u", stmt->hoplimit);
		break;
	case NFT_STMT_FAMILY:
		if (table == NFT_TABLE_BRIDGE)
			fprintf(out, "meta protocol %s", family);
		else
			fprintf(out, "meta nfproto %s",
				stmt->family == FAMILY_V4 ? "ipv4" : "ipv6");
		break;
	case NFT_STMT_ADDR:
		fprintf(out, "%s %s %s", family, addr, negation);
		print_list(stmt, out);
		break;
	case NFT_STMT_ADDR_SET:
		fprintf(out, "%s %s @%s", family, addr, stmt->name);
		break;
	case NFT_STMT_TUPLE_SET:
		fprintf(out, "%s %s . meta l4proto . th dport @%s", family, addr, stmt->name);
		break;
	case NFT_STMT_FLOW_SET:
		fprintf(out, "%s saddr . %s daddr . meta l4proto . th sport . th dport @%s", family,
			family, stmt->name);
		break;
	case NFT_STMT_PROTO:
		fprintf(out, "meta l4proto %s%s", negation, proto_word(stmt->proto));
		break;
	case NFT_STMT_PROTOS:
		fputs("meta l4proto ", out);
		print_list(stmt, out);
		break;
	case NFT_STMT_TCP_NOT_SYN:
		fputs("tcp flags != syn / syn,ack", out);
		break;
	case NFT_STMT_SCTP_NOT_INIT:
		fputs("meta l4proto sctp @th,96,8 != 0x1", out);
		break;
	case NFT_STMT_PORTS:
		fprintf(out, "%s dport ", proto_word(stmt->proto));
		print_list(stmt, out);
		break;
	case NFT_STMT_PORT_SET:
		fprintf(out, "%s dport %s@%s", proto_word(stmt->proto), negation, stmt->name);
		break;
	case NFT_STMT_DHCP:
		fputs(dhcp_words[stmt->family][stmt->dir], out);
		break;
	case NFT_STMT_LOCAL_SOURCE:
		fputs("fib saddr type local", out);
		break;
	case NFT_STMT_INTERFACE_SET:
		fprintf(out, "%s @%s", interface_words[stmt->dir], stmt->name);
		break;
	case NFT_STMT_INTERFACE:
		fprintf(out, "%s ", interface_words[stmt->dir]);
		print_quoted(stmt->name, out);
		break;
	case NFT_STMT_INTERFACE_KIND:
		fputs("meta iifkind ", out);
		print_quoted(stmt->name, out);
		break;
	case NFT_STMT_INTERFACE_MAP:
		fprintf(out, "%s vmap @%s", interface_words[stmt->dir], stmt->name);
		break;
	case NFT_STMT_INDEX_MAP:
		fprintf(out, "%s vmap @%s", index_words[stmt->dir], stmt->name);
		break;
	case NFT_STMT_ADDR_MAP:
		fprintf(out, "%s %s vmap @%s", family, addr, stmt->name);
		break;
	case NFT_STMT_PORT_MAP:
		fprintf(out, "th dport . meta l4proto vmap @%s", stmt->name);
		break;
	case NFT_STMT_VLAN:
		fputs("ether type { 8021q, 8021ad }", out);
		break;
	case NFT_STMT_ETHER_SOURCE:
		fprintf(out, "ether saddr %s", negation);
		print_ether(stmt->ether, out);
		break;
	case NFT_STMT_ETHER_FRAME:
		fputs("ether saddr ", out);
		print_ether(stmt->ether, out);
		fprintf(out, " ether type %s", family);
		break;
	case NFT_STMT_ETHER_TYPE:
		fprintf(out, "ether type %s", family);
		break;
	case NFT_STMT_ETHER_GROUP:
		fputs("ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00", out);
		break;
	case NFT_STMT_ARP_SOURCE:
		fprintf(out, "arp saddr ip %s", negation);
		print_list(stmt, out);
		break;
	case NFT_STMT_ND_TARGET:
		print_nd_target(stmt, out);
		break;
	case NFT_STMT_COUNTER:
		fputs("counter", out);
		break;
	case NFT_STMT_VERDICT:
		print_verdict(&stmt->verdict, out);
		break;
	}
}

static void print_rule(const struct nft_rule *rule, enum nft_table table, FILE *out)
{
	fputs("\t\t", out);
	for (size_t i = 0; i < rule->stmts.n; i++) {
		if (i > 0)
			fputc(' ', out);
		print_stmt(&rule->stmts.v[i], table, out);
	}
	if (rule->comment[0])
		fprintf(out, " comment \"%s\"", rule->comment);
	fputc('\n', out);
}

/* Priorities as nft lists them: it has words for few hooks. */
static void print_hook(const struct nft_chain *chain, enum nft_table table, FILE *out)
{
	switch (chain->hook) {
	case NFT_HOOK_NONE:
		return;
	case NFT_HOOK_FORWARD:
		fputs("\t\ttype filter hook forward priority filter", out);
		break;
	case NFT_HOOK_INPUT:
		fprintf(out, "\t\ttype filter hook input priority %d", NFT_INPUT_PRIORITY);
		break;
	case NFT_HOOK_POSTROUTING:
		fprintf(out, "\t\ttype filter hook postrouting priority srcnat - %d",
			SRCNAT - NFT_POSTROUTING_PRIORITY);
		break;
	case NFT_HOOK_PREROUTING:
		fprintf(out, "\t\ttype filter hook prerouting priority %s",
			table == NFT_TABLE_BRIDGE ? "dstnat" : "raw");
		break;
	case NFT_HOOK_OUTPUT:
		fputs("\t\ttype filter hook output priority filter", out);
		break;
	}
	fputs("; policy accept;\n", out);
}

static void print_chain(const struct nft_chain *chain, enum nft_table table, FILE *out)
{
	fprintf(out, "\tchain %s {\n", chain->name);
	if (chain->comment[0])
		fprintf(out, "\t\tcomment \"%s\"\n", chain->comment);
	print_hook(chain, table, out);
	for (size_t i = 0; i < chain->rules.n; i++)
		print_rule(&chain->rules.v[i], table, out);
	fputs("\t}\n", out);
}

static const char *type_words(enum nft_set_type type)
{
	static const char *const words[] = {
		[NFT_SET_TYPE_IPV4] = "ipv4_addr",
		[NFT_SET_TYPE_IPV6] = "ipv6_addr",
		[NFT_SET_TYPE_INTERFACE] = "ifname",
		[NFT_SET_TYPE_INDEX] = "iface_index",
		[NFT_SET_TYPE_PORT] = "inet_service",
		[NFT_SET_TYPE_PORT_PROTO] = "inet_service . inet_proto",
		[NFT_SET_TYPE_IPV4_TUPLE] = "ipv4_addr . inet_proto . inet_service",
		[NFT_SET_TYPE_IPV6_TUPLE] = "ipv6_addr . inet_proto . inet_service",
		[NFT_SET_TYPE_IPV4_FLOW] =
			"ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service",
		[NFT_SET_TYPE_IPV6_FLOW] =
			"ipv6_addr . ipv6_addr . inet_proto . inet_service . inet_service",
	};

	return words[type];
}

static struct addr key_addr(const struct nft_key *key, enum family family)
{
	struct addr addr = {.family = (uint8_t)family};

	memcpy(addr.b, key->bytes, sizeof(addr.b));
	return addr;
}

/* An address, or an interval of them: a prefix where it is one, as nft lists it. */
static int format_addr(const struct nft_set *set, const struct nft_elem *elem, enum family family,
		       char *to, size_t len)
{
	struct addr first = key_addr(&elem->key, family);
	struct addr last = set->interval ? key_addr(&elem->extra->last, family) : first;
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];
	size_t bits = addr_bytes(family) * 8, common = 0;

	while (common < bits &&
	       !((first.b[common / 8] ^ last.b[common / 8]) & (0x80u >> (common % 8))))
		common++;
	if (common == bits)
		return snprintf(to, len, "%s", addr_format(&first, a));
	for (size_t bit = common; bit < bits; bit++) {
		unsigned flag = 0x80u >> (bit % 8);

		if ((first.b[bit / 8] & flag) || !(last.b[bit / 8] & flag))
			return snprintf(to, len, "%s-%s", addr_format(&first, a),
					addr_format(&last, b));
	}
	return snprintf(to, len, "%s/%zu", addr_format(&first, a), common);
}

static int format_interface(const struct nft_key *key, char *to, size_t len)
{
	char name[sizeof(key->bytes) + 1] = "", escaped[sizeof(key->bytes) * 4 + 1];

	memcpy(name, key->bytes, sizeof(key->bytes));
	(void)escape_copy(escaped, sizeof(escaped), ESCAPE_NFT, name);
	return snprintf(to, len, "\"%s\"", escaped);
}

static int format_flow(const struct nft_key *key, enum family family, char *to, size_t len)
{
	struct addr from = key_addr(key, family), peer = {.family = (uint8_t)family};
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];

	memcpy(peer.b, key->peer, sizeof(peer.b));
	return snprintf(to, len, "%s . %s . %s . %u . %u", addr_format(&from, a),
			addr_format(&peer, b), proto_word(key->proto), key->port, key->peer_port);
}

static int format_key(const struct nft_set *set, const struct nft_elem *elem, char *to, size_t len)
{
	const struct nft_key *key = &elem->key;
	char text[ADDR_TEXT_MAX];
	struct addr addr;
	uint32_t index;

	switch (set->type) {
	case NFT_SET_TYPE_IPV4:
		return format_addr(set, elem, FAMILY_V4, to, len);
	case NFT_SET_TYPE_IPV6:
		return format_addr(set, elem, FAMILY_V6, to, len);
	case NFT_SET_TYPE_INTERFACE:
		return format_interface(key, to, len);
	case NFT_SET_TYPE_INDEX:
		memcpy(&index, key->bytes, sizeof(index));
		return snprintf(to, len, "%u", index);
	case NFT_SET_TYPE_PORT:
		return snprintf(to, len, "%u", key->port);
	case NFT_SET_TYPE_PORT_PROTO:
		if (set->interval && elem->extra->last.port > key->port)
			return snprintf(to, len, "%u-%u . %s", key->port, elem->extra->last.port,
					proto_word(key->proto));
		return snprintf(to, len, "%u . %s", key->port, proto_word(key->proto));
	case NFT_SET_TYPE_IPV4_TUPLE:
	case NFT_SET_TYPE_IPV6_TUPLE:
		addr = key_addr(key, set->type == NFT_SET_TYPE_IPV4_TUPLE ? FAMILY_V4 : FAMILY_V6);
		return snprintf(to, len, "%s . %s . %u", addr_format(&addr, text),
				proto_word(key->proto), key->port);
	case NFT_SET_TYPE_IPV4_FLOW:
	case NFT_SET_TYPE_IPV6_FLOW:
		return format_flow(key, set->type == NFT_SET_TYPE_IPV4_FLOW ? FAMILY_V4 : FAMILY_V6,
				   to, len);
	}
	return 0;
}

static void print_map_elem(const struct nft_set *set, const struct nft_elem *elem, bool last,
			   FILE *out)
{
	char key[128];

	(void)format_key(set, elem, key, sizeof(key)); /* fits: bounded types */
	fprintf(out, "\t\t\t%s", key);
	if (elem->extra && elem->extra->comment[0])
		fprintf(out, " comment \"%s\"", elem->extra->comment);
	fputs(" : ", out);
	print_verdict(&elem->extra->verdict, out);
	fputs(last ? "\n" : ",\n", out);
}

static int print_elems(const struct nft_set *set, FILE *out)
{
	size_t n = HASH_COUNT(set->elems), column = 0;
	const struct nft_elem **sorted = nft_set_sorted(set);

	if (n == 0)
		return 0;
	if (!sorted)
		return -ENOMEM;
	fputs("\t\telements = {\n", out);
	for (size_t i = 0; i < n; i++) {
		char key[128];

		if (set->map) {
			print_map_elem(set, sorted[i], i + 1 == n, out);
			continue;
		}
		size_t len = (size_t)format_key(set, sorted[i], key, sizeof(key));
		if (column > 0 && column + len + 2 > ELEMENTS_WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		fprintf(out, "%s%s%s", column == 0 ? "\t\t\t" : " ", key, i + 1 == n ? "\n" : ",");
		column += len + 2;
	}
	fputs("\t\t}\n", out);
	free(sorted);
	return 0;
}

static int print_set(const struct nft_set *set, FILE *out)
{
	fprintf(out, "\t%s %s {\n\t\ttype %s%s\n", set->map ? "map" : "set", set->name,
		type_words(set->type), set->map ? " : verdict" : "");
	if (nft_set_size(set->type) > 0)
		fprintf(out, "\t\tsize %u\n", nft_set_size(set->type));
	if (set->interval)
		fputs("\t\tflags interval\n", out);
	if (set->comment[0])
		fprintf(out, "\t\tcomment \"%s\"\n", set->comment);
	int rc = print_elems(set, out);
	fputs("\t}\n", out);
	return rc;
}

static int compare_sets(const void *a, const void *b)
{
	const struct nft_set *x = *(const struct nft_set *const *)a;
	const struct nft_set *y = *(const struct nft_set *const *)b;

	return strcmp(x->name, y->name);
}

/* Base chains first, then what they lead to. */
static int compare_chains(const void *a, const void *b)
{
	const struct nft_chain *x = *(const struct nft_chain *const *)a;
	const struct nft_chain *y = *(const struct nft_chain *const *)b;

	if ((x->hook == NFT_HOOK_NONE) != (y->hook == NFT_HOOK_NONE))
		return x->hook == NFT_HOOK_NONE ? 1 : -1;
	return strcmp(x->name, y->name);
}

static int print_sets(const struct ruleset *ruleset, enum nft_table table, FILE *out)
{
	size_t n = HASH_COUNT(ruleset->sets), i = 0;
	const struct nft_set **sorted = malloc((n + 1) * sizeof(sorted[0]));
	int rc = 0;

	if (!sorted)
		return -ENOMEM;
	for (const struct nft_set *set = ruleset->sets; set; set = set->hh.next) {
		if (set->table == table)
			sorted[i++] = set;
	}
	n = i;
	qsort(sorted, n, sizeof(sorted[0]), compare_sets);
	for (i = 0; i < n && rc == 0; i++) {
		rc = print_set(sorted[i], out);
		fputc('\n', out);
	}
	free(sorted);
	return rc;
}

static int print_chains(const struct ruleset *ruleset, enum nft_table table, FILE *out)
{
	size_t n = HASH_COUNT(ruleset->chains[table]), i = 0;
	const struct nft_chain **sorted = malloc((n + 1) * sizeof(sorted[0]));

	if (!sorted)
		return -ENOMEM;
	for (const struct nft_chain *chain = ruleset->chains[table]; chain; chain = chain->hh.next)
		sorted[i++] = chain;
	qsort(sorted, n, sizeof(sorted[0]), compare_chains);
	for (i = 0; i < n; i++) {
		if (i > 0)
			fputc('\n', out);
		print_chain(sorted[i], table, out);
	}
	free(sorted);
	return 0;
}

/* Made, so that it can be removed; removed, so that it can be made: one transaction, any start. */
static void print_reset(const char *family, FILE *out)
{
	fprintf(out, "table %s " NFT_TABLE_NAME "\ndelete table %s " NFT_TABLE_NAME "\n", family,
		family);
}

static int print_table(const struct ruleset *ruleset, enum nft_table table, FILE *out)
{
	int rc;

	fprintf(out, "\ntable %s " NFT_TABLE_NAME " {\n", nft_table_word(table));
	rc = print_sets(ruleset, table, out);
	if (rc == 0)
		rc = print_chains(ruleset, table, out);
	fputs("}\n", out);
	return rc;
}

/* A kernel may lack the family of a table: what is not needed is not asked for. */
int ruleset_print(const struct ruleset *ruleset, FILE *out)
{
	int rc = 0;

	for (int table = 0; table < NFT_TABLE_COUNT; table++) {
		if (table == NFT_TABLE_POLICY || ruleset->chains[table])
			print_reset(nft_table_word((enum nft_table)table), out);
	}
	for (int table = 0; table < NFT_TABLE_COUNT && rc == 0; table++) {
		if (table == NFT_TABLE_POLICY || ruleset->chains[table])
			rc = print_table(ruleset, (enum nft_table)table, out);
	}
	if (rc == 0 && ferror(out))
		return -EIO;
	return rc;
}
