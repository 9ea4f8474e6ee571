#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that hold newlines, terminal escapes, quotes, marks of direction and bytes that are no UTF-8 go through all that
prints without a daemon: each line of a dry run is ours, whatever else is printed is lines of printable UTF-8, and JSON
is JSON that has the names as they are. tests/netns/escape.py has the daemon's part."""
import json
import os
import subprocess
import sys
import tempfile

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
sys.path.insert(0, os.path.join(TOP, "tests/lib"))
import hostile  # noqa: E402

BUILD = os.environ.get("top_builddir", ".")
NETPOLD, NETPOLCTL = (os.path.abspath(os.path.join(BUILD, program)) for program in ("netpold", "netpolctl"))
failed = 0
passed = 0


def check(what, problem):
    global failed, passed
    if problem:
        failed += 1
        print(f"FAIL {what}: {problem}")
    else:
        passed += 1


def run(*command, stdin=b"", env=None):
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False,
                          env={**os.environ, **(env or {})})
    words = " ".join(repr(os.fsencode(word)[:40]) for word in command[1:])
    what = f"{os.path.basename(command[0])} {words}"
    check(f"{what}: ended by a signal", done.returncode if done.returncode not in (0, 1, 2) else None)
    check(f"{what}: standard output", hostile.unclean(done.stdout))
    check(f"{what}: standard error", hostile.unclean(done.stderr))
    return done


def json_lines(what, output):
    """What the lines of JSON hold; a line that is none is a failure."""
    made = []
    for line in output.splitlines():
        try:
            made.append(json.loads(line))
        except ValueError as error:
            check(f"{what}: {line[:100]!r}", str(error))
    return made


def write(path, objects):
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"apiVersion": "v1", "kind": "List", "items": objects}, out)


def dry_run(path, status, *options):
    done = run(NETPOLD, "--dry-run", *options, "-f", path)
    check(f"dry run of {path!r}: status", done.returncode if done.returncode != status else None)
    check(f"dry run of {path!r}: not ours", hostile.foreign_line(done.stdout))
    return done


def whole(directory):
    """Everything at once: all that is accepted, then all that is refused, too."""
    manifest = os.path.join(directory, "all.json")
    objects = hostile.decent()
    for number, text in enumerate(hostile.TEXTS):
        objects += hostile.unenforced(text) + hostile.accepted(text, number)
    write(manifest, objects)
    done = dry_run(manifest, 0)
    text = done.stdout.decode()
    named = text.count("\n#   ")
    check("policies of other kinds are named, each on a line", None if named > 2.5 * len(hostile.TEXTS) else f"only {named}")
    check("a newline is shown", None if f"AdminNetworkPolicy.policy.example.org x\\n{hostile.INJECTED}\\n#\n" in text else text[:500])
    check("what is printable stays", None if "AdminNetworkPolicy.policy.example.org schön 日本 🐙 שלום\n" in text else text[:500])
    run(NETPOLD, "--check", "-f", manifest)
    run(NETPOLCTL, "graph", "-f", manifest)
    for pods in (json_lines("graph", run(NETPOLCTL, "graph", "-o", "json", "-f", manifest).stdout),):
        nodes = {pod["node"] for pod in pods}
        check("graph has the names as they are", sorted(set(hostile.TEXTS) - nodes) or None)
    for number in range(len(hostile.TEXTS)):
        flow = f"t/p{number} -> t/web tcp/80\n".encode()
        if number % 8 == 0:
            run(NETPOLCTL, "explain", "-f", manifest, "-", stdin=flow)
            json_lines("explain", run(NETPOLCTL, "explain", "-o", "json", "-f", manifest, "-", stdin=flow).stdout)
    faulty = os.path.join(directory, "faulty.json")
    for text in hostile.TEXTS:
        objects += hostile.refused(text) + [hostile.pod("web")]
    write(faulty, objects)
    for command in ((NETPOLD, "--check"), (NETPOLCTL, "graph")):
        done = run(*command, "-f", faulty)
        check(f"{command} of what is faulty: status", done.returncode if done.returncode != 2 else None)
    dry_run(faulty, 2)


def words(directory):
    """Where the command line and files of flows have names."""
    manifest = os.path.join(directory, "decent.json")
    write(manifest, hostile.decent())
    for text in [*map(os.fsencode, hostile.TEXTS), *hostile.BYTES]:
        word = os.fsdecode(text)
        dry_run(manifest, 0, "--node", word)
        run(NETPOLD, "--check", "-f", word)
        run(NETPOLD, "--check", "--log-level", word, "-f", manifest)
        run(NETPOLCTL, "-f", manifest, "--", word)
        run(NETPOLCTL, "-f", manifest, "--local-node-egress", word, "graph")
        flows = os.path.join(os.fsencode(directory), b"flows")
        with open(flows, "wb") as out:
            token = b"".join(text.split()) or b"x"
            out.write(b"t/web -> t/db tcp/80 deny\n" + text + b"\n%s %s tcp/1 allow\nt/web t/db %s allow\n" % (token, token, token))
            out.write(b"t/web t/db tcp/80 %s\nt/%s t/db tcp/1 deny\n" % (token, token))
        for output in ("text", "json"):
            done = run(NETPOLCTL, "explain", "-o", output, "-f", manifest, word, f"t/{word}", "tcp/80")
            asked = run(NETPOLCTL, "explain", "-o", output, "-f", manifest, "-", stdin=open(flows, "rb").read())
            tested = run(NETPOLCTL, "test", "-v", "-o", output, "-f", manifest, os.fsdecode(flows))
            if output == "json":
                for one in (done, asked, tested):
                    json_lines("json", one.stdout)


def file_names(directory):
    for number, text in enumerate([*map(os.fsencode, hostile.TEXTS), *hostile.BYTES]):
        name = text.replace(b"/", b"_")[:200]
        below = os.path.join(os.fsencode(directory), b"files%d" % number)
        os.mkdir(below)
        path = os.path.join(below, b"." + name + b".json" if name in (b".", b"..") else name + b".json")
        with open(path, "w", encoding="utf-8") as out:
            out.write("{")
        run(NETPOLD, "--check", "-f", os.fsdecode(below))
        write(path, hostile.decent() + hostile.refused("x")[:2] + hostile.unenforced("x"))
        dry_run(os.fsdecode(below), 2)
        run(NETPOLCTL, "explain", "-f", os.fsdecode(path), "t/web", "t/db", "tcp/80")
        json_lines("explain", run(NETPOLCTL, "explain", "-o", "json", "-f", os.fsdecode(path), "t/web", "t/db", "tcp/80").stdout)


def main():
    with tempfile.TemporaryDirectory() as directory:
        whole(directory)
        words(directory)
        file_names(directory)
    print(f"{passed} checks hold, {failed} do not")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
