# SPDX-License-Identifier: GPL-2.0-or-later
"""What a NetworkPolicy may not say, and how it is told so."""

from harness import SHOP_POLICIES, ServerTest, policy

EXPRESSIONS = "spec.podSelector.matchExpressions[0]"


def port(**found):
    return {"ingress": [{"ports": [found]}]}


def peer(**found):
    return {"ingress": [{"from": [found]}]}


def block(cidr, *excepts):
    return peer(ipBlock={"cidr": cidr} | ({"except": list(excepts)} if excepts else {}))


def expression(**found):
    return {"podSelector": {"matchExpressions": [{"key": "k"} | found]}}


PORT = "spec.ingress[0].ports[0]"
PEER = "spec.ingress[0].from[0]"
CIDR = f"{PEER}.ipBlock.cidr"
EXCEPT = f"{PEER}.ipBlock.except[0]"

# (specification, fields that are refused, words of the first cause)
REFUSED = [
    (port(protocol="ICMP"), [f"{PORT}.protocol"], 'Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"'),
    (port(protocol="tcp"), [f"{PORT}.protocol"], "Unsupported value"),
    (port(port=0), [f"{PORT}.port"], "Invalid value: 0: must be between 1 and 65535, inclusive"),
    (port(port=70000), [f"{PORT}.port"], "must be between"),
    (port(port="80"), [f"{PORT}.port"], "must contain at least one letter"),
    (port(port="x" * 16), [f"{PORT}.port"], "must be no more than 15 characters"),
    (port(port="Web"), [f"{PORT}.port"], "must contain only alpha-numeric characters"),
    (port(port="a--b"), [f"{PORT}.port"], "must not contain consecutive hyphens"),
    (port(port="-a"), [f"{PORT}.port"], "must not begin or end with a hyphen"),
    (port(port=80, endPort=79), [f"{PORT}.endPort"], "must be greater than or equal to `port`"),
    (port(port=80, endPort=70000), [f"{PORT}.endPort"], "must be between"),
    (port(port="web", endPort=80), [f"{PORT}.endPort"], "may not be specified when `port` is non-numeric"),
    (port(endPort=80), [f"{PORT}.endPort"], "may not be specified when `port` is not specified"),
    (peer(), [PEER], "Required value: must specify a peer"),
    (peer(podSelector={}, ipBlock={"cidr": "10.0.0.0/8"}), [PEER], "may not specify both ipBlock and another peer"),
    (peer(ipBlock={}), [CIDR], "Required value"),
    (block("10.0.0.0"), [CIDR], "must be a valid CIDR value"),
    (block("10.0.0.0/33"), [CIDR], "must be a valid CIDR value"),
    (block("10.0.0.1/8"), [CIDR], "must not have bits set beyond the prefix length"),
    (block("010.0.0.0/8"), [CIDR], "must not have leading 0s in IP or prefix length"),
    (block("10.0.0.0/08"), [CIDR], "must not have leading 0s in IP or prefix length"),
    (block("::ffff:10.0.0.0/104"), [CIDR], "must not have an IPv4-mapped IPv6 address"),
    (block("10.0.0.0/8", "10.0.0.0/8"), [EXCEPT], "must be a strict subset of `cidr`"),
    (block("10.0.0.0/8", "fd00::/16"), [EXCEPT], "must be a strict subset of `cidr`"),
    (block("10.0.0.0/8", "11.0.0.0/16", "x"), [EXCEPT, f"{PEER}.ipBlock.except[1]"], "strict subset"),
    ({"policyTypes": ["Ingress", "Egress", "Ingress"]}, ["spec.policyTypes"], "more than two"),
    ({"policyTypes": ["ingress"]}, ["spec.policyTypes[0]"], "Unsupported value"),
    (expression(operator="In"), [f"{EXPRESSIONS}.values"], "must be specified when"),
    (expression(operator="Exists", values=["x"]), [f"{EXPRESSIONS}.values"], "may not be specified when"),
    (expression(operator="Near"), [f"{EXPRESSIONS}.operator"], "not a valid selector operator"),
    (expression(operator="In", values=["-x"]), [f"{EXPRESSIONS}.values[0]"], "a valid label must be"),
    ({"podSelector": {"matchLabels": {"a b": "c"}}}, ["spec.podSelector.matchLabels"], "name part must consist"),
    ({"podSelector": {"matchLabels": {"a": "x" * 64}}}, ["spec.podSelector.matchLabels"], "no more than 63"),
    ({"egress": [{"to": [{}]}, {"ports": [{"port": -1}]}]}, ["spec.egress[0].to[0]", "spec.egress[1].ports[0].port"],
     "must specify a peer"),
]
TAKEN = [
    {}, {"policyTypes": ["Ingress", "Ingress"]}, port(), port(port=80, endPort=80), port(port="http"),
    block("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/8"), block("FE80::/10"), peer(podSelector={}, namespaceSelector={}),
    {"ingress": [{}], "egress": [{}]}, expression(operator="DoesNotExist"),
]
UNREADABLE = ["text", {"ingress": {}}, {"ingress": ["x"]}, port(port=80, endPort="81"), {"podSelector": "x"},
              {"podSelector": {"matchLabels": {"a": 5}}}, block(10)]
MERGE = "application/merge-patch+json"


class Policies(ServerTest):
    def test_what_is_refused(self):
        for spec, fields, words in REFUSED:
            with self.subTest(spec=spec):
                status = self.request(422, "POST", SHOP_POLICIES, policy("bad", **spec)).json()
                causes = status["details"]["causes"]
                self.assertEqual([cause["field"] for cause in causes], fields)
                self.assertIn(words, causes[0]["message"])

    def test_what_is_taken(self):
        for number, spec in enumerate(TAKEN):
            with self.subTest(spec=spec):
                self.request(201, "POST", SHOP_POLICIES, policy(f"good-{number}", **spec))

    def test_what_cannot_be_read(self):
        for spec in UNREADABLE:
            with self.subTest(spec=spec):
                status = self.request(400, "POST", SHOP_POLICIES, policy("bad") | {"spec": spec}).json()
                self.assertIn('NetworkPolicy in version "v1" cannot be handled as a NetworkPolicy', status["message"])

    def test_addresses_of_the_old_object_stay_allowed(self):
        self.server.load(policy("old", podSelector={}, policyTypes=["Ingress"], **block("010.0.0.1/8")) | {
            "metadata": {"name": "old", "namespace": "shop"}}, raw=True)
        path = f"{SHOP_POLICIES}/old"
        two = {"spec": {"ingress": block("010.0.0.1/8")["ingress"] + block("10.1.0.0/16")["ingress"]}}
        self.request(200, "PATCH", path, two, media_type=MERGE)
        self.request(422, "PATCH", path, {"spec": block("010.0.0.2/8")}, media_type=MERGE)
