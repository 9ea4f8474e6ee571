#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Static analysis of src: gcc -fanalyzer and clang --analyze.

What they report is compared with tests/check/analyze.accepted, which has a reason for each report that is wrong. A
report that is not there fails, and so does an entry that is not reported any more. Entries name the tool, the file, the
function and the kind, not the line: those change with every edit. `make analyze` runs it with the flags of the build,
which are its arguments."""
import collections
import concurrent.futures
import glob
import os
import plistlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
ACCEPTED = os.path.join(TOP, "tests/check/analyze.accepted")
# How far clang follows the paths of a function. With its own value, 225,000, it takes three times as long, and what it
# reports beside is about uthash, as most of the rest.
MAX_NODES = 30000
# Reports differ between releases: the entries are for these, which Debian 12 has.
VERSIONS = {"gcc": "12", "clang": "14"}


def relative(path):
    return os.path.relpath(path, TOP)


def version_of(tool):
    if not shutil.which(tool):
        return None
    text = subprocess.run([tool, "-dumpversion"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return text.split(".")[0].strip()


def gcc(flags, source):
    """In text: "FILE: In function 'NAME':", then "FILE:LINE:COLUMN: warning: TEXT [-Wanalyzer-KIND]"."""
    command = ["gcc", *flags, "-O0", "-fanalyzer", "-fdiagnostics-plain-output", "-fdiagnostics-path-format=none", "-c", source,
               "-o", os.devnull]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"})
    found, function = [], "-"
    for line in done.stderr.splitlines():
        if match := re.search(r": In function '([^']+)'", line):
            function = match[1]
        if match := re.match(r"(\S+?):(\d+):\d+: warning: (.*) \[-Wanalyzer-([a-z-]+)\]$", line):
            found.append((("gcc", relative(source), function, match[4]), f"{relative(match[1])}:{match[2]}: {match[3]}"))
    return done, found


def clang(flags, source):
    with tempfile.NamedTemporaryFile(suffix=".plist") as out:
        command = ["clang", *flags, "--analyze", "-Xclang", "-analyzer-config", "-Xclang", f"max-nodes={MAX_NODES}", "--analyzer-output", "plist-multi-file", "-o", out.name, source]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"})
        found = []
        if done.returncode == 0:
            report = plistlib.load(out)
            for one in report["diagnostics"]:
                where = f"{relative(report['files'][one['location']['file']])}:{one['location']['line']}"
                found.append((("clang", relative(source), one.get("issue_context", "-"), one["check_name"]),
                              f"{where}: {one['description']}"))
    return done, found


TOOLS = {"gcc": gcc, "clang": clang}


def read_accepted():
    """TOOL FILE FUNCTION KIND REASON, a line each; the reason may be the name of one that is told above: "@NAME REASON"."""
    entries, named, bad = {}, {}, 0
    with open(ACCEPTED, encoding="utf-8") as text:
        for number, line in enumerate(text, 1):
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("@"):
                name, reason = line.split(None, 1)
                named[name] = reason
                continue
            words = line.split(None, 4)
            if len(words) < 5 or (words[4].startswith("@") and words[4].split()[0] not in named) or tuple(words[:4]) in entries:
                print(f"{relative(ACCEPTED)}:{number}: expected TOOL FILE FUNCTION KIND REASON, once: {line.strip()}")
                bad += 1
                continue
            entries[tuple(words[:4])] = number
    return entries, bad


def analyze(tools, flags, sources):
    """Every file by every tool; what is expensive is begun first."""
    jobs = [(tool, source) for source in sorted(sources, key=os.path.getsize, reverse=True) for tool in tools]
    found, failed = collections.defaultdict(list), 0
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS") or os.cpu_count())) as pool:
        for (tool, source), (done, reports) in zip(jobs, pool.map(lambda job: TOOLS[job[0]](flags, job[1]), jobs)):
            if done.returncode != 0:
                print(f"FAIL {tool} {relative(source)}: exit status {done.returncode}\n{done.stderr}")
                failed += 1
            for key, text in reports:
                found[key].append(text)
    return found, failed


def main():
    tools = {}
    for tool, wanted in VERSIONS.items():
        version = version_of(tool)
        if version == wanted:
            tools[tool] = TOOLS[tool]
        else:
            print(f"needs {tool} {wanted}, {'found ' + version if version else 'which is not there'}: its analysis is skipped")
    if not tools:
        print("analysis skipped")
        return 77
    sources = sorted(glob.glob(f"{TOP}/src/*.c") + glob.glob(f"{TOP}/src/*/*.c"))
    flags = sys.argv[1:]
    accepted, failed = read_accepted()
    found, errors = analyze(tools, flags, sources)
    failed += errors
    for key in sorted(found.keys() - accepted.keys()):
        failed += 1
        print(f"FAIL new: {' '.join(key)}")
        for text in found[key]:
            print(f"\t{text}")
    for key in sorted(accepted.keys() - found.keys()):
        if key[0] in tools:
            failed += 1
            print(f"FAIL {relative(ACCEPTED)}:{accepted[key]}: not reported any more: {' '.join(key)}")
    counts = " and ".join(f"{sum(len(texts) for key, texts in found.items() if key[0] == tool)} of {tool}" for tool in tools)
    print(f"{len(sources)} files analyzed, reports {counts}; {len(accepted)} entries are accepted; {failed} failures")
    used = os.times()
    print(f"processor time {used.children_user + used.children_system:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
