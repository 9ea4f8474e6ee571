#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""All figures, beside the budgets that they are held to: bench.py BUILD_DIRECTORY [PART...] [PODS...]

How to read them is in CONTRIBUTING.md. What needs root, namespaces and nft is left out without, and says so. Clusters
are made below $TMPDIR and removed again. Without a PART all of them, each with its title: see main()."""
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from figures import Figures

HERE = os.path.dirname(os.path.abspath(__file__))
NODE = "node-0000"
SIZES = [1000, 10000, 100000]
RUNS = 3
IDLE_SECONDS = 10
CUT, CUT_PODS = 100000, 10000
EXPLAINED_MAX = 10000  # pods: beyond, reading the cluster outweighs what is explained
IN_NETNS = ["unshare", "-n"]
OWN_NAMESPACES = ["unshare", "-mn", "--propagation", "private"]


def go_first():
    """Ahead of whatever else the machine does, where that is allowed: others make figures noisy."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass


def run(command, stdin=None):
    """Wall seconds and peak resident MB of one run."""
    with open(stdin, "rb") if stdin else open(os.devnull, "rb") as source:
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL, preexec_fn=go_first)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command[:4])} ... ended with status {process.returncode}")
    return wall, usage.ru_maxrss / 1024


def median(command, stdin=None):
    runs = [run(command, stdin) for _ in range(RUNS)]
    return [statistics.median(column) for column in zip(*runs)]


def rows(command):
    """What a program of ours prints: a name and numbers on each line."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {words[0]: [float(word) for word in words[1:]] for words in map(str.split, done.stdout.splitlines())}


class Bench:
    def __init__(self, build, tmp, figures):
        self.build = build
        self.tmp = tmp
        self.figures = figures
        self.root = self.can_enforce()
        self.first = {}  # medians in the first, smallest cluster

    def can_enforce(self):
        if os.geteuid() != 0:
            self.figures.note("not root: figures of enforcement are skipped")
            return False
        if any(shutil.which(tool) is None for tool in ("nft", "ip", "unshare", "nsenter")) or subprocess.run(
                [*IN_NETNS, "nft", "list", "tables"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.figures.note("without nft, ip, unshare, nsenter, namespaces or nf_tables: figures of enforcement are skipped")
            return False
        return True

    def program(self, name):
        return f"{self.build}/tests/bench/{name}"

    def packets(self):
        sys.stdout.flush()
        done = subprocess.run([*OWN_NAMESPACES, sys.executable, "-B", f"{HERE}/datapath.py", self.build], check=False)
        if done.returncode not in (0, 3):
            sys.exit("the packets could not be measured")
        if done.returncode == 3:
            self.figures.missed.append("packets, see there")

    def element(self):
        self.figures.title("one element, to the kernel and back: median, p99")
        found = rows([*IN_NETNS, self.program("transaction"), "element"])
        for act in ("add", "remove"):
            few, many = found[f"few-{act}"], found[f"many-{act}"]
            self.figures.line(f"{act}, a set of 10", f"{few[0]:.1f}, {few[1]:.1f} us", 1)
            self.figures.line(f"{act}, a set of 100,000", f"{many[0]:.1f}, {many[1]:.1f} us", many[0] / few[0])

    def listened(self):
        """The kernel makes a message of a page for each object of a transaction then."""
        self.figures.title("100,000 elements, while somebody on the host listens to nf_tables")
        for what, words in (("parts", "in parts"), ("whole", "in one transaction, as a comparison")):
            ms, longest, mb = zip(*(rows([*IN_NETNS, self.program("transaction"), "listen", "100000"])[what]
                                    for _ in range(RUNS)))
            self.figures.line(f"{words}: processor, longest transaction",
                              f"{statistics.median(ms):.0f}, {statistics.median(longest):.1f} ms", None,
                              "50 ms" if what == "parts" else None,
                              statistics.median(longest) <= 50 if what == "parts" else None)
            self.figures.line(f"{words}: memory that the machine has less meanwhile, at most", f"{max(mb):.0f} MB")

    def cluster(self, pods):
        directory = os.path.join(self.tmp, str(pods))
        subprocess.run([sys.executable, "-B", f"{HERE}/generate.py", str(pods), directory], check=True,
                       stdout=subprocess.DEVNULL)
        size = sum(entry.stat().st_size for entry in os.scandir(directory))
        self.figures.title(f"{pods:,} pods, {pods // 10:,} policies, 250 pods here, {size / 1e6:.0f} MB")
        self.start(pods, directory, size)
        if self.root:
            self.load(pods, directory)
        self.events(pods, directory)
        if self.root and pods == CUT_PODS:
            self.cut(directory)
        if pods <= EXPLAINED_MAX:
            self.explain(pods, directory)
        if pods == max(SIZES):
            self.decode(os.path.join(directory, "pods-0000.json"))
        shutil.rmtree(directory)

    def start(self, pods, directory, size):
        arguments = ["--node", NODE, "-f", directory]
        wall, peak = median([f"{self.build}/netpold", "--dry-run", *arguments])
        self.figures.line("bytes to ruleset", f"{wall:.2f} s, {size / 1e6 / wall:.0f} MB/s", 1)
        if self.root:
            cold, peak = median([*IN_NETNS, f"{self.build}/netpold", "--once", "--log-level", "err", "--cni-results",
                                 self.tmp, *arguments])
            limit = 2.5 if pods == max(SIZES) else None
            self.figures.line("cold start, bytes to kernel", f"{cold:.2f} s", cold / wall, limit and f"{limit} s",
                              None if limit is None else cold <= limit)
        limit = 150 if pods == max(SIZES) else None
        self.figures.line("its memory at the peak", f"{peak:.0f} MB", None, limit and f"{limit} MB",
                          None if limit is None else peak <= limit)

    def load(self, pods, directory):
        text = os.path.join(self.tmp, f"{pods}.nft")
        with open(text, "wb") as out:
            subprocess.run([f"{self.build}/netpold", "--dry-run", "--node", NODE, "-f", directory], stdout=out, check=True)
        found = rows([*IN_NETNS, self.program("transaction"), "load", directory, NODE, text])
        kb = os.path.getsize(text) / 1000
        self.figures.line(f"nft -f of that ruleset ({kb:,.0f} kB of text)", f"{found['nft'][0] / 1000:.1f} ms", 1)
        self.figures.line("our transaction", f"{found['ours'][0] / 1000:.1f} ms", found["ours"][0] / found["nft"][0])

    def events(self, pods, directory):
        command = [self.program("events"), directory, NODE]
        for name, (middle, late, tested) in rows(command).items():
            self.figures.line(f"pod {name.replace('-', ' ')}, to ruleset: median, p99", f"{middle:.1f}, {late:.1f} us",
                              middle / self.first.setdefault(name, middle))
            if name == "elsewhere-relabelled":
                self.figures.note(f"{tested:.1f} selectors tested for it")
        if not self.root:
            return
        link = "ip link add bench0 type veth peer name bench1 && exec \"$@\""
        found = rows([*IN_NETNS, "sh", "-c", link, "sh", *command, "commit", "bench0"])
        graph, commit, _ = found.pop("arrive")
        self.figures.at_most("1,000 pods here at once", f"{graph + commit:.0f} ms", graph + commit, 1000, "ms")
        self.figures.at_most("of it the commit", f"{commit:.0f} ms", commit, 200, "ms")
        for name, (middle, late, _) in found.items():
            # The first and the last one are no pod's usual cost.
            budget = None if name in ("here-first", "here-last") else 1000
            self.figures.line(f"pod {name.replace('-', ' ')}, to kernel: median, p99", f"{middle:.1f}, {late:.1f} us",
                              middle / self.first.setdefault("commit " + name, middle), budget and "p99 1 ms",
                              budget and late <= budget)

    def cut(self, directory):
        """Connections that stand, evaluated after a change: CUT of them."""
        found = rows([*IN_NETNS, self.program("cut"), directory, NODE, str(CUT)])
        for what, words in (("one", "of one address"), ("all", "of all addresses")):
            ms, longest, commit, evaluated, deleted = found[what]
            self.figures.at_most(f"{CUT:,} connections, those {words} evaluated", f"{ms:.0f} ms", ms, 100, "ms")
            self.figures.at_most("the longest iteration of the loop, commits apart", f"{longest:.1f} ms", longest, 10, "ms")
            self.figures.line("the longest commit of what is to be dropped", f"{commit:.1f} ms")
            self.figures.note(f"{evaluated:.0f} evaluated, {deleted:.0f} denied and ended")

    def explain(self, pods, directory):
        """Pairs of pods, spread over the cluster."""
        apps, count = ["web", "api", "db", "cache", "jobs"], 20000
        path = os.path.join(self.tmp, "flows")
        with open(path, "w", encoding="utf-8") as out:
            for i in range(count):
                ends = [f"team-{end // 50:05}/{apps[end % 5]}-6d4cf56db6-{end:06}"
                        for end in (i * 7919 % pods, i * 104729 % pods)]
                out.write(f"{ends[0]} -> {ends[1]} tcp/8080\n")
        command = [f"{self.build}/netpolctl", "explain", "-f", directory]
        base, _ = median(command + ["10.0.0.1", "10.0.0.2", "icmp"])
        for output in ("text", "json"):
            wall, _ = median(command + ["-o", output, "-"], path)
            self.figures.line(f"flows explained, {output}", f"{count / max(wall - base, 1e-3):,.0f} /s")

    def decode(self, path):
        real = os.path.join(self.tmp, "real.json")
        with open(real, "wb") as out:
            subprocess.run([sys.executable, "-B", f"{HERE}/pods.py", "1000"], stdout=out, check=True)
        for pods, words, budget in ((real, "of 7.5 kB as real ones", 400), (path, "of 3.6 kB as above", None)):
            objects, trees = (statistics.median(
                float(subprocess.run([self.program("decode"), what, pods], stdout=subprocess.PIPE, check=True).stdout)
                for _ in range(RUNS)) for what in ("objects", "trees"))
            self.figures.line(f"pods {words}, to trees by jansson alone", f"{trees:.0f} MB/s", 1)
            self.figures.line(f"pods {words}, from an API server to objects", f"{objects:.0f} MB/s", objects / trees,
                              budget and f"{budget} MB/s", objects >= budget if budget else None)

    def idle(self):
        self.figures.title(f"idle for {IDLE_SECONDS} s, a cluster of some ten pods")
        running = {source: subprocess.Popen([*OWN_NAMESPACES, sys.executable, "-B", f"{HERE}/idle.py",
                                             f"{self.build}/netpold", source, str(IDLE_SECONDS)],
                                            stdout=subprocess.PIPE, text=True)
                   for source in ("files", "api")}
        for source, words in (("files", "from manifests"), ("api", "from an API server")):
            out, _ = running[source].communicate()
            if running[source].returncode != 0:
                self.figures.note(f"{words}: could not be measured")
                continue
            resident, own, ran = map(int, out.split())
            self.figures.line(f"resident, {words} ({own / 1000:.1f} MB of it its own)", f"{resident / 1000:.1f} MB", None,
                              "10 MB", resident <= 10000)
            self.figures.line(f"wake-ups, {words}", str(ran), None, "0", ran == 0)

    def follow(self, pods):
        """The API server is in Python: what it takes is not ours."""
        done = subprocess.run([*OWN_NAMESPACES, sys.executable, "-B", f"{HERE}/api.py", f"{self.build}/netpold", str(pods)],
                              stdout=subprocess.PIPE, text=True, check=False)
        self.figures.title(f"{pods:,} pods, {pods // 10:,} policies of an API server, 250 pods here")
        if done.returncode != 0:
            self.figures.note("could not be measured")
            return
        found = {words[0]: [float(word) for word in words[1:]] for words in map(str.split, done.stdout.splitlines())}
        (wall, own), (peak, after) = found["commit"], found["memory"]
        size = found["list-bytes"][0] / 1e6
        self.figures.line("its pods read by one connection and thrown away", f"{found['read'][0]:.2f} s", 1)
        self.figures.line("start to first commit", f"{wall:.2f} s", wall / found["read"][0])
        self.figures.line("of it netpold's own processor time", f"{own:.2f} s, {size / own:.0f} MB/s")
        self.figures.line("bytes on the wire until then, and for each pod", f"{size:.0f} MB, {size * 1e6 / pods:.0f} B")
        limit = 150 if pods == max(SIZES) else None
        self.figures.line("memory at the peak, and then", f"{peak:.0f}, {after:.0f} MB", None, limit and f"{limit} MB",
                          None if limit is None else peak <= limit)
        self.figures.line("bytes on the wire for an event of a pod", f"{found['event-bytes'][0]:.0f} B")
        self.figures.line("processor at 100 such events a second", f"{found['busy'][0]:.1f} %", None, "2 %",
                          found["busy"][0] <= 2)
        self.figures.line("the longest iteration of the loop", f"{found['longest'][0]:.1f} ms", None, "50 ms",
                          found["longest"][0] <= 50)

    def loop(self):
        """tests/e2e/loop.py with the budget as its limit."""
        done = subprocess.run([sys.executable, "-B", f"{HERE}/../e2e/loop.py"], stdout=subprocess.PIPE, text=True, check=False,
                              cwd=self.build, env=dict(os.environ, top_builddir=self.build, LOOP_LIMIT_MS="50"))
        self.figures.title("processor time of the longest iteration of the loop")
        for what, longest in re.findall(r"^(.*): [0-9.]+ s, .* the longest ([0-9.]+) ms", done.stdout, re.MULTILINE):
            self.figures.line(what, f"{longest} ms" if longest != "0" else "less", None, "50 ms", longest == "0")

    def size(self):
        self.figures.title("installed")
        total = 0
        for name in ("netpold", "netpolctl"):
            stripped = os.path.join(self.tmp, name)
            subprocess.run(["strip", "-o", stripped, f"{self.build}/{name}"], check=True)
            total += os.path.getsize(stripped)
        self.figures.line("both programs, stripped", f"{total / 1000:.0f} kB", None, "1000 kB", total <= 1000000)


def clusters(bench, sizes):
    for pods in sizes:
        bench.cluster(pods)


def api(bench, sizes):
    for pods in sizes:
        if pods > min(SIZES):
            bench.follow(pods)


# Name, whether it takes root, and what it does.
PARTS = [
    ("packets", True, lambda bench, sizes: bench.packets()),
    ("elements", True, lambda bench, sizes: (bench.element(), bench.listened())),
    ("clusters", False, clusters),
    ("idle", True, lambda bench, sizes: bench.idle()),
    ("api", True, api),
    ("loop", True, lambda bench, sizes: bench.loop()),
    ("size", False, lambda bench, sizes: bench.size()),
]


def main():
    build, words = os.path.abspath(sys.argv[1]), sys.argv[2:]
    sizes = [int(word) for word in words if word.isdigit()] or SIZES
    wanted = [word for word in words if not word.isdigit()]
    unknown = set(wanted) - {name for name, _, _ in PARTS}
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(name for name, _, _ in PARTS)}")
    figures = Figures()
    print(f"Linux {platform.release()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as tmp:
        bench = Bench(build, tmp, figures)
        for name, privileged, measure in PARTS:
            if (bench.root or not privileged) and (not wanted or name in wanted):
                measure(bench, sizes)
    print(f"\n{time.monotonic() - start:.0f} s, load at the end: {os.getloadavg()[0]:.1f}")
    figures.end()


if __name__ == "__main__":
    main()
