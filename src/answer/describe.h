/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules in words, for explanations. */
#ifndef ANSWER_DESCRIBE_H
#define ANSWER_DESCRIBE_H

#include <stdio.h>

#include "policy/eval.h"

/* "pods app=web of namespaces team=a, or 10.0.0.0/8 except 10.1.0.0/16"; "anyone". */
void describe_peers(FILE *out, const struct policy_rule *rule);

/* "tcp/80, tcp/http, udp/5000-5100"; "any port". */
void describe_ports(FILE *out, const struct policy_rule *rule);

/* "shop/web (10.0.0.1)", "10.0.0.9 (outside)", "node n1 (192.168.0.1)". */
void describe_end(FILE *out, const struct flow_end *end);

/* "tcp/80-90", "other protocols". */
void describe_stretch(FILE *out, const struct flow_stretch *stretch);

#endif
