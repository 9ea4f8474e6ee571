#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Kubernetes API server for tests. Started by client.py; lives as long as its standard input is open.

server.py --directory DIR [--host ADDRESS]
Prints one line of JSON when it is ready: port, and the paths of its control socket, CA and tokens."""

import argparse
import json
import os
import select
import shutil
import signal
import sys

from api import Api, Settings
from auth import Auth
from certificates import Certificates
from control import Control
from faults import Faults
from listener import Listener
from lookout import Lookout
from replay import Replays
from resources import Registry
from stats import Stats
from store import Store


class Server:
    """All parts, by name."""

    def __init__(self, directory, host):
        self.directory = directory
        self.registry = Registry()
        self.store = Store()
        self.settings = Settings()
        self.stats = Stats()
        self.faults = Faults()
        self.replays = Replays()
        self.lookout = Lookout()
        self.auth = Auth(directory, self.settings)
        self.listener = Listener(self, host, Certificates(directory, host))
        self.api = Api(self.registry, self.store, self.settings, f"{host}:{self.listener.port}")
        for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
            self.api.changes.create(self.registry.find("", "v1", "namespaces"), "", {"metadata": {"name": name}},
                                    "kube-apiserver")
        self.store.compact()
        for user in ("admin", "node"):
            self.auth.new_token(user)
        self.stop_read, self.stop_write = os.pipe()
        os.set_blocking(self.stop_write, False)
        self.control = Control(self, os.path.join(directory, "control"))

    def ready(self):
        return {"host": self.listener.host, "port": self.listener.port, "control": self.control.path,
                "directory": self.directory}

    def stop(self):
        os.write(self.stop_write, b"x")

    def stop_on_signals(self):
        """Whichever thread a signal strikes, it writes a byte."""
        signal.set_wakeup_fd(self.stop_write)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def wait(self):
        """Until it is stopped, or nobody holds its standard input any more."""
        while True:
            readable, _, _ = select.select([0, self.stop_read], [], [])
            if self.stop_read in readable or not os.read(0, 4096):
                return


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", required=True, help="for certificates, tokens and the control socket")
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    server = Server(options.directory, options.host)
    server.stop_on_signals()
    print(json.dumps(server.ready()), flush=True)
    server.wait()
    shutil.rmtree(options.directory, ignore_errors=True)
    os._exit(0)  # threads that wait for clients keep nobody


if __name__ == "__main__":
    sys.exit(main())
