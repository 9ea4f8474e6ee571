# SPDX-License-Identifier: GPL-2.0-or-later
"""table.py DIRECTORY...: the results of tests/kernels.sh as a table with a column for each kernel, why tests were
skipped, and a line of counts; 1 if any has failed."""
import os
import sys


def read(path, name):
    try:
        with open(os.path.join(path, name), encoding="utf-8", errors="replace") as text:
            return text.read()
    except FileNotFoundError:
        return ""


def results(path):
    """{name: (status, seconds, reason)}"""
    lines = [line.split(" ", 3) for line in read(path, "table").splitlines()]
    return {line[1]: (line[0], line[2], line[3] if len(line) > 3 else "") for line in lines if len(line) > 2}


def main():
    columns = [(read(path, "release").strip() or os.path.basename(path), read(path, "booted").strip(), results(path))
               for path in sys.argv[1:]]
    names = list(dict.fromkeys(name for _, _, column in columns for name in column))
    print("\n| test | " + " | ".join(f"Linux {release}" for release, _, _ in columns) + " |")
    print("| --- " * (len(columns) + 1) + "|")
    print("| boot | " + " | ".join(f"{booted} s" for _, booted, _ in columns) + " |")
    reasons, counts = {}, {"pass": 0, "FAIL": 0, "skip": 0}
    for name in names:
        cells = []
        for _, _, column in columns:
            status, seconds, reason = column.get(name, ("", "", ""))
            if status:
                counts[status] += 1
            if status == "skip":
                reasons.setdefault(reason, len(reasons) + 1)
                cells.append(f"skipped ({reasons[reason]})")
            else:
                cells.append(f"{status}, {seconds} s" if status else "not run")
        print(f"| {name} | " + " | ".join(cells) + " |")
    if reasons:
        print()
    for reason, number in reasons.items():
        print(f"- ({number}) {reason}")
    print(f"\n{counts['pass']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    sys.exit(1 if counts["FAIL"] or not counts["pass"] else 0)


main()
