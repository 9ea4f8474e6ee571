# SPDX-License-Identifier: GPL-2.0-or-later
"""Truth tables for the oracle, written by hand from the specification (the numbers are sections of SEMANTICS.md)."""

import ipaddress
import random
import unittest

import generate
from oracle import LAST_PORT, OTHER_PROTOCOL, PROTOCOLS, Oracle, answer

MISSING = object()


# ---------------------------------------------------------------------------------------------------------------------
# Objects, as short as they get


def name_and_labels(where, labels):
    namespace, _, name = where.rpartition("/")
    metadata = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = labels
    return metadata


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": name_and_labels(name, labels)}


def node(name, *addresses):
    status = {"addresses": [{"type": "InternalIP", "address": address} for address in addresses]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


def container(*ports, name="c", **rest):
    """ports: (name, protocol, number)"""
    written = []
    for port_name, protocol, number in ports:
        port = {"containerPort": number}
        if port_name:
            port["name"] = port_name
        if protocol:
            port["protocol"] = protocol
        written.append(port)
    return {"name": name, "image": "i", "ports": written, **rest}


def pod(where, *ips, labels=None, ports=(), phase="Running", created=None, deleted=False, status=None, **spec):
    metadata = name_and_labels(where, labels)
    if created:
        metadata["creationTimestamp"] = created
    if deleted:
        metadata["deletionTimestamp"] = "2024-06-01T00:00:00Z"
    found = {"phase": phase} if phase else {}
    if ips:
        found["podIPs"] = [{"ip": ip} for ip in ips]
        found["podIP"] = ips[0]
    found.update(status or {})
    spec = {"containers": [container(*ports)], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": found}


def policy(where, selector=MISSING, types=MISSING, ingress=MISSING, egress=MISSING):
    spec = {"podSelector": selector, "policyTypes": types, "ingress": ingress, "egress": egress}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": name_and_labels(where, None),
        "spec": {key: value for key, value in spec.items() if value is not MISSING},
    }


def workload(kind, where, labels=None, template=None, **spec):
    inner = {"containers": [container()], **(template or {})}
    spec["template"] = {"metadata": {"labels": labels or {"app": "w"}}, "spec": inner}
    if kind == "CronJob":
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": spec}}
    elif kind not in ("Job", "ReplicationController"):
        spec["selector"] = {"matchLabels": labels or {"app": "w"}}
    return {"apiVersion": "v1", "kind": kind, "metadata": name_and_labels(where, None), "spec": spec}


def block(cidr, *excepts):
    return {"ipBlock": {"cidr": cidr, "except": list(excepts)} if excepts else {"cidr": cidr}}


def expressions(*items):
    """items: (key, operator, values...)"""
    return {
        "matchExpressions": [
            {"key": key, "operator": operator, **({"values": values} if values else {})}
            for key, operator, *values in items
        ]
    }


A = pod("x/a", "10.0.0.1", labels={"pod": "a"})
B = pod("x/b", "10.0.0.2", labels={"pod": "b"})
C = pod("y/c", "10.0.1.3")
DENY_IN = policy("x/deny", {}, ["Ingress"])
DENY_BOTH = policy("x/deny", {}, ["Ingress", "Egress"])
OUTSIDE = "192.0.2.1"


class Case(unittest.TestCase):
    maxDiff = None

    def check(self, objects, table):
        """table: lines of "FROM TO PROTO VERDICT EGRESS INGRESS"; one word for the three if they are the same."""
        oracle = Oracle(objects)
        lines = [line.split() for line in table.strip().splitlines()]
        said = []
        for frm, to, proto, *_ in lines:
            verdict = oracle.verdict(frm, to, proto)
            said.append([frm, to, proto, verdict["verdict"], verdict["egress"], verdict["ingress"]])
        self.assertEqual([line if len(line) == 6 else line[:3] + line[3:] * 3 for line in lines], said)

    def ingress(self, rule, table, others=()):
        """One rule on x/b; table lines: FROM PROTO VERDICT."""
        objects = [A, B, C, policy("x/np", {"matchLabels": {"pod": "b"}}, ["Ingress"], [rule]), *others]
        oracle = Oracle(objects)
        lines = [line.split() for line in table.strip().splitlines()]
        said = [[frm, proto, oracle.verdict(frm, "x/b", proto)["verdict"]] for frm, proto, _ in lines]
        self.assertEqual(lines, said)


# ---------------------------------------------------------------------------------------------------------------------


class Defaults(Case):
    def test_no_policy_allows_everything(self):
        self.check([A, B, C], f"""
            x/a x/b any allow
            x/a {OUTSIDE} any allow
            {OUTSIDE} y/c icmp allow
            {OUTSIDE} 192.0.2.2 any allow
        """)

    def test_missing_and_null_pod_selector_select_every_pod_of_the_namespace(self):  # 1.1
        for selector in (MISSING, None, {}):
            self.check([A, B, C, policy("x/np", selector)], """
                x/a x/b tcp/80 deny allow deny
                y/c x/a tcp/80 deny allow deny
                x/a y/c tcp/80 allow
            """)

    def test_policy_types_default_to_ingress(self):  # 1.1
        for types in (MISSING, None, []):
            for egress in (MISSING, None, []):
                self.check([A, B, C, policy("x/np", {}, types, egress=egress)], """
                    y/c x/a tcp/80 deny allow deny
                    x/a y/c tcp/80 allow
                """)

    def test_policy_types_default_to_both_when_there_are_egress_rules(self):  # 1.1: ingress is isolated
        self.check([A, B, C, policy("x/np", {}, egress=[{"ports": [{"port": 80}]}])], """
            y/c x/a tcp/80 deny allow deny
            x/a y/c tcp/80 allow
            x/a y/c tcp/81 deny deny allow
        """)

    def test_rules_of_a_direction_not_in_policy_types_are_ignored(self):  # 1.1
        self.check([A, B, C, policy("x/np", {}, ["Egress"], ingress=[{"ports": [{"port": 1}]}], egress=[])], """
            y/c x/a tcp/80 allow
            x/a y/c tcp/80 deny deny allow
        """)

    def test_duplicate_policy_types(self):  # 1.1
        self.check([A, B, C, policy("x/np", {}, ["Egress", "Egress"])], """
            y/c x/a tcp/80 allow
            x/a y/c tcp/80 deny deny allow
        """)

    def test_empty_rule_list_is_no_rule(self):  # 1.1 TRAP
        for rules in (MISSING, None, []):
            self.check([A, B, policy("x/np", {}, ["Ingress", "Egress"], rules, rules)], "x/a x/b tcp/80 deny")

    def test_missing_namespace_is_default(self):
        self.check([pod("p", "10.0.0.1"), pod("default/q", "10.0.0.2"), policy("np", {})], """
            default/p default/q tcp/80 deny allow deny
            x/p default/q tcp/80 none
        """)

    def test_namespace_has_its_name_as_label_whatever_it_says(self):  # 1.1
        peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "y"}}}
        liar = namespace("z", **{"kubernetes.io/metadata.name": "y"})
        d = pod("z/d", "10.0.2.4")
        for others in ([liar, d], [liar, d, namespace("y", **{"kubernetes.io/metadata.name": "q"})]):
            self.ingress({"from": [peer]}, """
                y/c tcp/80 allow
                z/d tcp/80 deny
                x/a tcp/80 deny
            """, others)

    def test_undeclared_namespace_has_only_that_label(self):
        self.ingress({"from": [{"namespaceSelector": expressions(("a", "DoesNotExist"))}]}, "y/c tcp/80 allow")
        self.ingress({"from": [{"namespaceSelector": {"matchLabels": {"a": "1"}}}]}, "y/c tcp/80 deny")


class Combination(Case):
    def test_both_ends_must_allow(self):  # 1.2
        allow_in = policy("x/in", {}, ["Ingress"], [{}])
        self.check([A, B, DENY_BOTH, allow_in], "x/a x/b tcp/80 deny deny allow")
        allow_out = policy("x/out", {}, ["Egress"], egress=[{}])
        self.check([A, B, DENY_BOTH, allow_out], "x/a x/b tcp/80 deny allow deny")
        self.check([A, B, DENY_BOTH, allow_in, allow_out], "x/a x/b tcp/80 allow")

    def test_directions_may_fail_at_different_ports(self):
        out = policy("x/out", {}, ["Egress"], egress=[{"ports": [{"port": 80}]}])
        into = policy("x/in", {}, ["Ingress"], ingress=[{"ports": [{"port": 81}]}])
        self.check([A, B, out, into], """
            x/a x/b tcp deny mixed mixed
            x/a x/b tcp/80 deny allow deny
            x/a x/b tcp/81 deny deny allow
        """)

    def test_union_of_policies(self):  # 1.2
        one = policy("x/one", {}, ["Ingress"], [{"ports": [{"port": 80}]}])
        two = policy("x/two", {"matchLabels": {"pod": "b"}}, ["Ingress"], [{"ports": [{"port": 81}]}])
        self.check([A, B, C, one, two], """
            y/c x/b tcp/80 allow
            y/c x/b tcp/81 allow
            y/c x/b tcp/82 deny allow deny
            y/c x/a tcp/80 allow
            y/c x/a tcp/81 deny allow deny
        """)

    def test_order_of_rules_and_policies_is_irrelevant(self):  # 1.2
        rules = [{"ports": [{"port": 80}]}, {"ports": [{"port": 81}]}]
        for wanted in (rules, rules[::-1]):
            self.check([A, C, policy("x/np", {}, ["Ingress"], wanted)], """
                y/c x/a tcp/80 allow
                y/c x/a tcp/81 allow
            """)
        rules = [{"from": [block("10.0.1.3/32")]}, {"from": [block("10.0.1.4/32")]}]
        for wanted in (rules, rules[::-1]):
            self.check([A, C, policy("x/np", {}, ["Ingress"], wanted)], "y/c x/a tcp/80 allow")
        allow_all = policy("x/all", {}, ["Ingress"], [{}])
        for policies in ([DENY_IN, allow_all], [allow_all, DENY_IN]):
            self.check([A, C, *policies], "y/c x/a any allow")

    def test_policy_does_not_reach_other_namespaces(self):  # 1.1
        self.check([A, C, policy("x/np", {}, ["Ingress", "Egress"])], "y/c 192.0.2.1 tcp/80 allow")

    def test_peer_and_port_of_one_rule_are_both_needed(self):  # 1.2
        rules = [{"from": [block("10.0.0.1/32")], "ports": [{"port": 80}]},
                 {"from": [block("10.0.1.3/32")], "ports": [{"port": 81}]}]
        self.check([A, B, C, policy("x/np", {}, ["Ingress"], rules)], """
            x/a x/b tcp/80 allow
            x/a x/b tcp/81 deny allow deny
            y/c x/b tcp/80 deny allow deny
            y/c x/b tcp/81 allow
        """)

    def test_peers_times_ports(self):  # 1.2
        self.ingress({"from": [block("10.0.0.1/32"), block("10.0.1.3/32")], "ports": [{"port": 80}, {"port": 81}]}, """
            x/a tcp/80 allow
            x/a tcp/81 allow
            y/c tcp/80 allow
            y/c tcp/81 allow
            192.0.2.1 tcp/80 deny
        """)

    def test_empty_rule_allows_everything(self):  # 1.2
        for rule in ({}, {"from": None, "ports": None}, {"from": [], "ports": []}):
            self.ingress(rule, """
                192.0.2.1 any allow
                2001:db8::1 any none
                y/c icmp allow
            """)

    def test_any_peer_is_anybody(self):  # 1.2: "incl. external and host"
        self.ingress({"ports": [{"port": 80}]}, """
            192.0.2.1 tcp/80 allow
            192.0.2.9 tcp/80 allow
            y/c tcp/80 allow
        """, [node("n1", "192.0.2.9")])


class Peers(Case):
    def test_pod_selector_alone_is_the_policys_namespace(self):  # 1.3
        self.ingress({"from": [{"podSelector": {}}]}, """
            x/a tcp/80 allow
            y/c tcp/80 deny
            192.0.2.1 tcp/80 deny
        """)

    def test_namespace_selector_alone_is_all_their_pods(self):  # 1.3
        self.ingress({"from": [{"namespaceSelector": {}}]}, """
            x/a tcp/80 allow
            y/c tcp/80 allow
            192.0.2.1 tcp/80 deny
        """)

    def test_both_in_one_item_are_and_two_items_are_or(self):  # 1.3
        d = pod("y/d", "10.0.1.4", labels={"pod": "a"})
        in_y, is_a = {"matchLabels": {"kubernetes.io/metadata.name": "y"}}, {"matchLabels": {"pod": "a"}}
        self.ingress({"from": [{"namespaceSelector": in_y, "podSelector": is_a}]}, """
            x/a tcp/80 deny
            y/c tcp/80 deny
            y/d tcp/80 allow
        """, [d])
        self.ingress({"from": [{"namespaceSelector": in_y}, {"podSelector": is_a}]}, """
            x/a tcp/80 allow
            y/c tcp/80 allow
            y/d tcp/80 allow
        """, [d])

    def test_null_selector_in_a_peer_is_absent(self):  # 1.3
        self.ingress({"from": [{"podSelector": {}, "namespaceSelector": None, "ipBlock": None}]}, """
            x/a tcp/80 allow
            y/c tcp/80 deny
        """)

    def test_block_matches_pods(self):  # 1.3 TRAP
        self.ingress({"from": [block("10.0.1.0/24")]}, """
            x/a tcp/80 deny
            y/c tcp/80 allow
            10.0.1.255 tcp/80 allow
            10.0.2.0 tcp/80 deny
            10.0.0.255 tcp/80 deny
        """)

    def test_except(self):  # 1.3
        rule = {"from": [block("10.0.0.0/16", "10.0.1.0/24", "10.0.1.3/32", "10.0.1.0/24", "10.0.2.0/23")]}
        self.ingress(rule, """
            10.0.0.255 tcp/80 allow
            y/c tcp/80 deny
            10.0.1.4 tcp/80 deny
            10.0.2.0 tcp/80 deny
            10.0.3.255 tcp/80 deny
            10.0.4.0 tcp/80 allow
        """)

    def test_an_excepted_address_is_allowed_by_another_peer(self):  # 1.3
        self.ingress({"from": [block("10.0.0.0/8", "10.0.1.0/24"), block("10.0.1.3/32")]}, """
            y/c tcp/80 allow
            10.0.1.4 tcp/80 deny
        """)

    def test_families_do_not_match_each_other(self):  # 1.3
        dual, out6 = pod("x/b", "10.0.0.2", "fd00::2"), "2001:db8::1"
        for cidr, four, six in (("0.0.0.0/0", "allow", "deny"), ("::/0", "deny", "allow")):
            objects = [dual, policy("x/np", {}, ["Ingress"], [{"from": [block(cidr)]}])]
            self.check(objects, f"""
                {OUTSIDE} x/b tcp/80 {four} allow {four}
                {out6} x/b tcp/80 {six} allow {six}
            """)

    def test_mapped_address_is_ipv4(self):
        self.ingress({"from": [block("10.0.1.0/24")]}, """
            ::ffff:10.0.1.3 tcp/80 allow
            ::ffff:10.0.0.1 tcp/80 deny
            ::ffff:a00:1ff tcp/80 allow
        """)

    def test_addresses_are_compared_as_values(self):
        objects = [pod("x/a", "fd00::1"), pod("x/b", "FD00:0::2"), policy("x/np", {}, ["Ingress"], [
            {"from": [{"podSelector": {}}]}])]
        self.check(objects, """
            FD00:0:0::1 x/b tcp/80 allow
            fd00::1 fd00:0:0:0:0:0:0:2 tcp/80 allow
            fd00::3 fd00::2 tcp/80 deny allow deny
        """)

    def test_an_address_is_its_pod(self):
        self.ingress({"from": [{"podSelector": {"matchLabels": {"pod": "a"}}}]}, """
            10.0.0.1 tcp/80 allow
            10.0.1.3 tcp/80 deny
        """)


class Selectors(Case):
    def selected(self, selector, *labels):
        """Is a pod with these labels selected?"""
        objects = [pod("x/p", "10.0.0.1", labels=dict(labels)), policy("x/np", selector)]
        return Oracle(objects).verdict(OUTSIDE, "x/p", "tcp/80")["verdict"] == "deny"

    def test_empty_value_is_not_absence(self):  # 1.5
        self.assertTrue(self.selected({"matchLabels": {"k": ""}}, ("k", "")))
        self.assertFalse(self.selected({"matchLabels": {"k": ""}}))
        self.assertTrue(self.selected(expressions(("k", "In", "")), ("k", "")))
        self.assertFalse(self.selected(expressions(("k", "In", ""))))

    def test_in(self):
        self.assertTrue(self.selected(expressions(("k", "In", "1", "2")), ("k", "2")))
        self.assertFalse(self.selected(expressions(("k", "In", "1", "2")), ("k", "3")))

    def test_not_in_is_true_of_an_absent_key(self):  # 1.5 TRAP
        self.assertTrue(self.selected(expressions(("k", "NotIn", "1"))))
        self.assertTrue(self.selected(expressions(("k", "NotIn", "1")), ("k", "")))
        self.assertFalse(self.selected(expressions(("k", "NotIn", "1", "2")), ("k", "2")))

    def test_exists_and_does_not_exist(self):  # 1.5
        self.assertTrue(self.selected(expressions(("k", "Exists")), ("k", "")))
        self.assertFalse(self.selected(expressions(("k", "Exists"))))
        self.assertFalse(self.selected(expressions(("k", "DoesNotExist")), ("k", "")))
        self.assertTrue(self.selected(expressions(("k", "DoesNotExist"))))

    def test_everything_in_a_selector_is_and(self):  # 1.5
        selector = {"matchLabels": {"a": "1"}, **expressions(("b", "Exists"), ("c", "DoesNotExist"))}
        self.assertTrue(self.selected(selector, ("a", "1"), ("b", "")))
        self.assertFalse(self.selected(selector, ("a", "1")))
        self.assertFalse(self.selected(selector, ("b", "")))
        self.assertFalse(self.selected(selector, ("a", "1"), ("b", ""), ("c", "")))

    def test_null_parts_are_empty(self):
        self.assertTrue(self.selected({"matchLabels": None, "matchExpressions": None}))
        exists = {"key": "k", "operator": "Exists", "values": None}
        self.assertTrue(self.selected({"matchExpressions": [exists]}, ("k", "")))

    def test_two_requirements_on_one_key(self):
        self.assertFalse(self.selected(expressions(("k", "Exists"), ("k", "NotIn", "1")), ("k", "1")))
        self.assertFalse(self.selected(expressions(("k", "Exists"), ("k", "NotIn", "1"))))
        self.assertTrue(self.selected(expressions(("k", "Exists"), ("k", "NotIn", "1")), ("k", "2")))


class Ports(Case):
    def test_an_empty_port_is_all_of_tcp(self):  # 1.1
        self.ingress({"ports": [{}]}, """
            y/c tcp allow
            y/c tcp/0 allow
            y/c udp deny
            y/c icmp deny
            y/c any mixed
        """)

    def test_protocol_without_port_is_all_of_it(self):  # 1.6
        self.ingress({"ports": [{"protocol": "UDP"}]}, """
            y/c udp allow
            y/c udp/65535 allow
            y/c tcp/53 deny
        """)

    def test_all_three_protocols_are_not_everything(self):  # 1.8
        self.ingress({"ports": [{"protocol": protocol} for protocol in PROTOCOLS]}, """
            y/c tcp allow
            y/c udp allow
            y/c sctp allow
            y/c icmp deny
            y/c any mixed
        """)

    def test_a_number_is_of_its_protocol(self):  # 1.6 TRAP
        self.ingress({"ports": [{"protocol": "UDP", "port": 80}]}, """
            y/c udp/80 allow
            y/c tcp/80 deny
            y/c sctp/80 deny
            y/c udp/81 deny
            y/c udp mixed
        """)

    def test_null_fields_are_absent(self):
        self.ingress({"ports": [{"protocol": None, "port": None, "endPort": None}]}, "y/c tcp allow")
        self.ingress({"ports": [{"port": 80, "endPort": None}]}, """
            y/c tcp/80 allow
            y/c tcp/81 deny
        """)

    def test_end_port_is_inclusive(self):  # 1.6
        self.ingress({"ports": [{"port": 80, "endPort": 82}, {"port": 90, "endPort": 90}]}, """
            y/c tcp/79 deny
            y/c tcp/80 allow
            y/c tcp/81 allow
            y/c tcp/82 allow
            y/c tcp/83 deny
            y/c tcp/89 deny
            y/c tcp/90 allow
            y/c tcp/91 deny
        """)

    def test_adjacent_ranges_that_make_up_all_ports_but_0(self):
        self.ingress({"ports": [{"port": 1, "endPort": 1000}, {"port": 1001, "endPort": 65535}]}, """
            y/c tcp/0 deny
            y/c tcp/1000 allow
            y/c tcp/1001 allow
            y/c tcp/65535 allow
            y/c tcp mixed
        """)

    def test_the_last_port_alone(self):
        self.ingress({"ports": [{"port": 65535}]}, """
            y/c tcp/65534 deny
            y/c tcp/65535 allow
            y/c tcp mixed
        """)

    def test_any_includes_sctp(self):
        rules = [{"from": [block("10.0.1.3/32")], "ports": [{"protocol": "SCTP"}]}]
        self.check([A, C, policy("x/np", {}, ["Ingress"], rules)], "y/c x/a any mixed allow mixed")

    def test_sctp_rule_isolates_and_is_not_tcp(self):  # 1.6
        self.ingress({"ports": [{"protocol": "SCTP", "port": 80}]}, """
            y/c sctp/80 allow
            y/c tcp/80 deny
        """)

    def test_other_protocols_need_a_rule_without_ports(self):  # 1.8
        self.ingress({"from": [block("10.0.1.3/32")]}, """
            y/c icmp allow
            y/c any allow
            x/a icmp deny
        """)


class NamedPorts(Case):
    POLICY = policy("x/np", {}, ["Ingress"], [{"ports": [{"port": "web"}]}])

    def test_each_destination_resolves_for_itself(self):  # 1.6
        one, two = pod("x/a", "10.0.0.1", ports=[("web", "TCP", 80)]), pod("x/b", "10.0.0.2", ports=[("web", None, 81)])
        self.check([one, two, pod("x/d", "10.0.0.4"), C, self.POLICY], """
            y/c x/a tcp/80 allow
            y/c x/a tcp/81 deny allow deny
            y/c x/b tcp/80 deny allow deny
            y/c x/b tcp/81 allow
            y/c x/d tcp deny allow deny
        """)

    def test_the_protocol_must_be_the_same(self):  # 1.6
        self.check([pod("x/a", "10.0.0.1", ports=[("web", "UDP", 80)]), C, self.POLICY], """
            y/c x/a tcp/80 deny allow deny
            y/c x/a udp/80 deny allow deny
        """)

    def test_same_name_twice_is_the_union(self):  # 1.6
        several = [container(("web", "TCP", 80)), container(("web", "TCP", 81), name="d"),
                   container(("web", "UDP", 82), name="e")]
        self.check([pod("x/a", "10.0.0.1", containers=several), C, self.POLICY], """
            y/c x/a tcp/80 allow
            y/c x/a tcp/81 allow
            y/c x/a tcp/82 deny allow deny
            y/c x/a udp/82 deny allow deny
        """)

    def test_sidecars_count_and_init_containers_do_not(self):  # 1.6
        sidecar = container(("web", "TCP", 80), name="d", restartPolicy="Always")
        inits = [sidecar, container(("web", "TCP", 81), name="e")]
        self.check([pod("x/a", "10.0.0.1", initContainers=inits), C, self.POLICY], """
            y/c x/a tcp/80 allow
            y/c x/a tcp/81 deny allow deny
        """)

    def test_egress_resolves_on_the_destination_whatever_peer_matched(self):  # 1.6
        source = pod("x/a", "10.0.0.1", ports=[("web", "TCP", 1)])
        target = pod("y/b", "10.0.1.2", ports=[("web", "TCP", 80)])
        for peers in ([], [{"namespaceSelector": {}}], [block("10.0.0.0/8")]):
            np = policy("x/np", {}, ["Egress"], egress=[{"to": peers, "ports": [{"port": "web"}]}])
            self.check([source, target, np], """
                x/a y/b tcp/80 allow
                x/a y/b tcp/1 deny deny allow
                x/a 10.0.1.2 tcp/80 allow
                x/a 10.0.1.9 tcp/80 deny deny allow
            """)

    def test_a_node_has_no_named_ports(self):
        np = policy("x/np", {}, ["Egress"], egress=[{"ports": [{"port": "web"}]}])
        host = pod("y/h", "192.168.0.1", ports=[("web", "TCP", 80)], hostNetwork=True, nodeName="n1")
        self.check([A, host, np], "x/a y/h tcp/80 deny deny allow")

    def test_a_stand_in_has_the_ports_of_its_template(self):
        web = workload("Deployment", "x/w", template={"containers": [container(("web", None, 8080))]})
        self.check([web, C, self.POLICY], """
            y/c x/w tcp/8080 allow
            y/c x/w tcp/80 deny allow deny
        """)


class Lifecycle(Case):
    def test_finished_pods_are_nobody(self):  # 1.7
        for phase in ("Succeeded", "Failed"):
            gone = pod("x/gone", "10.0.0.9", phase=phase)
            rule = policy("x/np", {}, ["Ingress"], [{"from": [{"podSelector": {}}]}])
            self.check([A, B, gone, rule], """
                x/gone x/a tcp/80 none
                x/a x/gone tcp/80 none
                10.0.0.9 x/a tcp/80 deny allow deny
                x/a 10.0.0.9 tcp/80 allow
            """)

    def test_terminating_and_pending_and_unknown_pods_are_live(self):  # 1.7
        for other in (pod("x/t", "10.0.0.9", deleted=True), pod("x/t", "10.0.0.9", phase="Pending"),
                      pod("x/t", "10.0.0.9", phase="Unknown"), pod("x/t", "10.0.0.9", phase=None)):
            self.check([A, other, policy("x/np", {}, ["Ingress"], [{"from": [{"podSelector": {}}]}])], """
                x/t x/a tcp/80 allow
                x/a x/t tcp/80 allow
                192.0.2.1 10.0.0.9 tcp/80 deny allow deny
            """)

    def test_nobody_by_that_name(self):
        self.check([A], """
            x/a x/nobody tcp/80 none
            nowhere/a x/a tcp/80 none
            192.0.2.1 nobody tcp/80 none
        """)

    def test_pod_ip_alone(self):  # 1.7
        for several in ({}, {"podIPs": []}, {"podIPs": None}):
            p = pod("x/p", status={"podIP": "10.0.0.9", **several})
            self.check([p, policy("x/np", {})], "192.0.2.1 10.0.0.9 tcp/80 deny allow deny")

    def test_both_families_of_a_pod(self):  # 1.7
        dual = pod("x/p", "10.0.0.9", "fd00::9")
        self.check([dual, policy("x/np", {}, ["Ingress"], [{"from": [block("0.0.0.0/0")]}])], """
            192.0.2.1 10.0.0.9 tcp/80 allow
            2001:db8::1 fd00::9 tcp/80 deny allow deny
            192.0.2.1 fd00::9 tcp/80 none
            2001:db8::1 x/p tcp/80 deny allow deny
        """)

    def test_two_dual_stack_pods_meet_in_both_families(self):
        ends = [pod("x/p", "10.0.0.9", "fd00::9"), pod("x/q", "10.0.0.8", "fd00::8")]
        rule = policy("x/np", {}, ["Ingress"], [{"from": [block("0.0.0.0/0")]}])
        self.check([*ends, rule], """
            x/p x/q tcp/80 mixed allow mixed
            x/p 10.0.0.8 tcp/80 allow
        """)

    def test_no_address_yet(self):  # unknown address: selectors know it, blocks may
        late = pod("x/late", labels={"k": "1"})
        cases = (
            (block("0.0.0.0/0"), "allow"),  # the other end has IPv4 only, which fixes the family
            (block("0.0.0.0/0", "10.0.0.0/8"), "mixed"),
            (block("192.0.2.0/32"), "mixed"),
            (block("::/0"), "deny"),
            ({"podSelector": {"matchLabels": {"k": "1"}}}, "allow"),
            ({"podSelector": {"matchLabels": {"k": "2"}}}, "deny"),
        )
        for peer, says in cases:
            rule = policy("x/np", {}, ["Ingress"], [{"from": [peer]}])
            self.check([A, late, rule], f"x/late x/a tcp/80 {says} allow {says}")

    def test_maybe_gives_way_to_a_sure_rule(self):
        late, deny = pod("x/late"), {"ports": [{"port": 80}]}
        rules = [{"from": [block("0.0.0.0/1")]}, deny]
        self.check([A, late, policy("x/np", {"matchLabels": {"pod": "a"}}, ["Ingress"], rules)], """
            x/late x/a tcp/80 allow
            x/late x/a tcp/81 mixed allow mixed
        """)

    def test_rules_may_have_all_addresses_together(self):
        rules = [{"from": [block("0.0.0.0/1")]}, {"from": [block("128.0.0.0/1")], "ports": [{"port": 80}]}]
        self.check([A, pod("x/late"), policy("x/np", {"matchLabels": {"pod": "a"}}, ["Ingress"], rules)], """
            x/late x/a tcp/80 allow
            x/late x/a tcp/81 mixed allow mixed
        """)

    def test_two_without_addresses_are_of_one_family(self):
        ends = [pod("x/p"), pod("y/q"), policy("x/np", {}, ["Egress"], egress=[{"to": [block("0.0.0.0/0")]}])]
        self.check([*ends, policy("y/np", {}, ["Ingress"], [{"from": [block("0.0.0.0/0")]}])],
                   "x/p y/q tcp/80 mixed")
        self.check([*ends, policy("y/np", {}, ["Ingress"], [{"from": [block("::/0")]}])],
                   "x/p y/q tcp/80 deny mixed mixed")
        self.check([*ends, policy("y/np", {}, ["Ingress"], [{"from": [block("0.0.0.0/0"), block("::/0")]}])],
                   "x/p y/q tcp/80 mixed mixed allow")

    def test_maybe_in_one_direction_and_no_in_the_other(self):
        rules = [{"to": [block("0.0.0.0/1")]}]
        self.check([A, pod("y/late"), policy("x/np", {}, ["Egress"], egress=rules), policy("y/np", {})],
                   "x/a y/late tcp/80 deny mixed deny")

    def test_unknown_address_meets_both_families(self):
        dual = pod("x/p", "10.0.0.9", "fd00::9")
        self.check([dual, pod("x/late"), policy("x/np", {}, ["Egress"], egress=[{"to": [block("0.0.0.0/0")]}])], """
            x/late 10.0.0.9 tcp/80 allow
            x/late fd00::9 tcp/80 deny deny allow
            x/late x/p tcp/80 mixed mixed allow
            x/late 2001:db8::1 tcp/80 deny deny allow
        """)


class Owners(Case):
    def owner(self, *pods):
        """The name of the one pod that is 10.0.0.9; the others cannot be asked about."""
        live = [Oracle(pods).verdict(OUTSIDE, f"x/{item['metadata']['name']}", "any")["verdict"] for item in pods]
        self.assertEqual(live.count("allow"), 1)
        self.assertEqual(live.count("none"), len(pods) - 1)
        return pods[live.index("allow")]["metadata"]["name"]

    def one(self, name, **rest):
        return pod(f"x/{name}", "10.0.0.9", **rest)

    def both_ways(self, first, second):
        self.assertEqual(self.owner(first, second), self.owner(second, first))
        return self.owner(first, second)

    def test_not_terminating_before_running(self):
        self.assertEqual("b", self.both_ways(self.one("a", deleted=True), self.one("b", phase="Pending")))

    def test_running_before_later(self):
        a = self.one("a", phase="Pending", created="2024-01-02T00:00:00Z")
        b = self.one("b", created="2024-01-01T00:00:00Z")
        self.assertEqual("b", self.both_ways(a, b))

    def test_later_before_name(self):
        a, b = self.one("a", created="2024-01-01T00:00:00Z"), self.one("b", created="2024-01-01T00:00:01Z")
        self.assertEqual("b", self.both_ways(a, b))

    def test_no_timestamp_is_the_earliest(self):
        self.assertEqual("b", self.both_ways(self.one("a"), self.one("b", created="2000-01-01T00:00:00Z")))

    def test_name_last(self):
        self.assertEqual("a", self.both_ways(self.one("b"), self.one("a")))

    def test_names_are_compared_as_one_string(self):  # "x-y/q" < "x/p", though "x" < "x-y"
        ends = [pod("x/p", "10.0.0.9"), pod("x-y/q", "10.0.0.9")]
        self.check(ends, """
            192.0.2.1 x/p any none
            192.0.2.1 x-y/q any allow
        """)

    def test_the_finished_and_those_of_the_host_own_nothing(self):
        a, b = self.one("a", phase="Failed"), self.one("b", phase="Pending", deleted=True)
        self.assertEqual("b", self.both_ways(a, b))
        host = pod("x/a", "10.0.0.9", hostNetwork=True, nodeName="n1")
        b = self.one("b", phase="Pending")
        self.check([host, b, policy("x/np", {})], "192.0.2.1 10.0.0.9 tcp/80 deny allow deny")

    def test_the_loser_keeps_its_other_address(self):
        winner, loser = pod("x/a", "10.0.0.9"), pod("x/b", "10.0.0.9", "fd00::9")
        self.check([winner, loser, policy("x/np", {})], """
            192.0.2.1 x/b tcp/80 none
            2001:db8::1 x/b tcp/80 deny allow deny
            fd00::9 x/a tcp/80 none
        """)


class Nodes(Case):
    LOCAL = [pod("x/p", "10.0.0.9", nodeName="n1"), node("n1", "192.168.0.1"), node("n2", "192.168.0.2"), DENY_BOTH]

    def test_from_the_pods_own_node_is_always_allowed(self):  # 1.8
        self.check(self.LOCAL, """
            192.168.0.1 x/p any allow
            x/p 192.168.0.1 any deny deny allow
            192.168.0.2 x/p any deny allow deny
            x/p 192.168.0.2 any deny deny allow
        """)
        oracle = Oracle(self.LOCAL, allow_local_node=True)
        self.assertEqual("allow", oracle.verdict("x/p", "192.168.0.1", "any")["verdict"])
        self.assertEqual("deny", oracle.verdict("x/p", "192.168.0.2", "any")["verdict"])

    def test_egress_rules_let_a_pod_reach_its_own_node(self):  # 1.8
        rules = [{"to": [block("192.168.0.1/32")], "ports": [{"port": 443}]}]
        self.check([*self.LOCAL, policy("x/np", {}, ["Egress"], egress=rules)], """
            x/p 192.168.0.1 tcp/443 allow
            x/p 192.168.0.1 tcp/80 deny deny allow
        """)

    def test_port_53_of_the_own_nodes_link_local_address_is_open(self):  # 1.8
        nodes = [node("n1", "169.254.20.10", "fe80::1"), node("n2", "169.254.20.11")]
        self.check([pod("x/p", "10.0.0.9", "fd00::9", nodeName="n1"), *nodes, DENY_BOTH], """
            x/p 169.254.20.10 udp/53 allow
            x/p 169.254.20.10 tcp/53 allow
            x/p fe80::1 udp/53 allow
            x/p 169.254.20.10 udp/54 deny deny allow
            x/p 169.254.20.10 sctp/53 deny deny allow
            x/p 169.254.20.10 udp mixed mixed allow
            x/p 169.254.20.11 udp/53 deny deny allow
            x/p 169.254.169.254 udp/53 deny deny allow
        """)

    def test_a_host_network_pod_is_its_node(self):  # 1.7, 1.8
        here, there = (pod(f"x/{name}", hostNetwork=True, nodeName=node) for name, node in (("h", "n1"), ("g", "n2")))
        self.check([*self.LOCAL, here, there], """
            x/h x/p any allow
            x/p x/h any deny deny allow
            x/g x/p any deny allow deny
            x/h x/g any allow
        """)

    def test_a_host_network_pod_is_no_subject_and_no_pod_peer(self):  # 1.7
        host = pod("x/h", "192.168.0.2", labels={"k": "1"}, hostNetwork=True, nodeName="n2")
        cases = (
            ({"podSelector": {}}, "deny"),
            ({"namespaceSelector": {}}, "deny"),
            (block("192.168.0.2/32"), "allow"),
        )
        for peer, says in cases:
            self.check([A, host, policy("x/np", {}, ["Ingress"], [{"from": [peer]}])], f"""
                x/h x/a tcp/80 {says} allow {says}
                x/a x/h tcp/80 allow
            """)

    def test_remote_nodes_are_addresses(self):  # 1.8
        rule = policy("x/np", {}, ["Ingress"], [{"from": [block("192.168.0.2/32")]}])
        self.check([*self.LOCAL[:3], rule], "192.168.0.2 x/p tcp/80 allow")

    def test_where_addresses_of_a_node_come_from(self):
        others = [
            pod("y/a", "10.0.1.1", nodeName="n1", status={"hostIP": "192.168.1.1"}),
            pod("y/b", "10.0.1.2", nodeName="n1", status={"hostIPs": [{"ip": "192.168.1.2"}, {"ip": "fd01::1"}]}),
            pod("y/c", "192.168.1.3", nodeName="n1", hostNetwork=True),
            pod("y/d", "10.0.1.4", nodeName="n1", phase="Succeeded", status={"hostIP": "192.168.1.4"}),
            pod("y/e", "10.0.1.5", nodeName="n2", status={"hostIP": "192.168.1.5"}),
        ]
        target = pod("x/p", "10.0.0.9", "fd00::9", nodeName="n1")
        self.check([target, *others, DENY_IN], """
            192.168.1.1 x/p any allow
            192.168.1.2 x/p any allow
            fd01::1 x/p any allow
            192.168.1.3 x/p any allow
            192.168.1.4 x/p any allow
            192.168.1.5 x/p any deny allow deny
            10.0.1.4 x/p any deny allow deny
        """)

    def test_one_address_of_two_nodes(self):
        two = [node("n1", "192.168.0.1"), node("n2", "192.168.0.1")]
        ends = [pod("x/p", "10.0.0.9", nodeName="n1"), pod("x/q", "10.0.0.8", nodeName="n2")]
        self.check([*two, *ends, DENY_IN], """
            192.168.0.1 x/p any allow
            192.168.0.1 x/q any allow
        """)

    def test_a_pod_wins_over_a_node(self):
        objects = [node("n1", "10.0.0.2"), pod("x/p", "10.0.0.9", nodeName="n1"), B, DENY_IN]
        self.check(objects, "10.0.0.2 x/p any deny allow deny")

    def test_addresses_of_a_host_network_pod(self):
        declared = node("n1", "192.168.0.1", "fd01::1")
        rule = policy("x/np", {}, ["Ingress"], [{"from": [block("192.168.0.0/24")]}])
        cases = (
            ({"podIP": "192.168.0.7", "hostIP": "192.168.9.9"}, "allow"),
            ({"hostIP": "192.168.9.9"}, "deny"),
            ({"hostIPs": [{"ip": "192.168.0.7"}], "hostIP": "192.168.0.7"}, "allow"),
            ({}, "allow"),
        )
        for status, says in cases:
            host = pod("y/h", hostNetwork=True, nodeName="n1", status=status)
            self.check([declared, A, host, rule], f"y/h x/a tcp/80 {says} allow {says}")
        # The node has an address in the other family, too.
        dual = pod("x/d", "10.0.0.7", "fd00::7")
        host = pod("y/h", hostNetwork=True, nodeName="n1")
        self.check([declared, dual, host, rule], "y/h x/d tcp/80 mixed allow mixed")

    def test_a_node_without_address_may_be_in_any_block(self):
        rule = policy("x/np", {}, ["Ingress"], [{"from": [block("10.0.0.0/8")]}])
        for host in (pod("y/h", hostNetwork=True, nodeName="n9"), pod("y/h", hostNetwork=True)):
            self.check([A, host, rule], "y/h x/a tcp/80 mixed allow mixed")

    def test_no_node_name_is_no_node(self):
        self.check([A, pod("x/h", "192.168.0.7", hostNetwork=True), DENY_BOTH], """
            x/h x/a tcp/80 deny allow deny
            x/a x/h tcp/80 deny deny allow
        """)

    def test_a_host_network_pod_by_name_is_its_node_name_and_by_address_the_nodes_that_have_it(self):
        host = pod("x/h", "192.168.0.1", hostNetwork=True, nodeName="n2")
        self.check([*self.LOCAL, host], """
            x/h x/p any deny allow deny
            192.168.0.1 x/p any allow
        """)
        self.check([*self.LOCAL, pod("x/h", "192.168.0.1", hostNetwork=True)], """
            x/h x/p any deny allow deny
            192.168.0.1 x/p any allow
        """)

    def test_every_address_of_a_node_object_counts_if_it_is_one(self):
        kinds = (
            ("Hostname", "n1"),
            ("Hostname", "192.168.0.5"),
            ("ExternalIP", "192.0.2.9"),
            ("InternalDNS", "fe80::1%eth0"),
        )
        several = {"kind": "Node", "metadata": {"name": "n1"}, "status": {
            "addresses": [{"type": kind, "address": address} for kind, address in kinds]}}
        self.check([several, self.LOCAL[0], DENY_BOTH], """
            192.168.0.5 x/p any allow
            192.0.2.9 x/p any allow
            192.0.2.8 x/p any deny allow deny
        """)

    def test_finished_host_network_pod(self):
        host = pod("x/h", "192.168.0.7", hostNetwork=True, nodeName="n1", phase="Failed")
        self.check([A, host], "x/h x/a tcp/80 none")

    def test_pods_of_one_node_are_not_exempt(self):
        ends = [pod("x/p", "10.0.0.9", nodeName="n1"), pod("x/q", "10.0.0.8", nodeName="n1")]
        self.check([*ends, DENY_IN], "x/p x/q any deny allow deny")

    def test_the_daemons_node_means_nothing(self):
        flow = ("192.168.0.1", "x/p", "any")
        for name in (None, "n1", "n2"):
            self.assertEqual("allow", Oracle(self.LOCAL, name).verdict(*flow)["verdict"])


class Hairpin(Case):
    def test_a_pod_reaches_itself(self):  # 1.8
        self.check([A, pod("x/late"), workload("Job", "x/w"), DENY_BOTH], """
            x/a x/a any allow
            x/a 10.0.0.1 any allow
            10.0.0.1 10.0.0.1 any allow
            x/late x/late any allow
        """)

    def test_a_workloads_pods_are_strangers_to_each_other(self):
        self.check([workload("Job", "x/w"), workload("StatefulSet", "x/s"), DENY_BOTH], """
            x/w x/w any deny
            x/s-0 x/s-0 any allow
        """)

    def test_its_addresses_of_two_families_do_not_meet(self):
        self.check([pod("x/p", "10.0.0.9", "fd00::9")], """
            x/p x/p any allow
            10.0.0.9 fd00::9 any none
        """)


class StandIns(Case):
    def labelled(self, obj, name, **labels):
        """Does NAME have these labels? (Those of the template may be among them.)"""
        selects = {"matchLabels": {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()}}
        self.check([obj, policy("x/np", selects)], f"{OUTSIDE} {name} tcp/80 deny allow deny")

    def test_a_stand_in_has_no_address_and_no_node(self):
        rules = [{"from": [block("0.0.0.0/1")]}, {"from": [block("::/0")]}]
        two = workload("ReplicaSet", "x/w", template={"nodeName": "n1"}), node("n1", "192.168.0.1")
        of_a = policy("x/np", {"matchLabels": {"pod": "a"}}, ["Ingress"], rules)
        of_w = policy("x/w", {"matchLabels": {"app": "w"}})
        self.check([*two, A, of_a, of_w], """
            x/w x/a tcp/80 mixed allow mixed
            192.168.0.1 x/w tcp/80 deny allow deny
            2001:db8::1 x/w tcp/80 deny allow deny
        """)

    def test_one_per_replica_of_a_stateful_set(self):
        for count, there in ((None, (1, 0, 0)), (0, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1))):
            obj = workload("StatefulSet", "x/w", **({} if count is None else {"replicas": count}))
            said = [Oracle([obj]).verdict(OUTSIDE, f"x/w-{i}", "any")["verdict"] for i in range(3)]
            self.assertEqual(["allow" if yes else "none" for yes in there], said)
            self.check([obj], f"{OUTSIDE} x/w any none")

    def test_ordinals_start(self):
        obj = workload("StatefulSet", "x/w", replicas=2, ordinals={"start": 5})
        self.check([obj, policy("x/np", {"matchLabels": {"apps.kubernetes.io/pod-index": "6"}})], f"""
            {OUTSIDE} x/w-4 any none
            {OUTSIDE} x/w-5 any allow
            {OUTSIDE} x/w-6 any deny allow deny
            {OUTSIDE} x/w-7 any none
        """)

    def test_other_workloads_are_one_pod_whatever_the_replicas(self):
        for kind in ("Deployment", "ReplicaSet", "DaemonSet", "Job", "CronJob", "ReplicationController"):
            self.check([workload(kind, "x/w", replicas=3), policy("x/np", {"matchLabels": {"app": "w"}})], f"""
                {OUTSIDE} x/w any deny allow deny
                {OUTSIDE} x/w-0 any none
            """)

    def test_labels_of_the_controllers(self):
        self.labelled(workload("Deployment", "x/w"), "x/w", app="w", pod_template_hash="unknown")
        self.labelled(workload("DaemonSet", "x/w"), "x/w", controller_revision_hash="unknown",
                      pod_template_generation="unknown")
        self.labelled(workload("StatefulSet", "x/w"), "x/w-0", app="w", controller_revision_hash="unknown",
                      **{"statefulset.kubernetes.io/pod-name": "w-0", "apps.kubernetes.io/pod-index": "0"})
        self.labelled(workload("Job", "x/w"), "x/w", job_name="w", controller_uid="unknown",
                      **{"batch.kubernetes.io__job_name": "w", "batch.kubernetes.io__controller_uid": "unknown"})
        self.labelled(workload("CronJob", "x/w"), "x/w", job_name="unknown", controller_uid="unknown",
                      **{"batch.kubernetes.io__job_name": "unknown", "batch.kubernetes.io__controller_uid": "unknown"})

    def test_labels_of_the_controllers_win_over_the_template(self):
        obj = workload("Deployment", "x/w", labels={"app": "w", "pod-template-hash": "1"})
        self.labelled(obj, "x/w", app="w", pod_template_hash="unknown")

    def test_replica_sets_and_replication_controllers_add_none(self):
        for kind in ("ReplicaSet", "ReplicationController"):
            selects = expressions(("pod-template-hash", "Exists"))
            self.check([workload(kind, "x/w"), policy("x/np", selects)], f"{OUTSIDE} x/w any allow")

    def test_host_network_template(self):
        self.check([A, workload("DaemonSet", "x/w", template={"hostNetwork": True}), DENY_BOTH,
                    policy("x/np", {}, ["Ingress"], [{"from": [{"podSelector": {}}, block("192.168.0.0/24")]}])], """
            192.0.2.1 x/w any allow
            x/w x/a any mixed allow mixed
        """)

    def test_a_real_pod_wins_the_name(self):
        rule = policy("x/np", {"matchLabels": {"app": "w"}})
        self.check([workload("StatefulSet", "x/w"), pod("x/w-0", "10.0.0.9"), rule], f"{OUTSIDE} x/w-0 any allow")


class Flows(Case):
    def test_protocols(self):
        self.assertEqual([("TCP", 80)], Oracle([]).points("tcp/80"))
        self.assertEqual([OTHER_PROTOCOL], Oracle([]).points("icmp"))
        self.assertEqual([("UDP", 0), ("UDP", 53), ("UDP", 54)], Oracle([]).points("udp"))
        self.assertIn(OTHER_PROTOCOL, Oracle([]).points("any"))
        for wrong in ("tcp/65536", "tcp/-1", "igmp", "icmp/8", "tcp/x", ""):
            with self.assertRaises(ValueError):
                Oracle([]).points(wrong)

    def test_few_ports_stand_for_all(self):
        """Random clusters, asked about each of the 65536 ports and about the boundaries."""
        checked = 0
        for seed in range(400):
            objects, _, flows = generate.cluster(random.Random(seed), 6)
            few, all_of_them = Oracle(objects), Oracle(objects)
            all_of_them.ports_to_try = range(LAST_PORT + 1)
            few.addresses_to_try = all_of_them.addresses_to_try = few.addresses_to_try[:2]
            for frm, to, _ in flows:
                if few.verdict(frm, to, "any")["verdict"] == "mixed" and checked < 12:
                    checked += 1
                    for proto in ("tcp", "any"):
                        self.assertEqual(few.verdict(frm, to, proto), all_of_them.verdict(frm, to, proto))
        self.assertEqual(12, checked)

    def test_few_addresses_stand_for_all(self):
        """Random clusters, asked about ends without addresses: others would not change the answer."""
        checked = 0
        for seed in range(400):
            rng = random.Random(seed)
            objects, _, flows = generate.cluster(rng, 6)
            few, more = Oracle(objects), Oracle(objects)
            more.addresses_to_try = few.addresses_to_try + [
                made(rng.getrandbits(bits))
                for made, bits in ((ipaddress.IPv4Address, 32), (ipaddress.IPv6Address, 128)) for _ in range(40)
            ]
            for frm, to, _ in flows:
                if any(end.address is None for end in few.ends(frm) + few.ends(to)) and checked < 60:
                    checked += 1
                    self.assertEqual(few.verdict(frm, to, "tcp/80"), more.verdict(frm, to, "tcp/80"))
        self.assertEqual(60, checked)

    def test_driver_protocol(self):
        request = {"id": 7, "node": None, "update": False, "objects": [A], "flows": [[OUTSIDE, "x/a", "tcp/80"]]}
        verdict = {"verdict": "allow", "egress": "allow", "ingress": "allow"}
        self.assertEqual({"id": 7, "verdicts": [verdict]}, answer(request))
        self.assertIn("error", answer(dict(request, flows=[[OUTSIDE, "x/a", "nonsense"]])))


class Generated(unittest.TestCase):
    def test_everything_generated_is_valid(self):
        for seed in range(300):
            rng = random.Random(seed)
            objects, node_name, _ = generate.cluster(rng)
            self.assertEqual([], generate.problems(objects))
            later, _ = generate.mutate(rng, objects, node_name)
            self.assertEqual([], generate.problems(later))
            for state in (objects, later):
                nodes = {obj["metadata"]["name"] for obj in state if obj["kind"] == "Node"}
                self.assertLessEqual({node_name} - {None}, nodes)

    def test_the_same_seed_gives_the_same_cluster(self):
        for seed in range(20):
            first, second = random.Random(seed), random.Random(seed)
            self.assertEqual(generate.cluster(first), generate.cluster(second))
            self.assertEqual(first.random(), second.random())

    def test_problems_are_seen(self):
        def rule(**parts):
            return [policy("x/np", {}, ingress=[parts])]

        wrong = {
            "peer that says nothing": rule(**{"from": [{}]}),
            "block and selector": rule(**{"from": [{**block("10.0.0.0/8"), "podSelector": {}}]}),
            "host bits": rule(**{"from": [block("10.0.0.1/8")]}),
            "except is the cidr": rule(**{"from": [block("10.0.0.0/8", "10.0.0.0/8")]}),
            "except elsewhere": rule(**{"from": [block("10.0.0.0/8", "11.0.0.0/16")]}),
            "except of the other family": rule(**{"from": [block("10.0.0.0/8", "fd00::/64")]}),
            "mapped": rule(**{"from": [block("::ffff:10.0.0.0/104")]}),
            "spelling": rule(**{"from": [block("FD00::/64")]}),
            "port 0": rule(ports=[{"port": 0}]),
            "a number as a name": rule(ports=[{"port": "80"}]),
            "endPort of a name": rule(ports=[{"port": "web", "endPort": 80}]),
            "endPort alone": rule(ports=[{"endPort": 80}]),
            "endPort below": rule(ports=[{"port": 80, "endPort": 79}]),
            "protocol": rule(ports=[{"protocol": "tcp"}]),
            "operator": [policy("x/np", expressions(("k", "in", "a")))],
            "In without values": [policy("x/np", expressions(("k", "In")))],
            "Exists with values": [policy("x/np", expressions(("k", "Exists", "a")))],
            "twice": [A, A],
            "one name": [A, dict(workload("Job", "x/a"), apiVersion="batch/v1")],
        }
        for name, objects in wrong.items():
            with self.subTest(name):
                self.assertNotEqual([], generate.problems(objects))


if __name__ == "__main__":
    unittest.main()
