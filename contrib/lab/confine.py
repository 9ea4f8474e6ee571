# SPDX-License-Identifier: GPL-2.0-or-later
"""Namespaces that all of a lab lives and dies in."""
import ctypes
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
INSIDE = "NETPOLD_LAB_INSIDE"
LIBC = ctypes.CDLL(None)


class Ended(Exception):
    pass


def confine(seconds=None):
    """Runs the script again in mount, network and process namespaces of its own, as their first process, and exits as
    it does; returns there. Whatever ends it, even SIGKILL, ends all that it has started and made."""
    if os.environ.get(INSIDE):
        # /run may be shared with the host: a file system of our own over it keeps that clean.
        subprocess.run(["mount", "-t", "tmpfs", "lab", "/run"], check=True)
        subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one outside gets it too, and ends us
        return
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", sys.executable, "-B", *sys.argv]

    def end(number, _):
        raise Ended(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    inside = subprocess.Popen(command, env=dict(os.environ, **{INSIDE: "1"}),
                              preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    try:
        status = inside.wait(seconds)
    except subprocess.TimeoutExpired:
        status = f"{os.path.basename(sys.argv[0])}: not through after {seconds} s"
    except Ended as ended:
        status = 128 + ended.args[0]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    inside.kill()
    inside.wait()
    sys.exit(status)
