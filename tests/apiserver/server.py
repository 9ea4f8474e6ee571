#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Kubernetes API server for tests. Started by client.py; lives as long as its standard input is open.

server.py --directory DIR [--host ADDRESS]
Prints one line of JSON when it is ready: port, and the paths of its control socket, CA and tokens."""

import argparse
import json
import os
import shutil
import sys
import threading

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
        self.listener = Listener(self, host, Certificates(directory))
        self.api = Api(self.registry, self.store, self.settings, f"{host}:{self.listener.port}")
        for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
            self.api.changes.create(self.registry.find("", "v1", "namespaces"), "", {"metadata": {"name": name}},
                                    "kube-apiserver")
        self.store.compact()
        for user in ("admin", "node"):
            self.auth.new_token(user)
        self.stopped = threading.Event()
        self.control = Control(self, os.path.join(directory, "control"))

    def ready(self):
        return {"host": self.listener.host, "port": self.listener.port, "control": self.control.path,
                "directory": self.directory}

    def stop(self):
        self.stopped.set()


def wait_for_end_of_input(server):
    while os.read(0, 4096):
        pass
    server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", required=True, help="for certificates, tokens and the control socket")
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    server = Server(options.directory, options.host)
    print(json.dumps(server.ready()), flush=True)
    threading.Thread(target=wait_for_end_of_input, args=(server,), daemon=True).start()
    server.stopped.wait()
    shutil.rmtree(options.directory, ignore_errors=True)
    os._exit(0)  # threads that wait for clients keep nobody


if __name__ == "__main__":
    sys.exit(main())
