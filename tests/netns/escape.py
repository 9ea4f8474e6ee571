#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that mean harm, of objects, interfaces, processes, files and CNI results, through all that a daemon prints: its
log, status, metrics, answers, and the comments of its tables as nft lists them. And nft loads the dry run of them all.
tests/check/escape.py has what prints without a daemon."""
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
sys.path[:0] = [os.path.join(TOP, directory) for directory in ("contrib/lab", "tests/e2e", "tests/lib")]
sys.dont_write_bytecode = True
import harness  # noqa: E402
import hostile  # noqa: E402
import nodes  # noqa: E402

SCRATCH = "/run/escape"
MANIFESTS, RESULTS, CONTROL, LOG = (f"{SCRATCH}/{name}" for name in ("manifests", "results", "run/control.sock", "log"))
METRICS = ("127.0.0.1", 9735)
INTERFACES = [b'q"\x1b[2J', b"n\xff\xfe\x9b31m", "r\u202el\u2066".encode(), b"e\\\\*", b"p{{x}}$(id)"]  # what the kernel lets in
PROCESSES = ["a\nnotice: x", "<3>b\x1b[2J", "c\u009b\u202e", 'd"e\\']
LOG_LINE = re.compile(r"^([0-9T:.-]{23}Z (err|warning|notice|debug): [a-z-]+: |/run/escape/.*(error|warning): |files? |==\d+==WARNING: ASan doesn't)")
check = harness.Checks()


def clean(what, output, known=()):
    """`known`: what others print, of whom we promise nothing."""
    for name in known:
        output = output.replace(name, b"?")
    problem = hostile.unclean(output)
    check(what, not problem, problem)
    return output.decode("utf-8", "replace")


def objects():
    made = hostile.decent()
    for number, text in enumerate(hostile.TEXTS):
        made += hostile.unenforced(text) + hostile.accepted(text, number)
    for number in range(len(INTERFACES)):
        made.append(hostile.pod(f"at{number}", ip=f"10.2.0.{number + 1}"))
    return made


def result(number, name):
    """Of a pod that nobody knows: the node calls it so in a comment."""
    link = f"u{number}"
    subprocess.run(["ip", "link", "add", link, "type", "veth", "peer", "name", f"{link}p"], check=True)
    return {"kind": "cniCacheV1", "containerId": f"c{number}", "networkName": "net", "ifName": "eth0",
            "cniArgs": [["K8S_POD_NAMESPACE", "t"], ["K8S_POD_NAME", name], ["K8S_POD_UID", f"u{number}"]],
            "result": {"cniVersion": "0.4.0", "interfaces": [{"name": link}, {"name": "eth0", "sandbox": "/run/netns/x"}],
                       "ips": [{"version": "4", "interface": 1, "address": f"10.3.0.{number + 1}/32"}]}}


def host():
    """Interfaces with such names, that routes say are a pod's; results that name pods so."""
    for number, name in enumerate(INTERFACES):
        subprocess.run([b"ip", b"link", b"add", name, b"type", b"veth", b"peer", b"name", b"p%d" % number], check=True)
        subprocess.run([b"ip", b"link", b"set", name, b"up"], check=True)
        subprocess.run([b"ip", b"route", b"add", b"10.2.0.%d/32" % (number + 1), b"dev", name], check=True)
    os.makedirs(RESULTS)
    for number, name in enumerate(('a"b', "a\\b", 'c"; flush ruleset; "', "{{x}}", "%s%n")):
        name = name.replace(" ", "_")
        with open(f"{RESULTS}/net-{number}-eth0", "w", encoding="utf-8") as out:
            json.dump(result(number, name), out)
    with open(os.fsencode(RESULTS) + b"/net-x\n\x1b[2J\xff-eth0", "wb") as out:
        out.write(b'{"kind": "cniCacheV1", "\x1b\xff')


def ask(path):
    connection = nodes.UnixConnection(CONTROL)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except OSError:
        return b"{}"
    finally:
        connection.close()


def status():
    return json.loads(ask("/status"))


def netpolctl(*words, stdin=b""):
    done = subprocess.run([harness.NETPOLCTL, *words, "--control", CONTROL], input=stdin, capture_output=True, check=False)
    what = f"netpolctl {' '.join(map(repr, words))}"
    clean(f"{what}: standard error", done.stderr)
    return clean(what, done.stdout)


def check_answers():
    text = netpolctl("status")
    check("status names each policy of another kind on its line", text.count("NetworkPolicy") > 2 * len(hostile.TEXTS))
    held = json.loads(netpolctl("status", "-o", "json"))
    names = {one["name"] for one in held["notEnforced"]}
    check("status as JSON has the names as they are", set(hostile.TEXTS) <= names, str(set(hostile.TEXTS) - names)[:300])
    for line in netpolctl("graph", "-o", "json").splitlines():
        json.loads(line)
    netpolctl("graph")
    flows = "".join(f"t/p{number} t/web tcp/80\n" for number in range(0, len(hostile.TEXTS), 4)).encode()
    for words in hostile.BYTES + [text.encode() for text in hostile.TEXTS[:12]]:
        flows += b"".join(words.split()) + b" t/web tcp/1\n"
    netpolctl("explain", "-", stdin=flows)
    for line in netpolctl("explain", "-o", "json", "-", stdin=flows).splitlines():
        json.loads(line)


def check_metrics():
    connection = http.client.HTTPConnection(*METRICS, timeout=harness.PATIENCE)
    connection.request("GET", "/metrics")
    clean("metrics", connection.getresponse().read())
    connection.close()


def check_tables():
    """Interfaces have the names that they have; all else in the list is ours."""
    listed = subprocess.run(["nft", "list", "ruleset"], capture_output=True, check=True).stdout
    text = clean("the kernel's tables", listed, INTERFACES)
    comments = re.findall(r'comment "([^"]*)"', text)
    check("pods that nobody knows are named in comments", any(r"a\x22b" in comment for comment in comments), str(comments)[:500])
    check("no comment is cut at a wrong place", all(len(comment.encode()) <= 120 for comment in comments))


def check_processes():
    """Who changes our tables is named, whatever it is called."""
    for number, name in enumerate(PROCESSES):
        path = os.path.join(SCRATCH, name)
        repairs = status()["kernel"]["repairs"]
        shutil.copy(shutil.which("nft"), path)
        subprocess.run([path, "add", "rule", "inet", "netpold", "forward", "accept"], check=True)
        harness.wait_for("the change is put right", lambda: status()["kernel"]["repairs"] > repairs)


def check_log(number):
    with open(LOG, "rb") as log:
        text = clean(f"the log of the {number}. daemon", log.read())
    strange = [line for line in text.splitlines() if not LOG_LINE.match(line)]
    check("each line of the log is one of ours", not strange, str(strange[:3]))
    return text


def check_dry_run():
    path = f"{SCRATCH}/rules"
    with open(path, "wb") as out:
        subprocess.run([harness.NETPOLD, "--dry-run", "-f", MANIFESTS], stdout=out, stderr=subprocess.DEVNULL, check=True)
    with open(path, "rb") as rules:
        line = hostile.foreign_line(rules.read())
    check("each line of the dry run is one of ours", line is None, repr(line))
    subprocess.run(["nft", "add", "table", "inet", "others"], check=True)
    done = subprocess.run(["nft", "-c", "-f", path], stderr=subprocess.PIPE, text=True, check=False)
    check("nft accepts it", done.returncode == 0, done.stderr[:500])
    loaded = subprocess.run(["nft", "-f", path], check=False).returncode == 0
    tables = subprocess.run(["nft", "list", "tables"], stdout=subprocess.PIPE, text=True, check=True).stdout
    check("nft loads it, and nothing else happens", loaded and "table inet others" in tables, tables)


def run_daemon(number, *options):
    with open(LOG, "wb") as log:
        process = subprocess.Popen([harness.NETPOLD, "-f", MANIFESTS, "--control", CONTROL, "--metrics", "%s:%d" % METRICS,
                                    "--cni-results", RESULTS, "--unknown-pods", "drop", "--log-level", "debug", *options],
                                   stderr=log)
    try:
        harness.wait_for("the daemon is ready", lambda: status().get("ready"))
        check_answers()
        check_metrics()
        check_tables()
        if number == 1:
            check_processes()
    finally:
        process.terminate()
        process.wait(harness.PATIENCE)
    return check_log(number)


def main():
    harness.begin(240)
    os.makedirs(MANIFESTS)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    harness.write(f"{MANIFESTS}/all.json", objects())
    check_dry_run()
    host()
    text = run_daemon(1)
    check("the log names a process", r"a\nnotice: x" in text and r"<3>b\x1b[2J" in text, text[-2000:])
    harness.write(f"{MANIFESTS}/all.json", objects() + [one for text in hostile.TEXTS for one in hostile.refused(text)])
    subprocess.run(["nft", "delete", "table", "inet", "netpold"], check=True)
    run_daemon(2, "--node", os.fsdecode(b"n\xff\n1"))
    check.end()


if __name__ == "__main__":
    tempfile.tempdir = "/run"
    main()
